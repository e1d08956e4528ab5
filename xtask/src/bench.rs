//! Measures, and prints what was measured.

use crate::command::{Step, cargo, program};
use crate::{components, setup, up};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The core as a bare module, to be compared with the native one.
const CORE: &str = "target/wasm/wasm32-unknown-unknown/release/examples/flow_wasm.wasm";

pub fn bench(arguments: &[String]) -> Result<()> {
    let (mut json, mut flow) = (None, "engine-core/tests/golden/own.csv.gz");
    for pair in arguments.chunks(2) {
        match pair {
            [flag, file] if flag == "--json" => json = Some(file),
            [flag, file] if flag == "--flow" => flow = file,
            _ => bail!("usage: cargo xtask bench [--json FILE] [--flow GOLDEN.csv[.gz]]"),
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
