//! The Spin shell (`edge-fns/spin`) on this host, over the capability server of tests: orders from end to end.
#![cfg(feature = "spin")]

mod spin_common;

use edge_fns::capability::Wallet;
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::testing::Memory;
use edge_host::spin::Application;
use serde_json::{Value, json};
use spin_common::{Lines, built, capability_server, limits, load, request, told};
use std::sync::Arc;

struct Shell {
    application: Application,
    lines: Lines,
    memory: Arc<Memory>,
}

const MORE: [(&str, &str); 6] = [
    ("capabilities_path", "/"),
    ("capabilities_token", "opens"),
    ("capabilities_session", "server"),
    ("invoke_token", "sesame"),
    ("allow_test_mode", "true"),
    ("allow_panic", "true"),
];

impl Shell {
    async fn new() -> Option<Shell> {
        let memory = Arc::new(Memory::exchange(&["TEST", "OTHER"]));
        let origin = capability_server(memory.clone(), "opens").await;
        Shell::at(&origin, memory)
    }

    fn at(origin: &str, memory: Arc<Memory>) -> Option<Shell> {
        Shell::with(origin, memory, &[])
    }

    fn with(origin: &str, memory: Arc<Memory>, more: &[(&str, &str)]) -> Option<Shell> {
        let manifest = built("edge-fns/spin", "edge_spin.wasm")?;
        let lines = Lines::default();
        let own = MORE.into_iter().chain([("capabilities_origin", origin)]);
        let variables: Vec<_> = own.chain(more.iter().copied()).collect();
        Some(Shell { application: load(&manifest, &variables, limits(), lines.log()), lines, memory })
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let headers = [("content-type", "application/json")];
        let answer = self.application.handle(request(method, path, &headers, body), None).await.unwrap();
        let (status, text) = told(answer);
        (status, spin_common::json(&text))
    }

    async fn invoke(&self, function: &str, event: Value, token: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let path = format!("/@invoke/{function}");
        let asked = request("POST", &path, &headers, &event.to_string());
        let (status, text) = told(self.application.handle(asked, None).await.unwrap());
        (status, spin_common::json(&text))
    }
}

const ANN: &str = "userId=test-ann&testMode=true";

fn bid(price: u64, quantity: u64) -> String {
    json!({"symbol": "TEST", "side": "BUY", "price": price, "quantity": quantity}).to_string()
}

#[tokio::test]
async fn an_order_is_placed_listed_and_cancelled() {
    let Some(shell) = Shell::new().await else { return };
    let deposit =
        Movement::Deposit { id: "d1".into(), user: "test-ann".into(), asset: Asset::Cash, amount: 1_000_000 };
    Wallet::post(&*shell.memory, vec![deposit]).await.unwrap();
    let orders = format!("/orders?{ANN}");
    let (status, placed) = shell.ask("POST", &orders, &bid(1000, 10)).await;
    assert_eq!(status, 202, "{placed}");
    let id = placed["order_id"].as_str().unwrap();

    let (status, listed) = shell.ask("GET", &orders, "").await;
    assert_eq!((status, listed["orders"][0]["order_id"].as_str()), (200, Some(id)), "{listed}");
    let (_, assets) = shell.ask("GET", &format!("/assets?{ANN}"), "").await;
    assert_eq!(assets["assets"][0]["locked"], 10_000, "{assets}");

    let (status, answer) = shell.ask("DELETE", &format!("/orders/{id}?{ANN}"), "").await;
    assert_eq!(status, 202, "{answer}");

    for (method, path, body, expected, code) in [
        ("POST", orders.as_str(), bid(1000, 10_000), 422, "insufficient_balance"),
        ("POST", &orders, bid(1000, 0), 400, "bad_quantity"),
        ("POST", &orders, "{\"symbol\":".to_owned(), 400, ""),
        ("POST", "/orders", bid(1000, 1), 401, ""),
        ("GET", &format!("/orders/ord_none?{ANN}"), String::new(), 404, ""),
        ("GET", "/nothing", String::new(), 404, "not_found"),
        ("POST", &orders, "x".repeat(65_537), 413, "body_too_large"),
    ] {
        let (status, answer) = shell.ask(method, path, &body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let own = answer["error"]["code"].as_str().unwrap();
        assert!(code.is_empty() || own == code, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn batches_timers_and_connections_come_by_invoke() {
    let Some(shell) = Shell::new().await else { return };
    let fill = json!({"symbol": "TEST", "seq": 12, "t": 1_765_894_800_000u64, "event": "FILL", "fill_id": "TEST-12",
        "price": 150, "quantity": 10, "taker": "BUY",
        "buyer": {"order_id": "a", "user_id": "test-ann", "price": 151, "remaining": 5},
        "seller": {"order_id": "b", "user_id": "test-bob", "price": 150, "remaining": 0}});
    let item = |id: &str, body: String| json!({"id": id, "partition": "TEST", "arrived": 1, "body": body});
    let items = [item("m0", fill.to_string()), item("m1", "no json".into())];
    let batch = json!({"stream": {"stream": "supernoba-fills", "items": items}});
    let (status, answer) = shell.invoke("history-saver", batch.clone(), "sesame").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["answer"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["answer"][0]["id"], "m1");
    assert_eq!(answer["answer"][0]["disposition"]["tag"], "reject");

    for timer in ["sweeper", "aggregator", "trades-backup", "stale-connections"] {
        let event = json!({"timer": {"name": timer, "due": 1_765_894_800_000u64}});
        assert_eq!(shell.invoke(timer, event, "sesame").await, (200, json!({"answer": null})), "{timer}");
    }

    let socket = |event: Value| json!({"socket": {"id": "c1", "event": event}});
    let opened = json!({"tag": "opened", "val": [["query:userId", "test-ann"], ["query:testMode", "true"]]});
    assert_eq!(
        shell.invoke("connect", socket(opened), "sesame").await,
        (200, json!({"answer": {"accept": true}}))
    );
    let said = json!({"tag": "message", "val": json!({"action": "subscribe", "main": "TEST"}).to_string()});
    let (_, answer) = shell.invoke("subscribe", socket(said), "sesame").await;
    let body = spin_common::json(answer["answer"]["body"].as_str().unwrap());
    assert_eq!((&body["e"], &body["main"]), (&json!("subscribed"), &json!("TEST")));
    let (status, _) = shell.invoke("disconnect", socket(json!({"tag": "closed"})), "sesame").await;
    assert_eq!(status, 200);

    for token in ["", "sesam", "sesamE", "sesame2"] {
        let (status, answer) = shell.invoke("history-saver", batch.clone(), token).await;
        assert_eq!((status, &answer["error"]["code"]), (401, &json!("unauthorized")), "{token:?}");
    }
    assert_eq!(shell.invoke("sweeper", batch, "sesame").await.0, 404);
    assert_eq!(shell.invoke("sweeper", json!({"what": 1}), "sesame").await.0, 400);
}

#[tokio::test]
async fn a_panic_is_logged_and_fails_its_own_request() {
    let Some(shell) = Shell::new().await else { return };
    let failed = shell.application.handle(request("GET", "/@panic", &[], ""), None).await.unwrap_err();
    assert_eq!(failed.code(), "trap", "{failed}");
    let lines = shell.lines.all();
    assert!(lines.iter().any(|line| line.contains("as it was asked to")), "{lines:?}");
    assert_eq!(shell.ask("GET", "/admin", "").await.0, 200);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_back_end_that_is_not_available() {
    // Bound and dropped: nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let Some(shell) = Shell::at(&origin, Arc::new(Memory::exchange(&[]))) else { return };
    let (status, answer) = shell.ask("POST", &format!("/orders?{ANN}"), &bid(1000, 1)).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")), "{answer}");
    let lines = shell.lines.all();
    assert!(lines.iter().any(|line| line.contains("ConnectionRefused")), "{lines:?}");
}

#[tokio::test]
async fn a_server_that_takes_a_call_and_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.extend(listener.accept().await);
        }
    });
    // With a clock of its own, so that the order's own calls are what is waited for.
    let variables = [("capabilities_session", "own"), ("capabilities_patience_ms", "100")];
    let Some(shell) = Shell::with(&origin, Arc::new(Memory::exchange(&[])), &variables) else { return };
    let (status, answer) = shell.ask("POST", &format!("/orders?{ANN}"), &bid(1000, 1)).await;
    assert_eq!((status, &answer["error"]["code"]), (504, &json!("timeout")), "{answer}");
    silent.abort();

    let variables = [("capabilities_patience_ms", "soon")];
    let Some(shell) = Shell::with(&origin, Arc::new(Memory::exchange(&[])), &variables) else { return };
    let (status, answer) = shell.ask("POST", &format!("/orders?{ANN}"), &bid(1000, 1)).await;
    assert_eq!(status, 500, "{answer}");
}
