//! What happened to the calls of each handler, in plain counters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub calls: AtomicU64,
    pub traps: AtomicU64,
    pub timeouts: AtomicU64,
    pub unavailable: AtomicU64,
    pub busy_ns: AtomicU64,
}

/// The counters of one handler since the host was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandlerMetrics {
    pub handler: &'static str,
    pub calls: u64,
    pub traps: u64,
    pub timeouts: u64,
    pub unavailable: u64,
    /// Sum over the calls, waiting for back ends included.
    pub busy: Duration,
}

impl Counters {
    pub fn snapshot(&self, handler: &'static str) -> HandlerMetrics {
        HandlerMetrics {
            handler,
            calls: self.calls.load(Relaxed),
            traps: self.traps.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Relaxed)),
        }
    }
}
