//! What the server says, read into plain data: the WebSocket's messages and the REST answers.

use super::tape::Trade;
use engine_core::candle::{Candle, parse_minute};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Depth {
    #[serde(rename = "s")]
    pub symbol: String,
    #[serde(rename = "t", default)]
    pub time: u64,
    #[serde(rename = "n", default)]
    pub sequence: u64,
    #[serde(rename = "b", default)]
    pub bids: Vec<(u64, u64)>,
    #[serde(rename = "a", default)]
    pub asks: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Ticker {
    #[serde(rename = "s")]
    pub symbol: String,
    #[serde(rename = "t", default)]
    pub time: u64,
    #[serde(rename = "p")]
    pub price: u64,
    /// Against the day before, in percent.
    #[serde(rename = "c", default)]
    pub change: f64,
}

/// A change of one order, told to its owner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderMessage {
    #[serde(rename = "s")]
    pub symbol: String,
    #[serde(rename = "n")]
    pub sequence: u64,
    #[serde(rename = "t", default)]
    pub time: u64,
    pub id: String,
    #[serde(rename = "st")]
    pub status: String,
    #[serde(rename = "sd")]
    pub side: Option<super::order::Side>,
    #[serde(rename = "p")]
    pub price: Option<u64>,
    /// What the status is about: asked, cancelled or newly open; a fill has none.
    #[serde(rename = "q")]
    pub quantity: Option<u64>,
    #[serde(rename = "r")]
    pub remaining: Option<u64>,
    #[serde(rename = "fp")]
    pub fill_price: Option<u64>,
    #[serde(rename = "fq")]
    pub fill_quantity: Option<u64>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Depth(Depth),
    Candle(String, Candle),
    Ticker(Ticker),
    Trade(String, Trade),
    Order(OrderMessage),
    Refused(String),
    /// Answers to what the page itself sent, and messages that this page does not know.
    Other,
}

/// Reads one frame; `None` for what is not one of the server's messages.
pub fn parse(text: &str) -> Option<Message> {
    let Event { e } = serde_json::from_str(text).ok()?;
    Some(match e.as_str() {
        "d" => Message::Depth(serde_json::from_str(text).ok()?),
        "t" => Message::Ticker(serde_json::from_str(text).ok()?),
        "order" => Message::Order(serde_json::from_str(text).ok()?),
        "candle" | "candle_close" => {
            let wire: WireCandle = serde_json::from_str(text).ok()?;
            Message::Candle(wire.s, wire.bar.candle(parse_minute(&wire.t)?))
        }
        "x" => {
            let wire: WireTrade = serde_json::from_str(text).ok()?;
            let trade =
                Trade { sequence: wire.n, time: wire.t, price: wire.p, quantity: wire.q, bought: wire.b };
            Message::Trade(wire.s, trade)
        }
        "error" => {
            let WireError { code } = serde_json::from_str(text).ok()?;
            Message::Refused(code)
        }
        _ => Message::Other,
    })
}

#[derive(Deserialize)]
struct Event {
    e: String,
}

#[derive(Deserialize)]
struct WireError {
    code: String,
}

#[derive(Deserialize)]
struct WireTrade {
    s: String,
    t: u64,
    n: u64,
    p: u64,
    q: u64,
    b: bool,
}

#[derive(Deserialize)]
struct WireCandle {
    s: String,
    t: String,
    #[serde(flatten)]
    bar: Bar,
}

/// Open, high, low, close and volume: strings on the WebSocket, numbers in REST answers.
#[derive(Deserialize)]
struct Bar {
    o: Whole,
    h: Whole,
    l: Whole,
    c: Whole,
    v: Whole,
}

impl Bar {
    fn candle(&self, time: u64) -> Candle {
        Candle { time, open: self.o.0, high: self.h.0, low: self.l.0, close: self.c.0, volume: self.v.0 }
    }
}

/// A whole number, as a number or as text.
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Whole;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Whole, E> {
                value.parse().map(Whole).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// `GET /chart`.
#[derive(Deserialize)]
pub struct ChartAnswer {
    candles: Vec<ChartBar>,
}

#[derive(Deserialize)]
struct ChartBar {
    t: Whole,
    #[serde(flatten)]
    bar: Bar,
}

impl ChartAnswer {
    pub fn candles(&self) -> Vec<Candle> {
        self.candles.iter().map(|row| row.bar.candle(row.t.0)).collect()
    }
}

/// `GET /config.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    pub test_mode: bool,
    pub demo_cash: u64,
    pub day_offset_s: u64,
    pub version: String,
    pub symbols: Vec<SymbolName>,
}

/// `GET /admin`.
#[derive(Deserialize)]
pub struct SymbolsAnswer {
    pub symbols: Vec<SymbolName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SymbolName {
    pub symbol: String,
}

/// `GET /assets`.
#[derive(Deserialize)]
pub struct AssetsAnswer {
    pub assets: Vec<Balance>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Balance {
    pub asset: String,
    pub available: u64,
    pub locked: u64,
}

/// The asset that prices are in.
pub const CASH: &str = "CASH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_messages_are_read() {
        let depth = r#"{"e":"d","s":"TEST","t":1733896438267,"n":7,"b":[[150,30],[149,20]],"a":[[151,30]]}"#;
        let Some(Message::Depth(depth)) = parse(depth) else { panic!() };
        assert_eq!((depth.sequence, depth.bids[1], depth.asks.len()), (7, (149, 20), 1));

        let candle = r#"{"e":"candle","s":"TEST","o":"1000","h":"1050","l":"980","c":"1020","v":"100","t":"202512161420"}"#;
        let bar = Candle { time: 1_765_894_800, open: 1000, high: 1050, low: 980, close: 1020, volume: 100 };
        assert_eq!(parse(candle), Some(Message::Candle("TEST".into(), bar)));
        assert_eq!(
            parse(&candle.replace("candle", "candle_close")),
            Some(Message::Candle("TEST".into(), bar))
        );

        let ticker = r#"{"e":"t","s":"AAA","t":1,"p":150,"c":2.5,"yc":-1.2}"#;
        let Some(Message::Ticker(ticker)) = parse(ticker) else { panic!() };
        assert_eq!((ticker.price, ticker.change), (150, 2.5));
        assert!(matches!(
            parse(r#"{"e":"t","s":"AAA","t":1,"p":150,"c":-3,"yc":0}"#),
            Some(Message::Ticker(Ticker { change: -3.0, .. }))
        ));

        let trade = r#"{"e":"x","s":"TEST","t":5,"n":9,"p":150,"q":10,"b":true}"#;
        let expected = Trade { sequence: 9, time: 5, price: 150, quantity: 10, bought: true };
        assert_eq!(parse(trade), Some(Message::Trade("TEST".into(), expected)));

        let order = r#"{"e":"order","s":"TEST","n":9,"t":5,"id":"ord_1","st":"PARTIALLY_FILLED","sd":"BUY","p":150,"r":5,"fp":149,"fq":5}"#;
        let Some(Message::Order(order)) = parse(order) else { panic!() };
        assert_eq!((order.remaining, order.fill_price, order.quantity), (Some(5), Some(149), None));

        assert_eq!(parse(r#"{"e":"pong","t":1}"#), Some(Message::Other));
        assert_eq!(
            parse(r#"{"e":"error","code":"bad_json","message":"no"}"#),
            Some(Message::Refused("bad_json".into()))
        );
    }

    #[test]
    fn what_is_no_message_is_nothing() {
        for text in ["", "[]", "{}", r#"{"e":"d"}"#, r#"{"e":"candle","s":"T","o":"x"}"#] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn charts_are_read_with_numbers() {
        let answer = r#"{"symbol":"T","interval":"1m","candles":[{"t":60,"o":1,"h":3,"l":1,"c":2,"v":9}]}"#;
        let answer: ChartAnswer = serde_json::from_str(answer).unwrap();
        assert_eq!(answer.candles(), [Candle { time: 60, open: 1, high: 3, low: 1, close: 2, volume: 9 }]);
    }
}
