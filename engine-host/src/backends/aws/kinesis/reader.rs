//! A shard's records from a place on: asked for again and again, or pushed by enhanced fan-out.
//!
//! Asking keeps to the service's limits on a shard, five calls and 2 MiB a second, which all who read it share. An iterator
//! that has expired is made anew behind the last record.

use super::super::failure::{code, failed};
use super::super::{Repeat, repeated, unescaped};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::types::{
    ChildShard, Record as Raw, ShardIteratorType, StartingPosition, SubscribeToShardEventStream,
};
use edge_fns::capability::{Error, Millis, Result};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// What one call may bring.
const CALL_RECORDS: i32 = 10_000;
/// Bytes that a shard gives in a second.
const BYTES_PER_SECOND: f64 = 2_097_152.0;
/// A subscription that says nothing for so long is taken for dead; the service sends something each few seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// With the oldest record that the stream still holds.
    Start,
    /// With what comes from now on.
    End,
    /// With this record.
    At(String),
    /// Behind this record.
    Behind(String),
}

/// How records come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Asked for, at least so far apart.
    Poll(Duration),
    /// Pushed to this registered consumer.
    FanOut { consumer_arn: String },
}

impl Default for Mode {
    fn default() -> Self {
        Mode::Poll(Duration::from_millis(200))
    }
}

/// One record as the stream holds it; it may be several messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KinesisRecord {
    pub sequence: String,
    pub partition: String,
    pub arrived: Millis,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub records: Vec<KinesisRecord>,
    /// How far the reader is behind the newest record.
    pub behind_ms: u64,
    /// Nothing comes after these: the shard was split or merged, and these are its children, as far as the service said.
    pub ended: Option<Vec<String>>,
}

pub struct Reader {
    client: Client,
    stream: String,
    shard: String,
    mode: Mode,
    place: Place,
    iterator: Option<String>,
    subscription: Option<SubscribeToShardOutput>,
    /// The next call may be made then.
    next: Instant,
    ended: bool,
}

impl Reader {
    pub fn new(client: Client, stream: &str, shard: &str, place: Place, mode: Mode) -> Reader {
        Reader {
            client,
            stream: stream.into(),
            shard: shard.into(),
            mode,
            place,
            iterator: None,
            subscription: None,
            next: Instant::now(),
            ended: false,
        }
    }

    /// The next records. May be dropped while it waits, and called again after an error: it goes on where it was.
    pub async fn next(&mut self) -> Result<Batch> {
        if self.ended {
            return Ok(Batch { ended: Some(Vec::new()), ..Batch::default() });
        }
        let batch = match self.mode.clone() {
            Mode::Poll(apart) => self.poll(apart).await?,
            Mode::FanOut { consumer_arn } => self.pushed(&consumer_arn).await?,
        };
        if let Some(last) = batch.records.last() {
            self.place = Place::Behind(last.sequence.clone());
        }
        self.ended = batch.ended.is_some();
        Ok(batch)
    }

    async fn poll(&mut self, apart: Duration) -> Result<Batch> {
        sleep_until(self.next).await;
        self.next = Instant::now() + apart;
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => self.new_iterator().await?,
        };
        let get = self.client.get_records().shard_iterator(&iterator).limit(CALL_RECORDS);
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) if code(&error) == Some("ExpiredIteratorException") => {
                tracing::debug!(shard = self.shard, "the iterator has expired, taking another one");
                self.next = Instant::now();
                return Ok(Batch { behind_ms: u64::MAX, ..Batch::default() });
            }
            Err(error) => {
                let error = failed(error);
                if matches!(error, Error::Throttled(_)) {
                    // Others read the shard too.
                    self.next = Instant::now() + 2 * apart;
                }
                self.iterator = Some(iterator);
                return Err(error);
            }
        };
        let records: Vec<KinesisRecord> = got.records.into_iter().map(record).collect();
        let bytes: usize = records.iter().map(|record| record.data.len() + record.partition.len()).sum();
        self.next = self.next.max(Instant::now() + Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND));
        let ended = if got.next_shard_iterator.is_none() { Some(children(got.child_shards)) } else { None };
        self.iterator = got.next_shard_iterator;
        let behind_ms = got.millis_behind_latest.unwrap_or_default().max(0) as u64;
        Ok(Batch { records, behind_ms, ended })
    }

    async fn new_iterator(&self) -> Result<String> {
        let kind = match &self.place {
            Place::Start => ShardIteratorType::TrimHorizon,
            Place::End => ShardIteratorType::Latest,
            Place::At(_) => ShardIteratorType::AtSequenceNumber,
            Place::Behind(_) => ShardIteratorType::AfterSequenceNumber,
        };
        let sequence = match &self.place {
            Place::Start | Place::End => None,
            Place::At(sequence) | Place::Behind(sequence) => Some(sequence.clone()),
        };
        let answer = repeated(Repeat::Unanswered, || async {
            let get = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(&self.shard);
            let get = get.shard_iterator_type(kind.clone()).set_starting_sequence_number(sequence.clone());
            get.send().await.map_err(failed)
        })
        .await?;
        answer.shard_iterator.ok_or_else(|| Error::Internal("no iterator was given".into()))
    }

    async fn pushed(&mut self, consumer_arn: &str) -> Result<Batch> {
        let subscription = match &mut self.subscription {
            Some(subscription) => subscription,
            None => {
                sleep_until(self.next).await;
                // One consumer may subscribe to a shard once in five seconds; a refused attempt counts too.
                self.next = Instant::now() + Duration::from_secs(5);
                let subscribed = self.subscribe(consumer_arn).await?;
                self.subscription.insert(subscribed)
            }
        };
        let event = match timeout(SILENCE, subscription.event_stream.recv()).await {
            Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => event,
            // One that this version does not know.
            Ok(Ok(Some(_))) => return Ok(Batch { behind_ms: u64::MAX, ..Batch::default() }),
            // A subscription lasts five minutes; it may also break off at any time.
            over => {
                if let Ok(Err(error)) = &over {
                    tracing::debug!(shard = self.shard, %error, "the subscription broke off");
                }
                self.subscription = None;
                return Ok(Batch { behind_ms: u64::MAX, ..Batch::default() });
            }
        };
        let children = children(event.child_shards);
        let ended = if children.is_empty() { None } else { Some(children) };
        if !event.continuation_sequence_number.is_empty() && event.records.is_empty() && ended.is_none() {
            // Where nothing has come for long, this goes on when the last record may be gone.
            self.place = Place::Behind(event.continuation_sequence_number.clone());
        }
        let records = event.records.into_iter().map(record).collect();
        Ok(Batch { records, behind_ms: event.millis_behind_latest.max(0) as u64, ended })
    }

    async fn subscribe(&self, consumer_arn: &str) -> Result<SubscribeToShardOutput> {
        let position = StartingPosition::builder();
        let position = match &self.place {
            Place::Start => position.r#type(ShardIteratorType::TrimHorizon),
            Place::End => position.r#type(ShardIteratorType::Latest),
            Place::At(at) => position.r#type(ShardIteratorType::AtSequenceNumber).sequence_number(at),
            Place::Behind(at) => position.r#type(ShardIteratorType::AfterSequenceNumber).sequence_number(at),
        };
        let position = position.build().map_err(|error| Error::Internal(error.to_string()))?;
        let subscribe = self.client.subscribe_to_shard().consumer_arn(consumer_arn).shard_id(&self.shard);
        subscribe.starting_position(position).send().await.map_err(failed)
    }
}

fn record(raw: Raw) -> KinesisRecord {
    KinesisRecord {
        sequence: raw.sequence_number,
        partition: unescaped(raw.partition_key.as_deref().unwrap_or_default()).into(),
        arrived: raw
            .approximate_arrival_timestamp
            .and_then(|at| at.to_millis().ok())
            .map_or(0, |at| at.max(0) as Millis),
        data: raw.data.into_inner(),
    }
}

fn children(shards: Option<Vec<ChildShard>>) -> Vec<String> {
    shards.unwrap_or_default().into_iter().map(|child| child.shard_id).collect()
}

/// Whether a record comes before another one of its shard: their numbers are decimal, and do not fit 128 bits.
pub fn precedes(one: &str, other: &str) -> bool {
    let digits = |sequence: &str| sequence.trim_start_matches('0').len();
    let tail = |sequence: &str| sequence.trim_start_matches('0').to_string();
    (digits(one), tail(one)) < (digits(other), tail(other))
}

#[cfg(test)]
mod tests {
    use super::precedes;

    #[test]
    fn sequences_compare_as_numbers() {
        assert!(precedes("9", "10") && precedes("009", "10") && precedes("", "1"));
        assert!(!precedes("10", "9") && !precedes("10", "010"));
    }
}
