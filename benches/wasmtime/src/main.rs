//! The core's module in wasmtime: takes a row's name a line, runs it, answers with its time, as `browser/run.mjs` does
//! in Chromium. This crate must not do anything else.
//!
//! ```text
//! wasmtime-host MODULE.wasm QUICK
//! ```

use anyhow::{Context, Result};
use std::io::Write;
use std::time::Instant;
use wasmtime::{Engine, Instance, Module, Store};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("usage: wasmtime-host MODULE.wasm QUICK")?;
    let quick: u32 = arguments.next().as_deref().unwrap_or("0").parse()?;
    let engine = Engine::default();
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {file}"))?;
    let module = Module::new(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    for row in ["w1", "w2", "w6"] {
        let prepare = instance.get_typed_func::<u32, u32>(&mut store, &format!("prepare_{row}"))?;
        prepare.call(&mut store, quick)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    for line in std::io::stdin().lines() {
        let row = line?;
        if row == "end" {
            break;
        }
        let run = instance.get_typed_func::<(), u32>(&mut store, &format!("run_{row}"))?;
        let started = Instant::now();
        let fills = run.call(&mut store, ())?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        writeln!(out, r#"{{"fills":{fills},"milliseconds":{milliseconds}}}"#)?;
    }
    Ok(())
}
