// Parts of the page that are loaded when they are first shown.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Exchange, until } from './exchange.mjs';
import { login, openBrowser, openPage } from './page.mjs';

/** How each part is first shown, and what is then there. */
const PARTS = [
  { name: 'account', open: (page) => page.getByTestId('login-open').first().click(), shown: 'login-test-name' },
  { name: 'settings', open: (page) => page.getByTestId('indicators-open').click(), shown: 'indicators-reset' },
  { name: 'settings', open: (page) => page.getByTestId('settings').click(), shown: 'layout-reset' },
  { name: 'records', user: 'dan', open: (page) => page.getByTestId('tab-fills').click(), shown: 'fills-here', close: (page) => page.getByTestId('tab-open').click() },
  { name: 'dialogs', user: 'dan', open: (page) => page.getByTestId('cancel-all-open').click(), shown: 'cancel-all-here' },
];

const FAILED = {
  'en-US': ['This part could not be loaded', 'Try again'],
  'ko-KR': ['이 부분을 불러오지 못했습니다', '다시 시도'],
};

let exchange;
let browser;

before(async () => {
  exchange = await Exchange.start();
  browser = await openBrowser();
  // What can be cancelled: of who is logged in below.
  await exchange.order('dan', 'BUY', 1, 1);
});

after(async () => {
  await browser?.close();
  await exchange?.stop();
});

/** Names of the modules that the page has asked for, without the hashes. */
function modules(page) {
  const names = [];
  page.on('request', (request) => {
    const name = new URL(request.url()).pathname.match(/([^/]+)-[0-9a-f]{8}\.wasm$/);
    if (name) names.push(name[1]);
  });
  return names;
}

async function openAnew({ user }, locale) {
  // Without a service worker, which would ask in the page's stead.
  const page = await openPage(browser, exchange.url, { locale, serviceWorkers: 'block' });
  if (user) await login(page, user);
  page.modules = modules(page);
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  if (user) await page.locator('[data-testid^="open-order-"]').first().waitFor();
  return page;
}

test('a part is loaded when it is first shown, and once', async () => {
  for (const part of PARTS) {
    const { name, open, shown, close = (page) => page.keyboard.press('Escape') } = part;
    const page = await openAnew(part, 'en-US');
    // What is asked for at first is asked for by now.
    await page.waitForLoadState('networkidle');
    const first = [...new Set(page.modules)].filter((module) => !module.startsWith('chunk_')).sort();
    assert.deepEqual(first, part.user ? ['split_orders', 'web_bg'] : ['web_bg'], 'the page alone');
    await open(page);
    await page.getByTestId(shown).waitFor();
    const loaded = page.modules.filter((module) => module.startsWith('split_') && !first.includes(module));
    assert.deepEqual(loaded, [`split_${name}`]);
    await close(page);
    await page.getByTestId(shown).waitFor({ state: 'hidden' });
    const before = page.modules.length;
    await open(page);
    await page.getByTestId(shown).waitFor();
    assert.equal(page.modules.length, before, 'it is there by now');
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

test('a page beside the trading screen loads its own part alone', async () => {
  for (const [hash, part, shown] of [['#admin', 'split_tools', 'admin-token'], ['#console', 'split_tools', 'socket-open']]) {
    const page = await openPage(browser, `${exchange.url}/${hash}`, { serviceWorkers: 'block' });
    page.modules = modules(page);
    await page.reload();
    await page.getByTestId(shown).waitFor();
    const loaded = [...new Set(page.modules)].filter((module) => !module.startsWith('chunk_')).sort();
    assert.deepEqual(loaded, [part, 'web_bg']);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

test('the chart\'s picture is made by a part that is loaded for it', async () => {
  const page = await openPage(browser, exchange.url, { serviceWorkers: 'block' });
  page.modules = modules(page);
  const saved = page.waitForEvent('download');
  await page.getByTestId('chart-png').click();
  assert.match((await saved).suggestedFilename(), /\.png$/);
  assert.deepEqual(page.modules.filter((module) => module.startsWith('split_')), ['split_settings']);
  await page.context().close();
});

test('a part that cannot be loaded says so and is tried again, in both languages', async () => {
  for (const [locale, [message, again]] of Object.entries(FAILED)) {
    for (const one of PARTS) {
      const { name, open, shown } = one;
      const page = await openAnew(one, locale);
      let refused = 0;
      const refuse = (route) => {
        refused += 1;
        // At first nothing answers, then the server has it no longer.
        return refused === 1 ? route.abort() : route.fulfill({ status: 404, body: '{}' });
      };
      const part = new RegExp(`/split_${name}-[0-9a-f]{8}\\.wasm$`);
      await page.route(part, refuse);
      await open(page);
      const failed = page.getByTestId('part-failed');
      await failed.getByText(message, { exact: true }).waitFor();
      assert.equal(await failed.getAttribute('role'), 'alert');
      const retry = page.getByTestId('part-retry');
      assert.equal(await retry.innerText(), again);
      await retry.click();
      await until('it was tried again', () => refused === 2);
      await failed.waitFor();
      assert.equal(await page.getByTestId(shown).count(), 0);
      await page.unroute(part, refuse);
      await retry.click();
      await page.getByTestId(shown).waitFor();
      assert.equal(await failed.count(), 0);
      await page.context().close();
    }
  }
});
