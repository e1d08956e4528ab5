//! What a market shows, written to the cache in one script call a symbol and batch.
//!
//! The script writes only what is newer than what is there: the numbers of the last writes stand beside the data, so
//! that a replay after a restart repeats nothing, above all no closed candle.

use crate::backends::embedded::cache::{Keyspace, parse, stored};
use edge_fns::capability::cache::{Command, Reply, Value};
use edge_fns::capability::{Error, Result};
use engine_core::market::Market;
use engine_core::shard::Output;
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
/// first.
pub const MARKET_DATA_SCRIPT: &str = "market_data";

/// Trades kept for a new subscriber.
pub const TRADES_KEPT: usize = 50;

/// The call that brings a symbol's cache up to the market's state.
pub(super) fn market_data_command(symbol: &str, market: &Market, output: &Output) -> Command {
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

/// The script for the embedded cache; the arguments are described at its name. Answers how many closed candles it added.
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

    // Everything is read: from here on nothing fails half-way.
    let last_closed = keyspace.get(closed_number)?.map_or(Ok(0), |value| parse(value))?;
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
