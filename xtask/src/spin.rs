//! The Spin application: the shell's component, and the sample that the host's tests run.

use crate::command::cargo;
use crate::components;
use crate::setup::WasmToolchain;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Where `spin.toml` looks for it.
pub const BUILT: &str = "target/spin";
pub const MODULES: &str = "target/wasm/wasm32-unknown-unknown/component";
pub const SHELL: &str = "edge_spin";
const SAMPLE: &str = "spin_sample";
/// All functions in one component, where `components` allows 250 KB for each.
const LARGEST: usize = 1280 << 10;

/// What the shell may import, whatever version of it: the least that its work takes.
const GRANTED: [&str; 12] = [
    "spin:variables/variables",
    "wasi:http/types",
    "wasi:http/client",
    "wasi:clocks/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:random/random",
    // For lines of the log, which a panic writes too.
    "wasi:cli/stderr",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/types",
];

/// Builds the application into `target/spin`, and fails where it is too large or imports more than it should.
pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    let shell = component(toolchain, "edge-spin", SHELL)?;
    let imports = components::imports_of(&shell)?;
    println!("{SHELL:<16} {:>8}  {}", shell.len(), imports.iter().cloned().collect::<Vec<_>>().join(" "));
    let name = |import: &str| import.split('@').next().unwrap_or(import).to_owned();
    let wrong: Vec<&String> =
        imports.iter().filter(|import| !GRANTED.contains(&name(import).as_str())).collect();
    if !wrong.is_empty() {
        bail!("the Spin shell imports what it was not granted: {wrong:?}");
    }
    if shell.len() > LARGEST {
        bail!("the Spin shell has {} bytes, over {LARGEST}", shell.len());
    }
    Ok(())
}

/// Builds the sample that the host's tests run.
pub fn build_sample(toolchain: &WasmToolchain) -> Result<()> {
    component(toolchain, "spin-sample", SAMPLE).map(|_| ())
}

/// Serves the application; the flags go to the host.
pub fn serve(flags: &[String]) -> Result<()> {
    let mut arguments =
        vec!["run", "--release", "-p", "edge-host", "--features", "spin", "--bin", "spin-host", "--"];
    arguments.extend(["--manifest", "edge-fns/spin/spin.toml"]);
    arguments.extend(flags.iter().map(String::as_str));
    cargo(arguments).run()
}

fn component(toolchain: &WasmToolchain, package: &str, name: &str) -> Result<Vec<u8>> {
    toolchain.cargo(&["build", "-p", package, "--profile", "component"]).run()?;
    let module = Path::new(MODULES).join(format!("{name}.wasm"));
    std::fs::create_dir_all(BUILT)?;
    let target = Path::new(BUILT).join(format!("{name}.wasm"));
    if !components::is_newer(&target, &module)? {
        std::fs::write(&target, components::component(&module)?)?;
    }
    std::fs::read(&target).with_context(|| format!("{} cannot be read", target.display()))
}
