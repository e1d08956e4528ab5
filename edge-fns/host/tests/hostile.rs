//! Components that mean harm: each of them fails its own event, with an error that says what it was and a metric, while
//! others on the same threads go on, and what it had held is free for the next.

mod common;

use common::{Fakes, Folder, component, http_module, module};
use edge_host::{EdgeHost, HandlerError, HandlerMetrics, Item, Limit, Limits, Request};
use std::sync::Arc;
use std::time::Duration;

const CONFIG: &str = r#"(import "supernoba:edge/config@0.1.0" "get" (func $get (param i32 i32 i32)))"#;
const LOG: &str = r#"(import "supernoba:edge/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))"#;

struct Hostile {
    what: &'static str,
    imports: &'static str,
    functions: &'static str,
    code: &'static str,
    answer: u32,
    error: &'static str,
    /// A word of the error's text.
    says: &'static str,
}

const NONE: Hostile =
    Hostile { what: "", imports: "", functions: "", code: "", answer: 2, error: "", says: "" };

const ALL: [Hostile; 12] = [
    Hostile {
        what: "an endless loop",
        code: "(loop $again (br $again))",
        error: "timeout",
        says: "in time",
        ..NONE
    },
    Hostile {
        what: "4 GB of memory at once",
        code: "(drop (memory.grow (i32.const 65535)))",
        error: "over_limit",
        says: "memory",
        ..NONE
    },
    Hostile {
        what: "more memory, page by page",
        code: "(loop $again (drop (memory.grow (i32.const 1))) (br $again))",
        error: "over_limit",
        says: "memory",
        ..NONE
    },
    Hostile {
        what: "a table without end",
        functions: "(table $grown 1 funcref)",
        code: "(loop $again (drop (table.grow $grown (ref.null func) (i32.const 1000))) (br $again))",
        error: "over_limit",
        says: "table",
        ..NONE
    },
    Hostile {
        what: "endless recursion",
        functions: "(func $deep (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))",
        code: "(drop (call $deep (i32.const 0)))",
        error: "over_limit",
        says: "stack",
        ..NONE
    },
    Hostile { what: "a huge answer", answer: 200 << 10, error: "over_limit", says: "too much data", ..NONE },
    Hostile {
        what: "an answer outside its memory",
        answer: 0x7fff_ffff,
        error: "trap",
        says: "out of bounds",
        ..NONE
    },
    Hostile {
        what: "a thousand calls to the host",
        imports: CONFIG,
        code: "(local $n i32)
            (loop $again
                (call $get (i32.const 64) (i32.const 15) (i32.const 3072))
                (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))",
        error: "over_limit",
        says: "calls to back ends",
        ..NONE
    },
    Hostile {
        what: "a thousand names of settings that are not its own",
        imports: CONFIG,
        // One letter less than the name that it may ask for.
        code: "(local $n i32)
            (loop $again
                (call $get (i32.const 64) (i32.const 14) (i32.const 3072))
                (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))",
        error: "over_limit",
        says: "calls to back ends",
        ..NONE
    },
    Hostile { what: "a trap", code: "(unreachable)", error: "trap", says: "unreachable", ..NONE },
    Hostile {
        what: "a division by zero",
        code: "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        error: "trap",
        says: "divide by zero",
        ..NONE
    },
    // As the functions' own shell ends: it writes what the panic said, then aborts.
    Hostile {
        what: "a panic",
        imports: LOG,
        code: "(i32.store (i32.const 2048) (i32.const 0x69_6e_61_70)) (i32.store8 (i32.const 2052) (i32.const 99))
            (call $write (i32.const 4) (i32.const 2048) (i32.const 5) (i32.const 0) (i32.const 0))
            (unreachable)",
        error: "trap",
        says: "unreachable",
        ..NONE
    },
];

fn tight() -> Limits {
    Limits {
        wall: Duration::from_secs(20),
        cpu: Duration::from_millis(30),
        memory_bytes: 4 << 20,
        output_bytes: 64 << 10,
        concurrent: 8,
        ..Limits::default()
    }
}

/// A host with the hostile component as `asset`, and a good one as `admin`.
fn host(hostile: &Hostile, fakes: &Arc<Fakes>) -> EdgeHost {
    let text = http_module(hostile.imports, 4, hostile.code, hostile.answer);
    let text = text.replacen("(global $free", &format!("{} (global $free", hostile.functions), 1);
    let good = component("admin", &http_module("", 1, "", 2));
    Folder::of(&[("asset", &component("asset", &text)), ("admin", &good)])
        .load(fakes.backends(), tight())
        .unwrap()
}

async fn call(host: &EdgeHost, handler: &str) -> Result<u16, HandlerError> {
    Ok(host.http(handler, Request::default()).await?.status)
}

fn of(host: &EdgeHost, handler: &str) -> HandlerMetrics {
    host.metrics().into_iter().find(|metrics| metrics.handler == handler).unwrap()
}

/// So many events go wrong in this handler.
fn failures(metrics: &HandlerMetrics) -> u64 {
    metrics.traps + metrics.timeouts + metrics.over_limit.iter().sum::<u64>()
}

#[tokio::test]
async fn it_fails_its_own_event_alone_and_gives_back_what_it_held() {
    // More rounds than there are places: each place must have been given back.
    let rounds = 2 * u64::from(tight().concurrent);
    for hostile in &ALL {
        let fakes = Arc::default();
        let host = host(hostile, &fakes);
        for _ in 0..rounds {
            // Neighbours on the same thread, started before it and while it runs.
            let neighbours = async {
                for _ in 0..3 {
                    assert_eq!(call(&host, "admin").await, Ok(200), "beside {}", hostile.what);
                    tokio::task::yield_now().await;
                }
            };
            let (failed, ()) = tokio::join!(call(&host, "asset"), neighbours);
            let error = failed.expect_err(hostile.what);
            assert_eq!(error.code(), hostile.error, "{}: {error}", hostile.what);
            let text = error.to_string();
            assert!(text.contains("asset") && text.contains(hostile.says), "{}: {text}", hostile.what);
        }
        let metrics = of(&host, "asset");
        assert_eq!(
            (metrics.calls, failures(&metrics), metrics.running),
            (rounds, rounds, 0),
            "{}",
            hostile.what
        );
        assert!(metrics.memory_peak_bytes <= tight().memory_bytes as u64, "{}", hostile.what);
        let neighbour = of(&host, "admin");
        assert_eq!((neighbour.calls, failures(&neighbour), neighbour.unavailable), (3 * rounds, 0, 0));
        if hostile.what == "a panic" {
            let logs = fakes.logs.lock().unwrap();
            let fields = [("handler".to_owned(), "asset".to_owned())];
            assert!(logs.iter().all(|(_, message, own)| message == "panic" && *own == fields), "{logs:?}");
            assert_eq!(logs.len() as u64, rounds);
        }
    }
}

#[tokio::test]
async fn each_limit_has_its_own_counter() {
    for (what, limit) in [
        ("4 GB of memory at once", Limit::Memory),
        ("endless recursion", Limit::Stack),
        ("a huge answer", Limit::Output),
        ("a thousand calls to the host", Limit::HostCalls),
    ] {
        let host = host(ALL.iter().find(|hostile| hostile.what == what).unwrap(), &Arc::default());
        let error = call(&host, "asset").await.unwrap_err();
        assert!(matches!(&error, HandlerError::OverLimit { limit: own, .. } if *own == limit), "{error}");
        for each in Limit::ALL {
            assert_eq!(
                of(&host, "asset").over_limit[each as usize],
                u64::from(each == limit),
                "{what} {each:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_component_says_of_records_that_it_was_not_given_is_only_an_answer() {
    // It names a million failures that all lie at the same place: small inside, large outside.
    let handle = r#"(func (export "supernoba:edge/stream-handler@0.1.0#handle")
        (param i32 i32 i32 i32) (result i32)
        (i32.store (i32.const 1024) (i32.const 2048))
        (i32.store (i32.const 1028) (i32.const 100000))
        (i32.const 1024))"#;
    let bytes = component("history-saver", &module("", 64, handle));
    let host =
        Folder::of(&[("history-saver", &bytes)]).load(Arc::<Fakes>::default().backends(), tight()).unwrap();
    let item = Item { id: "1".into(), partition: "p".into(), arrived: 1, body: Vec::new() };
    let error = host.stream("history-saver", "fills", vec![item]).await.unwrap_err();
    assert_eq!(error.code(), "over_limit", "{error}");
}
