//! The exchange's back ends for functions that run elsewhere: there only if asked for, and only for administrators.

use serde_json::{Value, json};
use system_tests::{Client, Exchange};

async fn call(client: &Client, call: &str, with: Value) -> Value {
    let answer = client.post("/capabilities", json!({"call": call, "with": with})).await;
    assert_eq!(answer.status, 200, "{call}: {}", answer.json);
    answer.json
}

#[tokio::test]
async fn administrators_reach_every_back_end() {
    let Some(exchange) = Exchange::start(&["--serve-capabilities"]).await else { return };
    let admin = exchange.administrator();
    let active = json!({"commands": [{"sismember": ["active:symbols", "TEST"]}]});
    assert_eq!(call(&admin, "cache.run", active).await, json!({"Ok": [{"Ok": {"integer": 1}}]}));
    let deposit = json!({"id": "d-1", "user": "far", "asset": "cash", "amount": 500});
    let post = || json!({"movements": [{"deposit": deposit.clone()}]});
    assert_eq!(call(&admin, "wallet.post", post()).await, json!({"Ok": [{"Ok": "done"}]}));
    assert_eq!(call(&admin, "wallet.post", post()).await, json!({"Ok": [{"Ok": "repeated"}]}));
    assert_eq!(admin.get("/admin/verify").await.json["balanced"], true);
    let id = json!({"table": "far", "partition": "p", "sort": "s"});
    let write = json!({"writes": [{"id": id.clone(), "expect": "absent", "body": {"base64": "/w=="}}]});
    assert_eq!(call(&admin, "documents.put", write).await, json!({"Ok": [{"written": 1}]}));
    let read = call(&admin, "documents.get", json!({"ids": [id]})).await;
    assert_eq!(read["Ok"][0]["body"], json!({"base64": "/w=="}));
    let gone = call(&admin, "connections.probe", json!({"ids": ["nobody"]})).await;
    assert_eq!(gone, json!({"Ok": [{"Ok": false}]}));
    // A real exchange sets neither time nor randomness.
    assert_eq!(call(&admin, "base.open", json!({})).await, json!({"Ok": {"now": null, "random": null}}));
    let unknown = call(&admin, "wallet.mint", json!({})).await;
    assert!(unknown["Err"]["invalid"].is_string(), "{unknown}");

    let body = || json!({"call": "base.open", "with": {}});
    assert_eq!(exchange.anonymous().post("/capabilities", body()).await.status, 401);
    let trader = exchange.anonymous().with_token(&exchange.token("role", json!("authenticated")));
    assert_eq!(trader.post("/capabilities", body()).await.status, 403);
    assert_eq!(admin.get("/capabilities").await.status, 405);
}

#[tokio::test]
async fn they_are_not_there_unless_asked_for() {
    let Some(exchange) = Exchange::start(&[]).await else { return };
    let answer =
        exchange.administrator().post("/capabilities", json!({"call": "base.open", "with": {}})).await;
    assert_eq!(answer.refusal(), (404, "not_found"));
}
