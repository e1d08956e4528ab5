//! Liquibook, the engine that the exchange ran on before, as a program beside this one (`benches/liquibook/main.cpp`).
//!
//! It reads a row's flow from a file, and then runs it once for each line that it is sent.

use crate::measure::{Runner, Sample};
use anyhow::{Context, Result, bail};
use flows::flow::{Action, Flow, Kind, Side, Step, Tally};
use quanta::Clock;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub const NAME: &str = "Liquibook";

pub struct Liquibook {
    commands: usize,
    tally: Tally,
    running: RefCell<Running>,
}

struct Running {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Running {
    fn numbers(&mut self) -> Result<Vec<u64>> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("it ended with {}", self.process.wait()?);
        }
        line.split_whitespace().map(|number| number.parse().context("an answer that is no number")).collect()
    }

    fn round(&mut self) -> Result<u64> {
        writeln!(self.asks.as_mut().context("it has been ended")?, "again")?;
        self.numbers()?.first().copied().context("an answer without a time")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.asks = None;
        let _ = self.process.wait();
    }
}

/// Starts the program on a row's flow and has it run once.
pub fn prepare(program: &Path, flow: &Flow) -> Result<Box<dyn Runner>> {
    let file = std::env::temp_dir().join(format!("liquibook-flow-{}", std::process::id()));
    std::fs::write(&file, text(flow)).with_context(|| format!("cannot write {}", file.display()))?;
    let started = start(program, &file);
    // Read to its end before the first answer.
    let _ = std::fs::remove_file(&file);
    let (running, tally) = started?;
    Ok(Box::new(Liquibook { commands: flow.steps.len(), tally, running: RefCell::new(running) }))
}

fn start(program: &Path, file: &Path) -> Result<(Running, Tally)> {
    let mut process = Command::new(program)
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} does not start", program.display()))?;
    let asks = process.stdin.take();
    let answers = BufReader::new(process.stdout.take().context("a program without output")?);
    let mut running = Running { process, asks, answers };
    match running.numbers()?.as_slice() {
        &[fills, quantity] => Ok((running, Tally { fills, quantity })),
        answer => bail!("a first answer that is none: {answer:?}"),
    }
}

fn text(flow: &Flow) -> String {
    let mut text = format!("{} {} {}\n", flow.books, flow.preload.len(), flow.steps.len());
    for Step { book, action, .. } in flow.preload.iter().chain(&flow.steps) {
        let (kind, side, price, quantity, order) = match *action {
            Action::Add(add) => {
                let kind = match add.kind {
                    Kind::Gtc => 'G',
                    Kind::Ioc => 'I',
                    Kind::Fok => 'F',
                    Kind::Market => 'M',
                };
                (kind, if add.side == Side::Buy { 'B' } else { 'S' }, add.price, add.quantity, add.order)
            }
            Action::Cancel { order } => ('C', '-', 0, 0, order),
            Action::Replace { order, price, quantity } => ('R', '-', price, quantity, order),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{book} {kind} {side} {price} {quantity} {order}");
    }
    text
}

impl Runner for Liquibook {
    fn lacks(&self) -> &'static str {
        "C++, a process of its own; the caller keeps the orders, so that none is looked up by a number; no accounts; \
         10 levels of depth in W1, else none"
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn joins(&self, _round: usize) -> bool {
        true
    }

    fn round(&self, _clock: &Clock) -> Option<Sample> {
        let nanoseconds =
            self.running.borrow_mut().round().inspect_err(|error| println!("    {NAME}: {error:#}")).ok()?;
        Some(Sample { ns_per_command: nanoseconds as f64 / self.commands as f64, latency: None })
    }
}
