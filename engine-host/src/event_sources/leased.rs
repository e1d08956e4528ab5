//! Functions that follow a stream whose shards several processes share: each function's shards go by leases of their own.
//!
//! A shard's records go on where the last holder's checkpoint stands; what that one did behind it comes again, and functions
//! drop what they have seen. Children of a shard that was split come when it has been gone through to its end.

use super::{Backends, MAPPING, Place};
use crate::backends::Log;
use crate::backends::aws::kinesis::KinesisLog;
use crate::backends::aws::kinesis::leases::{ENDED, Leases};
use crate::backends::aws::kinesis::worker::{Assignment, Call, Holder, Options, Over, Worker};
use async_trait::async_trait;
use aws_config::SdkConfig;
use edge_fns::capability::Result;
use edge_host::sources::stream::{self, Meter, Reading, Source};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a holder looks whether its shard has come to its end.
const LOOK: Duration = Duration::from_secs(1);

type Meters = Arc<Mutex<BTreeMap<(String, u32), Arc<Meter>>>>;

/// The running consumers of this process.
pub struct LeasedSources {
    workers: Vec<JoinHandle<()>>,
    meters: Meters,
}

impl LeasedSources {
    /// Starts a worker for each of these functions, with leases in a table of its own.
    pub fn start(
        config: &SdkConfig,
        log: &KinesisLog,
        backends: &Backends,
        stream: &str,
        consumers: &[(&str, Leases)],
        options: &Options,
        stop: &watch::Receiver<bool>,
    ) -> LeasedSources {
        let loaded = backends.functions.handlers();
        let meters = Meters::default();
        let start = |(consumer, leases): &(&str, Leases)| {
            let holder = Shards {
                log: log.clone(),
                backends: backends.clone(),
                consumer: (*consumer).to_owned(),
                stream: stream.to_owned(),
                leases: leases.clone(),
                meters: meters.clone(),
            };
            let worker = Worker::new(config, stream, leases.clone(), Arc::new(holder), options.clone());
            tokio::spawn(worker.run(stop.clone()))
        };
        let workers = consumers.iter().filter(|(name, _)| loaded.contains(name)).map(start).collect();
        LeasedSources { workers, meters }
    }

    /// Reads the counters of the shards that are held.
    pub fn readings(&self) -> impl Fn() -> Vec<Reading> + Send + Sync + 'static {
        let meters = self.meters.clone();
        move || lock(&meters).values().map(|meter| meter.read()).collect()
    }

    /// Waits for what is in work; tell them to stop first.
    pub async fn stopped(self) {
        for worker in self.workers {
            if let Err(error) = worker.await {
                tracing::error!(%error, "a consumer had broken off");
            }
        }
    }
}

fn lock(meters: &Meters) -> MutexGuard<'_, BTreeMap<(String, u32), Arc<Meter>>> {
    meters.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shards of one function, as this process holds them.
struct Shards {
    log: KinesisLog,
    backends: Backends,
    consumer: String,
    stream: String,
    leases: Leases,
    meters: Meters,
}

#[async_trait]
impl Holder for Shards {
    async fn hold(&self, mine: Assignment, mut call: watch::Receiver<Call>) -> Over {
        let shard = match self.number(&mine).await {
            Ok(shard) => shard,
            Err(error) => {
                tracing::error!(shard = mine.shard.id, %error, "the shard cannot be followed");
                // Before somebody tries it again.
                let _ = tokio::time::timeout(LOOK, call.wait_for(|call| *call != Call::Work)).await;
                return Over::Left;
            }
        };
        let meter = Arc::new(Meter::new(&self.consumer, shard));
        let key = (self.consumer.clone(), shard);
        lock(&self.meters).insert(key.clone(), meter.clone());
        let (stop, stopping) = watch::channel(false);
        let source = tokio::spawn(self.source(shard, meter).run(stopping));
        let over = loop {
            let called = tokio::time::timeout(LOOK, call.wait_for(|call| *call != Call::Work)).await.is_ok();
            if called {
                break false;
            }
            if self.is_over(shard).await {
                break true;
            }
        };
        stop.send_replace(true);
        if let Err(error) = source.await {
            tracing::error!(%error, "a source had broken off");
        }
        lock(&self.meters).remove(&key);
        match over && self.leases.checkpoint(&mine.lease, ENDED).await.unwrap_or(false) {
            true => Over::Ended,
            false => Over::Left,
        }
    }
}

impl Shards {
    /// The shard's number in the log, which may not know it yet.
    async fn number(&self, mine: &Assignment) -> Result<u32> {
        let number = mine.shard.number()?;
        if self.log.shards(&self.stream)? <= number {
            self.log.refresh(&self.stream).await?;
        }
        Ok(number)
    }

    fn source(&self, shard: u32, meter: Arc<Meter>) -> Source {
        let place = Arc::new(Place {
            backends: self.backends.clone(),
            consumer: self.consumer.clone(),
            stream: self.stream.clone(),
            shard,
        });
        let handler = stream::Function {
            host: self.backends.functions.clone(),
            handler: self.consumer.clone(),
            stream: self.stream.clone(),
        };
        Source {
            shard: place.clone(),
            handler: Arc::new(handler),
            letters: place,
            mapping: MAPPING,
            now: self.backends.now.clone(),
            meter,
        }
    }

    /// Whether the shard is closed, and everything in it done with.
    async fn is_over(&self, shard: u32) -> bool {
        let checkpoint = self.backends.checkpoints.get(&self.consumer, &self.stream, shard).await;
        matches!(checkpoint.map(|at| self.log.is_over(&self.stream, shard, at)), Ok(Ok(true)))
    }
}
