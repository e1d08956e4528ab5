//! The process is killed again and again in the middle of a mixed load and of replays, once it is stopped as an operator
//! does it, and started on the same folder. Whoever got no answer asks again with the same client order id. In the end
//! every order that was taken is there, no fill is missing or doubled, and wallets, book, rows and candles all tell the
//! same story.

use futures_util::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use system_tests::load::{self, SYMBOLS, Trader};
use system_tests::{Client, Exchange, books, eventually, repository};

const USERS: [&str; 5] = ["ann", "ben", "cho", "dan", "eve"];
const STEPS: usize = 240;
/// Answers after which the process is killed, and the one after which it is told to stop.
const KILLS: [usize; 4] = [60, 250, 480, 800];
const STOP: usize = 1000;
const CASH: u64 = 10_000_000;
const STOCK: u64 = 100_000;

/// Everybody trades on until as many answers have come as are wanted, or all is done; then the exchange ends.
async fn trade_until(
    exchange: &mut Exchange,
    traders: &mut [Trader],
    answered: &AtomicUsize,
    end: Option<usize>,
) {
    let users: Vec<Client> = USERS.iter().map(|name| exchange.test_user(name)).collect();
    let trading = join_all(traders.iter_mut().zip(users).map(|(trader, user)| trader.trade(user, answered)));
    let Some(end) = end else {
        trading.await;
        return;
    };
    let ending = async {
        eventually("enough is answered", async || (answered.load(Ordering::Relaxed) >= end).then_some(()))
            .await;
        // Requests are under way: whatever they have come to is cut off, or finished by an orderly stop.
        if end == STOP { exchange.stop().await } else { exchange.kill() }
    };
    tokio::join!(trading, ending);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crash_loses_or_doubles_anything() {
    let options =
        ["--symbols", "AAA,BBB", "--demo-cash", &CASH.to_string(), "--demo-stock", &STOCK.to_string()];
    let Some(mut exchange) = Exchange::start(&options).await else { return };
    for name in USERS {
        assert_eq!(exchange.test_user(name).balance("AAA").await, (STOCK, 0));
    }
    exchange.settle(&SYMBOLS).await;
    let deposited = exchange.assert_balanced().await;

    let mut traders: Vec<Trader> =
        (1..).zip(USERS).map(|(seed, name)| Trader::new(name, seed, STEPS)).collect();
    let answered = AtomicUsize::new(0);
    for end in KILLS.into_iter().chain([STOP]) {
        trade_until(&mut exchange, &mut traders, &answered, Some(end)).await;
        exchange.restart();
        // What is recovered is right before anybody asks again.
        exchange.assert_balanced().await;
    }
    trade_until(&mut exchange, &mut traders, &answered, None).await;
    assert!(traders.iter().all(Trader::is_done), "everybody came to the end");
    exchange.settle(&SYMBOLS).await;
    assert_eq!(exchange.assert_balanced().await, deposited, "nothing came in or went out");

    // Every order that was taken is there, once, and decided.
    let fills = books::fills(&exchange);
    let mut orders = Vec::new();
    for trader in &traders {
        let user = exchange.test_user(&trader.name);
        let rows = trader.assert_orders(&user, &[]).await;
        load::assert_wallets_follow_fills(&user, &fills, CASH, STOCK).await;
        orders.extend(rows);
    }
    assert!(fills.len() > 100, "the load trades: {} fills", fills.len());
    books::assert_rows_match_fills(&orders, &fills);

    load::assert_markets(&exchange.anonymous(), &orders, &fills).await;
    load::assert_all_can_be_taken_back(&exchange, &USERS).await;
    assert_eq!(exchange.assert_balanced().await, deposited);
}

/// `supernoba replay` is under way when the process is killed. What the replay was answered is there afterwards, and the
/// books of every symbol tell one story.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_replay_loses_nothing_that_was_answered() {
    let Some(mut exchange) = Exchange::start(&["--symbols", "AAA"]).await else { return };
    let flow = repository().join("engine-core/tests/golden/own.csv.gz");
    for (round, received) in [200, 900, 2000, 3500].into_iter().enumerate() {
        let symbol = format!("REPLAY{round}");
        // The metric counts from the start of the process.
        let replay = exchange.replay(&flow, &symbol).spawn().expect("the replay starts");
        eventually("enough has come", async || {
            (exchange.metric("orders_received_total").await >= received).then_some(())
        })
        .await;
        exchange.kill();
        let output = replay.wait_with_output().await.expect("the replay ends");
        assert!(!output.status.success(), "the replay was cut off");
        let summary = String::from_utf8(output.stdout).expect("text");
        let placed = summary.split_whitespace().nth(1).and_then(|number| number.parse::<usize>().ok());
        let placed = placed.unwrap_or_else(|| panic!("no summary: {summary:?}"));
        assert!(placed > 0, "{summary}");

        exchange.restart();
        exchange.settle(&[&symbol]).await;
        exchange.assert_balanced().await;
        let mut orders = Vec::new();
        for n in 0..8 {
            orders.extend(exchange.test_user(&format!("replay-{n}")).orders("all").await);
        }
        // An order that got no answer may never have reached the stream; nobody asks for it again.
        orders.retain(|order| order["status"] != "PENDING");
        let fills = books::fills(&exchange);
        books::assert_rows_match_fills(&orders, &fills);
        let of_round = orders.iter().filter(|order| order["symbol"] == symbol.as_str()).count();
        assert!(of_round >= placed, "{placed} orders were accepted, {of_round} are there");
        let fills: Vec<_> = fills.iter().filter(|fill| fill.symbol == symbol).collect();
        assert!(!fills.is_empty(), "the replay trades");
        let viewer = exchange.anonymous();
        let depth = viewer.get(&format!("/depth?symbol={symbol}")).await.json;
        assert_eq!((depth["b"].clone(), depth["a"].clone()), books::depth_of(&orders, &symbol));
        let chart = viewer.get(&format!("/chart?symbol={symbol}&interval=1m&limit=1000")).await;
        assert_eq!(chart.json["candles"], json!(books::candles_of(fills.into_iter())));
    }
}
