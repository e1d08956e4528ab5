//! What a market shows, written to the cache in one script call a symbol and batch.
//!
//! The script writes only what is newer than what is there: the numbers of the last writes stand beside the data, so
//! that a replay after a restart repeats nothing, above all no closed candle.

use crate::backends::embedded::cache::{Keyspace, parse, stored};
use edge_fns::capability::cache::{Command, Reply, Value};
use edge_fns::capability::{Error, Result};
use engine_core::market::Market;
use engine_core::shard::{Output, Shard};
use engine_core::wire::{candle_fields, candle_json, depth_message, ohlc_message, ticker_message};
use std::collections::BTreeMap;

/// Name of the script.
///
/// Keys: `depth:S`, `ticker:S`, `ohlc:S`, `candle:1m:S`, `candle:closed:1m:S`, `trades:S`, `seq:S`, and
/// `candle:closed:seq:S`, the number of the newest closed candle, kept apart because it must survive with their list.
///
/// Arguments: the market's sequence number; depth; ticker; ohlc (both empty before the first fill); the number of the
/// open candle's fields and values, then these (0: there is no open candle); the number of closed candles, then each
/// one's sequence number and JSON, oldest first; the number of trades, then each one's sequence number and JSON, oldest
/// first; the number of the newest closed candle that the writer knows to be there (0: of none).
///
/// Answers how many closed candles it added. Where the cache has lost one that the writer knows of, it answers [`LOST`] and
/// changes nothing: what closes now must not hide that something before it is missing.
pub const MARKET_DATA_SCRIPT: &str = "market_data";

/// See [`MARKET_DATA_SCRIPT`].
pub const LOST: i64 = -1;

/// Trades kept for a new subscriber.
pub const TRADES_KEPT: usize = 50;

/// The calls that bring the cache up to the state of every market that an output has touched, in the order of their symbols;
/// `known` is the number of the newest closed candle that was there before.
pub fn market_data_commands(shard: &Shard, output: &Output, known: impl Fn(&str) -> u64) -> Vec<Command> {
    let markets = output.touched.iter().filter_map(|symbol| Some((symbol, shard.market(symbol)?)));
    markets.map(|(symbol, market)| market_data_command(symbol, market, output, known(symbol))).collect()
}

fn market_data_command(symbol: &str, market: &Market, output: &Output, known: u64) -> Command {
    let text = |text: String| text.into_bytes();
    let mut args: Vec<Value> = vec![
        text(market.sequence().to_string()),
        text(depth_message(symbol, market.time(), market.sequence(), market.book())),
        text(market.day().map(|day| ticker_message(symbol, day)).unwrap_or_default()),
        text(market.day().map(ohlc_message).unwrap_or_default()),
    ];
    match market.candle() {
        Some(candle) => {
            let fields = candle_fields(candle);
            args.push(text((fields.len() * 2).to_string()));
            args.extend(fields.into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), text(value)]));
        }
        None => args.push(b"0".to_vec()),
    }
    let closed: Vec<_> = output.closed.iter().filter(|(of, ..)| &**of == symbol).collect();
    args.push(text(closed.len().to_string()));
    for (_, sequence, candle) in closed {
        args.push(text(sequence.to_string()));
        args.push(text(candle_json(candle)));
    }
    let trades: Vec<_> = output.trades.iter().filter(|trade| &*trade.symbol == symbol).collect();
    let trades = &trades[trades.len().saturating_sub(TRADES_KEPT)..];
    args.push(text(trades.len().to_string()));
    for trade in trades {
        args.push(text(trade.sequence.to_string()));
        args.push(trade.body.clone().into_bytes());
    }
    args.push(text(known.to_string()));
    let keys = [
        "depth:",
        "ticker:",
        "ohlc:",
        "candle:1m:",
        "candle:closed:1m:",
        "trades:",
        "seq:",
        "candle:closed:seq:",
    ];
    Command::Eval {
        name: MARKET_DATA_SCRIPT.into(),
        keys: keys.iter().map(|prefix| format!("{prefix}{symbol}")).collect(),
        args,
    }
}

/// The script for the embedded cache, as it is described at its name.
pub fn market_data_script(keyspace: &mut Keyspace, keys: &[String], args: &[Value]) -> Result<Reply> {
    let [depth, ticker, ohlc, candle, closed, trades, numbers, closed_number] = keys else {
        return Err(Error::Invalid("market_data takes 8 keys".into()));
    };
    let mut args = args.iter();
    let mut next = || args.next().ok_or_else(|| Error::Invalid("market_data lacks an argument".into()));
    let sequence = next()?;
    let shown = [(depth, next()?), (ticker, next()?), (ohlc, next()?)];
    let mut fields = BTreeMap::new();
    for _ in 0..parse(next()?)? / 2 {
        let name =
            String::from_utf8(next()?.clone()).map_err(|_| Error::Invalid("a field is not text".into()))?;
        fields.insert(name, next()?.clone());
    }
    let mut numbered =
        || (0..parse(next()?)?).map(|_| Ok((parse(next()?)?, next()?))).collect::<Result<Vec<_>>>();
    let (new_closed, new_trades) = (numbered()?, numbered()?);
    let known: u64 = parse(next()?)?;

    // Everything is read: from here on nothing fails half-way.
    let last_closed = keyspace.get(closed_number)?.map_or(Ok(0), |value| parse(value))?;
    if last_closed < known {
        return Ok(Reply::Integer(LOST));
    }
    let added: Vec<_> = new_closed.iter().filter(|(number, _)| *number > last_closed).collect();
    if let Some((newest, _)) = added.last() {
        keyspace.lpush(closed, added.iter().map(|(_, candle)| (*candle).clone()).collect())?;
        keyspace.put_bytes(closed_number, newest.to_string().into_bytes());
    }
    let last_trade = stored(keyspace, numbers, "trades")?;
    let fresh: Vec<_> = new_trades.iter().filter(|(number, _)| *number > last_trade).collect();
    if let Some((newest, _)) = fresh.last() {
        keyspace.lpush(trades, fresh.iter().map(|(_, trade)| (*trade).clone()).collect())?;
        keyspace.ltrim(trades, 0, TRADES_KEPT as i64 - 1)?;
        keyspace.hset(numbers, vec![("trades".into(), newest.to_string().into_bytes())])?;
    }
    // A market of the same state is written again after a restart, so equal numbers pass.
    if parse(sequence)? >= stored(keyspace, numbers, "market")? {
        keyspace.hset(numbers, vec![("market".into(), sequence.clone())])?;
        for (key, value) in shown.into_iter().filter(|(_, value)| !value.is_empty()) {
            if keyspace.get(key)? != Some(value) {
                keyspace.put_bytes(key, value.clone());
            }
        }
        if fields.is_empty() {
            keyspace.remove(candle);
        } else if keyspace.hash(candle)? != Some(&fields) {
            keyspace.put_hash(candle, fields, None);
        }
    }
    Ok(Reply::Integer(added.len() as i64))
}

#[cfg(test)]
mod tests {
    //! What the script leaves alone: a replay of any part of what was written, in whatever batches, changes nothing.

    use super::*;
    use crate::backends::embedded::cache::EmbeddedCache;
    use edge_fns::capability::Cache;
    use engine_core::candle::SEOUL_DAY_OFFSET_S;
    use engine_core::shard::Shard;
    use proptest::prelude::*;

    const SYMBOL: &str = "A";
    const START: u64 = 1_765_894_800_000;

    fn add(n: usize, buy: bool, price: u64, quantity: u64) -> String {
        format!(
            r#"{{"action":"ADD","symbol":"A","order_id":"o{n}","user_id":"u","is_buy":{buy},"price":{price},"quantity":{quantity}}}"#
        )
    }

    /// Orders that cross now and then, each with its time.
    fn flow() -> impl Strategy<Value = Vec<(u64, String)>> {
        let pause = prop_oneof![3 => Just(0u64), 1 => 0..70_000u64];
        let order = (pause, any::<bool>(), 99..102u64, 1..5u64);
        proptest::collection::vec(order, 1..90).prop_map(|orders| {
            let mut time = START;
            let line = |(n, (pause, buy, price, quantity))| {
                time += pause;
                (time, add(n, buy, price, quantity))
            };
            orders.into_iter().enumerate().map(line).collect()
        })
    }

    /// The calls of an engine that begins at `from` and takes so many records at a time.
    fn calls(flow: &[(u64, String)], from: usize, batch: usize) -> Vec<Command> {
        let mut shard = Shard::new(SEOUL_DAY_OFFSET_S);
        let mut output = Output::default();
        let mut calls = Vec::new();
        let apply = |shard: &mut Shard, output: &mut Output, n: usize| {
            shard.apply(n as u64 + 1, flow[n].0, flow[n].1.as_bytes(), output).unwrap();
        };
        (0..from).for_each(|n| apply(&mut shard, &mut output, n));
        for start in (from..flow.len()).step_by(batch) {
            output.clear();
            (start..flow.len().min(start + batch)).for_each(|n| apply(&mut shard, &mut output, n));
            if let Some(market) = shard.market(SYMBOL).filter(|_| output.touched.contains(SYMBOL)) {
                calls.push(market_data_command(SYMBOL, market, &output, 0));
            }
        }
        calls
    }

    fn cache() -> EmbeddedCache {
        let cache = EmbeddedCache::in_memory();
        cache.register(MARKET_DATA_SCRIPT, market_data_script);
        cache
    }

    async fn run(cache: &EmbeddedCache, call: &Command) -> Result<Reply> {
        cache.run(vec![call.clone()]).await.unwrap().remove(0)
    }

    async fn contents(cache: &EmbeddedCache) -> Vec<Reply> {
        let key = |prefix: &str| format!("{prefix}{SYMBOL}");
        let reads = vec![
            Command::Mget(["depth:", "ticker:", "ohlc:", "candle:closed:seq:"].map(key).into()),
            Command::Hgetall(key("candle:1m:")),
            Command::Lrange(key("candle:closed:1m:"), 0, -1),
            Command::Lrange(key("trades:"), 0, -1),
            Command::Hgetall(key("seq:")),
        ];
        cache.run(reads).await.unwrap().into_iter().collect::<Result<_>>().unwrap()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn a_replay_changes_nothing(
            flow in flow(), batch in 1..20usize, again in 1..20usize, from in any::<prop::sample::Index>(),
        ) {
            block_on(async {
                let cache = cache();
                for call in calls(&flow, 0, batch) {
                    run(&cache, &call).await.unwrap();
                }
                let before = contents(&cache).await;
                for call in calls(&flow, from.index(flow.len()), again) {
                    assert_eq!(run(&cache, &call).await, Ok(Reply::Integer(0)), "no closed candle is added");
                    assert_eq!(contents(&cache).await, before);
                }
            });
        }

        /// Broken off anywhere and begun again from anywhere before that, in other batches, it comes to the same.
        #[test]
        fn a_restart_comes_to_the_same(
            flow in flow(), batches in (1..20usize, 1..20usize, 20..100usize),
            stop in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(),
        ) {
            block_on(async {
                let (straight, broken) = (cache(), cache());
                for call in calls(&flow, 0, batches.2) {
                    run(&straight, &call).await.unwrap();
                }
                let stop = stop.index(flow.len()) + 1;
                for call in calls(&flow[..stop], 0, batches.0) {
                    run(&broken, &call).await.unwrap();
                }
                for call in calls(&flow, from.index(stop), batches.1) {
                    run(&broken, &call).await.unwrap();
                }
                assert_eq!(contents(&broken).await, contents(&straight).await);
            });
        }
    }

    /// A cache that was emptied is not written to by who believes that it holds an earlier candle.
    #[test]
    fn what_was_lost_is_noticed_by_the_next_write() {
        block_on(async {
            let times = [START, START, START + 60_000, START + 120_000];
            let flow: Vec<_> = (0..4).map(|n| (times[n], add(n, n % 2 == 0, 100, 1))).collect();
            let (mut shard, mut output) = (Shard::new(SEOUL_DAY_OFFSET_S), Output::default());
            for (n, (time, body)) in flow.iter().enumerate() {
                shard.apply(n as u64 + 1, *time, body.as_bytes(), &mut output).unwrap();
            }
            let market = shard.market(SYMBOL).unwrap();
            let [(_, first, _), ..] = output.closed[..] else { panic!("a minute is over") };
            let cache = cache();
            let empty = contents(&cache).await;
            let call = |known| market_data_command(SYMBOL, market, &output, known);
            assert_eq!(run(&cache, &call(first)).await, Ok(Reply::Integer(LOST)));
            assert_eq!(contents(&cache).await, empty);
            let added = output.closed.len() as i64;
            assert_eq!(run(&cache, &call(0)).await, Ok(Reply::Integer(added)));
            assert_eq!(run(&cache, &call(first)).await, Ok(Reply::Integer(0)));
        });
    }

    /// Arguments that end too early, or too few keys, change nothing at all.
    #[test]
    fn a_call_that_makes_no_sense_is_refused_whole() {
        block_on(async {
            let later = START + 60_000;
            let times = [START, START, later, later];
            let flow: Vec<_> = (0..4).map(|n| (times[n], add(n, n % 2 == 0, 100, 1))).collect();
            let cache = cache();
            run(&cache, &calls(&flow[..2], 0, 2)[0]).await.unwrap();
            let before = contents(&cache).await;
            let whole = calls(&flow, 2, 2).remove(0);
            let Command::Eval { name, keys, args } = whole.clone() else { panic!("{whole:?}") };
            let with = |keys: &[String], args: &[Value]| Command::Eval {
                name: name.clone(),
                keys: keys.into(),
                args: args.into(),
            };
            let mut senseless: Vec<Command> =
                (0..args.len()).map(|length| with(&keys, &args[..length])).collect();
            senseless.push(with(&keys[..7], &args));
            for call in senseless {
                assert!(matches!(run(&cache, &call).await, Err(Error::Invalid(_))), "{call:?}");
                assert_eq!(contents(&cache).await, before);
            }
            assert_eq!(run(&cache, &whole).await, Ok(Reply::Integer(1)), "the first minute's candle");
        });
    }
}
