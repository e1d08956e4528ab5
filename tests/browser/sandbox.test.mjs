// The sandbox, with no exchange behind the page: playing, trading, looking inside, files, sharing, without a network, the tour.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { root, until } from './exchange.mjs';
import { openBrowser } from './page.mjs';
import {
  best, dropFile, hash, isPlaying, makeFlow, openSandbox, order, playToEnd, position, ready, seek,
} from './sandbox-page.mjs';
import { serveSite } from './site.mjs';

let site;
let browser;
let folder;
const shots = join(root, 'target/screenshots');

before(async () => {
  await mkdir(shots, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), 'supernoba-sandbox-'));
  site = await serveSite();
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function close(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

test('a flow is played, paused, stepped through, sought and marked', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 3, steps: 20_000 });
  const start = await hash(page);
  assert.equal(await position(page), 0);

  await page.getByTestId('step').click();
  await until('one step', async () => (await position(page)) === 1);
  await page.getByTestId('step').click();
  await until('two steps', async () => (await position(page)) === 2);
  const second = await hash(page);
  assert.notEqual(second, start);
  await page.getByTestId('step').click();
  await until('three steps', async () => (await position(page)) === 3);
  await page.getByTestId('step-back').click();
  await until('back', async () => (await position(page)) === 2);
  assert.equal(await hash(page), second, 'a place has one state');

  await page.getByTestId('to-fill').click();
  await until('a trade', async () => (await page.getByTestId('trade-row').count()) > 0);
  const filled = await position(page);
  assert.ok(filled > 2);

  // A hundred times: twenty thousand steps of fifty milliseconds last a thousand seconds.
  await page.getByTestId('speed').selectOption('1000');
  await page.getByTestId('play').click();
  await until('it plays', async () => (await position(page)) > filled + 500);
  await page.getByTestId('play').click();
  await until('it stands', async () => !(await isPlaying(page)));
  const paused = await position(page);
  const there = await hash(page);
  await page.getByTestId('bookmarks').click();
  await page.getByTestId('bookmark-name').fill('here <b>it</b> is');
  await page.getByTestId('bookmark-add').click();
  await page.getByTestId('bookmark-1').waitFor();
  assert.match(await page.getByTestId('bookmark-1').innerText(), /here <b>it<\/b> is/);
  await page.locator('.backdrop').click();

  await seek(page, 0.8);
  assert.notEqual(await hash(page), there);
  assert.ok(Number(await page.getByTestId('chart').getAttribute('data-candles')) >= 10);
  await page.getByTestId('bookmarks').click();
  await page.getByTestId('bookmark-1').click();
  await until('at the mark', async () => (await position(page)) === paused);
  assert.equal(await hash(page), there);
  await page.getByTestId('unmark-1').click();
  await until('no mark', async () => (await page.getByTestId('bookmark-1').count()) === 0);
  await page.locator('.backdrop').click();

  await page.locator('body').press('Space');
  await until('the space bar plays', () => isPlaying(page));
  await page.locator('body').press('Space');
  await until('and pauses', async () => !(await isPlaying(page)));
  await playToEnd(page);
  assert.equal(await position(page), 20_000);
  await page.getByTestId('to-start').click();
  await until('at the beginning', async () => (await position(page)) === 0);
  assert.equal(await hash(page), start);
  await close(page);
});

test('an order waits in its queue, its place is shown, and its fill is explained', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 5, steps: 20_000 });
  await seek(page, 0.3);
  const bid = await best(page, 'bid');
  await order(page, { side: 'buy', price: bid, quantity: 10 });
  const ahead = page.getByTestId('ahead-0001');
  await ahead.waitFor();
  const before = Number(await ahead.getAttribute('data-orders'));
  assert.ok(before > 0);
  assert.match(await ahead.innerText(), /^\d+ ahead \([\d,]+\)$/);
  assert.equal(await page.getByTestId('queue-own').count(), 1);
  assert.match(await page.getByTestId('queue-own').innerText(), new RegExp(`${before + 1}$`));
  await page.screenshot({ path: join(shots, 'sandbox-queue.png') });

  await page.getByTestId('to-own-fill').click();
  await page.getByTestId('inside-fills').click();
  const fill = page.getByTestId('own-fill').first();
  await fill.waitFor();
  assert.equal(await fill.getAttribute('data-price'), String(bid));
  assert.match(await fill.innerText(), new RegExp(`Maker · ${before} ahead \\([\\d,]+\\) when it joined · \\d+ filled, \\d+ gave up`));
  assert.ok(Number(await page.getByTestId('chart').getAttribute('data-markers')) > 0);

  // A taker does not wait.
  await order(page, { side: 'sell', type: 'market', quantity: 5 });
  await until('two fills', async () => (await page.getByTestId('own-fill').count()) >= 2);
  assert.match(await page.getByTestId('own-fill').first().innerText(), /Taker/);

  // Refused as the exchange would: nobody has so much.
  await order(page, { side: 'buy', price: bid, quantity: 9_000_000_000 });
  await until('refused', async () =>
    (await page.getByTestId('toast').allInnerTexts()).some((text) => /Not enough/.test(text)));

  // Going back takes the orders with it; they come again at their places.
  await page.getByTestId('to-start').click();
  await until('nothing is open', async () => (await page.getByTestId('ahead-0001').count()) === 0);
  await playToEnd(page);
  await until('they came again', async () => (await page.getByTestId('own-fill').count()) >= 2);
  await close(page);
});

test('orders are cancelled, amended and rest as stops and icebergs', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 6, steps: 20_000 });
  await seek(page, 0.3);
  const bid = await best(page, 'bid');
  await order(page, { side: 'buy', price: bid - 20, quantity: 10 });
  await order(page, { side: 'buy', price: bid - 21, quantity: 10 });
  await page.getByTestId('open-order-0002').waitFor();
  await page.getByTestId('cancel-0001').click();
  await until('gone', async () => (await page.getByTestId('open-order-0001').count()) === 0);
  await page.getByTestId('tab-history').click();
  assert.equal(await page.getByTestId('history-order-0001').getAttribute('data-status'), 'Cancelled');
  await page.getByTestId('tab-open').click();
  await page.getByTestId('cancel-all-open').click();
  await page.getByTestId('cancel-all-yes').click();
  await until('all gone', async () => (await page.getByTestId('open-order-0002').count()) === 0);
  await page.getByTestId('tab-balances').click();
  await close(page);
});

test('with and without one\'s orders: the difference is shown', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 5, steps: 20_000 });
  await seek(page, 0.4);
  await page.getByTestId('inside-compare').click();
  await until('nothing yet', async () => (await page.getByTestId('compare').getAttribute('data-parted')) === 'false');
  await order(page, { side: 'buy', type: 'market', quantity: 300 });
  const outcome = page.getByTestId('outcome').first();
  await outcome.waitFor();
  assert.ok(Number(await outcome.getAttribute('data-slippage')) > 0, 'a large buyer pays more than the middle');
  assert.match(await page.getByTestId('ab-ask').innerText(), /\+\d/, 'the best ask is higher than it would be');
  assert.match(await page.getByTestId('ab-hash').innerText(), /≠/);
  assert.match(await page.getByTestId('ab-slippage').innerText(), /^\+\d/);
  // One that waits: its place in the queue is part of the comparison.
  await order(page, { side: 'buy', price: await best(page, 'bid'), quantity: 5 });
  await until('two orders', async () => (await page.getByTestId('outcome').count()) === 2);
  const waiting = page.getByTestId('outcome').first();
  const ahead = Number(await waiting.getAttribute('data-ahead'));
  assert.ok(ahead > 0, `${ahead} ahead`);
  assert.match(await waiting.innerText(), new RegExp(`${ahead} of ${ahead} ahead`));
  await page.screenshot({ path: join(shots, 'sandbox-compare.png') });
  await close(page);
});

test('queues, depth over time, events and what must hold can be seen', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { kind: 'flash_crash', seed: 4, steps: 50_000 });
  await seek(page, 0.6);
  const levels = page.getByTestId('queue-level');
  await until('queues', async () => (await levels.count()) === 16);
  assert.equal(Number(await page.getByTestId('queues').locator('[data-testid="queue-level"] >> nth=8').getAttribute('data-price')), await best(page, 'bid'));

  await page.getByTestId('inside-heat').click();
  const heat = page.getByTestId('heat');
  await until('a map', async () => Number(await heat.getAttribute('data-columns')) > 50);
  const rows = Number(await heat.getAttribute('data-rows'));
  assert.ok(rows > 20);
  const colours = await heat.evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]},${data[at + 3]}`);
    return seen.size;
  });
  assert.ok(colours > 30, `${colours} colours`);
  await page.getByTestId('heat-step').selectOption('10');
  await until('fewer rows', async () => Number(await heat.getAttribute('data-rows')) < rows);
  await page.screenshot({ path: join(shots, 'sandbox-heat.png') });

  await page.getByTestId('inside-log').click();
  const lines = page.getByTestId('log-line');
  await page.getByTestId('to-fill').click();
  await until('events', async () => (await lines.count()) > 5);
  await page.getByTestId('log-filled').click();
  await until('only trades', async () =>
    (await lines.evaluateAll((lines) => lines.length > 0 && lines.every((line) => line.dataset.what === 'Filled'))));
  await page.getByTestId('log-filled').click();
  // Older ones, page by page, and back to the newest.
  await page.getByTestId('step').click();
  const numbers = () => lines.evaluateAll((lines) => lines.map((line) => Number(line.cells[0].textContent.replaceAll(',', ''))));
  const before = (await numbers())[0];
  await seek(page, 0.65);
  // The list of the place that was left may still be there.
  await until('a full page', async () => (await lines.count()) === 120 && (await numbers())[0] !== before);
  const [newest, oldest] = [(await numbers())[0], (await numbers()).at(-1)];
  await page.getByTestId('log-older').click();
  await until('older ones', async () => (await numbers())[0] < oldest);
  await page.getByTestId('log-newest').click();
  await until('the newest', async () => (await numbers())[0] === newest);
  await order(page, { side: 'buy', price: (await best(page, 'bid')) - 5, quantity: 3 });
  await page.getByTestId('log-own').check();
  await until('only mine', async () =>
    (await lines.evaluateAll((lines) => lines.length === 1 && lines.every((line) => line.dataset.own === 'true'))));
  await page.getByTestId('log-own').uncheck();
  await page.getByTestId('log-order').fill('999999999');
  await until('none', async () => (await lines.count()) === 0);

  await page.getByTestId('inside-checks').click();
  await page.getByTestId('verify').click();
  await until('checked', async () => Number(await page.getByTestId('checked').getAttribute('data-commands')) > 10_000);
  assert.equal(await page.getByTestId('violations').getAttribute('data-count'), '0');
  await close(page);
});

test('files are read with their faults told, dropped or chosen', async () => {
  const page = await openSandbox(browser, site.url);
  const golden = ['ADD,1,B,LIMIT,GTC,100,5', 'ADD,2,X,LIMIT,GTC,100,5', 'ADD,3,S,LIMIT,GTC,101,2', 'ADD,4,S,LIMIT,GTC,100,5'];
  await writeFile(join(folder, 'golden.csv'), `${golden.join('\n')}\n`);
  await page.getByTestId('open-flows').click();
  await page.getByTestId('flow-file').setInputFiles(join(folder, 'golden.csv'));
  await page.getByTestId('bad-line').waitFor();
  assert.match(await page.getByTestId('bad-line').innerText(), /^line 2: /);
  assert.equal(await page.getByTestId('position').getAttribute('data-steps'), '3');
  await page.screenshot({ path: join(shots, 'sandbox-bad-line.png') });
  await page.getByTestId('flows-close').click();
  await playToEnd(page);
  assert.equal(await page.getByTestId('trade-row').count(), 1);

  // A file without anything in it: the page says so and goes on.
  await page.getByTestId('open-flows').click();
  await page.getByTestId('flow-file').setInputFiles({ name: 'words.txt', mimeType: 'text/plain', buffer: Buffer.from('hello <img src=x onerror=alert(1)>\n') });
  await until('refused', async () => /Nothing in the file/.test(await page.getByTestId('flow-refused').innerText()));
  assert.equal(await page.locator('img').count(), 0);
  await page.getByTestId('flows-close').click();

  // A large LOBSTER file, dropped: progress is shown while it is read.
  await page.evaluate(() => {
    const lines = [];
    for (let n = 0; n < 200_000; n++) {
      const time = (34200 + n / 1000).toFixed(3);
      const [side, price] = n % 2 ? [1, 999_000 - (n % 50) * 100] : [-1, 1_001_000 + (n % 50) * 100];
      lines.push(n % 4 === 3 ? `${time},3,${n - 1},10,${price},${side}` : `${time},1,${n},10,${price},${side}`);
    }
    lines[100] = 'nonsense';
    window.seen = new Set();
    new MutationObserver(() => {
      const shown = document.querySelector('[data-testid="progress"]');
      if (shown) window.seen.add(shown.textContent);
    }).observe(document.body, { childList: true, subtree: true, attributes: true });
    window.dropping([lines.join('\n')], 'AAPL_2012-06-21_message_10.csv', 'main');
  });
  await until('it is read', async () => Number(await page.getByTestId('position').getAttribute('data-steps')) > 150_000);
  await ready(page);
  assert.match(await page.getByTestId('sandbox-symbol').innerText(), /AAPL/);
  const seen = await page.evaluate(() => [...window.seen].join(' '));
  assert.match(seen, /Reading|Playing it through/);
  // Nobody had opened the choice of flows: what could not be read is told all the same.
  assert.match(await page.getByTestId('bad-line').first().innerText(), /^line 101: /);
  await close(page);
});

test('packed files are dropped anywhere, on a dialog too, and told where they break off', async () => {
  const page = await openSandbox(browser, site.url);
  const lines = Array.from({ length: 3_000 }, (_, n) => `ADD,${n + 1},${n % 2 ? 'B' : 'S'},LIMIT,GTC,${n % 2 ? 99 - (n % 7) : 101 + (n % 7)},5`);
  lines[499] = 'ADD,500,X,LIMIT,GTC,100,5';
  const packed = gzipSync(lines.join('\n'));
  await writeFile(join(folder, 'golden.csv.gz'), packed);
  await writeFile(join(folder, 'cut.csv.gz'), packed.subarray(0, packed.length - 2_000));
  await page.getByTestId('open-flows').click();
  await dropFile(page, join(folder, 'golden.csv.gz'), { onto: '[data-testid="flows"] h2' });
  await page.getByTestId('bad-line').waitFor();
  assert.match(await page.getByTestId('bad-line').innerText(), /^line 500: side is neither B nor S/);
  assert.equal(await page.getByTestId('position').getAttribute('data-steps'), '2999');
  await page.getByTestId('flows-close').click();
  await dropFile(page, join(folder, 'cut.csv.gz'), { onto: '[data-testid="chart"]' });
  await until('the end is missing', async () =>
    (await page.getByTestId('bad-line').allInnerTexts()).some((text) => /the packed data ends here/.test(text)));
  assert.ok(Number(await page.getByTestId('position').getAttribute('data-steps')) < 2_999);
  await page.getByTestId('flows-close').click();
  // Nothing is over the page any more; a dragged text is none of ours.
  assert.equal(await page.getByTestId('dropping').count(), 0);
  const taken = await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData('text/plain', 'x');
    return !document.body.dispatchEvent(new DragEvent('dragover', { dataTransfer, bubbles: true, cancelable: true }));
  });
  assert.equal(taken, false);
  await close(page);
});

test('a million messages, packed, are read with progress and within bounds', async () => {
  const page = await openSandbox(browser, site.url);
  await page.evaluate(async () => {
    window.told = [];
    new MutationObserver(() => {
      const bar = document.querySelector('[data-testid="progress"] progress');
      if (bar) window.told.push([document.querySelector('[data-testid="progress"] span').textContent, bar.value / bar.max]);
    }).observe(document.body, { childList: true, subtree: true, attributes: true });
    const parts = [];
    for (let from = 0; from < 1_000_000; from += 10_000) {
      let text = '';
      for (let n = from; n < from + 10_000; n++) {
        const [side, price] = n % 2 ? [1, 999_000 - (n % 50) * 100] : [-1, 1_001_000 + (n % 50) * 100];
        const [kind, order] = n % 4 === 3 ? [3, n - 2] : [1, n];
        text += `${(34_200 + n / 1000).toFixed(3)},${kind},${order},10,${price},${side}\n`;
      }
      parts.push(text);
    }
    const packed = new Blob(parts).stream().pipeThrough(new CompressionStream('gzip'));
    window.dropping([await new Response(packed).blob()], 'MSFT_2012-06-21_message_10.csv.gz', 'main');
  });
  await until('they are there', async () => (await page.getByTestId('position').getAttribute('data-steps')) === '1000000', 120);
  await ready(page);
  const told = await page.evaluate(() => window.told);
  const parts = told.filter(([what]) => what === 'Reading').map(([, part]) => part);
  assert.ok(parts.some((part) => part > 0 && part < 1), 'progress is shown on the way');
  assert.deepEqual(parts, [...parts].sort((a, b) => a - b), 'and only grows');
  await page.getByTestId('open-flows').click();
  const memory = Number(await page.getByTestId('flow-weight').getAttribute('data-memory'));
  assert.ok(memory > 0 && memory < 256 << 20, `${memory} bytes`);
  await page.getByTestId('flows-close').click();
  for (const [text, part] of [['90%', 0.9], ['#100000', 0.1], ['50%', 0.5]]) {
    await page.getByTestId('go').fill(text);
    await page.getByTestId('go').press('Enter');
    await until(text, async () => Math.abs((await position(page)) / 1_000_000 - part) < 0.01);
  }
  await close(page);
});

test('places are gone to by time, by name, by step and by so much', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 8, steps: 20_000 });
  const clock = async () => (await page.getByTestId('clock').innerText()).split(' ')[1];
  const go = async (text) => {
    await page.getByTestId('go').fill(text);
    await page.getByTestId('go').press('Enter');
  };
  const seconds = (time) => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  await go('#5000');
  await until('a step', async () => (await position(page)) === 5_000);
  const here = await hash(page);
  const then = seconds(await clock());
  await page.getByTestId('bookmarks').click();
  await page.getByTestId('bookmark-name').fill('Before the rush');
  await page.getByTestId('bookmark-add').click();
  await page.getByTestId('bookmark-1').waitFor();
  await page.locator('.backdrop').click();
  await go('+90');
  await until('a minute and a half on', async () => seconds(await clock()) === then + 90);
  await go('-1m');
  await until('a minute back', async () => seconds(await clock()) === then + 30);
  const time = new Date((then + 120) * 1000).toISOString().slice(11, 19);
  await go(time);
  await until('a time of day', async () => (await clock()) === time);
  await go('before THE rush');
  await until('a name', async () => (await position(page)) === 5_000);
  assert.equal(await hash(page), here);
  await go('nowhere <i>at all</i>');
  await until('told', async () => (await page.getByTestId('toast').allInnerTexts()).some((text) => /no such time/.test(text)));
  assert.equal(await page.getByTestId('go').getAttribute('aria-invalid'), 'true');
  assert.equal(await position(page), 5_000);
  // The map of depth leads to the time that is clicked on.
  await page.getByTestId('inside-heat').click();
  await until('a map', async () => Number(await page.getByTestId('heat').getAttribute('data-columns')) > 10);
  const box = await page.getByTestId('heat').boundingBox();
  await page.getByTestId('heat').click({ position: { x: box.width / 2, y: box.height / 2 } });
  await until('in its middle', async () => Math.abs((await position(page)) - 2_500) < 600 || Math.abs((await position(page)) - 10_000) < 2_000);
  await close(page);
});

test('every speed plays, from a tenth to as fast as possible', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 9, steps: 20_000 });
  const speeds = await page.getByTestId('speed').locator('option').evaluateAll((options) => options.map((option) => [option.value, option.textContent]));
  assert.deepEqual([speeds[0][1], speeds.at(-2)[1], speeds.at(-1)[0]], ['0.1×', '10,000×', 'most']);
  for (const [speed] of speeds) {
    await page.getByTestId('to-start').click();
    await until('at the beginning', async () => (await position(page)) === 0);
    await page.getByTestId('speed').selectOption(speed);
    await page.getByTestId('play').click();
    await until(`it plays at ${speed}`, async () => (await position(page)) > 0);
    if (await isPlaying(page)) await page.getByTestId('play').click();
    await until('it stands', async () => !(await isPlaying(page)));
  }
  await close(page);
});

test('a link and a file open to the same state', async () => {
  const page = await openSandbox(browser, site.url);
  await makeFlow(page, { seed: 11, steps: 20_000 });
  await seek(page, 0.4);
  await order(page, { side: 'buy', type: 'market', quantity: 12 });
  await until('filled', async () => (await page.getByTestId('profit').innerText()) !== '–');
  await seek(page, 0.6);
  const here = await hash(page);
  await page.getByTestId('open-share').click();
  const link = await until('a link', () => page.getByTestId('share-link').inputValue());
  assert.ok(link.length < 400, link);
  assert.equal(page.url(), link, 'the address is the link');
  await page.screenshot({ path: join(shots, 'sandbox-share.png') });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('share-save').click()]);
  const saved = join(folder, download.suggestedFilename());
  await download.saveAs(saved);
  assert.ok((await readFile(saved)).length > 1_000);
  await page.getByTestId('share-close').click();

  const other = await openSandbox(browser, site.url, { shared: link.split('#sandbox=')[1] });
  await until('it says that it is the same', async () =>
    (await other.getByTestId('opened').count()) && (await other.getByTestId('opened').getAttribute('data-same')) === 'true');
  assert.equal(await hash(other), here);
  await other.getByTestId('to-start').click();
  await until('elsewhere', async () => (await position(other)) === 0);
  await other.getByTestId('open-flows').click();
  await other.getByTestId('flow-file').setInputFiles(saved);
  await until('the file is there', async () => (await position(other)) > 0 && (await hash(other)) === here);
  await other.getByTestId('flows-close').click().catch(() => {});
  await other.getByTestId('open-share').click();
  await other.getByTestId('file-only').waitFor();
  await other.getByTestId('share-close').click();
  // A damaged link is told, and the page goes on.
  await other.evaluate(() => (location.hash = '#sandbox=AAAA'));
  await until('told', async () => /damaged/.test(await other.getByTestId('flow-refused').innerText()));
  await close(other);
  await close(page);
});

test('it opens without a network after the first visit', async () => {
  const page = await openSandbox(browser, site.url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const caches = await page.evaluate(async () => {
    const names = await window.caches.keys();
    const kept = await (await window.caches.open(names[0])).keys();
    return { names, kept: kept.map((request) => new URL(request.url).pathname) };
  });
  assert.equal(caches.names.length, 1);
  assert.match(caches.names[0], /^supernoba-page-[0-9a-f]{12}$/, 'named by the build');
  for (const part of ['sandbox-worker', 'sandbox_worker_bg', 'sandbox-', 'web_bg', 'lightweight-charts']) {
    assert.ok(caches.kept.some((name) => name.includes(part)), `${part}: ${caches.kept.join(' ')}`);
  }
  await page.context().setOffline(true);
  await page.reload();
  await page.waitForFunction(() => window.__supernoba_ready === true);
  await ready(page);
  await makeFlow(page, { seed: 2, steps: 5_000 });
  await playToEnd(page);
  assert.equal(await position(page), 5_000);
  await page.context().close();
});

test('the tour takes a newcomer through it in both languages', async () => {
  for (const locale of ['ko-KR', 'en-US']) {
    const page = await openSandbox(browser, site.url, { locale });
    await page.getByTestId('open-tour').click();
    const tour = page.getByTestId('tour');
    const stop = async (n) => until(`stop ${n}`, async () => (await tour.getAttribute('data-stop')) === String(n));
    await stop(0);
    await until('a flow of its own', async () => (await page.getByTestId('position').getAttribute('data-steps')) === '20000');
    await ready(page);
    await page.getByTestId('tour-do').click();
    await until('it plays', () => isPlaying(page));
    await until('it has gone on', async () => (await position(page)) > 300);
    await page.getByTestId('play').click();
    await until('it stands', async () => !(await isPlaying(page)));
    await page.getByTestId('tour-next').click();
    await page.getByTestId('tour-do').click();
    await page.getByTestId('tour-next').click();
    await page.getByTestId('tour-do').click();
    await page.getByTestId('ahead-0002').waitFor();
    await page.getByTestId('tour-next').click();
    await stop(3);
    await page.screenshot({ path: join(shots, `sandbox-tour-${locale.slice(0, 2)}.png`) });
    await page.getByTestId('tour-do').click();
    await page.getByTestId('tour-next').click();
    await until('explained', () => page.locator('[data-testid="own-fill"][data-maker="true"]').count());
    await page.getByTestId('tour-next').click();
    await page.getByTestId('tour-do').click();
    await until('impact', async () => (await page.getByTestId('outcome').count()) === 3);
    await page.getByTestId('tour-next').click();
    await stop(6);
    await page.getByTestId('tour-next').click();
    assert.equal(await tour.count(), 0);
    await close(page);
  }
});

test('the trading page leads here and back, and loads nothing of it before', async () => {
  const page = await browser.newPage();
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.addInitScript(() => { delete Navigator.prototype.serviceWorker; });
  await page.goto(site.url);
  await page.getByTestId('to-sandbox').waitFor();
  assert.ok(!asked.some((name) => /sandbox/.test(name)), asked.join(' '));
  await page.getByTestId('to-sandbox').click();
  await ready(page);
  assert.ok(asked.some((name) => /sandbox_worker_bg/.test(name)));
  await page.getByTestId('to-trading').click();
  await page.getByTestId('to-sandbox').waitFor();
  await page.close();
});
