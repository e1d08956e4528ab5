// How fast the worker's module is in V8, without a page around it: `node bench.mjs FOLDER STEPS`. FOLDER has the bound module.

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, steps] = process.argv.slice(2);
const { default: init, speed } = await import(pathToFileURL(resolve(folder, 'sandbox_worker.mjs')));
const { memory } = await init({ module_or_path: await readFile(join(folder, 'sandbox_worker_bg.wasm')) });
// Once to let the compiler come to its end.
speed(100_000);
process.stdout.write(speed(Number(steps)));
console.log(`memory of the module: ${(memory.buffer.byteLength / 1e6).toFixed(0)} MB`);
