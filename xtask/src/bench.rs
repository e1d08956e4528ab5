//! Measures, and prints what was measured.

use crate::command::{Step, cargo, program};
use crate::{components, lambda, sandbox, setup, up, web, worker};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;

/// The core as a bare module, to be compared with the native one.
const CORE: &str = "target/wasm/wasm32-unknown-unknown/release/examples/flow_wasm.wasm";

/// The benches of the core are a workspace of their own, and so is what they build.
const BENCHES: [&str; 6] =
    ["--release", "--manifest-path", "benches/Cargo.toml", "--target-dir", "target/benches", "--quiet"];
const CORE_BENCH: &str = "target/benches/release/core-bench";
const LIQUIBOOK: &str = "target/benches/liquibook";
const FLOWS: &str = "target/wasm/wasm32-unknown-unknown/release/flows_wasm.wasm";

pub fn bench(arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        Some((what, rest)) if what == "core" => core(rest),
        Some((what, rest)) if what == "sandbox" => sandbox::bench(rest),
        Some((what, rest)) if what == "page" => page(rest),
        Some((what, rest)) if what == "count" => {
            build_benches()?;
            program(CORE_BENCH, ["count"].into_iter().chain(rest.iter().map(String::as_str))).run()
        }
        Some((what, rest)) if what == "worker" => functions_in_workerd(rest),
        Some((what, rest)) if what == "lambda" => starts_on_lambda(rest),
        _ => exchange(arguments),
    }
}

fn build_benches() -> Result<()> {
    cargo(["build"].into_iter().chain(BENCHES)).run()
}

/// Orders to the Worker and to the components in workerd: node tests/worker/bench.mjs [ROUNDS].
fn functions_in_workerd(arguments: &[String]) -> Result<()> {
    let toolchain = setup::wasm()?;
    setup::npm("web")?;
    setup::npm(worker::FOLDER)?;
    worker::build(&toolchain)?;
    components::build(&toolchain)?;
    worker::transpile()?;
    cargo([
        "build",
        "--release",
        "-p",
        "edge-fns",
        "--features",
        "testing",
        "--example",
        "capability_server",
    ])
    .run()?;
    program("node", ["tests/worker/bench.mjs"].into_iter().chain(arguments.iter().map(String::as_str))).run()
}

/// From the bootstrap's start to its first request for an event: node tests/lambda/bench.mjs [STARTS].
fn starts_on_lambda(arguments: &[String]) -> Result<()> {
    let toolchain = setup::wasm()?;
    setup::npm("web")?;
    lambda::build(&toolchain)?;
    program("node", ["tests/lambda/bench.mjs"].into_iter().chain(arguments.iter().map(String::as_str))).run()
}

/// The core's rows, beside those of other order books, and in WebAssembly.
fn core(arguments: &[String]) -> Result<()> {
    let toolchain = setup::wasm()?;
    setup::npm("tests/browser")?;
    let browser = setup::browser()?;
    build_benches()?;
    let host = ["build", "--profile", "host", "-p", "wasmtime-host"];
    cargo(host.into_iter().chain(BENCHES.into_iter().skip(1))).run()?;
    let wasm = ["build", "--release", "--manifest-path", "benches/Cargo.toml", "-p", "flows-wasm", "--quiet"];
    toolchain.cargo(&wasm).run()?;
    let mut flags = vec!["--wasm", FLOWS, "--browser"];
    if build_liquibook()? {
        flags.extend(["--liquibook", LIQUIBOOK]);
    }
    flags.extend(arguments.iter().map(String::as_str));
    program(CORE_BENCH, flags).env("CHROME", &browser.to_string_lossy()).run()
}

/// The engine that the exchange ran on before, from a copy of its source that `LIQUIBOOK` names; says whether there is
/// one.
fn build_liquibook() -> Result<bool> {
    let Some(source) = std::env::var_os("LIQUIBOOK") else {
        println!("Liquibook is not measured: LIQUIBOOK does not say where a copy of its source is");
        return Ok(false);
    };
    let source = Path::new(&source).join("src");
    let (headers, orders) = (format!("-I{}", source.display()), source.join("simple/simple_order.cpp"));
    let orders = orders.to_string_lossy();
    let flags = [
        "-O3",
        "-DNDEBUG",
        "-std=c++17",
        "-w",
        &headers,
        "benches/liquibook/main.cpp",
        &orders,
        "-o",
        LIQUIBOOK,
    ];
    program("c++", flags).run()?;
    Ok(true)
}

/// The page in Chromium, under a feed that is made up before a real exchange.
fn page(arguments: &[String]) -> Result<()> {
    let toolchain = setup::wasm()?;
    setup::npm("web")?;
    setup::npm("tests/browser")?;
    let browser = setup::browser()?;
    components::build(&toolchain)?;
    web::build(&toolchain)?;
    cargo(["build", "--release", "-p", "engine-host", "--bin", "supernoba"]).run()?;
    let flags = ["benches/browser/page.mjs"].into_iter().chain(arguments.iter().map(String::as_str));
    program("node", flags).env("CHROME", &browser.to_string_lossy()).run()
}

/// Everything together, from the front door on.
fn exchange(arguments: &[String]) -> Result<()> {
    let (mut json, mut flow) = (None, "engine-core/tests/golden/own.csv.gz");
    for pair in arguments.chunks(2) {
        match pair {
            [flag, file] if flag == "--json" => json = Some(file),
            [flag, file] if flag == "--flow" => flow = file,
            _ => bail!(
                "usage: cargo xtask bench [core | count | lambda | page | sandbox | worker] [--json FILE] [--flow GOLDEN.csv[.gz]]"
            ),
        }
    }
    let toolchain = setup::wasm()?;
    setup::npm("web")?;
    components::build(&toolchain)?;
    // Everything is built before anything is measured.
    cargo(["build", "--release", "-p", "engine-host", "--bin", "supernoba"]).run()?;
    cargo(["build", "--release", "-p", "edge-host", "--examples"]).run()?;
    toolchain.cargo(&["build", "-q", "--release", "-p", "engine-core", "--example", "flow_wasm"]).run()?;
    let mut figures = Vec::new();
    let exchange = ["bench", "--components", components::COMPONENTS, "--core-wasm", CORE, "--flow", flow];
    collect(program(up::BINARY, exchange), &mut figures)?;
    collect(
        cargo(["run", "-q", "--release", "-p", "edge-host", "--example", "bench_order_router"]),
        &mut figures,
    )?;

    println!("\n{:<44} {:>12} {:>12} {:>12}  unit", "figure", "median", "min", "max");
    for figure in &figures {
        let text = |name: &str| figure[name].as_str().unwrap_or("?").to_string();
        let number = |name: &str| figure[name].as_f64().map_or("?".into(), |value| format!("{value:.2}"));
        let (name, unit) = (text("name"), text("unit"));
        println!("{name:<44} {:>12} {:>12} {:>12}  {unit}", number("median"), number("min"), number("max"));
    }
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(&figures)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// Runs a bench program; each line of its output that is a figure counts.
fn collect(step: Step, figures: &mut Vec<Value>) -> Result<()> {
    step.each_line(|line| {
        if let Ok(figure) = serde_json::from_str::<Value>(line)
            && figure["name"].is_string()
            && figure["median"].is_number()
        {
            figures.push(figure);
        }
    })
}
