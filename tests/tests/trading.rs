//! Trading works as it is documented: two users' orders meet over REST and WebSocket, everybody sees what they may see,
//! in the contract's formats, and the books are right afterwards. Accounts, tokens and `@connections` do what Supabase
//! and API Gateway do.

use futures_util::future::join_all;
use serde_json::{Value, json};
use system_tests::books::{self, number};
use system_tests::{Client, Document, Exchange, Socket, eventually};

const OPTIONS: [&str; 6] = ["--symbols", "TEST,AAA,BBB", "--demo-cash", "1000000", "--demo-stock", "1000"];
const CASH: u64 = 1_000_000;
const STOCK: u64 = 1_000;

/// A user with an open socket that watches the main symbol.
async fn trader(exchange: &Exchange, name: &str) -> (Client, Socket) {
    let user = exchange.test_user(name);
    let mut socket = user.socket().await;
    let answer =
        socket.ask(json!({"action": "subscribe", "main": "TEST", "sub": ["AAA"]}), "subscribed").await;
    assert_eq!(answer, json!({"e": "subscribed", "main": "TEST", "sub": ["AAA"]}));
    (user, socket)
}

fn limit(side: &str, price: u64, quantity: u64) -> Value {
    json!({"symbol": "TEST", "side": side, "price": price, "quantity": quantity})
}

fn immediate(side: &str, tif: &str, price: u64, quantity: u64) -> Value {
    json!({"symbol": "TEST", "side": side, "tif": tif, "price": price, "quantity": quantity})
}

fn market(side: &str, quantity: u64) -> Value {
    json!({"symbol": "TEST", "side": side, "type": "MARKET", "quantity": quantity})
}

/// The message, with these fields taken out: what nobody can foretell.
fn without(message: &Value, fields: &[&str]) -> Value {
    let mut message = message.clone();
    for field in fields {
        assert!(message[field].is_u64(), "{field} in {message}");
        message.as_object_mut().expect("an object").remove(*field);
    }
    message
}

/// Statuses of one user arrive in order: their numbers rise. One that is heard again says the same.
fn assert_rising(socket: &Socket) {
    let mut first: Vec<&Value> = Vec::new();
    for message in socket.heard.iter().filter(|m| m["e"] == "order") {
        if !first.contains(&message) {
            first.push(message);
        }
    }
    let numbers: Vec<u64> = first.into_iter().map(|m| number(m, "n")).collect();
    assert!(!numbers.is_empty() && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_trade_and_everybody_sees_it() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let document = Document::read();
    let ((ann, mut anns), (ben, mut bens)) = (trader(&exchange, "ann").await, trader(&exchange, "ben").await);
    let mut viewer = exchange.anonymous().socket().await;
    viewer.ask(json!({"action": "subscribe", "main": "TEST"}), "subscribed").await;
    let pong = viewer.ask(json!({"action": "ping"}), "pong").await;
    assert_eq!(without(&pong, &["t"]), json!({"e": "pong"}));

    // Ann offers; the offer is locked, told and shown.
    let offer = ann.place(limit("SELL", 150, 10)).await;
    let told = anns.hear_status(&offer, "ACCEPTED").await;
    let accepted = json!({"e": "order", "s": "TEST", "id": offer, "st": "ACCEPTED", "sd": "SELL", "p": 150, "q": 10, "r": 10});
    assert_eq!(without(&told, &["n", "t"]), accepted);
    let depth = bens.hear("the offer", |m| m["e"] == "d" && m["a"] == json!([[150, 10]])).await;
    assert_eq!(without(&depth, &["n", "t"]), json!({"e": "d", "s": "TEST", "b": [], "a": [[150, 10]]}));
    assert_eq!(ann.balance("TEST").await, (STOCK - 10, 10));

    // Ben takes a part at the better price: improvement is the taker's, the rest of his lock comes back.
    let bid = ben.place(limit("BUY", 151, 4)).await;
    let filled = bens.hear_status(&bid, "FILLED").await;
    let expected = json!({"e": "order", "s": "TEST", "id": bid, "st": "FILLED", "sd": "BUY", "p": 151, "q": 4, "r": 0, "fp": 150, "fq": 4});
    let known = |m: &Value| {
        let mut m = without(m, &["n", "t"]);
        // `q` is the fill's or the order's quantity: the same here.
        m["q"] = json!(4);
        m
    };
    assert_eq!(known(&filled), expected);
    let part = anns.hear_status(&offer, "PARTIALLY_FILLED").await;
    assert_eq!((number(&part, "r"), number(&part, "fp"), number(&part, "fq")), (6, 150, 4));
    for socket in [&mut anns, &mut viewer] {
        let trade = socket.hear("the trade", |m| m["e"] == "x").await;
        assert_eq!(without(&trade, &["n", "t"]), json!({"e": "x", "s": "TEST", "p": 150, "q": 4, "b": true}));
        // Where the minute has just ended, it is shown closed.
        let candle = socket.hear("the candle", |m| m["e"] == "candle" || m["e"] == "candle_close").await;
        let minute = candle["t"].as_str().expect("text").to_string();
        assert!(minute.len() == 12 && minute.bytes().all(|b| b.is_ascii_digit()), "{minute}");
        let text = json!({
            "e": candle["e"], "s": "TEST", "o": "150", "h": "150", "l": "150", "c": "150", "v": "4", "t": minute,
        });
        assert_eq!(candle, text);
        let ticker = socket.hear("the ticker", |m| m["e"] == "t").await;
        assert_eq!(without(&ticker, &["t"]), json!({"e": "t", "s": "TEST", "p": 150, "c": 0, "yc": 0}));
    }
    let row = ben.order_once(&bid, |order| order["status"] == "FILLED").await;
    assert_eq!((number(&row, "filled"), number(&row, "remaining"), number(&row, "cost")), (4, 0, 600));
    let row = ann.order_once(&offer, |order| order["status"] == "PARTIALLY_FILLED").await;
    assert_eq!((number(&row, "filled"), number(&row, "remaining"), number(&row, "cost")), (4, 6, 600));
    assert_eq!((ben.balance("CASH").await, ben.balance("TEST").await), ((CASH - 600, 0), (STOCK + 4, 0)));
    assert_eq!((ann.balance("CASH").await, ann.balance("TEST").await), ((CASH + 600, 0), (STOCK - 10, 6)));
    assert_eq!(ben.get(&format!("/orders/{offer}")).await.refusal(), (404, "unknown_order"), "not his");

    // Ann moves what is left, then takes it back.
    let replaced = ann.patch(&format!("/orders/{offer}"), json!({"price": 149, "quantity": 3})).await;
    assert_eq!(replaced.status, 202, "{}", replaced.text);
    let told = anns.hear_status(&offer, "REPLACED").await;
    assert_eq!(told["rq"], replaced.json["request_id"]);
    let row = ann.order_once(&offer, |order| order["price"] == 149).await;
    assert_eq!((number(&row, "quantity"), number(&row, "remaining")), (7, 3));
    assert_eq!(ann.balance("TEST").await, (STOCK - 7, 3));
    viewer.hear("the moved offer", |m| m["e"] == "d" && m["a"] == json!([[149, 3]])).await;
    let cancelled = ann.delete(&format!("/orders/{offer}")).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text);
    let told = anns.hear_status(&offer, "CANCELLED").await;
    assert_eq!((&told["reason"], &told["rq"]), (&json!("user"), &cancelled.json["request_id"]));
    ann.order_once(&offer, |order| order["status"] == "CANCELLED").await;
    assert_eq!(ann.delete(&format!("/orders/{offer}")).await.refusal(), (409, "order_closed"));
    assert_eq!(ann.balance("TEST").await, (STOCK - 4, 0));

    // What came to somebody came in order, and as the document says; nobody else's orders are shown.
    for socket in [&anns, &bens, &viewer] {
        for message in &socket.heard {
            document.check_value(document.schema("ServerMessage"), message).unwrap();
        }
    }
    assert_rising(&anns);
    assert_rising(&bens);
    assert!(bens.heard.iter().all(|m| m["id"] != json!(offer)), "not his");
    assert!(viewer.heard.iter().all(|m| m["e"] != "order"), "nobody's");
    exchange.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn immediate_orders_take_what_is_there_and_nothing_rests() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let ((ann, _), (ben, mut bens)) = (trader(&exchange, "ann").await, trader(&exchange, "ben").await);
    assert_eq!(ben.post("/orders", market("BUY", 1)).await.refusal(), (409, "no_opposite_quote"));
    ann.place(limit("SELL", 100, 2)).await;
    bens.hear("the offer", |m| m["e"] == "d" && m["a"] == json!([[100, 2]])).await;

    let killed = ben.place(immediate("BUY", "FOK", 100, 3)).await;
    assert_eq!(bens.hear_status(&killed, "CANCELLED").await["reason"], "fok");
    let row = ben.order_once(&killed, |order| order["status"] == "CANCELLED").await;
    assert_eq!((&row["reason"], number(&row, "filled")), (&json!("fok"), 0));

    let taken = ben.place(immediate("BUY", "IOC", 100, 3)).await;
    assert_eq!(bens.hear_status(&taken, "CANCELLED").await["reason"], "ioc");
    let row = ben.order_once(&taken, |order| order["status"] == "CANCELLED").await;
    assert_eq!((number(&row, "filled"), number(&row, "cost"), number(&row, "remaining")), (2, 200, 0));

    ann.place(limit("SELL", 100, 2)).await;
    let whole = ben.place(immediate("BUY", "FOK", 100, 2)).await;
    bens.hear_status(&whole, "FILLED").await;

    // A market order stops at its protection price, ten percent above the best offer.
    ann.place(limit("SELL", 100, 1)).await;
    ann.place(limit("SELL", 110, 1)).await;
    ann.place(limit("SELL", 111, 1)).await;
    let offers = json!([[100, 1], [110, 1], [111, 1]]);
    bens.hear("the offers", |m| m["e"] == "d" && m["a"] == offers).await;
    let bought = ben.place(market("BUY", 3)).await;
    assert_eq!(bens.hear_status(&bought, "CANCELLED").await["reason"], "protection");
    let row = ben.order_once(&bought, |order| order["status"] == "CANCELLED").await;
    assert_eq!((number(&row, "price"), &row["protection"], &row["tif"]), (110, &json!(true), &json!("IOC")));
    assert_eq!((number(&row, "filled"), number(&row, "cost")), (2, 210));

    exchange.settle(&["TEST"]).await;
    assert_eq!((ben.balance("CASH").await, ben.balance("TEST").await), ((CASH - 610, 0), (STOCK + 6, 0)));
    let depth = ben.get("/depth?symbol=TEST").await;
    assert_eq!((&depth.json["a"], &depth.json["b"]), (&json!([[111, 1]]), &json!([])));
    assert_rising(&bens);

    // The trade history and the chart have just these fills.
    let fills = books::fills(&exchange);
    let traded: Vec<_> =
        fills.iter().map(|fill| (fill.price, fill.quantity, &*fill.buyer, &*fill.seller)).collect();
    let between = |price, quantity| (price, quantity, "test-ben", "test-ann");
    assert_eq!(traded, [between(100, 2), between(100, 2), between(100, 1), between(110, 1)]);
    for fill in &fills {
        assert_eq!(fill.id, format!("TEST-{}", fill.seq));
    }
    let chart = ben.get("/chart?symbol=TEST&interval=1m").await;
    assert_eq!((&chart.json["symbol"], &chart.json["interval"]), (&json!("TEST"), &json!("1m")));
    assert_eq!(chart.json["candles"], json!(books::candles_of(fills.iter())));
    exchange.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_one_client_id_is_placed_once() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let ann = exchange.test_user("ann");
    let mut order = limit("BUY", 10, 5);
    order["client_order_id"] = json!("mine/1");
    let first = ann.post("/orders", order.clone()).await;
    assert_eq!((first.status, &first.json["status"]), (202, &json!("PENDING")), "{}", first.text);
    let again = ann.post("/orders", order.clone()).await;
    assert_eq!((again.status, again.order_id()), (200, first.order_id()));
    assert_eq!(again.json["client_order_id"], "mine/1");

    // Many at once: still one order; and the same name is another order for another user.
    order["client_order_id"] = json!("mine/2");
    let racers = (0..8).map(|_| async {
        // Whoever loses every race for the row is asked to try again.
        let place =
            async || Some(ann.post("/orders", order.clone()).await).filter(|answer| answer.status != 429);
        eventually("the order is placed", place).await
    });
    let mut ids = Vec::new();
    for answer in join_all(racers).await {
        assert!(matches!(answer.status, 200 | 202), "{} {}", answer.status, answer.text);
        ids.push(answer.order_id().to_string());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(exchange.test_user("ben").post("/orders", order).await.status, 202);

    exchange.settle(&["TEST"]).await;
    assert_eq!(ann.orders("all").await.len(), 2);
    assert_eq!(ann.balance("CASH").await, (CASH - 100, 100));
    exchange.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_replaced_and_boards_get_tickers_only() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let (ann, ben) = (exchange.test_user("ann"), exchange.test_user("ben"));
    let trade = async |symbol: &str, price: u64| {
        for (user, side) in [(&ann, "SELL"), (&ben, "BUY")] {
            user.place(json!({"symbol": symbol, "side": side, "price": price, "qty": 1})).await;
        }
    };
    trade("AAA", 20).await;
    exchange.settle(&["AAA"]).await;

    // Whoever comes later gets the state at once: of a board the ticker, of the main symbol everything.
    let mut viewer = exchange.anonymous().socket().await;
    viewer.ask(json!({"action": "subscribe", "sub": ["AAA"]}), "subscribed").await;
    viewer.hear("the ticker", |m| m["e"] == "t" && m["s"] == "AAA" && m["p"] == 20).await;
    assert!(viewer.heard.iter().all(|m| m["e"] == "subscribed" || m["e"] == "t"), "{:?}", viewer.heard);
    viewer.heard.clear();
    viewer.ask(json!({"action": "subscribe", "main": "AAA"}), "subscribed").await;
    viewer.hear("the book", |m| m["e"] == "d" && m["s"] == "AAA").await;
    viewer.hear("the last trade", |m| m["e"] == "x" && m["s"] == "AAA" && m["p"] == 20).await;

    // After another subscription, the old symbol is silent.
    viewer.ask(json!({"action": "subscribe", "main": "BBB"}), "subscribed").await;
    let switched = viewer.heard.len();
    trade("AAA", 21).await;
    exchange.settle(&["AAA"]).await;
    trade("BBB", 30).await;
    viewer.hear("the trade", |m| m["e"] == "x" && m["s"] == "BBB").await;
    viewer.hear("the ticker", |m| m["e"] == "t" && m["s"] == "BBB").await;
    // One round that had begun before may still have shown the old one.
    let late = |m: &&Value| m["s"] == "AAA" && m["e"] == "x" && m["p"] == 21;
    assert_eq!(viewer.heard[switched..].iter().filter(late).count(), 0, "{:?}", viewer.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_sign_up_trade_refresh_and_leave() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let nobody = exchange.anonymous();
    let credentials = json!({"email": "ann@example.com", "password": "correct horse"});
    let session = nobody.post("/auth/v1/signup", credentials.clone()).await;
    assert_eq!((session.status, &session.json["token_type"]), (200, &json!("bearer")), "{}", session.text);
    assert_eq!(nobody.post("/auth/v1/signup", credentials.clone()).await.refusal(), (422, "email_exists"));
    let token = session.json["access_token"].as_str().unwrap().to_string();
    let ann = nobody.with_token(&token);
    let user = ann.get("/auth/v1/user").await;
    assert_eq!((user.status, &user.json), (200, &session.json["user"]));
    let id = user.json["id"].as_str().unwrap().to_string();

    // She trades as a test user does; neither sees the other, whatever a test user calls itself.
    let order = ann.place(limit("BUY", 10, 5)).await;
    assert_eq!(ann.balance("CASH").await, (CASH - 50, 50));
    assert_eq!(ann.get("/assets").await.json["user_id"], json!(id));
    let other = exchange.test_user("ann");
    assert_eq!(other.get(&format!("/orders/{order}")).await.refusal(), (404, "unknown_order"));
    let posing = nobody.get(&format!("/assets?userId={id}&testMode=true")).await;
    assert_eq!(posing.refusal(), (401, "bad_test_user"));
    let both = ann.get("/assets?userId=test-ann&testMode=true").await;
    assert_eq!(both.json["user_id"], json!(id), "the token goes first");

    // A token gets in as a subprotocol, in the address, and as a header.
    let protocols = format!("bearer, {token}");
    let mut by_protocol = nobody.handshake("/ws", &[("sec-websocket-protocol", &protocols)]).await.unwrap();
    assert_eq!(by_protocol.protocol.as_deref(), Some("bearer"));
    let mut by_query = nobody.handshake(&format!("/ws?token={token}"), &[]).await.unwrap();
    let mut by_header = ann.socket().await;
    let order = ann.place(limit("BUY", 11, 1)).await;
    for socket in [&mut by_protocol, &mut by_query, &mut by_header] {
        socket.hear_status(&order, "ACCEPTED").await;
    }

    // Signing in again, and refreshing: each refresh token once.
    let signed_in = nobody.post("/auth/v1/token?grant_type=password", credentials).await;
    assert_eq!((signed_in.status, &signed_in.json["user"]["id"]), (200, &json!(id)));
    let wrong = json!({"email": "ann@example.com", "password": "wrong horse"});
    let wrong = nobody.post("/auth/v1/token?grant_type=password", wrong).await;
    assert_eq!(wrong.refusal(), (400, "invalid_credentials"));
    let refresh = |of: &Value| json!({"refresh_token": of["refresh_token"]});
    let path = "/auth/v1/token?grant_type=refresh_token";
    let refreshed = nobody.post(path, refresh(&session.json)).await;
    assert_eq!((refreshed.status, &refreshed.json["user"]["id"]), (200, &json!(id)));
    assert_eq!(nobody.post(path, refresh(&session.json)).await.refusal(), (400, "refresh_token_not_found"));
    let ann = nobody.with_token(refreshed.json["access_token"].as_str().unwrap());
    assert_eq!(ann.orders("open").await.len(), 2);
    assert_eq!(ann.send("POST", "/auth/v1/logout", None, Vec::new()).await.status, 204);
    for session in [&refreshed, &signed_in] {
        assert_eq!(
            nobody.post(path, refresh(&session.json)).await.refusal(),
            (400, "refresh_token_not_found")
        );
    }

    // Accounts and what they own are there after a restart, and so are the keys that sign.
    let mut exchange = exchange;
    exchange.stop().await;
    exchange.restart();
    let ann = exchange.anonymous().with_token(&token);
    assert_eq!(ann.get("/auth/v1/user").await.json["id"], json!(id));
    assert_eq!(ann.balance("CASH").await, (CASH - 61, 61));
    exchange.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_test_mode_nobody_is_a_test_user() {
    let Some(exchange) = Exchange::start(&["--no-test-mode"]).await else { return };
    let ann = exchange.test_user("ann");
    assert_eq!(ann.get("/assets").await.refusal(), (401, "test_mode_off"));
    assert_eq!(ann.post("/orders", limit("BUY", 1, 1)).await.refusal(), (401, "test_mode_off"));
    let refused = ann.handshake("/ws", &[]).await.err().expect("refused");
    assert_eq!(refused.refusal(), (401, "test_mode_off"));
    assert_eq!(exchange.anonymous().get("/config.json").await.json["test_mode"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_managed_from_outside_and_leave_nothing_behind() {
    let Some(exchange) = Exchange::start(&OPTIONS).await else { return };
    let administrator = exchange.administrator();
    let (ann, mut socket) = trader(&exchange, "ann").await;
    let path = |socket: &Socket| format!("/@connections/{}", socket.id.replace('=', "%3D"));
    let place = path(&socket);

    let posted = administrator.post(&place, json!({"e": "hello"})).await;
    assert_eq!((posted.status, &*posted.text), (200, ""));
    socket.hear("the message", |m| *m == json!({"e": "hello"})).await;
    let info = administrator.get(&place).await;
    assert_eq!(info.status, 200);
    let document = Document::read();
    document.check("GET", "/@connections/{id}", &info).unwrap();
    assert_eq!(info.json["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(ann.get(&place).await.refusal(), (401, "token_missing"), "administrators only");

    // Closed from outside: its client is told, and it is gone for everybody.
    assert_eq!(administrator.delete(&place).await.status, 204);
    assert_eq!(socket.end().await, Some(1001));
    for method in ["POST", "GET", "DELETE"] {
        let answer = administrator.send(method, &place, None, b"{}".to_vec()).await;
        assert_eq!(answer.refusal(), (410, "gone"), "{method}");
    }

    // Hung up by its client, or broken off: the same.
    let (_, closing) = trader(&exchange, "ann").await;
    let (_, breaking) = trader(&exchange, "ann").await;
    let places = [path(&closing), path(&breaking)];
    closing.close().await;
    drop(breaking);
    for place in &places {
        eventually("the connection is gone", async || {
            (administrator.get(place).await.status == 410).then_some(())
        })
        .await;
    }
    eventually("no connection is left", async || (exchange.metric("connections").await == 0).then_some(()))
        .await;

    // What comes for the user later finds only the connections that are there.
    let (_, mut socket) = trader(&exchange, "ann").await;
    let order = ann.place(limit("BUY", 10, 1)).await;
    socket.hear_status(&order, "ACCEPTED").await;
}
