// Makes JavaScript of each component: node transpile.mjs COMPONENTS OUT. What has not changed is left as it is.
//
// The import functions that wait are those of the capabilities but clock, randomness and log; JSPI lets the component's
// plain calls wait for them.
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { transpile } from "@bytecodealliance/jco-transpile";

const PACKAGE = "supernoba:edge";
const VERSION = "0.1.0";
const WAITING = {
  config: ["get"],
  identity: ["verify"],
  cache: ["run", "run-atomic"],
  documents: ["get", "put", "put-all", "search"],
  "log-streams": ["append"],
  sql: ["query", "execute"],
  wallet: ["post", "balances"],
  connections: ["post", "probe", "close"],
  blobs: ["put", "get", "search", "delete"],
};
const HANDLERS = ["http-handler", "socket-handler", "stream-handler", "timer-handler"];

const name = (part) => `${PACKAGE}/${part}@${VERSION}`;
const options = {
  instantiation: "async",
  asyncMode: "jspi",
  asyncImports: Object.entries(WAITING).flatMap(([part, calls]) => calls.map((call) => `${name(part)}#${call}`)),
  asyncExports: HANDLERS.map((handler) => `${name(handler)}#handle`),
  emitTypescriptDeclarations: false,
};

async function one(component, folder) {
  const stem = basename(component, ".wasm");
  rmSync(folder, { recursive: true, force: true });
  const { files } = await transpile(component, { ...options, name: stem });
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

const [from, out] = process.argv.slice(2);
if (!from || !out) throw new Error("usage: node transpile.mjs COMPONENTS OUT");
const components = readdirSync(from).filter((file) => file.endsWith(".wasm")).sort();
const changed = (file, than) => {
  const made = statSync(file, { throwIfNoEntry: false });
  return !made || made.mtimeMs < statSync(than).mtimeMs;
};
const self = new URL(import.meta.url).pathname;
const imports = [];
const entries = [];
for (const [n, file] of components.entries()) {
  const stem = basename(file, ".wasm");
  const folder = join(out, stem);
  const glue = join(folder, `${stem}.js`);
  if (changed(glue, join(from, file)) || changed(glue, self)) await one(join(from, file), folder);
  const cores = readdirSync(folder).filter((core) => core.endsWith(".wasm")).sort();
  imports.push(`import { instantiate as make${n} } from "./${stem}/${stem}.js";`);
  cores.forEach((core, c) => imports.push(`import core${n}_${c} from "./${stem}/${core}";`));
  const modules = cores.map((core, c) => `${JSON.stringify(core)}: core${n}_${c}`).join(", ");
  entries.push(`  ${JSON.stringify(stem)}: { instantiate: make${n}, cores: { ${modules} } },`);
}
// What is no more must not be run from an old build.
for (const old of readdirSync(out, { withFileTypes: true })) {
  if (old.isDirectory() && !components.includes(`${old.name}.wasm`)) rmSync(join(out, old.name), { recursive: true });
}
writeFileSync(join(out, "components.js"), `${imports.join("\n")}\nexport default {\n${entries.join("\n")}\n};\n`);
