// Starts a workerd for each URL of capabilities that it is given, prints where each is as a line of JSON, and stops them
// when its input ends.

import { Workerd } from '../worker/workerd.mjs';

const [...urls] = process.argv.slice(2);
const timers = ['sweeper', 'aggregator', 'stale-connections', 'trades-backup'];
const settings = {
  CAPABILITIES_SESSION: 'server',
  CONNECTIONS_BACKEND: 'gateway',
  SCHEDULE: JSON.stringify(Object.fromEntries(timers.map((name) => [name, [name]]))),
};
const started = await Promise.all(urls.map((url) => Workerd.start({ url }, settings)));
for (const { worker, components, driver } of started) console.log(JSON.stringify({ worker, components, driver }));
process.stdin.resume();
await new Promise((resolve) => process.stdin.once('end', resolve));
await Promise.all(started.map((workerd) => workerd.stop()));
