// The imports of a component, over the exchange's capability server: one POST of JSON a call (edge-fns/src/remote).
//
// A component's values are as jco has them (variants `{tag, val}`, u64 as BigInt, list<u8> as Uint8Array, option as
// undefined); the protocol's as edge-fns/src/json.rs says. What a call answers with an error is thrown as a variant.

/** How long the answer to a call may take: as edge_fns::remote::patience_ms reads it. */
const PATIENCE_MS = 10_000;
const LONGEST_PATIENCE_MS = 900_000;

function patience({ CAPABILITIES_PATIENCE_MS: value }) {
  if (!value) return PATIENCE_MS;
  const ms = /^[0-9]+$/.test(value) ? Number(value) : 0;
  if (ms >= 1 && ms <= LONGEST_PATIENCE_MS) return ms;
  throw new Error(`CAPABILITIES_PATIENCE_MS: it is a number of milliseconds from 1 to ${LONGEST_PATIENCE_MS}`);
}

// ---- bytes and whole numbers

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

export function bytesOut(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return { base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
  }
}

export function bytesIn(json) {
  if (typeof json === "string") return utf8.encode(json);
  return Uint8Array.from(atob(json.base64), (char) => char.charCodeAt(0));
}

function wholeOut(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

const wholeIn = (json) => BigInt(json);
const maybe = (json, read) => (json === null || json === undefined ? undefined : read(json));
const orNull = (value, write) => (value === undefined || value === null ? null : write(value));
const same = (value) => value;

// ---- variants: `"name"` or `{"name": value}` in the protocol

const kebab = (name) => name.replaceAll("_", "-");
const snake = (name) => name.replaceAll("-", "_");

function variantIn(json, cases) {
  if (typeof json === "string") return { tag: kebab(json) };
  const [[name, value]] = Object.entries(json);
  return { tag: kebab(name), val: (cases[kebab(name)] ?? same)(value) };
}

function variantOut({ tag, val }, cases) {
  if (val === undefined && !(tag in cases)) return snake(tag);
  return { [snake(tag)]: (cases[tag] ?? same)(val) };
}

const errorIn = (json) => {
  const error = variantIn(json, { throttled: (ms) => maybe(ms, same) });
  return error;
};
const resultIn = (read) => (json) =>
  "Ok" in json ? { tag: "ok", val: read(json.Ok) } : { tag: "err", val: errorIn(json.Err) };

// ---- each capability's own

const COMMAND = {
  set: ([key, value, { px, onlyIfAbsent }]) => [
    key,
    bytesOut(value),
    { px: orNull(px, same), only_if_absent: onlyIfAbsent },
  ],
  sadd: ([key, members]) => [key, members.map(bytesOut)],
  srem: ([key, members]) => [key, members.map(bytesOut)],
  sismember: ([key, member]) => [key, bytesOut(member)],
  hset: ([key, pairs]) => [key, pairs.map(([name, value]) => [name, bytesOut(value)])],
  lpush: ([key, values]) => [key, values.map(bytesOut)],
  lrange: ({ key, start, stop }) => [key, wholeOut(start), wholeOut(stop)],
  ltrim: ({ key, start, stop }) => [key, wholeOut(start), wholeOut(stop)],
  scan: ({ cursor, pattern, count }) => ({ cursor: wholeOut(cursor), pattern, count }),
  eval: ({ name, keys, args }) => ({ name, keys, args: args.map(bytesOut) }),
};
const commandOut = (command) => variantOut(command, COMMAND);

const replyIn = (json) =>
  variantIn(json, {
    integer: wholeIn,
    bytes: bytesIn,
    values: (values) => values.map((value) => maybe(value, bytesIn)),
    pairs: (pairs) => pairs.map(([name, value]) => [name, bytesIn(value)]),
    page: ([cursor, keys]) => [wholeIn(cursor), keys],
  });

const entryIn = ({ id, version, body }) => ({ id, version: wholeIn(version), body: bytesIn(body) });
const writeOut = ({ id, expect, body }) => ({
  id,
  expect: variantOut(expect, { version: wholeOut }),
  body: orNull(body, bytesOut),
});
const outcomeIn = (json) => variantIn(json, { written: wholeIn, stale: (entry) => maybe(entry, entryIn) });
const queryOut = (query) => ({
  ...query,
  lower: orNull(query.lower, same),
  upper: orNull(query.upper, same),
  cursor: orNull(query.cursor, same),
});

const assetOut = (asset) => variantOut(asset, {});
const transferOut = ({ id, user, asset, amount }) => ({ id, user, asset: assetOut(asset), amount: wholeOut(amount) });
const partyOut = ({ user, hold, refund }) => ({ user, hold, refund: wholeOut(refund) });
const movementOut = (movement) =>
  variantOut(movement, {
    reserve: ({ hold, user, asset, amount }) => ({ hold, user, asset: assetOut(asset), amount: wholeOut(amount) }),
    release: (hold) => ({ hold }),
    adjust: ({ id, hold, absorb, keep }) => ({ id, hold, absorb: orNull(absorb, same), keep: wholeOut(keep) }),
    settle: ({ fill, symbol, cash, quantity, buyer, seller }) => ({
      fill,
      symbol,
      cash: wholeOut(cash),
      quantity: wholeOut(quantity),
      buyer: partyOut(buyer),
      seller: partyOut(seller),
    }),
    deposit: transferOut,
    withdraw: transferOut,
  });
const postedIn = (json) => variantIn(json, { insufficient: wholeIn });
const balanceIn = ({ asset, available, locked }) => ({
  asset: variantIn(asset, {}),
  available: wholeIn(available),
  locked: wholeIn(locked),
});

const valueOut = (value) => variantOut(value, { integer: wholeOut, bytes: bytesOut, instant: wholeOut });
const valueIn = (json) => variantIn(json, { integer: wholeIn, bytes: bytesIn, instant: wholeIn });

const pushOut = ({ to, body }) => ({ to, body: bytesOut(body) });

const blobWriteOut = ({ key, condition, body }) => ({ key, condition: variantOut(condition, {}), body: bytesOut(body) });
const blobOutcomeIn = (json) => variantIn(json, { lost: (etag) => maybe(etag, same) });
const blobReadOut = ({ key, range }) => ({
  key,
  range: orNull(range, ({ offset, length }) => ({ offset: wholeOut(offset), length: wholeOut(length) })),
});
const objectIn = ({ etag, size, body }) => ({ etag, size: wholeIn(size), body: bytesIn(body) });
const blobEntryIn = ({ key, etag, size, modified }) => ({
  key,
  etag,
  size: wholeIn(size),
  modified: wholeIn(modified),
});

// ---- the calls

function statusError(status) {
  const said = `the capability server answered ${status}`;
  if (status === 401 || status === 403) return { tag: "denied", val: said };
  if (status === 429) return { tag: "throttled", val: undefined };
  if (status >= 400 && status < 500) return { tag: "invalid", val: said };
  if (status === 503) return { tag: "unavailable", val: said };
  if (status === 504) return { tag: "timeout" };
  return { tag: "internal", val: said };
}

async function post(env, call, args) {
  const headers = { "content-type": "application/json" };
  const signal = AbortSignal.timeout(patience(env));
  if (env.CAPABILITIES_TOKEN) headers.authorization = `Bearer ${env.CAPABILITIES_TOKEN}`;
  let response;
  let text;
  try {
    // A service binding is asked in place of the network.
    response = await (env.CAPABILITIES ?? globalThis).fetch(env.CAPABILITIES_URL, {
      method: "POST",
      headers,
      body: JSON.stringify({ call, with: args }),
      signal,
    });
    text = await response.text();
  } catch {
    // Whether it broke off before or after it was carried out, nobody knows.
    throw { tag: "timeout" };
  }
  if (response.status !== 200) throw statusError(response.status);
  const answer = JSON.parse(text);
  if ("Err" in answer) throw errorIn(answer.Err);
  return answer.Ok;
}

function own(env) {
  const read = ["ALLOW_TEST_MODE", "DAY_OFFSET_S", "KINESIS_FILLS_STREAM", "KINESIS_ORDERS_STREAM", "ORDERS_TABLE"];
  return {
    now: () => BigInt(Date.now()),
    bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    config: async (name) => (read.includes(name) && env[name] ? env[name] : undefined),
  };
}

/** Time, randomness and configuration of one event as a server of tests sets them. */
async function ofServer(env) {
  const { now, random } = await post(env, "base.open", {});
  let number = maybe(random, wholeIn);
  const platform = own(env);
  return {
    now: () => maybe(now, wholeIn) ?? platform.now(),
    bytes: (length) => {
      if (number === undefined) return platform.bytes(length);
      number = BigInt.asUintN(64, number + 1n);
      const bytes = new Uint8Array(length);
      for (let at = length - 1, left = number; at >= 0 && left > 0n; at -= 1, left >>= 8n) bytes[at] = Number(left & 255n);
      return bytes;
    },
    config: async (name) => maybe(await post(env, "base.config", { name }), same),
  };
}

/** The imports of one instance, for one event. */
export async function imports(env) {
  const base = env.CAPABILITIES_SESSION === "server" ? await ofServer(env) : own(env);
  const call = (name, args) => post(env, name, args);
  const each = async (name, args, read) => (await call(name, args)).map(read);
  return {
    "supernoba:edge/types": {},
    "supernoba:edge/clock": { now: base.now },
    "supernoba:edge/random": { bytes: base.bytes },
    "supernoba:edge/log": {
      write: (level, message, fields) => console.log(JSON.stringify({ level, message, ...Object.fromEntries(fields) })),
    },
    "supernoba:edge/config": { get: base.config },
    "supernoba:edge/identity": {
      verify: async (token) => {
        const verified = await call("identity.verify", { token });
        return "Ok" in verified
          ? { tag: "ok", val: { ...verified.Ok, expires: wholeIn(verified.Ok.expires) } }
          : { tag: "err", val: kebab(verified.Err) };
      },
    },
    "supernoba:edge/cache": {
      run: (commands) => each("cache.run", { commands: commands.map(commandOut) }, resultIn(replyIn)),
      runAtomic: (commands) => each("cache.run_atomic", { commands: commands.map(commandOut) }, replyIn),
    },
    "supernoba:edge/documents": {
      get: (ids) => each("documents.get", { ids }, (entry) => maybe(entry, entryIn)),
      put: (writes) => each("documents.put", { writes: writes.map(writeOut) }, outcomeIn),
      putAll: async (writes) => outcomeIn(await call("documents.put_all", { writes: writes.map(writeOut) })),
      search: async (query) => {
        const { entries, cursor } = await call("documents.search", { query: queryOut(query) });
        return { entries: entries.map(entryIn), cursor: maybe(cursor, same) };
      },
    },
    "supernoba:edge/log-streams": {
      append: (stream, messages) => {
        const out = messages.map(({ partition, body }) => ({ partition, body: bytesOut(body) }));
        return each("streams.append", { stream, messages: out }, resultIn(same));
      },
    },
    "supernoba:edge/sql": {
      query: async (statement, params) => {
        const { columns, rows } = await call("sql.query", { statement, params: params.map(valueOut) });
        return { columns, rows: rows.map((row) => row.map(valueIn)) };
      },
      execute: async (statement, params) =>
        wholeIn(await call("sql.execute", { statement, params: params.map((row) => row.map(valueOut)) })),
    },
    "supernoba:edge/wallet": {
      post: (movements) => each("wallet.post", { movements: movements.map(movementOut) }, resultIn(postedIn)),
      balances: (user) => each("wallet.balances", { user }, balanceIn),
    },
    "supernoba:edge/connections": {
      post: (pushes) =>
        each("connections.post", { pushes: pushes.map(pushOut) }, (answers) => answers.map(resultIn(same))),
      probe: (ids) => each("connections.probe", { ids }, resultIn(same)),
      close: async (id) => {
        await call("connections.close", { id });
      },
    },
    "supernoba:edge/blobs": {
      put: (writes) => each("blobs.put", { writes: writes.map(blobWriteOut) }, resultIn(blobOutcomeIn)),
      get: (reads) =>
        each("blobs.get", { reads: reads.map(blobReadOut) }, resultIn((object) => maybe(object, objectIn))),
      search: async (query) => {
        const { entries, cursor } = await call("blobs.search", {
          query: { ...query, cursor: orNull(query.cursor, same) },
        });
        return { entries: entries.map(blobEntryIn), cursor: maybe(cursor, same) };
      },
      delete: (keys) => each("blobs.delete", { keys }, resultIn(() => undefined)),
    },
  };
}
