// What has been: fills page by page and live, profit and loss, and whole lists as files.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { chooseSymbol, login, openPage } from './page.mjs';
import { browser, exchange } from './running.mjs';

const ROUNDS = 65;
const rows = (page) => page.locator('[data-testid^="fill-TEST-"], [data-testid^="fill-NOBA-"]');
const text = (page, id) => page.getByTestId(id).innerText();

/** All fills of a user as the exchange has them, oldest first. */
async function fillsOf(user) {
  const all = [];
  let cursor = '';
  do {
    const { body } = await exchange.call('GET', `/fills?limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, { user });
    all.push(...body.fills);
    cursor = body.cursor;
  } while (cursor);
  return all.reverse();
}

/** Profit by average cost, worked out apart from the page; selling what has no known cost makes none. */
function profitOf(fills, symbol, last) {
  let [held, cost, realised] = [0, 0, 0];
  for (const fill of fills.filter((fill) => fill.symbol === symbol)) {
    if (fill.side === 'BUY') {
      held += fill.quantity;
      cost += fill.quantity * fill.price;
    } else {
      const sold = Math.min(fill.quantity, held);
      const paid = held > 0 ? Math.floor((cost * sold) / held) : 0;
      realised += sold * fill.price - paid;
      held -= sold;
      cost -= paid;
    }
  }
  const signed = (amount) => (amount > 0 ? '+' : '') + amount.toLocaleString('en-US');
  return { done: signed(realised), open: signed(held * last - cost) };
}

/** A list saved as a file: its rows without the heads. */
async function saved(page) {
  const coming = page.waitForEvent('download');
  await page.getByTestId('save-csv').click();
  const file = await coming;
  const lines = (await readFile(await file.path(), 'utf8')).replace(/^\ufeff/, '').trim().split('\r\n');
  return { name: file.suggestedFilename(), heads: lines[0], rows: lines.slice(1) };
}

test('fills come page by page, live, and whole as a file; profit is reckoned from all of them', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const price = 1000 + (round % 7);
    await exchange.order('market', 'SELL', price, 2);
    await exchange.order('fay', 'BUY', price, 2);
    await exchange.order('fay', 'SELL', price + 20, 1);
    await exchange.order('market', 'BUY', price + 20, 1);
  }
  await exchange.order('market', 'SELL', 5000, 3, 'NOBA');
  await exchange.order('fay', 'BUY', 5000, 3, 'NOBA');
  await until('all fills are on record', async () => (await fillsOf('fay')).length === 2 * ROUNDS + 1);

  const page = await openPage(browser, exchange.url);
  await login(page, 'fay');
  await chooseSymbol(page, 'TEST');
  await page.getByTestId('tab-fills').click();
  await until('the first page', async () => (await rows(page).count()) === 100);
  await page.getByTestId('fills-more').click();
  await until('all of them', async () => (await rows(page).count()) === 2 * ROUNDS + 1);
  assert.equal(await page.getByTestId('fills-more').count(), 0);
  const shown = await rows(page).evaluateAll((rows) => rows.map((row) => row.dataset.testid.slice(5)));
  const known = (await fillsOf('fay')).reverse().map((fill) => fill.fill_id);
  assert.deepEqual(shown, known, 'newest first, each once');
  const newest = await rows(page).first().innerText();
  assert.match(newest, /NOBA\s+Buy\s+5,000\s+3\s+15,000\s+Taker/);

  await exchange.order('market', 'SELL', 1003, 4);
  await exchange.order('fay', 'BUY', 1003, 4);
  await until('the new one is told live', async () => /TEST\s+Buy\s+1,003\s+4/.test(await rows(page).first().innerText()));
  await until('it is on record', async () => (await fillsOf('fay')).length === 2 * ROUNDS + 2);
  assert.equal(await rows(page).count(), 2 * ROUNDS + 2);

  await page.getByTestId('fills-here').check();
  await until('only this symbol', async () => (await rows(page).count()) === 100);
  assert.equal(await page.locator('[data-testid^="fill-NOBA-"]').count(), 0);
  await page.getByTestId('fills-here').uncheck();
  await until('all symbols again', async () => (await page.locator('[data-testid^="fill-NOBA-"]').count()) === 1);

  const fills = await saved(page);
  assert.equal(fills.name, 'supernoba-fills.csv');
  assert.equal(fills.rows.length, 2 * ROUNDS + 2, 'all of them, not only those on the screen');
  assert.match(fills.heads, /^"Time","Fill id","Order id","Symbol","Side","Price","Quantity","Total","Role"$/);
  assert.match(fills.rows[0], /"TEST","Buy","1003","4","4012","Taker"$/);
  await until('the page says how many', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((told) => told.includes(`${2 * ROUNDS + 2}`)));

  await page.getByTestId('tab-history').click();
  await page.locator('[data-testid^="history-order-"]').first().waitFor();
  const orders = await saved(page);
  assert.equal(orders.rows.length, 2 * ROUNDS + 2, 'pages that the screen does not show are in the file');
  const before = await page.locator('[data-testid^="history-order-"]').count();
  assert.ok(before < 2 * ROUNDS, 'the screen shows a page');
  await page.getByTestId('history-more').click();
  await until('the next page', async () => (await page.locator('[data-testid^="history-order-"]').count()) === 2 * ROUNDS + 2);

  await page.getByTestId('tab-balances').click();
  const all = await fillsOf('fay');
  for (const [symbol, last] of [['TEST', 1003], ['NOBA', 5000]]) {
    const { done, open } = profitOf(all, symbol, last);
    await until(`${symbol}: realised is ${done}`, async () => (await text(page, `profit-${symbol}-done`)) === done);
    await until(`${symbol}: unrealised is ${open}`, async () => (await text(page, `profit-${symbol}-open`)) === open);
  }
  const { body } = await exchange.call('GET', '/assets', { user: 'fay' });
  const price = { CASH: 1, TEST: 1003, NOBA: 5000 };
  const worth = body.assets.reduce((sum, of) => sum + (of.available + of.locked) * (price[of.asset] ?? 0), 0);
  await until('all together', async () => (await text(page, 'worth-all')) === worth.toLocaleString('en-US'));
  const balances = await saved(page);
  assert.equal(balances.rows.length, body.assets.length);
  assert.match(balances.heads, /"Average cost","Realised P\/L"$/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('dates and numbers are those of the language', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'fay');
  await page.getByTestId('tab-fills').click();
  await rows(page).first().waitFor();
  assert.match(await rows(page).first().innerText(), /^[A-Z][a-z]{2} \d{1,2}, \d\d:\d\d:\d\d/);
  await page.getByTestId('lang-ko').click();
  assert.match(await rows(page).first().innerText(), /^\d{1,2}\. \d{1,2}\. \d\d:\d\d:\d\d/);
  assert.match(await rows(page).first().innerText(), /매수/);
  const { heads, rows: all } = await saved(page);
  assert.match(heads, /"체결 번호"/);
  assert.match(all[0], /^"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"/, 'files have dates that sort');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('another user sees none of them', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'fay');
  await page.getByTestId('tab-fills').click();
  await rows(page).first().waitFor();
  await page.getByTestId('logout').click();
  await until('the list is gone', async () => (await rows(page).count()) === 0);
  await login(page, 'newcomer');
  await page.getByText('No fills yet').waitFor();
  assert.equal(await rows(page).count(), 0);
  await page.context().close();
});
