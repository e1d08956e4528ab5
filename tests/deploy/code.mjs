// What the code says of itself, read from its sources.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './terraform.mjs';

export const source = (path) => readFileSync(join(root, path), 'utf8');

function found(text, pattern, what) {
  const match = text.match(pattern);
  if (!match) throw new Error(`${what} is no longer where it was`);
  return match;
}

export const handlers = readdirSync(join(root, 'edge-fns/component/handlers')).map((file) => file.replace(/\.rs$/, '').replaceAll('_', '-')).sort();

/** The table of routes.rs: method or null, path, handler. */
export function httpRoutes() {
  const text = found(source('edge-fns/src/routes.rs'), /pub const HTTP:[^=]*= \[([\s\S]*?)\n\];/, 'the table of HTTP routes')[1];
  return [...text.matchAll(/route\((None|Some\("([A-Z]+)"\)), "([^"]+)", "([^"]+)"\)/g)].map(([, , method, path, handler]) => ({ method: method ?? null, path, handler }));
}

export function socketRoutes() {
  const text = found(source('edge-fns/src/routes.rs'), /pub const SOCKET: SocketRoutes = SocketRoutes \{([\s\S]*?)\n\};/, 'the routes of messages')[1];
  const one = (name) => found(text, new RegExp(`${name}: "([^"]+)"`), name)[1];
  const actions = [...text.matchAll(/\("([^"]+)", "([^"]+)"\)/g)].map(([, action, handler]) => [action, handler]);
  return Object.fromEntries([['$connect', one('connect')], ['$disconnect', one('disconnect')], ...actions, ['$default', one('default')]]);
}

export function consumers() {
  const text = source('engine-host/src/event_sources.rs');
  const list = (name) => [...found(text, new RegExp(`const ${name}: \\[&str; \\d+\\] = \\[([^\\]]*)\\]`), name)[1].matchAll(/"([^"]+)"/g)].map(([, word]) => word);
  const mapping = found(text, /const MAPPING: Mapping = Mapping \{([\s\S]*?)\n\};/, 'the mapping')[1];
  return {
    all: list('CONSUMERS'),
    tellers: list('TELLERS'),
    stream: found(text, /pub const FILLS: &str = "([^"]+)"/, 'FILLS')[1],
    batch: Number(found(mapping, /batch: (\d+)/, 'batch')[1]),
    lanes: Number(found(mapping, /lanes: (\d+)/, 'lanes')[1]),
    // What the functions fail at they put aside themselves on Lambda: what it gives again was asked for again.
    retries: Number(found(mapping, /asked: (?:None|Some\((\d+)\))/, 'asked')[1] ?? -1),
    bisect: found(mapping, /bisect: (true|false)/, 'bisect')[1] === 'true',
  };
}

/** Function and seconds of each timer of `supernoba up`. */
export function timers() {
  const text = source('engine-host/src/up.rs');
  const list = [...found(text, /fn timers\(&self\)[\s\S]*?\n    \}/, 'the timers')[0].matchAll(/timer\("([^"]+)", self\.(\w+)\)/g)];
  return list.map(([, handler, option]) => {
    const [, seconds] = found(text, new RegExp(`default_value_t = (\\d+)[^\\n]*\\n\\s*pub ${option}: u64`), option);
    return { handler, seconds: Number(seconds) };
  });
}

/** What each function may read of the configuration. */
export function grants() {
  const text = found(source('edge-fns/host/src/config.rs'), /const GRANTS:[^=]*= \[([\s\S]*?)\n\];/, 'the grants')[1];
  return [...text.matchAll(/\("([^"]+)", &\[([^\]]*)\]\)/g)].map(([, handler, names]) => [handler, [...names.matchAll(/"([^"]+)"/g)].map(([, name]) => name)]);
}

/** The variables that the bootstrap on Lambda knows: its own, and those that functions may read. */
export function lambdaVariables() {
  const own = [...source('edge-fns/lambda/src/lib.rs').matchAll(/^\/\/! \| (`[^|]*) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name));
  const list = found(source('edge-fns/lambda/src/capabilities.rs'), /pub const CONFIGURATION:[^=]*= \[([\s\S]*?)\];/, 'CONFIGURATION')[1];
  return { own, read: [...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name) };
}

/** Streams and their shards, as docs/api.md has them from the system's contract. */
export const streams = [...source('docs/api.md').matchAll(/^`(supernoba-\w+)` \((\d+) shards\)/gm)].map(([, name, shards]) => ({ name, shards: Number(shards) }));

export const tables = {
  orders: found(source('edge-fns/src/order.rs'), /config\("ORDERS_TABLE"\)[^"]*"([^"]+)"/, 'the orders table')[1],
  candles: found(source('edge-fns/src/candle_store.rs'), /const TABLE: &str = "([^"]+)"/, 'the candle store')[1],
};

/** The environment of the system's contract, and the role whose process reads it. Functions that run on Lambda reach their back ends by the
 * gateway, so what would open those is the gateway's. */
export const contract = {
  engine: ['KINESIS_ORDERS_STREAM', 'KINESIS_FILLS_STREAM', 'REDIS_HOST', 'REDIS_PORT', 'DEPTH_CACHE_HOST', 'DEPTH_CACHE_PORT', 'WEBSOCKET_ENDPOINT', 'AWS_REGION', 'GRPC_PORT', 'LOG_LEVEL'],
  streamer: ['VALKEY_HOST', 'VALKEY_PORT', 'WEBSOCKET_ENDPOINT', 'AWS_REGION', 'DEBUG_MODE'],
  gateway: ['SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'SUPABASE_ANON_KEY', 'ORDERS_TABLE', 'AWS_REGION', 'ALLOW_TEST_MODE', 'DB_SECRET_ARN', 'RDS_ENDPOINT', 'DB_NAME'],
};
