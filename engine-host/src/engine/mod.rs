//! The engine: one thread a shard of the orders stream, each folding its records through the core.
//!
//! A batch goes: read → apply → notify users → append what happened to the fills stream (durable) → write market data
//! to the cache → snapshot now and then. Whatever is lost between two of these steps comes again: the next start takes
//! the snapshot and replays the stream from its position, and replayed outputs carry the same names as before, so
//! their receivers drop what they have seen. A snapshot is taken only when the outputs up to its position are durable.

pub mod fleet;
mod market_data;
mod notifier;
mod refill;
mod shard_loop;
mod source;

pub use market_data::{MARKET_DATA_SCRIPT, market_data_commands, market_data_script};
pub use notifier::Notifier;
pub use shard_loop::{Outcome, Wish};
pub use source::{Batch, Source};

use crate::backends::{DeadLetters, Log, Snapshots};
use anyhow::Context;
use edge_fns::capability::{Cache, Error, Millis, Result};
use engine_core::shard::Shard;
use shard_loop::ShardLoop;
use source::LogSource;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

/// What the engine needs from the host.
#[derive(Clone)]
pub struct Backends {
    pub log: Arc<dyn Log>,
    pub snapshots: Arc<dyn Snapshots>,
    pub cache: Arc<dyn Cache>,
    /// Where each symbol's day before is kept: `prev:SYMBOL`.
    pub backup: Arc<dyn Cache>,
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

/// A running engine over every shard of a log; stops, with a last snapshot, when asked to.
pub struct Engine {
    shards: Vec<RunningShard>,
    pub counters: Arc<Counters>,
}

impl Engine {
    /// Restores every shard, fills the cache with its market data, and starts its thread.
    pub async fn start(backends: Backends, notifier: Notifier, options: Options) -> anyhow::Result<Engine> {
        let counters = Arc::new(Counters::default());
        let mut shards = Vec::new();
        for shard in 0..backends.log.shards(&options.orders_stream)? {
            let state = restore(backends.snapshots.as_ref(), &options, shard).await?;
            let state = state.unwrap_or_else(|| Shard::new(options.day_offset_s));
            let (log, stream) = (backends.log.clone(), options.orders_stream.clone());
            let source = Box::new(LogSource { log, stream, shard });
            let tools = (backends.clone(), notifier.clone(), options.clone(), counters.clone());
            shards.push(RunningShard::start(source, state, tools).await?);
        }
        Ok(Engine { shards, counters })
    }

    /// Stops the threads after their current batch and waits for their last snapshots.
    pub async fn stop(self) {
        self.shards.iter().for_each(|shard| shard.wish(Wish::Stop));
        for shard in self.shards {
            shard.ended().await;
        }
    }
}

/// What this shard's last snapshot holds; none before the first.
pub async fn restore(
    snapshots: &dyn Snapshots,
    options: &Options,
    shard: u32,
) -> anyhow::Result<Option<Shard>> {
    let key = source::snapshot_name(&options.orders_stream, shard);
    let Some(bytes) = snapshots.get(&key).await? else { return Ok(None) };
    Ok(Some(Shard::restore(&bytes).with_context(|| format!("snapshot {key} cannot be used"))?))
}

/// A snapshot that is durable.
#[derive(Clone, Debug)]
pub struct Kept {
    pub name: String,
    /// Records of the shard that it holds, and what the stream calls the last of them.
    pub position: u64,
    pub place: String,
    /// The time of the last of them.
    pub time: Millis,
    pub bytes: Vec<u8>,
}

/// Tells a shard's thread what to do.
#[derive(Clone)]
pub struct Remote {
    wish: watch::Sender<Wish>,
    ask: mpsc::UnboundedSender<oneshot::Sender<Result<Kept>>>,
}

impl Remote {
    /// Has a snapshot written after the current batch.
    pub async fn snapshot(&self) -> Result<Kept> {
        let (answer, answered) = oneshot::channel();
        let over = || Error::Unavailable("the shard is not folded here any more".into());
        self.ask.send(answer).map_err(|_| over())?;
        answered.await.map_err(|_| over())?
    }

    /// What is wished once more is no change; an abandoned shard stays so.
    pub fn wish(&self, wish: Wish) {
        self.wish.send_if_modified(|now| {
            let changes = *now != wish && *now != Wish::Abandon;
            if changes {
                *now = wish;
            }
            changes
        });
    }
}

/// One shard's thread.
pub struct RunningShard {
    remote: Remote,
    thread: JoinHandle<Outcome>,
}

impl RunningShard {
    /// Fills the cache with the market data of this state, and starts to fold what follows it.
    pub async fn start(
        source: Box<dyn Source>,
        state: Shard,
        (backends, notifier, options, counters): (Backends, Notifier, Options, Arc<Counters>),
    ) -> anyhow::Result<RunningShard> {
        let (wish, wished) = watch::channel(Wish::Run);
        let (ask, asked) = mpsc::unbounded_channel();
        let number = source.shard();
        let told = (wished, asked);
        let mut shard = ShardLoop::start(source, state, backends, notifier, options, counters, told).await?;
        let runtime = Handle::current();
        let thread = std::thread::Builder::new()
            .name(format!("engine-{number}"))
            .spawn(move || runtime.block_on(shard.run()))?;
        Ok(RunningShard { remote: Remote { wish, ask }, thread })
    }

    /// See [`Remote::wish`].
    pub fn wish(&self, wish: Wish) {
        self.remote.wish(wish);
    }

    /// What the shard's thread is told by, also while its end is waited for.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread's end; none if it had panicked.
    pub async fn ended(self) -> Option<Outcome> {
        match tokio::task::spawn_blocking(move || self.thread.join()).await {
            Ok(Ok(outcome)) => Some(outcome),
            Ok(Err(_)) => {
                tracing::error!("an engine thread had panicked");
                None
            }
            Err(_) => {
                tracing::error!("the engine's stop was interrupted");
                None
            }
        }
    }
}
