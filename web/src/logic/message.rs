//! What the server says, read into plain data: the WebSocket's messages and the REST answers.

use super::fill_rows::FillRow;
use super::json::Json;
use super::order::Side;
use super::tape::Trade;
use engine_core::candle::{Candle, parse_minute};

#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    pub symbol: String,
    pub time: u64,
    pub sequence: u64,
    pub bids: Vec<(u64, u64)>,
    pub asks: Vec<(u64, u64)>,
}

impl Depth {
    /// A depth message, or the answer of `GET /depth`, which is one.
    pub fn read(json: &Json<'_>) -> Option<Depth> {
        let side = |name| match json.get(name) {
            Some(levels) => levels.as_list()?.iter().map(level).collect(),
            None => Some(Vec::new()),
        };
        Some(Depth {
            symbol: json.text("s")?,
            time: json.whole("t").unwrap_or(0),
            sequence: json.whole("n").unwrap_or(0),
            bids: side("b")?,
            asks: side("a")?,
        })
    }
}

fn level(json: &Json<'_>) -> Option<(u64, u64)> {
    match json.as_list()? {
        [price, quantity] => Some((price.as_whole()?, quantity.as_whole()?)),
        _ => None,
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ticker {
    pub symbol: String,
    pub time: u64,
    pub price: u64,
    /// Against the day before, in percent.
    pub change: f64,
}

/// A change of one order, told to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderMessage {
    pub symbol: String,
    pub sequence: u64,
    pub time: u64,
    pub id: String,
    pub status: String,
    pub side: Option<Side>,
    pub price: Option<u64>,
    /// What the status is about: asked, cancelled or newly open; a fill has none.
    pub quantity: Option<u64>,
    pub remaining: Option<u64>,
    pub fill_price: Option<u64>,
    pub fill_quantity: Option<u64>,
    pub reason: Option<String>,
}

impl OrderMessage {
    fn read(json: &Json<'_>) -> Option<OrderMessage> {
        Some(OrderMessage {
            symbol: json.text("s")?,
            sequence: json.whole("n")?,
            time: json.whole("t").unwrap_or(0),
            id: json.text("id")?,
            status: json.text("st")?,
            side: json.str("sd").and_then(Side::parse),
            price: json.whole("p"),
            quantity: json.whole("q"),
            remaining: json.whole("r"),
            fill_price: json.whole("fp"),
            fill_quantity: json.whole("fq"),
            reason: json.text("reason"),
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Depth(Depth),
    Candle(String, Candle),
    Ticker(Ticker),
    Trade(String, Trade),
    Order(OrderMessage),
    Fill(FillRow),
    Refused(String),
    /// The answer to a ping.
    Pong,
    /// Answers to what the page itself sent, and messages that this page does not know.
    Other,
}

/// Reads one frame; `None` for what is not one of the server's messages.
pub fn parse(text: &str) -> Option<Message> {
    let json = Json::parse(text)?;
    Some(match json.str("e")? {
        "d" => Message::Depth(Depth::read(&json)?),
        "t" => Message::Ticker(Ticker {
            symbol: json.text("s")?,
            time: json.whole("t").unwrap_or(0),
            price: json.whole("p")?,
            change: json.number("c").unwrap_or(0.0),
        }),
        "order" => Message::Order(OrderMessage::read(&json)?),
        "fill" => Message::Fill(FillRow::told(&json)?),
        "candle" | "candle_close" => {
            let minute = parse_minute(json.str("t")?)?;
            Message::Candle(json.text("s")?, candle(&json, minute)?)
        }
        "x" => {
            let trade = Trade {
                sequence: json.whole("n")?,
                time: json.whole("t")?,
                price: json.whole("p")?,
                quantity: json.whole("q")?,
                bought: json.bool("b")?,
            };
            Message::Trade(json.text("s")?, trade)
        }
        "error" => Message::Refused(json.text("code")?),
        "pong" => Message::Pong,
        _ => Message::Other,
    })
}

/// Open, high, low, close and volume: strings on the WebSocket, numbers in REST answers.
fn candle(json: &Json<'_>, time: u64) -> Option<Candle> {
    Some(Candle {
        time,
        open: json.amount("o")?,
        high: json.amount("h")?,
        low: json.amount("l")?,
        close: json.amount("c")?,
        volume: json.amount("v")?,
    })
}

/// `GET /chart`.
pub fn read_candles(json: &Json<'_>) -> Option<Vec<Candle>> {
    json.all("candles", |row| candle(row, row.amount("t")?))
}

/// `GET /config.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub test_mode: bool,
    pub day_offset_s: u64,
    pub version: String,
    pub symbols: Vec<String>,
}

impl Config {
    pub fn read(json: &Json<'_>) -> Option<Config> {
        Some(Config {
            test_mode: json.bool("test_mode").unwrap_or(false),
            day_offset_s: json.whole("day_offset_s").unwrap_or(0),
            version: json.text("version").unwrap_or_default(),
            symbols: read_symbols(json).unwrap_or_default(),
        })
    }
}

/// `GET /admin`.
pub fn read_symbols(json: &Json<'_>) -> Option<Vec<String>> {
    json.all("symbols", |row| row.text("symbol"))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    pub asset: String,
    pub available: u64,
    pub locked: u64,
}

impl Balance {
    pub fn read(json: &Json<'_>) -> Option<Balance> {
        Some(Balance {
            asset: json.text("asset")?,
            available: json.whole("available")?,
            locked: json.whole("locked")?,
        })
    }
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

        assert_eq!(parse(r#"{"e":"pong","t":1}"#), Some(Message::Pong));
        assert_eq!(parse(r#"{"e":"something_new"}"#), Some(Message::Other));
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
        let answer = read_candles(&Json::parse(answer).unwrap()).unwrap();
        assert_eq!(answer, [Candle { time: 60, open: 1, high: 3, low: 1, close: 2, volume: 9 }]);
    }
}
