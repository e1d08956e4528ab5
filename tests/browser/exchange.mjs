// An exchange of its own for a test: a process on a free port, in a temporary folder.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const binary = join(root, 'target/release/supernoba');

export class Exchange {
  static async start(flags = []) {
    const exchange = new Exchange();
    exchange.folder = await mkdtemp(join(tmpdir(), 'supernoba-browser-'));
    exchange.flags = flags;
    await exchange.run(0);
    return exchange;
  }

  async run(port) {
    const paths = ['--data', join(this.folder, 'data'), '--components', 'target/components', '--web', 'web/dist'];
    const all = ['up', '--port', String(port), ...paths, ...this.flags];
    this.process = spawn(binary, all, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.url = await new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.process.once('exit', (code) => reject(new Error(`the exchange ended with ${code}`)));
      createInterface({ input: this.process.stdout }).on('line', (line) => {
        const address = line.match(/trading on (http:\S+)/);
        if (address) resolve(address[1]);
      });
    });
    this.port = Number(new URL(this.url).port);
    this.adminToken = (await readFile(join(this.folder, 'data/admin.token'), 'utf8')).trim();
  }

  /** The process is gone in the middle of whatever it did; a new one goes on with the same folder and port. */
  async killAndRestart() {
    this.process.kill('SIGKILL');
    await this.exited;
    await this.run(this.port);
  }

  async stop() {
    this.process.kill('SIGKILL');
    await this.exited;
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A request of a test user, or of the administrator where no user is named. */
  async call(method, path, { user, body } = {}) {
    const url = new URL(path, this.url);
    const headers = {};
    if (user) {
      url.searchParams.set('userId', `test-${user}`);
      url.searchParams.set('testMode', 'true');
    } else {
      headers.authorization = `Bearer ${this.adminToken}`;
    }
    if (body) headers['content-type'] = 'application/json';
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  }

  async order(user, side, price, quantity, symbol = 'TEST') {
    const { status, body } = await this.call('POST', '/orders', { user, body: { symbol, side, price, quantity } });
    if (status !== 202) throw new Error(`refused: ${JSON.stringify(body)}`);
    return body.order_id;
  }

  /** What all wallets hold together, by asset; throws if a wallet does not agree with its journal. */
  async totals() {
    const verified = await this.call('GET', '/admin/verify');
    if (!verified.body.balanced) throw new Error(`wallets do not balance: ${verified.body.wrong}`);
    const { body } = await this.call('GET', '/admin/totals');
    return Object.fromEntries(body.assets.map((of) => [of.asset, { held: of.available + of.locked, deposited: of.deposited }]));
  }

  /** Feeds a recorded flow through the front door. */
  async replay(file, symbol, limit) {
    const flags = ['--url', this.url, '--symbol', symbol, '--limit', String(limit), '--quiet'];
    const token = ['--admin-token', join(this.folder, 'data/admin.token')];
    const run = spawn(binary, ['replay', file, ...flags, ...token], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    run.stdout.on('data', (text) => (said += text));
    const code = await new Promise((resolve) => run.once('exit', resolve));
    if (code !== 0) throw new Error(`the replay ended with ${code}`);
    return said;
  }
}

/** Waits until something holds; what it last saw comes with the error. */
export async function until(what, look, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let seen;
  while (Date.now() < end) {
    seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}
