// A user trades on the page: what the page shows is what the exchange has.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, until } from './exchange.mjs';
import { chooseSymbol, login, openPage, placeOrder, shownBook } from './page.mjs';
import { browser, exchange } from './running.mjs';

test('an order rests in the book, is told of, and is cancelled', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'ann');
  await chooseSymbol(page, 'TEST');
  await page.getByTestId('tab-balances').click();
  const locked = page.getByTestId('balance-CASH-locked');
  await until('nothing is locked at first', async () => (await locked.getAttribute('data-value')) === '0');

  await placeOrder(page, { side: 'buy', price: 900, quantity: 7 });
  await page.getByTestId('toast').first().waitFor();
  await until('the book shows it', async () => (await shownBook(page, 'bid')).some(([p, q]) => p === 900 && q === 7));
  await until('its cash is locked', async () => (await locked.getAttribute('data-value')) === '6300');

  await page.getByTestId('tab-open').click();
  const cancel = page.locator('[data-testid^="cancel-ord_"]');
  assert.equal(await cancel.count(), 1);
  await cancel.click();
  await until('the order is gone', async () => (await page.locator('[data-testid^="open-order-"]').count()) === 0);
  await until('the book is empty', async () => (await shownBook(page, 'bid')).length === 0);
  await page.getByTestId('tab-balances').click();
  await until('the cash is free', async () => (await locked.getAttribute('data-value')) === '0');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('fills reach chart, tape, ticker and balances of both sides', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'ben');
  await chooseSymbol(page, 'TEST');
  await exchange.order('maker', 'SELL', 1000, 10);
  await exchange.order('maker', 'SELL', 1010, 10);
  await until('the asks are shown', async () => (await shownBook(page, 'ask')).length === 2);
  assert.deepEqual(await shownBook(page, 'ask'), [[1000, 10], [1010, 10]]);
  await placeOrder(page, { side: 'buy', quantity: 12 });
  await until('the rest is shown', async () => JSON.stringify(await shownBook(page, 'ask')) === '[[1010,8]]');
  await until('the tape shows both fills', async () => (await page.getByTestId('trade-row').count()) >= 2);
  const chart = page.getByTestId('chart');
  await until('the chart shows the last price', async () => (await chart.getAttribute('data-last-close')) === '1010');
  assert.ok(Number(await chart.getAttribute('data-candles')) >= 1);
  assert.match(await page.getByTestId('ticker-price').innerText(), /1,010/);
  await page.getByTestId('tab-balances').click();
  const available = page.getByTestId('balance-TEST-available');
  await until('the stock is there', async () => (await available.getAttribute('data-value')) === '10012');
  const cash = await page.getByTestId('balance-CASH-available').getAttribute('data-value');
  assert.equal(cash, String(100_000_000 - 10 * 1000 - 2 * 1010));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an account signs up, trades, and is still there after a reload', async () => {
  const page = await openPage(browser, exchange.url);
  await page.getByTestId('login-open').first().click();
  await page.getByTestId('login-email').fill('kim@example.com');
  await page.getByTestId('login-password').fill('correct horse battery');
  await page.getByTestId('signup-submit').click();
  await page.getByTestId('logout').waitFor();
  await chooseSymbol(page, 'NOBA');
  await placeOrder(page, { side: 'sell', price: 5000, quantity: 3 });
  await page.locator('[data-testid^="open-order-"]').first().waitFor();
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await page.getByTestId('logout').waitFor();
  await page.locator('[data-testid^="open-order-"]').first().waitFor();
  await until('the book is there', async () => JSON.stringify(await shownBook(page, 'ask')) === '[[5000,3]]');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what the balance does not cover is refused in words, and changes nothing', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'cho');
  await chooseSymbol(page, 'NOBA');
  await exchange.call('GET', '/assets', { user: 'cho' });
  const before = await exchange.call('GET', '/assets', { user: 'cho' });
  await placeOrder(page, { side: 'buy', price: 100_000_000, quantity: 2 });
  await until('the page says why', async () => {
    const texts = await page.getByTestId('toast').or(page.getByRole('alert')).allInnerTexts();
    return texts.some((text) => /balance|enough|insufficient/i.test(text));
  });
  assert.deepEqual(await exchange.call('GET', '/assets', { user: 'cho' }), before);
  await page.context().close();
});

test('after a replay the page shows candles and book; a kill loses nothing of them', async () => {
  const said = await exchange.replay('engine-core/tests/golden/own.csv.gz', 'REPLAY', 3000);
  assert.match(said, /fills\s+[1-9]/);
  const totals = await exchange.totals();
  for (const [asset, { held, deposited }] of Object.entries(totals)) {
    assert.equal(held, deposited, `${asset}: all wallets hold together what came in`);
  }
  const depth = (await exchange.call('GET', '/depth?symbol=REPLAY')).body;
  const candles = (await exchange.call('GET', '/chart?symbol=REPLAY&interval=1m&limit=1000')).body.candles;
  assert.ok(candles.length >= 1 && depth.b.length > 0 && depth.a.length > 0);

  const page = await openPage(browser, exchange.url);
  await chooseSymbol(page, 'REPLAY');
  const shown = async () => {
    const [bids, asks] = [await shownBook(page, 'bid'), await shownBook(page, 'ask')];
    return JSON.stringify([bids, asks]) === JSON.stringify([depth.b, depth.a]);
  };
  await until('the book is the exchange\'s', shown);
  const chart = page.getByTestId('chart');
  const last = String(candles.at(-1).c);
  await until('the candles are there', async () => (await chart.getAttribute('data-last-close')) === last);
  assert.ok(Number(await chart.getAttribute('data-candles')) >= candles.length);

  await exchange.killAndRestart();
  await until('the page is live again', async () =>
    (await page.getByTestId('feed-status').getAttribute('data-state')) === 'live');
  // The engine folds what came after its last snapshot again, and shows the book on the way.
  await until('the book is the one before', async () =>
    JSON.stringify((await exchange.call('GET', '/depth?symbol=REPLAY')).body.b) === JSON.stringify(depth.b));
  await until('the candles are those before', async () => {
    const again = (await exchange.call('GET', '/chart?symbol=REPLAY&interval=1m&limit=1000')).body.candles;
    return JSON.stringify(again) === JSON.stringify(candles);
  });
  assert.deepEqual(await exchange.totals(), totals);
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await until('the book is still the exchange\'s', shown);
  await until('the candles are still there', async () => (await chart.getAttribute('data-last-close')) === last);
  for (const interval of ['5m', '1h']) {
    await page.getByTestId(`interval-${interval}`).click();
    await until(`${interval} is shown`, async () => (await chart.getAttribute('data-interval')) === interval);
    await until(`${interval} ends with the last price`, async () => (await chart.getAttribute('data-last-close')) === last);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the page fits its windows, in both languages', async () => {
  const folder = join(root, 'target/screenshots');
  await mkdir(folder, { recursive: true });
  for (const [language, locale] of [['ko', 'ko-KR'], ['en', 'en-US']]) {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      const page = await openPage(browser, exchange.url, { locale, width, height });
      assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${language} at ${width} is ${overflow} px too wide`);
      await page.screenshot({ path: join(folder, `${language}-${width}x${height}.png`) });
      assert.deepEqual(page.faults, []);
      await page.context().close();
    }
  }
  const page = await openPage(browser, exchange.url, { locale: 'ko-KR' });
  await page.getByTestId('lang-en').click();
  await until('English is shown', async () => (await page.evaluate(() => document.documentElement.lang)) === 'en');
  await page.context().close();
});
