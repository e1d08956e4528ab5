//! Timer: closed minutes → candles of three minutes to a day, into the candle store and the blob store.
//!
//! Every span that is over and of which the cache still lists a minute is folded from all its minutes, those that have
//! left the cache read back from the store, by the core's one function. So it does not matter when this runs, how often, or
//! in which order minutes became known: a span that was folded too early is folded again as long as the cache lists a minute
//! of it, and the stores keep the candle that has seen more. A span that is still open is not written.

use crate::candle_store::{self, Stored};
use crate::capability::base::Level;
use crate::capability::cache::{Command, Reply};
use crate::capability::documents::{Expect, Id, Write};
use crate::capability::{Base, Blobs, Cache, Documents, Error, Millis};
use crate::timer::Timer;
use crate::trades_backup::rotated;
use engine_core::candle::{Candle, Interval, Seconds, aggregate};

/// A minute without an open candle is taken for closed after this: what the engine needs to close it.
const GRACE_S: Seconds = 60;
/// No call takes longer; the next one begins where this one ended.
const BUDGET_MS: Millis = 3_000;
/// Where it says for which state of a symbol's minutes everything is done.
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
        if let Err(error) = fold(ports, symbol, day_offset_s).await {
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

async fn fold(ports: &Ports<'_>, symbol: &str, day_offset_s: u64) -> Result<(), Error> {
    // The open candle before the list: a minute that closes in between is in the list and counts as open.
    let frontier = frontier(ports, symbol).await?;
    let values = candle_store::closed(ports.cache, symbol).await?;
    let listed = values.iter().map(|value| Stored::candle_of(value)).collect::<Result<Vec<_>, _>>()?;
    let (Some(oldest), Some(newest)) = (listed.first(), listed.last()) else { return Ok(()) };
    let state = state(&values, newest.time, frontier, day_offset_s);
    let done = Id { table: TABLE.into(), partition: PARTITION.into(), sort: symbol.into() };
    let before = ports.documents.get(vec![done.clone()]).await?.into_iter().next().flatten();
    if before.is_some_and(|entry| entry.body == state) {
        return Ok(());
    }
    // All spans that hold a listed minute begin in the day of the oldest, or later.
    let day = Interval::D1.bucket(oldest.time, day_offset_s);
    let mut minutes =
        candle_store::read(ports.documents, symbol, Interval::M1, day, oldest.time, usize::MAX).await?;
    minutes.extend(&listed);
    for interval in Interval::ALL.into_iter().filter(|interval| *interval != Interval::M1) {
        let is_over = |candle: &Candle| interval.next_bucket(candle.time, day_offset_s) <= frontier;
        let first = interval.bucket(oldest.time, day_offset_s);
        let mut candles = aggregate(&minutes, interval, day_offset_s);
        candles.retain(|candle| candle.time >= first && is_over(candle));
        candle_store::keep(ports.documents, ports.blobs, symbol, interval, &candles, day_offset_s).await?;
    }
    ports.documents.put(vec![Write { id: done, expect: Expect::Anything, body: Some(state) }]).await?;
    Ok(())
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
fn state(values: &[Vec<u8>], newest: Seconds, frontier: Seconds, day_offset_s: u64) -> Vec<u8> {
    let hash = values.iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut state = format!("{}:{hash:016x}", values.len());
    for interval in Interval::ALL {
        // Spans after the newest minute's are empty: that they are over changes nothing.
        let over = interval.bucket(frontier, day_offset_s).min(interval.next_bucket(newest, day_offset_s));
        state.push_str(&format!(":{over}"));
    }
    state.into_bytes()
}
