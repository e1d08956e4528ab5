//! What one call of a component may use, and what happens when it wants more.

use crate::engine::{MEMORIES, MODULES, TABLE_ELEMENTS};
use crate::metrics::Counters;
use crate::worlds::Kind;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use wasmtime::{ResourceLimiter, Trap};

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the start of a call to its answer, waiting for back ends included.
    pub wall: Duration,
    /// Time that the component itself computes without calling the host.
    pub cpu: Duration,
    /// Linear memory of one instance, all of its memories together.
    pub memory_bytes: usize,
    /// Bytes of one answer, and of one call from the component to a back end.
    pub output_bytes: usize,
    /// Calls to back ends while a request or an event of a connection is answered.
    pub host_calls: u32,
    /// The same for a batch of records, or for a timer, which looks after everything there is.
    pub batch_host_calls: u32,
    /// Lines that reach the log; further ones are left out.
    pub log_lines: u32,
    /// Calls that run at the same time; more of them wait for their turn within their `wall` time.
    pub concurrent: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall: Duration::from_secs(5),
            cpu: Duration::from_millis(500),
            memory_bytes: 32 << 20,
            output_bytes: 4 << 20,
            host_calls: 256,
            batch_host_calls: 20_000,
            log_lines: 1_000,
            concurrent: 256,
        }
    }
}

impl Limits {
    pub(crate) fn calls(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Http | Kind::Socket => self.host_calls,
            Kind::Stream | Kind::Timer => self.batch_host_calls,
        }
    }
}

/// A limit that a call overstepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Linear memory, or a table.
    Memory,
    /// The size of an answer, or of what is handed to a back end.
    Output,
    /// The depth of calls inside the component.
    Stack,
    HostCalls,
}

impl Limit {
    pub const ALL: [Limit; 4] = [Limit::Memory, Limit::Output, Limit::Stack, Limit::HostCalls];

    /// The stable name of this limit.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::Output => "output",
            Limit::Stack => "stack",
            Limit::HostCalls => "host_calls",
        }
    }

    /// The limit that ended a call with this error, if it was one.
    pub(crate) fn of(error: &wasmtime::Error) -> Option<Limit> {
        match error.downcast_ref() {
            Some(Overstep::Memory { .. } | Overstep::Table(_)) => Some(Limit::Memory),
            Some(Overstep::Output(_)) => Some(Limit::Output),
            Some(Overstep::Calls(_)) => Some(Limit::HostCalls),
            None if error.downcast_ref() == Some(&Trap::StackOverflow) => Some(Limit::Stack),
            // The engine's error for this has no public type; `tests/hostile.rs` notices if its words change.
            None => error
                .root_cause()
                .to_string()
                .contains("fuel allocated for hostcalls")
                .then_some(Limit::Output),
        }
    }
}

/// Ends the call that wanted it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Overstep {
    #[error("it wanted {wanted} bytes of memory; {allowed} are allowed")]
    Memory { wanted: usize, allowed: usize },
    #[error("it wanted a table of {0} elements")]
    Table(usize),
    #[error("{0} are too much for one call")]
    Output(String),
    #[error("it made more than {0} calls to back ends")]
    Calls(u32),
}

/// Counts the calls to back ends of one call whose parts run at once.
#[cfg(feature = "spin")]
pub(crate) struct Asked {
    left: std::sync::atomic::AtomicU32,
    allowed: u32,
}

#[cfg(feature = "spin")]
impl Asked {
    pub fn new(allowed: u32) -> Asked {
        Asked { left: allowed.into(), allowed }
    }

    pub fn ask(&self) -> Result<(), Overstep> {
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| Overstep::Calls(self.allowed))
    }
}

/// Grants memory to one instance up to its limit, and keeps the most that was granted to any of its handler.
pub(crate) struct Room {
    memory_bytes: usize,
    /// Of all its memories together.
    taken: usize,
    counters: Arc<Counters>,
}

impl Room {
    pub fn new(limits: &Limits, counters: Arc<Counters>) -> Room {
        Room { memory_bytes: limits.memory_bytes, taken: 0, counters }
    }
}

impl ResourceLimiter for Room {
    fn memory_growing(
        &mut self,
        current: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.taken.saturating_add(wanted.saturating_sub(current));
        if wanted > self.memory_bytes {
            return Err(Overstep::Memory { wanted, allowed: self.memory_bytes }.into());
        }
        self.taken = wanted;
        self.counters.memory_peak_bytes.fetch_max(wanted as u64, Relaxed);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        wanted: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Without the pool nothing else bounds a table that names no maximum.
        if wanted > maximum.unwrap_or(TABLE_ELEMENTS).min(TABLE_ELEMENTS) {
            Err(Overstep::Table(wanted).into())
        } else {
            Ok(true)
        }
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        2 * MODULES as usize
    }

    fn tables(&self) -> usize {
        MODULES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}
