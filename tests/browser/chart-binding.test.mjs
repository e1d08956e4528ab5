// The binding of lightweight-charts against the library itself, in Chromium: `web/lightweight-charts/examples/checks.rs`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, until } from './exchange.mjs';
import { openBrowser } from './page.mjs';

const folder = join(root, 'target/wasm/chart-checks');
const library = join(root, 'web/node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs');
const TYPES = { html: 'text/html', js: 'text/javascript', wasm: 'application/wasm' };
let server;
let browser;
let page;

before(async () => {
  server = createServer(async (request, response) => {
    const name = request.url.slice(1) || 'index.html';
    response.setHeader('content-type', TYPES[name.split('.').pop()] ?? 'text/plain');
    if (name === 'index.html') return response.end('<!doctype html><meta charset=utf-8><title>checks</title>');
    const file = name === 'lightweight-charts.js' ? library : join(folder, name);
    return readFile(file).then((content) => response.end(content), () => response.writeHead(404).end());
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  browser = await openBrowser();
  page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 800, height: 600 } })).newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(async () => {
    window.checks = await import('./checks.js');
    await window.checks.default({ module_or_path: './checks_bg.wasm' });
    window.place = () => {
      const place = document.createElement('div');
      place.style = 'width:600px;height:300px';
      document.body.replaceChildren(place);
      return place;
    };
  });
});

after(async () => {
  await browser?.close();
  server?.close();
});

for (const name of ['series_of_every_kind', 'updates', 'panes', 'prices', 'markers', 'time_scale']) {
  test(name.replaceAll('_', ' '), async () => {
    const wrong = await page.evaluate((name) => {
      try {
        window.checks[name](window.place());
        return null;
      } catch (error) {
        return String(error);
      }
    }, name);
    assert.equal(wrong, null);
    assert.equal(await page.evaluate(() => document.body.querySelectorAll('canvas').length), 0, 'a dropped chart is gone');
    assert.deepEqual(page.faults, []);
  });
}

test('handlers are told, until they are dropped', async () => {
  const watch = () => page.evaluate(() => { window.watched = new window.checks.Watched(window.place()); });
  const seen = () => page.evaluate(() => window.watched.seen());
  await watch();
  assert.equal(await page.evaluate(() => window.watched.subscriptions()), 3);
  await page.mouse.move(300, 100);
  await until('the crosshair is told', async () => (await seen()).includes('over true'));
  await page.mouse.click(300, 100);
  await until('a click is told', async () => (await seen()).includes('click true'));
  await page.evaluate(() => window.watched.scroll());
  await until('the range is told', async () => (await seen()).includes('range true'));

  await page.evaluate(() => window.watched.unsubscribe());
  assert.equal(await page.evaluate(() => window.watched.has_closure()), false, 'the closure is freed');
  assert.equal(await page.evaluate(() => window.watched.subscriptions()), 2);
  // The range may still move on: that handler is there as before.
  const crosshairs = async () => (await seen()).filter((what) => what.startsWith('over')).length;
  const before = await crosshairs();
  await page.mouse.move(340, 120);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await crosshairs(), before, 'and is told no more');

  await page.evaluate(() => window.watched.resize(700, 320));
  const url = await page.evaluate(() => window.watched.png());
  assert.match(url, /^data:image\/png;base64,/);

  // The chart goes first: it takes its handlers with it.
  await watch();
  await page.evaluate(() => window.watched.remove_chart());
  assert.equal(await page.evaluate(() => window.watched.has_closure()), false, 'the chart frees the closure');
  await page.evaluate(() => window.watched.unsubscribe());
  await page.evaluate(() => window.watched.free());
  assert.deepEqual(page.faults, []);
});
