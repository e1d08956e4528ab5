//! From a fresh clone to a running exchange.

use crate::command::{cargo, program};
use crate::{components, setup, web};
use anyhow::Result;
use std::os::unix::process::CommandExt;
use std::time::Instant;

pub const BINARY: &str = "target/release/supernoba";

pub fn up(flags: &[String]) -> Result<()> {
    let toolchain = step("1/4", "what is missing on this machine", || {
        let toolchain = setup::wasm()?;
        setup::npm("web")?;
        Ok(toolchain)
    })?;
    step("2/4", "the functions as components", || components::build(&toolchain))?;
    step("3/4", "the page", || web::build(&toolchain))?;
    step("4/4", "the exchange (the first time takes some minutes)", || {
        cargo(["build", "--release", "-p", "engine-host", "--bin", "supernoba"]).run()
    })?;
    let all = ["up", "--components", components::COMPONENTS, "--web", web::DIST];
    let arguments = all.into_iter().map(String::from).chain(flags.iter().cloned());
    // From here on this process is the exchange.
    Err(program(BINARY, arguments).into_command().exec().into())
}

pub fn step<T>(number: &str, what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("[{number}] {what} …");
    let started = Instant::now();
    let done = run()?;
    println!("[{number}] {what}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}
