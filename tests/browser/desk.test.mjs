// The desk as its user arranges it, and a book that stays right whatever the line does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { chooseSymbol, login, openPage, shownBook } from './page.mjs';
import { browser, exchange } from './running.mjs';

/** Panels from left to right. */
const order = async (page) => {
  const places = await Promise.all(['.markets', '.chart-panel', '.ladder', '.aside'].map(async (of) => [of, (await page.locator(of).boundingBox()).x]));
  return places.sort((a, b) => a[1] - b[1]).map(([of]) => of);
};
const reload = async (page) => {
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
};
const centre = (box) => [box.x + box.width / 2, box.y + box.height / 2];

test('columns are dragged and moved by keys, the orders made higher, and all of it is remembered', async () => {
  const page = await openPage(browser, exchange.url);
  assert.deepEqual(await order(page), ['.markets', '.chart-panel', '.ladder', '.aside']);
  await page.getByTestId('settings').click();
  await page.getByTestId('arrange').click();
  const [from, to] = [page.getByTestId('arrange-book'), page.getByTestId('arrange-markets')];
  await from.waitFor();
  await page.mouse.move(...centre(await from.boundingBox()));
  await page.mouse.down();
  await page.mouse.move(...centre(await to.boundingBox()), { steps: 6 });
  await page.mouse.up();
  await until('they have changed places', async () => JSON.stringify(await order(page)) === JSON.stringify(['.ladder', '.chart-panel', '.markets', '.aside']));
  await page.getByTestId('arrange-order').focus();
  await page.keyboard.press('ArrowLeft');
  await until('one to the left', async () => JSON.stringify(await order(page)) === JSON.stringify(['.ladder', '.chart-panel', '.aside', '.markets']));

  const height = async () => (await page.locator('section.orders').boundingBox()).height;
  const before = await height();
  const bar = page.getByTestId('arrange-height');
  const [x, y] = centre(await bar.boundingBox());
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x, y - 80, { steps: 5 });
  await page.mouse.up();
  assert.ok(Math.abs((await height()) - before - 80) <= 2, `${before} → ${await height()}`);
  await bar.focus();
  await page.keyboard.press('ArrowDown');
  assert.ok(Math.abs((await height()) - before - 68) <= 2);
  assert.equal(await bar.getAttribute('aria-valuenow'), String(Math.round(await height())));
  await page.getByTestId('arrange-done').click();
  await page.getByTestId('arrange-done').waitFor({ state: 'detached' });
  await reload(page);
  assert.deepEqual(await order(page), ['.ladder', '.chart-panel', '.aside', '.markets']);
  assert.ok(Math.abs((await height()) - before - 68) <= 2);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('rising is red in Korean and green in English, unless the user says otherwise', async () => {
  const page = await openPage(browser, exchange.url, { locale: 'ko-KR' });
  const up = () => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--up').trim());
  const token = (name) => page.evaluate((name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(), name);
  const [red, green] = [await token('--red'), await token('--green')];
  assert.equal(await up(), red);
  await page.getByTestId('lang-en').click();
  assert.equal(await up(), green);
  await page.getByTestId('settings').click();
  await page.getByTestId('rising-red').click();
  assert.equal(await up(), red);
  await reload(page);
  assert.equal(await up(), red, 'it is remembered');
  await page.getByTestId('lang-ko').click();
  await page.getByTestId('settings').click();
  await page.getByTestId('rising-green').click();
  assert.equal(await up(), green);
  await page.getByTestId('rising-auto').click();
  assert.equal(await up(), red);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a line that repeats, swaps and drops messages leaves the book right', async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  const page = await context.newPage();
  const kept = [];
  let broken = false;
  await page.routeWebSocket(/\/ws/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => server.send(message));
    server.onMessage((message) => {
      if (!broken || !String(message).startsWith('{"e":"d"')) return socket.send(message);
      kept.push(message);
      // Every third is lost, the others come late, twice, and the wrong way round.
      if (kept.length % 3 === 2) return undefined;
      for (const old of [message, ...kept.slice(-4).reverse()]) socket.send(old);
      return undefined;
    });
  });
  await page.goto(exchange.url);
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await login(page, 'line');
  await chooseSymbol(page, 'TEST');
  broken = true;
  for (let n = 0; n < 30; n += 1) {
    await exchange.order('mm', 'SELL', 1010 + (n % 6), 3);
    await exchange.order('mm', 'BUY', 1000 - (n % 6), 2);
    if (n % 5 === 0) await exchange.order('mm2', 'BUY', 1012, 2);
  }
  const depth = async () => (await exchange.call('GET', '/depth?symbol=TEST')).body;
  // The last message may be one of those that are lost: a trade then tells that the book is behind.
  await exchange.order('mm2', 'SELL', 990, 1);
  await until('the book is the exchange\'s', async () => {
    const { b, a } = await depth();
    return JSON.stringify([await shownBook(page, 'bid'), await shownBook(page, 'ask')]) === JSON.stringify([b, a]);
  });
  assert.ok(kept.length > 3, 'the line was broken');
  await context.close();
});

test('a book that stands crossed is fetched anew', async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  const page = await context.newPage();
  let wrong = 0;
  await page.routeWebSocket(/\/ws/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => server.send(message));
    server.onMessage((message) => {
      const depth = String(message).startsWith('{"e":"d","s":"NOBA"') ? JSON.parse(message) : null;
      if (depth?.a.length && wrong === 0) {
        wrong += 1;
        return socket.send(JSON.stringify({ ...depth, b: [[depth.a[0][0] + 5, 1]] }));
      }
      return socket.send(message);
    });
  });
  await page.goto(exchange.url);
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await chooseSymbol(page, 'NOBA');
  await exchange.order('mm', 'SELL', 5000, 7, 'NOBA');
  await until('the page was told wrong', () => wrong === 1);
  await until('the book is right again', async () =>
    JSON.stringify([await shownBook(page, 'bid'), await shownBook(page, 'ask')]) === '[[],[[5000,7]]]');
  await context.close();
});
