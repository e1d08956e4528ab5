//! `supernoba up` runs every function there is: those that answer, those that follow the stream, and those that run now and
//! then, again and again, and none of them breaks.

use serde_json::json;
use std::collections::BTreeSet;
use system_tests::{Exchange, eventually, repository};

const EVERY_SECOND: [&str; 8] =
    ["--sweep-every", "1", "--aggregate-every", "1", "--backup-every", "1", "--stale-every", "1"];
const TIMED: [&str; 4] = ["sweeper", "aggregator", "trades-backup", "stale-connections"];

#[tokio::test(flavor = "multi_thread")]
async fn every_function_runs_and_none_breaks() {
    let Some(exchange) = Exchange::start(&EVERY_SECOND).await else { return };
    let files = std::fs::read_dir(repository().join("edge-fns/component/handlers")).unwrap();
    let handlers: BTreeSet<String> = files
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().replace('_', "-"))
        .collect();
    assert!(handlers.len() >= 16, "{handlers:?}");

    let (seller, buyer) = (exchange.test_user("ann"), exchange.test_user("ben"));
    let mut socket = buyer.socket().await;
    socket.ask(json!({"action": "subscribe", "main": "TEST"}), "subscribed").await;
    let limit = |side, price| json!({"symbol": "TEST", "side": side, "price": price, "quantity": 5});
    let resting = seller.place(limit("SELL", 160)).await;
    seller.place(limit("SELL", 150)).await;
    let bought = buyer.place(limit("BUY", 150)).await;
    socket.hear_status(&bought, "FILLED").await;
    assert_eq!(seller.delete(&format!("/orders/{resting}")).await.status, 202);
    assert_eq!(buyer.get("/assets").await.status, 200);
    assert_eq!(buyer.get("/chart?symbol=TEST&interval=1m").await.status, 200);
    assert_eq!(buyer.get("/admin").await.status, 200);
    socket.close().await;

    let calls =
        async |name: &str| exchange.metric(&format!(r#"function_calls_total{{function="{name}"}}"#)).await;
    for handler in &handlers {
        let wanted = if TIMED.contains(&handler.as_str()) { 3 } else { 1 };
        eventually(handler, async || (calls(handler).await >= wanted).then_some(())).await;
    }
    let metrics = exchange.anonymous().get("/metrics").await.text;
    for line in metrics.lines() {
        let counts =
            ["function_traps", "function_timeouts", "function_over_limit", "timer_failures", "dead_letters"];
        if counts.iter().any(|name| line.starts_with(&format!("supernoba_{name}"))) {
            assert!(line.ends_with(" 0"), "{line}");
        }
    }
    exchange.assert_balanced().await;
}
