//! What a symbol shows, and what of it is news.

use edge_fns::capability::cache::{Command, Reply, Value};
use edge_fns::capability::{Cache, Result};
use std::collections::BTreeMap;

/// Trades looked at in one round, and closed candles: more than happen in half a second of a busy symbol is cut.
const TRADES: i64 = 50;
const CLOSED: i64 = 3;

/// A message and whether it is also for ticker boards.
pub(crate) struct Message {
    pub body: Vec<u8>,
    pub for_board: bool,
}

/// A symbol's messages as they stand.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    depth: Value,
    ticker: Value,
    candle: Value,
    /// Closed candles, oldest first: time and message.
    closed: Vec<(u64, Value)>,
    /// Trades, oldest first: sequence number and message.
    trades: Vec<(u64, Value)>,
}

/// What a class of connections has been shown last.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    started: bool,
    depth: Value,
    ticker: Value,
    candle: Value,
    closed: u64,
    trade: u64,
}

/// Reads the feeds of these symbols in one round trip.
pub(crate) async fn read(
    cache: &dyn Cache,
    symbols: &[String],
    feeds: &mut BTreeMap<String, Feed>,
) -> Result<()> {
    if symbols.is_empty() {
        return Ok(());
    }
    let commands = symbols.iter().flat_map(|symbol| {
        [
            Command::Mget(vec![format!("depth:{symbol}"), format!("ticker:{symbol}")]),
            Command::Hgetall(format!("candle:1m:{symbol}")),
            Command::Lrange(format!("candle:closed:1m:{symbol}"), 0, CLOSED - 1),
            Command::Lrange(format!("trades:{symbol}"), 0, TRADES - 1),
        ]
    });
    let mut replies = cache.run(commands.collect()).await?.into_iter();
    for symbol in symbols {
        let mut strings = values(replies.next())?.into_iter();
        let mut next = || strings.next().flatten().unwrap_or_default();
        let (depth, ticker) = (next(), next());
        let candle = match replies.next().transpose()? {
            Some(Reply::Pairs(pairs)) if !pairs.is_empty() => candle_message("candle", symbol, |name| {
                let pair = pairs.iter().find(|(known, _)| known == name)?;
                Some(String::from_utf8_lossy(&pair.1).into_owned())
            }),
            _ => Value::new(),
        };
        let closed = values(replies.next())?.into_iter().flatten().rev();
        let closed = closed.filter_map(|json| closed_message(symbol, &json)).collect();
        let trades = values(replies.next())?.into_iter().flatten().rev();
        let trades = trades.filter_map(|trade| Some((sequence(&trade)?, trade))).collect();
        feeds.insert(symbol.clone(), Feed { depth, ticker, candle, closed, trades });
    }
    Ok(())
}

impl Feed {
    /// What has changed since the class was last shown something; marks it as shown. The first time, nothing is news:
    /// whoever is there gets the state.
    pub(crate) fn news(&self, shown: &mut Shown) -> Vec<Message> {
        let mut news = Vec::new();
        let first = !shown.started;
        shown.started = true;
        for (time, message) in &self.closed {
            if *time > shown.closed {
                shown.closed = *time;
                if !first {
                    news.push(Message { body: message.clone(), for_board: false });
                }
            }
        }
        for (number, message) in &self.trades {
            if *number > shown.trade {
                shown.trade = *number;
                if !first {
                    news.push(Message { body: message.clone(), for_board: false });
                }
            }
        }
        let states = [
            (&self.depth, &mut shown.depth, false),
            (&self.candle, &mut shown.candle, false),
            (&self.ticker, &mut shown.ticker, true),
        ];
        for (now, before, for_board) in states {
            if now != before {
                before.clone_from(now);
                if !first && !now.is_empty() {
                    news.push(Message { body: now.clone(), for_board });
                }
            }
        }
        news
    }

    /// The mark of somebody who has just been shown the state.
    pub(crate) fn all_shown(&self) -> Shown {
        let mut shown = Shown::default();
        self.news(&mut shown);
        shown
    }

    /// Everything, for a new subscriber.
    pub(crate) fn state(&self) -> Vec<Message> {
        let states = [(&self.depth, false), (&self.candle, false), (&self.ticker, true)];
        let states = states.into_iter().filter(|(body, _)| !body.is_empty());
        let trades = self.trades.iter().map(|(_, body)| (body, false));
        states.chain(trades).map(|(body, for_board)| Message { body: body.clone(), for_board }).collect()
    }
}

fn values(reply: Option<Result<Reply>>) -> Result<Vec<Option<Value>>> {
    match reply.transpose()? {
        Some(Reply::Values(values)) => Ok(values),
        _ => Ok(Vec::new()),
    }
}

/// A candle as the contract has it. The values come from our own engine: digits only, so they need no escaping.
fn candle_message(event: &str, symbol: &str, field: impl Fn(&str) -> Option<String>) -> Value {
    let mut message = format!(r#"{{"e":"{event}","s":"{symbol}""#);
    for name in ["o", "h", "l", "c", "v", "t"] {
        let digits: String = field(name).unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        message.push_str(&format!(r#","{name}":"{digits}""#));
    }
    message.push('}');
    message.into_bytes()
}

fn closed_message(symbol: &str, json: &[u8]) -> Option<(u64, Value)> {
    let candle: serde_json::Value = serde_json::from_slice(json).ok()?;
    let field = |name: &str| candle[name].as_str().map(String::from);
    let time = field("t_epoch")?.parse().ok()?;
    Some((time, candle_message("candle_close", symbol, field)))
}

fn sequence(trade: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(trade).ok()?["n"].as_u64()
}
