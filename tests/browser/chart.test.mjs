// The chart: intervals, history, live candles, indicators, orders dragged on it, fills, the picture as a file.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Exchange, root, until } from './exchange.mjs';
import { login, openBrowser, openPage } from './page.mjs';

let exchange;
let browser;
const shots = join(root, 'target/screenshots');
/** Minutes of history that the test adds to what the exchange has. */
const MINUTES = 3500;
const LENGTHS = { '1m': 60, '3m': 180, '5m': 300, '15m': 900, '30m': 1800, '1h': 3600, '4h': 14400, '1d': 86400 };

before(async () => {
  await mkdir(shots, { recursive: true });
  exchange = await Exchange.start();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await exchange?.stop();
});

/**
 * A minute of the made-up history. Prices wander from 950 to 1,010 within any hour, counted from its end: whenever the test
 * runs, what is in sight has them all.
 */
function minute(time, end) {
  const n = (time - end) / 60;
  const price = (n) => Math.round(980 + 22 * Math.sin(n / 9) + 6 * Math.sin(n / 3) + 2 * Math.sin(n * 1.7));
  const [o, c] = [price(n - 1), price(n)];
  const k = time / 60;
  return { t: time, o, h: Math.max(o, c) + (k % 5), l: Math.min(o, c) - (k % 3), c, v: 40 + ((k * 7919) % 160) };
}

/** Puts history before what the exchange has: an exchange of a moment ago has none. Pages as the exchange does. */
async function addHistory(page) {
  const now = Math.floor(Date.now() / 60_000) * 60;
  const [from, to] = [now - MINUTES * 60, now - 60];
  const offset = 9 * 3600;
  page.pages = [];
  await page.route('**/chart?*', async (route) => {
    const url = new URL(route.request().url());
    const interval = url.searchParams.get('interval');
    const before = Number(url.searchParams.get('before') ?? Infinity);
    const limit = Number(url.searchParams.get('limit') ?? 100);
    const real = (await (await route.fetch()).json()).candles ?? [];
    const spans = new Map();
    const add = (bar) => {
      const time = bar.t - ((bar.t + offset) % LENGTHS[interval]);
      const span = spans.get(time);
      if (!span) spans.set(time, { ...bar, t: time });
      else Object.assign(span, { h: Math.max(span.h, bar.h), l: Math.min(span.l, bar.l), c: bar.c, v: span.v + bar.v });
    };
    for (let time = from; time < to; time += 60) add(minute(time, to));
    for (const bar of real) if (bar.t >= to) add(bar);
    const candles = [...spans.values()].filter((bar) => bar.t < before).sort((a, b) => a.t - b.t).slice(-limit);
    page.pages.push({ interval, before, count: candles.length });
    await route.fulfill({ json: { symbol: url.searchParams.get('symbol'), interval, candles } });
  });
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
}

async function open(name, options = {}) {
  const page = await openPage(browser, exchange.url, options);
  await page.addInitScript(() => localStorage.setItem('supernoba.symbol', 'TEST'));
  await addHistory(page);
  if (name) await login(page, name);
  page.chart = page.getByTestId('chart');
  await until('history is there', async () => Number(await page.chart.getAttribute('data-candles')) >= 1000);
  return page;
}

/** Closes a page, once what was asked for on its way has been answered. */
async function leave(page) {
  await page.unrouteAll({ behavior: 'wait' });
  await page.context().close();
}

const sight = async (page) => (await page.chart.getAttribute('data-sight')).split(',').map(Number);

test('every interval shows its candles, folded in the exchange\'s time zone', async () => {
  const page = await open();
  for (const [interval, length] of Object.entries(LENGTHS)) {
    await page.getByTestId(`interval-${interval}`).click();
    await until(`${interval} is shown`, async () => (await page.chart.getAttribute('data-interval')) === interval);
    const expected = Math.min(1000, Math.floor((MINUTES * 60) / length));
    await until(`${interval} has its history`, async () =>
      Number(await page.chart.getAttribute('data-candles')) >= expected);
    await until(`${interval}: what is in sight begins with a span`, async () => {
      const [from, to] = await sight(page);
      return (from + 9 * 3600) % length === 0 && (to + 9 * 3600) % length === 0;
    });
    assert.equal(await page.getByTestId(`interval-${interval}`).getAttribute('aria-pressed'), 'true');
  }
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await until('the interval is remembered', async () => (await page.chart.getAttribute('data-interval')) === '1d');
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('older candles come when one scrolls left, and nothing jumps', async () => {
  const page = await open();
  await page.getByTestId('interval-1m').click();
  await page.chart.focus();
  const count = async () => Number(await page.chart.getAttribute('data-candles'));
  const first = await count();
  let largest = 0;
  let before = await sight(page);
  for (let presses = 0; (await count()) < MINUTES - 10 && presses < 600; presses += 1) {
    await page.keyboard.press('ArrowLeft');
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const now = await sight(page);
    largest = Math.max(largest, Math.abs(now[0] - before[0]));
    before = now;
  }
  assert.ok((await count()) >= MINUTES - 10 && first < MINUTES, `${first} candles at first, ${await count()} at the end`);
  assert.ok(largest <= 11 * 60, `one press moved the picture by ${largest / 60} minutes`);
  const pages = page.pages.filter(({ interval, before }) => interval === '1m' && before !== Infinity);
  assert.equal(new Set(pages.map(({ before }) => before)).size, pages.length, 'no page is asked for twice');
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('a live minute changes the last candle at once, in every interval', async () => {
  const page = await open();
  for (const [price, interval] of [[1003, '1m'], [1007, '5m'], [998, '1h']]) {
    await page.getByTestId(`interval-${interval}`).click();
    await exchange.order('live-maker', 'SELL', price, 2);
    await exchange.order('live-taker', 'BUY', price, 2);
    await until(`${interval} ends with ${price}`, async () => (await page.chart.getAttribute('data-last-close')) === String(price));
    await until('the legend tells it', async () => (await page.getByTestId('legend').innerText()).replaceAll(',', '').includes(String(price)));
  }
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('indicators are chosen, set, remembered, and told in the legend', async () => {
  const page = await open();
  await page.getByTestId('legend-ma').waitFor();
  await page.getByTestId('indicators-open').click();
  for (const kind of ['bollinger', 'rsi', 'macd', 'vwap', 'ema']) await page.getByTestId(`indicator-${kind}`).check();
  await page.getByTestId('indicator-ma-0').fill('7');
  await page.getByTestId('indicator-ma-0').press('Enter');
  await page.getByTestId('indicator-rsi-0').fill('0');
  await page.getByTestId('indicator-rsi-0').press('Tab');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#indicators').count(), 0, 'Escape closes the menu');
  const told = async (kind) => page.getByTestId(`legend-${kind}`).innerText();
  await until('the new period is told', async () => /MA 7 20 60/.test(await told('ma')));
  await until('RSI kept its own', async () => /RSI 14 \d+\.\d\d/.test((await told('rsi')).replaceAll('\n', ' ')));
  await until('bands have three figures', async () => ((await told('bollinger')).match(/\d\.\d/g) ?? []).length === 3);
  await page.screenshot({ path: join(shots, 'chart-indicators-en.png') });
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await until('they are there again', async () => /MA 7 20 60/.test(await told('ma')));
  await page.getByTestId('legend-macd').waitFor();
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('the legend follows the crosshair', async () => {
  const page = await open();
  const box = await page.chart.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 3);
  const legend = page.getByTestId('legend');
  const last = await legend.innerText();
  await page.mouse.move(box.x + box.width / 3, box.y + box.height / 3);
  await until('the legend follows the crosshair', async () => (await legend.innerText()) !== last);
  assert.match(await page.getByTestId('legend-change').innerText(), /[▲▼]? ?[+-]?\d+\.\d\d%/);
  await leave(page);
});

/** An order of the user, with its handle on the chart. */
async function rested(page, user, side, price) {
  const id = await exchange.order(user, side, price, 5);
  const handle = page.getByTestId(`order-line-${id}`);
  await handle.waitFor();
  return { id, handle };
}

const priceOf = async (user, id) => (await exchange.call('GET', `/orders/${id}`, { user })).body.price;

test('an order is dragged to another price, let go by Escape, and brought back when refused', async () => {
  const page = await open('dora');
  // A price in sight, and far from any other side.
  const { id, handle } = await rested(page, 'dora', 'BUY', 960);
  const drag = async (pixels) => {
    const box = await handle.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    for (let step = 1; step <= 5; step += 1) {
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2 + (pixels * step) / 5);
    }
  };
  const shown = async () => Number(await handle.getAttribute('data-price'));

  await drag(-30);
  assert.ok((await shown()) > 960, 'it follows the pointer');
  await page.screenshot({ path: join(shots, 'chart-drag.png') });
  await page.keyboard.press('Escape');
  assert.equal(await shown(), 960, 'Escape lets go');
  await page.mouse.up();
  assert.equal(await priceOf('dora', id), 960);

  await drag(-30);
  const wished = await shown();
  await page.mouse.up();
  await until('the exchange has it', async () => (await priceOf('dora', id)) === wished);
  await until('the answer has come', async () => (await handle.getAttribute('aria-busy')) === 'false');
  assert.equal(await shown(), wished);
  await until('the book shows it', async () => {
    const { b } = (await exchange.call('GET', '/depth?symbol=TEST')).body;
    return b.some(([price, quantity]) => price === wished && quantity === 5);
  });

  // By keys.
  await handle.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  assert.equal(await shown(), wished - 11);
  await page.keyboard.press('Enter');
  await until('the exchange has that too', async () => (await priceOf('dora', id)) === wished - 11);
  await until('the answer has come', async () => (await handle.getAttribute('aria-busy')) === 'false');

  // Refused: the balance does not cover it. The door is asked by the page, the answer is the door's.
  await page.route(`**/orders/${id}?*`, async (route) => {
    if (route.request().method() !== 'PATCH') return route.continue();
    const error = { code: 'insufficient_balance', message: 'needs more' };
    return route.fulfill({ status: 422, json: { error } });
  });
  await drag(-20);
  await page.mouse.up();
  await until('the page says why', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((text) => /refused[^]*Not enough available balance/i.test(text)));
  assert.equal(await shown(), wished - 11, 'it is back');
  assert.equal(await priceOf('dora', id), wished - 11);

  await handle.focus();
  await page.keyboard.press('Delete');
  await handle.waitFor({ state: 'detached' });
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('a move that the exchange refuses brings the order back, and the page says so', async () => {
  const page = await open('emma');
  const { id, handle } = await rested(page, 'emma', 'BUY', 970);
  await handle.focus();
  // Further than the whole balance reaches.
  await page.route(`**/orders/${id}?*`, async (route) => {
    if (route.request().method() !== 'PATCH') return route.continue();
    return route.continue({ postData: JSON.stringify({ price: 900_000_000_000 }) });
  });
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await until('the page says why', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((text) => /refused|rejected/i.test(text)));
  await until('it is back', async () => (await handle.getAttribute('data-price')) === '970');
  assert.equal(await priceOf('emma', id), 970);
  await leave(page);
});

test('fills are marked on the chart, also after a reload', async () => {
  const page = await open('finn');
  const marks = async () => Number(await page.chart.getAttribute('data-markers'));
  assert.equal(await marks(), 0);
  await exchange.order('fill-maker', 'SELL', 1001, 4);
  await exchange.order('finn', 'BUY', 1001, 4);
  await until('the fill is marked', async () => (await marks()) >= 1);
  await page.getByTestId('interval-1h').click();
  await until('in every interval', async () => (await marks()) >= 1);
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await until('and again', async () => (await marks()) >= 1);
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('the chart is saved as a PNG', async () => {
  const page = await open();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('chart-png').click()]);
  assert.match(download.suggestedFilename(), /^TEST-\w+-\d{12}\.png$/);
  const file = join(shots, 'chart-export.png');
  await download.saveAs(file);
  const content = await readFile(file);
  assert.deepEqual([...content.subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.ok(content.readUInt32BE(16) >= 400 && content.length > 5_000, 'it shows something');
  assert.deepEqual(page.faults, []);
  await leave(page);
});

test('the chart in Korean and on a phone', async () => {
  const page = await open('gil', { locale: 'ko-KR' });
  await rested(page, 'gil', 'BUY', 975);
  await exchange.order('gil-maker', 'SELL', 1002, 3);
  await exchange.order('gil', 'BUY', 1002, 3);
  await page.getByTestId('indicators-open').click();
  await page.getByTestId('indicator-bollinger').check();
  await page.screenshot({ path: join(shots, 'chart-menu-ko.png') });
  await page.getByTestId('indicator-rsi').check();
  await page.keyboard.press('Escape');
  await until('the fill is marked', async () => Number(await page.chart.getAttribute('data-markers')) >= 1);
  await page.screenshot({ path: join(shots, 'chart-ko.png') });
  assert.match(await page.getByTestId('legend').innerText(), /시[^]*고[^]*저[^]*종/);
  assert.deepEqual(page.faults, []);
  await leave(page);

  const phone = await open(undefined, { locale: 'ko-KR', width: 390, height: 844 });
  await phone.getByTestId('indicators-open').click();
  await phone.screenshot({ path: join(shots, 'chart-phone-menu-ko.png') });
  await phone.keyboard.press('Escape');
  await phone.screenshot({ path: join(shots, 'chart-phone-ko.png') });
  assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'it fits');
  assert.deepEqual(phone.faults, []);
  await phone.context().close();
});
