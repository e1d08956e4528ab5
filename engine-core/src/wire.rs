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

/// The longest symbol, order id, user id and request id that the engine takes.
pub const MAX_SYMBOL: usize = 16;
pub const MAX_NAME: usize = 128;

/// Whether this names a symbol: 1 to 16 of `A-Z 0-9 . _ -`, beginning with a letter or digit.
pub fn is_symbol(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (1..=MAX_SYMBOL).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    Add,
    Cancel,
    Replace,
    Tick,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TypeName {
    #[default]
    Limit,
    Market,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TifName {
    #[default]
    Gtc,
    Ioc,
    Fok,
}

/// One record of the orders stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord<'a> {
    pub action: Action,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub symbol: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub order_id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub user_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_buy: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<TypeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tif: Option<TifName>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_price: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_quantity: Option<u64>,
}

/// One side of a fill on the fills stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyRecord<'a> {
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(borrow)]
    pub user_id: Cow<'a, str>,
    /// The order's own limit; 0 for a market order without protection.
    pub price: Price,
    pub remaining: Quantity,
}

/// One record of the fills stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord<'a> {
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    pub seq: Sequence,
    pub t: Millis,
    #[serde(flatten, borrow)]
    pub event: EventKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind<'a> {
    Fill {
        #[serde(borrow)]
        fill_id: Cow<'a, str>,
        price: Price,
        quantity: Quantity,
        /// The side that took: `BUY` or `SELL`.
        #[serde(borrow)]
        taker: Cow<'a, str>,
        #[serde(borrow)]
        buyer: PartyRecord<'a>,
        #[serde(borrow)]
        seller: PartyRecord<'a>,
    },
    Accepted {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        side: Cow<'a, str>,
        price: Price,
        quantity: Quantity,
    },
    Cancelled {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        side: Cow<'a, str>,
        price: Price,
        remaining: Quantity,
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    Rejected {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        side: Cow<'a, str>,
        price: Price,
        quantity: Quantity,
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    Replaced {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        side: Cow<'a, str>,
        price: Price,
        /// New open quantity.
        quantity: Quantity,
        #[serde(borrow)]
        request_id: Cow<'a, str>,
    },
    CancelRejected {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        request_id: Cow<'a, str>,
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
    ReplaceRejected {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        request_id: Cow<'a, str>,
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
    #[serde(borrow)]
    pub s: Cow<'a, str>,
    /// The symbol's event sequence number: an older status never overtakes a newer one.
    pub n: Sequence,
    pub t: Millis,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub st: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<Quantity>,
    /// What is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fq: Option<Quantity>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
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
