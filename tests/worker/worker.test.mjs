// The Worker and the components in workerd, over the same in-memory capabilities: the same answers, byte for byte.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Capabilities, Workerd, root } from './workerd.mjs';

const { WebSocket } = createRequire(join(root, 'edge-fns/worker/package.json'))('ws');

let capabilities;
let workerd;

before(async () => {
  capabilities = await Capabilities.start();
  workerd = await Workerd.start(capabilities);
});

beforeEach(() => capabilities.reset());

after(async () => {
  await workerd?.stop();
  await capabilities?.stop();
});

const asUser = (path, user = 'ann') => `${path}${path.includes('?') ? '&' : '?'}userId=test-${user}&testMode=true`;
const json = (body, more = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...more },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const bid = (more) => json({ symbol: 'TEST', side: 'BUY', price: 1000, quantity: 10, ...more });
const administrator = { authorization: 'Bearer admin:root' };

/** An answer, without what the server in front adds of its own. */
async function told(url, init) {
  const response = await fetch(url, init);
  const headers = [...response.headers].filter(([name]) => !['date', 'content-length', 'transfer-encoding'].includes(name));
  return { status: response.status, headers, body: await response.text() };
}

/** The same requests to one Worker, on an exchange that begins anew: its answers, and the calls that it made. */
async function played(base, requests) {
  await capabilities.reset();
  await capabilities.deposit('test-ann', 'cash', 1_000_000);
  await capabilities.deposit('test-bob', { stock: 'TEST' }, 500);
  const answers = [];
  for (const [path, init] of requests) answers.push(await told(base + path, init));
  return { answers, calls: await capabilities.calls() };
}

const REQUESTS = [
  [asUser('/orders'), bid({ client_order_id: 'first' })],
  [asUser('/orders'), bid({ client_order_id: 'first' })],
  [asUser('/orders', 'bob'), bid({ side: 'SELL', price: 1010, quantity: 500 })],
  [asUser('/orders', 'bob'), bid({ side: 'SELL', quantity: 1 })],
  [asUser('/orders'), bid({ price: 9_007_199_254_740_991, quantity: 9_007_199_254_740_991 })],
  [asUser('/orders'), bid({ symbol: 'NONE' })],
  [asUser('/orders'), bid({ type: 'MARKET', price: undefined })],
  [asUser('/orders'), bid({ quantity: 0 })],
  [asUser('/orders'), json('{"symbol":"TEST",')],
  [asUser('/orders'), json('\u{1F600} caf\u00e9')],
  [asUser('/orders'), json('{}', { 'content-type': 'text/plain' })],
  ['/orders', bid()],
  ['/orders', bid({}, { authorization: 'Bearer expired' })],
  [asUser('/orders'), {}],
  [asUser('/orders?limit=1'), {}],
  [asUser('/orders/ord_unknown'), {}],
  [asUser('/orders/a%20b%2Fc%C3%A9'), { method: 'DELETE' }],
  [asUser('/orders'), { method: 'DELETE' }],
  [asUser('/assets'), {}],
  [asUser('/assets', 'bob'), {}],
  [asUser('/assets', 'nobody'), {}],
  ['/assets', { headers: { authorization: 'Bearer user:carl' } }],
  ['/assets', { headers: { authorization: 'Basic abc' } }],
  ['/assets', { method: 'PUT', body: 'x' }],
  ['/admin', {}],
  ['/admin', json({ symbol: 'NEW' }, administrator)],
  ['/admin', json({ symbol: 'NEW' }, administrator)],
  ['/admin', json({ symbol: 'new' }, administrator)],
  ['/admin', json({ symbol: 'NEW' }, { authorization: 'Bearer user:carl' })],
  ['/admin/deposits', json({ id: 'd1', user_id: 'carl', asset: 'CASH', amount: 77 }, administrator)],
  ['/admin/deposits', json({ id: 'd1', user_id: 'carl', asset: 'CASH', amount: 77 }, administrator)],
  ['/admin/NEW', { method: 'DELETE', headers: administrator }],
  ['/admin/a/b/c', {}],
  ['/chart?symbol=TEST&interval=1m', {}],
  ['/chart?symbol=TEST&interval=1h&limit=5&before=202512161420', {}],
  ['/chart?symbol=TEST&interval=7m', {}],
  ['/depth?symbol=TEST', {}],
  ['/depth?symbol=', {}],
  ['/orders/ord_1/fills', {}],
  ['/chart/1m?symbol=TEST', {}],
  ['/assets/', {}],
  ['/admin/', {}],
];

test('the Worker and the components answer alike, and make the same calls', async () => {
  const worker = await played(workerd.worker, REQUESTS);
  const components = await played(workerd.components, REQUESTS);
  for (const [n, answer] of worker.answers.entries()) {
    assert.deepEqual(components.answers[n], answer, `${n}: ${REQUESTS[n][1].method ?? 'GET'} ${REQUESTS[n][0]}`);
  }
  assert.deepEqual(components.calls, worker.calls);
  const statuses = worker.answers.map(({ status }) => status);
  assert.deepEqual(statuses.slice(0, 4), [202, 200, 202, 422]);
  assert.ok(statuses.every((status) => status < 500), statuses.join(' '));
});

test('sixty-four components at once are each right', async () => {
  for (const base of [workerd.components, workerd.worker]) {
    await capabilities.reset();
    const users = Array.from({ length: 64 }, (_, n) => `user${n}`);
    await Promise.all(users.map((user, n) => capabilities.deposit(`test-${user}`, 'cash', 100_000 + n)));
    const answers = await Promise.all(
      users.map((user, n) => told(base + asUser('/orders', user), bid({ price: 100 + n, quantity: 7 }))),
    );
    const ids = new Set(answers.map(({ status, body }) => (assert.equal(status, 202, body), JSON.parse(body).order_id)));
    assert.equal(ids.size, 64);
    const owned = await Promise.all(users.map((user) => told(base + asUser('/assets', user))));
    for (const [n, { body }] of owned.entries()) {
      const [cash] = JSON.parse(body).assets;
      assert.deepEqual([cash.locked, cash.available], [(100 + n) * 7, 100_000 + n - (100 + n) * 7]);
    }
  }
});

test('a body that is too large is refused before it is read', async () => {
  const answer = await told(workerd.worker + asUser('/orders'), json('x'.repeat(65_537)));
  assert.equal(answer.status, 413);
  assert.equal(JSON.parse(answer.body).error.code, 'body_too_large');
  assert.deepEqual(await capabilities.calls(), []);
});

test('a panic fails its own request and no other', async () => {
  for (let round = 0; round < 3; round += 1) {
    const failed = await fetch(`${workerd.worker}/@panic`);
    await failed.arrayBuffer();
    assert.equal(failed.status, 500);
    assert.equal((await told(`${workerd.worker}/admin`)).status, 200);
  }
});

// ---- connections

class Client {
  static async open(path, protocols = [], server = workerd) {
    const client = new Client();
    client.messages = [];
    client.waiting = [];
    client.socket = new WebSocket(server.worker.replace('http', 'ws') + path, protocols);
    client.socket.on('message', (data) => {
      const message = String(data);
      const next = client.waiting.shift();
      if (next) next(message);
      else client.messages.push(message);
    });
    client.closed = new Promise((resolve) => client.socket.once('close', (code, reason) => resolve([code, String(reason)])));
    await new Promise((resolve, reject) => {
      client.socket.once('upgrade', (response) => (client.id = response.headers['x-connection-id']));
      client.socket.once('unexpected-response', async (_, response) => {
        let body = '';
        for await (const part of response) body += part;
        reject(Object.assign(new Error(`${response.statusCode} ${body}`), { status: response.statusCode, body }));
      });
      client.socket.once('error', reject);
      client.socket.once('open', resolve);
    });
    return client;
  }

  next() {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async say(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return JSON.parse(await this.next());
  }
}

const manage = (method, id, body) =>
  told(`${workerd.worker}/@connections/${encodeURIComponent(id)}`, { method, headers: administrator, body });
const members = async (key) => {
  const [reply] = await capabilities.call('cache.run', { commands: [{ smembers: key }] });
  return reply.Ok.values;
};
/** Waits for what the hub does after its client has been told. */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a connection opens, subscribes, is pushed to, and is gone when closed', async () => {
  const client = await Client.open(asUser('/ws'));
  assert.match(client.id, /^[\w-]{15}=$/);
  assert.deepEqual(await members('user:test-ann:connections'), [client.id]);
  assert.deepEqual(await members('realtime:connections'), [client.id]);
  assert.deepEqual(await client.say({ action: 'subscribe', main: 'TEST', sub: ['OTHER'] }), {
    e: 'subscribed',
    main: 'TEST',
    sub: ['OTHER'],
  });
  assert.deepEqual(await members('symbol:TEST:main'), [client.id]);
  assert.equal((await client.say({ action: 'subscribe', main: 'NONE' })).code, 'unknown_symbol');
  assert.equal((await client.say('no json')).e, 'error');

  assert.equal((await manage('POST', client.id, '{"e":"d","s":"TEST"}')).status, 200);
  assert.equal(await client.next(), '{"e":"d","s":"TEST"}');
  const shown = await manage('GET', client.id);
  assert.equal(shown.status, 200);
  const about = JSON.parse(shown.body);
  assert.deepEqual(Object.keys(about).sort(), ['connectedAt', 'identity', 'lastActiveAt']);
  assert.deepEqual(Object.keys(about.identity), ['sourceIp', 'userAgent']);
  assert.ok(about.connectedAt <= about.lastActiveAt && about.lastActiveAt <= new Date().toISOString(), shown.body);
  const refused = await told(`${workerd.worker}/@connections/${encodeURIComponent(client.id)}`, { method: 'POST', body: 'x' });
  assert.equal(refused.status, 401);

  client.socket.close();
  await client.closed;
  await until(async () => (await members('symbol:TEST:main')).length === 0);
  await until(async () => (await members('realtime:connections')).length === 0);
  assert.deepEqual(await members('user:test-ann:connections'), []);
  for (const method of ['POST', 'GET', 'DELETE']) assert.equal((await manage(method, client.id, method === 'POST' ? 'late' : undefined)).status, 410, method);
});

test('who sends faster than it is answered is let go', async () => {
  const client = await Client.open(asUser('/ws'));
  for (let n = 0; n < 1000; n++) client.socket.send('{"action":"subscribe","main":"TEST"}');
  assert.deepEqual(await client.closed, [1008, 'too many messages at once']);
  await until(async () => (await members('realtime:connections')).length === 0);
});

test('a connection that is refused learns why, and leaves nothing', async () => {
  await assert.rejects(Client.open('/ws?token=expired'), ({ status, body }) => {
    assert.equal(status, 401);
    assert.equal(JSON.parse(body).error.code, 'token_expired');
    return true;
  });
  assert.deepEqual(await members('realtime:connections'), []);
  const plain = await told(`${workerd.worker}/ws`);
  assert.equal(plain.status, 426);
});

test('a token may come as a subprotocol, behind the one that is answered', async () => {
  const client = await Client.open('/ws', ['bearer', 'user.carl']);
  assert.equal(client.socket.protocol, 'bearer');
  assert.deepEqual(await members('user:carl:connections'), [client.id]);
  assert.deepEqual(await members('realtime:connections'), [client.id]);
  // It counts before one in the address, and is in no answer.
  const other = await Client.open('/ws?token=expired', ['bearer', 'user.dora']);
  assert.deepEqual(await members('user:dora:connections'), [other.id]);
  const anonymous = await Client.open('/ws', ['bearer']);
  assert.equal(anonymous.socket.protocol, 'bearer');
  assert.equal((await members('realtime:connections')).length, 2);
  for (const each of [client, other, anonymous]) {
    each.socket.close();
    await each.closed;
  }
  await assert.rejects(Client.open('/ws', ['bearer', 'expired']), ({ status, body }) => {
    assert.equal(status, 401);
    assert.equal(JSON.parse(body).error.code, 'token_expired');
    return true;
  });
});

/** The hub has said so, heard back and run disconnect; workerd ends the TCP connection at once or some seconds later. */
async function hungUp(client, server) {
  await until(() => client.socket.readyState !== WebSocket.OPEN);
  await until(async () => (await probe(client, server)) === 410);
  client.socket.terminate();
  return client.closed;
}

async function probe(client, server) {
  const url = `${server.worker}/@connections/${encodeURIComponent(client.id)}`;
  return (await told(url, { headers: administrator })).status;
}

test('the alarm ends connections that say nothing, and no others', async () => {
  const server = await Workerd.start(capabilities, { CONNECTION_IDLE_MS: '400', HUBS: '1' });
  try {
    const silent = await Client.open(asUser('/ws'), [], server);
    const busy = await Client.open(asUser('/ws', 'bob'), [], server);
    while (silent.socket.readyState === WebSocket.OPEN) {
      assert.equal((await busy.say({ action: 'ping' })).e, 'pong');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual(await hungUp(silent, server), [1001, 'idle for too long']);
    await until(async () => (await members('user:test-ann:connections')).length === 0);
    assert.deepEqual(await members('realtime:connections'), [busy.id]);
    assert.equal((await busy.say({ action: 'subscribe', main: 'TEST' })).e, 'subscribed');
    // Now it is silent as well: the alarm was set again.
    assert.deepEqual(await hungUp(busy, server), [1001, 'idle for too long']);
    // Where nobody was left, the next connection sets it.
    const next = await Client.open(asUser('/ws'), [], server);
    assert.deepEqual(await hungUp(next, server), [1001, 'idle for too long']);
  } finally {
    await server.stop();
  }
});

test('the alarm ends connections that are old, however busy they are', async () => {
  const server = await Workerd.start(capabilities, { CONNECTION_LIFE_MS: '600', HUBS: '1' });
  try {
    const client = await Client.open(asUser('/ws'), [], server);
    let pongs = 0;
    client.socket.on('message', () => (pongs += 1));
    while (client.socket.readyState === WebSocket.OPEN) {
      client.socket.send('{"action":"ping"}');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(pongs > 0);
    assert.deepEqual(await hungUp(client, server), [1001, 'connected for too long: connect again']);
  } finally {
    await server.stop();
  }
});

test('messages of one connection are handled in their order', async () => {
  const client = await Client.open('/ws');
  const symbols = Array.from({ length: 20 }, (_, n) => (n % 2 ? 'TEST' : 'OTHER'));
  for (const main of symbols) client.socket.send(JSON.stringify({ action: 'subscribe', main }));
  for (const main of symbols) assert.equal(JSON.parse(await client.next()).main, main);
  assert.deepEqual(await members('symbol:TEST:main'), [client.id]);
  assert.deepEqual(await members('symbol:OTHER:main'), []);
  client.socket.close();
  await client.closed;
});

test('a message that is too large ends its connection, and the server can', async () => {
  const client = await Client.open('/ws');
  client.socket.send('x'.repeat((128 << 10) + 1));
  assert.equal((await client.closed)[0], 1009);
  const other = await Client.open('/ws');
  assert.equal((await manage('DELETE', other.id)).status, 204);
  assert.deepEqual(await hungUp(other, workerd), [1001, 'closed by the server']);
});

test('a hub goes on after a panic', async () => {
  const client = await Client.open('/ws');
  await (await fetch(`${workerd.worker}/@panic`)).arrayBuffer();
  assert.equal((await client.say({ action: 'subscribe', main: 'TEST' })).e, 'subscribed');
  assert.equal((await manage('POST', client.id, 'on')).status, 200);
  assert.equal(await client.next(), 'on');
  client.socket.close();
  await client.closed;
});

// ---- streams and timers

const fill = {
  symbol: 'TEST',
  seq: 12,
  t: 1_765_894_800_000,
  event: 'FILL',
  fill_id: 'TEST-12',
  price: 150,
  quantity: 10,
  taker: 'BUY',
  buyer: { order_id: 'a', user_id: 'test-ann', price: 151, remaining: 5 },
  seller: { order_id: 'b', user_id: 'test-bob', price: 150, remaining: 0 },
};
const record = (body) => ({ partition: 'TEST', body: typeof body === 'string' ? body : JSON.stringify(body) });

test('a batch goes to the function that the queue is named after', async () => {
  const bodies = [record(fill), record('no json'), 'no record'];
  const before = (await workerd.letters()).length;
  const done = await workerd.queue('supernoba-fills-history-saver', bodies);
  assert.equal(done.outcome, 'ok');
  assert.deepEqual(done.explicitAcks.sort(), ['m0', 'm1', 'm2']);
  const [call] = (await capabilities.calls()).filter(({ call }) => call === 'sql.execute');
  assert.match(JSON.stringify(call.with.params), /TEST-12/);
  const items = bodies.map((body, n) => ({
    id: `m${n}`,
    partition: body.partition ?? '',
    arrived: 1_765_894_800_000 + n,
    body: body.body ?? JSON.stringify(body).slice(1, -1),
  }));
  const invoked = await fetch(`${workerd.components}/@invoke/history-saver`, json({ stream: { stream: 'supernoba-fills', items } }));
  const { answer: failures } = await invoked.json();
  const rejected = failures.filter(({ disposition }) => disposition.tag === 'reject').map(({ id }) => id);
  assert.deepEqual(rejected, ['m1', 'm2']);
  const letters = (await workerd.letters()).slice(before).map((text) => JSON.parse(text));
  assert.deepEqual(letters.map(({ id }) => id), rejected);
  assert.deepEqual(letters.map(({ reason }) => reason), failures.map(({ disposition }) => disposition.val));
  assert.equal((await workerd.queue('supernoba-orders', bodies)).outcome, 'exception');
});

test('a fill from the queue reaches the connections of its users', async () => {
  const [ann, bob] = [await Client.open(asUser('/ws')), await Client.open(asUser('/ws', 'bob'))];
  assert.equal((await workerd.queue('supernoba-fills-notifier', [record(fill)])).outcome, 'ok');
  const said = JSON.parse(await bob.next());
  assert.deepEqual([said.e, said.st, said.id], ['order', 'FILLED', 'b']);
  assert.equal((await workerd.queue('supernoba-fills-user-notify', [record(fill)])).outcome, 'ok');
  for (const client of [ann, bob]) {
    assert.match(await client.next(), /TEST/);
    assert.deepEqual(client.messages, []);
    client.socket.close();
    await client.closed;
  }
});

test('what cannot be done now comes again, and nothing is acknowledged', async () => {
  const nobody = await Workerd.start({ url: 'http://127.0.0.1:9/' }, { CAPABILITIES_SESSION: 'own' });
  try {
    const done = await nobody.queue('supernoba-fills-history-saver', [record(fill), record({ ...fill, seq: 13 })]);
    assert.equal(done.outcome, 'ok');
    assert.deepEqual(done.retryMessages.map(({ msgId }) => msgId), ['m0', 'm1']);
    assert.deepEqual(done.explicitAcks, []);
    const order = await told(nobody.worker + asUser('/orders'), bid());
    const component = await told(nobody.components + asUser('/orders'), bid());
    assert.equal(order.status, 504);
    assert.deepEqual(component, order);
    assert.equal((await nobody.cron('*/5 * * * *')).outcome, 'exception');
  } finally {
    await nobody.stop();
  }
});

/** A capability server that takes every call and answers none. */
async function silence() {
  const server = createServer((request) => request.resume());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a call that is never answered is given up, and its event told so', async () => {
  const silent = await silence();
  const settings = { CAPABILITIES_SESSION: 'own', CAPABILITIES_PATIENCE_MS: '100' };
  const hung = await Workerd.start(silent, settings);
  try {
    const order = await told(hung.worker + asUser('/orders'), bid());
    assert.deepEqual([order.status, JSON.parse(order.body).error.code], [504, 'timeout']);
    assert.deepEqual(await told(hung.components + asUser('/orders'), bid()), order);
    const batch = await hung.queue('supernoba-fills-history-saver', [record(fill), record({ ...fill, seq: 13 })]);
    assert.deepEqual([batch.outcome, batch.retryMessages.length, batch.explicitAcks], ['ok', 2, []]);
    assert.equal((await hung.cron('*/5 * * * *')).outcome, 'exception');
    // Nobody knows whether there may be a connection, so there is none.
    await assert.rejects(Client.open(asUser('/ws'), [], hung), ({ status }) => (assert.ok(status >= 500), true));
  } finally {
    await hung.stop();
    await silent.stop();
  }
  const senseless = await Workerd.start(capabilities, { CAPABILITIES_PATIENCE_MS: 'soon' });
  try {
    for (const base of [senseless.worker, senseless.components]) {
      assert.equal((await told(base + asUser('/orders'), bid())).status, 500);
    }
    assert.match(senseless.log, /CAPABILITIES_PATIENCE_MS/);
  } finally {
    await senseless.stop();
  }
});

test('cron triggers run their timers, in the Worker as in the components', async () => {
  const timers = { '* * * * *': ['sweeper', 'aggregator'], '*/5 * * * *': ['stale-connections'], '*/10 * * * *': ['trades-backup'] };
  for (const [cron, names] of Object.entries(timers)) {
    await capabilities.reset();
    assert.equal((await workerd.cron(cron)).outcome, 'ok', cron);
    const worker = await capabilities.calls();
    assert.ok(worker.length > names.length, cron);
    await capabilities.reset();
    for (const name of names) {
      const done = await fetch(`${workerd.components}/@invoke/${name}`, json({ timer: { name, due: 1_765_894_800_000 } }));
      assert.equal(done.status, 200, name);
    }
    assert.deepEqual(await capabilities.calls(), worker, cron);
  }
  assert.equal((await workerd.cron('0 0 1 1 *')).outcome, 'exception');
});

test('socket functions answer alike', async () => {
  const say = async (name, id, event) =>
    (await (await fetch(`${workerd.components}/@invoke/${name}`, json({ socket: { id, event } }))).json()).answer;
  const opened = await say('connect', 'c1', { tag: 'opened', val: [['query:userId', 'test-ann'], ['query:testMode', 'true']] });
  assert.equal(opened.accept, true);
  const heard = await say('subscribe', 'c1', { tag: 'message', val: '{"action":"subscribe","main":"TEST"}' });
  assert.deepEqual(JSON.parse(heard.body), { e: 'subscribed', main: 'TEST', sub: [] });
  assert.deepEqual(await members('symbol:TEST:main'), ['c1']);
  assert.equal((await say('disconnect', 'c1', { tag: 'closed' })).accept, true);
  assert.deepEqual(await members('symbol:TEST:main'), []);
});
