// How long an order takes in workerd, capabilities in memory, inside and on loopback: cargo xtask bench worker [ROUNDS]

import { connect } from 'node:net';
import { Capabilities, Workerd } from './workerd.mjs';

const rounds = Number(process.argv[2] ?? 2000);
/** Until the engines have compiled what is hot. */
const WARM_UP = 300;

/** A connection, and nothing around it: what the client does itself counts in every row. */
class Connection {
  static async to(url) {
    const { hostname, port, host, pathname, search } = new URL(url);
    const connection = new Connection();
    connection.head = `POST ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
    connection.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    connection.socket.setEncoding('latin1').on('data', (text) => connection.take(text));
    await new Promise((resolve, reject) => connection.socket.once('connect', resolve).once('error', reject));
    return connection;
  }

  /** The status of the answer, and how long it took in ms. */
  post(body) {
    const request = `${this.head}content-length: ${body.length}\r\n\r\n${body}`;
    this.text = '';
    return new Promise((resolve) => {
      const started = process.hrtime.bigint();
      this.done = (status) => resolve([status, Number(process.hrtime.bigint() - started) / 1e6]);
      this.socket.write(request);
    });
  }

  take(text) {
    this.text += text;
    const end = this.text.indexOf('\r\n\r\n') + 4;
    const length = /^content-length: *(\d+)/im.exec(this.text.slice(0, end))?.[1];
    const whole = length === undefined ? this.text.endsWith('\r\n0\r\n\r\n') : this.text.length >= end + Number(length);
    if (end > 3 && whole) this.done(Number(this.text.slice(9, 12)));
  }
}

const capabilities = await Capabilities.start(['release']);
const own = { CAPABILITIES_SESSION: 'own' };
const [outside, inside] = [await Workerd.start(capabilities, own), await Workerd.start(capabilities, own, { inside: true })];
const order = JSON.stringify({ symbol: 'TEST', side: 'BUY', price: 1, quantity: 1 });
const call = JSON.stringify({ call: 'base.open', with: {} });
const path = '/orders?userId=test-ann&testMode=true';
const BARE = 'a bare Worker';
const rows = [
  [BARE, inside.bare, order, 202],
  ['a bare Worker that makes the same calls', `${inside.bare}/calls`, order, 202],
  ['order-router, Worker, inside', inside.worker + path, order, 202],
  ['order-router, component, inside', inside.components + path, order, 202],
  ['one call of the capability server', capabilities.url, call, 200],
  ['order-router, Worker, loopback', outside.worker + path, order, 202],
  ['order-router, component, loopback', outside.components + path, order, 202],
  ['a refused order, Worker (no call)', outside.worker + path, '{}', 400],
  ['a refused order, component (no call)', outside.components + path, '{}', 400],
];
try {
  await capabilities.deposit('test-ann', 'cash', 1_000_000_000);
  // Row by row within a round: what disturbs the machine disturbs all of them alike, and the ratios hold.
  const connections = await Promise.all(rows.map(([, url]) => Connection.to(url)));
  const times = rows.map(() => []);
  for (let n = 0; n < rounds + WARM_UP; n += 1) {
    for (const [row, [name, , body, expected]] of rows.entries()) {
      const [status, took] = await connections[row].post(body);
      if (status !== expected) throw new Error(`${name}: ${status}`);
      if (n >= WARM_UP) times[row].push(took);
    }
  }
  for (const { socket } of connections) socket.destroy();
  for (const each of times) each.sort((a, b) => a - b);
  const at = (row, share) => times[row][Math.floor(times[row].length * share)];
  const bare = at(rows.findIndex(([name]) => name === BARE), 0.5);
  const line = (...cells) => cells.map((cell, n) => (n ? cell.padStart(9) : cell.padEnd(42))).join('');
  console.log(line(`ms, of ${rounds} orders`, 'p50', 'p99', '/ bare'));
  for (const [row, [name]] of rows.entries()) {
    console.log(line(name, at(row, 0.5).toFixed(3), at(row, 0.99).toFixed(3), (at(row, 0.5) / bare).toFixed(1)));
  }
} finally {
  await inside.stop();
  await outside.stop();
  await capabilities.stop();
}
