//! A function that was written in JavaScript from `wit/` alone runs on this host, and answers as the exchange's own does.
//!
//! Needs `tests/foreign` built (`cargo xtask test` does); without it, it says so and passes.

mod common;

use common::{Fakes, Folder, built};
use edge_host::{EdgeHost, Limits, Request, Response};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn foreign() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/foreign/asset.wasm");
    if !file.exists() {
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{} is not built", file.display());
        println!("skipped: there is no {}; `cargo xtask test` builds it", file.display());
        return None;
    }
    Some(file)
}

fn load(file: &Path, fakes: &Arc<Fakes>) -> EdgeHost {
    // An interpreter takes longer than compiled code, and a debug build's checks come on top.
    let limits = Limits { cpu: Duration::from_secs(5), wall: Duration::from_secs(30), ..Limits::default() };
    Folder::of(&[("asset", &std::fs::read(file).unwrap())]).load(fakes.backends(), limits).unwrap()
}

fn get(query: &str, authorization: Option<&str>) -> Request {
    Request {
        method: "GET".into(),
        path: "/assets".into(),
        query: query.into(),
        headers: authorization.map(|value| ("authorization".into(), value.into())).into_iter().collect(),
        body: Vec::new(),
    }
}

async fn ask(host: &EdgeHost, request: Request) -> Response {
    host.http("asset", request).await.unwrap()
}

#[tokio::test]
async fn it_serves_requests_with_its_capabilities() {
    let Some(file) = foreign() else { return };
    let fakes: Arc<Fakes> = Arc::default();
    let host = load(&file, &fakes);
    let answer = ask(&host, get("", Some("Bearer ánn"))).await;
    let body = String::from_utf8(answer.body).unwrap();
    assert_eq!((answer.status, body.as_str()), (200, FAKE_ASSETS));
    // However often.
    for _ in 0..3 {
        assert_eq!(ask(&host, get("", Some("Bearer ánn"))).await.body, FAKE_ASSETS.as_bytes());
    }
    let metrics = host.metrics()[0];
    assert_eq!((metrics.calls, metrics.traps, metrics.timeouts), (4, 0, 0));
}

/// What the back ends of these tests hold for whoever asks.
const FAKE_ASSETS: &str = r#"{"user_id":"ánn","assets":[{"asset":"CASH","available":700,"locked":30},{"asset":"AAA","available":5,"locked":0}]}"#;

#[tokio::test]
async fn it_answers_as_the_exchanges_own_function_does() {
    let (Some(file), Some(folder)) = (foreign(), built()) else { return };
    let fakes: Arc<Fakes> = Arc::default();
    let (foreign, own) = (load(&file, &fakes), load(&folder.join("asset.wasm"), &fakes));
    for request in [
        get("", Some("Bearer ann")),
        get("", Some("bearer  ann ")),
        get("", Some("Bearer expired")),
        get("", Some("Bearer test-ann")),
        get("", Some("Bearer ")),
        get("", Some("Basic x")),
        get("", Some("")),
        get("", None),
        get("userId=test-ann&testMode=true", None),
        get("testMode=true&userId=test-%61nn", None),
        get("userId=test-ann&testMode=yes", None),
        get("userId=ann&testMode=true", None),
        get("testMode=true", None),
        Request { method: "POST".into(), ..get("", Some("Bearer ann")) },
        Request { method: "DELETE".into(), ..get("", None) },
    ] {
        let (left, right) = (ask(&own, request.clone()).await, ask(&foreign, request.clone()).await);
        let text = |response: &Response| String::from_utf8(response.body.clone()).unwrap();
        assert_eq!(text(&left), text(&right), "{request:?}");
        assert_eq!((left.status, left.headers), (right.status, right.headers), "{request:?}");
    }
}
