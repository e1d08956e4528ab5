//! A mixed load that can be broken off anywhere: whoever got no answer asks again, orders by the same client order id. What was
//! answered is remembered, so that in the end it can be asked for.

use crate::books::{self, Fill};
use crate::{Answer, Client, Exchange, Random, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub const SYMBOLS: [&str; 2] = ["AAA", "BBB"];
const SIDES: [&str; 2] = ["BUY", "SELL"];
/// Before somebody asks again whom the exchange asked to come back later.
const LATER: Duration = Duration::from_millis(20);

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Step {
    Place(Value),
    /// About the order of an earlier step of the same user.
    Cancel(usize),
    Replace(usize, Value),
}

/// A user's whole flow, and how far it has come.
pub struct Trader {
    pub name: String,
    steps: Vec<Step>,
    /// Steps that were answered.
    done: usize,
    /// The order that each answered step has placed.
    placed: Vec<Option<String>>,
}

impl Trader {
    pub fn new(name: &str, seed: u64, steps: usize) -> Trader {
        let mut random = Random::new(seed);
        let steps = (0..steps).map(|n| step(&mut random, n)).collect();
        Trader { name: name.into(), steps, done: 0, placed: Vec::new() }
    }

    pub fn is_done(&self) -> bool {
        self.done == self.steps.len()
    }

    /// Goes on until all is done or the exchange does not answer.
    pub async fn trade(&mut self, user: Client, answered: &AtomicUsize) {
        while let Some(step) = self.steps.get(self.done) {
            let order = |n: &usize| self.placed[*n].as_ref().map(|id| format!("/orders/{id}"));
            let answer = match step {
                Step::Place(body) => send(&user, "POST", "/orders", body).await,
                Step::Cancel(n) | Step::Replace(n, _) if order(n).is_none() => {
                    self.placed.push(None);
                    self.done += 1;
                    continue;
                }
                Step::Cancel(n) => send(&user, "DELETE", &order(n).expect("an order"), &Value::Null).await,
                Step::Replace(n, body) => send(&user, "PATCH", &order(n).expect("an order"), body).await,
            };
            let Some(answer) = answer else { return };
            let expected: &[(u16, &str)] = match step {
                Step::Place(_) => &[(200, ""), (202, ""), (409, "no_opposite_quote")],
                _ => &[(202, ""), (409, "order_closed"), (409, "stale_order")],
            };
            assert!(expected.contains(&answer.refusal()), "{step:?}: {} {}", answer.status, answer.text);
            let is_placed = matches!(step, Step::Place(_)) && answer.status < 300;
            self.placed.push(is_placed.then(|| answer.order_id().to_string()));
            self.done += 1;
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every order that was taken is there, once, and decided; just what the open ones need is locked. None was refused but for a
    /// market order whose other side had gone meanwhile, or one of these reasons. Answers the rows.
    pub async fn assert_orders(&self, user: &Client, reasons: &[&str]) -> Vec<Value> {
        let rows = user.orders("all").await;
        let ids: BTreeSet<&str> = rows.iter().map(|row| row["order_id"].as_str().expect("an id")).collect();
        let taken: BTreeSet<&str> = self.placed.iter().flatten().map(String::as_str).collect();
        assert_eq!(ids, taken, "{}", self.name);
        let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["client_order_id"].as_str()).collect();
        assert_eq!(names.len(), rows.len(), "{}", self.name);
        let expected = |reason: &Value| {
            *reason == "no_opposite_quote" || reasons.iter().any(|expected| reason == expected)
        };
        let refused = |row: &Value| row["status"] == "REJECTED" && !expected(&row["reason"]);
        let lost: Vec<&Value> =
            rows.iter().filter(|row| row["status"] == "PENDING" || refused(row)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        books::assert_locked_is_needed(user).await;
        rows
    }
}

/// Sends until there is an answer that is not "try again"; `None` when nobody answers.
async fn send(user: &Client, method: &str, path: &str, body: &Value) -> Option<Answer> {
    loop {
        let body = body.to_string().into();
        let answer = user.try_send(method, path, Some("application/json"), body).await.ok()?;
        match answer.status {
            429 => {}
            // A back end is away, or was when it was to answer: what it did is unknown.
            503 | 504 => tokio::time::sleep(LATER).await,
            // A cache that was lost takes its list of symbols from the copy in the bucket.
            404 if answer.code() == "unknown_symbol" => tokio::time::sleep(LATER).await,
            _ => return Some(answer),
        }
    }
}

/// Mostly limit orders around 100 that cross now and then; nobody offers at 1, which [`Exchange::settle`](crate::Exchange::settle)
/// bids.
fn step(random: &mut Random, n: usize) -> Step {
    let earlier = |random: &mut Random| random.below(n.max(1) as u64) as usize;
    let price = 90 + random.below(21);
    let quantity = 1 + random.below(20);
    match random.below(100) {
        0..12 if n > 0 => Step::Cancel(earlier(random)),
        12..20 if n > 0 => {
            let either = [
                json!({"price": price}),
                json!({"quantity": quantity}),
                json!({"price": price, "quantity": quantity}),
            ];
            Step::Replace(earlier(random), either[random.below(3) as usize].clone())
        }
        kind => {
            let mut order = json!({
                "symbol": SYMBOLS[random.below(2) as usize], "side": SIDES[random.below(2) as usize],
                "quantity": quantity, "client_order_id": format!("step-{n}"),
            });
            if kind >= 95 {
                order["type"] = json!("MARKET");
            } else {
                order["price"] = json!(price);
                order["tif"] = json!(if kind >= 85 {
                    "IOC"
                } else if kind >= 80 {
                    "FOK"
                } else {
                    "GTC"
                });
            }
            Step::Place(order)
        }
    }
}

/// What a user owns is what it was given and what its fills have moved, each of them once.
pub async fn assert_wallets_follow_fills(user: &Client, fills: &[Fill], mut cash: u64, stock: u64) {
    let mut stock = [stock; 2];
    for fill in fills {
        let symbol = SYMBOLS.iter().position(|symbol| fill.symbol == *symbol).expect("a symbol");
        if fill.seller == user.user() {
            cash += fill.price * fill.quantity;
            stock[symbol] -= fill.quantity;
        }
        if fill.buyer == user.user() {
            cash -= fill.price * fill.quantity;
            stock[symbol] += fill.quantity;
        }
    }
    for (asset, owned) in [("CASH", cash), (SYMBOLS[0], stock[0]), (SYMBOLS[1], stock[1])] {
        let (available, locked) = user.balance(asset).await;
        assert_eq!(available + locked, owned, "{} {asset}", user.user());
    }
}

/// The books become those of these open orders, the charts those of these fills; of both, all there are.
pub async fn assert_markets(viewer: &Client, orders: &[Value], fills: &[Fill]) {
    for symbol in SYMBOLS {
        let (bids, asks) = books::depth_of(orders, symbol);
        // What the market shows is written after what happened.
        eventually(&format!("the book of {symbol} is that of the open orders"), async || {
            let depth = viewer.get(&format!("/depth?symbol={symbol}")).await.json;
            (depth["b"] == bids && depth["a"] == asks).then_some(())
        })
        .await;
        let candles = json!(books::candles_of(fills.iter().filter(|fill| fill.symbol == symbol)));
        eventually(&format!("the chart of {symbol} is {candles}"), async || {
            let chart = viewer.get(&format!("/chart?symbol={symbol}&interval=1m&limit=1000")).await;
            (chart.json["candles"] == candles).then_some(())
        })
        .await;
    }
}

/// The engine knows every order that rests: each can be taken back, and then nothing is locked.
pub async fn assert_all_can_be_taken_back(exchange: &Exchange, names: &[&str]) {
    for name in names {
        let user = exchange.test_user(name);
        for order in user.orders("open").await {
            let id = order["order_id"].as_str().expect("an id");
            let cancelled = user.delete(&format!("/orders/{id}")).await;
            assert_eq!(cancelled.status, 202, "{}", cancelled.text);
        }
    }
    exchange.settle(&SYMBOLS).await;
    for name in names {
        let user = exchange.test_user(name);
        assert!(user.orders("open").await.is_empty());
        for asset in ["CASH"].iter().chain(&SYMBOLS) {
            assert_eq!(user.balance(asset).await.1, 0, "{name} {asset}");
        }
    }
}
