// The core gives the same answer in Chromium as natively. `tests/tests/determinism.rs` compares the other places.
//
// STATE_HASH_COMMANDS says how many commands are run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from './exchange.mjs';
import { openBrowser } from './page.mjs';

const commands = process.env.STATE_HASH_COMMANDS ?? '100000';
const seed = '1';

test('the same commands give the same events and snapshots in Chromium', async () => {
  const program = join(root, 'target/release/examples/state_hash');
  const native = (await promisify(execFile)(program, [commands, seed])).stdout.trim();
  const module = await readFile(join(root, 'target/wasm/wasm32-unknown-unknown/release/examples/state_hash_wasm.wasm'));
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const there = await page.evaluate(async ([base64, seed, commands]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const { exports } = (await WebAssembly.instantiate(bytes)).instance;
      const at = exports.state_hash(BigInt(seed), BigInt(commands));
      return new TextDecoder().decode(new Uint8Array(exports.memory.buffer, at, exports.length()));
    }, [module.toString('base64'), seed, commands]);
    assert.equal(there, native);
  } finally {
    await browser.close();
  }
});
