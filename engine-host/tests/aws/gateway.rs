//! Pushes by the management API: to connections that are there, that are gone, and while the API is throttled.

use crate::stand_ins::clients;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Error};
use engine_host::backends::aws::connections::ApiGateway;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// As the service answers, with connections that are there until they are deleted.
#[derive(Clone, Default)]
struct Api {
    sent: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    /// So many calls are refused first.
    busy: Arc<Mutex<u32>>,
}

async fn answer(State(api): State<Api>, Path(id): Path<String>, method: Method, body: String) -> Response {
    let refusal = |status: u16, kind: &'static str| {
        (StatusCode::from_u16(status).unwrap(), [("x-amzn-errortype", kind)], "{}").into_response()
    };
    let mut busy = api.busy.lock().unwrap();
    if *busy > 0 {
        *busy -= 1;
        return refusal(429, "LimitExceededException");
    }
    let mut sent = api.sent.lock().unwrap();
    match (sent.contains_key(&id), method) {
        (false, _) => refusal(410, "GoneException"),
        (true, Method::POST) if body.len() > 128 * 1024 => refusal(413, "PayloadTooLargeException"),
        (true, Method::POST) => {
            sent.entry(id).or_default().push(body);
            StatusCode::OK.into_response()
        }
        (true, Method::DELETE) => {
            sent.remove(&id);
            StatusCode::NO_CONTENT.into_response()
        }
        (true, _) => ([("content-type", "application/json")], "{}").into_response(),
    }
}

#[tokio::test]
async fn pushes() {
    let api = Api::default();
    // Connections have names like these there.
    for id in ["a=", "b/+=", "c"] {
        api.sent.lock().unwrap().insert(id.into(), Vec::new());
    }
    let router =
        Router::new().route("/stage/@connections/{id}", axum::routing::any(answer)).with_state(api.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    // As clients see the stage: the same place by another scheme.
    let gateway = ApiGateway::new(&clients("http://127.0.0.1:1").await, &format!("ws://{address}/stage/"));

    let push = |to: &[&str], body: &str| Push {
        to: to.iter().map(|id| id.to_string()).collect(),
        body: body.as_bytes().to_vec(),
    };
    *api.busy.lock().unwrap() = 3;
    let answers = gateway
        .post(vec![
            push(&["a=", "gone", "b/+="], "1"),
            push(&["gone"], "2"),
            push(&["a="], "3"),
            push(&[], "4"),
        ])
        .await
        .unwrap();
    let (sent, gone) = (|| Ok(Delivery::Sent), || Ok(Delivery::Gone));
    assert_eq!(answers, [vec![sent(), gone(), sent()], vec![gone()], vec![sent()], vec![]]);
    assert_eq!(api.sent.lock().unwrap()["a="], ["1", "3"], "one connection's pushes keep their order");
    assert_eq!(api.sent.lock().unwrap()["b/+="], ["1"]);

    let large = gateway.post(vec![push(&["c"], &"x".repeat(200_000))]).await.unwrap();
    assert!(matches!(large[0][..], [Err(Error::Invalid(_))]), "{large:?}");
    *api.busy.lock().unwrap() = 1000;
    let busy = gateway.post(vec![push(&["c"], "5")]).await.unwrap();
    assert_eq!(busy, [[Err(Error::Throttled(None))]]);
    *api.busy.lock().unwrap() = 0;

    let probed = gateway.probe(vec!["c".into(), "gone".into(), "a=".into()]).await.unwrap();
    assert_eq!(probed, [Ok(true), Ok(false), Ok(true)]);
    gateway.close("c").await.unwrap();
    gateway.close("c").await.unwrap();
    assert_eq!(gateway.probe(vec!["c".into()]).await.unwrap(), [Ok(false)]);
}
