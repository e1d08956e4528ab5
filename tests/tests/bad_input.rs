//! Whatever is sent, a wrong request is refused with the documented status and code, and changes nothing: no wallet, no
//! lock, no record of the orders stream, no row.

use serde_json::{Value, json};
use system_tests::{Answer, Client, Document, Exchange};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// An exchange with a resting and a cancelled order, and with what it looked like before the wrong requests.
struct Scene {
    exchange: Exchange,
    document: Document,
    ann: Client,
    resting: String,
    cancelled: String,
    before: Value,
}

impl Scene {
    async fn new() -> Option<Scene> {
        let exchange = Exchange::start(&[]).await?;
        let ann = exchange.test_user("ann");
        // Nothing is traded here: without a candle to close, the clock puts nothing on the stream.
        let bid = json!({"symbol": "TEST", "side": "BUY", "price": 100, "quantity": 10});
        let (resting, cancelled) = (ann.place(bid.clone()).await, ann.place(bid).await);
        assert_eq!(ann.delete(&format!("/orders/{cancelled}")).await.status, 202);
        exchange.settle(&["TEST"]).await;
        ann.get("/assets").await;
        let document = Document::read();
        let mut scene = Scene { exchange, document, ann, resting, cancelled, before: Value::Null };
        scene.before = scene.state().await;
        Some(scene)
    }

    /// Everything that a wrong request could have changed.
    async fn state(&self) -> Value {
        json!({
            "totals": self.exchange.administrator().get("/admin/totals").await.json,
            "received": self.exchange.metric("orders_received_total").await,
            "orders": self.ann.orders("all").await,
            "assets": self.ann.get("/assets").await.json,
            "depth": self.ann.get("/depth?symbol=TEST").await.json,
            "symbols": self.ann.get("/admin").await.json,
        })
    }

    async fn assert_unchanged(&self) {
        // What had been put on the stream would be there before this order; the order itself is counted.
        self.exchange.settle(&["TEST"]).await;
        let mut now = self.state().await;
        now["received"] = (now["received"].as_u64().expect("a count") - 1).into();
        // Its acceptance and its end are events of the market.
        for field in ["n", "t"] {
            now["depth"][field] = self.before["depth"][field].clone();
        }
        assert_eq!(now, self.before);
        self.exchange.assert_balanced().await;
    }

    /// The answer is this refusal, and the operation's description knows it.
    fn assert_refused(&self, what: &str, operation: (&str, &str), answer: &Answer, expected: (u16, &str)) {
        assert_eq!(answer.refusal(), expected, "{what}: {}", answer.text);
        self.document
            .check(operation.0, operation.1, answer)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// A good order with these fields set otherwise.
fn with<const N: usize>(fields: [(&str, Value); N]) -> String {
    let mut order = json!({"symbol": "TEST", "side": "BUY", "price": 100, "quantity": 10});
    fields.into_iter().for_each(|(name, value)| order[name] = value);
    order.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_orders_are_refused() {
    let Some(scene) = Scene::new().await else { return };
    let raw = |text: &str| text.to_string();
    let number = |field: &str, text: &str| {
        with([(field, json!(0))]).replace(&format!("\"{field}\":0"), &format!("\"{field}\":{text}"))
    };
    let deep = format!(r#"{{"symbol":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let long = "A".repeat(17);
    let mut cases: Vec<(String, u16, &str)> = vec![
        (raw(""), 400, "bad_json"),
        (raw("{"), 400, "bad_json"),
        (raw("null"), 400, "bad_json"),
        (raw("[]"), 400, "bad_json"),
        (raw("\u{feff}{}"), 400, "bad_json"),
        (raw("{}{}"), 400, "bad_json"),
        (raw(r#"{"symbol":"TEST","symbol":"TEST"}"#), 400, "bad_json"),
        (raw(r#"{"symbol":"\ud800"}"#), 400, "bad_json"),
        (deep, 400, "bad_json"),
        (number("price", "01"), 400, "bad_json"),
        (number("price", "NaN"), 400, "bad_json"),
        (number("price", "1e999"), 400, "bad_json"),
        (raw("{}"), 400, "missing_field"),
        (with([("symbol", Value::Null)]), 400, "missing_field"),
        (with([("side", Value::Null)]), 400, "missing_field"),
        (with([("price", Value::Null)]), 400, "missing_field"),
        (with([("quantity", Value::Null)]), 400, "missing_field"),
        (with([("colour", json!("red"))]), 400, "unknown_field"),
        (with([("user_id", json!("test-ben"))]), 400, "unknown_field"),
        (with([("order_id", json!("ord_1"))]), 400, "unknown_field"),
        (with([("symbol", json!(1))]), 400, "bad_field"),
        (with([("symbol", json!(""))]), 400, "bad_symbol"),
        (with([("symbol", json!("test"))]), 400, "bad_symbol"),
        (with([("symbol", json!("TE ST"))]), 400, "bad_symbol"),
        (with([("symbol", json!("TEST\u{0}"))]), 400, "bad_symbol"),
        (with([("symbol", json!("시험"))]), 400, "bad_symbol"),
        (with([("symbol", json!(long))]), 400, "bad_symbol"),
        (with([("symbol", json!("NONE"))]), 404, "unknown_symbol"),
        (with([("symbol", json!("CASH"))]), 404, "unknown_symbol"),
        (with([("side", json!("buy"))]), 400, "bad_side"),
        (with([("side", json!(true))]), 400, "bad_field"),
        (with([("type", json!("STOP"))]), 400, "bad_type"),
        (with([("type", json!(["LIMIT"]))]), 400, "bad_field"),
        (with([("tif", json!("DAY"))]), 400, "bad_tif"),
        (with([("type", json!("MARKET"))]), 400, "bad_price"),
        (with([("price", json!(0))]), 400, "bad_price"),
        (with([("quantity", json!(0))]), 400, "bad_quantity"),
        (with([("qty", json!(1))]), 400, "bad_field"),
        (with([("client_order_id", json!(""))]), 400, "bad_field"),
        (with([("client_order_id", json!("a b"))]), 400, "bad_field"),
        (with([("client_order_id", json!("x".repeat(65)))]), 400, "bad_field"),
        (with([("client_order_id", json!(7))]), 400, "bad_field"),
        (with([("price", json!(1u64 << 52)), ("quantity", json!(1u64 << 52))]), 400, "notional_too_large"),
        (with([("price", json!(1u64 << 32)), ("quantity", json!(1u64 << 31))]), 400, "notional_too_large"),
        (with([("price", json!(null)), ("type", json!("MARKET"))]), 409, "no_opposite_quote"),
    ];
    for field in ["price", "quantity"] {
        for bad in [
            "-1",
            "-0",
            "1.0",
            "0.5",
            "1e3",
            "9007199254740992",
            "18446744073709551616",
            "\"1\"",
            "true",
            "{}",
            "[1]",
        ] {
            cases.push((number(field, bad), 400, "bad_field"));
        }
    }
    for (body, status, code) in cases {
        let what = body.chars().take(120).collect::<String>();
        let answer = scene.ann.send("POST", "/orders", Some("application/json"), body.into()).await;
        scene.assert_refused(&what, ("POST", "/orders"), &answer, (status, code));
    }
    scene.assert_unchanged().await;

    // An order for more than there is leaves a rejected row, and nothing else.
    let answer = scene
        .ann
        .post("/orders", json!({"symbol": "TEST", "side": "SELL", "price": 1, "quantity": 10_001}))
        .await;
    scene.assert_refused("too much stock", ("POST", "/orders"), &answer, (422, "insufficient_balance"));
    let rows = scene.ann.orders("all").await;
    assert_eq!(
        (rows.len(), &rows[2]["status"], &rows[2]["reason"]),
        (3, &json!("REJECTED"), &json!("insufficient_balance"))
    );
    assert_eq!(scene.ann.balance("TEST").await, (10_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_changes_and_questions_are_refused() {
    let Some(scene) = Scene::new().await else { return };
    let order = format!("/orders/{}", scene.resting);
    let closed = format!("/orders/{}", scene.cancelled);
    for (body, status, code) in [
        ("nonsense", 400, "bad_json"),
        ("{}", 400, "missing_field"),
        (r#"{"price":0}"#, 400, "bad_price"),
        (r#"{"quantity":0}"#, 400, "bad_quantity"),
        (r#"{"price":1.5}"#, 400, "bad_field"),
        (r#"{"quantity":-1}"#, 400, "bad_field"),
        (r#"{"quantity":9007199254740992}"#, 400, "bad_field"),
        (r#"{"price":9007199254740991,"quantity":9007199254740991}"#, 400, "notional_too_large"),
        (r#"{"side":"SELL"}"#, 400, "unknown_field"),
    ] {
        let answer = scene.ann.send("PATCH", &order, Some("application/json"), body.into()).await;
        scene.assert_refused(body, ("PATCH", "/orders/{id}"), &answer, (status, code));
    }
    let nobodys = "/orders/ord_00000000000000000000000000";
    let ben = scene.exchange.test_user("ben");
    for (user, path, expected) in [
        (&scene.ann, &*closed, (409, "order_closed")),
        (&scene.ann, nobodys, (404, "unknown_order")),
        (&scene.ann, "/orders/..%2F..%2Fetc", (404, "unknown_order")),
        (&scene.ann, "/orders/%FF%00", (404, "unknown_order")),
        (&ben, &*order, (404, "unknown_order")),
    ] {
        let answer = user.patch(path, json!({"price": 1})).await;
        scene.assert_refused(path, ("PATCH", "/orders/{id}"), &answer, expected);
        let answer = user.delete(path).await;
        scene.assert_refused(path, ("DELETE", "/orders/{id}"), &answer, expected);
    }

    for (path, code) in [
        ("/orders?limit=0", "bad_limit"),
        ("/orders?limit=501", "bad_limit"),
        ("/orders?limit=-1", "bad_limit"),
        ("/orders?limit=1e1", "bad_limit"),
        ("/orders?limit=", "bad_limit"),
        ("/orders?limit=99999999999999999999", "bad_limit"),
        ("/orders?cursor=x", "bad_cursor"),
        ("/orders?cursor=ord_1", "bad_cursor"),
        ("/orders?cursor=%00", "bad_cursor"),
        ("/orders?status=closed", "bad_field"),
        ("/orders?symbol=te%20st", "bad_symbol"),
        ("/chart?interval=1m", "missing_field"),
        ("/chart?symbol=*", "bad_symbol"),
        ("/chart?symbol=TEST&interval=2m", "bad_interval"),
        ("/chart?symbol=TEST&interval=1M", "bad_interval"),
        ("/chart?symbol=TEST&limit=0", "bad_limit"),
        ("/chart?symbol=TEST&limit=1001", "bad_limit"),
        ("/chart?symbol=TEST&limit=ten", "bad_limit"),
        ("/chart?symbol=TEST&before=-1", "bad_field"),
        ("/chart?symbol=TEST&before=yesterday", "bad_field"),
        ("/depth", "missing_field"),
        ("/depth?symbol=test", "bad_symbol"),
    ] {
        let route = path.split('?').next().expect("a path");
        scene.assert_refused(path, ("GET", route), &scene.ann.get(path).await, (400, code));
    }
    for path in ["/chart", "/depth"] {
        let answer = scene.ann.get(&format!("{path}?symbol=NONE")).await;
        scene.assert_refused(path, ("GET", path), &answer, (404, "unknown_symbol"));
    }
    // The first moment and the last one are times like any other.
    for before in ["0", "18446744073709551615"] {
        let answer = scene.ann.get(&format!("/chart?symbol=TEST&before={before}")).await;
        assert_eq!((answer.status, &answer.json["candles"]), (200, &json!([])), "{}", answer.text);
    }
    scene.assert_unchanged().await;

    // A replacement for more than there is leaves the order as it was, and open to another one.
    let answer = scene.ann.patch(&order, json!({"price": 1_000_000_000})).await;
    scene.assert_refused("too dear", ("PATCH", "/orders/{id}"), &answer, (422, "insufficient_balance"));
    let row = scene.ann.get(&order).await.json;
    assert_eq!(
        (&row["price"], &row["remaining"], &row["replacing"]),
        (&json!(100), &json!(10), &Value::Null)
    );
    assert_eq!(scene.ann.balance("CASH").await.1, 1000);
    assert_eq!(scene.ann.patch(&order, json!({"price": 101})).await.status, 202);
    scene.ann.order_once(&scene.resting, |order| order["price"] == 101).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_refused_everywhere() {
    let Some(scene) = Scene::new().await else { return };
    let sign = |claim: &str, value: Value| scene.exchange.token(claim, value);
    let good = sign("role", json!("authenticated"));
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let payload = good.split('.').nth(1).expect("three parts");
    // {"alg":"none"} and {"alg":"HS256"}
    let (unsigned, symmetric) =
        (format!("eyJhbGciOiJub25lIn0.{payload}."), format!("eyJhbGciOiJIUzI1NiJ9.{payload}.AAAA"));
    let cases = [
        ("nonsense".to_string(), "token_malformed"),
        (unsigned, "token_malformed"),
        (symmetric, "token_bad_signature"),
        (forged, "token_bad_signature"),
        (sign("exp", json!(1000)), "token_expired"),
        (sign("aud", json!("anon")), "token_wrong_audience"),
        (sign("sub", Value::Null), "token_malformed"),
    ];
    let nobody = scene.exchange.anonymous();
    for (token, code) in &cases {
        let client = nobody.with_token(token);
        let order = json!({"symbol": "TEST", "side": "BUY", "price": 1, "quantity": 1});
        let answers = [
            ("POST", "/orders", client.post("/orders", order).await),
            ("GET", "/orders", client.get("/orders").await),
            ("GET", "/assets", client.get("/assets").await),
            ("GET", "/fills", client.get("/fills").await),
            ("POST", "/admin", client.post("/admin", json!({"symbol": "EVIL"})).await),
            ("DELETE", "/admin/{symbol}", client.delete("/admin/TEST").await),
            ("GET", "/admin/totals", client.get("/admin/totals").await),
            ("GET", "/@connections/{id}", client.get("/@connections/x").await),
            ("GET", "/ws", client.handshake("/ws", &[]).await.err().expect("refused")),
            (
                "GET",
                "/ws",
                nobody.handshake(&format!("/ws?token={token}"), &[]).await.err().expect("refused"),
            ),
        ];
        for (method, path, answer) in answers {
            scene.assert_refused(&format!("{method} {path} {code}"), (method, path), &answer, (401, code));
        }
        assert_eq!(client.get("/auth/v1/user").await.refusal(), (403, "bad_jwt"));
    }
    // A good token cannot speak for a test user, nor be an administrator's, and nobody is somebody.
    let posing = nobody.with_token(&sign("sub", json!("test-ann")));
    assert_eq!(posing.get("/orders").await.refusal(), (401, "token_malformed"));
    let trader = nobody.with_token(&good);
    assert_eq!(trader.post("/admin", json!({"symbol": "EVIL"})).await.refusal(), (403, "forbidden"));
    assert_eq!(trader.get("/admin/verify").await.refusal(), (403, "forbidden"));
    assert_eq!(trader.get("/admin/accounts").await.refusal(), (403, "forbidden"));
    assert_eq!(trader.get("/admin/dead-letters").await.refusal(), (403, "forbidden"));
    assert_eq!(scene.ann.post("/admin", json!({"symbol": "EVIL"})).await.refusal(), (403, "forbidden"));
    assert_eq!(nobody.get("/orders").await.refusal(), (401, "token_missing"));
    for user in ["ann", "test-", "test-ANN", "test-a_b", "test-ann%00", &format!("test-{}", "x".repeat(49))] {
        let answer = nobody.get(&format!("/assets?userId={user}&testMode=true")).await;
        assert_eq!(answer.refusal(), (401, "bad_test_user"), "{user}");
    }
    scene.assert_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_before_they_reach_anything() {
    let Some(scene) = Scene::new().await else { return };
    let (ann, administrator) = (&scene.ann, scene.exchange.administrator());
    let order = format!("/orders/{}", scene.resting);

    // A megabyte, in the form of an order and as anything else.
    let padded = format!("{}{}", " ".repeat(1 << 20), with([("price", json!(100))]));
    for (method, route, path) in
        [("POST", "/orders", "/orders"), ("PATCH", "/orders/{id}", &*order), ("GET", "/assets", "/assets")]
    {
        let answer = ann.send_large(method, path, padded.as_bytes()).await;
        scene.assert_refused(path, (method, route), &answer, (413, "body_too_large"));
    }
    for path in ["/admin", "/admin/deposits", "/auth/v1/signup"] {
        let answer = administrator.send_large("POST", path, padded.as_bytes()).await;
        scene.assert_refused(path, ("POST", path), &answer, (413, "body_too_large"));
    }
    let answer = administrator.send_large("POST", "/@connections/x", &[0; (128 << 10) + 1]).await;
    scene.assert_refused("a long message", ("POST", "/@connections/{id}"), &answer, (413, "body_too_large"));

    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = ann.send("POST", "/orders", Some(media), with([("price", json!(1))]).into()).await;
        scene.assert_refused(media, ("POST", "/orders"), &answer, (415, "unsupported_media_type"));
        let answer = ann.send("PATCH", &order, Some(media), br#"{"price":1}"#.to_vec()).await;
        scene.assert_refused(media, ("PATCH", "/orders/{id}"), &answer, (415, "unsupported_media_type"));
    }

    for (method, path) in [
        ("PUT", "/orders"),
        ("PATCH", "/orders"),
        ("OPTIONS", "/orders"),
        ("POST", &*order),
        ("PUT", &*order),
        ("POST", "/chart"),
        ("DELETE", "/depth"),
        ("POST", "/assets"),
        ("PUT", "/admin"),
        ("PUT", "/admin/TEST"),
        ("GET", "/admin/deposits"),
        ("POST", "/admin/totals"),
        ("DELETE", "/admin/verify"),
        ("POST", "/admin/accounts"),
        ("POST", "/admin/dead-letters"),
        ("POST", "/fills"),
        ("PUT", "/@connections/x"),
        ("POST", "/healthz"),
        ("DELETE", "/metrics"),
        ("POST", "/openapi.json"),
        ("POST", "/config.json"),
        ("POST", "/.well-known/jwks.json"),
    ] {
        let body = with([("price", json!(1))]).into();
        let answer = administrator.send(method, path, Some("application/json"), body).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed"), "{method} {path}: {}", answer.text);
        scene.document.check_shared("MethodNotAllowed", &answer).unwrap();
    }
    for (method, path) in
        [("GET", "/auth/v1/signup"), ("DELETE", "/auth/v1/token"), ("POST", "/auth/v1/user")]
    {
        let answer = ann.send(method, path, None, Vec::new()).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed"), "{method} {path}: {}", answer.text);
        scene.document.check_shared("AuthMethodNotAllowed", &answer).unwrap();
    }
    for (method, path) in [
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("GET", "/orders/a/b"),
        ("POST", "/orders/"),
        ("DELETE", "/admin/a/b"),
        ("GET", "/../../etc/passwd"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/auth/v1/nothing"),
    ] {
        let answer = administrator
            .send(method, path, Some("application/json"), with([("price", json!(1))]).into())
            .await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{method} {path}: {}", answer.text);
        scene.document.check_shared("NotFound", &answer).unwrap();
    }

    // Administrators are refused what makes no sense, too.
    for (path, body, code) in [
        ("/admin", json!({}), "missing_field"),
        ("/admin", json!({"symbol": "CASH"}), "bad_symbol"),
        ("/admin", json!({"symbol": "a"}), "bad_symbol"),
        ("/admin", json!({"symbol": "A", "price": 1}), "unknown_field"),
        (
            "/admin/deposits",
            json!({"id": "1", "user_id": "test-ann", "asset": "CASH", "amount": 0}),
            "bad_field",
        ),
        (
            "/admin/deposits",
            json!({"id": "1", "user_id": "test-ann", "asset": "CASH", "amount": -5}),
            "bad_field",
        ),
        (
            "/admin/deposits",
            json!({"id": "1", "user_id": "test-ann", "asset": "cash", "amount": 5}),
            "bad_symbol",
        ),
        (
            "/admin/deposits",
            json!({"id": "", "user_id": "test-ann", "asset": "CASH", "amount": 5}),
            "bad_field",
        ),
        ("/admin/deposits", json!({"id": "1", "user_id": "", "asset": "CASH", "amount": 5}), "bad_field"),
        ("/admin/deposits", json!({"user_id": "test-ann", "asset": "CASH", "amount": 5}), "missing_field"),
    ] {
        let answer = administrator.post(path, body.clone()).await;
        scene.assert_refused(&body.to_string(), ("POST", path), &answer, (400, code));
    }

    // Accounts: their own form of refusals.
    for (path, body, expected) in [
        ("/auth/v1/signup", "nonsense", (400, "validation_failed")),
        ("/auth/v1/signup", r#"{"email":1,"password":"correct horse"}"#, (400, "validation_failed")),
        ("/auth/v1/signup", r#"{"email":"nowhere","password":"correct horse"}"#, (400, "validation_failed")),
        ("/auth/v1/signup", r#"{"email":"a@b.c","password":"short"}"#, (422, "weak_password")),
        ("/auth/v1/token", "{}", (400, "validation_failed")),
        ("/auth/v1/token?grant_type=magic", "{}", (400, "validation_failed")),
        ("/auth/v1/token?grant_type=password&grant_type=x", "{}", (400, "validation_failed")),
        (
            "/auth/v1/token?grant_type=password",
            r#"{"email":"a@b.c","password":"x"}"#,
            (400, "invalid_credentials"),
        ),
        (
            "/auth/v1/token?grant_type=refresh_token",
            r#"{"refresh_token":"x"}"#,
            (400, "refresh_token_not_found"),
        ),
    ] {
        let answer = ann.as_nobody().send("POST", path, Some("application/json"), body.into()).await;
        let route = path.split('?').next().expect("a path");
        scene.assert_refused(&format!("{path} {body}"), ("POST", route), &answer, expected);
    }
    scene.assert_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_are_answered_and_oversize_ends_the_connection() {
    let Some(scene) = Scene::new().await else { return };
    let mut socket = scene.ann.socket().await;
    let board: Vec<String> = (0..201).map(|n| format!("S{n}")).collect();
    for (message, code) in [
        ("hello".to_string(), "bad_json"),
        ("[]".into(), "bad_json"),
        ("{}".into(), "missing_field"),
        (r#"{"action":"dance"}"#.into(), "bad_field"),
        (r#"{"action":1}"#.into(), "bad_field"),
        (r#"{"action":"ping","t":1}"#.into(), "unknown_field"),
        (r#"{"action":"subscribe","main":1}"#.into(), "bad_field"),
        (r#"{"action":"subscribe","sub":"TEST"}"#.into(), "bad_field"),
        (r#"{"action":"subscribe","main":"NONE"}"#.into(), "unknown_symbol"),
        (r#"{"action":"subscribe","main":"TEST","sub":["NONE"]}"#.into(), "unknown_symbol"),
        (json!({"action": "subscribe", "sub": board}).to_string(), "bad_field"),
        (json!({"action": "subscribe", "main": "x".repeat(20_000)}).to_string(), "unknown_symbol"),
    ] {
        socket.heard.clear();
        socket.say_raw(Message::text(message.clone())).await;
        let refused = socket.hear("the refusal", |m| m["e"] == "error").await;
        assert_eq!(refused["code"], code, "{message}");
        scene.document.check_value(scene.document.schema("ErrorMessage"), &refused).unwrap();
    }
    socket.heard.clear();
    socket.say_raw(Message::binary(vec![0xFF, 0x00])).await;
    socket.hear("the refusal", |m| m["code"] == "bad_json").await;
    socket.say_raw(Message::binary(br#"{"action":"ping"}"#.to_vec())).await;
    socket.hear("the pong", |m| m["e"] == "pong").await;

    // A frame over 32 KB, a message over 128 KB in smaller frames: closed, each with the code that says so.
    socket.say_raw(Message::text(" ".repeat(40 << 10))).await;
    assert_eq!(socket.end().await, Some(1009));
    let mut socket = scene.ann.socket().await;
    for n in 0..6 {
        let kind = if n == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![b' '; 30 << 10], OpCode::Data(kind), n == 5);
        socket.say_raw(Message::Frame(frame)).await;
    }
    assert_eq!(socket.end().await, Some(1009));

    // No handshake at all, and others live on.
    let answer = scene.ann.get("/ws").await;
    scene.assert_refused("no handshake", ("GET", "/ws"), &answer, (426, "upgrade_required"));
    let mut other = scene.exchange.anonymous().socket().await;
    other.ask(json!({"action": "ping"}), "pong").await;
    scene.assert_unchanged().await;
}
