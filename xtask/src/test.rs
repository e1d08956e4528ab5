//! Every check and test, one after the other; the first that fails ends the run.

use crate::command::{Step, cargo, exists, program};
use crate::up::step;
use crate::{components, lambda, setup, spin, web, worker};
use anyhow::{Result, bail};
use std::time::Instant;

/// The crates of the page run in a browser; natively they are only tested.
const PAGE: [&str; 2] = ["web", "lightweight-charts"];

/// What runs natively with what the exchange is built with: nothing here asks more of a dependency than the exchange does, or
/// all of them would be compiled twice. This program's own tests have run by then, as it was built.
const NATIVE: [&str; 14] = [
    "-p",
    "engine-core",
    "-p",
    "edge-fns",
    "-p",
    "engine-host",
    "-p",
    "sandbox",
    "-p",
    "conformance",
    "-p",
    "simulation",
    // Off by default: the tests of the shard and its snapshots need it.
    "--features",
    "engine-core/wire",
];

/// What asks more: of tokio a clock that stands still, and of wasmtime what only Spin needs.
const HOSTS: [&str; 6] = ["-p", "edge-host", "-p", "streamer", "--features", "edge-host/spin"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Every check and test; with `--backends production` only the tests of the whole exchange, over the servers that it stands on when it
/// runs on many machines.
pub fn test(arguments: &[String]) -> Result<()> {
    let run = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--backends", "embedded"] => run,
        ["--backends", "production"] => on_servers,
        _ => bail!("there is only: cargo xtask test [--backends production]"),
    };
    let started = Instant::now();
    let mut count = Count::default();
    let outcome = run(&mut count);
    if let Err(error) = &outcome {
        count.failed = count.failed.max(1);
        println!("\nfailed: {error:#}");
    }
    println!("\nall steps: {:.0} s", started.elapsed().as_secs_f64());
    println!("{} passed, {} failed", count.passed, count.failed);
    outcome
}

fn run(count: &mut Count) -> Result<()> {
    let (toolchain, browser) = step("set-up", "what is missing on this machine", || {
        let toolchain = setup::wasm()?;
        setup::npm("web")?;
        setup::npm("tests/browser")?;
        setup::npm("tests/foreign")?;
        setup::npm("engine-host/tests/aws")?;
        // Where it cannot be had, what needs it says that it was skipped.
        setup::servers();
        setup::npm("engine-host/tests/databases")?;
        setup::npm(worker::FOLDER)?;
        setup::npm("tests/deploy")?;
        Ok((toolchain, setup::browser()?))
    })?;
    step("format", "cargo fmt --check", || cargo(["fmt", "--all", "--check"]).run())?;
    step("components", "build and check", || {
        components::build(&toolchain)?;
        components::build_foreign()?;
        components::build_panics(&toolchain)?;
        components::check()
    })?;
    step("worker", "the Worker, and the components for workerd", || {
        worker::build(&toolchain)?;
        worker::transpile()
    })?;
    step("spin", "the Spin application, and the sample for the host's tests", || {
        spin::build(&toolchain)?;
        spin::build_sample(&toolchain)
    })?;
    step("again", "the components once more, from a copy: the same bytes", || {
        components::check_again(&toolchain)
    })?;
    step("page", "build", || {
        web::build(&toolchain)?;
        web::build_checks(&toolchain)
    })?;
    // What the tests of determinism run in wasmtime and in Chromium.
    step("core module", "the core as WebAssembly", || {
        toolchain.cargo(&["build", "--release", "-p", "engine-core", "--example", "state_hash_wasm"]).run()
    })?;
    step("build", "the exchange", || {
        cargo(["build", "--release", "-p", "engine-host", "--bin", "supernoba"]).run()
    })?;
    step("lambda", "the archive for AWS Lambda", || lambda::build(&toolchain))?;
    step("clippy", "warnings are errors", clippy)?;
    step("core alone", "its documentation, and without features", core_alone)?;
    step("core", "tests with overflow checks (dev profile)", || {
        counted(
            cargo(["test", "-p", "engine-core", "-p", "edge-fns", "-p", "xtask", "--all-features"]),
            count,
        )
    })?;
    step("native", "unit, property and conformance tests (release)", || tested(&NATIVE, count))?;
    step("system", "the whole exchange: crashes, bad input, determinism", || {
        tested(&["-p", "system-tests"], count)
    })?;
    // What the worker's states are compared with.
    step("sandbox", "its walk, natively", || {
        cargo(["build", "--release", "-p", "sandbox", "--example", "sandbox_walk"]).run()
    })?;
    step("lambda tests", "the archive behind a runtime API", || {
        let all = cargo(["test", "--profile", "lambda", "-p", "edge-lambda"]);
        counted(all.env("SUPERNOBA_FULL_TESTS", "1"), count)
    })?;
    step("hosts", "the host of the functions, Spin's too, and the streamer", || tested(&HOSTS, count))?;
    step("conformance", "the same cases to every host of the functions", || {
        // Its other programs were built with their tests.
        cargo(["build", "--release", "--bin", "conformance"].into_iter().chain(NATIVE)).run()?;
        counted(program("target/release/conformance", ["--check"]), count)
    })?;
    step("page logic", "unit tests of the page's crates", || {
        counted(
            cargo(PAGE.iter().fold(vec!["test", "--lib"], |mut all, name| {
                all.extend(["-p", *name]);
                all
            })),
            count,
        )
    })?;
    step("worker tests", "the Worker and the components in workerd", || {
        let server = ["build", "-p", "edge-fns", "--features", "testing", "--example", "capability_server"];
        cargo(server).run()?;
        let files = ["--test", "--test-reporter=tap", "tests/worker/worker.test.mjs"];
        counted(program("node", files), count)
    })?;
    step("lambda stack", "the archive behind API Gateway, Kinesis and EventBridge of a stand-in", || {
        if setup::servers().is_none() {
            println!("skipped: there is no ministack on this machine");
            return Ok(());
        }
        let files = ["--test", "--test-reporter=tap", "tests/lambda/ministack.test.mjs"];
        counted(program("node", files), count)
    })?;
    step("deploy", "Terraform, units, container file and runbook against the code", || {
        let files = ["--test", "--test-reporter=tap", "tests/deploy/"];
        counted(program("node", files), count)
    })?;
    step("browser", "end to end in Chromium", || {
        let files = ["--test", "--test-concurrency=1", "--test-reporter=tap", "tests/browser/"];
        counted(program("node", files).env("CHROME", &browser.to_string_lossy()), count)
    })
}

/// The tests of the whole exchange that need nothing of the embedded one's own.
const ANYWHERE: [&str; 12] = [
    "-p",
    "system-tests",
    "--test",
    "trading",
    "--test",
    "crash",
    "--test",
    "functions",
    "--test",
    "capabilities",
    "--test",
    "production",
];

fn production(count: &mut Count) -> Result<()> {
    if setup::servers().is_none() {
        println!("skipped: the servers cannot be had on this machine");
        return Ok(());
    }
    let all = cargo(["test", "--release"].iter().chain(&ANYWHERE).copied().chain(["--", "--test-threads=1"]));
    counted(all.env("SUPERNOBA_FULL_TESTS", "1").env("SUPERNOBA_BACKENDS", "production"), count)
}

fn on_servers(count: &mut Count) -> Result<()> {
    let toolchain = step("set-up", "what is missing on this machine", || {
        let toolchain = setup::wasm()?;
        setup::npm("engine-host/tests/aws")?;
        setup::npm("engine-host/tests/databases")?;
        setup::servers();
        Ok(toolchain)
    })?;
    step("components", "build", || components::build(&toolchain))?;
    step("build", "the exchange", || {
        cargo(["build", "--release", "-p", "engine-host", "--bin", "supernoba"]).run()
    })?;
    step("production", "the whole exchange over Kinesis, DynamoDB, Valkey, PostgreSQL and PostgREST", || {
        production(count)
    })
}

pub fn lint() -> Result<()> {
    cargo(["fmt", "--all", "--check"]).run()?;
    clippy()?;
    core_alone()?;
    if exists("cargo-deny") {
        cargo(["deny", "check"]).run()
    } else {
        println!(
            "cargo deny is not installed: licences and advisories were not checked (cargo install cargo-deny)"
        );
        Ok(())
    }
}

fn clippy() -> Result<()> {
    cargo(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()?;
    let spin = ["clippy", "--release", "-p", "edge-host", "--features", "spin", "--all-targets"];
    cargo(spin.into_iter().chain(["--", "-D", "warnings"])).run()
}

/// What others get of the core: its documentation holds, and it builds without what this workspace turns on.
fn core_alone() -> Result<()> {
    cargo(["doc", "-p", "engine-core", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .run()?;
    cargo(["check", "-p", "engine-core", "--no-default-features"]).run()
}

/// The program that puts the cases to the hosts, which are built but for Spin's: no other program asks of wasmtime what it does.
pub fn conformance(arguments: &[&str]) -> Result<Step> {
    cargo(["build", "--release", "-p", "edge-host", "--features", "spin", "--bin", "spin-host"]).run()?;
    let run = ["run", "-q", "--release", "-p", "conformance", "--"];
    Ok(cargo(run.into_iter().chain(arguments.iter().copied())))
}

/// Runs the tests of these packages (release). One that would be skipped for want of something that was built before fails.
fn tested(packages: &[&str], count: &mut Count) -> Result<()> {
    let all = cargo(["test", "--release"].iter().chain(packages).copied());
    counted(all.env("SUPERNOBA_FULL_TESTS", "1"), count)
}

/// Runs a test command and adds what it counted.
fn counted(step: Step, count: &mut Count) -> Result<()> {
    let mut here = Count::default();
    let outcome = step.each_line(|line| {
        let (passed, failed) = counts(line);
        here.passed += passed;
        here.failed += failed;
    });
    count.passed += here.passed;
    count.failed += here.failed;
    outcome?;
    if here == Count::default() {
        bail!("no test ran");
    }
    Ok(())
}

/// Passed and failed of a runner's closing line: cargo's, or TAP's.
fn counts(line: &str) -> (u64, u64) {
    let number =
        |text: Option<&str>| text.and_then(|text| text.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
    if let Some(rest) = line.strip_prefix("test result: ") {
        let mut parts = rest.split(['.', ';']).skip(1);
        return (number(parts.next()), number(parts.next()));
    }
    if let Some(rest) = line.strip_prefix("# pass ") {
        return (number(Some(rest)), 0);
    }
    (0, number(line.strip_prefix("# fail ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let line =
            "test result: ok. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s";
        assert_eq!(counts(line), (13, 2));
        assert_eq!(counts("# pass 4"), (4, 0));
        assert_eq!(counts("# fail 1"), (0, 1));
        assert_eq!(counts("running 3 tests"), (0, 0));
    }
}
