//! Every stream and timer function may be called again with what it has seen, and may end after any of its calls: it
//! comes to the same.
//!
//! A stream hands each record over in its symbol's order the first time; what was handed over before may come again at any
//! time, in any order and any batch.

mod support;

use edge_fns::capability::Error;
use edge_fns::executor::ready;
use edge_fns::stream::{Disposition, Failure, Item};
use edge_fns::testing::{Fault, Memory};
use edge_fns::{fill_processor, history_saver, notifier, user_notify};
use engine_core::shard::Output;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::{Exchange, USERS};

type Handler = fn(&Memory, Vec<Item>) -> Vec<Failure>;

const HANDLERS: [(&str, Handler); 4] = [
    ("fill-processor", |m, items| {
        let ports = fill_processor::Ports { base: m, documents: m, wallet: m };
        ready(fill_processor::handle(&ports, "supernoba-fills", items)).unwrap()
    }),
    ("history-saver", |m, items| {
        let ports = history_saver::Ports { base: m, sql: m };
        ready(history_saver::handle(&ports, "supernoba-fills", items)).unwrap()
    }),
    ("notifier", |m, items| {
        let ports = notifier::Ports { base: m, cache: m, connections: m };
        ready(notifier::handle(&ports, "supernoba-fills", items)).unwrap()
    }),
    ("user-notify", |m, items| {
        let ports = user_notify::Ports { base: m, cache: m, connections: m };
        ready(user_notify::handle(&ports, "supernoba-fills", items)).unwrap()
    }),
];

/// An exchange in which things have happened that nobody has processed yet: its memory and the records of the fills
/// stream.
fn history(seed: u64, actions: usize) -> (Memory, Vec<Vec<u8>>) {
    let mut exchange = Exchange::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut placed: Vec<(&str, String)> = Vec::new();
    for _ in 0..actions {
        exchange.memory.state().now += 5;
        match next(10) {
            0..7 => {
                let user = USERS[next(3) as usize];
                let side = ["BUY", "SELL"][next(2) as usize];
                let (price, quantity) = (97 + next(6), 1 + next(20));
                let body =
                    format!(r#"{{"symbol":"TEST","side":"{side}","price":{price},"quantity":{quantity}}}"#);
                let answer = exchange.request("POST", "/orders", user, body);
                let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                placed.extend(answer["order_id"].as_str().map(|id| (user, format!("/orders/{id}"))));
            }
            kind if !placed.is_empty() => {
                let (user, path) = &placed[next(placed.len() as u64) as usize];
                if kind == 7 {
                    exchange.request("DELETE", path, user, String::new());
                } else {
                    let body = format!(r#"{{"price":{},"quantity":{}}}"#, 97 + next(6), 1 + next(20));
                    exchange.request("PATCH", path, user, body);
                }
            }
            _ => {}
        }
        exchange.match_orders();
    }
    let memory = exchange.memory.clone();
    let mut state = memory.state();
    // Two connections of each user, of which one is gone, unknown to the cache.
    for user in USERS {
        let ids = [format!("{user}-a"), format!("{user}-gone")];
        state.online.insert(ids[0].clone());
        for id in &ids {
            let session = format!(r#"{{"userId":"{user}","isLoggedIn":true,"connectedAt":1}}"#);
            state.strings.insert(format!("ws:{id}"), session.into_bytes());
            state.strings.insert(format!("conn:{id}:main"), b"TEST".to_vec());
            for set in [
                format!("user:{user}:connections"),
                "realtime:connections".into(),
                "symbol:TEST:main".into(),
                "symbol:TEST:subscribers".into(),
            ] {
                state.sets.entry(set).or_default().insert(id.clone().into_bytes());
            }
        }
    }
    state.sets.insert("subscribed:symbols".into(), BTreeSet::from([b"TEST".to_vec()]));
    drop(state);
    (memory, exchange.fills)
}

/// All that a function leaves behind. A message that comes twice counts once: its receiver knows it by its name.
#[derive(Debug, PartialEq)]
struct Left {
    rows: BTreeMap<String, Vec<u8>>,
    accounts: BTreeMap<String, (u64, u64)>,
    holds: BTreeMap<String, u64>,
    trades: usize,
    sets: BTreeMap<String, BTreeSet<Vec<u8>>>,
    strings: BTreeSet<String>,
    sent: BTreeMap<String, Vec<Vec<u8>>>,
}

fn left(memory: &Memory) -> Left {
    let state = memory.state();
    assert_eq!(state.money.wrong(), Vec::<String>::new());
    let mut sent = BTreeMap::new();
    for (connection, messages) in &state.sent {
        let mut seen = BTreeSet::new();
        let first: Vec<Vec<u8>> = messages.iter().filter(|m| seen.insert(*m)).cloned().collect();
        sent.insert(connection.clone(), first);
    }
    Left {
        rows: state
            .documents
            .iter()
            .map(|(id, entry)| (format!("{}/{}", id.partition, id.sort), entry.body.clone()))
            .collect(),
        accounts: state.money.accounts.iter().map(|(of, amounts)| (format!("{of:?}"), *amounts)).collect(),
        holds: state.money.holds.iter().map(|(hold, (.., left))| (hold.clone(), *left)).collect(),
        trades: state.rows.values().map(BTreeMap::len).sum(),
        sets: state.sets.clone(),
        strings: state.strings.keys().cloned().collect(),
        sent,
    }
}

fn item(fills: &[Vec<u8>], n: usize) -> Item {
    Item { id: n.to_string(), partition: "TEST".into(), arrived: 0, body: fills[n].clone() }
}

/// Hands over `from..` in batches until all is done, as a consumer does; where the process ends, the next one begins
/// with the batch that was in work. Answers how many processes it took.
fn consume(memory: &Memory, handler: Handler, fills: &[Vec<u8>], batch: usize) -> u32 {
    let mut done = 0;
    let mut processes = 1;
    let mut idle = 0;
    while done < fills.len() {
        let to = fills.len().min(done + batch);
        let failures = handler(memory, (done..to).map(|n| item(fills, n)).collect());
        if memory.has_crashed() {
            memory.restart();
            processes += 1;
            continue;
        }
        let rejected: Vec<_> = failures.iter().filter(|f| f.disposition != Disposition::Retry).collect();
        assert!(rejected.is_empty(), "{rejected:?}");
        let first = failures.iter().filter_map(|failure| failure.id.parse().ok()).min();
        idle = if first == Some(done) { idle + 1 } else { 0 };
        assert!(idle < 100, "it goes on");
        done = first.unwrap_or(to);
    }
    processes
}

/// Broken off after each single call, once: the next process comes to the same.
#[test]
fn it_may_end_after_any_call() {
    for (name, handler) in HANDLERS {
        for (seed, batch) in [(1, 7), (2, 1000), (3, 1)] {
            let (before, fills) = history(seed, 40);
            assert!(fills.len() > 30, "something has happened");
            let straight = before.clone();
            let first = straight.calls();
            consume(&straight, handler, &fills, batch);
            let (calls, expected) = (straight.calls() - first, left(&straight));
            assert!(calls > 0, "{name}");
            for call in 0..calls {
                let broken = before.clone();
                broken.crash_after(call);
                assert_eq!(consume(&broken, handler, &fills, batch), 2, "{name}: it ends at {call}");
                assert_eq!(left(&broken), expected, "{name}: after call {call} of {calls}, by {batch}");
                // The same call had no effect, or had one of which nobody heard.
                for fault in [
                    Fault::After,
                    Fault::Before(Error::Throttled(None)),
                    Fault::Before(Error::Unavailable("test".into())),
                ] {
                    let faulty = before.clone();
                    faulty.fail(call, fault.clone());
                    consume(&faulty, handler, &fills, batch);
                    let faulty = left(&faulty);
                    assert_eq!(faulty.sent, expected.sent, "{name}: {fault:?} at {call}");
                    assert_eq!(faulty.rows, expected.rows, "{name}: {fault:?} at {call}");
                    assert_eq!(faulty.holds, expected.holds, "{name}: {fault:?} at {call}");
                    assert_eq!(faulty.trades, expected.trades, "{name}: {fault:?} at {call}");
                }
            }
        }
    }
}

/// Each batch twice, in two orders that are not its own, by processes of which one ends after any one of all the calls that
/// this takes: every function comes to what it comes to when all is handed over once, in order.
#[test]
fn batches_come_twice_and_shuffled_and_it_may_end_after_any_call() {
    for (name, handler) in HANDLERS {
        for (seed, size) in [(4, 8), (5, 1000)] {
            let (before, fills) = history(seed, 30);
            let straight = before.clone();
            consume(&straight, handler, &fills, size);
            let expected = unordered(left(&straight));

            let shuffled = before.clone();
            let first = shuffled.calls();
            assert_eq!(consume_shuffled(&shuffled, handler, &fills, size, seed), 1);
            let calls = shuffled.calls() - first;
            assert_eq!(unordered(left(&shuffled)), expected, "{name}: shuffled");
            assert!(calls > 1, "{name}: {calls}");
            for call in 0..calls {
                let broken = before.clone();
                broken.crash_after(call);
                let processes = consume_shuffled(&broken, handler, &fills, size, seed);
                assert_eq!(processes, 2, "{name}: it ends at {call}");
                assert_eq!(
                    unordered(left(&broken)),
                    expected,
                    "{name}: after call {call} of {calls}, by {size}"
                );
            }
        }
    }
}

/// Where an order within a batch is not kept, messages come in another; each carries its sequence number.
fn unordered(mut left: Left) -> Left {
    left.sent.values_mut().for_each(|messages| messages.sort());
    left
}

/// Hands over each batch twice, each time in an order of its own, and goes on from the batch in which a process ended.
/// Answers how many processes it took.
fn consume_shuffled(memory: &Memory, handler: Handler, fills: &[Vec<u8>], size: usize, seed: u64) -> u32 {
    let mut processes = 1;
    let mut random = seed;
    for from in (0..fills.len()).step_by(size) {
        for _ in 0..2 {
            let mut batch: Vec<usize> = (from..fills.len().min(from + size)).collect();
            for n in (1..batch.len()).rev() {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                batch.swap(n, (random >> 33) as usize % (n + 1));
            }
            let again = || batch.iter().map(|n| item(fills, *n)).collect();
            let mut failures = handler(memory, again());
            if memory.has_crashed() {
                memory.restart();
                processes += 1;
                failures = handler(memory, again());
            }
            assert_eq!(failures, []);
        }
    }
    processes
}

/// In whatever batches, with anything of the past again in between, shuffled.
fn again(seed: u64, batches: &[usize], repeats: &[(prop::sample::Index, prop::sample::Index)]) {
    let (before, fills) = history(seed, 60);
    for (name, handler) in HANDLERS {
        let straight = before.clone();
        consume(&straight, handler, &fills, 10);
        let expected = left(&straight);
        let memory = before.clone();
        let mut done = 0;
        let mut repeats = repeats.iter().cycle();
        for batch in batches.iter().cycle() {
            if done == fills.len() {
                break;
            }
            let to = fills.len().min(done + batch);
            let mut batch: Vec<usize> = (done..to).collect();
            done = to;
            // Records seen before, before and behind the new ones; twice within the batch too.
            for (which, place) in repeats.by_ref().take(3) {
                let past = which.index(done);
                let place = place.index(batch.len() + 1);
                if past < batch[0] || place > batch.iter().position(|n| *n == past).unwrap_or(0) {
                    batch.insert(place, past);
                }
            }
            let failures = handler(&memory, batch.iter().map(|n| item(&fills, *n)).collect());
            assert_eq!(failures, [], "{name}");
        }
        let got = left(&memory);
        assert_eq!(got, expected, "{name}");
        // All of it once more, backwards, one by one and all at once.
        for n in (0..fills.len()).rev() {
            assert_eq!(handler(&memory, vec![item(&fills, n)]), []);
        }
        assert_eq!(handler(&memory, (0..fills.len()).rev().map(|n| item(&fills, n)).collect()), []);
        assert_eq!(left(&memory), expected, "{name}, backwards");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Where a queue stands in for the stream, a batch comes in any order: money and rows come to the same.
    #[test]
    fn a_batch_may_be_shuffled(
        seed in 1u64..1000,
        size in 2usize..40,
        order in proptest::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let (before, fills) = history(seed, 60);
        let (name, handler) = HANDLERS[0];
        let straight = before.clone();
        consume(&straight, handler, &fills, size);
        for from in (0..fills.len()).step_by(size) {
            let mut batch: Vec<usize> = (from..fills.len().min(from + size)).collect();
            for (n, other) in (0..batch.len()).zip(&order) {
                let other = other.index(batch.len());
                batch.swap(n, other);
            }
            let failures = handler(&before, batch.into_iter().map(|n| item(&fills, n)).collect());
            assert_eq!(failures, [], "{name}");
        }
        assert_eq!(left(&before), left(&straight), "{name}");
    }

    #[test]
    fn what_it_has_seen_may_come_again(
        seed in 1u64..1000,
        batches in proptest::collection::vec(1usize..30, 1..8),
        repeats in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20),
    ) {
        again(seed, &batches, &repeats);
    }
}

/// Byte for byte what the engine pushes itself but for the time, so that a client cannot tell them apart.
#[test]
fn the_notifier_says_what_the_engine_says() {
    let (memory, fills) = history(5, 60);
    let mut shard = engine_core::shard::Shard::new(engine_core::candle::SEOUL_DAY_OFFSET_S);
    let mut out = Output::default();
    for (n, record) in memory.state().streams["supernoba-orders"].iter().enumerate() {
        // Times do not matter here but must be the same: they are in the records below.
        shard.apply(n as u64 + 1, 0, &record.body, &mut out).unwrap();
    }
    let without_time = |body: &[u8]| {
        let text = std::str::from_utf8(body).unwrap();
        let (before, from) = text.split_once(r#","t":"#).unwrap();
        let after = from.trim_start_matches(|digit: char| digit.is_ascii_digit());
        assert!(after.len() < from.len(), "{text}");
        format!("{before},{after}")
    };
    let mut engine: Vec<(String, String)> = out
        .notices
        .iter()
        .filter(|notice| notice.body.windows(8).any(|part| part == b"\"FILLED\""))
        .map(|notice| (format!("{}-a", notice.user), without_time(&notice.body)))
        .collect();
    consume(&memory, HANDLERS[2].1, &fills, 9);
    let state = memory.state();
    let mut pushed: Vec<(String, String)> = state
        .sent
        .iter()
        .flat_map(|(id, messages)| messages.iter().map(|body| (id.clone(), without_time(body))))
        .collect();
    assert!(pushed.len() > 5);
    engine.sort();
    pushed.sort();
    assert_eq!(pushed, engine);
}

/// Each fill goes to both of its users' connections, once a connection, and who is gone is forgotten everywhere.
#[test]
fn users_are_told_of_each_fill_and_the_gone_are_forgotten() {
    let (memory, fills) = history(6, 60);
    consume(&memory, HANDLERS[3].1, &fills, 9);
    let state = memory.state();
    let told: usize = state.sent.values().map(Vec::len).sum();
    let happened = fills.iter().filter(|body| body.windows(14).any(|w| w == br#""event":"FILL""#)).count();
    assert_eq!(told, 2 * happened);
    let message: serde_json::Value =
        serde_json::from_slice(state.sent.values().flatten().next().unwrap()).unwrap();
    for key in ["e", "s", "n", "t", "f", "id", "sd", "r", "p", "q", "tk"] {
        assert!(!message[key].is_null(), "{key} in {message}");
    }
    for (set, members) in &state.sets {
        for member in members {
            assert!(!member.ends_with(b"-gone"), "{set}");
        }
    }
    assert!(state.strings.keys().all(|key| !key.contains("-gone")));
}

#[test]
fn what_is_no_event_is_put_aside_and_the_rest_is_done() {
    let (memory, fills) = history(7, 60);
    for (name, handler) in HANDLERS {
        let mut items: Vec<Item> = (0..fills.len()).map(|n| item(&fills, n)).collect();
        items
            .insert(1, Item { id: "bad".into(), partition: "TEST".into(), arrived: 0, body: b"{}".to_vec() });
        let (odd, straight) = (memory.clone(), memory.clone());
        let failures = handler(&odd, items);
        assert_eq!(failures.len(), 1, "{name}");
        assert!(matches!(&failures[0].disposition, Disposition::Reject(_)) && failures[0].id == "bad");
        consume(&straight, handler, &fills, fills.len());
        assert_eq!(left(&odd), left(&straight), "{name}");
    }
}
