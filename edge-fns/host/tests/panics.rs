//! A function that was compiled from Rust, in the shell that all functions have, panics: its event fails and says so, its
//! message is in the log, a metric counts it, and nobody beside it notices.
//!
//! Needs `tests/panics` built (`cargo xtask components` does); without it, it says so and passes.

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_fns::capability::base::Level;
use edge_host::{EdgeHost, HandlerError, Limits, Request, Response};
use std::path::Path;
use std::sync::Arc;

/// The function that panics as `asset`, and one that never does as `admin`.
fn host(fakes: &Arc<Fakes>) -> Option<EdgeHost> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/foreign/panics.wasm");
    if !file.exists() {
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{} is not built", file.display());
        println!("skipped: there is no {}; `cargo xtask components` builds it", file.display());
        return None;
    }
    let good = component("admin", &http_module("", 1, "", 2));
    let folder = Folder::of(&[("asset", &std::fs::read(&file).unwrap()), ("admin", &good)]);
    Some(folder.load(fakes.backends(), Limits::default()).unwrap())
}

async fn ask(host: &EdgeHost, handler: &str, path: &str) -> Result<Response, HandlerError> {
    let request =
        Request { path: path.into(), query: "nobody".into(), body: vec![7; 3], ..Request::default() };
    host.http(handler, request).await
}

#[tokio::test]
async fn each_panic_fails_its_own_event_with_its_message_in_the_log() {
    for (path, says) in [
        ("/message", "panic: the till is 3 short"),
        ("/index", "panic: index out of bounds: the len is 3 but the index is 3"),
        ("/unwrap", r#"panic: called `Result::unwrap()` on an `Err` value: "nobody""#),
    ] {
        let fakes: Arc<Fakes> = Arc::default();
        let Some(host) = host(&fakes) else { return };
        for _ in 0..20 {
            // The same function's other events, and another function's, before and behind it.
            let (before, failed, behind, other) = tokio::join!(
                ask(&host, "asset", "/"),
                ask(&host, "asset", path),
                ask(&host, "asset", "/"),
                ask(&host, "admin", "/"),
            );
            let error = failed.expect_err(path);
            assert_eq!(error.code(), "trap", "{error}");
            assert!(error.to_string().contains("asset"), "{error}");
            assert_eq!(before.unwrap().body, b"3");
            assert_eq!(behind.unwrap().body, b"3");
            assert_eq!(other.unwrap().status, 200);
        }
        let logs = fakes.logs.lock().unwrap();
        assert_eq!(logs.len(), 20, "{logs:?}");
        for (level, message, fields) in logs.iter() {
            assert_eq!((*level, message.as_str()), (Level::Error, says));
            let field =
                |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
            assert_eq!(field("handler"), Some("asset"));
            // Where in the source it was.
            assert!(field("at").is_some_and(|at| at.contains("tests/panics/src/lib.rs:")), "{fields:?}");
        }
        for metrics in host.metrics() {
            let expected = if metrics.handler == "asset" { (60, 20) } else { (20, 0) };
            assert_eq!((metrics.calls, metrics.traps), expected, "{}", metrics.handler);
            assert_eq!((metrics.timeouts, metrics.running), (0, 0));
        }
    }
}
