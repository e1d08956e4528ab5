//! What starts functions besides requests: the records of the fills stream, and time.
//!
//! How batches are made, repeated, halved and put aside, and what becomes of missed ticks, is said in
//! [`edge_host::sources`]; here the log, its checkpoints and the dead letters are tied to it, and it is written down which
//! function consumes what, and when.

mod leased;

pub use leased::LeasedSources;

use crate::backends::{Checkpoints, DeadLetters, Log, Record};
use async_trait::async_trait;
use edge_fns::capability::{Error, Result};
use edge_fns::stream::Item;
use edge_host::EdgeHost;
use edge_host::sources::stream::{self, Mapping, Now, Reading, Reason, Running, Source};
use edge_host::sources::timer::{self, Missed, Schedule, Timer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const FILLS: &str = "supernoba-fills";

/// The functions that consume the fills stream. One lane a shard: a lane is faster than the engine that feeds it, and
/// the order of the whole shard is kept.
pub const CONSUMERS: [&str; 4] = ["fill-processor", "history-saver", "notifier", "user-notify"];

const MAPPING: Mapping = Mapping {
    batch: 500,
    batch_bytes: 1 << 20,
    window: Duration::ZERO,
    lanes: 1,
    // With the pauses between them: about a minute.
    retries: Some(11),
    // Nothing is lost because a back end is away: what waits for it waits.
    asked: None,
    max_age: None,
    bisect: true,
    first_pause: Duration::from_millis(50),
    last_pause: Duration::from_secs(10),
};

/// The consumers that tell users what happens: on a stream that they meet for the first time, they begin at its end.
const TELLERS: [&str; 2] = ["notifier", "user-notify"];

/// A function that runs now and then: at the start, to mend what the last process left, and then at every full period.
pub const fn every(function: &'static str, period: Duration) -> (&'static str, Schedule) {
    (function, Schedule { missed: Missed::Once, at_start: true, ..Schedule::every(period) })
}

/// Lets the functions that tell users what happens begin with what happens from now on, where they have not begun yet.
pub async fn begin_at_the_end(log: &dyn Log, checkpoints: &dyn Checkpoints, stream: &str) -> Result<()> {
    for function in TELLERS {
        for shard in 0..log.shards(stream)? {
            if checkpoints.get(function, stream, shard).await? == 0 {
                checkpoints.set(function, stream, shard, log.last(stream, shard).await?).await?;
            }
        }
    }
    Ok(())
}

#[derive(Clone)]
pub struct Backends {
    pub log: Arc<dyn Log>,
    pub checkpoints: Arc<dyn Checkpoints>,
    pub dead_letters: Arc<dyn DeadLetters>,
    pub functions: EdgeHost,
    pub now: Now,
}

/// The running sources.
pub struct EventSources {
    streams: Running,
    timers: Vec<JoinHandle<()>>,
    timer_meters: Vec<Arc<timer::Meter>>,
}

impl EventSources {
    /// Starts a consumer for each of these functions and each shard of the stream, and these timers. A function that is
    /// not loaded has no events.
    pub fn start(
        backends: &Backends,
        stream: &str,
        consumers: &[&str],
        timers: &[(&'static str, Schedule)],
        stop: &watch::Receiver<bool>,
    ) -> Result<EventSources> {
        let loaded = backends.functions.handlers();
        let mut streams = Running::default();
        for consumer in consumers.iter().filter(|name| loaded.contains(name)) {
            for shard in 0..backends.log.shards(stream)? {
                let place = Arc::new(Place {
                    backends: backends.clone(),
                    consumer: consumer.to_string(),
                    stream: stream.to_string(),
                    shard,
                });
                let handler = stream::Function {
                    host: backends.functions.clone(),
                    handler: consumer.to_string(),
                    stream: stream.to_string(),
                };
                let source = Source {
                    shard: place.clone(),
                    handler: Arc::new(handler),
                    letters: place,
                    mapping: MAPPING,
                    now: backends.now.clone(),
                    meter: Arc::new(stream::Meter::new(consumer, shard)),
                };
                streams.start(source, stop);
            }
        }
        let mut sources = EventSources { streams, timers: Vec::new(), timer_meters: Vec::new() };
        for (name, schedule) in timers.iter().filter(|(name, _)| loaded.contains(name)) {
            let meter = Arc::new(timer::Meter::new(name));
            let function = timer::Function {
                host: backends.functions.clone(),
                handler: name.to_string(),
                name: name.to_string(),
            };
            let timer = Timer {
                schedule: *schedule,
                alarm: Arc::new(function),
                now: backends.now.clone(),
                meter: meter.clone(),
            };
            sources.timers.push(tokio::spawn(timer.run(stop.clone())));
            sources.timer_meters.push(meter);
        }
        Ok(sources)
    }

    /// Reads the counters of each source, for as long as the process lives.
    pub fn readings(&self) -> impl Fn() -> (Vec<Reading>, Vec<timer::Reading>) + Send + Sync + 'static {
        let (streams, timers) = (self.streams.readings(), self.timer_meters.clone());
        move || (streams(), timers.iter().map(|meter| meter.read()).collect())
    }

    /// Waits for what is in work; tell them to stop first.
    pub async fn stopped(self) {
        self.streams.stopped().await;
        for timer in self.timers {
            if let Err(error) = timer.await {
                tracing::error!(%error, "a timer had broken off");
            }
        }
    }
}

/// A shard of the log as one consumer sees it. A record is named by its sequence.
struct Place {
    backends: Backends,
    consumer: String,
    stream: String,
    shard: u32,
}

/// The sequence that this name stands for; 0 before the first.
pub fn sequence(id: Option<&str>) -> Result<u64> {
    id.map_or(Ok(0), |id| id.parse().map_err(|_| Error::Internal(format!("{id:?} is no sequence"))))
}

fn item(record: Record) -> Item {
    Item {
        id: record.sequence.to_string(),
        partition: record.partition,
        arrived: record.arrived,
        body: record.body,
    }
}

#[async_trait]
impl stream::Shard for Place {
    async fn checkpoint(&self) -> Result<Option<String>> {
        let at = self.backends.checkpoints.get(&self.consumer, &self.stream, self.shard).await?;
        Ok((at > 0).then(|| at.to_string()))
    }

    async fn save(&self, id: &str) -> Result<()> {
        let at = sequence(Some(id))?;
        self.backends.checkpoints.set(&self.consumer, &self.stream, self.shard, at).await
    }

    async fn read(&self, after: Option<&str>, max: usize) -> Result<Vec<Item>> {
        let records = self.backends.log.read(&self.stream, self.shard, sequence(after)?, max).await?;
        Ok(records.into_iter().map(item).collect())
    }

    async fn wait(&self, after: Option<&str>, at_most: Duration) -> Result<()> {
        self.backends.log.wait(&self.stream, self.shard, sequence(after)?, at_most).await
    }
}

#[async_trait]
impl stream::DeadLetters for Place {
    async fn bury(&self, item: &Item, reason: &Reason) -> Result<()> {
        let record = Record {
            sequence: sequence(Some(&item.id))?,
            arrived: item.arrived,
            partition: item.partition.clone(),
            body: item.body.clone(),
        };
        let letters = &self.backends.dead_letters;
        letters.bury(&self.consumer, &self.stream, self.shard, &record, &reason.to_string()).await
    }
}
