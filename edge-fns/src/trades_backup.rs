//! Timer: closed candles → candle store and blob store; what both keep leaves the cache.
//!
//! The cache's list of a symbol's closed minutes is what has to be kept; nothing but this shortens it, and only by candles
//! that the stores have confirmed. The newest thousand stay besides, for charts. Each step may be repeated: the stores take
//! of two equal candles one, and the list gives up only the very values that were read.

use crate::candle_store::{self, closed_key};
use crate::capability::base::Level;
use crate::capability::cache::Command;
use crate::capability::{Base, Blobs, Cache, Documents, Error, Millis};
use crate::scripts::DROP_OLDEST;
use crate::timer::Timer;
use engine_core::candle::Interval;

/// Closed candles of a symbol that the cache keeps, backed up or not.
pub const KEPT: usize = 1000;
/// Candles taken off the list in one call.
const DROPPED: usize = 1000;
/// No call takes longer; the next one begins where this one ended.
const BUDGET_MS: Millis = 3_000;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
    pub blobs: &'a dyn Blobs,
}

/// One symbol that cannot be backed up keeps no other from it; the first such error is the answer.
pub async fn handle(ports: &Ports<'_>, timer: Timer) -> Result<(), Error> {
    let end = ports.base.now().saturating_add(BUDGET_MS);
    let day_offset_s = candle_store::day_offset(ports.base).await?;
    let symbols = candle_store::symbols(ports.cache).await?;
    let mut failed = Ok(());
    for symbol in rotated(&symbols, &timer) {
        if let Err(error) = back_up(ports, symbol, day_offset_s).await {
            let fields = [("symbol", symbol.as_str()), ("error", &error.to_string())];
            ports.base.log(Level::Error, "candles not backed up", &fields);
            failed = failed.and(Err(error));
        }
        if ports.base.now() >= end {
            break;
        }
    }
    failed
}

/// The symbols from another one on at each time, so that all come first now and then, however long one takes.
pub(crate) fn rotated<'a>(symbols: &'a [String], timer: &Timer) -> impl Iterator<Item = &'a String> {
    // A hash, since the number of symbols may share divisors with the time between two calls.
    let hash = (timer.due / 1000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let first = hash as usize % symbols.len().max(1);
    symbols[first..].iter().chain(&symbols[..first])
}

async fn back_up(ports: &Ports<'_>, symbol: &str, day_offset_s: u64) -> Result<(), Error> {
    let values = candle_store::closed(ports.cache, symbol).await?;
    let candles = candle_store::in_order(&values)?;
    candle_store::keep(ports.documents, ports.blobs, symbol, Interval::M1, &candles, day_offset_s).await?;
    for confirmed in values[..values.len().saturating_sub(KEPT)].chunks(DROPPED) {
        let drop = Command::Eval {
            name: DROP_OLDEST.into(),
            keys: vec![closed_key(symbol)],
            args: confirmed.to_vec(),
        };
        for reply in ports.cache.run(vec![drop]).await? {
            reply?;
        }
    }
    Ok(())
}
