//! Orders through all functions and the real core, with back ends that fail between any two steps: no order is
//! half-born, no money is lost, locked for nothing, or moved twice.

mod support;

use edge_fns::capability::cache::Command;
use edge_fns::capability::wallet::Asset;
use edge_fns::capability::{Cache, Error};
use edge_fns::executor::ready;
use edge_fns::testing::Fault;
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{CASH, Exchange, STOCK, USERS};

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
    /// Of a user's orders: all, those of one side.
    CancelAll(usize, Option<bool>),
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
        1 => (0usize..3, any::<Option<bool>>()).prop_map(|(user, buy)| Step::CancelAll(user, buy)),
        4 => (index(), 90u64..110, 1u64..300).prop_map(|(which, price, quantity)| Step::Replace(which, price, quantity)),
        5 => Just(Step::Match),
        4 => (1usize..20).prop_map(Step::Consume),
        4 => (0u64..8, any::<bool>()).prop_map(|(skip, after)| Step::Fail(skip, after)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_everything_adds_up_in_the_end(
        steps in proptest::collection::vec(step(), 1..80), asked_again in any::<bool>(),
    ) {
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
                Step::CancelAll(user, buy) => {
                    let side = match buy {
                        None => "",
                        Some(true) => "BUY",
                        Some(false) => "SELL",
                    };
                    exchange.request("DELETE", &format!("/orders?symbol=TEST&side={side}"), USERS[user], String::new());
                }
                Step::Match => exchange.match_orders(),
                Step::Consume(batch) => exchange.consume(batch),
                Step::Fail(skip, true) => exchange.memory.fail(skip, Fault::After),
                Step::Fail(skip, false) => exchange.memory.fail(skip, Fault::Before(Error::Unavailable("test".into()))),
                Step::Repeat(_) | Step::Cancel(_) | Step::Replace(..) => {}
            }
            prop_assert_eq!(exchange.memory.state().money.wrong(), Vec::<String>::new());
        }
        if asked_again {
            exchange.settle(&sent);
        } else {
            exchange.mend();
        }
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
