//! The JSON formats of the streams, the cache and the WebSocket. `docs/api.md` describes them for people.

use crate::book::OrderBook;
use crate::candle::{Candle, format_minute};
use crate::event::{OrderRef, Party, Reason};
use crate::ticker::Day;
use crate::types::{Millis, Price, Quantity, Sequence, Side};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Levels a side in a depth message.
pub const DEPTH_LEVELS: usize = 10;

/// The longest symbol that the engine takes, in bytes.
pub const MAX_SYMBOL: usize = 16;
/// The longest order id, user id and request id that the engine takes, in bytes.
pub const MAX_NAME: usize = 128;

/// Whether this names a symbol: 1 to 16 of `A-Z 0-9 . _ -`, beginning with a letter or digit.
pub fn is_symbol(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (1..=MAX_SYMBOL).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
}

/// What a record of the orders stream asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Enter an order.
    Add,
    /// Take one out.
    Cancel,
    /// Change price and quantity of one.
    Replace,
    /// The host's clock, for all symbols of the shard; the other fields are empty.
    Tick,
}

/// The order types that the stream knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TypeName {
    /// At `price` or better.
    #[default]
    Limit,
    /// At any price, or up to `price` where it is there.
    Market,
}

/// The times in force that the stream knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TifName {
    /// Good till cancelled.
    #[default]
    Gtc,
    /// Immediate or cancel.
    Ioc,
    /// Fill or kill.
    Fok,
}

/// One record of the orders stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord<'a> {
    /// Which of the other fields matter.
    pub action: Action,
    /// Names the market; see [`is_symbol`]. A symbol's first record makes its market.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub symbol: Cow<'a, str>,
    /// Given out by the order router, 1 to 128 bytes; an id that the shard has seen is not entered again.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub order_id: Cow<'a, str>,
    /// The account, 1 to 128 bytes.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub user_id: Cow<'a, str>,
    /// The side. Needed to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_buy: Option<bool>,
    /// Needed to add a limit order and to replace; a market order's protection price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<u64>,
    /// Needed to add and to replace: the new open quantity there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// Of an added order; a limit order where it is missing.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<TypeName>,
    /// Of an added order; good till cancelled where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tif: Option<TifName>,
    /// Of an added order: it waits for a trade at this price or beyond it; it is active at once where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<u64>,
    /// Of an added order: an iceberg's visible part; it is shown wholly where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<u64>,
    /// Of an added order: it is refused if it would take.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub post_only: bool,
    /// Comes back with the answer to a cancel or a replace, 1 to 128 bytes.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    /// With `expected_quantity`: a replace takes effect only if the order stands at this price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_price: Option<u64>,
    /// With `expected_price`: and with this much open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_quantity: Option<u64>,
}

/// One side of a fill on the fills stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyRecord<'a> {
    /// The order's id on the orders stream.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    /// Its account.
    #[serde(borrow)]
    pub user_id: Cow<'a, str>,
    /// The order's own limit; 0 for a market order without protection.
    pub price: Price,
    /// What is still open after the fill.
    pub remaining: Quantity,
}

/// One record of the fills stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord<'a> {
    /// Where it happened; also the partition key.
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    /// Number of the event in its symbol: from 1 on, with gaps where an event has no record (closed candles).
    pub seq: Sequence,
    /// Time of the command, in milliseconds since the Unix epoch.
    pub t: Millis,
    /// What happened; its fields stand beside these ones in JSON.
    #[serde(flatten, borrow)]
    pub event: EventKind<'a>,
}

/// The events that the fills stream tells, by their `event` in JSON. Sides are `BUY` or `SELL`, reasons those of [`Reason::as_str`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind<'a> {
    /// `FILL`: two orders traded.
    Fill {
        /// See [`fill_id`].
        #[serde(borrow)]
        fill_id: Cow<'a, str>,
        /// At which they traded.
        price: Price,
        /// How much changed hands.
        quantity: Quantity,
        /// The side that took: `BUY` or `SELL`.
        #[serde(borrow)]
        taker: Cow<'a, str>,
        /// Who paid.
        #[serde(borrow)]
        buyer: PartyRecord<'a>,
        /// Who delivered.
        #[serde(borrow)]
        seller: PartyRecord<'a>,
    },
    /// `ACCEPTED`: an order lives, or has matched at once.
    Accepted {
        /// As the orders stream named it.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Its account.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Buy or sell.
        #[serde(borrow)]
        side: Cow<'a, str>,
        /// Its limit or protection price (0: none).
        price: Price,
        /// What was asked for.
        quantity: Quantity,
    },
    /// `CANCELLED`: what was left of an order is gone.
    Cancelled {
        /// As the orders stream named it.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Its account.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Buy or sell.
        #[serde(borrow)]
        side: Cow<'a, str>,
        /// Its limit or protection price (0: none).
        price: Price,
        /// What had not been filled, and what a wallet gets back for.
        remaining: Quantity,
        /// Why: `user`, `ioc` and so on.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    /// `REJECTED`: an order was not taken.
    Rejected {
        /// As the orders stream named it.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Its account.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Buy or sell.
        #[serde(borrow)]
        side: Cow<'a, str>,
        /// What was asked for; may be any number.
        price: Price,
        /// What was asked for; may be any number.
        quantity: Quantity,
        /// The first rule that it broke.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    /// `REPLACED`: an order stands with a new price or quantity.
    Replaced {
        /// As the orders stream named it.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Its account.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Buy or sell.
        #[serde(borrow)]
        side: Cow<'a, str>,
        /// New limit.
        price: Price,
        /// New open quantity.
        quantity: Quantity,
        /// Of the replace; empty if it had none.
        #[serde(borrow)]
        request_id: Cow<'a, str>,
    },
    /// `CANCEL_REJECTED`: nothing was cancelled.
    CancelRejected {
        /// As the cancel named it; may be unknown.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Who asked.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Of the cancel; empty if it had none.
        #[serde(borrow)]
        request_id: Cow<'a, str>,
        /// `unknown_order` or `not_owner`.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    /// `REPLACE_REJECTED`: the order is as it was.
    ReplaceRejected {
        /// As the replace named it; may be unknown.
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        /// Who asked.
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        /// Of the replace; empty if it had none.
        #[serde(borrow)]
        request_id: Cow<'a, str>,
        /// The first rule that it broke.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
}

/// The name of a fill, which replay cannot change.
pub fn fill_id(symbol: &str, sequence: Sequence) -> String {
    format!("{symbol}-{sequence}")
}

/// The fills stream's form of one side of a fill.
pub(crate) fn party<'a>(party: &Party, order_id: &'a str, user_id: &'a str) -> PartyRecord<'a> {
    PartyRecord {
        order_id: order_id.into(),
        user_id: user_id.into(),
        price: party.price,
        remaining: party.remaining,
    }
}

/// An order's status as its user's connections receive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus<'a> {
    /// Always `order`.
    #[serde(borrow)]
    pub e: Cow<'a, str>,
    /// The symbol.
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    /// The symbol's event sequence number: an older status never overtakes a newer one.
    pub n: Sequence,
    /// Time of the command, in milliseconds since the Unix epoch.
    pub t: Millis,
    /// The order's id on the orders stream.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// `ACCEPTED`, `REJECTED`, `TRIGGERED`, `PARTIALLY_FILLED`, `FILLED`, `CANCELLED`, `REPLACED`, `CANCEL_REJECTED` or
    /// `REPLACE_REJECTED`.
    #[serde(borrow)]
    pub st: Cow<'a, str>,
    /// `BUY` or `SELL`; missing where a request was refused.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Cow<'a, str>>,
    /// Limit or protection price (0: none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<Price>,
    /// Quantity of the event; missing in a fill, which has `fq`, and where a request was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<Quantity>,
    /// What is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<Quantity>,
    /// Price of the fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp: Option<Price>,
    /// Quantity of the fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fq: Option<Quantity>,
    /// Why it was refused or cancelled; see [`Reason::as_str`].
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// The request that this answers, if it named one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub rq: Option<Cow<'a, str>>,
}

impl<'a> OrderStatus<'a> {
    pub(crate) fn new(symbol: &'a str, n: Sequence, t: Millis, id: &'a str, st: &'static str) -> Self {
        OrderStatus {
            e: "order".into(),
            s: symbol.into(),
            n,
            t,
            id: id.into(),
            st: st.into(),
            sd: None,
            p: None,
            q: None,
            r: None,
            fp: None,
            fq: None,
            reason: None,
            rq: None,
        }
    }

    pub(crate) fn order(mut self, order: &OrderRef, remaining: Quantity) -> Self {
        self.sd = Some(order.side.as_str().into());
        self.p = Some(order.price);
        self.q = Some(order.quantity);
        self.r = Some(remaining);
        self
    }

    pub(crate) fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str().into());
        self
    }
}

/// Serialises what cannot fail: plain structs of numbers and strings.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// `{"e":"d",…}`: ten levels a side, best first.
pub fn depth_message(symbol: &str, time: Millis, sequence: Sequence, book: &OrderBook) -> String {
    let mut out = format!(r#"{{"e":"d","s":"{symbol}","t":{time},"n":{sequence}"#);
    for (name, side) in [("b", Side::Buy), ("a", Side::Sell)] {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":[");
        for (n, level) in book.depth(side).take(DEPTH_LEVELS).enumerate() {
            if n > 0 {
                out.push(',');
            }
            out.push_str(&format!("[{},{}]", level.price, level.quantity));
        }
        out.push(']');
    }
    out.push('}');
    out
}

/// `{"e":"t",…}`: the last price and the changes in percent.
pub fn ticker_message(symbol: &str, day: &Day) -> String {
    format!(
        r#"{{"e":"t","s":"{symbol}","t":{},"p":{},"c":{},"yc":{}}}"#,
        day.time,
        day.last(),
        percent(day.change()),
        percent(day.previous_change)
    )
}

/// Today's `{o,h,l,c,v,change,t}`.
pub fn ohlc_message(day: &Day) -> String {
    let today = &day.today;
    format!(
        r#"{{"o":{},"h":{},"l":{},"c":{},"v":{},"change":{},"t":{}}}"#,
        today.open,
        today.high,
        today.low,
        today.close,
        today.volume,
        percent(day.change()),
        day.time
    )
}

/// A closed candle as the closed list holds it.
pub fn candle_json(candle: &Candle) -> String {
    format!(
        r#"{{"o":"{}","h":"{}","l":"{}","c":"{}","v":"{}","t":"{}","t_epoch":"{}"}}"#,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        format_minute(candle.time),
        candle.time
    )
}

/// The fields of the open candle's hash, all of them text.
pub fn candle_fields(candle: &Candle) -> [(&'static str, String); 7] {
    [
        ("o", candle.open.to_string()),
        ("h", candle.high.to_string()),
        ("l", candle.low.to_string()),
        ("c", candle.close.to_string()),
        ("v", candle.volume.to_string()),
        ("t", format_minute(candle.time)),
        ("t_epoch", candle.time.to_string()),
    ]
}

/// `{"e":"x",…}`: one trade of the tape.
pub fn trade_message(
    symbol: &str,
    time: Millis,
    sequence: Sequence,
    price: Price,
    quantity: Quantity,
    taker: Side,
) -> String {
    let bought = taker == Side::Buy;
    format!(r#"{{"e":"x","s":"{symbol}","t":{time},"n":{sequence},"p":{price},"q":{quantity},"b":{bought}}}"#)
}

/// Hundredths of a percent as a JSON number: `250` is `2.5`, `-146` is `-1.46`, `0` is `0`.
pub fn percent(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let size = hundredths.unsigned_abs();
    match (size / 100, size % 100) {
        (whole, 0) => format!("{sign}{whole}"),
        (whole, part) if part % 10 == 0 => format!("{sign}{whole}.{}", part / 10),
        (whole, part) => format!("{sign}{whole}.{part:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_short_exact_numbers() {
        for (hundredths, text) in
            [(250, "2.5"), (-146, "-1.46"), (0, "0"), (5, "0.05"), (-10, "-0.1"), (1200, "12")]
        {
            assert_eq!(percent(hundredths), text);
        }
    }

    #[test]
    fn the_contracts_order_record_is_read() {
        let text = br#"{"action":"ADD","symbol":"TEST","order_id":"ord_abc123","user_id":"user_12345","is_buy":true,"price":15000,"quantity":100}"#;
        let record: OrderRecord<'_> = serde_json::from_slice(text).unwrap();
        assert_eq!((record.action, &*record.symbol, record.is_buy), (Action::Add, "TEST", Some(true)));
        assert_eq!((record.price, record.quantity, record.order_type), (Some(15_000), Some(100), None));
        assert!(matches!(record.order_id, Cow::Borrowed("ord_abc123")), "nothing is copied");
    }

    #[test]
    fn events_round_trip() {
        let record = EventRecord {
            symbol: "TEST".into(),
            seq: 12,
            t: 7,
            event: EventKind::Fill {
                fill_id: "TEST-12".into(),
                price: 150,
                quantity: 10,
                taker: "BUY".into(),
                buyer: PartyRecord { order_id: "a".into(), user_id: "u".into(), price: 151, remaining: 5 },
                seller: PartyRecord { order_id: "b".into(), user_id: "v".into(), price: 150, remaining: 0 },
            },
        };
        let json = to_json(&record);
        assert_eq!(
            core::str::from_utf8(&json).unwrap(),
            r#"{"symbol":"TEST","seq":12,"t":7,"event":"FILL","fill_id":"TEST-12","price":150,"quantity":10,"taker":"BUY","buyer":{"order_id":"a","user_id":"u","price":151,"remaining":5},"seller":{"order_id":"b","user_id":"v","price":150,"remaining":0}}"#
        );
        assert_eq!(serde_json::from_slice::<EventRecord<'_>>(&json).unwrap(), record);
    }
}
