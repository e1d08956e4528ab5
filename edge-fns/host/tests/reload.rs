//! A changed component takes the place of the one before it between two calls; one that cannot be served takes nobody's.

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_host::{EdgeHost, HandlerMetrics, Limits, LoadError, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;

const CONFIG: &str = r#"(import "supernoba:edge/config@0.1.0" "get" (func $get (param i32 i32 i32)))"#;
const CACHE: &str = r#"(import "supernoba:edge/cache@0.1.0" "run" (func $run (param i32 i32 i32)))"#;

/// A component whose answers have so many bytes; it asks a back end first.
fn version(answer: u32) -> Vec<u8> {
    let ask = "(call $get (i32.const 64) (i32.const 15) (i32.const 3072))";
    component("asset", &http_module(CONFIG, 1, ask, answer))
}

async fn answer(host: &EdgeHost) -> usize {
    host.http("asset", Request::default()).await.unwrap().body.len()
}

fn metrics(host: &EdgeHost, handler: &str) -> HandlerMetrics {
    host.metrics().into_iter().find(|metrics| metrics.handler == handler).unwrap()
}

#[tokio::test]
async fn a_call_finishes_with_the_component_that_it_started_with() {
    let folder = Folder::of(&[("asset", &version(1))]);
    let host = folder.load(Fakes::slow(Duration::from_millis(300)).backends(), Limits::default()).unwrap();
    let old = tokio::spawn({
        let host = host.clone();
        async move { answer(&host).await }
    });
    while metrics(&host, "asset").running == 0 {
        tokio::task::yield_now().await;
    }
    folder.write("asset", &version(2));
    assert_eq!(host.reload().await.unwrap().taken, ["asset"]);
    assert_eq!(metrics(&host, "asset").draining, 1);
    let new = answer(&host).await;
    assert_eq!((old.await.unwrap(), new), (1, 2));
    assert_eq!(metrics(&host, "asset").draining, 0);
    // Nothing has changed since.
    assert!(host.reload().await.unwrap().taken.is_empty());
    assert_eq!((metrics(&host, "asset").reloads, metrics(&host, "asset").calls), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_dropped_while_components_change() {
    let folder = Folder::of(&[("asset", &version(0))]);
    let host = folder.load(Arc::<Fakes>::default().backends(), Limits::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (host, stop) = (host.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut last, mut calls) = (0, 0_u64);
                while !stop.load(Relaxed) {
                    let version = answer(&host).await;
                    assert!(version >= last, "version {version} after {last}");
                    (last, calls) = (version, calls + 1);
                }
                (last, calls)
            })
        })
        .collect();
    for next in 1..=10 {
        folder.write("asset", &version(next));
        assert_eq!(host.reload().await.unwrap().taken, ["asset"]);
        // From here on nobody meets the old one any more.
        assert_eq!(answer(&host).await, next as usize);
    }
    stop.store(true, Relaxed);
    let mut calls = 10;
    for caller in callers {
        let (last, own) = caller.await.unwrap();
        assert!(last <= 10);
        calls += own;
    }
    let metrics = metrics(&host, "asset");
    assert_eq!((metrics.calls, metrics.traps, metrics.timeouts, metrics.unavailable), (calls, 0, 0, 0));
    assert_eq!((metrics.reloads, metrics.draining, metrics.running), (10, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_served_changes_nothing() {
    let folder = Folder::of(&[("asset", &version(1))]);
    let host = folder.load(Arc::<Fakes>::default().backends(), Limits::default()).unwrap();
    let greedy = component("order-router", &http_module(CACHE, 1, "", 9));
    let half = &version(9)[..100];
    let busy =
        http_module("", 1, "", 9).replace("(memory", "(func $spin (loop (br 0))) (start $spin) (memory");
    let busy = component("asset", &busy);
    for (refused, bytes) in [&greedy[..], half, b"", &busy].into_iter().enumerate() {
        folder.write("asset", bytes);
        let reload = host.reload().await.unwrap();
        assert!(reload.taken.is_empty());
        let [(path, reason)] = &reload.refused[..] else { panic!("{reload:?}") };
        assert!(path.ends_with("asset.wasm"));
        match (refused, reason) {
            (0, LoadError::NotGranted { import, .. }) => assert!(import.contains("cache"), "{import}"),
            (1.., LoadError::Compile { .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(answer(&host).await, 1);
        assert_eq!(metrics(&host, "asset").reloads_refused, 1 + refused as u64);
    }
    // A file that is gone takes nothing away; an unknown one adds nothing.
    folder.remove("asset");
    folder.write("wallets", &version(9));
    let reload = host.reload().await.unwrap();
    assert!(matches!(&reload.refused[..], [(_, LoadError::UnknownHandler { .. })]), "{reload:?}");
    assert_eq!(answer(&host).await, 1);
    // And a good one is taken after all that; so is one of a handler that had none.
    folder.remove("wallets");
    folder.write("asset", &version(2));
    folder.write("admin", &component("admin", &http_module("", 1, "", 3)));
    assert_eq!(host.reload().await.unwrap().taken, ["admin", "asset"]);
    assert_eq!((answer(&host).await, host.handlers()), (2, vec!["admin", "asset"]));
    let admin = host.http("admin", Request::default()).await.unwrap();
    assert_eq!(admin.body.len(), 3);
}

#[tokio::test]
async fn a_watched_folder_is_taken_as_it_changes() {
    let folder = Folder::of(&[("asset", &version(1))]);
    let host = folder.load(Arc::<Fakes>::default().backends(), Limits::default()).unwrap();
    let (stop, stopping) = watch::channel(false);
    let watching = tokio::spawn(host.clone().watch(Duration::from_millis(5), stopping));
    for next in 2..=4 {
        folder.write("asset", &version(next));
        while answer(&host).await != next as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    folder.write("asset", b"no component");
    while metrics(&host, "asset").reloads_refused == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(answer(&host).await, 4);
    stop.send_replace(true);
    watching.await.unwrap();
}
