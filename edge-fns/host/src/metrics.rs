//! What happened to the calls of each handler, in plain counters.

use crate::HandlerError;
use crate::limits::Limit;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of a call's time: an empty call takes some 10 µs, one with its back ends some
/// milliseconds, and the usual limit is five seconds.
pub const TIME_BOUNDS: [Duration; 14] = [
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(5),
];

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub running: AtomicU64,
    pub traps: AtomicU64,
    pub over_limit: [AtomicU64; Limit::ALL.len()],
    pub timeouts: AtomicU64,
    pub unavailable: AtomicU64,
    /// Calls by their time; the last one is for those beyond all bounds.
    times: [AtomicU64; TIME_BOUNDS.len() + 1],
    busy_ns: AtomicU64,
    pub memory_peak_bytes: AtomicU64,
    pub reloads: AtomicU64,
    pub reloads_refused: AtomicU64,
}

/// The counters of one handler since the host was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandlerMetrics {
    pub handler: &'static str,
    /// Calls that have ended, however they did.
    pub calls: u64,
    /// Calls under way, those that wait for room included.
    pub running: u64,
    pub traps: u64,
    /// Calls that overstepped a limit, in the order of [`Limit::ALL`].
    pub over_limit: [u64; Limit::ALL.len()],
    pub timeouts: u64,
    pub unavailable: u64,
    /// Calls within each of [`TIME_BOUNDS`], the shorter ones included.
    pub within: [u64; TIME_BOUNDS.len()],
    /// Sum over the calls, waiting for back ends included.
    pub busy: Duration,
    /// The most linear memory that one instance has had.
    pub memory_peak_bytes: u64,
    /// Times that a changed component was taken.
    pub reloads: u64,
    /// Times that a changed component was refused and the one before it went on.
    pub reloads_refused: u64,
    /// Components that were replaced and still have calls to finish.
    pub draining: u64,
}

impl Counters {
    pub fn ended(&self, time: Duration) {
        let bucket = TIME_BOUNDS.iter().position(|bound| time <= *bound).unwrap_or(TIME_BOUNDS.len());
        self.times[bucket].fetch_add(1, Relaxed);
        self.busy_ns.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub fn failed(&self, error: &HandlerError) {
        match error {
            HandlerError::Trap { .. } => self.traps.fetch_add(1, Relaxed),
            HandlerError::OverLimit { limit, .. } => self.over_limit[*limit as usize].fetch_add(1, Relaxed),
            HandlerError::Timeout { .. } => self.timeouts.fetch_add(1, Relaxed),
            HandlerError::Unavailable { .. } => self.unavailable.fetch_add(1, Relaxed),
            HandlerError::NoSuchHandler(_) | HandlerError::WrongKind { .. } => 0,
        };
    }

    pub fn snapshot(&self, handler: &'static str, draining: u64) -> HandlerMetrics {
        let mut calls = 0;
        let mut within = [0; TIME_BOUNDS.len()];
        for (bucket, time) in self.times.iter().enumerate() {
            calls += time.load(Relaxed);
            if let Some(within) = within.get_mut(bucket) {
                *within = calls;
            }
        }
        HandlerMetrics {
            handler,
            calls,
            running: self.running.load(Relaxed),
            traps: self.traps.load(Relaxed),
            over_limit: self.over_limit.each_ref().map(|count| count.load(Relaxed)),
            timeouts: self.timeouts.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            within,
            busy: Duration::from_nanos(self.busy_ns.load(Relaxed)),
            memory_peak_bytes: self.memory_peak_bytes.load(Relaxed),
            reloads: self.reloads.load(Relaxed),
            reloads_refused: self.reloads_refused.load(Relaxed),
            draining,
        }
    }
}

/// Counts a call as running for as long as it lives, even if it is dropped in the middle.
pub(crate) struct Running<'a>(&'a Counters);

impl<'a> Running<'a> {
    pub fn start(counters: &'a Counters) -> Running<'a> {
        counters.running.fetch_add(1, Relaxed);
        Running(counters)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_in_its_bucket_and_in_all_longer_ones() {
        let counters = Counters::default();
        for micros in [10, 25, 26, 3_000, 60_000_000] {
            counters.ended(Duration::from_micros(micros));
        }
        let metrics = counters.snapshot("asset", 0);
        assert_eq!(metrics.calls, 5);
        assert_eq!(metrics.within, [2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!(metrics.busy, Duration::from_micros(60_003_061));
        assert!(TIME_BOUNDS.is_sorted());
    }
}
