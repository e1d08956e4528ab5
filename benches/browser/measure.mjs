// What a page costs while something happens on it: frames by the browser's own trace, and memory after collections. Used by the
// benches of the trading page and of the sandbox; `tell` takes each figure with its name, unit and target.

export const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
export const at = (numbers, share) => sorted(numbers)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? NaN;

/** Takes figures, and prints each in a line of a table. */
export function table() {
  const figures = [];
  const tell = (name, value, unit, target = '') => {
    figures.push({ name, value, unit });
    console.log(`${name.padEnd(52)} ${Number(value).toFixed(unit === '' ? 4 : 2).padStart(10)} ${unit.padEnd(4)} ${target}`);
  };
  return { figures, tell };
}

const SCRIPT = new Set([
  'EvaluateScript', 'FunctionCall', 'TimerFire', 'FireAnimationFrame', 'EventDispatch', 'RunMicrotasks', 'v8.compile',
  'MinorGC', 'MajorGC', 'V8.GCScavenger', 'V8.GCFinalizeMC', 'WebSocketReceive',
]);

/** Length of what the intervals cover together. */
function covered(events) {
  let [total, end] = [0, -Infinity];
  for (const { ts, dur } of [...events].sort((a, b) => a.ts - b.ts)) {
    const from = Math.max(ts, end);
    if (ts + dur > from) total += ts + dur - from;
    end = Math.max(end, ts + dur);
  }
  return total;
}

/** What frames cost while the feed runs. */
export async function frames(page, seconds, tell) {
  const client = await page.context().newCDPSession(page);
  const events = [];
  client.on('Tracing.dataCollected', ({ value }) => events.push(...value));
  await page.evaluate(() => {
    window.bench ??= {};
    window.bench.frames = [];
    let last = performance.now();
    const next = (now) => {
      window.bench.frames.push(now - last);
      last = now;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const categories = 'devtools.timeline,devtools.timeline.frame,disabled-by-default-devtools.timeline,v8,toplevel';
  await client.send('Tracing.start', { categories, transferMode: 'ReportEvents' });
  await page.waitForTimeout(seconds * 1000);
  const gaps = await page.evaluate(() => window.bench.frames);
  const done = new Promise((resolve) => client.once('Tracing.tracingComplete', resolve));
  await client.send('Tracing.end');
  await done;

  const timed = events.filter((event) => event.ph === 'X' && event.dur !== undefined);
  // The thread that runs the page's animation frames.
  const { pid, tid } = timed.find((event) => event.name === 'FireAnimationFrame') ?? {};
  const own = timed.filter((event) => event.pid === pid && event.tid === tid);
  // A frame begins with the first of its handlers; others of the same frame follow at once.
  const fired = sorted(own.filter((event) => event.name === 'FireAnimationFrame').map((event) => event.ts));
  const begins = fired.filter((ts, n) => n === 0 || ts - fired[n - 1] > 4000);
  const spans = begins.slice(0, -1).map((from, n) => [from, begins[n + 1]]);
  const inside = (kinds) => {
    const chosen = own.filter((event) => kinds(event.name)).sort((a, b) => a.ts - b.ts);
    let first = 0;
    return spans.map(([from, to]) => {
      while (first < chosen.length && chosen[first].ts < from) first += 1;
      const found = [];
      for (let n = first; n < chosen.length && chosen[n].ts < to; n += 1) found.push(chosen[n]);
      return found;
    });
  };
  const scripts = inside((name) => SCRIPT.has(name)).map(covered);
  const tasks = inside((name) => name === 'ThreadControllerImpl::RunTask' || name === 'RunTask');
  const scripting = scripts.map((us) => us / 1000);
  const work = tasks.map((events) => covered(events) / 1000);
  const longest = Math.max(...own.filter((event) => event.name.endsWith('RunTask')).map((event) => event.dur)) / 1000;
  tell('frames a second', spans.length / seconds, '');
  tell('scripting a frame, median', at(scripting, 0.5), 'ms', 'target: 4');
  tell('scripting a frame, 99th of 100', at(scripting, 0.99), 'ms');
  tell('scripting a frame, most', Math.max(...scripting), 'ms');
  tell('all work of the main thread a frame, median', at(work, 0.5), 'ms');
  tell('longest task of the main thread', longest, 'ms', 'target: 50');
  tell('longest time between two frames', Math.max(...gaps.slice(2)), 'ms', 'target: 50');
}

/** What the page keeps: after a collection, so that what is only garbage does not count. `more`: names of further figures in megabytes, and how each
 * is read. */
export async function memory(page, minutes, tell, more = {}) {
  const client = await page.context().newCDPSession(page);
  await client.send('HeapProfiler.enable');
  const samples = [];
  const every = Math.max(5, (minutes * 60) / 20);
  const until = performance.now() + minutes * 60_000;
  for (;;) {
    await client.send('HeapProfiler.collectGarbage');
    const { usedSize } = await client.send('Runtime.getHeapUsage');
    const wasm = await page.evaluate(() => window.bench?.memory?.buffer.byteLength ?? 0);
    const others = {};
    for (const [name, read] of Object.entries(more)) others[name] = await read();
    const { nodes, jsEventListeners } = await client.send('Memory.getDOMCounters');
    samples.push({ at: performance.now() / 60_000, heap: usedSize / 1048576, wasm: wasm / 1048576, nodes, jsEventListeners, others });
    if (performance.now() >= until) break;
    await page.waitForTimeout(every * 1000);
  }
  // The first fifth fills what is kept on purpose: tape, candles, pools.
  const steady = samples.slice(Math.floor(samples.length / 5));
  const slope = (of) => {
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [x, y] = [mean(steady.map((one) => one.at)), mean(steady.map(of))];
    const above = steady.reduce((sum, one) => sum + (one.at - x) * (of(one) - y), 0);
    return above / (steady.reduce((sum, one) => sum + (one.at - x) ** 2, 0) || 1);
  };
  const last = samples.at(-1);
  tell(`JavaScript heap after ${minutes} min`, last.heap, 'MB');
  tell('  its growth', slope((one) => one.heap) * 1024, 'KB/min', 'target: flat');
  tell('WebAssembly memory', last.wasm, 'MB');
  tell('  its growth', slope((one) => one.wasm) * 1024, 'KB/min', 'target: flat');
  for (const name of Object.keys(more)) {
    tell(name, last.others[name], 'MB');
    tell('  its growth', slope((one) => one.others[name]) * 1024, 'KB/min', 'target: flat');
  }
  tell('DOM nodes', last.nodes, '');
  tell('  their growth', slope((one) => one.nodes), '/min', 'target: flat');
  tell('event listeners', last.jsEventListeners, '');
}
