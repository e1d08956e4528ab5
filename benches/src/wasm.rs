//! The core natively, in wasmtime and in Chromium, in turns: the same source, the same flow, the same loop.
//!
//! Each engine is a program that holds the module, takes a row a line, and answers with the time that it took.

use crate::table::Spread;
use anyhow::{Context, Result, ensure};
use flows::ours::Prepared;
use flows::rows::{Row, Size};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The rows that the module has.
const ROWS: [Row; 3] = [Row::W1, Row::W2, Row::W6];
/// A browser compiles again what is run often.
const WARM_UP: usize = 5;

#[derive(Debug)]
pub struct Engine {
    name: &'static str,
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Engine {
    pub fn wasmtime(module: &Path, size: Size) -> Result<Engine> {
        // Built beside this program, with another profile.
        let folder = std::env::current_exe()?;
        let folder = folder.ancestors().nth(2).context("this program is in no folder")?.join("host");
        Engine::start("WebAssembly in wasmtime", Command::new(folder.join("wasmtime-host")).arg(module), size)
    }

    pub fn browser(module: &Path, size: Size) -> Result<Engine> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/run.mjs");
        Engine::start("WebAssembly in Chromium", Command::new("node").arg(script).arg(module), size)
    }

    fn start(name: &'static str, command: &mut Command, size: Size) -> Result<Engine> {
        let mut process = command
            .arg(if size == Size::Quick { "1" } else { "0" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{:?} does not start", command.get_program()))?;
        let asks = process.stdin.take().context("a program without input")?;
        let answers = BufReader::new(process.stdout.take().context("a program without output")?);
        let mut engine = Engine { name, process, asks, answers };
        ensure!(engine.line()? == "ready", "{name} did not begin as it should");
        Ok(engine)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "{} ended", self.name);
        Ok(line.trim().to_string())
    }

    /// Nanoseconds.
    fn run(&mut self, row: Row, fills: u64) -> Result<f64> {
        writeln!(self.asks, "{}", row.name().to_lowercase())?;
        let answer: Value = serde_json::from_str(&self.line()?)?;
        let got = answer["fills"].as_u64().context("an answer without fills")?;
        ensure!(got == fills, "natively {fills} fills, {}: {got}", self.name);
        Ok(answer["milliseconds"].as_f64().context("an answer without a time")? * 1e6)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = writeln!(self.asks, "end");
        let _ = self.process.wait();
    }
}

pub fn compare(
    engines: &mut [Engine],
    rows: &[Row],
    size: Size,
    rounds: usize,
    figures: &mut Vec<Value>,
) -> Result<()> {
    println!("\nThe core natively and as WebAssembly, in turns; target ≤ 1.3 ×");
    println!("    {:<4} {:<26} {:>8} {:>17} {:>9}", "", "", "ns/cmd", "least – most", "× native");
    for row in rows.iter().copied().filter(|row| ROWS.contains(row)) {
        let native = Prepared::new(row, size);
        let commands = native.commands() as f64;
        let fills = native.run();
        for engine in &mut *engines {
            for _ in 0..WARM_UP {
                engine.run(row, fills)?;
            }
        }
        let mut here = Vec::new();
        let mut there = vec![(Vec::new(), Vec::new()); engines.len()];
        for _ in 0..rounds {
            let started = Instant::now();
            native.run();
            let time = started.elapsed().as_nanos() as f64;
            here.push(time / commands);
            for (engine, (times, ratios)) in engines.iter_mut().zip(&mut there) {
                let wasm = engine.run(row, fills)?;
                times.push(wasm / commands);
                ratios.push(wasm / time);
            }
        }
        print(row, "native", here, Vec::new(), figures);
        for (engine, (times, ratios)) in engines.iter().zip(there) {
            print(row, engine.name, times, ratios, figures);
        }
    }
    Ok(())
}

fn print(row: Row, name: &str, times: Vec<f64>, ratios: Vec<f64>, figures: &mut Vec<Value>) {
    let Some(time) = Spread::of(times) else { return };
    let ratio = Spread::of(ratios);
    println!(
        "    {:<4} {name:<26} {:>8.1} {:>17} {:>9}",
        row.name(),
        time.median,
        format!("{:.1} – {:.1}", time.min, time.max),
        ratio.map_or(String::new(), |ratio| format!("{:.2}", ratio.median)),
    );
    figures.push(time.figure(&format!("{} {name}", row.name()), "ns/command"));
    if let Some(ratio) = ratio {
        figures.push(ratio.figure(&format!("{} {name} / native", row.name()), "ratio"));
    }
}
