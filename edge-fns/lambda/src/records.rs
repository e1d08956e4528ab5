//! Batches of a Kinesis stream.
//!
//! The answer names the first record that is not done (`batchItemFailures`); Lambda gives that one and everything after
//! it again, so that a shard's order is kept. How often, how old, and what becomes of a batch that never succeeds is the
//! event source mapping's (`MaximumRetryAttempts`, `MaximumRecordAgeInSeconds`, the on-failure destination).
//!
//! - A record that the function rejects for good goes to the stream `DEAD_LETTER_STREAM` with the reason, and counts as
//!   done. While the stream cannot be written, the record counts as failed, and nothing is lost.
//! - A batch in which the function traps, or computes without end, is given to it once more, record by record. Each record
//!   that does it three times goes to the same stream. So what Lambda gives again waits for a back end, and for that the
//!   mapping may have as many attempts as there are: no record is to blame.
//! - Without such a stream it is Lambda that puts bad records aside. For one that stands first the call fails, since only
//!   then Lambda halves the batch, and in the end gives up that record and not all that came with it.

use crate::Failure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use edge_fns::capability::LogStreams;
use edge_fns::capability::streams::Message;
use edge_host::{Disposition, Failure as Undone, Item};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Records of one stream, in the order of their shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub stream: String,
    pub items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    kinesis: Kinesis,
    #[serde(rename = "eventSourceARN")]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    partition_key: String,
    sequence_number: String,
    data: String,
    /// Seconds, with a fraction.
    approximate_arrival_timestamp: f64,
}

pub fn batch(event: Value) -> Result<Batch, Failure> {
    let event = Event::deserialize(event).map_err(|error| Failure::BadEvent(error.to_string()))?;
    let source = event.records.first().map(|record| record.source.as_str()).unwrap_or_default();
    // arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
    let Some((_, stream)) = source.rsplit_once(":stream/") else {
        return Err(Failure::BadEvent(format!("{source:?} is no Kinesis stream")));
    };
    let item = |record: &Record| -> Result<Item, Failure> {
        let Kinesis { partition_key, sequence_number, data, approximate_arrival_timestamp } = &record.kinesis;
        let body = BASE64_STANDARD.decode(data).map_err(|error| {
            Failure::BadEvent(format!("the data of record {sequence_number} are not base64: {error}"))
        })?;
        Ok(Item {
            id: sequence_number.clone(),
            partition: partition_key.clone(),
            // Saturates, where a time makes no sense.
            arrived: (approximate_arrival_timestamp * 1000.0).round() as u64,
            body,
        })
    };
    let items = event.records.iter().map(item).collect::<Result<_, _>>()?;
    Ok(Batch { stream: stream.to_owned(), items })
}

/// What Lambda is told: everything is done, or everything before this record.
pub fn answer(undone: Option<&str>) -> Value {
    match undone {
        None => json!({"batchItemFailures": []}),
        Some(id) => json!({"batchItemFailures": [{"itemIdentifier": id}]}),
    }
}

/// Where records go that can never be processed.
pub struct DeadLetters<'a> {
    pub stream: Option<&'a str>,
    pub log: &'a dyn LogStreams,
}

#[derive(Serialize)]
struct Letter<'a> {
    consumer: &'a str,
    stream: &'a str,
    sequence: &'a str,
    partition: &'a str,
    arrived: u64,
    reason: &'a str,
    #[serde(with = "edge_fns::json")]
    body: Vec<u8>,
}

impl DeadLetters<'_> {
    /// Whether the record is safe there.
    pub async fn bury(&self, consumer: &str, stream: &str, item: &Item, reason: &str) -> bool {
        tracing::error!(consumer, stream, sequence = item.id, reason, "record rejected");
        let Some(letters) = self.stream else {
            tracing::error!("DEAD_LETTER_STREAM is not set: the record counts as failed");
            return false;
        };
        let letter = Letter {
            consumer,
            stream,
            sequence: &item.id,
            partition: &item.partition,
            arrived: item.arrived,
            reason,
            body: item.body.clone(),
        };
        let written = match serde_json::to_vec(&letter) {
            Ok(body) => {
                let message = Message { partition: item.partition.clone(), body };
                self.log
                    .append(letters, vec![message])
                    .await
                    .map(|answers| answers.into_iter().all(|a| a.is_ok()))
            }
            Err(error) => Err(edge_fns::capability::Error::Invalid(error.to_string())),
        };
        if let Ok(true) = written {
            return true;
        }
        tracing::error!(?written, letters, "the dead letter could not be written");
        false
    }

    /// Puts rejected records aside, up to the first that is to be given again; answers that one.
    ///
    /// # Errors
    /// If the first record is rejected and there is no stream for it: it is bad, and given again it will be as bad.
    pub async fn settle<'i>(
        &self,
        consumer: &str,
        stream: &str,
        items: &'i [Item],
        undone: &[Undone],
    ) -> Result<Option<&'i str>, Failure> {
        for (place, item) in items.iter().enumerate() {
            match undone.iter().find(|undone| undone.id == item.id).map(|undone| &undone.disposition) {
                None => {}
                Some(Disposition::Reject(reason)) => {
                    let safe = self.bury(consumer, stream, item, reason).await;
                    if !safe && self.stream.is_none() && place == 0 {
                        return Err(Failure::Rejected(format!("record {}: {reason}", item.id)));
                    }
                    if !safe {
                        return Ok(Some(&item.id));
                    }
                }
                Some(Disposition::Retry) => return Ok(Some(&item.id)),
            }
        }
        Ok(None)
    }
}
