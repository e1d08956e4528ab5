// The page in Chromium: how soon it can be used, whether it moves, what a frame costs under a busy feed, and what it keeps.
// Prints, and never judges.
//
//   node page.mjs [--seconds 20] [--minutes 10] [--loads 5] [--json FILE]

import { writeFile } from 'node:fs/promises';
import { Exchange } from '../../tests/browser/exchange.mjs';
import { openBrowser } from '../../tests/browser/page.mjs';
import { startFeed } from './feed.mjs';
import { at, frames, memory, table } from './measure.mjs';

const flags = { seconds: 20, minutes: 10, loads: 5, json: '' };
for (let at = 2; at < process.argv.length; at += 2) {
  const name = process.argv[at].replace(/^--/, '');
  if (!(name in flags) || process.argv[at + 1] === undefined) {
    console.error('usage: cargo xtask bench page [--seconds 20] [--minutes 10] [--loads 5] [--json FILE]');
    process.exit(2);
  }
  flags[name] = name === 'json' ? process.argv[at + 1] : Number(process.argv[at + 1]);
}

const { figures, tell } = table();

/** Runs in the page before it: when it is ready, and every move of what it shows. */
function watch() {
  window.bench = { ready: 0, shift: 0, shifts: [], memory: undefined };
  const instantiate = WebAssembly.instantiateStreaming;
  WebAssembly.instantiateStreaming = async (...given) => {
    const made = await instantiate(...given);
    window.bench.memory ??= made.instance.exports.memory;
    return made;
  };
  let ready = false;
  Object.defineProperty(window, '__supernoba_ready', {
    get: () => ready,
    set: (value) => {
      ready = value;
      // Ready is what can be used: drawn, not only done.
      requestAnimationFrame(() => setTimeout(() => { window.bench.ready ||= performance.now(); }));
    },
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.bench.shift += entry.value;
      const names = entry.sources.map(({ node }) => node?.dataset?.testid ?? node?.className ?? node?.nodeName ?? '?');
      window.bench.shifts.push(`${entry.value.toFixed(4)} at ${Math.round(entry.startTime)} ms: ${names.join(', ')}`);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

async function open(browser, url) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'ko-KR' });
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(url);
  await page.waitForFunction(() => window.bench.ready > 0);
  return page;
}

/** Nothing is cached: each load has a browser of its own. */
async function loads(url, shiftSeconds) {
  const [paints, readies, shifts] = [[], [], []];
  const moved = new Set();
  for (let load = 0; load < flags.loads; load += 1) {
    const browser = await openBrowser();
    const page = await open(browser, url);
    await page.waitForTimeout(shiftSeconds * 1000);
    const seen = await page.evaluate(() => ({
      ready: window.bench.ready, shift: window.bench.shift, shifts: window.bench.shifts, paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
    }));
    paints.push(seen.paint);
    readies.push(seen.ready);
    shifts.push(seen.shift);
    seen.shifts.forEach((shift) => moved.add(shift));
    await browser.close();
  }
  tell('first contentful paint, cold cache, median', at(paints, 0.5), 'ms');
  tell('interactive, cold cache, median', at(readies, 0.5), 'ms', 'target: 1500');
  tell('interactive, cold cache, slowest', Math.max(...readies), 'ms');
  tell('layout shift, load and feed, largest', Math.max(...shifts), '', 'target: 0');
  for (const shift of moved) console.log(`  moved: ${shift}`);
}

const exchange = await Exchange.start();
const feed = await startFeed(exchange.url);
try {
  feed.paused = false;
  await loads(feed.url, 2);
  const browser = await openBrowser();
  try {
    const page = await open(browser, feed.url);
    // The first frames warm up: what is compiled then is not what a frame costs.
    await page.waitForTimeout(3000);
    if (flags.seconds > 0) await frames(page, flags.seconds, tell);
    if (flags.minutes > 0) await memory(page, flags.minutes, tell);
  } finally {
    await browser.close();
  }
  if (flags.json) await writeFile(flags.json, JSON.stringify(figures, null, 2));
} finally {
  feed.stop();
  await exchange.stop();
}
