//! What an exchange on many machines does that one process cannot: parts of it die and are replaced, the cache is lost, several
//! gateways hold the connections. Only with `SUPERNOBA_BACKENDS=production`, as `cargo xtask test` sets it for them.

use serde_json::{Value, json};
use system_tests::{Client, Exchange, Socket, eventually};

const OPTIONS: [&str; 6] = ["--symbols", "TEST,AAA", "--demo-cash", "1000000", "--demo-stock", "1000"];
/// Places of the processes that an exchange begins with.
const ENGINE: usize = 0;

async fn exchange() -> Option<Exchange> {
    let exchange = Exchange::start(&OPTIONS).await?;
    if exchange.production().is_none() {
        println!("skipped: only with SUPERNOBA_BACKENDS=production");
        return None;
    }
    Some(exchange)
}

fn limit(side: &str, price: u64, quantity: u64) -> Value {
    json!({"symbol": "TEST", "side": side, "price": price, "quantity": quantity})
}

async fn watching(user: &Client) -> Socket {
    let mut socket = user.socket().await;
    socket.ask(json!({"action": "subscribe", "main": "TEST"}), "subscribed").await;
    socket
}

/// One sells and another buys, and both hear of it.
async fn trade(seller: &Client, buyer: &Client, price: u64) {
    let (mut sells, mut buys) = (watching(seller).await, watching(buyer).await);
    let offer = seller.place(limit("SELL", price, 5)).await;
    sells.hear_status(&offer, "ACCEPTED").await;
    let bid = buyer.place(limit("BUY", price, 5)).await;
    buys.hear_status(&bid, "FILLED").await;
    sells.hear_status(&offer, "FILLED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong() {
    let Some(mut exchange) = exchange().await else { return };
    let (well, said) = exchange.ask("doctor");
    assert!(well, "{said}");
    for line in [
        "ok      stream supernoba-orders: active, 4 open shards",
        "ok      depth cache: valkey 9.",
        "all is well",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    exchange.production_mut().unwrap().valkey.kill();
    let (well, said) = exchange.ask("doctor");
    assert!(!well && said.contains("WRONG   depth cache: ") && said.contains("ok      wallets: "), "{said}");
    exchange.production_mut().unwrap().valkey.restart();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_was_lost_is_full_again() {
    let Some(mut exchange) = exchange().await else { return };
    let (ann, ben) = (exchange.test_user("ann"), exchange.test_user("ben"));
    trade(&ann, &ben, 150).await;
    let offer = ann.place(limit("SELL", 160, 7)).await;
    ann.order_once(&offer, |order| order["status"] == "ACCEPTED").await;
    let shown = async |exchange: &Exchange| {
        let depth = exchange.anonymous().get("/depth?symbol=TEST").await;
        (depth.status == 200).then(|| depth.json["a"].clone())
    };
    eventually("the offer is shown", async || (shown(&exchange).await? == json!([[160, 7]])).then_some(()))
        .await;
    eventually("the list of symbols is copied", async || {
        let copy = exchange.production()?.object("candles/active-symbols.json").await?;
        (serde_json::from_str::<Value>(&copy).ok()? == json!(["AAA", "TEST"])).then_some(())
    })
    .await;
    let valkey = &mut exchange.production_mut().unwrap().valkey;
    valkey.kill();
    valkey.restart();
    eventually("the offer is shown again", async || {
        (shown(&exchange).await? == json!([[160, 7]])).then_some(())
    })
    .await;
    eventually("symbols are listed again", async || {
        let listed = exchange.anonymous().get("/admin").await;
        (listed.status == 200 && listed.json["symbols"] == json!([{"symbol": "AAA"}, {"symbol": "TEST"}]))
            .then_some(())
    })
    .await;
    trade(&ann, &ben, 155).await;
    exchange.settle(&["TEST", "AAA"]).await;
    exchange.assert_balanced().await;
}

/// Killed, and once only paused: it wakes up when its shards are another one's.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_or_hangs_is_replaced() {
    let Some(mut exchange) = exchange().await else { return };
    let (ann, ben) = (exchange.test_user("ann"), exchange.test_user("ben"));
    trade(&ann, &ben, 150).await;
    let second = exchange.add("engine");
    exchange.kill_one(ENGINE);
    trade(&ann, &ben, 151).await;
    let third = exchange.add("engine");
    exchange.signal(second, "-STOP");
    trade(&ann, &ben, 152).await;
    exchange.signal(second, "-CONT");
    trade(&ann, &ben, 153).await;
    exchange.signal(third, "-STOP");
    trade(&ann, &ben, 154).await;
    exchange.signal(third, "-CONT");
    let fills = exchange.production().unwrap();
    eventually("all fills are on record", async || (fills.fills().len() == 5).then_some(())).await;
    let prices: Vec<u64> = fills.fills().iter().map(|fill| fill.price).collect();
    assert_eq!(prices, [150, 151, 152, 153, 154]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_two_gateways_hear_of_each_other() {
    let Some(mut exchange) = exchange().await else { return };
    let other = exchange.add("gateway");
    let ann = exchange.test_user("ann");
    let ben = exchange.at(other).as_test_user("ben");
    trade(&ann, &ben, 150).await;
    trade(&ben, &ann, 151).await;
    // Market data reaches both, whichever gateway holds the connection.
    let (mut here, mut there) = (watching(&ann).await, watching(&ben).await);
    let offer = ben.place(limit("SELL", 170, 3)).await;
    for socket in [&mut here, &mut there] {
        socket.hear("the offer", |m| m["e"] == "d" && m["a"] == json!([[170, 3]])).await;
    }
    there.hear_status(&offer, "ACCEPTED").await;
    // A gateway that dies takes its clients with it and nobody else's; they come back to another one.
    exchange.kill_one(other);
    let mut back = watching(&exchange.test_user("ben")).await;
    let bid = ann.place(limit("BUY", 170, 3)).await;
    here.hear_status(&bid, "FILLED").await;
    back.hear_status(&offer, "FILLED").await;
}
