//! Records of a stream for one application: each worker reads its shards, from their checkpoints on.
//!
//! What was read is handed to the [`Processor`]; when that returns, its outputs are durable, and the checkpoint is moved. A
//! worker that has lost a lease finds out when it checkpoints, at the latest; what it still puts out carries the fence of the
//! lost lease.

use super::super::pause;
use super::leases::{ENDED, Lease, Leases, START};
use super::reader::{KinesisRecord, Mode, Place, Reader};
use super::worker::{Assignment, Call, Holder, Over, Worker};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use edge_fns::capability::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// What becomes of the records.
#[async_trait]
pub trait Processor: Send + Sync {
    /// Returns when everything that follows from the records is durable. They may come again, after a crash or when the
    /// lease has moved; what is put out must carry `fence`, so that the outputs of who has lost the lease are refused.
    async fn process(&self, shard: &str, fence: u64, records: Vec<KinesisRecord>) -> Result<()>;

    /// The shard was read to its end, and its children come next.
    async fn ended(&self, shard: &str, fence: u64) -> Result<()>;
}

#[derive(Clone, Debug)]
pub struct Options {
    /// This worker's name; no other one's.
    pub worker: String,
    /// A lease that its owner has not renewed for so long is free.
    pub lease_time: Duration,
    pub mode: Mode,
}

impl Options {
    pub fn new(worker: &str) -> Options {
        Options { worker: worker.into(), lease_time: Duration::from_secs(10), mode: Mode::default() }
    }
}

/// One worker that reads.
pub struct Consumer {
    worker: Worker,
}

struct Reading {
    client: Client,
    stream: String,
    leases: Leases,
    processor: Arc<dyn Processor>,
    mode: Mode,
}

impl Consumer {
    pub fn new(
        config: &SdkConfig,
        stream: &str,
        leases: Leases,
        processor: Arc<dyn Processor>,
        options: Options,
    ) -> Consumer {
        let Options { worker, lease_time, mode } = options;
        let (client, name) = (Client::new(config), stream.to_string());
        let reading = Reading { client, stream: name, leases: leases.clone(), processor, mode };
        let options = super::worker::Options { name: worker, lease_time };
        Consumer { worker: Worker::new(config, stream, leases, Arc::new(reading), options) }
    }

    /// Reads until told to stop; then what is in work is brought to an end, and the leases are given up.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        self.worker.run(stop).await;
    }
}

#[async_trait]
impl Holder for Reading {
    /// Reads one shard from its checkpoint on.
    async fn hold(&self, mine: Assignment, mut call: watch::Receiver<Call>) -> Over {
        let lease = mine.lease;
        let place = match lease.checkpoint.as_str() {
            START => Place::Start,
            "LATEST" => Place::End,
            at => Place::Behind(at.into()),
        };
        let mut reader =
            Reader::new(self.client.clone(), &self.stream, &lease.shard, place, self.mode.clone());
        let mut failures = 0;
        loop {
            let next = tokio::select! {
                biased;
                _ = call.wait_for(|call| *call != Call::Work) => return Over::Left,
                next = reader.next() => next,
            };
            let batch = match next {
                Ok(batch) => batch,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(shard = lease.shard, %error, "the shard cannot be read");
                    sleep(pause(failures)).await;
                    continue;
                }
            };
            failures = 0;
            if let Some(last) = batch.records.last().map(|record| record.sequence.clone()) {
                let process = || self.processor.process(&lease.shard, lease.fence, batch.records.clone());
                if !done(&mut call, process).await || !self.checkpoint(&lease, &last, &mut call).await {
                    return Over::Left;
                }
            }
            if batch.ended.is_some() {
                let ended = || self.processor.ended(&lease.shard, lease.fence);
                if !done(&mut call, ended).await || !self.checkpoint(&lease, ENDED, &mut call).await {
                    return Over::Left;
                }
                return Over::Ended;
            }
        }
    }
}

impl Reading {
    /// Whether the checkpoint was moved; not if the lease is another one's.
    async fn checkpoint(&self, lease: &Lease, at: &str, call: &mut watch::Receiver<Call>) -> bool {
        let held = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let moved = done(call, || {
            let held = held.clone();
            async move {
                held.store(self.leases.checkpoint(lease, at).await?, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
        })
        .await;
        moved && held.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Tries until it succeeds; whether it did before the lease was lost.
async fn done<F: Future<Output = Result<()>>>(
    call: &mut watch::Receiver<Call>,
    mut attempt: impl FnMut() -> F,
) -> bool {
    let mut failures = 0;
    loop {
        let error: Error = tokio::select! {
            biased;
            _ = call.wait_for(|call| *call == Call::Lost) => return false,
            outcome = attempt() => match outcome {
                Ok(()) => return true,
                Err(error) => error,
            },
        };
        failures += 1;
        tracing::warn!(%error, failures, "records could not be processed, trying again");
        sleep(pause(failures)).await;
    }
}
