// A workerd of its own for a test: free loopback ports, a temporary folder, in-memory capabilities on loopback.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const packages = join(root, 'edge-fns/worker/node_modules');
// The package's own launcher is made by an install script, which set-up does not run.
const platform = `@cloudflare/workerd-${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`;
const binary = join(packages, platform, 'bin/workerd');
const compatibility = '2026-11-01';

/** The capabilities that both are given. */
export class Capabilities {
  /** Of the first of these profiles that it was built with. */
  static async start(profiles = ['debug', 'release']) {
    const server = new Capabilities();
    const folders = profiles.map((profile) => join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), profile));
    const program = folders.map((folder) => join(folder, 'examples/capability_server')).find(existsSync);
    if (!program) {
      const [flag] = profiles.map((profile) => (profile === 'release' ? ' --release' : ''));
      throw new Error(`capability_server is not built: cargo build${flag} -p edge-fns --features testing --examples`);
    }
    server.process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    server.url = await new Promise((resolve, reject) => {
      server.process.once('error', reject);
      server.process.once('exit', (code) => reject(new Error(`the capabilities ended with ${code}`)));
      createInterface({ input: server.process.stdout }).once('line', resolve);
    });
    return server;
  }

  reset() {
    return fetch(new URL('/reset', this.url), { method: 'POST' });
  }

  /** What was called since the last reset. */
  async calls() {
    const text = await (await fetch(new URL('/calls', this.url))).text();
    return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
  }

  /** Makes a call itself. */
  async call(name, args) {
    const body = JSON.stringify({ call: name, with: args });
    const answer = await (await fetch(this.url, { method: 'POST', body })).json();
    if ('Err' in answer) throw new Error(JSON.stringify(answer.Err));
    return answer.Ok;
  }

  deposit(user, asset, amount) {
    const movement = { deposit: { id: `${user}/${JSON.stringify(asset)}`, user, asset, amount } };
    return this.call('wallet.post', { movements: [movement] });
  }

  async stop() {
    this.process.stdin.end();
    await new Promise((resolve) => this.process.once('exit', resolve));
  }
}

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}

/** A Worker's modules as workerd's configuration has them; the first is the entry. */
function modules(entry, files, folder) {
  const one = ([name, file]) => {
    const kind = name.endsWith('.wasm') ? 'wasm' : 'esModule';
    return `(name = ${JSON.stringify(name)}, ${kind} = embed ${JSON.stringify(relative(folder, file))})`;
  };
  const sorted = files.filter(([name]) => /\.(m?js|wasm)$/.test(name)).sort(([a], [b]) => (b === entry) - (a === entry));
  return sorted.map(one).join(',\n    ');
}

const variables = (values) =>
  Object.entries(values).map(([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)})`);

/** Each leads to the service of its name. */
const SOCKETS = ['worker', 'components', 'driver', 'bare'];

/** workerd with both Workers: the crate's (`worker`) and the components (`components`). */
export class Workerd {
  /** With `inside`, the capabilities are in workerd itself: they say what an order on its usual way is told. */
  static async start(capabilities, settings = {}, { inside = false } = {}) {
    const workerd = new Workerd();
    workerd.folder = await mkdtemp(join(tmpdir(), 'supernoba-worker-'));
    const own = join(root, 'target/worker');
    const jco = join(root, 'target/jco');
    const js = join(root, 'edge-fns/worker/js');
    const shell = filesOf(own).map((file) => [relative(own, file), file]);
    const made = filesOf(jco).map((file) => [relative(jco, file), file]);
    for (const file of ['components-worker.js', 'capabilities.js']) made.push([file, join(js, file)]);
    const values = variables({
      CAPABILITIES_URL: capabilities.url,
      CAPABILITIES_SESSION: 'server',
      ALLOW_TEST_MODE: 'true',
      ALLOW_PANIC: 'true',
      HUBS: '2',
      ...settings,
    });
    const service = inside ? ['(name = "CAPABILITIES", service = "inside")'] : [];
    const flags = `compatibilityDate = "${compatibility}", compatibilityFlags = ["service_binding_extra_handlers"]`;
    const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "components", worker = .components),
    (name = "driver", worker = .driver),
    (name = "inside", worker = .inside),
    (name = "bare", worker = .bare),
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [
    ${SOCKETS.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(',\n    ')},
  ],
);
const worker :Workerd.Worker = (
  ${flags},
  modules = [
    ${modules('shim.js', shell, workerd.folder)}
  ],
  bindings = [${[...values, '(name = "HUB", durableObjectNamespace = "Hub")', '(name = "DEAD_LETTERS", queue = "driver")', ...service].join(', ')}],
  durableObjectNamespaces = [(className = "Hub", uniqueKey = "hub", enableSql = true)],
  durableObjectStorage = (inMemory = void),
);
const components :Workerd.Worker = (
  ${flags},
  modules = [
    ${modules('components-worker.js', made, workerd.folder)}
  ],
  bindings = [${[...values, ...service].join(', ')}],
);
const inside :Workerd.Worker = (
  ${flags},
  modules = [(name = "inside.js", esModule = embed "inside.js")],
);
const bare :Workerd.Worker = (
  ${flags},
  modules = [(name = "bare.js", esModule = embed "bare.js")],
  bindings = [(name = "CAPABILITIES", service = "inside")],
);
const driver :Workerd.Worker = (
  ${flags},
  modules = [(name = "driver.js", esModule = embed "driver.js")],
  bindings = [(name = "WORKER", service = "worker")],
);
`;
    await writeFile(join(workerd.folder, 'config.capnp'), config);
    await writeFile(join(workerd.folder, 'driver.js'), DRIVER);
    await writeFile(join(workerd.folder, 'inside.js'), INSIDE);
    await writeFile(join(workerd.folder, 'bare.js'), BARE);
    workerd.log = '';
    // It tells on the fourth descriptor which port each of its sockets was given.
    workerd.process = spawn(binary, ['serve', '--experimental', '--control-fd=3', 'config.capnp'], {
      cwd: workerd.folder,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    for (const stream of [workerd.process.stdout, workerd.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (workerd.log += text));
    }
    workerd.exited = new Promise((resolve) => workerd.process.once('exit', resolve));
    await new Promise((resolve, reject) => {
      workerd.exited.then(() => reject(new Error(`workerd ended:\n${workerd.log}`)));
      createInterface({ input: workerd.process.stdio[3] }).on('line', (line) => {
        const { event, socket, port } = JSON.parse(line);
        if (event === 'listen') workerd[socket] = `http://127.0.0.1:${port}`;
        if (SOCKETS.every((name) => workerd[name])) resolve();
      });
    });
    return workerd;
  }

  /** What the platform does with a batch: `{outcome, retryMessages, ackAll, …}`. */
  async queue(name, bodies) {
    const messages = bodies.map((body, n) => ({ id: `m${n}`, timestamp: 1_765_894_800_000 + n, body }));
    return this.drive('queue', { name, messages });
  }

  async cron(cron) {
    return this.drive('scheduled', { cron, scheduledTime: 1_765_894_800_000 });
  }

  /** The dead letters that were sent since the start. */
  async letters() {
    return (await fetch(`${this.driver}/letters`)).json();
  }

  async drive(what, argument) {
    const answer = await fetch(`${this.driver}/${what}`, { method: 'POST', body: JSON.stringify(argument) });
    if (answer.status !== 200) throw new Error(await answer.text());
    return answer.json();
  }

  async stop() {
    this.process.kill('SIGKILL');
    await this.exited;
    await rm(this.folder, { recursive: true, force: true });
  }
}

// Stands for the platform: hands queues' batches and cron events to the Worker, and takes in what it sends to a queue.
const DRIVER = `
const letters = [];
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/letters") return Response.json(letters);
    if (path === "/queue") {
      const { name, messages } = await request.json();
      const dated = messages.map((message) => ({ attempts: 1, ...message, timestamp: new Date(message.timestamp) }));
      return Response.json(await env.WORKER.queue(name, dated));
    }
    if (path === "/scheduled") {
      const { cron, scheduledTime } = await request.json();
      return Response.json(await env.WORKER.scheduled({ cron, scheduledTime: new Date(scheduledTime) }));
    }
    if (request.method === "POST") {
      letters.push(await request.text());
      return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
    }
    return new Response();
  },
};
`;

// What the capabilities say to an order that is placed.
const INSIDE = `
const answers = {
  "cache.run": '{"Ok":[{"Ok":{"integer":1}}]}',
  "documents.put_all": '{"Ok":{"written":1}}',
  "documents.put": '{"Ok":[{"written":2}]}',
  "wallet.post": '{"Ok":[{"Ok":"done"}]}',
  "streams.append": '{"Ok":[{"Ok":"1"}]}',
};
export default {
  async fetch(request) {
    const { call } = await request.json();
    return new Response(answers[call] ?? '{"Err":{"denied":"not an order"}}');
  },
};
`;

// What any Worker costs: it answers as an order is answered, at `/calls` after the calls that an order makes.
const BARE = `
const calls = ["cache.run", "documents.put_all", "wallet.post", "streams.append"];
export default {
  async fetch(request, env) {
    if (request.method !== "POST") return new Response();
    const order = await request.json();
    if (new URL(request.url).pathname === "/calls") {
      for (const call of calls) {
        const body = JSON.stringify({ call, with: order });
        await (await env.CAPABILITIES.fetch("http://inside/", { method: "POST", body })).json();
      }
    }
    return Response.json({ order_id: "ord_" + "0".repeat(26), status: "ACCEPTED" }, { status: 202 });
  },
};
`;
