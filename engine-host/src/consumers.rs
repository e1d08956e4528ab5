//! Batches of the fills stream to the functions that consume it.
//!
//! One task a consumer and shard: it reads on from its checkpoint, hands a batch to the function, and sets the
//! checkpoint once the function has done with it. What the function asks to have again is given again, with everything
//! after it, after a pause that grows. A batch in which a function traps is halved until the record that does it stands
//! alone; that one, and whatever still fails after the last attempt, goes to the dead letters with the reason, and
//! the shard goes on.

use crate::backends::{Checkpoints, DeadLetters, Log, Record};
use edge_fns::stream::{Disposition, Failure, Item};
use edge_host::EdgeHost;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BATCH: usize = 500;
/// Times that a failing record is tried before it is put aside. With the pauses between them: about a minute.
const ATTEMPTS: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Backends {
    pub log: Arc<dyn Log>,
    pub checkpoints: Arc<dyn Checkpoints>,
    pub dead_letters: Arc<dyn DeadLetters>,
    pub functions: EdgeHost,
}

/// How far each function is in each shard.
type Positions = Arc<Mutex<BTreeMap<(String, u32), Arc<AtomicU64>>>>;

/// The running consumers.
pub struct Consumers {
    tasks: Vec<JoinHandle<()>>,
    positions: Positions,
}

impl Consumers {
    /// Starts a task for each of these functions and each shard of the stream.
    pub async fn start(
        backends: &Backends,
        stream: &str,
        functions: &[&'static str],
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<Consumers> {
        let mut tasks = Vec::new();
        let positions = Positions::default();
        for function in functions {
            for shard in 0..backends.log.shards(stream)? {
                let position =
                    Arc::new(AtomicU64::new(backends.checkpoints.get(function, stream, shard).await?));
                let known = (function.to_string(), shard);
                positions.lock().unwrap_or_else(PoisonError::into_inner).insert(known, position.clone());
                let consumer =
                    Consumer { backends: backends.clone(), stream: stream.into(), function, shard, position };
                tasks.push(tokio::spawn(consumer.run(stop.clone())));
            }
        }
        Ok(Consumers { tasks, positions })
    }

    /// Reads how far each consumer has come: function, shard, position.
    pub fn positions(&self) -> impl Fn() -> Vec<(String, u32, u64)> + Send + Sync + 'static {
        let positions = self.positions.clone();
        move || {
            let positions = positions.lock().unwrap_or_else(PoisonError::into_inner);
            positions
                .iter()
                .map(|((name, shard), at)| (name.clone(), *shard, at.load(Ordering::Relaxed)))
                .collect()
        }
    }

    /// Waits for the batches in work; tell them to stop first.
    pub async fn stopped(self) {
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a consumer had panicked");
            }
        }
    }
}

struct Consumer {
    backends: Backends,
    stream: String,
    function: &'static str,
    shard: u32,
    /// Sequence of the last record done with.
    position: Arc<AtomicU64>,
}

impl Consumer {
    async fn run(self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let after = self.position.load(Ordering::Relaxed);
            let log = &self.backends.log;
            let read = match log.wait(&self.stream, self.shard, after, IDLE).await {
                Ok(()) => log.read(&self.stream, self.shard, after, BATCH).await,
                Err(error) => Err(error),
            };
            match read {
                Ok(records) if records.is_empty() => {}
                Ok(records) => self.process(&records, &stop).await,
                Err(error) => {
                    tracing::error!(consumer = self.function, %error, "the stream cannot be read");
                    tokio::time::sleep(LAST_PAUSE).await;
                }
            }
        }
    }

    /// Hands the records over until all are done with, or the process stops.
    async fn process(&self, records: &[Record], stop: &watch::Receiver<bool>) {
        let mut left = records;
        // How many are handed over at once: fewer while a trap is hunted down.
        let mut size = left.len();
        let mut attempt = 0;
        let mut pause = FIRST_PAUSE;
        while !left.is_empty() && !*stop.borrow() {
            let batch = &left[..size.min(left.len())];
            let done = match self.hand_over(batch).await {
                Ok(failures) => self.settle(batch, failures, attempt + 1 >= ATTEMPTS).await,
                Err(reason) if batch.len() == 1 && attempt + 1 >= ATTEMPTS => {
                    self.bury(&batch[0], &reason).await
                }
                Err(reason) => {
                    tracing::warn!(consumer = self.function, reason, records = batch.len(), "a batch failed");
                    size = batch.len().div_ceil(2);
                    0
                }
            };
            if done > 0 {
                left = &left[done..];
                self.advance(records, left).await;
                (attempt, pause) = (0, FIRST_PAUSE);
                size = if done >= size { size.saturating_mul(2) } else { size };
            } else {
                // Halving costs no attempt: only a record that stands alone is counted.
                attempt += u32::from(batch.len() == 1 || size >= batch.len());
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }

    async fn hand_over(&self, batch: &[Record]) -> Result<Vec<Failure>, String> {
        let item = |record: &Record| Item {
            id: record.sequence.to_string(),
            partition: record.partition.clone(),
            arrived: record.arrived,
            body: record.body.clone(),
        };
        let items = batch.iter().map(item).collect();
        self.backends
            .functions
            .stream(self.function, &self.stream, items)
            .await
            .map_err(|error| error.to_string())
    }

    /// Puts rejected records aside; answers how many records from the start of the batch are done with.
    async fn settle(&self, batch: &[Record], failures: Vec<Failure>, last_attempt: bool) -> usize {
        for (n, record) in batch.iter().enumerate() {
            let id = record.sequence.to_string();
            match failures.iter().find(|failure| failure.id == id).map(|failure| &failure.disposition) {
                None => {}
                Some(Disposition::Reject(reason)) => {
                    self.bury(record, reason).await;
                }
                Some(Disposition::Retry) if last_attempt && n == 0 => {
                    self.bury(record, "not processed after the last attempt").await;
                    return 1;
                }
                Some(Disposition::Retry) => return n,
            }
        }
        batch.len()
    }

    /// Writes a record to the dead letters, however long it takes; answers that it is done with.
    async fn bury(&self, record: &Record, reason: &str) -> usize {
        tracing::error!(consumer = self.function, sequence = record.sequence, reason, "record put aside");
        let letters = &self.backends.dead_letters;
        while let Err(error) = letters.bury(self.function, &self.stream, self.shard, record, reason).await {
            tracing::error!(%error, "a dead letter could not be written");
            tokio::time::sleep(LAST_PAUSE).await;
        }
        1
    }

    async fn advance(&self, records: &[Record], left: &[Record]) {
        let Some(last) = records[..records.len() - left.len()].last() else { return };
        self.position.store(last.sequence, Ordering::Relaxed);
        let set = self.backends.checkpoints.set(self.function, &self.stream, self.shard, last.sequence).await;
        if let Err(error) = set {
            // The next one that succeeds covers this one; until then a restart consumes once more.
            tracing::warn!(consumer = self.function, %error, "checkpoint not written");
        }
    }
}
