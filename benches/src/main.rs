//! What the matching core does on this machine, and what the order books of others do in the same run.
//!
//! ```text
//! cargo xtask bench core [--rows W1,W2] [--rounds N] [--quick] [--json FILE]
//! cargo xtask bench count [--append LABEL]
//! ```
//!
//! Every row is a flow of commands made before the clock runs, in each subject's own types. Rounds are interleaved: the
//! core, then each peer, then the core again. This crate must not be needed by anything: it is a workspace of its own, so
//! that what it depends on stays out of the product.

mod count;
mod liquibook;
mod measure;
mod memory;
mod subjects;
mod table;
mod wasm;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use flows::ours::Ours;
use flows::rows::{Row, Size};
use flows::subject::Subject;
use measure::{Runner, prepare};
use serde_json::Value;
use std::path::PathBuf;
use std::rc::Rc;
use table::{Line, Measured};

#[derive(Debug, Parser)]
#[command(about = "Measures the matching core, and the order books of others beside it")]
struct Command {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Count the instructions a command of W2, under valgrind
    Count(count::Options),
}

#[derive(Debug, Args)]
struct Options {
    /// Rows to measure
    #[arg(long, value_delimiter = ',', default_values_t = Row::ALL.map(Shown))]
    rows: Vec<Shown>,
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// A fifth of the commands, three rounds
    #[arg(long)]
    quick: bool,
    /// The core alone
    #[arg(long)]
    alone: bool,
    /// Write every figure to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// The processor that measures; by default the last
    #[arg(long)]
    cpu: Option<usize>,
    /// The core as a WebAssembly module, compared with the native one (`cargo xtask bench core` builds it)
    #[arg(long)]
    wasm: Option<PathBuf>,
    /// Run the module in Chromium too
    #[arg(long, requires = "wasm")]
    browser: bool,
    /// Liquibook's side of the rows, a program (`cargo xtask bench core` builds it)
    #[arg(long)]
    liquibook: Option<PathBuf>,
}

/// A row on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown(Row);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl std::str::FromStr for Shown {
    type Err = String;

    fn from_str(text: &str) -> Result<Shown, String> {
        text.parse().map(Shown)
    }
}

fn main() -> Result<()> {
    let command = Command::parse();
    match &command.other {
        Some(Other::Count(options)) => count::count(options),
        None => {
            memory::keep_warm()?;
            rows(&command.options)
        }
    }
}

fn rows(options: &Options) -> Result<()> {
    let size = if options.quick { Size::Quick } else { Size::Full };
    let rounds = if options.quick { options.rounds.min(3) } else { options.rounds }.max(1);
    // The browser is started before this process keeps to one processor, as it would keep to it too.
    let browser = match (&options.wasm, options.browser) {
        (Some(module), true) => {
            wasm::Engine::browser(module, size).inspect_err(|error| println!("no browser: {error:#}")).ok()
        }
        _ => None,
    };
    pin(options.cpu);
    let clock = quanta::Clock::new();
    let empty = measure::empty(&clock, size.commands());
    println!(
        "timer around nothing: p50 {:.0} ns, p99 {:.0} ns, p99.9 {:.0} ns, max {:.0} ns; it is in every quantile below",
        empty.p50, empty.p99, empty.p999, empty.max
    );
    let mut figures = vec![serde_json::json!({
        "name": "timer around nothing", "unit": "ns", "median": empty.p50, "min": empty.p50, "max": empty.max,
        "latency_ns": {"p50": empty.p50, "p99": empty.p99, "p99.9": empty.p999, "max": empty.max},
    })];
    let mut mixed = None;
    for &Shown(row) in &options.rows {
        let lines = measure_row(row, size, rounds, options, mixed, &clock)?;
        if row == Row::W2 {
            mixed = table::ours(&lines);
        }
        table::figures(row, &lines, &mut figures);
    }
    if let Some(module) = &options.wasm {
        let rows: Vec<Row> = options.rows.iter().map(|shown| shown.0).collect();
        let mut engines: Vec<_> =
            [wasm::Engine::wasmtime(module, size)?].into_iter().chain(browser).collect();
        wasm::compare(&mut engines, &rows, size, rounds, &mut figures)?;
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&Value::from(figures))?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn pin(wanted: Option<usize>) {
    let all = core_affinity::get_core_ids().unwrap_or_default();
    let found = match wanted {
        Some(id) => all.iter().find(|core| core.id == id),
        None => all.last(),
    };
    match found {
        Some(&core) if core_affinity::set_for_current(core) => println!("on processor {}", core.id),
        _ => println!("not kept to one processor: the system does not allow it"),
    }
}

/// Measures a row and prints it; ours comes first.
fn measure_row(
    row: Row,
    size: Size,
    rounds: usize,
    options: &Options,
    mixed: Option<f64>,
    clock: &quanta::Clock,
) -> Result<Vec<Line>> {
    let flow = Rc::new(row.flow(size));
    table::header(row, &flow);
    type Prepared = (&'static str, Result<Box<dyn Runner>>);
    let mut prepared: Vec<Prepared> = vec![(Ours::NAME, prepare::<Ours>(row, &flow))];
    if let Some(program) = &options.liquibook {
        prepared.push((liquibook::NAME, liquibook::prepare(program, &flow)));
    }
    if !options.alone {
        prepared.extend([
            (subjects::Matchcore::NAME, prepare::<subjects::Matchcore>(row, &flow)),
            (subjects::Nanobook::NAME, prepare::<subjects::Nanobook>(row, &flow)),
            (subjects::Lobster::NAME, prepare::<subjects::Lobster>(row, &flow)),
            (subjects::OrderbookRs::NAME, prepare::<subjects::OrderbookRs>(row, &flow)),
            (subjects::RustOrderBook::NAME, prepare::<subjects::RustOrderBook>(row, &flow)),
            (subjects::RustOb::NAME, prepare::<subjects::RustOb>(row, &flow)),
            (subjects::Limitbook::NAME, prepare::<subjects::Limitbook>(row, &flow)),
        ]);
    }
    let mut runners = Vec::new();
    let mut lines = Vec::new();
    for (subject, outcome) in prepared {
        let outcome = outcome.map_err(|error| error.to_string());
        let lacks = outcome.as_ref().map_or("", |runner| runner.lacks());
        let tally = outcome.as_ref().map(|runner| runner.tally());
        let measured = tally.map(|tally| Measured { tally, ..Measured::default() });
        lines.push(Line { subject, lacks, outcome: measured.map_err(Clone::clone) });
        runners.push(outcome.ok());
    }
    for round in 0..rounds {
        let mut ours = None;
        for (line, runner) in lines.iter_mut().zip(&runners) {
            let (Ok(measured), Some(runner)) = (&mut line.outcome, runner) else { continue };
            if runner.joins(round)
                && let Some(sample) = runner.round(clock)
            {
                let base = *ours.get_or_insert(sample.ns_per_command);
                measured.ratios.push(sample.ns_per_command / base);
                measured.samples.push(sample);
            }
        }
    }
    for line in &lines {
        table::line(line, flow.expected);
    }
    table::verdict(row, &flow, &lines, mixed);
    table::notes(&lines, &flow);
    Ok(lines)
}
