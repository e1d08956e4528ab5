//! The process is killed again and again in the middle of a mixed load and of replays, once it is stopped as an operator
//! does it, and started on the same folder. Whoever got no answer asks again with the same client order id. In the end
//! every order that was taken is there, no fill is missing or doubled, and wallets, book, rows and candles all tell the
//! same story.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use system_tests::{Answer, Client, Exchange, Random, books, eventually, repository};

const USERS: [&str; 5] = ["ann", "ben", "cho", "dan", "eve"];
const SYMBOLS: [&str; 2] = ["AAA", "BBB"];
const SIDES: [&str; 2] = ["BUY", "SELL"];
const STEPS: usize = 240;
/// Answers after which the process is killed, and the one after which it is told to stop.
const KILLS: [usize; 4] = [60, 250, 480, 800];
const STOP: usize = 1000;
const CASH: u64 = 10_000_000;
const STOCK: u64 = 100_000;

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Step {
    Place(Value),
    /// About the order of an earlier step of the same user.
    Cancel(usize),
    Replace(usize, Value),
}

/// A user's whole flow, and how far it has come.
struct Trader {
    name: &'static str,
    steps: Vec<Step>,
    /// Steps that were answered.
    done: usize,
    /// The order that each answered step has placed.
    placed: Vec<Option<String>>,
}

impl Trader {
    fn new(name: &'static str, seed: u64) -> Trader {
        let mut random = Random::new(seed);
        let steps = (0..STEPS).map(|n| step(&mut random, n)).collect();
        Trader { name, steps, done: 0, placed: Vec::new() }
    }

    /// Goes on until all is done or the exchange does not answer.
    async fn trade(&mut self, user: Client, answered: &AtomicUsize) {
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
}

/// Sends until there is an answer that is not "try again"; `None` when nobody answers.
async fn send(user: &Client, method: &str, path: &str, body: &Value) -> Option<Answer> {
    loop {
        let answer =
            user.try_send(method, path, Some("application/json"), body.to_string().into()).await.ok()?;
        if answer.status != 429 {
            return Some(answer);
        }
    }
}

/// Mostly limit orders around 100 that cross now and then; nobody offers at 1, which [`Exchange::settle`] bids.
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

    let mut traders: Vec<Trader> = (1..).zip(USERS).map(|(seed, name)| Trader::new(name, seed)).collect();
    let answered = AtomicUsize::new(0);
    for end in KILLS.into_iter().chain([STOP]) {
        trade_until(&mut exchange, &mut traders, &answered, Some(end)).await;
        exchange.restart();
        // What is recovered is right before anybody asks again.
        exchange.assert_balanced().await;
    }
    trade_until(&mut exchange, &mut traders, &answered, None).await;
    assert!(traders.iter().all(|trader| trader.done == STEPS), "everybody came to the end");
    exchange.settle(&SYMBOLS).await;
    assert_eq!(exchange.assert_balanced().await, deposited, "nothing came in or went out");

    // Every order that was taken is there, once, and decided.
    let fills = books::fills(&exchange);
    let mut orders = Vec::new();
    for trader in &traders {
        let user = exchange.test_user(trader.name);
        let rows = user.orders("all").await;
        let ids: BTreeSet<&str> = rows.iter().map(|row| row["order_id"].as_str().expect("an id")).collect();
        let taken: BTreeSet<&str> = trader.placed.iter().flatten().map(String::as_str).collect();
        assert_eq!(ids, taken, "{}", trader.name);
        let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["client_order_id"].as_str()).collect();
        assert_eq!(names.len(), rows.len(), "{}", trader.name);
        // The engine itself refuses only a market order whose other side has gone meanwhile.
        let refused = |row: &Value| row["status"] == "REJECTED" && row["reason"] != "no_opposite_quote";
        let lost: Vec<&Value> =
            rows.iter().filter(|row| row["status"] == "PENDING" || refused(row)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        books::assert_locked_is_needed(&user).await;
        assert_wallets_follow_fills(&user, &fills).await;
        orders.extend(rows);
    }
    assert!(fills.len() > 100, "the load trades: {} fills", fills.len());
    books::assert_rows_match_fills(&orders, &fills);

    // The book is that of the open orders, the chart that of the fills.
    let viewer = exchange.anonymous();
    for symbol in SYMBOLS {
        let (bids, asks) = books::depth_of(&orders, symbol);
        eventually("the depth is that of the open orders", async || {
            let depth = viewer.get(&format!("/depth?symbol={symbol}")).await.json;
            (depth["b"] == bids && depth["a"] == asks).then_some(())
        })
        .await;
        let candles = json!(books::candles_of(fills.iter().filter(|fill| fill.symbol == symbol)));
        let chart = viewer.get(&format!("/chart?symbol={symbol}&interval=1m&limit=1000")).await;
        assert_eq!(chart.json["candles"], candles, "{symbol}");
    }

    // The engine knows every order that rests: each can be taken back, and then nothing is locked.
    for name in USERS {
        let user = exchange.test_user(name);
        for order in user.orders("open").await {
            let cancelled =
                user.delete(&format!("/orders/{}", order["order_id"].as_str().expect("an id"))).await;
            assert_eq!(cancelled.status, 202, "{}", cancelled.text);
        }
    }
    exchange.settle(&SYMBOLS).await;
    for name in USERS {
        let user = exchange.test_user(name);
        assert!(user.orders("open").await.is_empty());
        for asset in ["CASH", "AAA", "BBB"] {
            assert_eq!(user.balance(asset).await.1, 0, "{name} {asset}");
        }
    }
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

/// What a user owns is what it was given and what its fills have moved, each of them once.
async fn assert_wallets_follow_fills(user: &Client, fills: &[books::Fill]) {
    let (mut cash, mut stock) = (CASH, [STOCK; 2]);
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
