//! The archive behind an event source mapping: what becomes of a shard's records, batch by batch, when some fail, some trap,
//! and the process dies.

mod common;

use common::mapping::{Letter, Record, SETTINGS, Settings, consume};
use common::{Lambda, trapping};
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Error, Wallet};
use edge_fns::executor::ready;
use edge_fns::testing::{Fault, Memory};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const CASH: u64 = 1_000_000;
const STOCK: u64 = 1_000;
const SYMBOLS: [&str; 5] = ["AAA", "BBB", "CCC", "DDD", "EEE"];

/// An exchange where ann buys and bob sells `count` of each symbol: both sides' balances are locked.
fn exchange(symbols: &[&str], count: u64) -> Memory {
    let memory = Memory::exchange(symbols);
    memory.state().now = 1_795_600_800_000;
    let deposit = |user: &str, asset: Asset, amount| Movement::Deposit {
        id: format!("{user}/{asset:?}"),
        user: user.into(),
        asset,
        amount,
    };
    let mut movements = vec![deposit("ann", Asset::Cash, CASH)];
    for symbol in symbols {
        movements.push(deposit("bob", Asset::Stock((*symbol).into()), STOCK));
        movements.extend(holds(symbol, count));
    }
    for posted in ready(Wallet::post(&memory, movements)).unwrap().unwrap() {
        posted.unwrap();
    }
    memory
}

/// What the orders of the symbol's fills have locked.
fn holds(symbol: &str, count: u64) -> [Movement; 2] {
    let hold = |side: &str, user: &str, asset, amount| Movement::Reserve {
        hold: format!("{side}-{symbol}"),
        user: user.into(),
        asset,
        amount,
    };
    [hold("buy", "ann", Asset::Cash, 101 * count), hold("sell", "bob", Asset::Stock(symbol.into()), count)]
}

/// Fills of one each at 100, bid at 101, over the symbols in turn; the shard's records are numbered from 1.
fn fills(symbols: &[&str], count: u64) -> Vec<Record> {
    let fill = |n: u64| {
        let (symbol, seq) = (symbols[n as usize % symbols.len()], n / symbols.len() as u64 + 1);
        let left = count - seq;
        let body = json!({
            "symbol": symbol, "seq": seq, "t": 1_795_600_800_000_u64 + n, "event": "FILL",
            "fill_id": format!("{symbol}-{seq}"), "price": 100, "quantity": 1, "taker": "BUY",
            "buyer": {"order_id": format!("buy-{symbol}"), "user_id": "ann", "price": 101, "remaining": left},
            "seller": {"order_id": format!("sell-{symbol}"), "user_id": "bob", "price": 100, "remaining": left},
        });
        Record { sequence: n + 1, key: symbol.to_owned(), body: body.to_string() }
    };
    (0..count * symbols.len() as u64).map(fill).collect()
}

/// Everything was bought and sold once, at its price, and what was locked beyond it is free again.
#[track_caller]
fn settled(memory: &Memory, symbols: &[&str], count: u64) {
    let state = memory.state();
    assert_eq!(state.money.wrong(), Vec::<String>::new());
    let account = |user: &str, asset| state.money.accounts[&(user.to_owned(), asset)];
    let paid = 100 * count * symbols.len() as u64;
    assert_eq!(account("ann", Asset::Cash), (CASH - paid, 0));
    assert_eq!(account("bob", Asset::Cash), (paid, 0));
    for symbol in symbols {
        assert_eq!(account("ann", Asset::Stock((*symbol).into())), (count, 0), "{symbol}");
        assert_eq!(account("bob", Asset::Stock((*symbol).into())), (STOCK - count, 0), "{symbol}");
    }
}

#[tokio::test]
async fn a_shard_is_done_in_batches_and_once_more_from_its_beginning() {
    let symbols = &SYMBOLS[..1];
    let Some(lambda) = Lambda::start("fill-processor", exchange(symbols, 25), &[]).await else { return };
    let shard = fills(symbols, 25);
    let done = consume(&lambda.invoker(), SETTINGS, &shard).await;
    assert_eq!(done.handed.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(done.handed.concat(), (1..=25).collect::<Vec<u64>>());
    assert_eq!(done.letters, []);
    settled(&lambda.server.memory, symbols, 25);
    // Its checkpoint was lost: all of it again, in other batches.
    let done = consume(&lambda.invoker(), Settings { batch_size: 7, ..SETTINGS }, &shard).await;
    assert_eq!(done.letters, []);
    settled(&lambda.server.memory, symbols, 25);
}

#[tokio::test]
async fn what_is_done_of_a_batch_is_not_given_again() {
    let symbols = &SYMBOLS[..2];
    let Some(lambda) = Lambda::start("fill-processor", exchange(&symbols[..1], 4), &[]).await else { return };
    // The other symbol's orders are not known to the wallet yet: a fill of theirs cannot be settled. They are once the
    // first batch has been refused.
    let memory = lambda.server.memory.clone();
    let (other, mut posts) = (memory.clone(), 0);
    lambda.server.before(move |call| {
        posts += u32::from(call.contains("wallet.post"));
        if posts == 2 {
            posts += 1;
            let deposit = Movement::Deposit {
                id: "late".into(),
                user: "bob".into(),
                asset: Asset::Stock("BBB".into()),
                amount: STOCK,
            };
            let late = [deposit].into_iter().chain(holds("BBB", 4)).collect();
            ready(Wallet::post(&*other, late)).unwrap().unwrap();
        }
        None
    });
    let done = consume(&lambda.invoker(), SETTINGS, &fills(symbols, 4)).await;
    assert_eq!(done.handed, [(1..=8).collect::<Vec<u64>>(), (2..=8).collect()]);
    assert_eq!(done.letters, []);
    settled(&memory, symbols, 4);
}

#[tokio::test]
async fn a_record_that_traps_is_cut_out_and_the_shard_goes_on() {
    let Some(archive) = trapping::archive() else { return };
    let bootstrap = env!("CARGO_BIN_EXE_bootstrap");
    let lambda = Lambda::of(archive.path(), bootstrap, "history-saver", Memory::default(), &[]).await;
    let bodies = ["a", "b", "c", "!", "d", "e", "f", "g", "h", "!", "i"];
    let record = |(n, body): (usize, &&str)| Record {
        sequence: n as u64 + 1,
        key: "TEST".into(),
        body: (*body).to_owned(),
    };
    let shard: Vec<Record> = bodies.iter().enumerate().map(record).collect();
    let poison =
        |first, last, attempts| Letter { condition: "RetryAttemptsExhausted", first, last, attempts };
    let settings = Settings { bisect: true, retries: Some(2), ..SETTINGS };
    let done = consume(&lambda.invoker(), settings, &shard).await;
    assert_eq!(done.letters, [poison(4, 4, 3), poison(10, 10, 3)]);
    for sequence in [1, 2, 3] {
        assert_eq!(done.times(sequence), 1, "{sequence}: it was done when the first trap was named");
    }
    assert!((1..=11).all(|sequence| done.times(sequence) > 0));
    assert_eq!(done.handed.iter().filter(|handed| **handed == [4]).count(), 3);

    // With a stream for what is bad the function puts it aside itself, and each record is given once.
    let variables = [("DEAD_LETTER_STREAM", "dead")];
    let lambda = Lambda::of(archive.path(), bootstrap, "history-saver", Memory::default(), &variables).await;
    let done = consume(&lambda.invoker(), SETTINGS, &shard).await;
    assert_eq!(done.letters, []);
    assert!((1..=11).all(|sequence| done.times(sequence) == 1), "{:?}", done.handed);
    let letters = lambda.server.memory.state().streams["dead"].clone();
    let letters = letters.iter().map(|letter| serde_json::from_slice(&letter.body).unwrap());
    let letters: Vec<serde_json::Value> = letters.collect();
    assert_eq!(letters.iter().map(|letter| &letter["sequence"]).collect::<Vec<_>>(), ["4", "10"]);
    let reason = letters[0]["reason"].as_str().unwrap();
    assert!(reason.contains("after 3 attempts") && reason.contains("unreachable"), "{reason}");

    // Without a stream and without cutting, everything behind it is lost with it: what the setting is for.
    let lambda = Lambda::of(archive.path(), bootstrap, "history-saver", Memory::default(), &[]).await;
    let done = consume(&lambda.invoker(), Settings { retries: Some(2), ..SETTINGS }, &shard).await;
    assert_eq!(done.letters, [poison(4, 10, 3)]);
    assert_eq!(done.times(11), 1);
}

#[tokio::test]
async fn what_is_rejected_is_kept_with_its_reason_by_the_function_or_named_by_the_mapping() {
    let symbols = &SYMBOLS[..1];
    let shard = || {
        let mut shard = fills(symbols, 6);
        shard[2].body = r#"{"event":"NONSENSE"}"#.into();
        // The fill that stood there comes later, under the same name.
        let mut last = fills(symbols, 6)[2].clone();
        last.sequence = 7;
        shard.push(last);
        shard
    };
    let start = async |variables: &[(&str, &str)]| {
        Lambda::start("fill-processor", exchange(symbols, 6), variables).await
    };
    // The function puts it aside itself: the mapping has nothing to do.
    let Some(lambda) = start(&[("DEAD_LETTER_STREAM", "dead")]).await else { return };
    let settings = Settings { bisect: true, retries: Some(1), ..SETTINGS };
    let done = consume(&lambda.invoker(), settings, &shard()).await;
    assert_eq!((done.handed.len(), done.letters), (1, vec![]));
    settled(&lambda.server.memory, symbols, 6);
    let letters = lambda.server.memory.state().streams["dead"].clone();
    assert_eq!(letters.len(), 1);
    let letter: serde_json::Value = serde_json::from_slice(&letters[0].body).unwrap();
    assert_eq!(letter["sequence"], "3");
    assert!(letter["reason"].as_str().unwrap().contains("not an event"), "{letter}");

    // There is nowhere to put it: the mapping's destination learns where it lies.
    let Some(lambda) = start(&[]).await else { return };
    let done = consume(&lambda.invoker(), settings, &shard()).await;
    let named = Letter { condition: "RetryAttemptsExhausted", first: 3, last: 3, attempts: 2 };
    assert_eq!(done.letters, [named]);
    settled(&lambda.server.memory, symbols, 6);
}

#[tokio::test]
async fn what_fails_for_too_long_is_given_up_by_its_age() {
    let symbols = &SYMBOLS[..1];
    let Some(lambda) = Lambda::start("fill-processor", exchange(symbols, 30), &[]).await else { return };
    let memory = lambda.server.memory.clone();
    let shard = fills(symbols, 30);
    // The wallet refuses the first five times it is asked. It is asked again each second of the mapping's.
    for _ in 0..5 {
        let call = memory.calls();
        memory.fail(0, Fault::Before(Error::Throttled(None)));
        let settings = Settings { retries: Some(0), ..SETTINGS };
        let done = consume(&lambda.invoker(), settings, &shard[..1]).await;
        assert_eq!(done.letters.len(), 1);
        assert!(memory.calls() > call);
    }
    assert!(
        !memory.state().money.accounts.contains_key(&("bob".to_owned(), Asset::Cash)),
        "nothing was done"
    );
    for call in 0..3 {
        memory.fail(call, Fault::Before(Error::Throttled(None)));
    }
    // The tenth record was there after two seconds, so three more pass until the fourth attempt.
    let done = consume(&lambda.invoker(), Settings { max_age_ms: Some(4_000), ..SETTINGS }, &shard).await;
    assert_eq!(done.letters, [Letter { condition: "RecordAgeExceeded", first: 1, last: 4, attempts: 3 }]);
    assert_eq!(done.handed[3], (5..=10).collect::<Vec<u64>>());
    assert_eq!(done.handed.len(), 6, "the first batch four times, the others once");
    assert_eq!(memory.state().money.wrong(), Vec::<String>::new());
    // Whoever reads the letter hands that part of the shard over once more, and all is as it should be.
    consume(&lambda.invoker(), SETTINGS, &shard[..4]).await;
    settled(&memory, symbols, 30);
}

#[tokio::test]
async fn batches_side_by_side_keep_each_partitions_order() {
    let Some(mut lambda) = Lambda::start("fill-processor", exchange(&SYMBOLS, 12), &[]).await else { return };
    lambda.scale(3);
    let memory = lambda.server.memory.clone();
    for call in (0..60).step_by(7) {
        memory.fail(
            call,
            if call % 2 == 0 { Fault::After } else { Fault::Before(Error::Unavailable("test".into())) },
        );
    }
    let shard = fills(&SYMBOLS, 12);
    let done = consume(&lambda.invoker(), Settings { lanes: 3, batch_size: 4, ..SETTINGS }, &shard).await;
    assert_eq!(done.letters, []);
    memory.forget_faults();
    settled(&memory, &SYMBOLS, 12);
    // Each batch is of one lane, and a partition is in one lane.
    let key = |sequence: &u64| shard[*sequence as usize - 1].key.clone();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for handed in &done.handed {
        for sequence in handed {
            let last = seen.entry(key(sequence)).or_default();
            assert!(*sequence <= *last + SYMBOLS.len() as u64, "{sequence} came before what is ahead of it");
            *last = (*last).max(*sequence);
        }
    }
    assert_eq!(seen.len(), SYMBOLS.len());
}

/// At each of a batch's calls, before it has an effect and after.
#[tokio::test]
async fn a_process_that_dies_in_the_middle_of_a_batch_is_followed_by_another() {
    let symbols = &SYMBOLS[..1];
    let shard = fills(symbols, 6);
    let Some(lambda) = Lambda::start("fill-processor", exchange(symbols, 6), &[]).await else { return };
    let first = lambda.server.memory.calls();
    consume(&lambda.invoker(), SETTINGS, &shard).await;
    let calls = lambda.server.memory.calls() - first;
    assert!(calls >= 2, "the wallet and the rows");
    for call in 0..calls {
        for effect in [false, true] {
            let Some(mut lambda) = Lambda::start("fill-processor", exchange(symbols, 6), &[]).await else {
                return;
            };
            let (reached, mut at) = tokio::sync::mpsc::unbounded_channel();
            let memory = lambda.server.memory.clone();
            let own: Arc<Memory> = memory.clone();
            let start = memory.calls();
            let mut struck = false;
            lambda.server.before(move |body| {
                // Opening an event and its configuration are no calls of a back end.
                if struck || body.contains("base.") || own.calls() - start != call {
                    return None;
                }
                struck = true;
                if effect {
                    ready(own.served().answer(body.as_bytes())).expect("nothing waits in memory");
                }
                reached.send(()).unwrap();
                // Nobody is there any more when this is over.
                Some((Duration::from_secs(60), axum::http::StatusCode::OK))
            });
            let invoker = lambda.invoker();
            let (done, ()) = tokio::join!(consume(&invoker, SETTINGS, &shard), async {
                at.recv().await.unwrap();
                lambda.kill().await;
            });
            assert_eq!(done.handed.len(), 2, "call {call}, effect {effect}");
            assert_eq!(done.letters, []);
            settled(&memory, symbols, 6);
        }
    }
}
