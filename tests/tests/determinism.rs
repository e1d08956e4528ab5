//! The core gives the same answer wherever it runs: natively with and without optimisation, and as WebAssembly in
//! wasmtime. `browser/determinism.test.mjs` compares Chromium with them.
//!
//! `STATE_HASH_COMMANDS` says how many commands are run. With `SUPERNOBA_FULL_TESTS=1`, as `cargo xtask test` sets it, a missing
//! module is a failure; without it, only native builds are compared then.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use system_tests::repository;

/// Where `cargo xtask test` builds it.
const MODULE: &str = "target/wasm/wasm32-unknown-unknown/release/examples/state_hash_wasm.wasm";
const SEED: u64 = 1;

fn commands() -> u64 {
    std::env::var("STATE_HASH_COMMANDS").map_or(100_000, |text| text.parse().expect("a number of commands"))
}

/// What the native program prints, built with these flags.
fn native(flags: &[&str]) -> String {
    let program = Command::new(env!("CARGO"))
        .args(["run", "-q", "-p", "engine-core", "--example", "state_hash"])
        .args(flags)
        .args(["--", &commands().to_string(), &SEED.to_string()])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(program.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&program.stderr));
    String::from_utf8(program.stdout).expect("a line").trim().into()
}

/// The same line out of the module.
fn in_wasmtime(path: &Path) -> wasmtime::Result<String> {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::from_file(&engine, path)?;
    let mut store = wasmtime::Store::new(&engine, ());
    // It imports nothing: there is nothing that could differ from one host to the next.
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(u64, u64), u32>(&mut store, "state_hash")?;
    let length = instance.get_typed_func::<(), u32>(&mut store, "length")?;
    let at = run.call(&mut store, (SEED, commands()))? as usize;
    let length = length.call(&mut store, ())? as usize;
    let memory = instance.get_memory(&mut store, "memory").expect("a memory");
    Ok(String::from_utf8_lossy(&memory.data(&store)[at..at + length]).into_owned())
}

/// Without the module half of the test is missing, which must not look like a pass where everything is tested.
fn skipped(module: &Path) {
    let missing = format!("{} is missing; `cargo xtask test` builds it", module.display());
    assert!(std::env::var("SUPERNOBA_FULL_TESTS").as_deref() != Ok("1"), "{missing}");
    // Past the capture of a passing test's output.
    let _ = writeln!(std::io::stderr(), "wasmtime SKIPPED: {missing}");
}

#[test]
fn the_same_commands_give_the_same_events_and_snapshots_everywhere() {
    let optimised = native(&["--release"]);
    assert!(optimised.starts_with(&format!("commands={} ", commands())), "{optimised}");
    let plain = native(&[]);
    assert_eq!(plain, optimised, "native without optimisation, and with it");
    let module = repository().join(MODULE);
    if !module.is_file() {
        return skipped(&module);
    }
    let there = in_wasmtime(&module).unwrap_or_else(|error| panic!("{}: {error:#}", module.display()));
    assert_eq!(there, optimised, "wasmtime, and native");
    println!("{optimised}");
}
