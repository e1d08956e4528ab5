// A run of a real exchange, exported by `supernoba export`, played in the page: it ends in the state that the native engine had.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Exchange, root, until } from './exchange.mjs';
import { openBrowser } from './page.mjs';
import { dropFile, hash, openSandbox, order, playToEnd, position, ready, seek } from './sandbox-page.mjs';
import { serveSite } from './site.mjs';

let folder;
let file;
let commands;
let native;
let site;
let browser;

before(async () => {
  const exchange = await Exchange.start();
  folder = exchange.folder;
  // Makers and takers, one who gives up, and a recorded flow behind them.
  const waiting = await exchange.order('maker', 'SELL', 10_400, 7);
  await exchange.order('maker', 'BUY', 9_600, 7);
  await exchange.order('taker', 'BUY', 10_400, 3);
  await exchange.call('DELETE', `/orders/${waiting}`, { user: 'maker' });
  await exchange.replay('engine-core/tests/golden/own.csv.gz', 'TEST', 3_000);
  // Every order that was taken is in the stream before it is answered; the folder belongs to one process at a time.
  exchange.process.kill('SIGTERM');
  await exchange.exited;
  file = join(folder, 'TEST.snflow');
  const program = join(root, 'target/release/supernoba');
  const { stdout } = await promisify(execFile)(program, ['export', 'TEST', file, '--data', join(folder, 'data')]);
  commands = Number(stdout.match(/^commands\s+(\d+)$/m)[1]);
  native = stdout.match(/^state\s+([0-9a-f]{32})$/m)[1];
  assert.ok(commands > 2_000, stdout);
  site = await serveSite();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await site?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test('it plays to the native state, there and back, and one\'s orders part it from what was', async () => {
  const page = await openSandbox(browser, site.url);
  await dropFile(page, file);
  await until('the run is there', async () => Number(await page.getByTestId('position').getAttribute('data-steps')) === commands);
  await ready(page);
  assert.match(await page.getByTestId('sandbox-symbol').innerText(), /^TEST/);
  await page.getByTestId('open-flows').click();
  assert.equal(await page.getByTestId('as-recorded').getAttribute('data-same'), 'true');
  await page.getByTestId('flows-close').click();
  await playToEnd(page);
  assert.equal(await position(page), commands);
  assert.equal(await hash(page), native);

  await page.getByTestId('go').fill('#1000');
  await page.getByTestId('go').press('Enter');
  await until('back', async () => (await position(page)) === 1_000);
  const there = await hash(page);
  assert.notEqual(there, native);
  await playToEnd(page);
  assert.equal(await hash(page), native);

  await page.getByTestId('go').fill('1000');
  await page.getByTestId('go').press('Enter');
  await until('back again', async () => (await position(page)) === 1_000);
  assert.equal(await hash(page), there);
  await order(page, { side: 'buy', type: 'market', quantity: 5 });
  await page.getByTestId('inside-compare').click();
  await page.getByTestId('outcome').first().waitFor();
  assert.match(await page.getByTestId('ab-hash').innerText(), /≠/);
  await playToEnd(page);
  assert.notEqual(await hash(page), native);
  assert.match(await page.getByTestId('ab-hash').innerText(), new RegExp(native.slice(0, 8)), 'without the order it is as it was');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
