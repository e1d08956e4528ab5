//! The real components, where they are built.

mod common;

use common::{Fakes, built};
use edge_fns::capability::wallet::{Asset, Movement};
use edge_host::{EdgeHost, Item, Limits, Request, SocketEvent, Timer};
use std::sync::Arc;

fn host(fakes: &Arc<Fakes>) -> Option<EdgeHost> {
    Some(EdgeHost::load(&built()?, fakes.backends(), Limits::default()).unwrap())
}

fn post(body: &str) -> Request {
    Request {
        method: "POST".into(),
        path: "/orders".into(),
        headers: vec![("authorization".into(), "Bearer ann".into())],
        body: body.into(),
        ..Request::default()
    }
}

#[tokio::test]
async fn an_order_goes_through_the_component() {
    let fakes = Arc::default();
    let Some(host) = host(&fakes) else { return };
    let order = r#"{"symbol":"AAA","side":"BUY","price":100,"quantity":3}"#;
    let response = host.http("order-router", post(order)).await.unwrap();
    let body = String::from_utf8(response.body).unwrap();
    assert_eq!(response.status, 202, "{body}");
    assert!(body.contains(r#""status":"PENDING""#), "{body}");
    match &fakes.movements.lock().unwrap()[..] {
        [Movement::Reserve { user, asset, amount, hold }] => {
            assert_eq!((user.as_str(), asset, *amount), ("ann", &Asset::Cash, 300));
            assert!(body.contains(hold), "{body}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fakes.appended.lock().unwrap().len(), 1);

    let refused = host.http("order-router", post("{}")).await.unwrap();
    assert_eq!(refused.status, 400);
    let expired = Request { headers: vec![("authorization".into(), "Bearer expired".into())], ..post(order) };
    assert_eq!(host.http("order-router", expired).await.unwrap().status, 401);
}

#[tokio::test]
async fn every_component_answers_without_a_trap() {
    let fakes = Arc::default();
    let Some(host) = host(&fakes) else { return };
    for handler in host.handlers() {
        match handler {
            "connect" | "subscribe" | "disconnect" => {
                for event in
                    [SocketEvent::Opened(Vec::new()), SocketEvent::Message(b"{}".into()), SocketEvent::Closed]
                {
                    host.socket(handler, "abc", event).await.unwrap();
                }
            }
            "fill-processor" | "history-saver" | "notifier" | "user-notify" => {
                let item = Item { id: "1".into(), partition: "AAA".into(), arrived: 1, body: b"?".into() };
                host.stream(handler, "fills", vec![item]).await.unwrap();
            }
            "sweeper" | "stale-connections" | "trades-backup" | "aggregator" => {
                let timer = Timer { name: handler.into(), due: 1 };
                host.timer(handler, &timer).await.unwrap().unwrap();
            }
            _ => {
                for method in ["GET", "POST", "DELETE", "PATCH", "PUT"] {
                    let request =
                        Request { method: method.into(), path: format!("/{handler}"), ..post("{}") };
                    let response = host.http(handler, request).await.unwrap();
                    assert!((200..600).contains(&response.status), "{handler} {method}");
                }
            }
        }
    }
    assert!(host.metrics().iter().all(|metrics| metrics.traps == 0 && metrics.calls > 0));
}
