//! What must add up: orders, fills, wallets, depth and candles.

use crate::{Client, Exchange};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A row of the trade history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    pub id: String,
    pub symbol: String,
    pub seq: u64,
    /// Epoch milliseconds.
    pub time: u64,
    pub price: u64,
    pub quantity: u64,
    pub buyer: String,
    pub buyer_order: String,
    pub seller: String,
    pub seller_order: String,
}

/// The trade history, which no request shows: read from where it lies, in the order of the fills.
pub fn fills(exchange: &Exchange) -> Vec<Fill> {
    if let Some(production) = exchange.production() {
        return production.fills();
    }
    let file = exchange.data().join("exchange.db");
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the file opens");
    let mut statement = connection
        .prepare(
            "SELECT fill_id, symbol, seq, executed_at, price, quantity, buyer_user, buyer_order, seller_user,
                    seller_order FROM trade_history ORDER BY symbol, seq",
        )
        .expect("the table is there");
    let number =
        |row: &rusqlite::Row<'_>, column: usize| row.get::<_, i64>(column).map(|number| number as u64);
    let fill = |row: &rusqlite::Row<'_>| {
        Ok(Fill {
            id: row.get(0)?,
            symbol: row.get(1)?,
            seq: number(row, 2)?,
            time: number(row, 3)?,
            price: number(row, 4)?,
            quantity: number(row, 5)?,
            buyer: row.get(6)?,
            buyer_order: row.get(7)?,
            seller: row.get(8)?,
            seller_order: row.get(9)?,
        })
    };
    let fills: rusqlite::Result<_> = statement.query_map((), fill).and_then(Iterator::collect);
    fills.expect("rows")
}

pub fn is_open(order: &Value) -> bool {
    ["PENDING", "ACCEPTED", "PARTIALLY_FILLED"].iter().any(|status| order["status"] == *status)
}

/// A number of an order.
pub fn number(order: &Value, name: &str) -> u64 {
    order[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {order}"))
}

/// What the user's open orders need is just what is locked.
pub async fn assert_locked_is_needed(user: &Client) {
    let mut needed: BTreeMap<String, u64> = BTreeMap::new();
    for order in user.orders("open").await {
        assert_ne!(order["status"], "PENDING", "nothing is under way any more: {order}");
        let (asset, amount) = match order["side"].as_str() {
            Some("BUY") => ("CASH".into(), number(&order, "price") * number(&order, "remaining")),
            _ => (order["symbol"].as_str().expect("a symbol").to_string(), number(&order, "remaining")),
        };
        *needed.entry(asset).or_default() += amount;
    }
    let assets = user.get("/assets").await;
    for owned in assets.json["assets"].as_array().expect("a list") {
        let asset = owned["asset"].as_str().expect("a name");
        assert_eq!(
            number(owned, "locked"),
            needed.remove(asset).unwrap_or_default(),
            "{} {owned}",
            user.user()
        );
    }
    needed.retain(|_, amount| *amount > 0);
    assert!(needed.is_empty(), "{} has locked too little: {needed:?}", user.user());
}

/// Bids and asks as the depth message must show them, from all users' orders.
pub fn depth_of(orders: &[Value], symbol: &str) -> (Value, Value) {
    let side = |name: &str| {
        let mut levels: BTreeMap<u64, u64> = BTreeMap::new();
        for order in orders.iter().filter(|o| is_open(o) && o["symbol"] == symbol && o["side"] == name) {
            *levels.entry(number(order, "price")).or_default() += number(order, "remaining");
        }
        levels
    };
    let level = |(price, quantity): (u64, u64)| json!([price, quantity]);
    let bids = side("BUY").into_iter().rev().take(10).map(level).collect();
    let asks = side("SELL").into_iter().take(10).map(level).collect();
    (bids, asks)
}

/// The one-minute candles of these fills, as the chart must show them.
pub fn candles_of<'a>(fills: impl Iterator<Item = &'a Fill>) -> Vec<Value> {
    let mut minutes: BTreeMap<u64, Vec<&Fill>> = BTreeMap::new();
    for fill in fills {
        minutes.entry(fill.time / 60_000 * 60).or_default().push(fill);
    }
    let candle = |(t, fills): (u64, Vec<&Fill>)| {
        let prices = || fills.iter().map(|fill| fill.price);
        let volume: u64 = fills.iter().map(|fill| fill.quantity).sum();
        json!({"t": t, "o": prices().next(), "h": prices().max(), "l": prices().min(), "c": prices().next_back(), "v": volume})
    };
    minutes.into_iter().map(candle).collect()
}

/// Every order's row says what its fills say.
pub fn assert_rows_match_fills(orders: &[Value], fills: &[Fill]) {
    let mut filled: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for fill in fills {
        for order in [&fill.buyer_order, &fill.seller_order] {
            let sums = filled.entry(order).or_default();
            *sums = (sums.0 + fill.quantity, sums.1 + fill.price * fill.quantity);
        }
    }
    for order in orders {
        let (quantity, cost) = filled.remove(order["order_id"].as_str().expect("an id")).unwrap_or_default();
        assert_eq!((number(order, "filled"), number(order, "cost")), (quantity, cost), "{order}");
        if is_open(order) || order["status"] == "FILLED" {
            assert_eq!(number(order, "quantity"), quantity + number(order, "remaining"), "{order}");
        }
    }
    assert!(filled.is_empty(), "fills of orders that nobody has: {filled:?}");
}
