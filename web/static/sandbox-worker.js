// The sandbox's worker: posts bytes between the page and the module, which works in slices in between.
import init, { Sandbox } from './sandbox_worker.js';

const SLICE_MS = 8;
// Calls that come before the module is there wait for it.
const waiting = [];
let sandbox;
let planned = false;
// A message to oneself comes after those that the page has sent meanwhile; timers would wait for four milliseconds.
const again = new MessageChannel();
again.port1.onmessage = turn;

function turn() {
  planned = false;
  sandbox.work(SLICE_MS);
  settle();
}

function settle() {
  const notice = sandbox.notice();
  if (notice) postMessage(notice, [notice.buffer]);
  const pause = sandbox.pause_ms();
  if (pause < 0 || planned) return;
  planned = true;
  if (pause === 0) again.port2.postMessage(0);
  else setTimeout(turn, pause);
}

function answer(bytes) {
  const reply = sandbox.call(bytes);
  postMessage(reply, [reply.buffer]);
}

self.onmessage = ({ data }) => {
  if (!sandbox) return waiting.push(data);
  answer(data);
  settle();
};

init({ module_or_path: new URL('./sandbox_worker_bg.wasm', import.meta.url) }).then(() => {
  sandbox = new Sandbox();
  waiting.splice(0).forEach(answer);
  settle();
}, (error) => {
  console.error(error);
  postMessage('failed');
});
