//! No order is half-born: broken off after every single call, with its calls refused, throttled or unanswered, each request
//! about an order comes to an end that adds up, though nobody asks again: the sweeper mends it within its period.

mod support;

use edge_fns::capability::Error;
use edge_fns::order::Status;
use edge_fns::testing::Fault;
use std::cell::RefCell;
use support::{Exchange, USERS};

/// What can happen to the call of a request with this number.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// It is the last one.
    Crash,
    /// It is the last one, and had no effect.
    CrashBefore,
    Unanswered,
    Throttled,
    Unavailable,
}

const MISHAPS: [Mishap; 5] =
    [Mishap::Crash, Mishap::CrashBefore, Mishap::Unanswered, Mishap::Throttled, Mishap::Unavailable];

fn happen(exchange: &Exchange, mishap: Mishap, call: u64) {
    match mishap {
        Mishap::Crash => exchange.memory.crash_after(call + 1),
        Mishap::CrashBefore => exchange.memory.crash_after(call),
        Mishap::Unanswered => exchange.memory.fail(call, Fault::After),
        Mishap::Throttled => exchange.memory.fail(call, Fault::Before(Error::Throttled(Some(50)))),
        Mishap::Unavailable => exchange.memory.fail(call, Fault::Before(Error::Unavailable("test".into()))),
    }
}

/// Runs the request with every mishap at every call of it, then lets only the sweeper work; answers how many ways.
fn break_off_everywhere(before: &Exchange, request: impl Fn(&Exchange), check: impl Fn(&Exchange)) -> u64 {
    let whole = before.clone();
    let first = whole.memory.calls();
    request(&whole);
    let calls = whole.memory.calls() - first;
    for call in 0..calls {
        for mishap in MISHAPS {
            let mut exchange = before.clone();
            happen(&exchange, mishap, call);
            request(&exchange);
            exchange.memory.restart();
            // While it is broken off, money is never missing.
            assert_eq!(exchange.memory.state().money.wrong(), Vec::<String>::new(), "{mishap:?} at {call}");
            exchange.mend();
            exchange.check();
            check(&exchange);
        }
    }
    calls
}

fn place(exchange: &Exchange, user: &str, body: &str) -> String {
    let answer = exchange.request("POST", "/orders", user, body.into());
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    answer["order_id"].as_str().unwrap_or_default().to_owned()
}

/// An exchange where ann's order of 10 at 100 rests and ben's two at 90.
fn resting() -> (Exchange, String) {
    let mut exchange = Exchange::new();
    let order = place(&exchange, USERS[0], r#"{"symbol":"TEST","side":"BUY","price":100,"quantity":10}"#);
    for _ in 0..2 {
        place(&exchange, USERS[1], r#"{"symbol":"TEST","side":"BUY","price":90,"quantity":5}"#);
    }
    exchange.match_orders();
    exchange.consume(100);
    exchange.memory.state().now += 100_000;
    exchange.sweep();
    (exchange, order)
}

#[test]
fn a_new_order() {
    let body = r#"{"symbol":"TEST","side":"BUY","price":100,"quantity":10}"#;
    let calls = break_off_everywhere(
        &Exchange::new(),
        |exchange| drop(place(exchange, USERS[0], body)),
        |exchange| {
            // It rests or is rejected; there is no third.
            let rows = exchange.rows();
            assert!(rows.len() <= 1);
            assert!(rows.iter().all(|order| matches!(order.status, Status::Accepted | Status::Rejected)));
        },
    );
    assert_eq!(calls, 4, "quote, row, lock, append");
}

#[test]
fn a_new_order_with_an_id_of_its_clients() {
    let body = r#"{"symbol":"TEST","side":"SELL","price":100,"quantity":10,"client_order_id":"a"}"#;
    break_off_everywhere(&Exchange::new(), |exchange| drop(place(exchange, USERS[0], body)), |_| {});
}

#[test]
fn an_order_beyond_the_balance() {
    let body = r#"{"symbol":"TEST","side":"BUY","price":1000,"quantity":1000}"#;
    break_off_everywhere(
        &Exchange::new(),
        |exchange| drop(place(exchange, USERS[0], body)),
        |exchange| assert!(exchange.rows().iter().all(|order| order.status == Status::Rejected)),
    );
}

#[test]
fn a_cancellation() {
    let (before, order) = resting();
    let path = format!("/orders/{order}");
    break_off_everywhere(
        &before,
        |exchange| drop(exchange.request("DELETE", &path, USERS[0], String::new())),
        |_| {},
    );
}

#[test]
fn a_replacement_that_needs_more() {
    let (before, order) = resting();
    let path = format!("/orders/{order}");
    let change = r#"{"price":120,"quantity":30}"#;
    let said = RefCell::new(String::new());
    break_off_everywhere(
        &before,
        |exchange| {
            let answer = exchange.request("PATCH", &path, USERS[0], change.into());
            // Who has ended has said nothing.
            let text = String::from_utf8(answer.body).unwrap();
            said.replace(if exchange.memory.has_crashed() { String::new() } else { text });
        },
        |exchange| {
            let rows = exchange.rows();
            let order = rows.iter().find(|row| row.order_id == order).unwrap();
            let now = (order.price, order.remaining);
            assert!(matches!(now, (100, 10) | (120, 30)), "all of it or nothing");
            let said = said.borrow();
            if said.contains("request_id") {
                assert_eq!(now, (120, 30), "{said}");
            } else if !said.is_empty() && !said.contains("under way") && !said.contains("is unknown") {
                assert_eq!(now, (100, 10), "{said}");
            }
        },
    );
}

/// Where a symbol is not traded for a while, nobody moves an order to a price at which it would trade.
#[test]
fn a_replacement_while_its_symbol_is_not_traded() {
    let (mut exchange, order) = resting();
    let listed = exchange.memory.state().sets.remove("active:symbols").unwrap();
    let path = format!("/orders/{order}");
    let replace = |exchange: &Exchange| {
        let answer = exchange.request("PATCH", &path, USERS[0], r#"{"price":120}"#.into());
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    let (status, said) = replace(&exchange);
    assert_eq!(status, 404, "{said}");
    assert!(said.contains("unknown_symbol"), "{said}");
    exchange.memory.state().sets.insert("active:symbols".into(), listed);
    assert_eq!(replace(&exchange).0, 202);
    exchange.mend();
    exchange.check();
    assert!(exchange.rows().iter().any(|row| row.order_id == order && row.price == 120));
}

#[test]
fn a_replacement_beyond_the_balance() {
    let (before, order) = resting();
    let path = format!("/orders/{order}");
    break_off_everywhere(
        &before,
        |exchange| drop(exchange.request("PATCH", &path, USERS[0], r#"{"price":99999}"#.into())),
        |exchange| assert!(exchange.rows().iter().all(|order| order.price <= 100)),
    );
}

/// Of orders that rest and orders that were never carried through.
#[test]
fn a_mass_cancel() {
    let (mut before, _) = resting();
    before.memory.fail(3, Fault::After);
    place(&before, USERS[1], r#"{"symbol":"TEST","side":"SELL","price":200,"quantity":5}"#);
    before.memory.fail(2, Fault::After);
    place(&before, USERS[1], r#"{"symbol":"TEST","side":"SELL","price":201,"quantity":5}"#);
    before.memory.forget_faults();
    let all = |exchange: &Exchange| drop(exchange.request("DELETE", "/orders", USERS[1], String::new()));
    let calls = break_off_everywhere(&before, all, |_| {});
    assert!(calls > 6, "two orders are carried through on the way: {calls} calls");
    all(&before);
    before.match_orders();
    before.consume(100);
    let open = before.rows().into_iter().filter(|order| order.status.is_open());
    assert_eq!(open.map(|order| order.user_id).collect::<Vec<_>>(), [USERS[0]], "only ben's are gone");
}

/// The sweeper itself broken off everywhere, over an order in each state that a crash can leave.
#[test]
fn the_sweeper() {
    for first in 1..4 {
        let (exchange, order) = resting();
        exchange.memory.crash_after(first);
        place(&exchange, USERS[2], r#"{"symbol":"TEST","side":"SELL","price":300,"quantity":5}"#);
        exchange.memory.restart();
        exchange.memory.crash_after(first);
        let path = format!("/orders/{order}");
        exchange.request("PATCH", &path, USERS[0], r#"{"price":130}"#.into());
        exchange.memory.restart();
        exchange.memory.state().now += 61_000;
        let begin = exchange.clone();
        let before = begin.memory.calls();
        begin.sweep();
        let calls = begin.memory.calls() - before;
        for call in 0..calls {
            let mut broken = exchange.clone();
            broken.memory.crash_after(call);
            assert!(broken.try_sweep().is_err());
            assert!(broken.memory.has_crashed());
            broken.memory.restart();
            broken.mend();
            broken.check();
        }
    }
}

/// A timer may come twice, and while it is still at work: on threads of their own, over an order and a replacement in each
/// state that a crash can leave.
#[test]
fn the_sweeper_at_several_places_at_once() {
    for first in 1..4 {
        for _ in 0..20 {
            let (mut exchange, order) = resting();
            exchange.memory.crash_after(first);
            place(&exchange, USERS[2], r#"{"symbol":"TEST","side":"SELL","price":300,"quantity":5}"#);
            exchange.memory.restart();
            exchange.memory.crash_after(first);
            let path = format!("/orders/{order}");
            exchange.request("PATCH", &path, USERS[0], r#"{"price":130}"#.into());
            exchange.memory.restart();
            exchange.memory.state().now += 61_000;
            std::thread::scope(|threads| {
                for _ in 0..4 {
                    // That another has written a row in between is no error that stays.
                    threads.spawn(|| (0..2).for_each(|_| drop(exchange.try_sweep())));
                }
            });
            exchange.mend();
            exchange.check();
        }
    }
}

/// A stream that throttles everything for a while loses nothing and doubles nothing.
#[test]
fn a_throttled_stream() {
    let mut exchange = Exchange::new();
    for n in 0..20u64 {
        // The order's own append, and the sweeper's attempts after it.
        exchange.memory.fail(3, Fault::Before(Error::Throttled(None)));
        exchange.memory.fail(4, if n % 2 == 0 { Fault::After } else { Fault::Before(Error::Timeout) });
        place(
            &exchange,
            USERS[(n % 3) as usize],
            r#"{"symbol":"TEST","side":"BUY","price":10,"quantity":1}"#,
        );
    }
    exchange.mend();
    exchange.check();
}

#[test]
fn a_mass_cancel_goes_by_symbol_and_side_and_from_page_to_page() {
    let mut exchange = Exchange::new();
    for n in 0..600 {
        let (side, price) = if n % 3 == 0 { ("SELL", 200) } else { ("BUY", 10) };
        let body = format!(r#"{{"symbol":"TEST","side":"{side}","price":{price},"quantity":1}}"#);
        place(&exchange, USERS[0], &body);
        if n % 100 == 99 {
            exchange.match_orders();
            exchange.consume(10_000);
        }
    }
    let cancel = |exchange: &Exchange, query: &str| {
        let answer = exchange.request("DELETE", &format!("/orders?{query}"), USERS[0], String::new());
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()
    };
    let count = |answer: &serde_json::Value| answer["order_ids"].as_array().unwrap().len();
    assert_eq!(count(&cancel(&exchange, "symbol=OTHER")), 0);
    assert_eq!(count(&cancel(&exchange, "symbol=TEST&side=SELL")), 200);
    exchange.match_orders();
    exchange.consume(10_000);
    assert_eq!(count(&cancel(&exchange, "side=SELL")), 0, "they are cancelled");
    let buys = cancel(&exchange, "side=BUY");
    assert_eq!((count(&buys), buys["cursor"].as_str()), (400, None));
    for n in 0..200 {
        let body = format!(r#"{{"symbol":"TEST","side":"BUY","price":{},"quantity":1}}"#, 10 + n % 5);
        place(&exchange, USERS[0], &body);
    }
    exchange.match_orders();
    exchange.consume(10_000);
    // Orders that the engine has not answered yet are few a page.
    for _ in 0..70 {
        place(&exchange, USERS[0], r#"{"symbol":"TEST","side":"BUY","price":9,"quantity":1}"#);
    }
    let mut cursor = String::new();
    let mut total = 0;
    loop {
        let answer = cancel(&exchange, &format!("cursor={cursor}"));
        total += count(&answer);
        match answer["cursor"].as_str() {
            Some(next) => cursor = next.into(),
            None => break,
        }
    }
    assert_eq!(total, 270);
    exchange.match_orders();
    exchange.consume(10_000);
    assert!(exchange.rows().iter().all(|order| order.status == Status::Cancelled));
    exchange.mend();
    exchange.check();
    for (query, code) in [("side=buy", "bad_side"), ("symbol=a", "bad_symbol"), ("cursor=x", "bad_cursor")] {
        let answer = exchange.request("DELETE", &format!("/orders?{query}"), USERS[0], String::new());
        assert_eq!(answer.status, 400);
        assert!(String::from_utf8(answer.body).unwrap().contains(code), "{query}");
    }
}
