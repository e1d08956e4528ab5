// The unmodified components in workerd, each event in a fresh instance: the proof that they are portable. (In production
// the Worker is the crate beside this: it takes requests at once in one instance.)
//
// REST requests go to the components by the gateway's routes. Other events come as JSON:
// POST /@invoke/NAME {"socket":{"id","event"}} | {"stream":{"stream","items"}} | {"timer":{"name","due"}}
import { bytesIn, bytesOut, imports } from "./capabilities.js";
import components from "./components.js";
// Written from edge-fns/src/routes.rs by `cargo xtask worker`.
import routes from "./routes.js";

// Bytes are written as in the capabilities' protocol. A function's own error comes back as {"error"}.

// The first that fits counts; `null` is every method.
function componentOf(method, path) {
  return routes.find(([own, pattern]) => (own === null || own === method) && pattern.test(path))?.[2];
}

/** As the functions say it. */
function notFound() {
  const error = { code: "not_found", message: "there is nothing at this path" };
  const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return Response.json({ error }, { status: 404, headers });
}

async function instance(name, env) {
  const { instantiate, cores } = components[name];
  return instantiate((core) => cores[core], await imports(env));
}

async function rest(name, request, url, env) {
  const exports = await instance(name, env);
  const answer = await exports.httpHandler.handle({
    method: request.method,
    path: url.pathname,
    query: url.search.replace(/^\?/, ""),
    headers: [...request.headers],
    body: new Uint8Array(await request.arrayBuffer()),
  });
  const headers = new Headers(answer.headers);
  headers.set("x-content-type-options", "nosniff");
  return new Response(answer.body, { status: answer.status, headers });
}

async function invoke(name, event, env) {
  const exports = await instance(name, env);
  if (event.stream) {
    const items = event.stream.items.map((item) => ({
      ...item,
      arrived: BigInt(item.arrived),
      body: bytesIn(item.body),
    }));
    return exports.streamHandler.handle(event.stream.stream, items);
  }
  if (event.timer) {
    await exports.timerHandler.handle(event.timer.name, BigInt(event.timer.due));
    return null;
  }
  const { id, event: said } = event.socket;
  const body = said.tag === "message" ? { tag: said.tag, val: bytesIn(said.val) } : said;
  const reply = await exports.socketHandler.handle(id, body);
  return { ...reply, body: reply.body && bytesOut(reply.body) };
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, first, named] = url.pathname.split("/");
    if (first === "@invoke" && named in components) {
      try {
        return Response.json({ answer: await invoke(named, await request.json(), env) });
      } catch (error) {
        // What a function answers as an error, jco throws as it is; anything else is no answer.
        if (error instanceof Error || error?.tag === undefined) throw error;
        return Response.json({ error });
      }
    }
    const name = componentOf(request.method, url.pathname);
    if (name === undefined) return notFound();
    return rest(name, request, url, env);
  },
};
