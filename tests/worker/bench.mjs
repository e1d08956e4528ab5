// How long an order takes in workerd, capabilities in memory, inside and on loopback: node tests/worker/bench.mjs [ROUNDS]

import { Agent, request } from 'node:http';
import { Capabilities, Workerd } from './workerd.mjs';

const rounds = Number(process.argv[2] ?? 2000);
const agent = new Agent({ keepAlive: true, maxSockets: 1, noDelay: true });

function post(url, body) {
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST', headers: { 'content-type': 'application/json' } }, (response) => {
      response.resume();
      response.once('end', () => resolve([response.statusCode, Number(process.hrtime.bigint() - started) / 1e6]));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const capabilities = await Capabilities.start();
const workerd = await Workerd.start(capabilities, { CAPABILITIES_SESSION: 'own' });
const inside = await Workerd.start(capabilities, { CAPABILITIES_SESSION: 'own' }, { inside: true });
const order = JSON.stringify({ symbol: 'TEST', side: 'BUY', price: 1, quantity: 1 });
const call = JSON.stringify({ call: 'base.open', with: {} });
try {
  await capabilities.deposit('test-ann', 'cash', 1_000_000_000);
  const path = '/orders?userId=test-ann&testMode=true';
  const rows = [
    ['one call of the capability server', capabilities.url, call, 200],
    ['order-router, Worker, inside', inside.worker + path, order, 202],
    ['order-router, component, inside', inside.components + path, order, 202],
    ['order-router, Worker, loopback', workerd.worker + path, order, 202],
    ['order-router, component, loopback', workerd.components + path, order, 202],
    ['a refused order, Worker (no call)', workerd.worker + path, '{}', 400],
    ['a refused order, component (no call)', workerd.components + path, '{}', 400],
  ];
  console.log(`${'ms'.padEnd(40)} ${'p50'.padStart(8)} ${'p99'.padStart(8)}`);
  for (const [name, url, body, expected] of rows) {
    const times = [];
    for (let n = 0; n < rounds + 200; n += 1) {
      const [status, took] = await post(url, body);
      if (status !== expected) throw new Error(`${name}: ${status}`);
      if (n >= 200) times.push(took);
    }
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor(times.length * share)].toFixed(3).padStart(8);
    console.log(`${name.padEnd(40)} ${at(0.5)} ${at(0.99)}`);
  }
} finally {
  agent.destroy();
  await inside.stop();
  await workerd.stop();
  await capabilities.stop();
}
