//! Lets the core's fuzz targets run, each for some time. Not part of the tests: it has no end by itself.

use crate::command::{cargo, exists};
use crate::up::step;
use anyhow::{Context, Result, bail};

const TARGETS: [&str; 3] = ["command_decoder", "snapshot_loader", "book"];
/// Bytes of an input: no snapshot or list of commands needs more to be interesting.
const LARGEST: usize = 4_096;

pub fn fuzz(arguments: &[String]) -> Result<()> {
    let seconds: u64 = match arguments {
        [] => 60,
        [seconds] => seconds.parse().with_context(|| format!("{seconds:?} is no number of seconds"))?,
        _ => bail!("usage: cargo xtask fuzz [SECONDS]"),
    };
    if !exists("cargo-fuzz") {
        bail!("cargo-fuzz is missing: cargo install cargo-fuzz");
    }
    for target in TARGETS {
        // The first folder takes what is found to be new; the second one is part of the repository.
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        std::fs::create_dir_all(format!("engine-core/{corpus}"))?;
        let (time, length) = (format!("-max_total_time={seconds}"), format!("-max_len={LARGEST}"));
        step(target, &format!("{seconds} s"), || {
            // The core has no unsafe code that a sanitizer would watch, and the stable toolchain brings none.
            cargo(["fuzz", "run", "-s", "none", target, &corpus, &seeds, "--", &time, &length])
                .env("RUSTC_BOOTSTRAP", "1")
                .within("engine-core")
                .run()
        })?;
    }
    Ok(())
}
