//! An event source mapping in small: what Lambda has between a shard of a Kinesis stream and a function, by what AWS says of
//! it. Its time is its own: five records come a second, and a second is waited before each repetition, so that nothing
//! here depends on how fast the machine is.
//!
//! - Batches of at most [`Settings::batch_size`] records, in the shard's order. With [`Settings::lanes`] as many batches of
//!   the shard are in work at once, records of one partition key in one of them.
//! - The function's answer is read as with `ReportBatchItemFailures`: what comes before the first record named is done, and
//!   never given again; the rest is.
//! - Of a batch of which nothing is done, each repetition counts against [`Settings::retries`]. With [`Settings::bisect`] one
//!   whose call failed is cut into halves in the place of a repetition, as long as it can be, which does not count; one whose
//!   first record was named is not cut: there is nothing before the record to part it from.
//! - What is tried often enough, or is older than [`Settings::max_age_ms`], goes to the on-failure destination as
//!   a [`Letter`], which says where it lies in the shard, and the shard goes on.

use super::{Invoker, Outcome};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// Of the mapping's own time, before a batch is given again.
const BACK_OFF_MS: u64 = 1_000;

#[derive(Clone, Debug)]
pub struct Record {
    pub sequence: u64,
    pub key: String,
    pub body: String,
}

impl Record {
    fn arrived_ms(&self) -> u64 {
        200 * self.sequence
    }

    fn document(&self) -> Value {
        json!({
            "eventSource": "aws:kinesis",
            "eventID": format!("shardId-000000000000:{}", self.sequence),
            "eventSourceARN": "arn:aws:kinesis:ap-northeast-2:123456789012:stream/supernoba-fills",
            "kinesis": {
                "partitionKey": self.key,
                "sequenceNumber": self.sequence.to_string(),
                "data": BASE64_STANDARD.encode(&self.body),
                "approximateArrivalTimestamp": 1_795_600_800.0 + self.arrived_ms() as f64 / 1e3,
            },
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub batch_size: usize,
    pub lanes: usize,
    pub bisect: bool,
    /// `MaximumRetryAttempts`; none is endless.
    pub retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, in the mapping's own time.
    pub max_age_ms: Option<u64>,
}

pub const SETTINGS: Settings =
    Settings { batch_size: 10, lanes: 1, bisect: false, retries: None, max_age_ms: None };

/// What the on-failure destination is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter {
    pub condition: &'static str,
    pub first: u64,
    pub last: u64,
    pub attempts: u32,
}

/// What a mapping did with a shard.
#[derive(Debug, Default)]
pub struct Done {
    /// The sequence numbers of each invocation's records.
    pub handed: Vec<Vec<u64>>,
    pub letters: Vec<Letter>,
}

impl Done {
    /// How often each record was handed over.
    pub fn times(&self, sequence: u64) -> usize {
        self.handed.iter().flatten().filter(|handed| **handed == sequence).count()
    }
}

/// Hands a shard over to its end.
pub async fn consume(invoker: &Invoker, settings: Settings, shard: &[Record]) -> Done {
    let mut lanes = vec![Vec::new(); settings.lanes];
    for record in shard {
        let lane = record.key.bytes().fold(0, |sum, byte| sum * 33 + usize::from(byte)) % settings.lanes;
        lanes[lane].push(record.clone());
    }
    let lanes: Vec<_> = lanes
        .into_iter()
        .map(|records| {
            let mut lane = Lane { invoker: invoker.clone(), settings, now_ms: 0, done: Done::default() };
            tokio::spawn(async move {
                lane.run(records).await;
                lane.done
            })
        })
        .collect();
    let mut all = Done::default();
    for lane in lanes {
        let done = lane.await.unwrap();
        all.handed.extend(done.handed);
        all.letters.extend(done.letters);
    }
    all
}

struct Lane {
    invoker: Invoker,
    settings: Settings,
    now_ms: u64,
    done: Done,
}

struct Batch {
    records: Vec<Record>,
    /// How often it has been given without anything of it being done.
    attempts: u32,
}

impl Lane {
    async fn run(&mut self, records: Vec<Record>) {
        let batches = records.chunks(self.settings.batch_size);
        let mut waiting: VecDeque<Batch> =
            batches.map(|records| Batch { records: records.to_vec(), attempts: 0 }).collect();
        while let Some(batch) = waiting.pop_front() {
            let Some(mut batch) = self.without_the_old(batch) else { continue };
            self.now_ms = self.now_ms.max(batch.records[batch.records.len() - 1].arrived_ms());
            let (undone, is_error) = match self.hand_over(&batch.records).await {
                Outcome::Error(..) => (0, true),
                Outcome::Answer(answer) => match first_named(&answer, &batch.records) {
                    Some(undone) => (undone, false),
                    None => continue,
                },
            };
            self.now_ms += BACK_OFF_MS;
            if undone > 0 {
                waiting.push_front(Batch { records: batch.records.split_off(undone), attempts: 0 });
                continue;
            }
            batch.attempts += 1;
            if self.settings.bisect && is_error && batch.records.len() > 1 {
                let behind = batch.records.split_off(batch.records.len() / 2);
                // A half is as new as the whole was: it has not been given on its own yet.
                waiting.push_front(Batch { records: behind, attempts: 0 });
                waiting.push_front(Batch { records: batch.records, attempts: 0 });
            } else if self.settings.retries.is_some_and(|retries| batch.attempts > retries) {
                self.give_up("RetryAttemptsExhausted", &batch.records, batch.attempts);
            } else {
                waiting.push_front(batch);
            }
        }
    }

    async fn hand_over(&mut self, records: &[Record]) -> Outcome {
        self.done.handed.push(records.iter().map(|record| record.sequence).collect());
        let event = json!({"Records": records.iter().map(Record::document).collect::<Vec<_>>()});
        self.invoker.invoke_within(event, Duration::from_secs(20)).await
    }

    /// A batch without the records that are too old to be tried again.
    fn without_the_old(&mut self, mut batch: Batch) -> Option<Batch> {
        let Some(max_age) = self.settings.max_age_ms else { return Some(batch) };
        let old = batch
            .records
            .iter()
            .take_while(|record| self.now_ms.saturating_sub(record.arrived_ms()) > max_age);
        let old = old.count();
        let behind = batch.records.split_off(old);
        if old > 0 {
            self.give_up("RecordAgeExceeded", &batch.records, batch.attempts);
        }
        (!behind.is_empty()).then_some(Batch { records: behind, attempts: batch.attempts })
    }

    fn give_up(&mut self, condition: &'static str, records: &[Record], attempts: u32) {
        let [first, .., last] = records else {
            let only = records[0].sequence;
            self.done.letters.push(Letter { condition, first: only, last: only, attempts });
            return;
        };
        let (first, last) = (first.sequence, last.sequence);
        self.done.letters.push(Letter { condition, first, last, attempts });
    }
}

/// How many records are done, where not all are.
fn first_named(answer: &Value, records: &[Record]) -> Option<usize> {
    let failures = answer["batchItemFailures"].as_array().expect("the mapping asks for failures");
    let named = failures.iter().map(|failure| {
        let named = failure["itemIdentifier"].as_str().unwrap_or_default();
        let place = records.iter().position(|record| record.sequence.to_string() == named);
        // A name that is not in the batch fails all of it.
        place.unwrap_or(0)
    });
    named.min()
}
