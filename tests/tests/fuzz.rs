//! `POST /orders` takes any bytes: the answer is always a documented one, never a 5xx, and whatever was let in is whole:
//! the wallets balance and each user's open orders need just what is locked.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use system_tests::{Document, Exchange, books};
use tokio::runtime::Runtime;

const CASES: u32 = 600;
const USERS: [&str; 3] = ["ann", "ben", "cho"];

/// Numbers about every limit, and mostly small ones that trade.
fn number() -> impl Strategy<Value = Value> {
    let edges = [0, 1, (1 << 31) - 1, 1 << 32, (1 << 53) - 1, 1 << 53, i64::MAX as u64, u64::MAX];
    prop_oneof![
        8 => (95..105u64).prop_map(Value::from),
        1 => prop::sample::select(edges.to_vec()).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![".{0,20}", "[A-Z]{1,20}", "(test-)?[a-z]{1,10}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        text.prop_map(Value::from),
        number()
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Mostly the usual value of a field, now and then anything, or nothing.
fn field(usual: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![30 => usual.prop_map(Some), 1 => anything().prop_map(Some), 1 => Just(None)]
}

fn one_of(values: &[&str]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(values.iter().map(|value| json!(value)).collect::<Vec<_>>())
}

fn maybe(usual: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![3 => Just(None), 1 => field(usual)]
}

/// An object that is nearly an order.
fn structured() -> impl Strategy<Value = Vec<u8>> {
    let market = prop_oneof![4 => Just(false), 1 => Just(true)];
    let usual = (
        field(prop_oneof![9 => one_of(&["TEST", "NOBA"]), 1 => one_of(&["NONE", "CASH"])]),
        field(one_of(&["BUY", "SELL"])),
        maybe(one_of(&["GTC", "IOC", "FOK", "DAY"])),
        field(number()),
        field((1..20u64).prop_map(Value::from)),
        maybe("[a-e]".prop_map(Value::from)),
        prop::option::weighted(0.05, (".{0,8}", anything())),
        market,
    );
    usual.prop_map(|(symbol, side, tif, price, quantity, client_order_id, extra, market)| {
        let price = if market { None } else { price };
        let kind = market.then(|| json!("MARKET"));
        let named = [
            ("symbol", symbol),
            ("side", side),
            ("type", kind),
            ("tif", tif),
            ("price", price),
            ("quantity", quantity),
            ("client_order_id", client_order_id),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
        let order: Map<String, Value> = named.chain(extra).collect();
        Value::Object(order).to_string().into_bytes()
    })
}

/// Bytes: none, any, or an order with some of them changed.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    let broken = (structured(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4));
    let broken = broken.prop_map(|(mut body, changes)| {
        changes.into_iter().for_each(|(at, byte)| {
            let at = at.index(body.len());
            body[at] = byte;
        });
        body
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        broken,
        anything().prop_map(|v| v.to_string().into_bytes())
    ]
}

#[test]
fn any_body_gets_a_documented_answer_and_leaves_the_books_right() {
    let runtime = Runtime::new().expect("a runtime");
    let Some(exchange) = runtime.block_on(Exchange::start(&["--symbols", "TEST,NOBA"])) else { return };
    let document = Document::read();
    let users = USERS.map(|name| exchange.test_user(name));
    let seed = [7; 32];
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let taken = std::cell::Cell::new(0);
    let bodies = (0..USERS.len(), prop_oneof![3 => structured(), 1 => raw()]);
    let outcome = runner.run(&bodies, |(user, body)| {
        let answer =
            runtime.block_on(users[user].try_send("POST", "/orders", Some("application/json"), body));
        let answer = answer.map_err(|error| TestCaseError::fail(format!("no answer: {error:?}")))?;
        prop_assert!(answer.status < 500, "{} {}", answer.status, answer.text);
        document.check("POST", "/orders", &answer).map_err(TestCaseError::fail)?;
        taken.set(taken.get() + u32::from(answer.status == 202));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // Else the strategies would only ever see one half of the answers.
    assert!((CASES / 10..CASES).contains(&taken.get()), "{} of {CASES} were taken", taken.get());

    runtime.block_on(async {
        exchange.settle(&["TEST", "NOBA"]).await;
        exchange.assert_balanced().await;
        let mut orders = Vec::new();
        for user in &users {
            books::assert_locked_is_needed(user).await;
            orders.extend(user.orders("all").await);
        }
        books::assert_rows_match_fills(&orders, &books::fills(&exchange));
    });
}
