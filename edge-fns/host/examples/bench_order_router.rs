//! What a call of the order router costs on this machine, over back ends that answer at once.
//!
//! `cargo run --release -p edge-host --example bench_order_router`

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Fakes, Folder, built, component, http_module};
use edge_host::{EdgeHost, Limits, Request};
use std::sync::Arc;
use std::time::Instant;

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
    let refused = Request { body: b"{}".to_vec(), ..order };
    bench("a refused order", &host, "order-router", &refused, 400).await;
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
