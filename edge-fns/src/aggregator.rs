//! Timer: closed minutes → candles of three minutes to a day, into the candle store and the blob store.
//!
//! Every span that is over and of which the cache still lists a minute is folded from all its minutes, those that have
//! left the cache read back from the store, by the core's one function. So it does not matter when this runs, how often, or
//! in which order minutes became known: a span that was folded too early is folded again as long as the cache lists a minute
//! of it, and the stores keep the candle that has seen more. A span that is still open is not written. What left the cache
//! while this did not run is made up for from the store, a day at a time.

use crate::candle_store::{self, Stored};
use crate::capability::base::Level;
use crate::capability::cache::{Command, Reply};
use crate::capability::documents::{Expect, Id, Write};
use crate::capability::{Base, Blobs, Cache, Documents, Error, Millis};
use crate::timer::Timer;
use crate::trades_backup::rotated;
use engine_core::candle::{Candle, Interval, Seconds, aggregate};
use serde::{Deserialize, Serialize};

/// A minute without an open candle is taken for closed after this: what the engine needs to close it.
const GRACE_S: Seconds = 60;
/// No call takes longer; the next one begins where this one ended.
const BUDGET_MS: Millis = 3_000;
/// Where it says how far it has come with a symbol.
const TABLE: &str = "candle_history";
const PARTITION: &str = "AGGREGATED";

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
    pub blobs: &'a dyn Blobs,
}

/// One symbol that cannot be aggregated keeps no other from it; the first such error is the answer.
pub async fn handle(ports: &Ports<'_>, timer: Timer) -> Result<(), Error> {
    let end = ports.base.now().saturating_add(BUDGET_MS);
    let day_offset_s = candle_store::day_offset(ports.base).await?;
    let symbols = candle_store::symbols(ports.cache).await?;
    let mut failed = Ok(());
    for symbol in rotated(&symbols, &timer) {
        if let Err(error) = fold(ports, symbol, day_offset_s, end).await {
            let fields = [("symbol", symbol.as_str()), ("error", &error.to_string())];
            ports.base.log(Level::Error, "candles not aggregated", &fields);
            failed = failed.and(Err(error));
        }
        if ports.base.now() >= end {
            break;
        }
    }
    failed
}

/// How far a symbol is folded.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// Every span of a minute before this is folded, except of days that the cache still lists a minute of.
    to: Seconds,
    /// For which state of the listed minutes everything is done.
    state: String,
}

async fn fold(ports: &Ports<'_>, symbol: &str, day_offset_s: u64, end: Millis) -> Result<(), Error> {
    // The open candle before the list: a minute that closes in between is in the list and counts as open.
    let frontier = frontier(ports, symbol).await?;
    let values = candle_store::closed(ports.cache, symbol).await?;
    let listed = candle_store::in_order(&values)?;
    let (Some(oldest), Some(newest)) = (listed.first(), listed.last()) else { return Ok(()) };
    let state = state(&values, newest.time, frontier, day_offset_s);
    let before = progress(ports, symbol).await?;
    if before.as_ref().is_some_and(|progress| progress.state == state) {
        return Ok(());
    }
    let day_of = |time| Interval::D1.bucket(time, day_offset_s);
    // All spans that hold a listed minute begin in this day, or later.
    let last_day = day_of(oldest.time);
    let begin = match before {
        Some(progress) => Some(progress.to),
        None => candle_store::first_minute(ports.documents, symbol).await?,
    };
    let mut day = day_of(begin.unwrap_or(oldest.time).min(oldest.time));
    while day < last_day {
        let next = Interval::D1.next_bucket(day, day_offset_s);
        let minutes =
            candle_store::read(ports.documents, symbol, Interval::M1, day, next, usize::MAX).await?;
        keep(ports, symbol, &minutes, day, frontier, day_offset_s).await?;
        day = next;
        if ports.base.now() >= end {
            return remember(ports, symbol, &Progress { to: day, state: String::new() }).await;
        }
    }
    let mut minutes =
        candle_store::read(ports.documents, symbol, Interval::M1, last_day, oldest.time, usize::MAX).await?;
    minutes.extend(&listed);
    keep(ports, symbol, &minutes, last_day, frontier, day_offset_s).await?;
    // From the newest's day on it is folded again, should the cache no longer list a minute of it by then.
    remember(ports, symbol, &Progress { to: newest.time, state }).await
}

/// Folds these minutes, which are all from the start of a day on, and keeps every span that is over.
async fn keep(
    ports: &Ports<'_>,
    symbol: &str,
    minutes: &[Candle],
    day: Seconds,
    frontier: Seconds,
    day_offset_s: u64,
) -> Result<(), Error> {
    for interval in Interval::ALL.into_iter().filter(|interval| *interval != Interval::M1) {
        let is_over = |candle: &Candle| interval.next_bucket(candle.time, day_offset_s) <= frontier;
        let mut candles = aggregate(minutes, interval, day_offset_s);
        candles.retain(|candle| candle.time >= day && is_over(candle));
        candle_store::keep(ports.documents, ports.blobs, symbol, interval, &candles, day_offset_s).await?;
    }
    Ok(())
}

fn progress_id(symbol: &str) -> Id {
    Id { table: TABLE.into(), partition: PARTITION.into(), sort: symbol.into() }
}

async fn progress(ports: &Ports<'_>, symbol: &str) -> Result<Option<Progress>, Error> {
    let entry = ports.documents.get(vec![progress_id(symbol)]).await?.into_iter().next().flatten();
    // One that cannot be read is as good as none: everything is folded again.
    Ok(entry.and_then(|entry| serde_json::from_slice(&entry.body).ok()))
}

async fn remember(ports: &Ports<'_>, symbol: &str, progress: &Progress) -> Result<(), Error> {
    // A struct of a number and a string cannot fail to serialise.
    let body = serde_json::to_vec(progress).unwrap_or_default();
    let write = Write { id: progress_id(symbol), expect: Expect::Anything, body: Some(body) };
    ports.documents.put(vec![write]).await.map(|_| ())
}

/// Every minute that opens before this is closed.
async fn frontier(ports: &Ports<'_>, symbol: &str) -> Result<Seconds, Error> {
    let now = ports.base.now() / 1000;
    let open = Command::Hgetall(format!("candle:1m:{symbol}"));
    match ports.cache.run(vec![open]).await?.into_iter().next().transpose()? {
        Some(Reply::Pairs(fields)) => {
            let open = Stored::of_fields(&fields).and_then(|stored| stored.candle());
            Ok(open.map_or_else(|| now.saturating_sub(GRACE_S), |candle| candle.time))
        }
        other => Err(Error::Internal(format!("an open candle was asked for, {other:?} came"))),
    }
}

/// What the outcome depends on: the listed minutes, and which of their spans are over.
fn state(values: &[Vec<u8>], newest: Seconds, frontier: Seconds, day_offset_s: u64) -> String {
    let hash = values.iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut state = format!("{}:{hash:016x}", values.len());
    for interval in Interval::ALL {
        // Spans after the newest minute's are empty: that they are over changes nothing.
        let over = interval.bucket(frontier, day_offset_s).min(interval.next_bucket(newest, day_offset_s));
        state.push_str(&format!(":{over}"));
    }
    state
}
