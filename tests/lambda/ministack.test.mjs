// The archive on a Lambda with the real runtime API, behind a REST, an HTTP and a WebSocket API, a Kinesis stream and
// EventBridge: ministack, which
// `cargo xtask test` installs where pip can have it. Elsewhere this is skipped, and says so.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Capabilities, root } from '../worker/workerd.mjs';

const { WebSocket } = createRequire(join(root, 'edge-fns/worker/package.json'))('ws');
const program = process.env.MINISTACK ?? join(root, 'target/stand-ins/bin/ministack');
const archive = join(root, 'target/aws-lambda/supernoba.zip');
const missing = [program, archive].find((file) => !existsSync(file));
const skip = missing && `${missing} is not there`;
const REGION = 'ap-northeast-2';
const ROLE = 'arn:aws:iam::000000000000:role/functions';

let capabilities;
let aws;

before(async () => {
  if (skip) return console.log(`skipped: ${skip}`);
  capabilities = await Capabilities.start();
  aws = await Ministack.start();
});

after(async () => {
  await aws?.stop();
  await capabilities?.stop();
});

class Ministack {
  static async start() {
    const stack = new Ministack();
    const server = createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    stack.folder = await mkdtemp(join(tmpdir(), 'supernoba-ministack-'));
    stack.url = `http://127.0.0.1:${port}`;
    stack.log = '';
    const env = {
      PATH: process.env.PATH,
      HOME: stack.folder,
      TMPDIR: stack.folder,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
    };
    stack.process = spawn(program, { cwd: stack.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [stack.process.stdout, stack.process.stderr]) {
      output.setEncoding('utf8').on('data', (text) => (stack.log += text));
    }
    stack.exited = new Promise((resolve) => stack.process.once('exit', resolve));
    await until(async () => {
      if (stack.process.exitCode !== null) throw new Error(`ministack ended:\n${stack.log}`);
      return fetch(`${stack.url}/_ministack/health`).then((answer) => answer.ok, () => false);
    });
    return stack;
  }

  /** One call of a service: by path, or by target where the service has one path. */
  async call(service, path, body, target, method = 'POST') {
    const headers = {
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      'content-type': target ? 'application/x-amz-json-1.1' : 'application/json',
    };
    if (target) headers['x-amz-target'] = target;
    const answer = await fetch(this.url + path, { method, headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${target ?? `${method} ${path}`}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  /** The function's ARN, under its handler's name or another. */
  async function(handler, name = handler) {
    const made = await this.call('lambda', '/2015-03-31/functions', {
      FunctionName: name,
      Runtime: 'provided.al2023',
      Handler: handler,
      Role: ROLE,
      Timeout: 20,
      MemorySize: 512,
      Code: { ZipFile: readFileSync(archive).toString('base64') },
      Environment: { Variables: { CAPABILITIES_URL: capabilities.url, CAPABILITIES_SESSION: 'server' } },
    });
    return made.FunctionArn;
  }

  invoke(handler, event) {
    return this.call('lambda', `/2015-03-31/functions/${handler}/invocations`, event);
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.exited;
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

const event = (name) => JSON.parse(readFileSync(join(root, `edge-fns/lambda/tests/events/${name}.json`), 'utf8'));
const called = async (name) => (await capabilities.calls()).filter(({ call }) => call === name);

/** Places an order twice and one that is refused, and sees what came of them. */
async function placesOrders(url) {
  await capabilities.reset();
  await capabilities.deposit('test-ann', 'cash', 1_000_000);
  const place = async (order) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(order) };
    const answer = await fetch(`${url}?userId=test-ann&testMode=true`, init);
    return [answer.status, await answer.json()];
  };
  const order = { symbol: 'TEST', side: 'BUY', price: 1000, quantity: 10, client_order_id: 'first' };
  const [status, placed] = await place(order);
  assert.equal(status, 202, JSON.stringify(placed));
  const [again, same] = await place(order);
  assert.deepEqual([again, same.order_id], [200, placed.order_id]);
  const [refused, why] = await place({ ...order, symbol: 'NONE', client_order_id: undefined });
  assert.deepEqual([refused, why.error.code], [404, 'unknown_symbol']);
  // Nothing has said yet that the first one arrived: the repetition sends the same order again, under its name.
  const appended = (await called('streams.append')).flatMap((call) => call.with.messages.map(({ body }) => JSON.parse(body).order_id));
  assert.deepEqual(appended, [placed.order_id, placed.order_id]);
}

test('an order by a REST API', { skip }, async () => {
  const arn = await aws.function('order-router', 'order-router-rest');
  const apis = '/restapis';
  const made = await aws.call('apigateway', apis, { name: 'exchange' });
  const resource = await aws.call('apigateway', `${apis}/${made.id}/resources/${made.rootResourceId}`, { pathPart: 'orders' });
  const method = `${apis}/${made.id}/resources/${resource.id}/methods/POST`;
  await aws.call('apigateway', method, { authorizationType: 'NONE' }, undefined, 'PUT');
  const uri = `arn:aws:apigateway:${REGION}:lambda:path/2015-03-31/functions/${arn}/invocations`;
  await aws.call('apigateway', `${method}/integration`, { type: 'AWS_PROXY', httpMethod: 'POST', uri }, undefined, 'PUT');
  await aws.call('apigateway', `${apis}/${made.id}/deployments`, { stageName: 'live' });
  await placesOrders(`${aws.url}/restapis/${made.id}/live/_user_request_/orders`);
});

test('a connection of a WebSocket API comes, subscribes, is pushed to, and goes', { skip }, async () => {
  await capabilities.reset();
  const settings = { name: 'live', protocolType: 'WEBSOCKET', routeSelectionExpression: '$request.body.action' };
  const api = (await aws.call('apigateway', '/v2/apis', settings)).apiId;
  const routes = { $connect: 'connect', subscribe: 'subscribe', $default: 'subscribe', $disconnect: 'disconnect' };
  const integrations = {};
  for (const handler of new Set(Object.values(routes))) {
    const integrationUri = await aws.function(handler);
    const made = await aws.call('apigateway', `/v2/apis/${api}/integrations`, { integrationType: 'AWS_PROXY', integrationUri });
    integrations[handler] = made.integrationId;
  }
  for (const [routeKey, handler] of Object.entries(routes)) {
    const route = { routeKey, target: `integrations/${integrations[handler]}`, routeResponseSelectionExpression: '$default' };
    await aws.call('apigateway', `/v2/apis/${api}/routes`, route);
  }
  await aws.call('apigateway', `/v2/apis/${api}/stages`, { stageName: 'live' });
  const stage = `${aws.url}/_aws/execute-api/${api}/live`;
  const open = async (query) => {
    const socket = new WebSocket(`${stage.replace('http', 'ws')}?${query}`);
    const messages = [];
    socket.on('message', (data) => messages.push(String(data)));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const next = async () => {
      await until(() => messages.length > 0);
      return messages.shift();
    };
    return { socket, next };
  };
  const members = async (key) => (await capabilities.call('cache.run', { commands: [{ smembers: key }] }))[0].Ok.values;

  await assert.rejects(open('token=expired'));
  assert.deepEqual(await members('realtime:connections'), []);
  const { socket, next } = await open('userId=test-ann&testMode=true');
  const [id] = await members('user:test-ann:connections');
  assert.deepEqual(await members('realtime:connections'), [id]);
  socket.send('{"action":"subscribe","main":"TEST"}');
  assert.deepEqual(JSON.parse(await next()), { e: 'subscribed', main: 'TEST', sub: [] });
  assert.deepEqual(await members('symbol:TEST:main'), [id]);
  socket.send('no json');
  assert.equal(JSON.parse(await next()).code, 'bad_json');
  // As the engine's notifier posts to it.
  const push = () => fetch(`${stage}/@connections/${encodeURIComponent(id)}`, { method: 'POST', body: '{"e":"order"}' });
  assert.equal((await push()).status, 200);
  assert.equal(await next(), '{"e":"order"}');
  socket.close();
  await until(async () => (await members('realtime:connections')).length === 0);
  assert.deepEqual(await members('symbol:TEST:main'), []);
  assert.equal((await push()).status, 410);
});

test('an order by an HTTP API', { skip }, async () => {
  const arn = await aws.function('order-router');
  const api = (await aws.call('apigateway', '/v2/apis', { name: 'exchange', protocolType: 'HTTP' })).apiId;
  const integration = { integrationType: 'AWS_PROXY', integrationUri: arn, payloadFormatVersion: '2.0' };
  const { integrationId } = await aws.call('apigateway', `/v2/apis/${api}/integrations`, integration);
  const route = { routeKey: 'POST /orders', target: `integrations/${integrationId}` };
  await aws.call('apigateway', `/v2/apis/${api}/routes`, route);
  await aws.call('apigateway', `/v2/apis/${api}/stages`, { stageName: 'live', autoDeploy: true });
  await placesOrders(`${aws.url}/_aws/execute-api/${api}/live/orders`);
});

test('a batch names the record that cannot be processed, and a stream is consumed', { skip }, async () => {
  await capabilities.reset();
  const arn = await aws.function('history-saver');
  const poison = event('kinesis-poison');
  const { batchItemFailures } = await aws.invoke('history-saver', poison);
  assert.deepEqual(batchItemFailures, [{ itemIdentifier: poison.Records[1].kinesis.sequenceNumber }]);
  const fills = event('kinesis-fills');
  assert.deepEqual((await aws.invoke('history-saver', fills)).batchItemFailures, []);

  await capabilities.reset();
  const kinesis = (name, body) => aws.call('kinesis', '/', body, `Kinesis_20131202.${name}`);
  await kinesis('CreateStream', { StreamName: 'supernoba-fills', ShardCount: 1 });
  let described;
  await until(async () => {
    described = (await kinesis('DescribeStreamSummary', { StreamName: 'supernoba-fills' })).StreamDescriptionSummary;
    return described.StreamStatus === 'ACTIVE';
  });
  await aws.call('lambda', '/2015-03-31/event-source-mappings/', {
    EventSourceArn: described.StreamARN,
    FunctionName: arn,
    StartingPosition: 'TRIM_HORIZON',
    BatchSize: 10,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
  const records = fills.Records.map(({ kinesis: { data, partitionKey } }) => ({ Data: data, PartitionKey: partitionKey }));
  await kinesis('PutRecords', { StreamName: 'supernoba-fills', Records: records });
  await until(async () => (await called('sql.execute')).length > 0);
  const fill = JSON.parse(Buffer.from(records[0].Data, 'base64').toString());
  assert.match(JSON.stringify(await called('sql.execute')), new RegExp(fill.fill_id));
});

test('a rule of EventBridge runs a timer', { skip }, async () => {
  await capabilities.reset();
  const arn = await aws.function('stale-connections');
  const events = (name, body) => aws.call('events', '/', body, `AWSEvents.${name}`);
  // The shortest that there is: it comes within a minute.
  await events('PutRule', { Name: 'stale-connections', ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
  await events('PutTargets', { Rule: 'stale-connections', Targets: [{ Id: '1', Arn: arn }] });
  await until(async () => (await called('cache.run')).length > 0);
  assert.match(JSON.stringify(await called('cache.run')), /realtime:connections/);
});
