//! The engine: one thread a shard of the orders stream, each folding its records through the core.
//!
//! A batch goes: read → apply → notify users → append what happened to the fills stream (durable) → write market data
//! to the cache → snapshot now and then. Whatever is lost between two of these steps comes again: the next start takes
//! the snapshot and replays the stream from its position, and replayed outputs carry the same names as before, so
//! their receivers drop what they have seen. A snapshot is taken only when the outputs up to its position are durable.

mod market_data;
mod notifier;
mod shard_loop;

pub use market_data::{MARKET_DATA_SCRIPT, market_data_script};
pub use notifier::Notifier;

use crate::backends::{DeadLetters, Log, Snapshots};
use edge_fns::capability::{Cache, Millis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;

/// What the engine needs from the host.
#[derive(Clone)]
pub struct Backends {
    pub log: Arc<dyn Log>,
    pub snapshots: Arc<dyn Snapshots>,
    pub cache: Arc<dyn Cache>,
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Makes what the cache holds durable; called before a snapshot.
    pub flush_cache: Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>,
    pub now: Arc<dyn Fn() -> Millis + Send + Sync>,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub orders_stream: String,
    pub fills_stream: String,
    /// How far the exchange's time zone is ahead of UTC.
    pub day_offset_s: u64,
    /// Records applied in one batch at most.
    pub batch: usize,
    /// A snapshot is taken after this time, or after this many records, whichever comes first.
    pub snapshot_every: Duration,
    pub snapshot_records: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            orders_stream: "supernoba-orders".into(),
            fills_stream: "supernoba-fills".into(),
            day_offset_s: engine_core::candle::SEOUL_DAY_OFFSET_S,
            batch: 1024,
            snapshot_every: Duration::from_secs(30),
            snapshot_records: 200_000,
        }
    }
}

/// What the engine has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    pub received: AtomicU64,
    pub accepted: AtomicU64,
    pub rejected: AtomicU64,
    pub fills: AtomicU64,
    pub duplicates: AtomicU64,
    pub malformed: AtomicU64,
    pub snapshots: AtomicU64,
}

impl Counters {
    fn add(&self, counts: &engine_core::shard::Counts) {
        for (counter, by) in [
            (&self.received, counts.received),
            (&self.accepted, counts.accepted),
            (&self.rejected, counts.rejected),
            (&self.fills, counts.fills),
            (&self.duplicates, counts.duplicates),
            (&self.malformed, counts.malformed),
        ] {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// A running engine; stops, with a last snapshot, when asked to.
pub struct Engine {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub counters: Arc<Counters>,
}

impl Engine {
    /// Restores every shard, fills the cache with its market data, and starts its thread.
    pub async fn start(backends: Backends, notifier: Notifier, options: Options) -> anyhow::Result<Engine> {
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(Counters::default());
        let shards = backends.log.shards(&options.orders_stream)?;
        let mut threads = Vec::new();
        for number in 0..shards {
            let mut shard = shard_loop::ShardLoop::restore(
                number,
                backends.clone(),
                notifier.clone(),
                options.clone(),
                counters.clone(),
            )
            .await?;
            let (stop, runtime) = (stop.clone(), Handle::current());
            let thread = std::thread::Builder::new()
                .name(format!("engine-{number}"))
                .spawn(move || runtime.block_on(shard.run(&stop)))?;
            threads.push(thread);
        }
        Ok(Engine { stop, threads, counters })
    }

    /// Stops the threads after their current batch and waits for their last snapshots.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                if thread.join().is_err() {
                    tracing::error!("an engine thread had panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("the engine's stop was interrupted");
        }
    }
}
