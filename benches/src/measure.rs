//! How a subject is timed.
//!
//! A round builds the books anew, untimed, and then times the whole flow; another pass over fresh books times each
//! command on its own, with the timer's cost in every figure. What a command answers is handed to a black box.

use anyhow::{Result, bail};
use flows::flow::{Action, Flow, Step, Tally};
use flows::rows::Row;
use flows::subject::Subject;
use quanta::Clock;
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A subject slower than this on the first pass is given up.
const LONGEST: Duration = Duration::from_secs(20);
/// A subject slower than this on the first pass is measured in the first round alone.
const LONG: Duration = Duration::from_secs(3);

/// Nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub ns_per_command: f64,
    pub latency: Option<Latency>,
}

/// Counts ticks of the timer: exactly below 64, and in 64 steps for each doubling above.
struct Histogram {
    counts: Vec<u32>,
    all: u64,
    max: u64,
}

impl Histogram {
    const STEPS: u64 = 64;

    fn new() -> Histogram {
        Histogram { counts: vec![0; Histogram::place(u64::MAX) + 1], all: 0, max: 0 }
    }

    #[inline]
    fn place(ticks: u64) -> usize {
        let above = u64::from((ticks / Histogram::STEPS).checked_ilog2().map_or(0, |log| log + 1));
        let shift = above.saturating_sub(1);
        // From 64 on, the first step of a doubling is the 64th.
        (shift * Histogram::STEPS + (ticks >> shift)) as usize
    }

    /// The least that is counted in a place.
    fn least(place: usize) -> u64 {
        let place = place as u64;
        if place < 2 * Histogram::STEPS {
            return place;
        }
        let shift = place / Histogram::STEPS - 1;
        (place - shift * Histogram::STEPS) << shift
    }

    #[inline]
    fn add(&mut self, ticks: u64) {
        self.counts[Histogram::place(ticks)] += 1;
        self.all += 1;
        self.max = self.max.max(ticks);
    }

    fn at(&self, share: f64) -> u64 {
        let wanted = (self.all as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (place, &count) in self.counts.iter().enumerate() {
            sum += u64::from(count);
            if sum >= wanted {
                return Histogram::least(place);
            }
        }
        self.max
    }

    fn latency(&self, clock: &Clock) -> Latency {
        // A million ticks, so that the division keeps its digits.
        let ns = |ticks: u64| clock.delta_as_nanos(0, ticks * 1_000_000) as f64 / 1e6;
        Latency { p50: ns(self.at(0.5)), p99: ns(self.at(0.99)), p999: ns(self.at(0.999)), max: ns(self.max) }
    }
}

/// The same timer around nothing.
pub fn empty(clock: &Clock, count: usize) -> Latency {
    let mut histogram = Histogram::new();
    for n in 0..count {
        let start = clock.raw();
        black_box(black_box(n));
        let end = clock.raw();
        histogram.add(end.saturating_sub(start));
    }
    histogram.latency(clock)
}

/// A subject with a row's commands in its own types.
pub trait Runner {
    fn lacks(&self) -> &'static str;
    /// What it traded on the first pass.
    fn tally(&self) -> Tally;
    /// Whether it takes part in this round.
    fn joins(&self, round: usize) -> bool;
    /// Nothing where it broke down.
    fn round(&self, clock: &Clock) -> Option<Sample>;
}

/// Commands that a subject may look at together.
const AT_HAND: usize = 32;

struct Prepared<S: Subject> {
    row: Row,
    flow: Rc<Flow>,
    preload: Vec<S::Command>,
    commands: Vec<S::Command>,
    /// By command: its book.
    places: Vec<u32>,
    tally: Tally,
    rounds: usize,
}

/// Translates the row for a subject and runs it once, to learn how the subject names orders and what it trades.
pub fn prepare<S: Subject + 'static>(row: Row, flow: &Rc<Flow>) -> Result<Box<dyn Runner>>
where
    S::Book: 'static,
    S::Command: 'static,
{
    if let Some(reason) = S::cannot(row) {
        bail!("{reason}");
    }
    let started = Instant::now();
    let mut books: Vec<S::Book> = (0..flow.books).map(|_| S::book(flow)).collect();
    let mut numbers = vec![0; books.len()];
    let mut named: HashMap<u32, S::Id> = HashMap::new();
    let mut tally = Tally::default();
    let mut translate = |steps: &[Step]| -> Result<Vec<S::Command>> {
        let mut commands = Vec::with_capacity(steps.len());
        tally = Tally::default();
        for (n, step) in steps.iter().enumerate() {
            let order = match step.action {
                Action::Add(add) => add.order,
                Action::Cancel { order } | Action::Replace { order, .. } => order,
            };
            let (book, number) = (&mut books[step.book as usize], &mut numbers[step.book as usize]);
            let command = S::command(step, named.get(&order).copied().unwrap_or_default(), *number);
            *number += 1;
            let seen = S::seen(&S::apply(book, &command));
            tally.fills += seen.fills;
            tally.quantity += seen.quantity;
            if let Some(given) = seen.given {
                named.insert(order, given);
            }
            commands.push(command);
            if started.elapsed() > LONGEST {
                bail!("gave up after {n} of {} commands in {} s", steps.len(), LONGEST.as_secs());
            }
        }
        Ok(commands)
    };
    let preload = translate(&flow.preload)?;
    let commands = translate(&flow.steps)?;
    let rounds = if started.elapsed() > LONG { 1 } else { usize::MAX };
    let places = flow.steps.iter().map(|step| step.book).collect();
    Ok(Box::new(Prepared::<S> { row, flow: flow.clone(), preload, commands, places, tally, rounds }))
}

impl<S: Subject> Prepared<S> {
    fn fresh(&self) -> Vec<S::Book> {
        let mut books: Vec<S::Book> = (0..self.flow.books).map(|_| S::book(&self.flow)).collect();
        for (step, command) in self.flow.preload.iter().zip(&self.preload) {
            black_box(S::apply(&mut books[step.book as usize], command));
        }
        books
    }

    #[inline(never)]
    fn run_one(&self, book: &mut S::Book) {
        // As from a stream, of which some commands are at hand whenever there are any.
        for commands in self.commands.chunks(AT_HAND) {
            S::look_ahead(book, commands);
            for command in commands {
                black_box(S::apply(book, black_box(command)));
            }
        }
    }

    #[inline(never)]
    fn run_many(&self, books: &mut [S::Book]) {
        for (&place, command) in self.places.iter().zip(&self.commands) {
            black_box(S::apply(&mut books[place as usize], black_box(command)));
        }
    }

    fn timed(&self) -> f64 {
        // A flow that is over at once is run again and again.
        let repeats = (1_000 / self.commands.len()).clamp(1, 20);
        let mut taken = Duration::ZERO;
        for _ in 0..repeats {
            let mut books = self.fresh();
            let started = Instant::now();
            match books.as_mut_slice() {
                [book] => self.run_one(book),
                books => self.run_many(books),
            }
            taken += started.elapsed();
        }
        taken.as_nanos() as f64 / (repeats * self.commands.len()) as f64
    }

    fn latency(&self, clock: &Clock) -> Latency {
        let mut books = self.fresh();
        let mut histogram = Histogram::new();
        for (&place, command) in self.places.iter().zip(&self.commands) {
            let book = &mut books[place as usize];
            let start = clock.raw();
            black_box(S::apply(book, black_box(command)));
            let end = clock.raw();
            histogram.add(end.saturating_sub(start));
        }
        histogram.latency(clock)
    }
}

impl<S: Subject> Runner for Prepared<S> {
    fn lacks(&self) -> &'static str {
        S::lacks(self.row)
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn joins(&self, round: usize) -> bool {
        round < self.rounds
    }

    fn round(&self, clock: &Clock) -> Option<Sample> {
        let latency = (self.commands.len() > 1_000).then(|| self.latency(clock));
        Some(Sample { ns_per_command: self.timed(), latency })
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn a_place_holds_what_it_says() {
        for ticks in (0..5_000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX]) {
            let place = Histogram::place(ticks);
            let (least, next) = (Histogram::least(place), Histogram::least(place + 1));
            assert!(least <= ticks, "{ticks} is counted from {least} on");
            assert!(ticks < next || ticks == u64::MAX, "{ticks} is counted below {next}");
            assert!((ticks - least) as f64 <= ticks as f64 / 64.0, "{ticks} is told as {least}");
        }
    }
}
