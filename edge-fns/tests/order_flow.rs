//! Orders through all functions and the real core, with back ends that fail between any two steps: no order is
//! half-born, no money is lost, locked for nothing, or moved twice.

use edge_fns::capability::cache::Command;
use edge_fns::capability::documents::Id;
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Cache, Error, Wallet};
use edge_fns::executor::ready;
use edge_fns::http::{Request, Response};
use edge_fns::order::{Order, Status};
use edge_fns::stream::{Disposition, Item};
use edge_fns::testing::{Fault, Memory};
use edge_fns::{fill_processor, history_saver, order_router, orders};
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::depth_message;
use proptest::prelude::*;
use std::collections::BTreeMap;

const USERS: [&str; 3] = ["test-ann", "test-ben", "test-cho"];
const CASH: u64 = 100_000;
const STOCK: u64 = 1_000;

/// A whole exchange in memory.
struct Exchange {
    memory: Memory,
    shard: Shard,
    /// Records of the orders stream that the core has taken.
    taken: usize,
    /// What the core has put on the fills stream, and how far its two consumers are.
    fills: Vec<Vec<u8>>,
    done: [usize; 2],
}

impl Exchange {
    fn new() -> Exchange {
        let memory = Memory::exchange(&["TEST"]);
        for user in USERS {
            let deposit = |asset, amount| Movement::Deposit {
                id: format!("{user}/{asset:?}"),
                user: user.into(),
                asset,
                amount,
            };
            let given = vec![deposit(Asset::Cash, CASH), deposit(Asset::Stock("TEST".into()), STOCK)];
            ready(memory.post(given)).unwrap().unwrap();
        }
        Exchange { memory, shard: Shard::new(SEOUL_DAY_OFFSET_S), taken: 0, fills: Vec::new(), done: [0; 2] }
    }

    fn request(&self, method: &str, path: &str, user: &str, body: String) -> Response {
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: format!("userId={user}&testMode=true"),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into_bytes(),
        };
        let m = &self.memory;
        if method == "POST" {
            let ports =
                order_router::Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
            ready(order_router::handle(&ports, request)).unwrap()
        } else {
            let ports = orders::Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
            ready(orders::handle(&ports, request)).unwrap()
        }
    }

    /// The core takes what has come.
    fn match_orders(&mut self) {
        let records = self.memory.state().streams.get("supernoba-orders").cloned().unwrap_or_default();
        let mut out = Output::default();
        for record in &records[self.taken..] {
            self.taken += 1;
            let now = self.memory.state().now;
            self.shard
                .apply(self.taken as u64, now, &record.body, &mut out)
                .expect("functions write good records");
        }
        self.fills.extend(out.records.into_iter().map(|record| record.body));
        if let Some(market) = self.shard.market("TEST") {
            let depth = depth_message("TEST", market.time(), market.sequence(), market.book());
            self.memory.state().strings.insert("depth:TEST".into(), depth.into_bytes());
        }
    }

    /// Hands up to `batch` records to each consumer; what it wants again stays.
    fn consume(&mut self, batch: usize) {
        for consumer in 0..2 {
            let from = self.done[consumer];
            let items: Vec<Item> = (from..self.fills.len().min(from + batch))
                .map(|n| Item {
                    id: n.to_string(),
                    partition: "TEST".into(),
                    arrived: 0,
                    body: self.fills[n].clone(),
                })
                .collect();
            let given = items.len();
            if given == 0 {
                continue;
            }
            let m = &self.memory;
            let failures = if consumer == 0 {
                let ports = fill_processor::Ports { base: m, documents: m, wallet: m };
                ready(fill_processor::handle(&ports, "supernoba-fills", items)).unwrap()
            } else {
                ready(history_saver::handle(
                    &history_saver::Ports { base: m, sql: m },
                    "supernoba-fills",
                    items,
                ))
                .unwrap()
            };
            let rejected: Vec<_> = failures.iter().filter(|f| f.disposition != Disposition::Retry).collect();
            assert!(rejected.is_empty(), "nothing is beyond processing: {rejected:?}");
            let first = failures.iter().filter_map(|failure| failure.id.parse::<usize>().ok()).min();
            self.done[consumer] = first.unwrap_or(from + given);
        }
    }

    fn order(&self, user: &str, client_id: usize) -> Option<Order> {
        let state = self.memory.state();
        let index = |user: &str| Id {
            table: "supernoba-orders".into(),
            partition: format!("client#{user}"),
            sort: client_id.to_string(),
        };
        let entry = state.documents.get(&index(user))?;
        let found: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
        let id = Id {
            table: "supernoba-orders".into(),
            partition: user.into(),
            sort: found["order_id"].as_str()?.into(),
        };
        Some(Order::decode(state.documents.get(&id).expect("an index has its row")).unwrap())
    }

    fn rows(&self) -> Vec<Order> {
        let state = self.memory.state();
        let rows = state.documents.values().filter(|entry| !entry.id.partition.starts_with("client#"));
        rows.map(|entry| Order::decode(entry).unwrap()).collect()
    }

    /// No fault is left, everybody asks again for what is pending, and the consumers catch up.
    fn settle(&mut self, sent: &BTreeMap<usize, (usize, String)>) {
        self.memory.forget_faults();
        self.memory.state().now += 120_000;
        for (client_id, (user, body)) in sent {
            if self.order(USERS[*user], *client_id).is_some() {
                let answer = self.request("POST", "/orders", USERS[*user], body.clone());
                assert!(matches!(answer.status, 200 | 422), "{}", String::from_utf8_lossy(&answer.body));
            }
        }
        for _ in 0..3 {
            self.match_orders();
            self.consume(usize::MAX / 2);
            // A replacement that broke off is finished by the next one to come.
            for order in self.rows().iter().filter(|order| order.replacing.is_some()) {
                self.request(
                    "PATCH",
                    &format!("/orders/{}", order.order_id),
                    &order.user_id,
                    r#"{"quantity":1}"#.into(),
                );
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.memory.state().money.wrong(), Vec::<String>::new());
        let resting: usize = self.shard.market("TEST").map_or(0, |market| market.book().len());
        let rows = self.rows();
        let open: Vec<&Order> = rows.iter().filter(|order| order.status.is_open()).collect();
        assert_eq!(open.len(), resting, "open rows are the orders of the book");
        for order in &rows {
            assert_ne!(order.status, Status::Pending, "{order:?}");
            assert_eq!(order.replacing, None, "{order:?}");
            assert_eq!(
                order.quantity,
                order.filled
                    + if order.status.is_open() { order.remaining } else { order.quantity - order.filled }
            );
        }
        // Exactly what open orders need is locked, and nothing else.
        let state = self.memory.state();
        for (hold, (_, _, amount)) in &state.money.holds {
            let need = open.iter().find(|order| order.order_id == *hold);
            let need = need.map_or(0, |order| order.need(order.price, order.remaining).unwrap().1);
            assert_eq!(*amount, need, "hold {hold}");
        }
        // Every fill once in the history, and as much bought as sold.
        let fills =
            self.fills.iter().filter(|body| body.windows(14).any(|w| w == br#""event":"FILL""#)).count();
        assert_eq!(state.rows.get("insert_trade").map_or(0, |rows| rows.len()), fills);
        let filled = |side| {
            rows.iter()
                .filter(|o| o.side == side)
                .map(|o| (o.filled, o.cost))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        assert_eq!(filled(edge_fns::order::Side::Buy), filled(edge_fns::order::Side::Sell));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Place {
        user: usize,
        buy: bool,
        market: bool,
        price: u64,
        quantity: u64,
        tif: usize,
    },
    /// The same request again.
    Repeat(prop::sample::Index),
    Cancel(prop::sample::Index),
    Replace(prop::sample::Index, u64, u64),
    Match,
    Consume(usize),
    Fail(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0usize..3, any::<bool>(), prop::bool::weighted(0.15), 90u64..110, 1u64..300, 0usize..3).prop_map(
            |(user, buy, market, price, quantity, tif)| Step::Place { user, buy, market, price, quantity, tif }
        ),
        1 => index().prop_map(Step::Repeat),
        3 => index().prop_map(Step::Cancel),
        4 => (index(), 90u64..110, 1u64..300).prop_map(|(which, price, quantity)| Step::Replace(which, price, quantity)),
        5 => Just(Step::Match),
        4 => (1usize..20).prop_map(Step::Consume),
        4 => (0u64..8, any::<bool>()).prop_map(|(skip, after)| Step::Fail(skip, after)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_everything_adds_up_in_the_end(steps in proptest::collection::vec(step(), 1..80)) {
        let mut exchange = Exchange::new();
        // Client order id → user and body.
        let mut sent: BTreeMap<usize, (usize, String)> = BTreeMap::new();
        for step in steps {
            exchange.memory.state().now += 7;
            match step {
                Step::Place { user, buy, market, price, quantity, tif } => {
                    let side = if buy { "BUY" } else { "SELL" };
                    let id = sent.len();
                    let kind = if market {
                        r#""type":"MARKET""#.to_string()
                    } else {
                        format!(r#""price":{price},"tif":"{}""#, ["GTC", "IOC", "FOK"][tif])
                    };
                    let body = format!(
                        r#"{{"symbol":"TEST","side":"{side}",{kind},"quantity":{quantity},"client_order_id":"{id}"}}"#
                    );
                    exchange.request("POST", "/orders", USERS[user], body.clone());
                    sent.insert(id, (user, body));
                }
                Step::Repeat(which) if !sent.is_empty() => {
                    let (user, body) = &sent[&which.index(sent.len())];
                    exchange.request("POST", "/orders", USERS[*user], body.clone());
                }
                Step::Cancel(which) | Step::Replace(which, ..) if !sent.is_empty() => {
                    let client_id = which.index(sent.len());
                    let user = USERS[sent[&client_id].0];
                    if let Some(order) = exchange.order(user, client_id) {
                        let path = format!("/orders/{}", order.order_id);
                        match step {
                            Step::Replace(_, price, quantity) => {
                                let body = format!(r#"{{"price":{price},"quantity":{quantity}}}"#);
                                exchange.request("PATCH", &path, user, body)
                            }
                            _ => exchange.request("DELETE", &path, user, String::new()),
                        };
                    }
                }
                Step::Match => exchange.match_orders(),
                Step::Consume(batch) => exchange.consume(batch),
                Step::Fail(skip, true) => exchange.memory.fail(skip, Fault::After),
                Step::Fail(skip, false) => exchange.memory.fail(skip, Fault::Before(Error::Unavailable("test".into()))),
                Step::Repeat(_) | Step::Cancel(_) | Step::Replace(..) => {}
            }
            prop_assert_eq!(exchange.memory.state().money.wrong(), Vec::<String>::new());
        }
        exchange.settle(&sent);
        exchange.check();
    }
}

#[test]
fn a_client_order_id_places_one_order() {
    let mut exchange = Exchange::new();
    let body = r#"{"symbol":"TEST","side":"BUY","price":100,"qty":10,"client_order_id":"a"}"#;
    let first = exchange.request("POST", "/orders", USERS[0], body.into());
    assert_eq!(first.status, 202);
    assert_eq!(exchange.request("POST", "/orders", USERS[0], body.into()).status, 200);
    exchange.match_orders();
    exchange.consume(10);
    let again = exchange.request("POST", "/orders", USERS[0], body.into());
    let order: serde_json::Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!((again.status, order["status"].as_str()), (200, Some("ACCEPTED")));
    assert_eq!(exchange.shard.market("TEST").unwrap().book().len(), 1);
    // Somebody else's id of the same text is another.
    assert_eq!(exchange.request("POST", "/orders", USERS[1], body.into()).status, 202);
}

#[test]
fn price_improvement_comes_back_with_the_fill() {
    let mut exchange = Exchange::new();
    let place =
        |exchange: &Exchange, user, body: &str| exchange.request("POST", "/orders", user, body.into()).status;
    assert_eq!(
        place(&exchange, USERS[0], r#"{"symbol":"TEST","side":"SELL","price":100,"quantity":10}"#),
        202
    );
    assert_eq!(
        place(&exchange, USERS[1], r#"{"symbol":"TEST","side":"BUY","price":120,"quantity":25}"#),
        202
    );
    exchange.match_orders();
    exchange.consume(100);
    let state = exchange.memory.state();
    let account = |user: &str, asset| state.money.accounts[&(user.to_string(), asset)];
    assert_eq!(account(USERS[1], Asset::Cash), (CASH - 1000 - 15 * 120, 15 * 120));
    assert_eq!(account(USERS[1], Asset::Stock("TEST".into())), (STOCK + 10, 0));
    assert_eq!(account(USERS[0], Asset::Cash), (CASH + 1000, 0));
}

#[test]
fn orders_beyond_the_balance_or_the_market_change_nothing() {
    let exchange = Exchange::new();
    let refused = |body: &str| {
        let answer = exchange.request("POST", "/orders", USERS[0], body.into());
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status, json["error"]["code"].as_str().unwrap().to_string())
    };
    for (body, status, code) in [
        (r#"{"symbol":"TEST","side":"BUY","price":1000,"quantity":101}"#, 422, "insufficient_balance"),
        (r#"{"symbol":"TEST","side":"SELL","price":1,"quantity":1001}"#, 422, "insufficient_balance"),
        (r#"{"symbol":"NONE","side":"BUY","price":1,"quantity":1}"#, 404, "unknown_symbol"),
        (r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":1}"#, 409, "no_opposite_quote"),
        (r#"{"symbol":"TEST","side":"BUY","type":"MARKET","price":1,"quantity":1}"#, 400, "bad_price"),
        (r#"{"symbol":"TEST","side":"BUY","price":0,"quantity":1}"#, 400, "bad_price"),
        (r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":0}"#, 400, "bad_quantity"),
        (r#"{"symbol":"TEST","side":"BUY","price":-1,"quantity":1}"#, 400, "bad_field"),
        (r#"{"symbol":"TEST","side":"BUY","price":1.5,"quantity":1}"#, 400, "bad_field"),
        (r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"qty":1}"#, 400, "bad_field"),
        (
            r#"{"symbol":"TEST","side":"BUY","price":9007199254740991,"quantity":9007199254740991}"#,
            400,
            "notional_too_large",
        ),
        (r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"x":1}"#, 400, "unknown_field"),
        (r#"{"symbol":"test","side":"BUY","price":1,"quantity":1}"#, 400, "bad_symbol"),
        (r#"{"symbol":"TEST","side":"buy","price":1,"quantity":1}"#, 400, "bad_side"),
        (r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"tif":"GTD"}"#, 400, "bad_tif"),
        (r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"type":"STOP"}"#, 400, "bad_type"),
        (r#"{"side":"BUY","price":1,"quantity":1}"#, 400, "missing_field"),
        ("{", 400, "bad_json"),
        ("", 400, "bad_json"),
    ] {
        assert_eq!(refused(body), (status, code.to_string()), "{body}");
    }
    let state = exchange.memory.state();
    assert!(state.streams.is_empty() && state.money.holds.values().all(|(.., amount)| *amount == 0));
}

#[test]
fn market_orders_lock_with_a_cap_and_give_back_the_rest() {
    let mut exchange = Exchange::new();
    let place =
        |exchange: &Exchange, user, body: &str| exchange.request("POST", "/orders", user, body.into()).status;
    place(&exchange, USERS[0], r#"{"symbol":"TEST","side":"SELL","price":100,"quantity":10}"#);
    place(&exchange, USERS[0], r#"{"symbol":"TEST","side":"SELL","price":150,"quantity":10}"#);
    exchange.match_orders();
    assert_eq!(
        place(&exchange, USERS[1], r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":20}"#),
        202
    );
    let locked = exchange.memory.state().money.accounts[&(USERS[1].to_string(), Asset::Cash)].1;
    assert_eq!(locked, 20 * 110);
    exchange.match_orders();
    exchange.consume(100);
    // Nothing is bought above the protection price, and what was locked for it is free again.
    assert_eq!(
        exchange.memory.state().money.accounts[&(USERS[1].to_string(), Asset::Cash)],
        (CASH - 1000, 0)
    );
    exchange.check();
}

#[test]
fn users_see_and_touch_only_their_own_orders() {
    let mut exchange = Exchange::new();
    let body = r#"{"symbol":"TEST","side":"BUY","price":100,"quantity":10}"#;
    let placed = exchange.request("POST", "/orders", USERS[0], body.into());
    let placed: serde_json::Value = serde_json::from_slice(&placed.body).unwrap();
    let path = format!("/orders/{}", placed["order_id"].as_str().unwrap());
    exchange.match_orders();
    exchange.consume(10);
    for method in ["GET", "DELETE", "PATCH"] {
        assert_eq!(
            exchange.request(method, &path, USERS[1], r#"{"price":1}"#.into()).status,
            404,
            "{method}"
        );
        assert_eq!(exchange.request(method, "/orders/../x", USERS[0], String::new()).status, 404, "{method}");
    }
    assert_eq!(exchange.request("GET", &path, USERS[0], String::new()).status, 200);
    assert_eq!(exchange.request("DELETE", &path, USERS[0], String::new()).status, 202);
    exchange.match_orders();
    exchange.consume(10);
    assert_eq!(exchange.request("DELETE", &path, USERS[0], String::new()).status, 409);
    exchange.check();
}

#[test]
fn a_symbol_that_is_not_listed_takes_no_orders() {
    let exchange = Exchange::new();
    ready(exchange.memory.run(vec![Command::Srem("active:symbols".into(), vec![b"TEST".to_vec()])]))
        .unwrap()
        .unwrap();
    let answer = exchange.request(
        "POST",
        "/orders",
        USERS[0],
        r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1}"#.into(),
    );
    assert_eq!(answer.status, 404);
}
