//! What was measured, for people and for programs.

use crate::measure::{Latency, Sample};
use flows::flow::{Flow, Tally};
use flows::rows::Row;
use serde_json::{Value, json};

/// Median, least and most of the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => sorted[middle - 1].midpoint(sorted[middle]),
            _ => sorted[middle],
        };
        Some(Spread { median, min, max })
    }

    pub fn figure(self, name: &str, unit: &str) -> Value {
        json!({"name": name, "unit": unit, "median": self.median, "min": self.min, "max": self.max})
    }
}

/// A subject's rounds; `ratios` are its times by the core's in the same round.
#[derive(Debug)]
pub struct Line {
    pub subject: &'static str,
    pub lacks: &'static str,
    pub outcome: Result<Measured, String>,
}

#[derive(Debug, Default)]
pub struct Measured {
    pub samples: Vec<Sample>,
    pub ratios: Vec<f64>,
    pub tally: Tally,
}

impl Measured {
    fn time(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().map(|sample| sample.ns_per_command))
    }

    /// The median over the rounds of each quantile.
    fn latency(&self) -> Option<Latency> {
        let at = |pick: fn(&Latency) -> f64| {
            let values = self.samples.iter().filter_map(|sample| sample.latency.as_ref().map(pick));
            Spread::of(values).map(|spread| spread.median)
        };
        Some(Latency { p50: at(|l| l.p50)?, p99: at(|l| l.p99)?, p999: at(|l| l.p999)?, max: at(|l| l.max)? })
    }
}

/// What a row is to reach: millions of commands a second, where it is that.
fn target(row: Row) -> Option<f64> {
    match row {
        Row::W1 => Some(20.0),
        Row::W2 => Some(15.0),
        Row::W6 => Some(12.0),
        Row::W3 | Row::W4 | Row::W5 => None,
    }
}

pub fn header(row: Row, flow: &Flow) {
    let Tally { fills, quantity } = flow.expected;
    println!("\n{}  {}", row.name(), row.title());
    println!(
        "    {} commands on {} books; at most {} orders rest; {fills} fills, quantity {quantity}",
        flow.steps.len(),
        flow.books,
        flow.most_resting
    );
    println!(
        "    {:<24} {:>8} {:>17} {:>8} {:>7} {:>7} {:>7} {:>8} {:>9}  fills, quantity",
        "", "ns/cmd", "least – most", "M/s", "× ours", "p50", "p99", "p99.9", "max"
    );
}

pub fn line(line: &Line, expected: Tally) {
    let measured = match &line.outcome {
        Ok(measured) => measured,
        Err(reason) => return println!("    {:<24} cannot: {reason}", line.subject),
    };
    let (Some(time), Some(ratio)) = (measured.time(), Spread::of(measured.ratios.iter().copied())) else {
        return println!("    {:<24} not measured", line.subject);
    };
    let latency = measured.latency().map_or_else(
        || format!("{:>7} {:>7} {:>8} {:>9}", "", "", "", ""),
        |l| format!("{:>7.0} {:>7.0} {:>8.0} {:>9.0}", l.p50, l.p99, l.p999, l.max),
    );
    let Tally { fills, quantity } = measured.tally;
    let agrees =
        if measured.tally == expected { "as expected".into() } else { format!("{fills}, {quantity}") };
    println!(
        "    {:<24} {:>8.1} {:>17} {:>8.2} {:>7.2} {latency}  {agrees}",
        line.subject,
        time.median,
        format!("{:.1} – {:.1}", time.min, time.max),
        1e3 / time.median,
        ratio.median,
    );
}

/// What the numbers stand on.
pub fn notes(lines: &[Line], flow: &Flow) {
    for line in lines {
        let Ok(measured) = &line.outcome else { continue };
        let mut notes = vec![line.lacks.to_string()];
        let (wanted, got) = (flow.expected, measured.tally);
        if got != wanted {
            let part = |got: u64, wanted: u64| 100.0 * (got as f64 / wanted.max(1) as f64 - 1.0);
            notes.push(format!(
                "trades otherwise than the naive book: fills {:+.2} %, quantity {:+.2} %",
                part(got.fills, wanted.fills),
                part(got.quantity, wanted.quantity)
            ));
        }
        if measured.samples.len() == 1 {
            notes.push("slow: one round alone".into());
        }
        notes.retain(|note| !note.is_empty());
        if !notes.is_empty() {
            println!("      {}: {}", line.subject, notes.join("; "));
        }
    }
}

pub fn verdict(row: Row, flow: &Flow, lines: &[Line], mixed: Option<f64>) {
    let ours = lines.first().and_then(|line| line.outcome.as_ref().ok()).and_then(Measured::time);
    let Some(ours) = ours else { return };
    let met = |met: bool| if met { "met" } else { "missed" };
    let rate = 1e3 / ours.median;
    if let Some(wanted) = target(row) {
        println!("    target ≥ {wanted:.0} M/s: {rate:.2}, {}", met(rate >= wanted));
    }
    if row == Row::W3
        && let Some(mixed) = mixed
    {
        let times = ours.median / mixed;
        println!("    target ≤ 2 × W2's time a command: {times:.2} ×, {}", met(times <= 2.0));
    }
    if row == Row::W2
        && let Some(p999) = lines.first().and_then(|line| line.outcome.as_ref().ok()?.latency())
    {
        println!("    target p99.9 ≤ 1,000 ns: {:.0} ns, {}", p999.p999, met(p999.p999 <= 1_000.0));
    }
    if row == Row::W5 {
        let levels = flow.expected.fills as f64;
        for line in lines {
            if let Some(time) = line.outcome.as_ref().ok().and_then(Measured::time) {
                println!("    {:<24} {:>8.1} ns a level", line.subject, time.median / levels);
            }
        }
    }
}

/// The time of a command of ours.
pub fn ours(lines: &[Line]) -> Option<f64> {
    lines.first()?.outcome.as_ref().ok()?.time().map(|time| time.median)
}

pub fn figures(row: Row, lines: &[Line], into: &mut Vec<Value>) {
    for line in lines {
        let name = format!("{} {}", row.name(), line.subject);
        let measured = match &line.outcome {
            Ok(measured) => measured,
            Err(reason) => {
                into.push(
                    json!({"name": name, "row": row.name(), "subject": line.subject, "cannot": reason}),
                );
                continue;
            }
        };
        let Some(time) = measured.time() else { continue };
        let mut figure = time.figure(&name, "ns/command");
        figure["row"] = row.name().into();
        figure["subject"] = line.subject.into();
        figure["rounds"] = measured.samples.len().into();
        figure["fills"] = measured.tally.fills.into();
        figure["quantity"] = measured.tally.quantity.into();
        figure["lacks"] = line.lacks.into();
        if let Some(ratio) = Spread::of(measured.ratios.iter().copied()) {
            figure["times_ours"] = ratio.median.into();
        }
        if let Some(l) = measured.latency() {
            figure["latency_ns"] = json!({"p50": l.p50, "p99": l.p99, "p99.9": l.p999, "max": l.max});
        }
        into.push(figure);
    }
}
