//! Feeds a recorded flow to one book and prints what the book answered.
//!
//! ```text
//! cargo run --release -p engine-core --example golden -- COMMANDS.csv[.gz] [--depth | --time]
//! ```
//!
//! Without a flag: the events, a line each. `--depth`: ten levels a side after every 1000th command. `--time`: only
//! commands, fills, seconds and ns/command, parsing excluded.

use engine_core::event::Event;
use engine_core::flow::{GOLDEN_HEADER, GoldenReplay, parse_golden, write_golden_depth, write_golden_event};
use engine_core::market::Market;
use std::error::Error;
use std::io::{Read, Write};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut path, mut mode) = (None, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--depth" | "--time" => mode = Some(argument),
            flag if flag.starts_with("--") => return Err(format!("unknown flag {flag}").into()),
            _ => path = Some(argument),
        }
    }
    let path = path.ok_or("usage: golden COMMANDS.csv[.gz] [--depth | --time]")?;
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    if path.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?;
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text)?;
    }
    let commands = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && line.trim_end() != GOLDEN_HEADER)
        .map(|(n, line)| parse_golden(line).map_err(|bad| format!("{path}:{}: {bad}", n + 1)))
        .collect::<Result<Vec<_>, _>>()?;

    if mode.as_deref() == Some("--time") {
        let mut market = Market::default();
        let mut events: Vec<Event> = Vec::with_capacity(1024);
        let mut fills = 0u64;
        let started = Instant::now();
        for command in &commands {
            events.clear();
            market.apply(0, command, &mut events);
            fills += events.iter().filter(|event| matches!(event, Event::Filled(_))).count() as u64;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "commands={} fills={fills} seconds={seconds:.6} ns/command={:.1}",
            commands.len(),
            seconds * 1e9 / commands.len().max(1) as f64
        );
        return Ok(());
    }
    let mut replay = GoldenReplay::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut lines = String::new();
    for (n, command) in (1u64..).zip(&commands) {
        lines.clear();
        let events = replay.apply(command);
        if mode.is_none() {
            events.iter().for_each(|event| write_golden_event(event, &mut lines));
        } else if n.is_multiple_of(1000) {
            write_golden_depth(n, replay.market().book(), &mut lines);
        }
        out.write_all(lines.as_bytes())?;
    }
    Ok(out.flush()?)
}
