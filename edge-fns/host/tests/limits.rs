//! A component that oversteps a limit, or traps, fails that event alone.

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_host::{EdgeHost, HandlerError, Limits, Request};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

const CLOCK: &str = r#"(import "supernoba:edge/clock@0.1.0" "now" (func $now (result i64)))"#;
const RANDOM: &str = r#"(import "supernoba:edge/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#;
const LOG: &str = r#"(import "supernoba:edge/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))"#;
const CONFIG: &str = r#"(import "supernoba:edge/config@0.1.0" "get" (func $get (param i32 i32 i32)))"#;
const ASK: &str = "(call $get (i32.const 0) (i32.const 0) (i32.const 3072))";

fn tight() -> Limits {
    Limits {
        wall: Duration::from_secs(2),
        cpu: Duration::from_millis(50),
        memory_bytes: 4 << 20,
        output_bytes: 64 << 10,
        concurrent: 8,
    }
}

/// A host with one handler, `asset`, of this code.
fn host(imports: &str, pages: u32, code: &str, answer: u32, limits: Limits, fakes: &Arc<Fakes>) -> EdgeHost {
    let bytes = component("asset", &http_module(imports, pages, code, answer));
    Folder::of(&[("asset", &bytes)]).load(fakes.backends(), limits).unwrap()
}

fn simple(imports: &str, pages: u32, code: &str, answer: u32) -> EdgeHost {
    host(imports, pages, code, answer, tight(), &Arc::default())
}

async fn ask(host: &EdgeHost) -> Result<u16, HandlerError> {
    Ok(host.http("asset", Request::default()).await?.status)
}

fn trap(result: Result<u16, HandlerError>) -> String {
    match result {
        Err(HandlerError::Trap { reason, .. }) => reason,
        other => panic!("no trap: {other:?}"),
    }
}

fn timed_out() -> Result<u16, HandlerError> {
    Err(HandlerError::Timeout { handler: "asset".into() })
}

#[tokio::test]
async fn a_trap_fails_one_event_alone() {
    let host = simple("", 1, "(if (local.get $body) (then unreachable))", 2);
    for _ in 0..3 {
        let request = Request { body: vec![1], ..Request::default() };
        let error = host.http("asset", request).await.unwrap_err();
        assert_eq!(error.code(), "trap");
        assert!(error.to_string().contains("unreachable"), "{error}");
        let response = host.http("asset", Request::default()).await.unwrap();
        assert_eq!((response.status, response.body.len()), (200, 2));
    }
    let metrics = host.metrics();
    assert_eq!((metrics[0].handler, metrics[0].calls, metrics[0].traps), ("asset", 6, 3));
    assert_eq!((metrics[0].timeouts, metrics[0].unavailable), (0, 0));
    assert!(metrics[0].busy > Duration::ZERO);
}

#[tokio::test]
async fn an_endless_loop_is_stopped_and_holds_up_nobody() {
    let host = simple("", 1, "(if (local.get $body) (then (loop $again (br $again))))", 0);
    let start = Instant::now();
    let looping = async {
        let request = Request { body: vec![1], ..Request::default() };
        let error = host.http("asset", request).await.unwrap_err();
        (error, start.elapsed())
    };
    // On the same thread.
    let other = async {
        tokio::task::yield_now().await;
        (ask(&host).await, start.elapsed())
    };
    let ((error, stopped), (answer, answered)) = tokio::join!(looping, other);
    assert_eq!(error, HandlerError::Timeout { handler: "asset".into() });
    assert!(stopped >= tight().cpu && stopped < tight().wall, "{stopped:?}");
    assert_eq!(answer, Ok(200));
    assert!(answered < stopped, "{answered:?} {stopped:?}");
    assert_eq!(host.metrics()[0].timeouts, 1);
}

#[tokio::test]
async fn a_loop_that_keeps_calling_the_host_is_stopped_too() {
    let host = simple(CLOCK, 1, "(loop $again (drop (call $now)) (br $again))", 0);
    assert_eq!(ask(&host).await, timed_out());
    let host = simple(CONFIG, 1, &format!("(loop $again {ASK} (br $again))"), 0);
    assert_eq!(ask(&host).await, timed_out());
}

#[tokio::test]
async fn waiting_for_a_back_end_is_no_cpu_time() {
    let asks = ASK.repeat(4);
    let fakes = Fakes::slow(tight().cpu);
    let host = host(CONFIG, 1, &asks, 0, tight(), &fakes);
    let start = Instant::now();
    assert_eq!(ask(&host).await, Ok(200));
    assert!(start.elapsed() >= 4 * tight().cpu);
}

#[tokio::test]
async fn a_back_end_that_does_not_answer_ends_the_call() {
    let limits = Limits { wall: Duration::from_millis(100), ..tight() };
    let host = host(CONFIG, 1, ASK, 0, limits, &Fakes::slow(Duration::from_secs(60)));
    let start = Instant::now();
    assert_eq!(ask(&host).await, timed_out());
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn memory_is_limited() {
    let grow = |pages| format!("(drop (memory.grow (i32.const {pages})))");
    assert_eq!(ask(&simple("", 1, &grow(32), 0)).await, Ok(200));
    let reason = trap(ask(&simple("", 1, &grow(64), 0)).await);
    assert!(reason.contains("memory"), "{reason}");
}

#[tokio::test]
async fn answers_are_limited() {
    let host = simple("", 4, "", 32 << 10);
    assert_eq!(host.http("asset", Request::default()).await.unwrap().body.len(), 32 << 10);
    trap(ask(&simple("", 4, "", 65 << 10)).await);
    // Small in the component, large outside: many headers over the same bytes.
    let headers =
        "(i32.store (i32.const 1028) (i32.const 8192)) (i32.store (i32.const 1032) (i32.const 4000))";
    trap(ask(&simple("", 4, headers, 0)).await);
}

#[tokio::test]
async fn calls_to_the_host_are_limited() {
    let log = |len: u32| {
        format!("(call $write (i32.const 2) (i32.const 2048) (i32.const {len}) (i32.const 0) (i32.const 0))")
    };
    assert_eq!(ask(&simple(LOG, 4, &log(1000), 0)).await, Ok(200));
    trap(ask(&simple(LOG, 4, &log(65 << 10), 0)).await);
    let random = |len: u32| format!("(call $bytes (i32.const {len}) (i32.const 3072))");
    assert_eq!(ask(&simple(RANDOM, 4, &random(1000), 0)).await, Ok(200));
    let reason = trap(ask(&simple(RANDOM, 4, &random(2 << 20), 0)).await);
    assert!(reason.contains("random"), "{reason}");
}

#[tokio::test]
async fn a_log_line_names_its_handler() {
    let fakes = Arc::default();
    let code = r#"
        (i32.store8 (i32.const 2048) (i32.const 104))
        (i32.store8 (i32.const 2049) (i32.const 105))
        (call $write (i32.const 3) (i32.const 2048) (i32.const 2) (i32.const 0) (i32.const 0))"#;
    assert_eq!(ask(&host(LOG, 1, code, 0, tight(), &fakes)).await, Ok(200));
    let logs = fakes.logs.lock().unwrap();
    let (level, message, fields) = &logs[0];
    assert_eq!((*level, message.as_str()), (edge_fns::capability::base::Level::Warn, "hi"));
    assert_eq!(fields, &[("handler".to_owned(), "asset".to_owned())]);
}

#[tokio::test]
async fn more_calls_than_allowed_wait_for_their_turn() {
    let delay = Duration::from_millis(30);
    let limits = Limits { concurrent: 2, ..tight() };
    let host = host(CONFIG, 1, ASK, 0, limits, &Fakes::slow(delay));
    let start = Instant::now();
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let host = host.clone();
            tokio::spawn(async move { ask(&host).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(200));
    }
    assert!(start.elapsed() >= 3 * delay);
}

#[tokio::test]
async fn a_call_whose_turn_does_not_come_was_not_made() {
    let limits = Limits { wall: Duration::from_millis(100), concurrent: 1, ..tight() };
    let fakes = Fakes::slow(Duration::from_secs(60));
    let host = host(CONFIG, 1, ASK, 0, limits, &fakes);
    let calls = [(); 16].map(|_| {
        let host = host.clone();
        tokio::spawn(async move { ask(&host).await })
    });
    let mut not_made = 0;
    for call in calls {
        match call.await.unwrap() {
            Err(HandlerError::Unavailable { .. }) => not_made += 1,
            other => assert_eq!(other, timed_out()),
        }
    }
    let metrics = host.metrics()[0];
    assert!(not_made > 0);
    assert_eq!((metrics.unavailable, metrics.timeouts), (not_made, 16 - not_made));
    assert!(fakes.asked.load(Relaxed) <= metrics.timeouts);
}
