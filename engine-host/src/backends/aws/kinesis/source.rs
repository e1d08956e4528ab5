//! A shard as an engine folds it that alone holds its lease.
//!
//! Batches end where a record of the service's ends, so that a snapshot's place is the name of a record, from which any engine
//! goes on. A task reads ahead while the batch before is folded.

use super::super::failure::failed;
use super::super::{Repeat, escaped, now_ms, pause, repeated};
use super::leases::{Lease, Leases, START};
use super::log::{Counter, KinesisLog, PLACE_AFTER, Position, Shared};
use super::shards::Shard;
use crate::backends::Record;
use crate::engine::{Batch, Source};
use async_trait::async_trait;
use aws_sdk_kinesis::primitives::Blob;
use edge_fns::capability::{Error, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Answers of the service that are read ahead.
const AHEAD: usize = 2;

struct Answer {
    messages: VecDeque<(Arc<str>, Record)>,
    end: bool,
}

pub struct LeasedSource {
    shared: Arc<Shared>,
    stream: String,
    shard: Shard,
    number: u32,
    leases: Leases,
    lease: Lease,
    answers: mpsc::Receiver<Result<Answer>>,
    reading: JoinHandle<()>,
    /// What was read and not given out.
    rest: VecDeque<(Arc<str>, Record)>,
    ended: bool,
}

impl Drop for LeasedSource {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl KinesisLog {
    /// The shard of this lease, behind `from`, or from its first record on.
    pub async fn leased(
        &self,
        stream: &str,
        shard: Shard,
        from: Option<Position>,
        leases: Leases,
        lease: Lease,
    ) -> Result<LeasedSource> {
        let shared = self.shared.clone();
        let number = shard.number()?;
        let counter = shared.counter_at(stream, &shard.id, from).await?;
        let (sender, answers) = mpsc::channel(AHEAD);
        let reading =
            Reading { shared: shared.clone(), stream: stream.into(), shard: shard.id.clone(), sender };
        let reading = tokio::spawn(reading.run(counter));
        let (stream, rest) = (stream.to_string(), VecDeque::new());
        Ok(LeasedSource {
            shared,
            stream,
            shard,
            number,
            leases,
            lease,
            answers,
            reading,
            rest,
            ended: false,
        })
    }
}

/// Reads ahead.
struct Reading {
    shared: Arc<Shared>,
    stream: String,
    shard: String,
    sender: mpsc::Sender<Result<Answer>>,
}

impl Reading {
    async fn run(self, mut counter: Counter) {
        let (mut failures, mut checked) = (0, Instant::now());
        let mut last = counter.begins_with().map(Arc::from);
        loop {
            let answer = match counter.next().await {
                Ok(batch) => {
                    failures = 0;
                    let messages = counter.take();
                    last = messages.back().map(|(record, _)| record.clone()).or(last);
                    if let Some(record) = last.as_ref().filter(|_| batch.behind_ms == 0)
                        && checked.elapsed() >= PLACE_AFTER
                    {
                        self.check(&counter.position(record)).await;
                        checked = Instant::now();
                    }
                    Ok(Answer { messages, end: batch.ended.is_some() })
                }
                Err(error) => Err(error),
            };
            let (end, failed) = (answer.as_ref().is_ok_and(|answer| answer.end), answer.is_err());
            let is_empty = answer.as_ref().is_ok_and(|answer| answer.messages.is_empty() && !answer.end);
            // Nobody is there to take it: the source is gone.
            if !is_empty && self.sender.send(answer).await.is_err() || end {
                return;
            }
            if failed {
                failures += 1;
                sleep(pause(failures)).await;
            }
        }
    }

    /// So that a shard that is quiet for longer than the stream keeps its records can still be counted on.
    async fn check(&self, position: &Position) {
        let checked = self.shared.positions.check(&self.stream, &self.shard, position, now_ms()).await;
        if let Err(error) = checked {
            tracing::warn!(shard = self.shard, %error, "the end of the shard could not be written down");
        }
    }
}

#[async_trait]
impl Source for LeasedSource {
    fn shard(&self) -> u32 {
        self.number
    }

    async fn read(&mut self, after: u64, max: usize, at_most: Duration) -> Result<Batch> {
        if self.rest.is_empty() && !self.ended {
            match timeout(at_most, self.answers.recv()).await {
                Err(_) => {}
                Ok(Some(answer)) => {
                    let Answer { messages, end } = answer?;
                    (self.rest, self.ended) = (messages, end);
                }
                Ok(None) => return Err(Error::Internal("the shard is no longer read".into())),
            }
        }
        let mut records = Vec::with_capacity(max.min(self.rest.len()));
        let mut place: Option<Arc<str>> = None;
        while let Some((name, record)) = self.rest.pop_front() {
            if records.len() >= max && place.as_ref() != Some(&name) {
                self.rest.push_front((name, record));
                break;
            }
            place = Some(name);
            records.push(record);
        }
        if let Some(first) = records.first()
            && first.sequence != after + 1
        {
            return Err(Error::Internal(format!(
                "message {} came where {} was due",
                first.sequence,
                after + 1
            )));
        }
        let end = self.ended && self.rest.is_empty();
        Ok(Batch { records, place: place.map(|place| place.to_string()), end })
    }

    async fn append(&mut self, body: Vec<u8>) -> Result<()> {
        let (key, data) = (self.shard.hash_keys.0.to_string(), Blob::new(body));
        // What a record of a closed shard tells its child of the time is as true there.
        repeated(Repeat::Refused, || async {
            let put = self.shared.client.put_record().stream_name(&self.stream).partition_key(escaped(""));
            put.explicit_hash_key(&key).data(data.clone()).send().await.map(drop).map_err(failed)
        })
        .await
    }

    /// Each owner writes its own: one that was paused can only add to what it wrote before.
    fn snapshot_name(&self) -> String {
        snapshot_name(&self.stream, &self.lease)
    }

    async fn snapshot_kept(&mut self, place: &str) -> Result<Option<String>> {
        let place = if place.is_empty() { START } else { place };
        let name = self.snapshot_name();
        match self.leases.keep_snapshot(&self.lease, place, &name).await? {
            true => Ok(self.lease.snapshot.replace(name.clone()).filter(|before| *before != name)),
            false => Err(Error::Denied(format!("the lease of {} is another one's", self.shard.id))),
        }
    }
}

pub fn snapshot_name(stream: &str, lease: &Lease) -> String {
    format!("snapshot/{stream}/{}/{}", lease.shard, lease.fence)
}
