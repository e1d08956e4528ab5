// The Worker's entry: hands the platform's events to the module, and makes it anew after a panic.
//
// A panic or trap leaves the instance's memory as it was, which nobody may go on with. Its own request fails; the next
// event gets a new instance. Requests that were waiting in the old one fail with it, so functions do not panic.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as module from "./index.js";

const state = module.__worker_init_state();

function renew() {
  if (state.criticalError) {
    module.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId += 1;
  }
}

function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

// The platform's own `queueMicrotask` leaves and enters the engine, and takes longer than what the module does in between.
const settled = Promise.resolve();
globalThis.queueMicrotask = (task) => {
  settled.then(() => {
    try {
      task();
    } catch (error) {
      note(error);
      throw error;
    }
  });
};

async function guarded(call) {
  renew();
  try {
    return await call();
  } catch (error) {
    note(error);
    throw error;
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    const response = guarded(() => module.fetch(request, this.env, this.ctx));
    // A client that hangs up does not break a function off in the middle of an order.
    this.ctx.waitUntil(response.then(() => undefined, () => undefined));
    return response;
  }

  queue(batch) {
    return guarded(() => module.queue(batch, this.env, this.ctx));
  }

  scheduled(event) {
    return guarded(() => module.scheduled(event, this.env, this.ctx));
  }
}

// A hub keeps nothing in memory that has to last, so each event has an object of its own, in whichever instance there is.
export class Hub extends DurableObject {
  fetch(request) {
    return this.#with((hub) => hub.fetch(request));
  }

  alarm() {
    return this.#with((hub) => hub.alarm());
  }

  webSocketMessage(socket, message) {
    return this.#with((hub) => hub.webSocketMessage(socket, message));
  }

  webSocketClose(socket, code, reason, clean) {
    return this.#with((hub) => hub.webSocketClose(socket, code, reason, clean));
  }

  webSocketError(socket, error) {
    return this.#with((hub) => hub.webSocketError(socket, error));
  }

  #with(call) {
    return guarded(async () => {
      const instance = state.instanceId;
      const hub = new module.Hub(this.ctx, this.env);
      try {
        return await call(hub);
      } finally {
        // Of an instance that is no more, there is nothing to give back.
        if (instance === state.instanceId && !state.criticalError) hub.free();
      }
    });
  }
}
