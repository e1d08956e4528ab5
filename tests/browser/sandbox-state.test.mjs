// The sandbox comes to the same states in Chromium as the native engine, for the same flows and the same orders.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from './exchange.mjs';
import { openBrowser, openPage } from './page.mjs';
import { hash, makeFlow, openSandbox, playToEnd } from './sandbox-page.mjs';
import { serveSite } from './site.mjs';

const seed = 7;
const steps = 20_000;
let native;
let site;
let browser;

before(async () => {
  const program = join(root, 'target/release/examples/sandbox_walk');
  native = (await promisify(execFile)(program, [String(seed), String(steps)])).stdout;
  assert.equal(native.trim().split('\n').length, 24);
  site = await serveSite();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await site?.stop();
});

test('the worker\'s module comes to the native states, with orders, there and back', async () => {
  const files = await readdir(join(root, 'web/dist'));
  const find = (pattern) => files.find((name) => pattern.test(name));
  const names = [find(/^sandbox_worker-[0-9a-f]{8}\.js$/), find(/^sandbox_worker_bg-[0-9a-f]{8}\.wasm$/)];
  const page = await openPage(browser, `${site.url}#sandbox`);
  const there = await page.evaluate(async ([[script, module], seed, steps]) => {
    const { default: init, walk } = await import(`/${script}`);
    await init({ module_or_path: `/${module}` });
    return walk(seed, steps);
  }, [names, seed, steps]);
  assert.equal(there, native);
  await page.context().close();
});

test('the page shows the native engine\'s hash at the end of every kind of flow', async () => {
  const page = await openSandbox(browser, site.url);
  for (const kind of ['zero_intelligence', 'hawkes', 'market_maker', 'flash_crash']) {
    await makeFlow(page, { kind, seed, steps });
    await playToEnd(page);
    const [, expected] = native.match(new RegExp(`^${kind} alone ([0-9a-f]{32})$`, 'm'));
    assert.equal(await hash(page), expected, kind);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
