//! Stand-ins and small helpers that several tests use.

use async_trait::async_trait;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Connections, Error, LogStreams, Millis, Result};
use engine_host::backends::embedded::streams::shard_of;
use engine_host::backends::{DeadLetters, Log, Record, Snapshots};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// Runs a future on a runtime of its own: for the bodies of property tests, which are not async.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// How an append that was told to fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was written.
    Refused,
    /// It was written, and nobody says so.
    Unanswered,
    /// Only the first half of the records was taken.
    Half,
}

/// A log in memory whose clock the test moves and whose appends fail on demand.
pub struct TestLog {
    shards: BTreeMap<String, Vec<watch::Sender<Vec<Record>>>>,
    pub now: Mutex<Millis>,
    /// Taken by the next appends, one each.
    pub faults: Mutex<VecDeque<Fault>>,
}

impl TestLog {
    pub fn new(streams: &[(&str, u32)]) -> TestLog {
        let shards = |count: u32| (0..count).map(|_| watch::Sender::new(Vec::new())).collect();
        TestLog {
            shards: streams.iter().map(|(name, count)| (name.to_string(), shards(*count))).collect(),
            now: Mutex::new(0),
            faults: Mutex::default(),
        }
    }

    fn shard(&self, stream: &str, shard: u32) -> Result<&watch::Sender<Vec<Record>>> {
        let shards = self.shards.get(stream).ok_or_else(|| Error::Denied(stream.into()))?;
        shards.get(shard as usize).ok_or_else(|| Error::Denied(format!("{stream}/{shard}")))
    }

    fn push(&self, stream: &str, shard: u32, partition: String, body: Vec<u8>) -> Result<u64> {
        let arrived = *self.now.lock().unwrap();
        let records = self.shard(stream, shard)?;
        let mut sequence = 0;
        records.send_modify(|records| {
            sequence = records.len() as u64 + 1;
            records.push(Record { sequence, arrived, partition, body });
        });
        Ok(sequence)
    }

    pub fn records(&self, stream: &str, shard: u32) -> Vec<Record> {
        self.shard(stream, shard).unwrap().borrow().clone()
    }
}

#[async_trait]
impl LogStreams for TestLog {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let shards = self.shards(stream)?;
        let fault = if messages.is_empty() { None } else { self.faults.lock().unwrap().pop_front() };
        if fault == Some(Fault::Refused) {
            return Err(Error::Unavailable("as told".into()));
        }
        let taken = if fault == Some(Fault::Half) { messages.len() / 2 } else { messages.len() };
        let mut answers = Vec::new();
        for (n, Message { partition, body }) in messages.into_iter().enumerate() {
            answers.push(if n < taken {
                let shard = shard_of(&partition, shards);
                Ok(format!("{shard}:{}", self.push(stream, shard, partition, body)?))
            } else {
                Err(Error::Throttled(None))
            });
        }
        if fault == Some(Fault::Unanswered) { Err(Error::Timeout) } else { Ok(answers) }
    }
}

#[async_trait]
impl Log for TestLog {
    fn shards(&self, stream: &str) -> Result<u32> {
        Ok(self.shards.get(stream).ok_or_else(|| Error::Denied(stream.into()))?.len() as u32)
    }

    async fn read(&self, stream: &str, shard: u32, after: u64, max: usize) -> Result<Vec<Record>> {
        let records = self.shard(stream, shard)?.borrow();
        Ok(records.iter().filter(|record| record.sequence > after).take(max).cloned().collect())
    }

    async fn wait(&self, stream: &str, shard: u32, after: u64, timeout: Duration) -> Result<()> {
        let mut records = self.shard(stream, shard)?.subscribe();
        // Time up and news are the same to the caller.
        let _ = tokio::time::timeout(timeout, records.wait_for(|records| records.len() as u64 > after)).await;
        Ok(())
    }

    async fn append_to_shard(&self, stream: &str, shard: u32, body: Vec<u8>) -> Result<u64> {
        self.push(stream, shard, String::new(), body)
    }

    async fn last(&self, stream: &str, shard: u32) -> Result<u64> {
        Ok(self.shard(stream, shard)?.borrow().len() as u64)
    }
}

/// Snapshots in memory; while they are closed, nothing can be put.
#[derive(Default)]
pub struct TestSnapshots {
    snapshots: Mutex<BTreeMap<String, Vec<u8>>>,
    pub closed: Mutex<bool>,
}

#[async_trait]
impl Snapshots for TestSnapshots {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.snapshots.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        if *self.closed.lock().unwrap() {
            return Err(Error::Unavailable("as told".into()));
        }
        self.snapshots.lock().unwrap().insert(key.into(), bytes);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.snapshots.lock().unwrap().remove(key);
        Ok(())
    }
}

/// Connections that write down what they are sent.
#[derive(Default)]
pub struct Recorder {
    pub sent: Mutex<Vec<(String, Vec<u8>)>>,
    pub gone: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Connections for Recorder {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let gone = self.gone.lock().unwrap();
        let mut sent = self.sent.lock().unwrap();
        let mut deliver = |id: String, body: &[u8]| {
            if gone.contains(&id) {
                return Ok(Delivery::Gone);
            }
            sent.push((id, body.to_vec()));
            Ok(Delivery::Sent)
        };
        Ok(pushes
            .into_iter()
            .map(|Push { to, body }| to.into_iter().map(|id| deliver(id, &body)).collect())
            .collect())
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let gone = self.gone.lock().unwrap();
        Ok(ids.iter().map(|id| Ok(!gone.contains(id))).collect())
    }

    async fn close(&self, id: &str) -> Result<()> {
        self.gone.lock().unwrap().insert(id.into());
        Ok(())
    }
}

/// Waits until the condition holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Consumer, stream, shard, sequence, reason.
pub type Letter = (String, String, u32, u64, String);

/// Dead letters in memory.
#[derive(Default)]
pub struct Letters(pub Mutex<Vec<Letter>>);

#[async_trait]
impl DeadLetters for Letters {
    async fn bury(
        &self,
        consumer: &str,
        stream: &str,
        shard: u32,
        record: &Record,
        reason: &str,
    ) -> Result<()> {
        let letter = (consumer.into(), stream.into(), shard, record.sequence, reason.into());
        self.0.lock().unwrap().push(letter);
        Ok(())
    }
}
