// Administration: symbols, balances, dead letters, health, and who may see them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Exchange, until } from './exchange.mjs';
import { openBrowser, openPage } from './page.mjs';

let exchange;
let browser;

before(async () => {
  exchange = await Exchange.start();
  browser = await openBrowser();
  // An account, and with it the demo balance.
  await exchange.order('zoe', 'BUY', 900, 3);
  await exchange.call('GET', '/assets', { user: 'zoe' });
});

after(async () => {
  await browser?.close();
  await exchange?.stop();
});

const symbols = async () => (await exchange.call('GET', '/admin')).body.symbols.map((of) => of.symbol);
const row = (page, symbol) => page.getByTestId(`admin-symbol-${symbol}`);

async function open(options) {
  const page = await openPage(browser, `${exchange.url}/#admin`, options);
  await page.getByTestId('admin-token').fill(exchange.adminToken);
  await page.getByTestId('admin-enter').click();
  await row(page, 'TEST').waitFor();
  return page;
}

test('only an administrator\'s token opens it, and it is kept nowhere', async () => {
  const page = await openPage(browser, `${exchange.url}/#admin`);
  await page.getByTestId('admin-token').fill('not.a.token');
  await page.getByTestId('admin-enter').click();
  assert.match(await page.getByTestId('admin-fault').innerText(), /does not open it/);
  await page.getByTestId('admin-token').fill(exchange.adminToken);
  await page.getByTestId('admin-token').press('Enter');
  await row(page, 'TEST').waitFor();
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  assert.ok(!kept.includes(exchange.adminToken));
  await page.getByTestId('admin-leave').click();
  await page.getByTestId('admin-token').waitFor();
  assert.equal(await page.getByTestId('admin-token').inputValue(), '');
  await page.reload();
  await page.getByTestId('admin-token').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('symbols are added, halted and resumed', async () => {
  const page = await open();
  await page.getByTestId('admin-add').fill('FRESH');
  await page.getByTestId('admin-add-do').click();
  await row(page, 'FRESH').waitFor();
  assert.ok((await symbols()).includes('FRESH'));
  await page.getByTestId('admin-add').fill('no good');
  await page.getByTestId('admin-add-do').click();
  await until('a name that is none is refused in words', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((told) => /cannot be traded/.test(told)));

  const turn = page.getByTestId('admin-turn-TEST');
  await turn.click();
  assert.match(await turn.innerText(), /Really halt/);
  assert.ok((await symbols()).includes('TEST'), 'one press does nothing');
  await turn.blur();
  assert.match(await turn.innerText(), /^Halt$/, 'and is forgotten');
  await turn.click();
  await turn.click();
  await until('it is halted', async () => (await row(page, 'TEST').getAttribute('data-traded')) === 'false');
  const body = { symbol: 'TEST', side: 'BUY', price: 900, quantity: 1 };
  const refused = await exchange.call('POST', '/orders', { user: 'zoe', body });
  assert.equal(refused.body.error.code, 'unknown_symbol');
  const { body: { orders } } = await exchange.call('GET', '/orders?status=open', { user: 'zoe' });
  assert.equal((await exchange.call('DELETE', `/orders/${orders[0].order_id}`, { user: 'zoe' })).status, 202, 'what rests can be cancelled');
  await page.getByTestId('admin-turn-TEST').click();
  await until('it is traded again', async () => (await row(page, 'TEST').getAttribute('data-traded')) === 'true');
  assert.equal((await exchange.call('POST', '/orders', { user: 'zoe', body })).status, 202);
  // Nobody holds the new one: halted, it is not listed when one looks again.
  await page.getByTestId('admin-turn-FRESH').click();
  await page.getByTestId('admin-turn-FRESH').click();
  await until('it is halted', async () => (await row(page, 'FRESH').getAttribute('data-traded')) === 'false');
  assert.ok(!(await symbols()).includes('FRESH'));
  await page.getByTestId('tool-accounts').click();
  await page.getByTestId('tool-symbols').click();
  await row(page, 'TEST').waitFor();
  assert.equal(await row(page, 'FRESH').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('balances are searched, and deposits post once each', async () => {
  const page = await open();
  await page.getByTestId('tool-accounts').click();
  const cash = page.getByTestId('account-test-zoe-CASH');
  await cash.waitFor();
  await page.getByTestId('account-user').fill('nobody-of-this-name');
  await page.getByTestId('account-search').click();
  await page.getByText('Nothing here').waitFor();
  await page.getByTestId('account-user').fill('zo');
  await page.getByTestId('account-search').click();
  await cash.waitFor();
  const total = async () => (await exchange.call('GET', '/admin/totals')).body.assets.find((of) => of.asset === 'CASH').deposited;
  const before = await total();
  await page.getByTestId('deposit-user').fill('test-zoe');
  await page.getByTestId('deposit-asset').fill('CASH');
  await page.getByTestId('deposit-amount').fill('1,500');
  await page.getByTestId('deposit-do').click();
  await until('it is posted', async () => (await total()) === before + 1500);
  await until('and shown', async () => /100,00\d,\d{3}|100,001,500/.test(await cash.innerText()));
  await page.getByTestId('deposit-asset').fill('no such');
  await page.getByTestId('deposit-amount').fill('1');
  await page.getByTestId('deposit-do').click();
  await until('what is no asset is refused', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((told) => /refused/.test(told)));
  assert.equal(await total(), before + 1500);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('health and dead letters', async () => {
  const page = await open();
  await page.getByTestId('tool-letters').click();
  await until('their number', async () => (await page.getByTestId('letters-count').innerText()) === '0');
  await page.getByText('No record failed').waitFor();
  await page.route('**/admin/dead-letters*', (route) => route.fulfill({ json: { count: 7, dead_letters: [{
    consumer: 'fill-processor', stream: 'supernoba-fills', shard: 1, sequence: 42, arrived: 1765894805123, reason: 'not readable', body: '{"event":"FILL"}',
  }] } }));
  await page.getByTestId('letters-reload').click();
  await until('one is shown', async () =>
    /Dec 16.*fill-processor.*supernoba-fills \/ 1 \/ 42.*not readable.*FILL/s.test(await page.getByTestId('dead-letter').innerText()));
  assert.equal(await page.getByTestId('letters-count').innerText(), '7');

  await page.getByTestId('tool-health').click();
  await until('the process', async () => (await page.getByTestId('health-status').innerText()) === 'ok');
  await until('the books', async () => (await page.getByTestId('ledger').getAttribute('data-wrong')) === '0');
  assert.match(await page.getByTestId('total-CASH').innerText(), /✓/);
  await page.getByTestId('metrics-filter').fill('orders_received');
  assert.match(await page.getByTestId('metrics').innerText(), /^supernoba_orders_received_total \d+$/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('it can be used by keyboard, and led to from the settings', async () => {
  const page = await openPage(browser, exchange.url);
  await page.getByTestId('settings').click();
  await page.getByTestId('to-admin').click();
  await page.getByTestId('admin-token').waitFor();
  await page.getByTestId('admin-token').fill(exchange.adminToken);
  await page.keyboard.press('Enter');
  await row(page, 'TEST').waitFor();
  await page.getByTestId('tool-symbols').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.getByTestId('tool-accounts').getAttribute('aria-selected'), 'true');
  await page.getByTestId('to-trading').click();
  await page.getByTestId('ticker-price').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
