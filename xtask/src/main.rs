//! The project's chores as a program: `cargo xtask help`.
//!
//! Everything that a fresh machine with Rust and Node lacks is installed by the set-up step, or named in one line with
//! the command that mends it. This crate must not contain anything that the exchange needs when it runs.

mod bench;
mod command;
mod components;
mod fuzz;
mod lambda;
mod sandbox;
mod scale;
mod setup;
mod spin;
mod test;
mod up;
mod web;
mod worker;

use anyhow::{Result, bail};
use std::path::Path;

const HELP: &str = "\
cargo xtask COMMAND

  up [FLAGS]       set up what is missing, build everything, and run the exchange on http://127.0.0.1:8080
                   flags go to it: --port 8080  --data data  --fresh  --demo  (all: cargo xtask up --help)
  test             set up what is missing, then every check and test
    --backends production   only the tests of the whole exchange, over Kinesis, DynamoDB, Valkey, PostgreSQL and PostgREST
                   STATE_HASH_COMMANDS=1000000: so many commands where native, wasm and browser are compared (100,000)
  conformance      build the functions for every host, put the same cases to all of them, and write docs/conformance.md
    --record       and before, write the calls that the functions make into the cases
    --native ONLY  only the functions themselves; only the cases whose HANDLER: NAME has ONLY in it
  bench [--json F] measure the exchange; print a table, write every figure to F
    --flow G       the core runs the golden flow G
  bench core       measure the core's rows, beside other order books and in WebAssembly
                   --rows W1,W2  --rounds N  --quick  --alone  --json F; with LIQUIBOOK=FOLDER Liquibook too
  bench page       measure the page in Chromium: load, layout shift, frames under a busy feed, memory
                   --seconds 20  --minutes 10  --loads 5  --json F
  bench count      instructions a command, under valgrind; --append LABEL keeps them in benches/instructions.csv
  bench sandbox    the sandbox: its speed natively, in its worker and on a page in use; seeks, input delay, frames, memory
                   --steps 1000000  --seconds 20  --minutes 10  --json F
  bench worker [N] time N orders (2000) through the Worker and the components in workerd, a row for each way
  bench lambda [N] time N starts (41) of the archive for AWS Lambda, to its first request for an event
  scale            what 100 to 1,000,000 users need and cost, and what the simulation says of it; fail where docs/scale.md differs
    --write        and put the tables there
  fuzz [SECONDS]   feed the core's decoders and its book what may break them, a minute for each of three targets
  components       build the functions as WebAssembly components into target/components
    --check        and print a table of their imports and sizes; fail where one oversteps its world
    --twice        and build them twice more, in two new folders; fail where the bytes differ
  lambda           build the archive for AWS Lambda: target/aws-lambda/supernoba.zip
  spin [FLAGS]     build the Spin application into target/spin and, where flags are given, serve it on the component host:
                   --listen 127.0.0.1:3000  --variable NAME=VALUE  (all: cargo xtask spin --help)
  worker           build the Cloudflare Worker into target/worker, and the components for workerd into target/jco
  web              build the page into web/dist
    --checks       and what the browser test of the chart's binding loads
  setup            only set up what is missing
  fmt              format the code
  lint             check format, clippy and, where it is installed, cargo deny
  clean            remove everything built";

fn main() -> Result<()> {
    // The workspace's root, wherever the command was given.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default();
    std::env::set_current_dir(&root)?;
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match command.as_str() {
        "up" => up::up(&rest),
        "test" => test::test(&rest),
        "conformance" => {
            if !rest.iter().any(|argument| argument == "--native") {
                let toolchain = setup::wasm()?;
                setup::npm("web")?;
                setup::npm(worker::FOLDER)?;
                // With the components.
                lambda::build(&toolchain)?;
                worker::build(&toolchain)?;
                worker::transpile()?;
                spin::build(&toolchain)?;
            }
            test::conformance(&rest.iter().map(String::as_str).collect::<Vec<_>>())?.run()
        }
        "bench" => bench::bench(&rest),
        "fuzz" => fuzz::fuzz(&rest),
        "scale" => scale::scale(&rest),
        "components" => {
            let toolchain = setup::wasm()?;
            setup::npm("web")?;
            components::build(&toolchain)?;
            components::build_panics(&toolchain)?;
            let asked = |flag: &str| rest.iter().any(|given| given == flag);
            if asked("--check") {
                components::check()?;
            }
            if asked("--twice") { components::check_twice(&toolchain) } else { Ok(()) }
        }
        "lambda" => {
            let toolchain = setup::wasm()?;
            setup::npm("web")?;
            lambda::build(&toolchain)
        }
        "spin" => {
            let toolchain = setup::wasm()?;
            setup::npm("web")?;
            spin::build(&toolchain)?;
            spin::build_sample(&toolchain)?;
            if rest.is_empty() { Ok(()) } else { spin::serve(&rest) }
        }
        "worker" => {
            let toolchain = setup::wasm()?;
            setup::npm("web")?;
            setup::npm(worker::FOLDER)?;
            worker::build(&toolchain)?;
            components::build(&toolchain)?;
            worker::transpile()
        }
        "web" => {
            let toolchain = setup::wasm()?;
            setup::npm("web")?;
            web::build(&toolchain)?;
            if rest.iter().any(|given| given == "--checks") { web::build_checks(&toolchain) } else { Ok(()) }
        }
        "setup" => {
            setup::wasm()?;
            setup::npm("web")?;
            setup::npm("tests/browser")?;
            setup::npm("tests/foreign")?;
            setup::npm(worker::FOLDER)?;
            setup::npm("tests/deploy")?;
            setup::servers();
            setup::npm("engine-host/tests/aws")?;
            setup::npm("engine-host/tests/databases")?;
            setup::browser().map(|_| ())
        }
        "fmt" => command::cargo(["fmt", "--all"]).run(),
        "lint" => test::lint(),
        "clean" => {
            let built = ["target", "engine-core/fuzz/target", "web/dist"];
            let packages = [
                "web/node_modules",
                "tests/browser/node_modules",
                "tests/foreign/node_modules",
                "tests/deploy/node_modules",
                "edge-fns/worker/node_modules",
            ];
            for folder in built.into_iter().chain(packages) {
                if Path::new(folder).exists() {
                    std::fs::remove_dir_all(folder)?;
                }
            }
            Ok(())
        }
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command {other:?}\n\n{HELP}"),
    }
}
