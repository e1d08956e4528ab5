//! What so many users need: the tables of `docs/scale.md`.

use crate::command::cargo;
use anyhow::{Result, bail};

const DOCUMENT: &str = "docs/scale.md";

pub fn scale(arguments: &[String]) -> Result<()> {
    let mode = match arguments {
        [] => "--check",
        [one] if one == "--write" || one == "--check" => one,
        other => bail!("scale takes --write or nothing, not {}", other.join(" ")),
    };
    cargo(["run", "-q", "--release", "-p", "simulation", "--", mode, DOCUMENT]).run()
}
