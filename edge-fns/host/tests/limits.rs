//! A component that oversteps a limit, or traps, fails that event alone.

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_host::{Backends, EdgeHost, HandlerError, Limit, Limits, Request, SystemBase, TIME_BOUNDS};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

const CLOCK: &str = r#"(import "supernoba:edge/clock@0.1.0" "now" (func $now (result i64)))"#;
const RANDOM: &str = r#"(import "supernoba:edge/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#;
const LOG: &str = r#"(import "supernoba:edge/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))"#;
const CONFIG: &str = r#"(import "supernoba:edge/config@0.1.0" "get" (func $get (param i32 i32 i32)))"#;
/// Reads `ALLOW_TEST_MODE`, which lies there from the start.
const ASK: &str = "(call $get (i32.const 64) (i32.const 15) (i32.const 3072))";

fn tight() -> Limits {
    Limits {
        wall: Duration::from_secs(2),
        cpu: Duration::from_millis(50),
        memory_bytes: 4 << 20,
        output_bytes: 64 << 10,
        host_calls: 1_000_000,
        concurrent: 8,
        ..Limits::default()
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

fn over(result: Result<u16, HandlerError>, limit: Limit) -> String {
    match result {
        Err(HandlerError::OverLimit { limit: own, reason, .. }) if own == limit => reason,
        other => panic!("not over {limit:?}: {other:?}"),
    }
}

/// Stopped while it waited.
fn timed_out() -> Result<u16, HandlerError> {
    Err(HandlerError::Timeout { handler: "asset".into(), computing: false })
}

/// Stopped while it computed.
fn looped() -> HandlerError {
    HandlerError::Timeout { handler: "asset".into(), computing: true }
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
    assert_eq!(error, looped());
    assert!(stopped >= tight().cpu && stopped < tight().wall, "{stopped:?}");
    assert_eq!(answer, Ok(200));
    assert!(answered < stopped, "{answered:?} {stopped:?}");
    assert_eq!(host.metrics()[0].timeouts, 1);
}

#[tokio::test]
async fn a_loop_that_keeps_calling_the_host_is_stopped_too() {
    let host = simple(CLOCK, 1, "(loop $again (drop (call $now)) (br $again))", 0);
    assert_eq!(ask(&host).await, Err(looped()));
    let host =
        simple(CONFIG, 1, &format!("(loop $again {ASK} (global.set $free (i32.const 4096)) (br $again))"), 0);
    assert_eq!(ask(&host).await, Err(looped()));
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
    let host = simple("", 1, &grow(64), 0);
    let reason = over(ask(&host).await, Limit::Memory);
    assert!(reason.contains("memory"), "{reason}");
    assert_eq!(host.metrics()[0].over_limit[Limit::Memory as usize], 1);
}

#[tokio::test]
async fn answers_are_limited() {
    let host = simple("", 4, "", 32 << 10);
    assert_eq!(host.http("asset", Request::default()).await.unwrap().body.len(), 32 << 10);
    over(ask(&simple("", 4, "", 65 << 10)).await, Limit::Output);
    // Small in the component, large outside: many headers over the same bytes.
    let headers =
        "(i32.store (i32.const 1028) (i32.const 8192)) (i32.store (i32.const 1032) (i32.const 4000))";
    over(ask(&simple("", 4, headers, 0)).await, Limit::Output);
}

#[tokio::test]
async fn calls_to_the_host_are_limited() {
    let log = |len: u32| {
        format!("(call $write (i32.const 2) (i32.const 2048) (i32.const {len}) (i32.const 0) (i32.const 0))")
    };
    assert_eq!(ask(&simple(LOG, 4, &log(1000), 0)).await, Ok(200));
    over(ask(&simple(LOG, 4, &log(65 << 10), 0)).await, Limit::Output);
    let random = |len: u32| format!("(call $bytes (i32.const {len}) (i32.const 3072))");
    assert_eq!(ask(&simple(RANDOM, 4, &random(1000), 0)).await, Ok(200));
    let reason = over(ask(&simple(RANDOM, 4, &random(2 << 20), 0)).await, Limit::Output);
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
async fn a_flood_of_log_lines_is_cut_off_and_fails_nobody() {
    let fakes = Arc::default();
    let line = "(call $write (i32.const 2) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0))";
    let limits = Limits { log_lines: 3, ..tight() };
    assert_eq!(ask(&host(LOG, 1, &line.repeat(100), 0, limits, &fakes)).await, Ok(200));
    let logs = fakes.logs.lock().unwrap();
    assert_eq!(logs.len(), 4);
    assert!(logs[3].1.contains("left out"), "{:?}", logs[3]);
}

/// Asks for the configuration of this name and answers with status 200 if it is denied, with 500 if not.
fn reads(name: &str) -> String {
    let store =
        |(place, byte): (usize, u8)| format!("(i32.store8 (i32.const {}) (i32.const {byte}))", 2048 + place);
    let bytes: String = name.bytes().enumerate().map(store).collect();
    let length = name.len();
    format!(
        "{bytes} (call $get (i32.const 2048) (i32.const {length}) (i32.const 3072))
        ;; An error, and of those `denied`.
        (if (i32.ne (i32.load8_u (i32.const 3072)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 3076)) (i32.const 1)) (then unreachable))"
    )
}

#[tokio::test]
async fn a_secret_of_the_configuration_is_out_of_reach() {
    let secrets = ["SUPABASE_SERVICE_ROLE_KEY", "DB_SECRET_ARN", "ORDERS_TABLE"];
    let base = SystemBase::new(
        secrets.iter().chain(&["ALLOW_TEST_MODE"]).map(|name| (name.to_string(), "set".into())).collect(),
    );
    let load = |code: &str| {
        let backends = Backends { base: Arc::new(base.clone()), ..Arc::<Fakes>::default().backends() };
        Folder::of(&[("asset", &component("asset", &http_module(CONFIG, 1, code, 0)))])
            .load(backends, tight())
            .unwrap()
    };
    // The last of them is no secret, but nothing to this function.
    for name in secrets {
        assert_eq!(ask(&load(&reads(name))).await, Ok(200), "{name}");
    }
    // What it may read it does read.
    assert_eq!(ask(&load(&reads("ALLOW_TEST_MODE"))).await.unwrap_err().code(), "trap");
}

#[tokio::test]
async fn times_and_memory_are_measured() {
    let fakes = Fakes::slow(Duration::from_millis(30));
    let host = host(CONFIG, 3, ASK, 0, tight(), &fakes);
    assert_eq!(ask(&host).await, Ok(200));
    let metrics = host.metrics()[0];
    assert_eq!(metrics.memory_peak_bytes, 3 << 16);
    let within = |time: Duration| {
        let bucket = TIME_BOUNDS.iter().position(|bound| *bound == time).unwrap();
        metrics.within[bucket]
    };
    assert_eq!((within(Duration::from_millis(25)), metrics.running), (0, 0));
    assert!(metrics.busy >= Duration::from_millis(30));
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
