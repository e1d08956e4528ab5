//! A cache that has lost what it held is filled again from the engine's state.
//!
//! A market that is written to is found out by the write itself, which says which candle should be there. For the quiet ones the
//! cache is asked now and then for the depth of some of the shard's markets, in turn; where one is missing, all are asked for. What is
//! missing is written anew: depth, ticker, the day, the open candle, and the candles that closed last.

use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::{Cache, Error, Result};
use engine_core::candle::Candle;
use engine_core::shard::{Output, Shard};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Markets asked for at a look, and in one call where all are.
const SOME: usize = 50;
pub(super) const AT_ONCE: usize = 500;
/// Closed candles remembered of each market: more than are waiting for their backup, which comes every ten minutes.
pub(super) const CANDLES: usize = 30;

pub(super) struct Refill {
    looked: Instant,
    /// The market that the next look begins with.
    next: usize,
    closed: BTreeMap<Arc<str>, VecDeque<(u64, Candle)>>,
}

impl Refill {
    pub fn new() -> Refill {
        Refill { looked: Instant::now(), next: 0, closed: BTreeMap::new() }
    }

    /// Remembers the candles that closed.
    pub fn remember(&mut self, output: &Output) {
        for (symbol, sequence, candle) in &output.closed {
            let closed = self.closed.entry(symbol.clone()).or_default();
            if closed.back().is_none_or(|(last, _)| last < sequence) {
                closed.push_back((*sequence, *candle));
            }
            if closed.len() > CANDLES {
                closed.pop_front();
            }
        }
    }

    /// Takes over what the cache has of a symbol's closed candles, newest first, and the number of the newest: who folded the
    /// shard before has written them. The others get numbers that keep their order.
    pub fn adopt(&mut self, symbol: &Arc<str>, newest: u64, candles: Vec<Candle>) {
        let numbered = candles.into_iter().zip(0..).map_while(|(candle, n)| {
            let number = newest.checked_sub(n).filter(|number| *number > 0)?;
            Some((number, candle))
        });
        let mut closed: VecDeque<_> = numbered.collect();
        closed.make_contiguous().reverse();
        self.closed.insert(symbol.clone(), closed);
    }

    /// The number of the newest closed candle that the cache must have had before this output; 0 if there was none.
    pub fn known(&self, symbol: &str, output: &Output) -> u64 {
        let new =
            output.closed.iter().find(|(of, ..)| &**of == symbol).map_or(u64::MAX, |(_, first, _)| *first);
        let closed = self.closed.get(symbol).into_iter().flatten().rev();
        closed.map(|(number, _)| *number).find(|number| *number < new).unwrap_or_default()
    }

    /// All that is known of these markets, as an output to be written.
    pub fn whole(&self, symbols: impl IntoIterator<Item = Arc<str>>) -> Output {
        let mut output = Output::default();
        for symbol in symbols {
            let closed = self.closed.get(&symbol).into_iter().flatten();
            output.closed.extend(closed.map(|(sequence, candle)| (symbol.clone(), *sequence, *candle)));
            output.touched.insert(symbol);
        }
        output
    }

    /// What the cache has lost, as an output to be written; none where it is not time to look, or nothing is missing.
    pub async fn look(&mut self, cache: &dyn Cache, shard: &Shard) -> Result<Option<Output>> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(None);
        }
        self.looked = Instant::now();
        let symbols: Vec<&Arc<str>> = shard.markets().map(|(symbol, _)| symbol).collect();
        if symbols.is_empty() {
            return Ok(None);
        }
        let first = self.next % symbols.len();
        let some: Vec<&Arc<str>> =
            symbols.iter().cycle().skip(first).take(SOME.min(symbols.len())).copied().collect();
        self.next = first + some.len();
        if missing(cache, &some).await?.is_empty() {
            return Ok(None);
        }
        let mut lost = Vec::new();
        for part in symbols.chunks(AT_ONCE) {
            lost.extend(missing(cache, part).await?);
        }
        Ok(Some(self.whole(lost)))
    }
}

async fn missing(cache: &dyn Cache, symbols: &[&Arc<str>]) -> Result<Vec<Arc<str>>> {
    let lookup = Command::Mget(symbols.iter().map(|symbol| format!("depth:{symbol}")).collect());
    match cache.run(vec![lookup]).await?.into_iter().next().transpose()? {
        Some(Reply::Values(found)) => {
            let lost = symbols.iter().zip(found).filter(|(_, found)| found.is_none());
            Ok(lost.map(|(symbol, _)| Arc::clone(symbol)).collect())
        }
        other => Err(Error::Internal(format!("depths were asked for, {other:?} came"))),
    }
}
