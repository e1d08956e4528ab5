//! A component of `spin-sdk`, unmodified (`tests/spin`), on this host: what it may do, and what becomes of what it may not.
#![cfg(feature = "spin")]

mod spin_common;

use edge_host::spin::Application;
use edge_host::{HandlerMetrics, Limits};
use spin_common::{Lines, built, limits, load, request, serve, told};
use std::time::Duration;

struct Sample {
    application: Application,
}

impl Sample {
    fn with(limits: Limits, friend: &str) -> Option<Sample> {
        let manifest = built("tests/spin", "spin_sample.wasm")?;
        let variables = [("secret", "s3cret"), ("friend", friend)];
        Some(Sample { application: load(&manifest, &variables, limits, Lines::default().log()) })
    }

    fn new() -> Option<Sample> {
        Sample::with(limits(), "https://example.com")
    }

    async fn ask(&self, path: &str, body: &str) -> Result<(u16, String), String> {
        let answer = self.application.handle(request("POST", path, &[("x-asked", "yes")], body), None).await;
        answer.map(told).map_err(|error| error.code().to_owned())
    }

    async fn ok(&self, path: &str, body: &str) -> String {
        let (status, text) = self.ask(path, body).await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    fn metrics(&self) -> HandlerMetrics {
        self.application.metrics()[0]
    }
}

#[tokio::test]
async fn a_request_comes_with_its_headers_and_body() {
    let Some(sample) = Sample::new() else { return };
    assert_eq!(sample.ok("/sample/echo", "body").await, "yes body");
    assert_eq!(sample.ask("/sample/none", "").await, Ok((404, "/none".into())));
    // A client cannot say of itself what Spin says of a request.
    let lie = request("POST", "/sample/none", &[("spin-path-info", "/echo")], "");
    assert_eq!(told(sample.application.handle(lie, None).await.unwrap()), (404, "/none".into()));
    assert_eq!(sample.ask("/other", "").await, Err("no_such_handler".into()));
    assert_eq!((sample.metrics().calls, sample.metrics().handler), (3, "sample"));
}

#[tokio::test]
async fn variables_are_those_of_the_component() {
    let Some(sample) = Sample::new() else { return };
    assert_eq!(sample.ok("/sample/variable?greeting", "").await, "hello, world");
    assert_eq!(sample.ok("/sample/variable?secret", "").await, "s3cret");
    // The application has it, the component was not given it.
    let (status, text) = sample.ask("/sample/variable?friend", "").await.unwrap();
    assert_eq!((status, text.contains("ndefined")), (502, true), "{text}");
    let (_, text) = sample.ask("/sample/variable?Friend", "").await.unwrap();
    assert!(text.contains("InvalidName") || text.contains("invalid"), "{text}");
}

#[tokio::test]
async fn stores_keep_what_they_are_given_beyond_a_request() {
    let Some(sample) = Sample::new() else { return };
    assert_eq!(sample.ok("/sample/store?default/get/a", "").await, "(none)");
    sample.ok("/sample/store?default/set/a", "one").await;
    sample.ok("/sample/store?default/set/b", "two").await;
    sample.ok("/sample/store?other/set/c", "three").await;
    assert_eq!(sample.ok("/sample/store?default/get/a", "").await, "one");
    assert_eq!(sample.ok("/sample/store?default/keys", "").await, "a b");
    assert_eq!(sample.ok("/sample/store?default/exists/c", "").await, "false");
    sample.ok("/sample/store?default/delete/a", "").await;
    assert_eq!(sample.ok("/sample/store?default/exists/a", "").await, "false");
    let (status, text) = sample.ask("/sample/store?third/get/a", "").await.unwrap();
    assert_eq!((status, text.to_lowercase().contains("access")), (502, true), "{text}");
}

#[tokio::test]
async fn outbound_http_reaches_the_hosts_that_are_allowed_and_no_other() {
    let echo = |_, body: bytes::Bytes| async move { (201, [b"got ", &body[..]].concat()) };
    let (friend, stranger) = (serve(echo).await, serve(echo).await);
    let Some(sample) = Sample::with(limits(), &friend) else { return };
    assert_eq!(sample.ask(&format!("/sample/fetch?{friend}/x"), "").await, Ok((201, "got ".into())));
    let streamed = sample.ok(&format!("/sample/stream?{friend}/x"), "").await;
    assert_eq!(streamed, format!("got {}", (0..100).map(|n| format!("{n}\n")).collect::<String>()));
    for refused in [&stranger, "http://localhost:1", "https://example.com"] {
        let (status, text) = sample.ask(&format!("/sample/fetch?{refused}/x"), "").await.unwrap();
        assert_eq!((status, text.contains("HttpRequestDenied")), (502, true), "{refused}: {text}");
    }
}

#[tokio::test]
async fn what_fails_fails_alone_and_is_counted() {
    let Some(sample) = Sample::new() else { return };
    for (path, code) in [
        ("/sample/panic", "trap"),
        ("/sample/loop", "timeout"),
        ("/sample/memory", "over_limit"),
        ("/sample/output?1048577", "over_limit"),
        ("/sample/calls?101", "over_limit"),
    ] {
        let (failed, neighbour) = tokio::join!(sample.ask(path, ""), sample.ok("/sample/echo", "still"));
        assert_eq!(failed, Err(code.into()), "{path}");
        assert_eq!(neighbour, "yes still", "{path}");
    }
    assert_eq!(sample.ok("/sample/calls?100", "").await, "called");
    assert_eq!(sample.ok("/sample/output?1048576", "").await.len(), 1 << 20);
    let metrics = sample.metrics();
    assert_eq!((metrics.calls, metrics.running), (12, 0));
    assert_eq!((metrics.traps, metrics.timeouts, metrics.over_limit), (1, 1, [1, 1, 0, 1]));
    assert!(metrics.memory_peak_bytes <= limits().memory_bytes as u64);
}

#[tokio::test]
async fn waiting_is_not_computing_and_has_a_limit_of_its_own() {
    let short = Limits { wall: Duration::from_millis(1500), cpu: Duration::from_millis(400), ..limits() };
    let Some(sample) = Sample::with(short, "https://example.com") else { return };
    assert_eq!(sample.ok("/sample/sleep?800", "").await, "awake");
    assert_eq!(sample.ask("/sample/sleep?60000", "").await, Err("timeout".into()));
    assert_eq!(sample.metrics().timeouts, 1);
}
