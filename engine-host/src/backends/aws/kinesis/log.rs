//! Streams as the engine sees them: shards by number, records by sequence from 1 on, without gaps.
//!
//! The service's own sequences have 56 digits and gaps, so messages are counted, from the first that the shard ever held.
//! That count is a pure function of the stream. A reader begins at one of the places that are written down now and then
//! (which message is in which record) and counts on from there, so that every reader names a message alike, for ever.
//! Before it counts it looks whether the record that it begins with is still there: miscounting is worse than an error.
//!
//! One task a shard follows the stream, for all in this process who read it, and keeps the newest messages in memory; who is
//! further behind reads for itself.

use super::super::failure::failed;
use super::super::{Repeat, escaped, now_ms, pause, repeated};
use super::aggregate::messages;
use super::producer::{Options as ProducerOptions, Producer};
use super::reader::{Batch, Mode, Place, Reader};
use super::shards::{self, Shard};
use crate::backends::{Log, Record};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, LogStreams, Millis, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Messages of a shard that are kept in memory, and their bytes.
const WINDOW_MESSAGES: usize = 100_000;
const WINDOW_BYTES: usize = 32 << 20;
/// A place is written down after so many messages, and after so long, so that the newest one does not fall out of the stream.
const PLACE_EVERY: u64 = 5_000;
pub(super) const PLACE_AFTER: Duration = Duration::from_secs(60);
/// How long a reader waits for news of a shard that says nothing.
const NEWS: Duration = Duration::from_secs(3);
/// Readers that are far behind, of one shard, whose places are remembered.
const BEHIND: usize = 16;

/// Which message is the last one of which record, as far as `checked` is known to be true of the end of the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub sequence: u64,
    pub record: String,
    /// The newest arrival up to there.
    pub arrived: Millis,
}

/// Where positions are written down.
#[async_trait]
pub trait Positions: Send + Sync {
    /// The newest position that is not behind `sequence`.
    async fn find(&self, stream: &str, shard: &str, sequence: u64) -> Result<Option<Position>>;
    async fn keep(&self, stream: &str, shard: &str, position: &Position) -> Result<()>;
    /// When the position was last known to be the end of the shard.
    async fn checked(&self, stream: &str, shard: &str) -> Result<Option<(Position, Millis)>>;
    async fn check(&self, stream: &str, shard: &str, position: &Position, at: Millis) -> Result<()>;
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub mode: Mode,
    pub producer: ProducerOptions,
}

#[derive(Clone)]
pub struct KinesisLog {
    pub(super) shared: Arc<Shared>,
    /// Who follows a shard for this log ends with it.
    alive: Arc<watch::Sender<()>>,
}

pub(super) struct Shared {
    pub client: Client,
    pub positions: Arc<dyn Positions>,
    options: Options,
    streams: BTreeMap<String, Stream>,
}

struct Stream {
    name: String,
    producer: Producer,
    retention_ms: Millis,
    /// By the number in their names; those that the stream has forgotten are `None`.
    shards: RwLock<Vec<Option<Arc<ShardState>>>>,
}

/// What is known of a shard.
struct ShardState {
    shard: Shard,
    retention_ms: Millis,
    followed: AtomicBool,
    /// The newest message.
    head: watch::Sender<u64>,
    /// How often the end of the shard was seen; `u64::MAX`: there will be no more.
    rounds: watch::Sender<u64>,
    window: Mutex<Window>,
    behind: Mutex<BTreeMap<u64, Counter>>,
    /// Why the shard cannot be followed.
    broken: Mutex<Option<Error>>,
}

#[derive(Default)]
struct Window {
    /// With the service's sequence of each message's record.
    records: VecDeque<(Arc<str>, Record)>,
    bytes: usize,
}

impl KinesisLog {
    /// Looks at these streams, which must be there. The shards are followed from when they are first asked for.
    pub async fn connect(
        config: &SdkConfig,
        positions: Arc<dyn Positions>,
        streams: &[&str],
        options: Options,
    ) -> Result<KinesisLog> {
        let client = Client::new(config);
        let mut known = BTreeMap::new();
        for name in streams {
            let summary = repeated(Repeat::Unanswered, || async {
                client.describe_stream_summary().stream_name(*name).send().await.map_err(failed)
            })
            .await?;
            let hours =
                summary.stream_description_summary.map_or(24, |summary| summary.retention_period_hours);
            let stream = Stream {
                name: name.to_string(),
                producer: Producer::start(client.clone(), name, options.producer),
                retention_ms: Millis::from(hours.max(1).unsigned_abs()) * 3_600_000,
                shards: RwLock::default(),
            };
            stream.take(shards::list(&client, name).await?)?;
            known.insert(name.to_string(), stream);
        }
        let shared = Shared { client, positions, options, streams: known };
        Ok(KinesisLog { shared: Arc::new(shared), alive: Arc::new(watch::Sender::new(())) })
    }

    /// Looks again which shards a stream has, after it was split or merged.
    pub async fn refresh(&self, stream: &str) -> Result<()> {
        let listed = shards::list(&self.shared.client, stream).await?;
        self.shared.stream(stream)?.take(listed)
    }

    /// The shards of a stream by number, with their parents.
    pub fn lineage(&self, stream: &str) -> Result<Vec<Shard>> {
        let stream = self.shared.stream(stream)?;
        let shards = stream.shards.read().unwrap_or_else(PoisonError::into_inner);
        Ok(shards.iter().flatten().map(|state| state.shard.clone()).collect())
    }

    /// Whether the shard is closed, and has no message behind this one.
    pub fn is_over(&self, stream: &str, shard: u32, after: u64) -> Result<bool> {
        let state = self.shard(stream, shard)?;
        // In this order: no message comes once there will be no more rounds.
        let is_closed = *state.rounds.borrow() == u64::MAX;
        Ok(is_closed && *state.head.borrow() <= after)
    }

    fn shard(&self, stream: &str, shard: u32) -> Result<Arc<ShardState>> {
        let state = self.shared.stream(stream)?.state(shard)?;
        if !state.followed.swap(true, Ordering::AcqRel) {
            let follower =
                Follower { shared: self.shared.clone(), stream: stream.into(), state: state.clone() };
            let mut alive = self.alive.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    // It never changes: it is gone.
                    _ = alive.changed() => {}
                    () = follower.run() => {}
                }
            });
        }
        Ok(state)
    }
}

impl Shared {
    fn stream(&self, name: &str) -> Result<&Stream> {
        self.streams.get(name).ok_or_else(|| Error::Denied(format!("there is no stream {name:?}")))
    }

    fn reader(&self, stream: &str, shard: &str, place: Place, mode: Mode) -> Reader {
        Reader::new(self.client.clone(), stream, shard, place, mode)
    }

    /// A counter that stands at the newest known place that is not behind this message.
    async fn counter(&self, stream: &str, state: &ShardState, at_most: u64, mode: Mode) -> Result<Counter> {
        let id = &state.shard.id;
        let mut position = self.positions.find(stream, id, at_most).await?;
        let checked = self.positions.checked(stream, id).await?;
        let mut end = None;
        if let Some((last, at)) = checked
            && last.sequence <= at_most
            && position.as_ref().is_none_or(|position| position.sequence <= last.sequence)
        {
            (position, end) = (Some(last), Some(at));
        }
        Ok(self.counter_from(stream, id, position, end, mode, state.retention_ms))
    }

    /// A counter that stands behind this message, or at the shard's first.
    pub async fn counter_at(&self, stream: &str, shard: &str, position: Option<Position>) -> Result<Counter> {
        let retention_ms = self.stream(stream)?.retention_ms;
        let checked = self.positions.checked(stream, shard).await?;
        let end = checked.filter(|(last, _)| Some(last) == position.as_ref()).map(|(_, at)| at);
        Ok(self.counter_from(stream, shard, position, end, self.options.mode.clone(), retention_ms))
    }

    fn counter_from(
        &self,
        stream: &str,
        shard: &str,
        position: Option<Position>,
        end: Option<Millis>,
        mode: Mode,
        retention_ms: Millis,
    ) -> Counter {
        let place = match &position {
            None => Place::Start,
            Some(position) => Place::At(position.record.clone()),
        };
        let (sequence, arrived) =
            position.as_ref().map_or((0, 0), |position| (position.sequence, position.arrived));
        Counter {
            reader: self.reader(stream, shard, place, mode),
            sequence,
            arrived,
            expected: position.map(|position| position.record),
            end,
            retention_ms,
            counted: VecDeque::new(),
        }
    }
}

impl Stream {
    fn take(&self, listed: BTreeMap<String, Shard>) -> Result<()> {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        for shard in listed.into_values() {
            let number = shard.number()? as usize;
            if shards.len() <= number {
                shards.resize_with(number + 1, || None);
            }
            if shards[number].is_none() {
                shards[number] = Some(Arc::new(ShardState {
                    shard,
                    retention_ms: self.retention_ms,
                    followed: AtomicBool::new(false),
                    head: watch::Sender::new(0),
                    rounds: watch::Sender::new(0),
                    window: Mutex::default(),
                    behind: Mutex::default(),
                    broken: Mutex::default(),
                }));
            }
        }
        Ok(())
    }

    fn state(&self, shard: u32) -> Result<Arc<ShardState>> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let state = shards.get(shard as usize).and_then(Clone::clone);
        state.ok_or_else(|| Error::Denied(format!("{:?} has no shard {shard}", self.name)))
    }
}

/// Names messages by counting them.
pub(super) struct Counter {
    reader: Reader,
    /// The last message that was counted.
    sequence: u64,
    arrived: Millis,
    /// The record that the reader begins with, and that was counted already.
    expected: Option<String>,
    /// When that record was known to be the last one.
    end: Option<Millis>,
    retention_ms: Millis,
    /// What was read and not taken yet.
    counted: VecDeque<(Arc<str>, Record)>,
}

impl Counter {
    /// Reads on; what it finds is in `counted`.
    pub async fn next(&mut self) -> Result<Batch> {
        let mut batch = self.reader.next().await?;
        if let Some(expected) = &self.expected {
            match batch.records.first() {
                Some(first) if first.sequence == *expected => {
                    batch.records.remove(0);
                    self.expected = None;
                }
                // The record is gone. If it was the last one when all that came later is still there, nothing lies between.
                Some(_) if self.end.is_some_and(|end| now_ms().saturating_sub(end) < self.retention_ms) => {
                    self.expected = None;
                }
                Some(first) => {
                    return Err(Error::Internal(format!(
                        "the stream begins with record {}, and no longer holds message {} to count from",
                        first.sequence, self.sequence
                    )));
                }
                None if batch.behind_ms == 0 => self.end = Some(now_ms()),
                None => {}
            }
        }
        for record in std::mem::take(&mut batch.records) {
            self.arrived = self.arrived.max(record.arrived);
            let name: Arc<str> = record.sequence.as_str().into();
            for (partition, body) in messages(&record.partition, record.data) {
                self.sequence += 1;
                let partition = super::super::unescaped(&partition).to_string();
                let message = Record { sequence: self.sequence, arrived: self.arrived, partition, body };
                self.counted.push_back((name.clone(), message));
            }
        }
        Ok(batch)
    }

    /// What was found and not taken yet.
    pub fn take(&mut self) -> VecDeque<(Arc<str>, Record)> {
        std::mem::take(&mut self.counted)
    }

    /// The record that it stands behind, until it has read on.
    pub fn begins_with(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    pub fn position(&self, record: &str) -> Position {
        Position { sequence: self.sequence, record: record.into(), arrived: self.arrived }
    }
}

/// Follows a shard for everybody in this process.
struct Follower {
    shared: Arc<Shared>,
    stream: String,
    state: Arc<ShardState>,
}

impl Follower {
    async fn run(self) {
        let mut failures = 0;
        loop {
            match self.follow(&mut failures).await {
                Ok(()) => {
                    self.state.rounds.send_replace(u64::MAX);
                    return;
                }
                Err(error) => {
                    failures += 1;
                    tracing::error!(stream = self.stream, shard = self.state.shard.id, %error, "the shard cannot be followed");
                    *lock(&self.state.broken) = Some(error);
                    // Who waits for news learns of it.
                    self.state.rounds.send_modify(|rounds| *rounds += 1);
                    tokio::time::sleep(pause(failures)).await;
                }
            }
        }
    }

    /// Returns at the end of the shard.
    async fn follow(&self, failures: &mut u32) -> Result<()> {
        let (state, mode) = (&self.state, self.shared.options.mode.clone());
        // After an error it goes on behind what everybody has seen.
        let head = *state.head.borrow();
        let mut counter = self.shared.counter(&self.stream, state, u64::MAX, mode).await?;
        if head > 0 && counter.sequence > head {
            // Another one has written down a place that this one has not come to.
            counter =
                self.shared.counter(&self.stream, state, head, self.shared.options.mode.clone()).await?;
        }
        let (mut kept, mut checked) = (counter.sequence, tokio::time::Instant::now());
        let mut last: Option<Arc<str>> = counter.expected.as_deref().map(Arc::from);
        if head == 0 {
            state.head.send_replace(counter.sequence);
        }
        loop {
            let batch = match counter.next().await {
                Err(Error::Throttled(_) | Error::Timeout | Error::Unavailable(_)) if *failures < 5 => {
                    *failures += 1;
                    tokio::time::sleep(pause(*failures)).await;
                    continue;
                }
                batch => batch?,
            };
            *failures = 0;
            *lock(&state.broken) = None;
            last = counter.counted.back().map(|(record, _)| record.clone()).or(last);
            let seen = *state.head.borrow();
            let fresh = counter.counted.drain(..).filter(|(_, message)| message.sequence > seen);
            lock(&state.window).add(fresh);
            if counter.sequence > seen {
                state.head.send_replace(counter.sequence);
            }
            if let Some(record) = &last {
                let position = counter.position(record);
                if counter.sequence >= kept + PLACE_EVERY {
                    self.shared.positions.keep(&self.stream, &state.shard.id, &position).await?;
                    kept = counter.sequence;
                }
                if batch.behind_ms == 0 && checked.elapsed() >= PLACE_AFTER {
                    let (id, now) = (&state.shard.id, now_ms());
                    self.shared.positions.check(&self.stream, id, &position, now).await?;
                    checked = tokio::time::Instant::now();
                }
            }
            if batch.ended.is_some() {
                tracing::info!(stream = self.stream, shard = state.shard.id, "the shard has ended");
                return Ok(());
            }
            if batch.behind_ms == 0 {
                state.rounds.send_modify(|rounds| *rounds += 1);
            }
        }
    }
}

impl Window {
    fn add(&mut self, messages: impl Iterator<Item = (Arc<str>, Record)>) {
        for message in messages {
            self.bytes += message.1.body.len();
            self.records.push_back(message);
        }
        while self.records.len() > WINDOW_MESSAGES || (self.bytes > WINDOW_BYTES && self.records.len() > 1) {
            let Some((_, gone)) = self.records.pop_front() else { break };
            self.bytes -= gone.body.len();
        }
    }

    /// The messages behind this one; `None` if the first of them is no longer here.
    fn read(&self, after: u64, max: usize) -> Option<Vec<Record>> {
        let (_, first) = self.records.front()?;
        let skip = (after + 1).checked_sub(first.sequence)?;
        let from = usize::try_from(skip).ok()?.min(self.records.len());
        Some(self.records.range(from..).take(max).map(|(_, record)| record.clone()).collect())
    }

    /// The message that is this record.
    fn named(&self, record: &str) -> Option<u64> {
        let found = self.records.iter().rev().find(|(name, _)| **name == *record);
        found.map(|(_, message)| message.sequence)
    }
}

impl ShardState {
    fn broken(&self) -> Result<()> {
        lock(&self.broken).clone().map_or(Ok(()), Err)
    }

    /// Waits until everything that was durable at the call has been seen, or something lies behind `after`.
    async fn news(&self, after: u64) -> Result<()> {
        let mut rounds = self.rounds.subscribe();
        let mut head = self.head.subscribe();
        // The call on its way may have been answered before; the next one is not.
        let enough = rounds.borrow_and_update().saturating_add(2);
        let seen = async {
            tokio::select! {
                over = rounds.wait_for(|rounds| *rounds >= enough) => drop(over),
                over = head.wait_for(|head| *head > after) => drop(over),
            }
        };
        let in_time = tokio::time::timeout(NEWS, seen).await.is_ok();
        self.broken()?;
        // A subscription may have nothing to say for longer.
        if !in_time {
            tracing::debug!(shard = self.shard.id, "no news of the shard");
        }
        Ok(())
    }

    /// A counter that stands behind this message, if there is one.
    fn counter_behind(&self, after: u64) -> Option<Counter> {
        lock(&self.behind).remove(&after)
    }

    fn keep_counter(&self, after: u64, counter: Counter) {
        let mut behind = lock(&self.behind);
        behind.insert(after, counter);
        while behind.len() > BEHIND {
            behind.pop_first();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl LogStreams for KinesisLog {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.shared.stream(stream)?.producer.append(messages).await
    }
}

#[async_trait]
impl Log for KinesisLog {
    fn shards(&self, stream: &str) -> Result<u32> {
        let shards = self.shared.stream(stream)?.shards.read().unwrap_or_else(PoisonError::into_inner);
        Ok(shards.len() as u32)
    }

    async fn read(&self, stream: &str, shard: u32, after: u64, max: usize) -> Result<Vec<Record>> {
        let state = self.shard(stream, shard)?;
        if max == 0 {
            return Ok(Vec::new());
        }
        if *state.head.borrow() <= after {
            state.news(after).await?;
        }
        if *state.head.borrow() <= after {
            return Ok(Vec::new());
        }
        if let Some(records) = lock(&state.window).read(after, max) {
            return Ok(records);
        }
        let mut counter = match state.counter_behind(after) {
            Some(counter) => counter,
            None => self.shared.counter(stream, &state, after, Mode::default()).await?,
        };
        // Dropped with an error, it is made anew.
        loop {
            while counter.counted.front().is_some_and(|(_, message)| message.sequence <= after) {
                counter.counted.pop_front();
            }
            if !counter.counted.is_empty() {
                break;
            }
            if counter.next().await?.ended.is_some() && counter.counted.is_empty() {
                return Ok(Vec::new());
            }
        }
        let count = max.min(counter.counted.len());
        let records: Vec<Record> = counter.counted.drain(..count).map(|(_, record)| record).collect();
        if let Some(last) = records.last() {
            state.keep_counter(last.sequence, counter);
        }
        Ok(records)
    }

    async fn wait(&self, stream: &str, shard: u32, after: u64, timeout: Duration) -> Result<()> {
        let state = self.shard(stream, shard)?;
        let mut head = state.head.subscribe();
        // Time up and news are the same to the caller: it reads.
        let _ = tokio::time::timeout(timeout, head.wait_for(|head| *head > after)).await;
        Ok(())
    }

    async fn append_to_shard(&self, stream: &str, shard: u32, body: Vec<u8>) -> Result<u64> {
        let state = self.shard(stream, shard)?;
        let mut head = state.head.subscribe();
        let (key, data) = (state.shard.hash_keys.0.to_string(), Blob::new(body));
        let put = repeated(Repeat::Refused, || async {
            let put = self.shared.client.put_record().stream_name(stream).partition_key(escaped(""));
            put.explicit_hash_key(&key).data(data.clone()).send().await.map_err(failed)
        })
        .await?;
        if put.shard_id != state.shard.id {
            return Err(Error::Denied(format!(
                "{stream:?}: shard {shard} has ended; {} took the record",
                put.shard_id
            )));
        }
        // Its number is known when it has been counted.
        let counted = async {
            loop {
                head.borrow_and_update();
                if let Some(sequence) = lock(&state.window).named(&put.sequence_number) {
                    return Ok(sequence);
                }
                state.broken()?;
                head.changed().await.map_err(|_| Error::Timeout)?;
            }
        };
        tokio::time::timeout(NEWS * 4, counted).await.map_err(|_| Error::Timeout)?
    }

    async fn last(&self, stream: &str, shard: u32) -> Result<u64> {
        let state = self.shard(stream, shard)?;
        state.news(u64::MAX).await?;
        Ok(*state.head.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64) -> (Arc<str>, Record) {
        let record = Record { sequence, arrived: 0, partition: String::new(), body: vec![0; 100] };
        (format!("s{}", sequence / 2).into(), record)
    }

    #[test]
    fn the_window_knows_what_it_no_longer_has() {
        let mut window = Window::default();
        assert_eq!(window.read(0, 10), None);
        window.add((11..=20).map(message));
        let sequences = |records: Option<Vec<Record>>| -> Option<Vec<u64>> {
            Some(records?.into_iter().map(|record| record.sequence).collect())
        };
        assert_eq!(sequences(window.read(9, 2)), None);
        assert_eq!(sequences(window.read(10, 2)), Some(vec![11, 12]));
        assert_eq!(sequences(window.read(19, 5)), Some(vec![20]));
        assert_eq!(sequences(window.read(20, 5)), Some(vec![]));
        assert_eq!(window.named("s7"), Some(15));
        assert_eq!(window.named("s99"), None);
        window.add((21..=(WINDOW_MESSAGES as u64 + 15)).map(message));
        assert_eq!(window.records.len(), WINDOW_MESSAGES);
        assert_eq!(window.bytes, WINDOW_MESSAGES * 100);
        assert_eq!(sequences(window.read(15, 1)), Some(vec![16]));
        assert_eq!(window.read(14, 1), None);
    }
}
