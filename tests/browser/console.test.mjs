// The test console: the WebSocket's log, requests by hand, the test of candles.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './exchange.mjs';
import { openPage } from './page.mjs';
import { browser, exchange } from './running.mjs';

const open = () => openPage(browser, `${exchange.url}/#console`);
const lines = (page) => page.getByTestId('log-line').allInnerTexts();

test('everything that goes over the WebSocket is logged', async () => {
  const page = await open();
  await page.getByTestId('socket-open').click();
  await until('it is open', async () => (await page.getByTestId('socket-state').innerText()) === 'Connected');
  await page.getByTestId('socket-main').fill('TEST');
  await page.getByTestId('socket-sub').fill('NOBA, TEST');
  await page.getByTestId('socket-subscribe').click();
  await until('the subscription is answered', async () => (await lines(page)).some((line) => line.includes('"e":"subscribed"')));
  assert.ok((await lines(page)).some((line) => line.includes('{"action":"subscribe","main":"TEST","sub":["NOBA","TEST"]}')));
  await exchange.order('ann', 'SELL', 1000, 4);
  await until('depth comes', async () => (await lines(page)).some((line) => line.includes('[1000,4]')));
  await page.getByTestId('socket-raw').fill('{"action":"dance"}');
  await page.getByTestId('socket-send').click();
  await until('what is wrong is refused', async () => (await lines(page)).some((line) => line.includes('"e":"error"')));
  await page.getByTestId('socket-ping').click();
  await until('a ping is answered', async () => (await lines(page)).some((line) => line.includes('"e":"pong"')));
  await page.getByTestId('log-filter').fill('"e":"pong"');
  assert.equal((await lines(page)).length, 1);
  await page.getByTestId('log-filter').fill('');
  await page.getByTestId('log-pause').check();
  const count = (await lines(page)).length;
  await page.getByTestId('socket-ping').click();
  await page.waitForTimeout(500);
  assert.equal((await lines(page)).length, count, 'a paused log stands');
  await page.getByTestId('log-pause').uncheck();
  await page.getByTestId('log-clear').click();
  assert.equal((await lines(page)).length, 0);
  await page.getByTestId('socket-close').click();
  await until('it is closed', async () => (await page.getByTestId('socket-state').innerText()) === 'Not connected');
  await page.getByTestId('socket-as').selectOption('test');
  await page.getByTestId('socket-name').fill('ann');
  await page.getByTestId('socket-open').click();
  await until('it is open again', async () => (await page.getByTestId('socket-state').innerText()) === 'Connected');
  await exchange.order('ann', 'SELL', 1001, 4);
  await until('her own orders are told', async () => (await lines(page)).some((line) => line.includes('"e":"order"')));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('requests are made by hand, in anybody\'s name', async () => {
  const page = await open();
  await page.getByTestId('tool-requests').click();
  const status = (pattern) => until(`an answer like ${pattern}`, async () => pattern.test(await page.getByTestId('request-status').innerText()));
  await page.getByTestId('request-send').click();
  await status(/^200 · \d+ ms$/);
  assert.match(await page.getByTestId('request-answer').innerText(), /"test_mode":true/);
  await page.getByTestId('example-0').click();
  await page.getByTestId('request-send').click();
  await status(/^401/);
  await page.getByTestId('request-as').selectOption('test');
  await page.getByTestId('request-name').fill('hand');
  await page.getByTestId('request-body').fill('{"symbol":"TEST","side":"BUY","price":700,"quantity":2}');
  await page.getByTestId('request-send').click();
  await status(/^202/);
  const { body } = await exchange.call('GET', '/orders', { user: 'hand' });
  assert.equal(body.orders.length, 1);
  await page.getByTestId('request-method').selectOption('DELETE');
  await page.getByTestId('request-path').fill(`/orders/${body.orders[0].order_id}`);
  await page.getByTestId('request-body').fill('');
  await page.getByTestId('request-send').click();
  await status(/^202/);
  await page.getByTestId('request-path').fill('https://example.com/');
  await page.getByTestId('request-send').click();
  await status(/^40[45]/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the test of candles passes on a right exchange, and fails where a candle is wrong', async () => {
  const page = await open();
  const checks = page.getByTestId('candle-check');
  const run = async () => {
    await page.getByTestId('candle-run').click();
    await until('it has run', async () =>
      (await checks.count()) >= 4 && (await page.getByTestId('candle-run').getAttribute('aria-busy')) === 'false', 60);
    return checks.evaluateAll((rows) => rows.map((row) => [row.cells[0].innerText, row.dataset.passed, row.innerText]));
  };
  await page.getByTestId('tool-candles').click();
  await page.getByTestId('candle-symbol').fill('NOBA');
  const rows = await run();
  assert.deepEqual(rows.filter(([, passed]) => passed !== 'true'), []);
  for (const name of ['Live minute', '/chart minute', '5m', '1h', '1d']) {
    assert.ok(rows.some(([own]) => own === name), name);
  }
  // A second run goes on in the same minute, or in a new one.
  assert.deepEqual((await run()).filter(([, passed]) => passed !== 'true'), []);
  await page.route('**/chart?*interval=5m*', async (route) => {
    const json = await (await route.fetch()).json();
    json.candles.at(-1).v += 1;
    await route.fulfill({ json });
  });
  const wrong = (await run()).filter(([, passed]) => passed !== 'true').map(([name]) => name);
  assert.deepEqual(wrong, ['5m']);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
