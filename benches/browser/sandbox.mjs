// The sandbox's figures in Chromium: how fast the worker plays alone, how the page answers meanwhile, how soon a place is there, what a
// frame costs, and what is kept. Prints, and never judges. Run by `cargo xtask bench sandbox`.
//
//   node sandbox.mjs [--steps 1000000] [--seconds 20] [--minutes 10] [--json FILE]

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root, until } from '../../tests/browser/exchange.mjs';
import { openBrowser } from '../../tests/browser/page.mjs';
import { best, makeFlow, openSandbox, order, ready, seek } from '../../tests/browser/sandbox-page.mjs';
import { serveSite } from '../../tests/browser/site.mjs';
import { at, frames, memory, table } from './measure.mjs';

const flags = { steps: 1_000_000, seconds: 20, minutes: 10, json: '' };
for (let n = 2; n < process.argv.length; n += 2) {
  const name = process.argv[n].replace(/^--/, '');
  if (!(name in flags) || process.argv[n + 1] === undefined) {
    console.error('usage: cargo xtask bench sandbox [--steps 1000000] [--seconds 20] [--minutes 10] [--json FILE]');
    process.exit(2);
  }
  flags[name] = name === 'json' ? process.argv[n + 1] : Number(process.argv[n + 1]);
}
const { figures, tell } = table();

const files = await readdir(join(root, 'web/dist'));
const find = (pattern) => files.find((name) => pattern.test(name));
const script = find(/^sandbox_worker-[0-9a-f]{8}\.js$/);
const module = find(/^sandbox_worker_bg-[0-9a-f]{8}\.wasm$/);
const worker = `
  import init, { speed } from './${script}';
  await init({ module_or_path: './${module}' });
  // Once to let the compiler come to its end.
  speed(100_000);
  postMessage(speed(${flags.steps}));
`;
const site = await serveSite({ 'bench.html': '<!doctype html><title>bench</title>', 'bench-worker.js': worker });

/** The worker's module without a page that draws. */
async function alone(browser) {
  const page = await browser.newPage();
  await page.goto(`${site.url}bench.html`);
  const text = await page.evaluate(() => new Promise((resolve, reject) => {
    const worker = new Worker('./bench-worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  }));
  console.log(`in a worker of Chromium, without a page that draws\n${text}`);
  await page.close();
  const rows = text.trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  const column = (n) => rows.map((row) => Number(row[n]));
  tell('slowest flow', Math.min(...column(1)), 'M/s', 'target: 3');
  tell('slowest flow, with own orders', Math.min(...column(2)), 'M/s');
  tell('worst seek in the worker', Math.max(...column(3)), 'ms', 'target: 200');
}

/** Plays from the beginning to the end again and again, as fast as possible, until the page is closed. */
async function playOn(page) {
  await page.getByTestId('speed').selectOption('most');
  await page.evaluate(() => {
    const find = (name) => document.querySelector(`[data-testid="${name}"]`);
    window.playingOn = setInterval(() => {
      if (find('play').disabled || find('play').dataset.playing === 'true') return;
      find(find('position').dataset.end === 'true' ? 'to-start' : 'play').click();
    }, 50);
  });
}

async function stopPlaying(page) {
  await page.evaluate(() => clearInterval(window.playingOn));
  if ((await page.getByTestId('play').getAttribute('data-playing')) === 'true') await page.getByTestId('play').click();
  await until('it stands', async () => (await page.getByTestId('play').getAttribute('data-playing')) === 'false');
}

/** The page is used while the worker plays: how long each key and click waits. */
async function inputs(page, name) {
  await page.evaluate(() => {
    window.delays = [];
    window.inputs ??= new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (['keydown', 'pointerdown', 'click'].includes(entry.name)) window.delays.push([entry.processingStart - entry.startTime, entry.duration]);
      }
    });
    window.inputs.observe({ type: 'event', durationThreshold: 16, buffered: false });
  });
  const tabs = ['log', 'queue', 'heat', 'fills', 'compare', 'checks'];
  for (let n = 0; n < 60; n += 2) {
    await page.getByTestId(`inside-${tabs[(n / 2) % tabs.length]}`).click();
    await page.getByTestId(`order-side-${(n / 2) % 2 ? 'buy' : 'sell'}`).click();
  }
  await page.waitForTimeout(500);
  const delays = await page.evaluate(() => window.delays);
  const of = (n) => (delays.length ? delays.map((delay) => delay[n]) : [0]);
  tell(`input delay, ${name}, most of 60`, Math.max(...of(0)), 'ms', 'target: 50');
  tell(`  until the next paint, most`, Math.max(...of(1)), 'ms');
}

/** From letting the timeline go until the place is shown. */
async function seeks(page, name) {
  const took = [];
  for (const part of [0.9, 0.1, 0.5, 0.99, 0.3, 0.71, 0.02, 0.64, 0.37, 0.85]) {
    took.push(await page.getByTestId('timeline').evaluate((line, part) => new Promise((resolve) => {
      const shown = document.querySelector('[data-testid="position"]');
      const from = performance.now();
      const steps = Number(shown.dataset.steps);
      line.value = String(Math.round(Number(line.max) * part));
      line.dispatchEvent(new Event('change', { bubbles: true }));
      const look = () => {
        if (Math.abs(Number(shown.dataset.position) / steps - part) < 0.05) resolve(performance.now() - from);
        else requestAnimationFrame(look);
      };
      look();
    }), part));
  }
  tell(`seek until it is on screen, ${name}, most of 10`, Math.max(...took), 'ms', 'target: 200');
  tell('  median', at(took, 0.5), 'ms');
}

async function watchShifts(page) {
  await page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        const names = entry.sources.map(({ node }) => node?.dataset?.testid ?? node?.className ?? node?.nodeName ?? '?');
        window.shifts.push([entry.value, `${entry.value.toFixed(4)} at ${Math.round(entry.startTime)} ms: ${names.join(', ')}`]);
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

const browser = await openBrowser();
try {
  await alone(browser);
  const page = await openSandbox(browser, site.url, { locale: 'ko-KR' });
  await watchShifts(page);
  await page.reload();
  await ready(page);
  await page.waitForTimeout(2_000);
  const shifts = await page.evaluate(() => window.shifts);
  tell('layout shift while it opens', shifts.reduce((sum, [value]) => sum + value, 0), '', 'target: 0');
  for (const [, where] of shifts) console.log(`  moved: ${where}`);

  await makeFlow(page, { steps: flags.steps, seed: 1 });
  await playOn(page);
  await page.waitForTimeout(2_000);
  await inputs(page, 'as fast as possible');
  if (flags.seconds > 0) {
    console.log('while it plays as fast as possible');
    await frames(page, flags.seconds, tell);
  }
  await stopPlaying(page);
  await seeks(page, 'alone');
  await page.evaluate(() => localStorage.setItem('supernoba.confirms', 'off'));
  await seek(page, 0.1);
  await order(page, { side: 'buy', price: (await best(page, 'bid')) - 30, quantity: 5 });
  await page.getByTestId('ahead-0001').waitFor();
  await seeks(page, 'with own orders');
  await playOn(page);
  await inputs(page, 'with own orders');
  await stopPlaying(page);
  if (flags.seconds > 0) {
    console.log('while it plays at a hundred times its own time');
    await page.getByTestId('to-start').click();
    await until('at the beginning', async () => (await page.getByTestId('position').getAttribute('data-position')) === '0');
    await page.getByTestId('speed').selectOption('1000');
    await page.getByTestId('play').click();
    await page.waitForTimeout(1_000);
    await frames(page, flags.seconds, tell);
    await stopPlaying(page);
  }
  if (flags.minutes > 0) {
    await playOn(page);
    await page.getByTestId('inside-heat').click();
    // What the worker takes is told where flows are chosen; the dialog need not be open for that.
    const worker = async () => Number(await page.getByTestId('flow-weight').getAttribute('data-memory')) / 1048576;
    await memory(page, flags.minutes, tell, { 'the worker\'s WebAssembly memory': worker });
  }
  if (flags.json) await writeFile(flags.json, JSON.stringify(figures, null, 2));
} finally {
  await browser.close();
  await site.stop();
}
