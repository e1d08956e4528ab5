//! Timers: a function at every full period of the clock, as a scheduler's rate rules have it.
//!
//! A timer's ticks are the multiples of its period since the Unix epoch, moved by an offset: every ten minutes means at
//! :00, :10, :20, wherever and whenever the process was started. A tick is handed over with the time at which it was due.
//! Calls of one timer never overlap; [`Missed`] says what becomes of ticks that passed while one ran, or while the machine
//! slept. After a call that failed the next one comes when it is due, not before.

use super::{stopped, waited};
use crate::EdgeHost;
use async_trait::async_trait;
use edge_fns::capability::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;

/// The clock is looked at this often, so that its jumps and the machine's sleep are noticed.
const LOOK: Duration = Duration::from_secs(30);

/// What is called at each tick.
#[async_trait]
pub trait Alarm: Send + Sync {
    async fn fire(&self, due: Millis) -> Result<(), String>;
}

/// A function of a host, as what is called.
#[derive(Clone)]
pub struct Function {
    pub host: EdgeHost,
    pub handler: String,
    /// The timer's name.
    pub name: String,
}

#[async_trait]
impl Alarm for Function {
    async fn fire(&self, due: Millis) -> Result<(), String> {
        let timer = crate::Timer { name: self.name.clone(), due };
        match self.host.timer(&self.handler, &timer).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What becomes of ticks that passed while they could not be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// They are left out; the next one is the next that falls due.
    Skip,
    /// The last of them is made up for, at once.
    Once,
    /// All of them are made up for, in order, one right after the other.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// At least a millisecond.
    pub period: Duration,
    /// How far the ticks lie behind the multiples of the period.
    pub offset: Duration,
    pub missed: Missed,
    /// Fire for the tick before the start, at the start.
    pub at_start: bool,
}

impl Schedule {
    pub const fn every(period: Duration) -> Schedule {
        Schedule { period, offset: Duration::ZERO, missed: Missed::Skip, at_start: false }
    }

    fn period_ms(&self) -> Millis {
        (self.period.as_millis() as Millis).max(1)
    }

    /// The last tick that is due at this time.
    fn last(&self, now: Millis) -> Millis {
        let offset = self.offset.as_millis() as Millis % self.period_ms();
        let since = now.saturating_sub(offset);
        since - since % self.period_ms() + offset
    }

    /// What to do at this time, after this tick.
    fn step(&self, after: Millis, now: Millis) -> Step {
        let due = after.saturating_add(self.period_ms());
        if due > now {
            return Step::Wait(Duration::from_millis(due - now));
        }
        // One that falls due just now is not missed: it is what waiting for it comes to.
        match (self.missed, self.last(now)) {
            (Missed::Skip, last) if last > due => Step::LeaveOut(last),
            (Missed::Once, last) if last > due => Step::Fire(last),
            _ => Step::Fire(due),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait(Duration),
    /// Go on as if this tick had been handed over.
    LeaveOut(Millis),
    Fire(Millis),
}

/// Counts for one timer.
#[derive(Debug)]
pub struct Meter {
    pub timer: String,
    fired: AtomicU64,
    failed: AtomicU64,
    missed: AtomicU64,
}

/// The counters of a timer at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub timer: String,
    /// Ticks handed over, and carried out.
    pub fired: u64,
    /// Ticks whose call failed.
    pub failed: u64,
    /// Ticks left out.
    pub missed: u64,
}

impl Meter {
    pub fn new(timer: &str) -> Meter {
        let zero = || AtomicU64::new(0);
        Meter { timer: timer.to_owned(), fired: zero(), failed: zero(), missed: zero() }
    }

    pub fn read(&self) -> Reading {
        Reading {
            timer: self.timer.clone(),
            fired: self.fired.load(Relaxed),
            failed: self.failed.load(Relaxed),
            missed: self.missed.load(Relaxed),
        }
    }
}

pub struct Timer {
    pub schedule: Schedule,
    pub alarm: Arc<dyn Alarm>,
    pub now: super::stream::Now,
    pub meter: Arc<Meter>,
}

impl Timer {
    /// Runs until told to stop; a call that is being made is brought to its end.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let schedule = self.schedule;
        let mut last = schedule.last((self.now)());
        if schedule.at_start {
            self.fire(last).await;
        }
        while !stopped(&stop) {
            match schedule.step(last, (self.now)()) {
                Step::Wait(time) => {
                    waited(time.min(LOOK), &stop).await;
                }
                Step::LeaveOut(due) => {
                    self.meter.missed.fetch_add((due - last) / schedule.period_ms(), Relaxed);
                    last = due;
                }
                Step::Fire(due) => {
                    self.meter.missed.fetch_add((due - last) / schedule.period_ms() - 1, Relaxed);
                    last = due;
                    self.fire(due).await;
                }
            }
        }
    }

    async fn fire(&self, due: Millis) {
        // In a task of its own: what panics fails this one call, not the timer.
        let alarm = self.alarm.clone();
        let called = tokio::spawn(async move { alarm.fire(due).await });
        let counter = match called.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => &self.meter.fired,
            Err(error) => {
                tracing::error!(timer = self.meter.timer, due, error, "a timer's call failed");
                &self.meter.failed
            }
        };
        counter.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::time::{Instant, sleep};

    /// Starts at 12:00:03 of some day; moves with tokio's clock, which the tests pause.
    const START: Millis = 1_700_049_603_000;
    const SECOND: Millis = 1000;

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum End {
        Well,
        Failing,
        Panicking,
    }
    use End::*;

    struct Script {
        start: Instant,
        /// How long each call takes, and how it ends; after the last one: nothing, well.
        calls: Mutex<Vec<(Millis, End)>>,
        /// When each call began and for which tick, both since the start.
        seen: Mutex<Vec<(Millis, Millis)>>,
        running: Mutex<bool>,
    }

    #[async_trait]
    impl Alarm for Script {
        async fn fire(&self, due: Millis) -> Result<(), String> {
            assert!(!std::mem::replace(&mut *self.running.lock().unwrap(), true), "calls overlap");
            let began = self.start.elapsed().as_millis() as Millis;
            self.seen.lock().unwrap().push((began, due.saturating_sub(START)));
            let (takes, end) = {
                let mut calls = self.calls.lock().unwrap();
                if calls.is_empty() { (0, Well) } else { calls.remove(0) }
            };
            sleep(Duration::from_millis(takes)).await;
            *self.running.lock().unwrap() = false;
            match end {
                Well => Ok(()),
                Failing => Err("as told".into()),
                Panicking => panic!("as told"),
            }
        }
    }

    async fn run(schedule: Schedule, calls: &[(Millis, End)], time: Duration) -> (Vec<(u64, u64)>, Reading) {
        let start = Instant::now();
        let script = Arc::new(Script {
            start,
            calls: Mutex::new(calls.to_vec()),
            seen: Mutex::default(),
            running: Mutex::default(),
        });
        let meter = Arc::new(Meter::new("test"));
        let now = Arc::new(move || START + start.elapsed().as_millis() as Millis);
        let timer = Timer { schedule, alarm: script.clone(), now, meter: meter.clone() };
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(timer.run(stopping));
        sleep(time).await;
        stop.send_replace(true);
        task.await.unwrap();
        let seen = script.seen.lock().unwrap().clone();
        (seen, meter.read())
    }

    fn every(seconds: u64, missed: Missed) -> Schedule {
        Schedule { missed, ..Schedule::every(Duration::from_secs(seconds)) }
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_fall_on_full_periods_and_their_offset() {
        let (seen, meter) = run(every(10, Missed::Skip), &[], Duration::from_secs(29)).await;
        assert_eq!(seen, [(7000, 7000), (17_000, 17_000), (27_000, 27_000)]);
        assert_eq!((meter.fired, meter.failed, meter.missed), (3, 0, 0));
        let moved = Schedule { offset: Duration::from_secs(14), ..every(10, Missed::Skip) };
        let (seen, _) = run(moved, &[], Duration::from_secs(20)).await;
        assert_eq!(seen, [(1000, 1000), (11_000, 11_000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tick_before_the_start_is_made_up_for_where_told_so() {
        let (seen, _) =
            run(Schedule { at_start: true, ..every(10, Missed::Skip) }, &[], Duration::from_secs(8)).await;
        // It was due three seconds ago.
        assert_eq!(seen, [(0, 0), (7000, 7000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn missed_ticks_follow_the_policy_and_calls_never_overlap() {
        // The first call, at 7 s, takes until 42 s: the ticks of 17, 27 and 37 s pass meanwhile.
        let long = [(35 * SECOND, Well)];
        let time = Duration::from_secs(50);
        let (seen, meter) = run(every(10, Missed::Skip), &long, time).await;
        assert_eq!(seen, [(7000, 7000), (47_000, 47_000)]);
        assert_eq!((meter.fired, meter.missed), (2, 3));
        let (seen, meter) = run(every(10, Missed::Once), &long, time).await;
        assert_eq!(seen, [(7000, 7000), (42_000, 37_000), (47_000, 47_000)]);
        assert_eq!((meter.fired, meter.missed), (3, 2));
        let (seen, meter) = run(every(10, Missed::All), &long, time).await;
        assert_eq!(
            seen,
            [(7000, 7000), (42_000, 17_000), (42_000, 27_000), (42_000, 37_000), (47_000, 47_000)]
        );
        assert_eq!((meter.fired, meter.missed), (5, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failing_call_the_next_comes_when_it_is_due() {
        for end in [Failing, Panicking] {
            let calls = [(1000, end)];
            let (seen, meter) = run(every(10, Missed::Skip), &calls, Duration::from_secs(18)).await;
            assert_eq!(seen, [(7000, 7000), (17_000, 17_000)]);
            assert_eq!((meter.fired, meter.failed, meter.missed), (1, 1, 0));
        }
    }

    #[test]
    fn a_tick_is_never_handed_over_twice_when_the_clock_goes_back() {
        let schedule = every(10, Missed::Skip);
        let first = START + 7000;
        assert_eq!(schedule.step(schedule.last(START), first), Step::Fire(first));
        assert_eq!(schedule.step(first, first - 3_000), Step::Wait(Duration::from_secs(13)));
    }
}
