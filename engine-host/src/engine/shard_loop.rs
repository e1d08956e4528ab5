//! One shard's thread: read, apply, tell, remember.

use super::market_data::market_data_command;
use super::{Backends, Counters, Notifier, Options};
use crate::backends::Record;
use anyhow::Context;
use edge_fns::capability::cache::Command;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, Result};
use engine_core::candle::Interval;
use engine_core::shard::{Output, Shard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long an idle shard waits before it looks at the clock.
const IDLE: Duration = Duration::from_millis(250);
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// The record by which the clock reaches the core.
const TICK: &[u8] = br#"{"action":"TICK"}"#;

pub(super) struct ShardLoop {
    number: u32,
    shard: Shard,
    backends: Backends,
    notifier: Notifier,
    options: Options,
    counters: Arc<Counters>,
    /// Reused from batch to batch.
    output: Output,
    /// The minute of the last tick appended, in seconds.
    ticked: u64,
    snapshot_position: u64,
    snapshot_time: Instant,
}

impl ShardLoop {
    pub(super) async fn restore(
        number: u32,
        backends: Backends,
        notifier: Notifier,
        options: Options,
        counters: Arc<Counters>,
    ) -> anyhow::Result<ShardLoop> {
        let key = snapshot_key(&options.orders_stream, number);
        let shard = match backends.snapshots.get(&key).await? {
            Some(bytes) => {
                Shard::restore(&bytes).with_context(|| format!("snapshot {key} cannot be used"))?
            }
            None => Shard::new(options.day_offset_s),
        };
        tracing::debug!(shard = number, position = shard.position(), "engine shard restored");
        let mut this = ShardLoop {
            number,
            snapshot_position: shard.position(),
            shard,
            backends,
            notifier,
            options,
            counters,
            output: Output::default(),
            ticked: 0,
            snapshot_time: Instant::now(),
        };
        // The cache may have been lost: everything that a market shows is written anew.
        this.output.touched = this.shard.markets().map(|(symbol, _)| symbol.clone()).collect();
        this.write_market_data().await?;
        Ok(this)
    }

    pub(super) async fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if let Err(error) = self.step().await {
                // Only reading fails a step, and it has changed nothing.
                tracing::error!(shard = self.number, %error, "the orders stream cannot be read");
                tokio::time::sleep(LAST_RETRY).await;
            }
        }
        if let Err(error) = self.snapshot().await {
            tracing::error!(shard = self.number, %error, "no last snapshot; the next start replays more");
        }
    }

    async fn step(&mut self) -> Result<()> {
        let stream = self.options.orders_stream.clone();
        let position = self.shard.position();
        self.backends.log.wait(&stream, self.number, position, IDLE).await?;
        let records = self.backends.log.read(&stream, self.number, position, self.options.batch).await?;
        if records.is_empty() {
            self.tick().await?;
        } else {
            self.apply(&records).await;
        }
        let due = self.snapshot_time.elapsed() >= self.options.snapshot_every
            || self.shard.position() - self.snapshot_position >= self.options.snapshot_records;
        if due {
            self.snapshot_time = Instant::now();
            if let Err(error) = self.snapshot().await {
                tracing::warn!(shard = self.number, %error, "snapshot failed; the stream keeps what it would hold");
            }
        }
        Ok(())
    }

    async fn apply(&mut self, records: &[Record]) {
        self.output.clear();
        for record in records {
            if let Err(bad) =
                self.shard.apply(record.sequence, record.arrived, &record.body, &mut self.output)
            {
                tracing::warn!(shard = self.number, sequence = record.sequence, reason = %bad, "record passed over");
                let (letters, stream) = (&self.backends.dead_letters, &self.options.orders_stream);
                persist("dead letter", || letters.bury("engine", stream, self.number, record, bad.0)).await;
            }
        }
        self.counters.add(&self.output.counts);
        for notice in self.output.notices.drain(..) {
            self.notifier.send(notice).await;
        }
        self.publish().await;
        persist("market data", || self.write_market_data()).await;
    }

    /// Appends what happened to the fills stream. It is not passed over, however long it takes: until it is durable,
    /// nothing more of this shard is applied.
    async fn publish(&mut self) {
        let mut waiting: Vec<Message> = self
            .output
            .records
            .drain(..)
            .map(|record| Message { partition: record.partition.to_string(), body: record.body })
            .collect();
        let mut pause = FIRST_RETRY;
        while !waiting.is_empty() {
            match self.backends.log.append(&self.options.fills_stream, waiting.clone()).await {
                Ok(answers) => {
                    // From the first refused record on, all are sent again: their order within a symbol must hold,
                    // and receivers know what they have seen.
                    let accepted = answers.iter().take_while(|answer| answer.is_ok()).count();
                    waiting.drain(..accepted);
                }
                Err(error) => tracing::warn!(shard = self.number, %error, "the fills stream refused a batch"),
            }
            if !waiting.is_empty() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_RETRY);
            }
        }
    }

    async fn write_market_data(&self) -> Result<()> {
        let commands: Vec<Command> = self
            .output
            .touched
            .iter()
            .filter_map(|symbol| Some(market_data_command(symbol, self.shard.market(symbol)?, &self.output)))
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        let replies = self.backends.cache.run(commands).await?;
        replies.into_iter().collect::<Result<Vec<_>>>().map(|_| ())
    }

    /// Closes the candles of quiet markets: the clock is a record like any other, so that a replay sees it too.
    async fn tick(&mut self) -> Result<()> {
        let minute = Interval::M1.bucket((self.backends.now)() / 1000, 0);
        let over =
            |market: &engine_core::market::Market| market.candle().is_some_and(|candle| candle.time < minute);
        if self.ticked < minute && self.shard.markets().any(|(_, market)| over(market)) {
            self.backends
                .log
                .append_to_shard(&self.options.orders_stream, self.number, TICK.to_vec())
                .await?;
            self.ticked = minute;
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<()> {
        let position = self.shard.position();
        if position == self.snapshot_position {
            return Ok(());
        }
        (self.backends.flush_cache)().map_err(|error| Error::Unavailable(error.to_string()))?;
        let key = snapshot_key(&self.options.orders_stream, self.number);
        self.backends.snapshots.put(&key, self.shard.snapshot()).await?;
        self.snapshot_position = position;
        self.snapshot_time = Instant::now();
        self.counters.snapshots.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Tries until it is done: for what must not be lost and can be done twice.
async fn persist<F: Future<Output = Result<()>>>(what: &str, mut attempt: impl FnMut() -> F) {
    let mut pause = FIRST_RETRY;
    while let Err(error) = attempt().await {
        tracing::warn!(%error, "{what} could not be written, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

fn snapshot_key(stream: &str, shard: u32) -> String {
    format!("snapshot/{stream}/{shard}")
}
