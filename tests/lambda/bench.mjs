// How long the archive takes from its start to its first request for an event: cargo xtask bench lambda [STARTS]

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const files = join(dirname(fileURLToPath(import.meta.url)), '../../target/aws-lambda/files');
const starts = Number(process.argv[2] ?? 41);

/** One start, in ms; the process is ended at its first request. */
async function start(handler) {
  let polled;
  const first = new Promise((resolve) => (polled = resolve));
  const api = createServer((request) => polled([process.hrtime.bigint(), request.url]));
  await new Promise((resolve) => api.listen(0, '127.0.0.1', resolve));
  const env = {
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${api.address().port}`,
    AWS_LAMBDA_FUNCTION_NAME: handler,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/f',
    AWS_LAMBDA_LOG_STREAM_NAME: 's',
    AWS_REGION: 'ap-northeast-2',
    LAMBDA_TASK_ROOT: files,
    SUPERNOBA_HANDLER: handler,
    CAPABILITIES_URL: 'http://127.0.0.1:9/',
  };
  const began = process.hrtime.bigint();
  const bootstrap = spawn(join(files, 'bootstrap'), { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise((resolve) => bootstrap.once('exit', resolve));
  const [at, url] = await Promise.race([first, ended.then((code) => [0n, `the bootstrap ended with ${code}`])]);
  bootstrap.kill('SIGKILL');
  await ended;
  api.closeAllConnections();
  api.close();
  if (url !== '/2018-06-01/runtime/invocation/next') throw new Error(`${handler}: ${url}`);
  return Number(at - began) / 1e6;
}

console.log(`${`ms to the first /next, of ${starts} starts`.padEnd(42)} ${'p50'.padStart(8)} ${'min'.padStart(8)} ${'max'.padStart(8)}`);
for (const handler of ['order-router', 'fill-processor', 'chart-data', 'trades-backup']) {
  const times = [];
  for (let n = 0; n < starts; n += 1) times.push(await start(handler));
  times.sort((a, b) => a - b);
  const shown = [times[times.length >> 1], times[0], times.at(-1)].map((ms) => ms.toFixed(1).padStart(8));
  console.log(`${handler.padEnd(42)} ${shown.join(' ')}`);
}
