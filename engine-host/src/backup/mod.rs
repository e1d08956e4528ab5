//! Backups for years: each day's trades and minute candles as Parquet in the bucket, by symbol and day, which any tool of the
//! field reads. And their proof: a day is read back, every part compared with its digest, and the candles made anew from
//! the trades.
//!
//! ```text
//! parquet/trades/symbol=TEST/day=2025-12-16/part-00000-DIGEST.parquet
//! parquet/candles/symbol=TEST/day=2025-12-16/part-00000-DIGEST.parquet
//! parquet/manifests/day=2025-12-16/TEST.json
//! ```
//!
//! The manifest comes last and only once: with it the day is backed up. Days are the exchange's, and are backed up when they are
//! over. A day whose candles are not those of its trades is not backed up but reported: one of the two is not complete yet.

mod command;
mod files;

pub use command::{BackupOptions, RestoreOptions, backup, restore};

use crate::backends::postgres::Postgres;
use crate::backends::records::Trade;
use anyhow::{Context, bail, ensure};
use edge_fns::candle_store;
use edge_fns::capability::blobs::{Condition, Outcome, Query, Read, Write};
use edge_fns::capability::sql::Value;
use edge_fns::capability::{Blobs, Documents, Millis, Sql};
use engine_core::candle::{Candle, Interval, Seconds, format_minute};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Trades of one file, and read from the history at a time.
const PART: usize = 1_000_000;
const PAGE: u32 = 10_000;
const DAY_S: u64 = 86_400;
/// So long after its end a day is looked at: by then everything has arrived, and its last candles have left the cache.
const SETTLED_S: u64 = 3600;
/// Days back that are looked for.
const DAYS: u64 = 7;
const LOOK_EVERY: Duration = Duration::from_secs(1800);

/// A day of the exchange, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub u64);

/// The last day that can be named.
const LAST_DAY: u64 = 2_932_896;

impl Day {
    /// The day of a time, where the exchange's day is so far ahead of UTC.
    pub fn of(time: Seconds, offset_s: u64) -> Day {
        Day(time.saturating_add(offset_s) / DAY_S)
    }

    /// `2025-12-16`
    pub fn parse(text: &str) -> anyhow::Result<Day> {
        let (mut low, mut high) = (0, LAST_DAY);
        // Names are in order as days are.
        while low < high {
            let middle = low + (high - low) / 2;
            if *Day(middle).to_string() < *text { low = middle + 1 } else { high = middle }
        }
        ensure!(Day(low).to_string() == text, "{text:?} is no day: YYYY-MM-DD");
        Ok(Day(low))
    }

    fn start(self, offset_s: u64) -> Seconds {
        (self.0 * DAY_S).saturating_sub(offset_s)
    }

    fn end(self, offset_s: u64) -> Seconds {
        Day(self.0 + 1).start(offset_s)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = format_minute(self.0 * DAY_S);
        write!(f, "{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8])
    }
}

/// What makes a day of a symbol whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub symbol: String,
    pub day: String,
    pub day_offset_s: u64,
    pub trades: u64,
    pub candles: u64,
    /// Of the trades.
    pub volume: u64,
    /// Numbers of the first and the last trade.
    pub first_seq: i64,
    pub last_seq: i64,
    pub trade_files: Vec<File>,
    pub candle_files: Vec<File>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub key: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// Whence and where to.
#[derive(Clone)]
pub struct Backup {
    pub history: Postgres,
    pub documents: Arc<dyn Documents>,
    pub blobs: Arc<dyn Blobs>,
    pub day_offset_s: u64,
}

/// What came of a symbol's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    Now,
    Before,
}

fn manifest_key(day: Day, symbol: &str) -> String {
    format!("parquet/manifests/day={day}/{symbol}.json")
}

impl Backup {
    fn times(&self, day: Day) -> (Seconds, Seconds) {
        (day.start(self.day_offset_s), day.end(self.day_offset_s))
    }

    /// Symbols that were traded on a day.
    pub async fn traded(&self, day: Day) -> anyhow::Result<Vec<String>> {
        let (from, to) = self.times(day);
        Ok(self.history.traded(from * 1000, to * 1000).await?)
    }

    /// Backs a symbol's day up, unless it is.
    ///
    /// # Errors
    /// If a store cannot be reached, or if the day's candles are not those of its trades. Nothing counts as backed up then.
    pub async fn keep(&self, day: Day, symbol: &str) -> anyhow::Result<Made> {
        if self.manifest(day, symbol).await?.is_some() {
            return Ok(Made::Before);
        }
        let (from, to) = self.times(day);
        let mut manifest = Manifest {
            symbol: symbol.to_owned(),
            day: day.to_string(),
            day_offset_s: self.day_offset_s,
            trades: 0,
            candles: 0,
            volume: 0,
            first_seq: 0,
            last_seq: 0,
            trade_files: Vec::new(),
            candle_files: Vec::new(),
        };
        let mut folded = Folded::default();
        let mut part = Vec::new();
        let mut behind = None;
        loop {
            let page = self.history.trades(symbol, (from * 1000, to * 1000), behind, PAGE).await?;
            behind = page.last().map(|trade| (trade.executed_at, trade.seq));
            for trade in &page {
                folded.add(trade)?;
            }
            let is_last = page.len() < PAGE as usize;
            part.extend(page);
            if part.len() >= PART || is_last && !part.is_empty() {
                let (place, rows) = (format!("trades/symbol={symbol}/day={day}"), part.len());
                let file = files::of_trades(&std::mem::take(&mut part))?;
                let n = manifest.trade_files.len();
                manifest.trade_files.push(self.put(&place, n, rows, file).await?);
            }
            if is_last {
                break;
            }
        }
        let candles =
            candle_store::read(self.documents.as_ref(), symbol, Interval::M1, from, to, usize::MAX).await?;
        same(&folded.candles, &candles)?;
        let place = format!("candles/symbol={symbol}/day={day}");
        manifest.candle_files.push(self.put(&place, 0, candles.len(), files::of_candles(&candles)?).await?);
        manifest.trades = folded.trades;
        manifest.candles = candles.len() as u64;
        manifest.volume = folded.volume;
        (manifest.first_seq, manifest.last_seq) = (folded.first.unwrap_or_default(), folded.last);
        let body = serde_json::to_vec_pretty(&manifest)?;
        let write = Write { key: manifest_key(day, symbol), condition: Condition::Absent, body };
        match self.blobs.put(vec![write]).await?.into_iter().next().context("a write got no answer")?? {
            Outcome::Written(_) => Ok(Made::Now),
            // Another one was faster, from the same trades.
            Outcome::Lost(_) => Ok(Made::Before),
        }
    }

    /// A part has its digest in its name: whoever writes it writes the same.
    async fn put(&self, place: &str, n: usize, rows: usize, body: Vec<u8>) -> anyhow::Result<File> {
        let sha256 = digest(&body);
        let key = format!("parquet/{place}/part-{n:05}-{}.parquet", &sha256[..16]);
        let file = File { key: key.clone(), rows: rows as u64, bytes: body.len() as u64, sha256 };
        let write = Write { key, condition: Condition::Absent, body };
        self.blobs.put(vec![write]).await?.into_iter().next().context("a write got no answer")??;
        Ok(file)
    }

    pub async fn manifest(&self, day: Day, symbol: &str) -> anyhow::Result<Option<Manifest>> {
        let key = manifest_key(day, symbol);
        let Some(body) = self.get(&key).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).with_context(|| format!("{key} cannot be read"))
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let read = self.blobs.get(vec![Read::whole(key)]).await?.into_iter().next();
        Ok(read.context("a read got no answer")??.map(|object| object.body))
    }

    /// Symbols that a day's backup has.
    pub async fn kept(&self, day: Day) -> anyhow::Result<Vec<String>> {
        let prefix = format!("parquet/manifests/day={day}/");
        let mut symbols = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.blobs.search(Query { prefix: prefix.clone(), limit: 1000, cursor }).await?;
            let keys = page.entries.iter().map(|entry| entry.key.as_str());
            let names = keys.filter_map(|key| key.strip_prefix(&prefix)?.strip_suffix(".json"));
            symbols.extend(names.map(str::to_owned));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(symbols);
            }
        }
    }

    /// Proves a symbol's day: every part is as it was written, trades follow one another, and the candles are theirs. With
    /// `write`, what the exchange lacks of it is put back; what is there stays.
    pub async fn restore(&self, day: Day, symbol: &str, write: bool) -> anyhow::Result<Restored> {
        let manifest = self.manifest(day, symbol).await?;
        let manifest = manifest.with_context(|| format!("there is no backup of {symbol} on {day}"))?;
        let mut folded = Folded::default();
        let mut inserted = 0;
        for file in &manifest.trade_files {
            let trades = files::trades_in(self.part(file).await?).with_context(|| file.key.clone())?;
            ensure!(trades.len() as u64 == file.rows, "{} has other rows", file.key);
            for trade in &trades {
                ensure!(trade.symbol == symbol, "{} has a trade of {}", file.key, trade.symbol);
                folded.add(trade).with_context(|| file.key.clone())?;
            }
            for trades in trades.chunks(PAGE as usize).filter(|_| write) {
                inserted += self.history.execute("insert_trade", trades.iter().map(row).collect()).await?;
            }
        }
        let mut candles = Vec::new();
        for file in &manifest.candle_files {
            candles.extend(files::candles_in(self.part(file).await?).with_context(|| file.key.clone())?);
        }
        same(&folded.candles, &candles)?;
        let found = (folded.trades, folded.volume, candles.len() as u64);
        ensure!(
            found == (manifest.trades, manifest.volume, manifest.candles),
            "the manifest of {symbol} on {day} speaks of other trades"
        );
        if write {
            let (documents, blobs) = (self.documents.as_ref(), self.blobs.as_ref());
            candle_store::keep(documents, blobs, symbol, Interval::M1, &candles, self.day_offset_s).await?;
        }
        Ok(Restored { manifest, inserted })
    }

    async fn part(&self, file: &File) -> anyhow::Result<Vec<u8>> {
        let body = self.get(&file.key).await?.with_context(|| format!("{} is missing", file.key))?;
        ensure!(digest(&body) == file.sha256, "{} is not what was written", file.key);
        Ok(body)
    }

    /// Backs up what is over of the last days, now and then, until told to stop.
    pub async fn keep_up(self, now: Arc<dyn Fn() -> Millis + Send + Sync>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let settled = (now() / 1000).saturating_sub(SETTLED_S);
            let today = Day::of(settled, self.day_offset_s).0;
            for day in today.saturating_sub(DAYS)..today {
                if *stop.borrow() {
                    return;
                }
                self.keep_day(Day(day)).await;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn keep_day(&self, day: Day) {
        let symbols = match self.traded(day).await {
            Ok(symbols) => symbols,
            Err(error) => {
                return tracing::warn!(%day, error = format!("{error:#}"), "trades cannot be read for the backup");
            }
        };
        for symbol in symbols {
            match self.keep(day, &symbol).await {
                Ok(Made::Now) => tracing::info!(%day, symbol, "backed up"),
                Ok(Made::Before) => {}
                Err(error) => tracing::warn!(%day, symbol, error = format!("{error:#}"), "not backed up"),
            }
        }
    }
}

/// A day that was proved.
#[derive(Clone, Debug)]
pub struct Restored {
    pub manifest: Manifest,
    /// Trades that the history lacked.
    pub inserted: u64,
}

/// What trades come to.
#[derive(Default)]
struct Folded {
    candles: Vec<Candle>,
    trades: u64,
    volume: u64,
    first: Option<i64>,
    last: i64,
}

impl Folded {
    /// The next trade of the symbol.
    fn add(&mut self, trade: &Trade) -> anyhow::Result<()> {
        ensure!(
            self.first.is_none() || trade.seq > self.last,
            "trade {} comes after {}",
            trade.seq,
            self.last
        );
        let number = |number: i64| u64::try_from(number).context("a trade has a number below zero");
        let (time, price, quantity) =
            (number(trade.executed_at)? / 1000, number(trade.price)?, number(trade.quantity)?);
        let minute = Interval::M1.bucket(time, 0);
        match self.candles.last_mut() {
            Some(candle) if candle.time == minute => candle.add(price, quantity),
            Some(candle) if candle.time > minute => bail!("trade {} goes back in time", trade.seq),
            _ => self.candles.push(Candle::first(minute, price, quantity)),
        }
        self.trades += 1;
        self.volume = self.volume.checked_add(quantity).context("more was traded than can be counted")?;
        self.first.get_or_insert(trade.seq);
        self.last = trade.seq;
        Ok(())
    }
}

/// Candles of trades against candles that were kept.
fn same(of_trades: &[Candle], kept: &[Candle]) -> anyhow::Result<()> {
    if of_trades == kept {
        return Ok(());
    }
    let differs = of_trades.iter().zip(kept).position(|(one, other)| one != other);
    let n = differs.unwrap_or(of_trades.len().min(kept.len()));
    let shown = |candle: Option<&Candle>| candle.map_or("none".to_owned(), |candle| format!("{candle:?}"));
    bail!(
        "candles are not those of the trades: {} of trades, {} kept; first {} and {}",
        of_trades.len(),
        kept.len(),
        shown(of_trades.get(n)),
        shown(kept.get(n))
    )
}

fn row(trade: &Trade) -> Vec<Value> {
    let text = |text: &String| Value::Text(text.clone());
    vec![
        text(&trade.fill_id),
        text(&trade.symbol),
        Value::Integer(trade.seq),
        // Checked when it was folded.
        Value::Instant(trade.executed_at.max(0) as u64),
        Value::Integer(trade.price),
        Value::Integer(trade.quantity),
        text(&trade.buyer_order),
        text(&trade.buyer_user),
        text(&trade.seller_order),
        text(&trade.seller_user),
        text(&trade.taker),
    ]
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names() {
        for (day, name) in [(0, "1970-01-01"), (20_438, "2025-12-16"), (19_782, "2024-02-29")] {
            assert_eq!((Day(day).to_string().as_str(), Day::parse(name).unwrap()), (name, Day(day)));
        }
        for none in ["", "2025-02-29", "2025-13-01", "1969-12-31", "20251216", "2025-12-16T00:00"] {
            assert!(Day::parse(none).is_err(), "{none}");
        }
        // Seoul's day begins nine hours before that of UTC.
        let seoul = 9 * 3600;
        let day = Day::parse("2025-12-16").unwrap();
        assert_eq!(day.start(seoul), 1_765_810_800);
        assert_eq!(Day::of(day.start(seoul), seoul), day);
        assert_eq!(Day::of(day.end(seoul) - 1, seoul), day);
    }
}
