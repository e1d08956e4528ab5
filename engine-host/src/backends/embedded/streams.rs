//! The log, its consumers' checkpoints and the blobs, durable on an embedded LSM store.
//!
//! One writer thread takes whatever appends have come in, writes them in one batch with one sync, and answers them all:
//! a group commit. An append that was answered survives a crash at any moment; one that was not may or may not be
//! there, wholly. The queue to the writer is bounded, so producers slow down when the disk does.

use crate::backends::{Checkpoints, Log, Record, Snapshots};
use async_trait::async_trait;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, LogStreams, Millis, Result};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};

/// Appends waiting for the writer.
const QUEUE: usize = 4096;
/// Records written in one batch at most.
const GROUP: usize = 8192;

/// Streams and their shards.
pub const STREAMS: [(&str, u32); 2] = [("supernoba-orders", 4), ("supernoba-fills", 2)];

pub struct EmbeddedStreams {
    database: Database,
    streams: BTreeMap<String, Stream>,
    checkpoints: Keyspace,
    blobs: Keyspace,
    writer: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Stream {
    keyspace: Keyspace,
    /// The last durable sequence of each shard.
    last: Arc<[watch::Sender<u64>]>,
}

/// One caller's records, and where to answer.
struct Append {
    stream: String,
    records: Vec<(u32, String, Vec<u8>)>,
    answer: oneshot::Sender<Result<Vec<(u32, u64)>>>,
}

impl EmbeddedStreams {
    pub fn open(folder: &Path) -> Result<EmbeddedStreams> {
        // The writer syncs every batch itself; nothing needs a timer to do so.
        let database = Database::builder(folder).manual_journal_persist(true).open().map_err(broken)?;
        let keyspace = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default).map_err(broken);
        let (checkpoints, blobs) = (keyspace("checkpoints")?, keyspace("blobs")?);
        let mut streams = BTreeMap::new();
        let mut heads = BTreeMap::new();
        for (name, shards) in STREAMS {
            let keyspace = keyspace(name)?;
            let mut last = Vec::new();
            for shard in 0..shards {
                let newest = newest(&keyspace, shard)?;
                let (sequence, arrived) = newest.map_or((0, 0), |record| (record.sequence, record.arrived));
                heads.insert((name.to_string(), shard), Head { sequence, arrived });
                last.push(watch::Sender::new(sequence));
            }
            streams.insert(name.to_string(), Stream { keyspace, last: last.into() });
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = Writer { database: database.clone(), streams: streams.clone(), heads };
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || writer.run(receiver))
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(EmbeddedStreams {
            database,
            streams,
            checkpoints,
            blobs,
            writer: Some(sender),
            thread: Some(thread),
        })
    }

    fn stream(&self, name: &str) -> Result<&Stream> {
        self.streams.get(name).ok_or_else(|| Error::Denied(format!("there is no stream {name:?}")))
    }

    fn shard(&self, name: &str, shard: u32) -> Result<&watch::Sender<u64>> {
        let stream = self.stream(name)?;
        stream.last.get(shard as usize).ok_or_else(|| Error::Denied(format!("{name:?} has no shard {shard}")))
    }

    /// Sequence of the last durable record, for whoever cannot wait.
    pub fn last_now(&self, stream: &str, shard: u32) -> Result<u64> {
        Ok(*self.shard(stream, shard)?.borrow())
    }

    async fn send(&self, stream: &str, records: Vec<(u32, String, Vec<u8>)>) -> Result<Vec<(u32, u64)>> {
        let (answer, answered) = oneshot::channel();
        let gone = || Error::Unavailable("the log's writer has stopped".into());
        let writer = self.writer.as_ref().ok_or_else(gone)?;
        writer.send(Append { stream: stream.into(), records, answer }).await.map_err(|_| gone())?;
        // The writer took it: without an answer nobody knows whether it was written.
        answered.await.map_err(|_| Error::Timeout)?
    }
}

impl Drop for EmbeddedStreams {
    /// Lets the writer finish what it has been given.
    fn drop(&mut self) {
        self.writer.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer had panicked");
        }
    }
}

/// Shard of a partition: FNV-1a, so that it is the same in every build.
pub fn shard_of(partition: &str, shards: u32) -> u32 {
    let hash = partition.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    (hash % u64::from(shards)) as u32
}

#[async_trait]
impl LogStreams for EmbeddedStreams {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let shards = self.shards(stream)?;
        if messages.iter().any(|message| message.partition.len() > usize::from(u16::MAX)) {
            return Err(Error::Invalid("a partition key is longer than 65535 bytes".into()));
        }
        let place =
            |message: Message| (shard_of(&message.partition, shards), message.partition, message.body);
        let written = self.send(stream, messages.into_iter().map(place).collect()).await?;
        Ok(written.into_iter().map(|(shard, sequence)| Ok(format!("{shard}:{sequence}"))).collect())
    }
}

#[async_trait]
impl Log for EmbeddedStreams {
    fn shards(&self, stream: &str) -> Result<u32> {
        Ok(self.stream(stream)?.last.len() as u32)
    }

    async fn read(&self, stream: &str, shard: u32, after: u64, max: usize) -> Result<Vec<Record>> {
        let last = *self.shard(stream, shard)?.borrow();
        let keyspace = &self.stream(stream)?.keyspace;
        // Only what is durable is shown: up to the last answered append.
        let range = key(shard, after.saturating_add(1))..=key(shard, last);
        if after >= last {
            return Ok(Vec::new());
        }
        keyspace.range(range).take(max).map(|item| decode(item.into_inner().map_err(broken)?)).collect()
    }

    async fn wait(&self, stream: &str, shard: u32, after: u64, timeout: Duration) -> Result<()> {
        let mut last = self.shard(stream, shard)?.subscribe();
        // Time up and news are the same to the caller: it reads.
        let _ = tokio::time::timeout(timeout, last.wait_for(|last| *last > after)).await;
        Ok(())
    }

    async fn append_to_shard(&self, stream: &str, shard: u32, body: Vec<u8>) -> Result<u64> {
        self.shard(stream, shard)?;
        let written = self.send(stream, vec![(shard, String::new(), body)]).await?;
        written.first().map(|(_, sequence)| *sequence).ok_or(Error::Timeout)
    }

    async fn last(&self, stream: &str, shard: u32) -> Result<u64> {
        self.last_now(stream, shard)
    }
}

#[async_trait]
impl Checkpoints for EmbeddedStreams {
    async fn get(&self, consumer: &str, stream: &str, shard: u32) -> Result<u64> {
        match self.checkpoints.get(checkpoint_key(consumer, stream, shard)).map_err(broken)? {
            Some(bytes) => Ok(u64::from_be_bytes(bytes.as_ref().try_into().map_err(|_| damaged())?)),
            None => Ok(0),
        }
    }

    /// Survives a crash of the process. After a crash of the machine an older one may be found, and what lies between
    /// is consumed once more.
    async fn set(&self, consumer: &str, stream: &str, shard: u32, sequence: u64) -> Result<()> {
        let (checkpoints, key) = (self.checkpoints.clone(), checkpoint_key(consumer, stream, shard));
        checkpoints.insert(key, sequence.to_be_bytes()).map_err(broken)?;
        self.database.persist(PersistMode::Buffer).map_err(broken)
    }
}

#[async_trait]
impl Snapshots for EmbeddedStreams {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.blobs.get(key).map_err(broken)?.map(|bytes| bytes.to_vec()))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let (database, blobs, key) = (self.database.clone(), self.blobs.clone(), key.to_string());
        let written = tokio::task::spawn_blocking(move || {
            blobs.insert(key, bytes)?;
            database.persist(PersistMode::SyncData)
        });
        written.await.map_err(|error| Error::Internal(error.to_string()))?.map_err(broken)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.blobs.remove(key).map_err(broken)
    }
}

#[derive(Clone, Copy)]
struct Head {
    sequence: u64,
    arrived: Millis,
}

struct Writer {
    database: Database,
    streams: BTreeMap<String, Stream>,
    heads: BTreeMap<(String, u32), Head>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            let mut records = group[0].records.len();
            while records < GROUP
                && let Ok(append) = queue.try_recv()
            {
                records += append.records.len();
                group.push(append);
            }
            self.write(group);
        }
        if let Err(error) = self.database.persist(PersistMode::SyncAll) {
            tracing::error!(%error, "the log could not be synced at its end");
        }
    }

    fn write(&mut self, group: Vec<Append>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis);
        let mut heads = self.heads.clone();
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut answers = Vec::with_capacity(group.len());
        for append in group {
            let stream = &self.streams[&append.stream];
            let mut written = Vec::with_capacity(append.records.len());
            for (shard, partition, body) in append.records {
                let Some(head) = heads.get_mut(&(append.stream.clone(), shard)) else { continue };
                head.sequence += 1;
                head.arrived = head.arrived.max(now);
                batch.insert(
                    &stream.keyspace,
                    key(shard, head.sequence),
                    encode(head.arrived, &partition, &body),
                );
                written.push((shard, head.sequence));
            }
            answers.push((append.answer, written));
        }
        match batch.commit() {
            Ok(()) => {
                self.heads = heads;
                for ((name, shard), head) in &self.heads {
                    let last = &self.streams[name].last[*shard as usize];
                    last.send_if_modified(|last| std::mem::replace(last, head.sequence) != head.sequence);
                }
                for (answer, written) in answers {
                    // A caller that no longer waits has its record all the same.
                    let _ = answer.send(Ok(written));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a batch could not be written to the log");
                // Whether it reached the disk is unknown. Its sequences are given out again: readers stop at the last answered
                // one, so nobody has seen what the next batch overwrites.
                for (answer, _) in answers {
                    let _ = answer.send(Err(Error::Timeout));
                }
            }
        }
    }
}

/// Shard and sequence, big-endian, so that the keys' order is the log's.
fn key(shard: u32, sequence: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&shard.to_be_bytes());
    key[4..].copy_from_slice(&sequence.to_be_bytes());
    key
}

fn checkpoint_key(consumer: &str, stream: &str, shard: u32) -> String {
    format!("{consumer}/{stream}/{shard}")
}

/// Arrival (8 bytes), length of the partition (2 bytes), partition, body.
fn encode(arrived: Millis, partition: &str, body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(10 + partition.len() + body.len());
    value.extend_from_slice(&arrived.to_be_bytes());
    value.extend_from_slice(&(partition.len() as u16).to_be_bytes());
    value.extend_from_slice(partition.as_bytes());
    value.extend_from_slice(body);
    value
}

fn decode((key, value): fjall::KvPair) -> Result<Record> {
    let sequence = key.get(4..12).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let arrived = value.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let length = value.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
    let (Some(sequence), Some(arrived), Some(length)) = (sequence, arrived, length) else {
        return Err(damaged());
    };
    let end = 10 + usize::from(length);
    let (Some(partition), Some(body)) = (value.get(10..end), value.get(end..)) else { return Err(damaged()) };
    let partition = std::str::from_utf8(partition).map_err(|_| damaged())?.to_string();
    Ok(Record { sequence, arrived, partition, body: body.to_vec() })
}

fn newest(keyspace: &Keyspace, shard: u32) -> Result<Option<Record>> {
    let range = key(shard, 0)..=key(shard, u64::MAX);
    keyspace.range(range).next_back().map(|item| decode(item.into_inner().map_err(broken)?)).transpose()
}

fn broken(error: fjall::Error) -> Error {
    Error::Unavailable(format!("the log's store: {error}"))
}

fn damaged() -> Error {
    Error::Internal("the log's store holds what this program did not write".into())
}
