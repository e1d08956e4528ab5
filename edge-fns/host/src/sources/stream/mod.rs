//! Batches of a stream's records to a function, by the rules of Lambda's event source mappings.
//!
//! A [`Source`] reads one shard on from its checkpoint and spreads the records over lanes by their partition key: records
//! of one key keep their order, different keys may run side by side. A lane gathers a batch (by size, by bytes, by time)
//! and hands it over. What happens then:
//!
//! | the function … | then |
//! |---|---|
//! | answers, naming nothing | the batch is done |
//! | asks for a record again | the records before it are done; it and all after it are handed over again, after a pause that grows |
//! | cannot run, or its back ends do not answer in time | nothing is done: as if it had asked for the first record again |
//! | rejects a record | that record goes to the dead letters with the function's reason; the others are done |
//! | traps, computes for too long, names a record it was not given | nothing is done: the batch is halved, and halved again, until the record that does it stands alone (`bisect`), or is handed over again as it is |
//!
//! A record at which the function has failed more than `retries` times goes to the dead letters, and so does one that was
//! asked for again more than `asked` times, or that grew older than `max_age`. Where the function does not say which record
//! it was and `bisect` is off, the batch goes there as a whole.
//! Halving costs no repetition, as on Lambda. Ours differs in two ways: a record which the function names is put aside
//! alone, and the rest of its batch is handed over again; and what a function asks for again is counted for itself, because a
//! back end that is away for an hour says nothing against a record.
//!
//! The checkpoint never passes a record that is neither done nor in the dead letters. After a crash everything behind it
//! is handed over once more: functions drop what they have seen.

mod lane;
mod memory;
mod meter;
mod progress;
mod source;

pub use memory::{MemoryLetters, MemoryShard};
pub use meter::{Meter, Reading};
pub use source::{Running, Source};

use crate::{EdgeHost, Failure, HandlerError, Item};
use async_trait::async_trait;
use edge_fns::capability::{Millis, Result};
use std::fmt;
use std::time::Duration;

/// The most lanes of one shard, as on Lambda.
pub const MOST_LANES: u32 = 10;

/// One shard as one consumer sees it: its records, and how far it has come.
#[async_trait]
pub trait Shard: Send + Sync {
    /// The record up to which everything is done; `None` before the first.
    async fn checkpoint(&self) -> Result<Option<String>>;
    async fn save(&self, id: &str) -> Result<()>;
    /// Up to `max` records after this one, in order; empty at the end of the shard.
    async fn read(&self, after: Option<&str>, max: usize) -> Result<Vec<Item>>;
    /// Returns when there is a record after this one, or when the time is up. May be dropped at any moment.
    async fn wait(&self, after: Option<&str>, at_most: Duration) -> Result<()>;
}

/// Takes the records that no retry can process.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Durable when it returns. The same record may come again after a crash.
    async fn bury(&self, item: &Item, reason: &Reason) -> Result<()>;
}

/// Takes batches: a function, as a rule.
#[async_trait]
pub trait BatchHandler: Send + Sync {
    /// Items not named in the answer are done. An error says that nothing is known of any.
    async fn handle(&self, items: Vec<Item>) -> std::result::Result<Vec<Failure>, Broken>;
}

/// Why nothing is known of any record of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Some record did it: the function trapped, or overstepped a limit.
    Function(String),
    /// No record is to blame: there was no room for a call, or back ends did not answer in time.
    Elsewhere(String),
}

/// A function of a host, as what takes batches.
#[derive(Clone)]
pub struct Function {
    pub host: EdgeHost,
    pub handler: String,
    pub stream: String,
}

#[async_trait]
impl BatchHandler for Function {
    async fn handle(&self, items: Vec<Item>) -> std::result::Result<Vec<Failure>, Broken> {
        self.host.stream(&self.handler, &self.stream, items).await.map_err(|error| match error {
            HandlerError::Trap { .. }
            | HandlerError::OverLimit { .. }
            | HandlerError::Timeout { computing: true, .. } => Broken::Function(error.to_string()),
            HandlerError::Timeout { computing: false, .. }
            | HandlerError::Unavailable { .. }
            | HandlerError::NoSuchHandler(_)
            | HandlerError::WrongKind { .. } => Broken::Elsewhere(error.to_string()),
        })
    }
}

/// How records become batches, and what becomes of those that fail. In brackets: Lambda's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Records of one batch at most (`BatchSize`).
    pub batch: usize,
    /// Bytes of their bodies at most; a single larger record is handed over alone.
    pub batch_bytes: usize,
    /// How long a batch waits to be filled, from its first record on (`MaximumBatchingWindowInSeconds`).
    pub window: Duration,
    /// Batches of one shard at the same time (`ParallelizationFactor`), 1 to 10.
    pub lanes: u32,
    /// How often a record at which the function fails is handed over again before it is put aside (`MaximumRetryAttempts`);
    /// `None`: until it is too old.
    pub retries: Option<u32>,
    /// The same for a record that the function asks for again, because a back end is not available. Lambda counts both as one;
    /// `None` is for what must not be lost however long a database is away.
    pub asked: Option<u32>,
    /// From this age on a record is put aside instead of handed over (`MaximumRecordAgeInSeconds`).
    pub max_age: Option<Duration>,
    /// Halve a batch that fails as a whole (`BisectBatchOnFunctionError`).
    pub bisect: bool,
    /// Before the first repetition; each pause after it is twice as long, up to `last_pause`.
    pub first_pause: Duration,
    pub last_pause: Duration,
}

impl Default for Mapping {
    fn default() -> Mapping {
        Mapping {
            batch: 100,
            batch_bytes: 1 << 20,
            window: Duration::ZERO,
            lanes: 1,
            // With the pauses between them: about a minute.
            retries: Some(11),
            asked: Some(11),
            max_age: None,
            bisect: true,
            first_pause: Duration::from_millis(50),
            last_pause: Duration::from_secs(10),
        }
    }
}

impl Mapping {
    /// The pause before this repetition, counted from 1.
    fn pause(&self, repetition: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(repetition.saturating_sub(1));
        self.first_pause.saturating_mul(doubled).min(self.last_pause)
    }

    /// Records in work at most: enough that each lane has its next batch waiting. While one lane stands still the others go on
    /// for so many; then the shard waits, as nothing more can be kept in memory for ever.
    fn in_flight(&self) -> usize {
        self.batch.max(1).saturating_mul(2).saturating_mul(self.lanes() as usize)
    }

    fn lanes(&self) -> u32 {
        self.lanes.clamp(1, MOST_LANES)
    }
}

/// Why a record was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The function said that it can never be processed, and why.
    Rejected(String),
    /// It was handed over so many times.
    Exhausted {
        attempts: u32,
        last: String,
    },
    TooOld {
        age: Duration,
    },
}

impl Reason {
    /// The stable name of this case.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Rejected(_) => "rejected",
            Reason::Exhausted { .. } => "retries_exhausted",
            Reason::TooOld { .. } => "too_old",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Rejected(reason) => f.write_str(reason),
            Reason::Exhausted { attempts, last } => {
                write!(f, "not processed after {attempts} attempts; the last one: {last}")
            }
            Reason::TooOld { age } => write!(f, "not processed within its time: {} s old", age.as_secs()),
        }
    }
}

/// Tells the time that ages are measured by.
pub type Now = std::sync::Arc<dyn Fn() -> Millis + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_last_and_never_overflow() {
        let mapping = Mapping::default();
        let pauses: Vec<u128> = (1..=10).map(|n| mapping.pause(n).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(mapping.pause(u32::MAX), mapping.last_pause);
    }

    #[test]
    fn a_mapping_of_nonsense_still_moves() {
        let mapping = Mapping { batch: 0, lanes: 0, ..Mapping::default() };
        assert_eq!((mapping.lanes(), mapping.in_flight()), (1, 2));
        assert_eq!(Mapping { lanes: 1000, ..mapping }.lanes(), MOST_LANES);
    }
}
