//! What happened to the records of one shard, in plain counters.

use super::Reason;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Counts for one consumer of one shard.
#[derive(Debug)]
pub struct Meter {
    pub consumer: String,
    pub shard: u32,
    pub(super) batches: AtomicU64,
    pub(super) done: AtomicU64,
    pub(super) repetitions: AtomicU64,
    pub(super) bisections: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) exhausted: AtomicU64,
    pub(super) too_old: AtomicU64,
    pub(super) in_flight: AtomicU64,
    checkpoint: Mutex<Option<String>>,
}

/// The counters at one moment, since the start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub consumer: String,
    pub shard: u32,
    /// Batches handed over, repetitions included.
    pub batches: u64,
    /// Records processed.
    pub done: u64,
    /// Batches handed over once more.
    pub repetitions: u64,
    /// Batches halved.
    pub bisections: u64,
    /// Records put aside, by the code of their reason.
    pub dead_letters: [(&'static str, u64); 3],
    /// Records read that are neither done nor put aside.
    pub in_flight: u64,
    /// The record up to which everything is done.
    pub checkpoint: Option<String>,
}

impl Meter {
    pub fn new(consumer: &str, shard: u32) -> Meter {
        Meter {
            consumer: consumer.to_owned(),
            shard,
            batches: AtomicU64::new(0),
            done: AtomicU64::new(0),
            repetitions: AtomicU64::new(0),
            bisections: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            too_old: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            checkpoint: Mutex::default(),
        }
    }

    pub fn read(&self) -> Reading {
        Reading {
            consumer: self.consumer.clone(),
            shard: self.shard,
            batches: self.batches.load(Relaxed),
            done: self.done.load(Relaxed),
            repetitions: self.repetitions.load(Relaxed),
            bisections: self.bisections.load(Relaxed),
            dead_letters: [
                ("rejected", self.rejected.load(Relaxed)),
                ("retries_exhausted", self.exhausted.load(Relaxed)),
                ("too_old", self.too_old.load(Relaxed)),
            ],
            in_flight: self.in_flight.load(Relaxed),
            checkpoint: self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(super) fn passed(&self, checkpoint: Option<String>) {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = checkpoint;
    }

    pub(super) fn buried(&self, reason: &Reason) {
        let counter = match reason {
            Reason::Rejected(_) => &self.rejected,
            Reason::Exhausted { .. } => &self.exhausted,
            Reason::TooOld { .. } => &self.too_old,
        };
        counter.fetch_add(1, Relaxed);
    }
}
