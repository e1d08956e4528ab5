//! One shard's thread: read, apply, tell, remember.

use super::market_data::{LOST, market_data_commands};
use super::refill::{AT_ONCE, CANDLES, Refill};
use super::source::Source;
use super::{Backends, Counters, Kept, Notifier, Options};
use crate::backends::Record;
use edge_fns::candle_store::{closed_key, in_order};
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, Result};
use engine_core::candle::{Candle, Interval};
use engine_core::shard::{Output, Shard};
use engine_core::wire::ohlc_message;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long an idle shard waits before it looks at the clock.
const IDLE: Duration = Duration::from_millis(250);
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// The record by which the clock reaches the core.
const TICK: &[u8] = br#"{"action":"TICK"}"#;

/// What the thread of a shard is wished to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Run,
    /// Stop after the current batch, with a last snapshot.
    Stop,
    /// The shard is somebody else's now: write nothing more, not even what is in work.
    Abandon,
}

/// How the thread of a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As wished. What it did not write, the next owner writes.
    Stopped,
    /// The shard of the stream is closed and folded to its end; the snapshot says so to its children.
    Ended,
}

pub(super) struct ShardLoop {
    source: Box<dyn Source>,
    shard: Shard,
    backends: Backends,
    notifier: Notifier,
    options: Options,
    counters: Arc<Counters>,
    wish: watch::Receiver<Wish>,
    asked: Asked,
    refill: Refill,
    /// Reused from batch to batch.
    output: Output,
    /// The minute of the last tick appended, in seconds.
    ticked: u64,
    snapshot_position: u64,
    snapshot_time: Instant,
}

/// Who wants a snapshot now.
pub(super) type Asked = mpsc::UnboundedReceiver<oneshot::Sender<Result<Kept>>>;

/// The wish came in the middle: the shard is not ours any more.
struct Abandoned;

impl ShardLoop {
    /// Takes the shard up where this state stands and writes what its markets show: the cache may have been lost.
    pub(super) async fn start(
        source: Box<dyn Source>,
        shard: Shard,
        backends: Backends,
        notifier: Notifier,
        options: Options,
        counters: Arc<Counters>,
        (wish, asked): (watch::Receiver<Wish>, Asked),
    ) -> Result<ShardLoop> {
        tracing::debug!(shard = source.shard(), position = shard.position(), "engine shard restored");
        let mut this = ShardLoop {
            source,
            snapshot_position: shard.position(),
            shard,
            backends,
            notifier,
            options,
            counters,
            wish,
            asked,
            refill: Refill::new(),
            output: Output::default(),
            ticked: 0,
            snapshot_time: Instant::now(),
        };
        this.output.touched = this.shard.markets().map(|(symbol, _)| symbol.clone()).collect();
        this.adopt().await?;
        this.write_market_data(&this.output).await?;
        Ok(this)
    }

    pub(super) async fn run(&mut self) -> Outcome {
        let number = self.source.shard();
        let mut ended = false;
        loop {
            match self.wished() {
                Wish::Run if !ended => {}
                Wish::Run | Wish::Stop => break,
                Wish::Abandon => return Outcome::Stopped,
            }
            match self.step().await {
                Ok(Ok(end)) => ended = end,
                Ok(Err(Abandoned)) => return Outcome::Stopped,
                Err(error) => {
                    // Only reading fails a step, and it has changed nothing.
                    tracing::error!(shard = number, %error, "the orders stream cannot be read");
                    self.pause(LAST_RETRY).await;
                }
            }
        }
        // A closed shard's last snapshot is what its children begin with: it has to be there.
        let mut pause = FIRST_RETRY;
        while let Err(error) = self.snapshot().await {
            if !ended {
                tracing::error!(shard = number, %error, "no last snapshot; the next start replays more");
                return Outcome::Stopped;
            }
            tracing::warn!(shard = number, %error, "the last snapshot could not be written, trying again");
            self.pause(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
            if self.wished() != Wish::Run {
                return Outcome::Stopped;
            }
        }
        if ended { Outcome::Ended } else { Outcome::Stopped }
    }

    /// Where nobody is left to wish for anything, nobody knows whether the shard is still ours.
    fn wished(&self) -> Wish {
        if self.wish.has_changed().is_err() { Wish::Abandon } else { *self.wish.borrow() }
    }

    /// Sleeps, or returns earlier when something else is wished.
    async fn pause(&self, time: Duration) {
        let mut wish = self.wish.clone();
        wish.mark_unchanged();
        if self.wished() == Wish::Run {
            let _ = tokio::time::timeout(time, wish.wait_for(|wish| *wish != Wish::Run)).await;
        } else {
            let _ = tokio::time::timeout(time, wish.wait_for(|wish| *wish == Wish::Abandon)).await;
        }
    }

    /// Whether the shard has come to its end.
    async fn step(&mut self) -> Result<std::result::Result<bool, Abandoned>> {
        let batch = self.source.read(self.shard.position(), self.options.batch, IDLE).await?;
        if batch.records.is_empty() {
            if !batch.end {
                self.tick().await?;
            }
        } else if self.apply(&batch.records).await.is_err() {
            return Ok(Err(Abandoned));
        }
        if let Some(place) = &batch.place {
            self.shard.set_place(place);
        }
        if let Err(error) = self.refill().await {
            // Until it is back there is nothing to fill.
            tracing::debug!(shard = self.source.shard(), %error, "the cache cannot be looked at");
        }
        while let Ok(answer) = self.asked.try_recv() {
            // Whoever asked may have gone.
            let _ = answer.send(self.keep().await);
        }
        let due = self.snapshot_time.elapsed() >= self.options.snapshot_every
            || self.shard.position() - self.snapshot_position >= self.options.snapshot_records;
        if due && !batch.end {
            self.snapshot_time = Instant::now();
            if let Err(error) = self.snapshot().await {
                tracing::warn!(shard = self.source.shard(), %error, "snapshot failed; the stream keeps what it would hold");
            }
        }
        Ok(Ok(batch.end))
    }

    async fn apply(&mut self, records: &[Record]) -> std::result::Result<(), Abandoned> {
        let number = self.source.shard();
        self.output.clear();
        for record in records {
            if let Err(bad) =
                self.shard.apply(record.sequence, record.arrived, &record.body, &mut self.output)
            {
                tracing::warn!(shard = number, sequence = record.sequence, reason = %bad, "record passed over");
                let (letters, stream) = (&self.backends.dead_letters, &self.options.orders_stream);
                self.persist("dead letter", || letters.bury("engine", stream, number, record, bad.0)).await?;
            }
        }
        self.counters.add(&self.output.counts);
        for notice in self.output.notices.drain(..) {
            self.notifier.send(notice).await;
        }
        self.publish().await?;
        self.refill.remember(&self.output);
        self.persist("market data", || self.write_market_data(&self.output)).await?;
        self.persist("the day before", || self.write_days(&self.output)).await
    }

    /// Appends what happened to the fills stream. It is not passed over, however long it takes: until it is durable,
    /// nothing more of this shard is applied.
    async fn publish(&mut self) -> std::result::Result<(), Abandoned> {
        let mut waiting: Vec<Message> = self
            .output
            .records
            .drain(..)
            .map(|record| Message { partition: record.partition.to_string(), body: record.body })
            .collect();
        let mut pause = FIRST_RETRY;
        while !waiting.is_empty() {
            if self.wished() == Wish::Abandon {
                return Err(Abandoned);
            }
            match self.backends.log.append(&self.options.fills_stream, waiting.clone()).await {
                Ok(answers) => {
                    // From the first refused record on, all are sent again: their order within a symbol must hold,
                    // and receivers know what they have seen.
                    let accepted = answers.iter().take_while(|answer| answer.is_ok()).count();
                    waiting.drain(..accepted);
                }
                Err(error) => {
                    tracing::warn!(shard = self.source.shard(), %error, "the fills stream refused a batch");
                }
            }
            if !waiting.is_empty() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_RETRY);
            }
        }
        Ok(())
    }

    async fn write_market_data(&self, output: &Output) -> Result<()> {
        let lost = self.write_what_shows(output, |symbol| self.refill.known(symbol, output)).await?;
        if lost.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            shard = self.source.shard(),
            markets = lost.len(),
            "the cache has lost closed candles; they are written anew"
        );
        let mut whole = self.refill.whole(lost);
        whole.trades = output.trades.clone();
        self.write_what_shows(&whole, |_| 0).await.map(drop)
    }

    /// Answers the markets of which the cache has lost what it held; of these nothing was written.
    async fn write_what_shows(&self, output: &Output, known: impl Fn(&str) -> u64) -> Result<Vec<Arc<str>>> {
        let commands = market_data_commands(&self.shard, output, known);
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.backends.cache.run(commands).await?;
        let written = output.touched.iter().filter(|symbol| self.shard.market(symbol).is_some());
        let mut lost = Vec::new();
        for (symbol, reply) in written.zip(replies) {
            if reply? == Reply::Integer(LOST) {
                lost.push(symbol.clone());
            }
        }
        Ok(lost)
    }

    /// Remembers the closed candles that the cache has, so that they can be written anew where it loses them.
    async fn adopt(&mut self) -> Result<()> {
        let symbols: Vec<Arc<str>> = self.shard.markets().map(|(symbol, _)| symbol.clone()).collect();
        for some in symbols.chunks(AT_ONCE) {
            let reads = some.iter().flat_map(|symbol| {
                let newest = Command::Get(format!("candle:closed:seq:{symbol}"));
                [newest, Command::Lrange(closed_key(symbol), 0, CANDLES as i64 - 1)]
            });
            let mut replies = self.backends.cache.run(reads.collect()).await?.into_iter();
            for symbol in some {
                let (Some(newest), Some(listed)) = (replies.next(), replies.next()) else {
                    return Err(Error::Internal("the cache did not answer all that it was asked".into()));
                };
                let (Reply::Bytes(newest), Reply::Values(listed)) = (newest?, listed?) else { continue };
                let newest = std::str::from_utf8(&newest).ok().and_then(|number| number.parse().ok());
                let candles: Result<Vec<Candle>> = listed
                    .iter()
                    .flatten()
                    .map(|value| in_order(std::slice::from_ref(value)).map(|of| of[0]))
                    .collect();
                match (newest, candles) {
                    (Some(newest), Ok(candles)) => self.refill.adopt(symbol, newest, candles),
                    _ => tracing::warn!(%symbol, "the closed candles in the cache cannot be read"),
                }
            }
        }
        Ok(())
    }

    async fn write_days(&self, output: &Output) -> Result<()> {
        if output.days.is_empty() {
            return Ok(());
        }
        let sets = output.days.iter().map(|(symbol, day)| {
            let body = ohlc_message(day).into_bytes();
            Command::Set(format!("prev:{symbol}"), body, SetOptions::default())
        });
        let replies = self.backends.backup.run(sets.collect()).await?;
        replies.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    /// Writes what the cache has lost.
    async fn refill(&mut self) -> Result<()> {
        let Some(output) = self.refill.look(self.backends.cache.as_ref(), &self.shard).await? else {
            return Ok(());
        };
        let count = output.touched.len();
        tracing::warn!(
            shard = self.source.shard(),
            markets = count,
            "the cache has lost market data; it is written anew"
        );
        self.write_market_data(&output).await
    }

    /// Closes the candles of quiet markets: the clock is a record like any other, so that a replay sees it too.
    async fn tick(&mut self) -> Result<()> {
        let minute = Interval::M1.bucket((self.backends.now)() / 1000, 0);
        let over =
            |market: &engine_core::market::Market| market.candle().is_some_and(|candle| candle.time < minute);
        if self.ticked < minute && self.shard.markets().any(|(_, market)| over(market)) {
            self.source.append(TICK.to_vec()).await?;
            self.ticked = minute;
        }
        Ok(())
    }

    /// Tries until it is done, or until the shard is not ours any more: for what must not be lost and can be done twice.
    async fn persist<F: Future<Output = Result<()>>>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> F,
    ) -> std::result::Result<(), Abandoned> {
        let mut pause = FIRST_RETRY;
        loop {
            if self.wished() == Wish::Abandon {
                return Err(Abandoned);
            }
            let Err(error) = attempt().await else { return Ok(()) };
            tracing::warn!(%error, "{what} could not be written, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    async fn snapshot(&mut self) -> Result<()> {
        if self.shard.position() == self.snapshot_position {
            return Ok(());
        }
        self.keep().await.map(drop)
    }

    /// Writes a snapshot of what the shard is now, whose outputs are durable.
    async fn keep(&mut self) -> Result<Kept> {
        (self.backends.flush_cache)().map_err(|error| Error::Unavailable(error.to_string()))?;
        let kept = Kept {
            name: self.source.snapshot_name(),
            position: self.shard.position(),
            place: self.shard.place().to_owned(),
            time: self.shard.time(),
            bytes: self.shard.snapshot(),
        };
        self.backends.snapshots.put(&kept.name, kept.bytes.clone()).await?;
        let outlived = self.source.snapshot_kept(&kept.place).await?;
        self.snapshot_position = kept.position;
        self.snapshot_time = Instant::now();
        self.counters.snapshots.fetch_add(1, Ordering::Relaxed);
        if let Some(name) = outlived
            && let Err(error) = self.backends.snapshots.delete(&name).await
        {
            tracing::warn!(%error, "snapshot {name} of an earlier owner stays, and does no harm");
        }
        Ok(kept)
    }
}
