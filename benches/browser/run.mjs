// The core's module in a page of Chromium: takes a row's name a line, runs it, answers with its time.
//
//   node run.mjs MODULE.wasm QUICK

import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { openBrowser } from '../../tests/browser/page.mjs';

const [file, quick] = process.argv.slice(2);
const bytes = (await readFile(file)).toString('base64');
const browser = await openBrowser();
try {
  const page = await browser.newPage();
  await page.evaluate(async ({ bytes, quick }) => {
    const binary = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(binary);
    window.core = instance.exports;
    for (const row of ['w1', 'w2', 'w6']) window.core[`prepare_${row}`](quick);
  }, { bytes, quick: Number(quick) });
  console.log('ready');
  for await (const row of createInterface({ input: process.stdin })) {
    if (row === 'end') break;
    const answer = await page.evaluate((row) => {
      const started = performance.now();
      const fills = window.core[`run_${row}`]();
      return { fills: fills >>> 0, milliseconds: performance.now() - started };
    }, row);
    console.log(JSON.stringify(answer));
  }
} finally {
  await browser.close();
}
