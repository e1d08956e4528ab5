//! The same cases to every host of the exchange's functions.
//!
//! ```text
//! conformance [--record] [--check] [--native] [ONLY]
//! ```
//!
//! A case (`cases/HANDLER.json`, [`case`]) says what is there, what happens, what fails, and what must come of it: the
//! answer, every call of a capability with its arguments, and the state afterwards. The functions are called natively first,
//! and what comes is compared with what the case says; then every other host ([`hosts`]) gets the same events over the same
//! scripted capabilities ([`backend`]), and has to answer as the functions did, call the same, and leave the same state,
//! whole. What a host's platform does not tell is compared as far as it does: `docs/conformance.md` says what, and is
//! written by this.
//!
//! - `--record` writes the calls that the functions make into the cases. Answers and states are written by hand.
//! - `--check` fails where the table differs from the one that is written down, in place of writing it.
//! - `--native` leaves the other hosts out. `ONLY` runs the cases whose `HANDLER: NAME` it is in.

mod backend;
mod case;
mod expected;
mod hosts;
mod record;
mod run;
mod state;
mod table;

use anyhow::{Context, Result, bail};
use case::{Case, File, HANDLERS};
use run::Verdict;
use std::path::Path;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<()> {
    let mut only = String::new();
    let (mut recording, mut checking, mut native) = (false, false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--record" => recording = true,
            "--check" => checking = true,
            "--native" => native = true,
            flag if flag.starts_with('-') => bail!("there is no {flag}: --record, --check, --native"),
            text => only = text.to_owned(),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().context("the repository")?;
    let folder = root.join("tests/conformance/cases");
    if recording {
        record::record(&folder).await?;
    }
    let mut cases: Vec<Case> = Vec::new();
    for handler in HANDLERS {
        let wanted = |case: &Case| format!("{handler}: {}", case.name).contains(&only);
        cases.extend(File::read(&folder, handler)?.cases.into_iter().filter(wanted));
    }
    let cases = Arc::new(cases);
    let all = run::all(&root, &cases, native).await?;
    let (mut passed, mut failed) = (0, 0);
    for (host, verdicts) in &all {
        for (case, verdict) in cases.iter().zip(verdicts) {
            match verdict {
                Verdict::Same => passed += 1,
                Verdict::Cannot(_) => {}
                Verdict::Differs(lines) => {
                    failed += 1;
                    println!("\n{host}: {}: {}", case.handler, case.name);
                    lines.iter().for_each(|line| println!("    {line}"));
                }
            }
        }
    }
    let document = table::document(&cases, &all);
    println!("\n{}", table::summary(&cases, &all));
    let outcome = match failed {
        0 => "ok",
        _ => "FAILED",
    };
    // As cargo's own runner says it.
    println!("test result: {outcome}. {passed} passed; {failed} failed; {} cases", cases.len());
    if failed > 0 {
        bail!("{failed} cases differ");
    }
    if !only.is_empty() || native {
        return Ok(());
    }
    let path = root.join("docs/conformance.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written == document {
        return Ok(());
    }
    if checking {
        bail!("{} does not say what ran: `cargo xtask conformance` writes it", path.display());
    }
    std::fs::write(&path, document)?;
    println!("{} is written", path.display());
    Ok(())
}
