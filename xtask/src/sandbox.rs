//! The sandbox: its worker's module, made fast.

use crate::command::{cargo, program};
use crate::setup::{self, WasmToolchain};
use crate::web::{self, Files, bind_module};
use anyhow::Result;
use std::path::Path;

const WORKER: &str = "target/wasm/wasm32-unknown-unknown/sandbox/sandbox_worker.wasm";
/// Where tests and benches find the bound worker.
const BOUND: &str = "target/wasm/sandbox-worker";
const STEPS: &str = "1000000";

/// What the browser fetches when the sandbox is opened, beside its part of the page.
const LATER: [&str; 4] = ["sandbox-worker.js", "sandbox_worker.js", "sandbox_worker_bg.wasm", "sandbox.css"];

/// Adds the sandbox's files to the page's; answers those that are loaded later.
pub fn build(toolchain: &WasmToolchain, files: &mut Files) -> Result<[String; 4]> {
    toolchain.cargo(&["build", "-p", "sandbox-worker", "--profile", "sandbox"]).run()?;
    let bound = Path::new(BOUND);
    bind_module(Path::new(WORKER), "sandbox_worker", "-O3", bound, files)?;
    // Node takes the text for what its name says.
    std::fs::write(bound.join("sandbox_worker.mjs"), &files["sandbox_worker.js"])?;
    std::fs::write(bound.join("sandbox_worker_bg.wasm"), &files["sandbox_worker_bg.wasm"])?;
    Ok(LATER.map(String::from))
}

/// How fast flows are played: natively, in the worker's module, and in Chromium, where the page stays in use meanwhile.
pub fn bench(arguments: &[String]) -> Result<()> {
    let steps = arguments.chunks(2).find_map(|pair| match pair {
        [flag, steps] if flag == "--steps" => Some(steps.as_str()),
        _ => None,
    });
    let steps = steps.unwrap_or(STEPS);
    let toolchain = setup::wasm()?;
    setup::npm("web")?;
    setup::npm("tests/browser")?;
    let browser = setup::browser()?;
    web::build(&toolchain)?;
    println!("\nnatively");
    let example =
        ["run", "-q", "--release", "-p", "sandbox", "--example", "sandbox_walk", "--", "speed", steps];
    cargo(example).run()?;
    println!("\nin the worker's module (V8)");
    program("node", ["web/sandbox/worker/bench.mjs", BOUND, steps]).run()?;
    println!("\nin Chromium");
    let flags = ["benches/browser/sandbox.mjs"].into_iter().chain(arguments.iter().map(String::as_str));
    program("node", flags).env("CHROME", &browser.to_string_lossy()).run()
}
