// However often the connection breaks, and wherever: an order exists once, and the page comes to know of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { chooseSymbol, login, openPage, placeOrder } from './page.mjs';
import { browser, exchange } from './running.mjs';

const orders = async (user) => (await exchange.call('GET', '/orders?status=all', { user })).body.orders;

/** A logged-in page whose `POST /orders` go through `handle`. */
async function pageWith(user, handle) {
  const page = await openPage(browser, exchange.url);
  await login(page, user);
  await chooseSymbol(page, 'TEST');
  await page.route('**/orders?*', (route) => (route.request().method() === 'POST' ? handle(route) : route.continue()));
  return page;
}

const moments = {
  'before the request has left': (route) => route.abort('connectionfailed'),
  'after the order was placed, before the answer': async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  },
  'by an answer that a proxy gives in its place': async (route) => {
    await route.fetch();
    await route.fulfill({ status: 502, body: '<html>' });
  },
  'by an exchange that says it is not available': (route) =>
    route.fulfill({ status: 503, json: { error: { code: 'unavailable', message: '' } } }),
};

for (const [index, [moment, cut]] of Object.entries(moments).entries()) {
  test(`a connection cut ${moment}: the order is sent again and exists once`, async () => {
    let times = 0;
    const user = `cut${index}`;
    const page = await pageWith(user, (route) => (++times <= 2 ? cut(route) : route.continue()));
    await placeOrder(page, { side: 'buy', price: 10, quantity: 3 });
    await page.locator('[data-testid^="open-order-"]').first().waitFor();
    await until('the page has done', async () => (await page.getByTestId('order-submit').getAttribute('aria-busy')) === 'false');
    assert.equal((await orders(user)).length, 1);
    assert.equal(await page.locator('[data-testid^="open-order-"]').count(), 1);
    await until('the form is ready for the next', async () => (await page.getByTestId('order-quantity').inputValue()) === '');
    times = 3;
    // What comes after is an order of its own.
    await placeOrder(page, { side: 'buy', price: 10, quantity: 3 });
    await until('two orders', async () => (await orders(user)).length === 2);
    await page.context().close();
  });
}

test('an order whose fate stays unknown keeps its name when the user sends it again', async () => {
  let cut = true;
  const page = await pageWith('unsure', async (route) => {
    if (!cut) return route.continue();
    await route.fetch();
    return route.abort('connectionreset');
  });
  // What the socket and the lists would tell is held back: the page has to do without.
  await page.route(/\/orders/, (route) =>
    (route.request().method() === 'GET' ? route.abort('connectionfailed') : route.fallback()));
  await placeOrder(page, { side: 'buy', price: 11, quantity: 2 });
  await until('the page says that it does not know', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((told) => /not known/.test(told)));
  cut = false;
  await page.getByTestId('order-submit').click();
  await page.getByTestId('confirm-yes').click();
  await until('it was answered', async () => (await page.getByTestId('order-submit').getAttribute('aria-busy')) === 'false');
  await until('one order', async () => (await orders('unsure')).length === 1);
  assert.equal((await orders('unsure')).length, 1);
  await page.context().close();
});

test('a server that is killed while an order is under way: once, and the banner says what is going on', async () => {
  const page = await openPage(browser, exchange.url);
  await login(page, 'killed');
  await chooseSymbol(page, 'TEST');
  const banner = page.getByTestId('banner');
  assert.equal(await banner.isVisible(), false);
  await placeOrder(page, { side: 'buy', price: 12, quantity: 2 });
  exchange.process.kill('SIGKILL');
  await exchange.exited;
  await banner.waitFor({ state: 'visible' });
  assert.match(await banner.innerText(), /prices stand still/);
  await exchange.run(exchange.port);
  await banner.waitFor({ state: 'hidden' });
  await until('the order is there once', async () => (await orders('killed')).length === 1);
  await until('the page shows it', async () => (await page.locator('[data-testid^="open-order-"]').count()) === 1);
  assert.match(await page.getByTestId('latency').innerText(), /^\d+ ms$/);
  await page.context().close();
});

test('a book that the feed has left behind is fetched anew', async () => {
  const page = await openPage(browser, exchange.url);
  await chooseSymbol(page, 'NOBA');
  await page.context().close();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  const lossy = await context.newPage();
  // Depth messages are lost on the way once the page has begun.
  await lossy.addInitScript(() => {
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      set onmessage(handler) {
        super.onmessage = handler && ((event) => {
          if (!(window.lossy && event.data.startsWith('{"e":"d"'))) handler(event);
        });
      }
    };
  });
  await lossy.goto(exchange.url);
  await lossy.waitForFunction(() => window.__supernoba_ready === true);
  await chooseSymbol(lossy, 'NOBA');
  await exchange.order('seller', 'SELL', 3000, 9, 'NOBA');
  const best = () => lossy.getByTestId('book-ask-0').getAttribute('data-quantity');
  await until('the book is there', async () => (await best()) === '9');
  await lossy.evaluate(() => (window.lossy = true));
  await exchange.order('buyer', 'BUY', 3000, 4, 'NOBA');
  await until('the trade has come', async () => (await lossy.getByTestId('trade-row').count()) === 1);
  await until('the book has caught up', async () => (await best()) === '5');
  await context.close();
});
