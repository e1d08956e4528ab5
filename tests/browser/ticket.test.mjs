// Book, order form and lists as a trader uses them.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { chooseSymbol, login, openPage, placeOrder, shownBook } from './page.mjs';
import { browser, exchange } from './running.mjs';

const open = (page) => page.locator('[data-testid^="open-order-"]');
const text = (page, id) => page.getByTestId(id).innerText();
const attribute = (page, id, name) => page.getByTestId(id).getAttribute(name);

test('the book is grouped, lit up where it changes, turned into a curve, and fills the form', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'gus');
  await chooseSymbol(page, 'TEST');
  for (const [side, price, quantity] of [['SELL', 1001, 3], ['SELL', 1004, 4], ['BUY', 998, 5], ['BUY', 993, 6]]) {
    await exchange.order('book', side, price, quantity);
  }
  await until('both sides', async () => (await shownBook(page, 'bid')).length === 2 && (await shownBook(page, 'ask')).length === 2);
  await page.getByTestId('book-group').selectOption('10');
  assert.deepEqual(await shownBook(page, 'bid'), [[990, 11]], 'bids are rounded down');
  assert.deepEqual(await shownBook(page, 'ask'), [[1010, 7]], 'asks are rounded up');
  assert.equal(await text(page, 'spread'), '3', 'the spread is that of orders');
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await until('the grouping is remembered', async () => JSON.stringify(await shownBook(page, 'bid')) === '[[990,11]]');
  await page.getByTestId('book-group').selectOption('1');

  await page.evaluate(() => {
    window.lit = 0;
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...all) { window.lit += 1; return animate.apply(this, all); };
  });
  await exchange.order('book', 'BUY', 998, 1);
  await until('the change is lit up', () => page.evaluate(() => window.lit > 0));
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const lit = await page.evaluate(() => window.lit);
  await exchange.order('book', 'BUY', 998, 1);
  await until('the book has it', async () => (await shownBook(page, 'bid'))[0][1] === 7);
  assert.equal(await page.evaluate(() => window.lit), lit, 'nothing moves for who wants little motion');

  await exchange.order('gus', 'BUY', 993, 1);
  await until('the own order is marked', () =>
    page.getByTestId('book-bid-1').evaluate((row) => row.classList.contains('own')));
  assert.ok(!(await page.getByTestId('book-bid-0').evaluate((row) => row.classList.contains('own'))));

  await page.getByTestId('order-type-market').click();
  await page.getByTestId('book-ask-1').click();
  assert.equal(await page.getByTestId('order-price').inputValue(), '1,004');
  assert.equal(await attribute(page, 'order-type-limit', 'aria-pressed'), 'true');

  await page.getByTestId('book-as-curve').click();
  const paths = page.getByTestId('depth-curve').locator('path');
  assert.match(await paths.nth(0).getAttribute('d'), /^M\d+ 400H/);
  assert.match(await paths.nth(1).getAttribute('d'), /^M\d+ 400H/);
  assert.match(await attribute(page, 'depth-curve', 'aria-label'), /998.*1,001/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what an order locks and leaves is told before it is sent', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'hal');
  await chooseSymbol(page, 'NOBA');
  await until('the balance is there', async () => /100,000,000/.test(await text(page, 'order-available')));
  await page.getByTestId('order-price').fill('5,000');
  await page.getByTestId('order-quantity').fill('3');
  assert.deepEqual(
    [await text(page, 'order-locked'), await text(page, 'order-fee'), await text(page, 'order-left'), await text(page, 'order-total')],
    ['15,000', '0', '99,985,000', '15,000'],
  );
  await page.getByTestId('order-share-50').click();
  assert.equal(await page.getByTestId('order-quantity').inputValue(), '10,000');
  await page.getByTestId('order-quantity').fill('20,001');
  assert.equal(await text(page, 'order-left'), 'Not enough');
  await page.getByTestId('order-quantity').fill('3');
  await page.getByTestId('order-submit').click();
  assert.match(await text(page, 'confirm-summary'), /Buy NOBA · Limit GTC · 3 @ 5,000 · Total 15,000/);
  await page.getByTestId('confirm-no').click();
  assert.equal((await exchange.call('GET', '/orders?status=all', { user: 'hal' })).body.orders.length, 0);
  await page.getByTestId('order-submit').click();
  await page.getByTestId('confirm-off').check();
  await page.getByTestId('confirm-yes').click();
  await open(page).first().waitFor();
  await page.getByTestId('order-quantity').fill('1');
  await page.getByTestId('order-submit').click();
  await until('the second was sent unasked', async () => (await open(page).count()) === 2);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('stop, stop-limit, post-only and iceberg orders go through the page', async () => {
  const page = await openPage(browser, exchange.url);
  await page.evaluate(() => localStorage.setItem('supernoba.confirms', 'off'));
  await page.reload();
  await login(page, 'ida');
  await chooseSymbol(page, 'KIMCHI');
  await exchange.order('other', 'SELL', 2000, 50, 'KIMCHI');
  await until('the ask is there', async () => (await shownBook(page, 'ask')).length === 1);

  const fill = async (fields) => {
    for (const [id, value] of Object.entries(fields)) await page.getByTestId(id).fill(String(value));
  };
  await page.getByTestId('order-type-limit').click();
  await page.getByTestId('order-post-only').check();
  await fill({ 'order-price': 2000, 'order-quantity': 1 });
  await page.getByTestId('order-submit').click();
  await until('a post-only order that would take is refused in words', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((told) => /post only/i.test(told)));
  await page.getByTestId('order-post-only').uncheck();

  await fill({ 'order-price': 1900, 'order-quantity': 100, 'order-display': 10 });
  await page.getByTestId('order-submit').click();
  await until('an iceberg shows its visible part', async () => JSON.stringify(await shownBook(page, 'bid')) === '[[1900,10]]');
  await fill({ 'order-display': '' });

  await page.getByTestId('order-type-stop-limit').click();
  await fill({ 'order-stop': 2000, 'order-price': 1950, 'order-quantity': 2 });
  await page.getByTestId('order-submit').click();
  await page.getByTestId('order-type-stop').click();
  await fill({ 'order-stop': 2000, 'order-quantity': 3 });
  assert.equal(await text(page, 'order-locked'), '6,600', 'a tenth above the stop');
  await page.getByTestId('order-submit').click();
  await until('three orders are open', async () => (await open(page).count()) === 3);
  assert.deepEqual(await shownBook(page, 'bid'), [[1900, 10]], 'what waits for its stop is not in the book');

  await exchange.order('third', 'BUY', 2000, 1, 'KIMCHI');
  await until('the stop-limit order rests now', async () =>
    JSON.stringify(await shownBook(page, 'bid')) === '[[1950,2],[1900,10]]');
  await until('the stop order has bought', async () => JSON.stringify(await shownBook(page, 'ask')) === '[[2000,46]]');
  const { orders } = (await exchange.call('GET', '/orders?status=all', { user: 'ida' })).body;
  assert.deepEqual(orders.map((order) => [order.type, order.stop, order.display, order.status]), [
    ['MARKET', 2000, undefined, 'FILLED'], ['LIMIT', 2000, undefined, 'ACCEPTED'],
    ['LIMIT', undefined, 10, 'ACCEPTED'], ['LIMIT', undefined, undefined, 'REJECTED'],
  ]);
  await exchange.totals();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('orders are amended, all cancelled, saved as CSV; profit is reckoned', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'joy');
  await chooseSymbol(page, 'TEST');
  const id = await exchange.order('joy', 'BUY', 500, 5);
  await exchange.order('joy', 'BUY', 501, 5, 'NOBA');
  await until('both are open', async () => (await open(page).count()) === 2);
  await page.getByTestId(`amend-${id}`).click();
  await page.getByTestId('amend-price').fill('505');
  await page.getByTestId('amend-quantity').fill('4');
  await page.getByTestId('amend-yes').click();
  await until('the order is another', async () => {
    const { body } = await exchange.call('GET', `/orders/${id}`, { user: 'joy' });
    return body.price === 505 && body.remaining === 4;
  });

  const saved = page.waitForEvent('download');
  await page.getByTestId('save-csv').click();
  const file = await saved;
  assert.equal(file.suggestedFilename(), 'supernoba-open-orders.csv');
  const table = await readFile(await file.path(), 'utf8');
  assert.match(table, new RegExp(`"${id}","TEST","Buy","Limit GTC","","505","4"`));
  assert.equal(table.trim().split('\r\n').length, 3);

  await page.keyboard.press('Shift+Escape');
  await page.getByTestId('cancel-all-here').check();
  await page.getByTestId('cancel-all-yes').click();
  await until('the symbol\'s are cancelled', async () => (await open(page).count()) === 1);
  await page.getByTestId('cancel-all-open').click();
  await page.getByTestId('cancel-all-here').uncheck();
  await page.getByTestId('cancel-all-yes').click();
  await until('all are cancelled', async () => (await open(page).count()) === 0);

  // Between the bids and asks that rest here.
  await exchange.order('maker2', 'SELL', 1000, 10);
  await exchange.order('joy', 'BUY', 1000, 10);
  await exchange.order('maker2', 'BUY', 999, 4);
  await exchange.order('joy', 'SELL', 999, 4);
  await page.getByTestId('tab-balances').click();
  await until('the loss is told', async () => (await text(page, 'profit-TEST-done')) === '-4');
  await until('and what is open', async () => (await text(page, 'profit-TEST-open')) === '-6');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('trading by keyboard alone', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'kai');
  await chooseSymbol(page, 'NOBA');
  await page.locator('body').press('s');
  assert.equal(await attribute(page, 'order-side-sell', 'aria-pressed'), 'true');
  await page.keyboard.type('2');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'order-price');
  await page.keyboard.type('6000');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Shift+ArrowUp');
  assert.equal(await page.getByTestId('order-price').inputValue(), '6,011');
  await page.keyboard.press('Enter');
  await page.getByTestId('confirm-summary').waitFor();
  await page.keyboard.press('Enter');
  await until('the order is there', async () => JSON.stringify(await shownBook(page, 'ask')) === '[[6011,2]]');
  await page.getByTestId('tab-open').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await attribute(page, 'tab-history', 'aria-selected'), 'true');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Shift+Escape');
  await page.keyboard.press('Enter');
  await until('all are cancelled', async () => (await open(page).count()) === 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('theme, columns and favourites are remembered', async () => {
  const page = await openPage(browser, exchange.url);
  const reload = async () => {
    await page.reload();
    await page.waitForFunction(() => window.__supernoba_ready === true);
  };
  await page.getByTestId('star-TEST').click();
  await page.getByTestId('settings').click();
  await page.getByTestId('theme-light').click();
  await page.getByTestId('column-order-left').click();
  await page.getByTestId('column-book-shown').uncheck();
  await reload();
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
  assert.equal(await page.locator('.ladder').isVisible(), false);
  const names = await page.locator('[data-testid^="symbol-row-"]').evaluateAll((rows) => rows.map((row) => row.dataset.testid));
  assert.equal(names[0], 'symbol-row-TEST', 'favourites come first');
  await page.getByTestId('only-stars').click();
  assert.equal(await page.locator('[data-testid^="symbol-row-"]').count(), 1);
  await page.getByTestId('only-stars').click();
  await page.getByTestId('search').fill('nob');
  assert.equal(await page.locator('[data-testid^="symbol-row-"]').count(), 1);
  await page.getByTestId('settings').click();
  await page.getByTestId('layout-reset').click();
  assert.ok(await page.locator('.ladder').isVisible());
  const [chart, book] = await Promise.all(['.chart-panel', '.ladder'].map((of) => page.locator(of).boundingBox()));
  assert.ok(chart.x < book.x);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
