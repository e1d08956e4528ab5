//! What a call of the order router costs on this machine, over back ends that answer at once; how many of them one core
//! does in a second; what it takes to load a compiled component; and what a thousand places for calls hold when idle.
//!
//! `cargo run --release -p edge-host --example bench_order_router`

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Fakes, Folder, built, component, http_module};
use edge_host::{EdgeHost, Limits, Request};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

const CALLS: u32 = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let fakes: Arc<Fakes> = Arc::default();
    let empty = component("asset", &http_module("", 1, "", 2));
    let host = Folder::of(&[("asset", &empty)]).load(fakes.backends(), Limits::default()).unwrap();
    bench("an empty function", &host, "asset", &Request::default(), 200).await;

    let Some(folder) = built() else { return };
    let start = Instant::now();
    let host = EdgeHost::load(&folder, fakes.backends(), Limits::default()).unwrap();
    println!("{} components loaded in {:.0?}", host.handlers().len(), start.elapsed());
    let order = Request {
        method: "POST".into(),
        path: "/orders".into(),
        headers: vec![("authorization".into(), "Bearer ann".into())],
        body: br#"{"symbol":"AAA","side":"BUY","price":100,"quantity":3}"#.to_vec(),
        ..Request::default()
    };
    bench("an order", &host, "order-router", &order, 202).await;
    throughput(&host, &order).await;
    let refused = Request { body: b"{}".to_vec(), ..order.clone() };
    bench("a refused order", &host, "order-router", &refused, 400).await;
    load_compiled(&folder.join("order-router.wasm"));
    drop(host);
    idle_places(&folder, &order).await;
}

/// Orders in a second, one after the other on this thread.
async fn throughput(host: &EdgeHost, order: &Request) {
    let mut rates = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..2_000 {
            assert_eq!(host.http("order-router", order.clone()).await.unwrap().status, 202);
        }
        rates.push(2_000.0 / start.elapsed().as_secs_f64());
    }
    print("orders through the order router, one core", "orders/s", rates);
}

/// A component that was compiled ahead, as a machine without a compiler loads it.
fn load_compiled(component: &Path) {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).unwrap();
    let compiled = engine.precompile_component(&std::fs::read(component).unwrap()).unwrap();
    let file = std::env::temp_dir().join(format!("bench-{}.cwasm", std::process::id()));
    std::fs::write(&file, compiled).unwrap();
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        // SAFETY: the file was made by this engine a moment ago, and nobody else knows its name.
        #[allow(unsafe_code)]
        let loaded = unsafe { Component::deserialize_file(&engine, &file) };
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(loaded.unwrap());
    }
    std::fs::remove_file(file).unwrap();
    print("load of the compiled order router (.cwasm)", "ms", times);
}

/// What a thousand places hold of this process' memory when they have been used at the same time and wait for their next
/// calls, besides what it holds with its components loaded and no place used.
async fn idle_places(folder: &Path, order: &Request) {
    let limits = Limits { concurrent: 1_000, ..Limits::default() };
    let host = EdgeHost::load(folder, Fakes::slow(Duration::from_millis(100)).backends(), limits).unwrap();
    let Some(before) = resident_mb() else { return };
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let calls = (0..1_000).map(|_| {
            let (host, order) = (host.clone(), order.clone());
            tokio::spawn(async move { host.http("order-router", order).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap().status, 202);
        }
        sizes.extend(resident_mb().map(|after| after - before));
    }
    println!("with components loaded and no place used: {before:.0} MB resident");
    print("resident memory of 1,000 idle places", "MB", sizes);
}

fn resident_mb() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096.0 / 1e6)
}

fn print(name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_unstable_by(f64::total_cmp);
    let (median, min, max) = (values[values.len() / 2], values[0], values[values.len() - 1]);
    println!(r#"{{"name":"{name}","unit":"{unit}","median":{median:.3},"min":{min:.3},"max":{max:.3}}}"#);
}

async fn bench(what: &str, host: &EdgeHost, handler: &str, request: &Request, status: u16) {
    let mut times = Vec::with_capacity(CALLS as usize);
    for _ in 0..CALLS {
        let request = request.clone();
        let start = Instant::now();
        let response = host.http(handler, request).await.unwrap();
        times.push(start.elapsed());
        assert_eq!(response.status, status);
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos() as f64 / 1e3;
    let (median, min, max) = (at(50), at(0), at(99));
    println!(
        r#"{{"name":"call of {what}","unit":"µs, max: p99","median":{median},"min":{min},"max":{max}}}"#
    );
}
