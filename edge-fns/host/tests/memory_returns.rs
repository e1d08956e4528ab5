//! What calls take is given back: the process is no larger after many rounds than after a few. Alone in its program, so
//! that nothing else allocates meanwhile.
#![cfg(target_os = "linux")]

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_host::{EdgeHost, Limits, Request};
use std::sync::Arc;
use std::time::Duration;

/// Writes to every page of 8 MB, then traps, runs for ever, or answers, by the length of the body.
const CODE: &str = "(local $at i32)
    (drop (memory.grow (i32.const 127)))
    (local.set $at (i32.const 65536))
    (loop $again
        (i32.store (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 8388608))))
    (if (i32.eq (local.get $body) (i32.const 1)) (then (unreachable)))
    (if (i32.eq (local.get $body) (i32.const 2)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $body) (i32.const 3)) (then (drop (memory.grow (i32.const 60000)))))";

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

async fn rounds(host: &EdgeHost, count: usize) {
    for _ in 0..count {
        for kind in 0..4 {
            let calls = (0..8).map(|_| {
                let host = host.clone();
                tokio::spawn(async move {
                    host.http("asset", Request { body: vec![0; kind], ..Request::default() }).await
                })
            });
            for call in calls.collect::<Vec<_>>() {
                let answer = call.await.unwrap();
                assert_eq!(answer.is_ok(), kind == 0, "{kind}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_process_does_not_grow() {
    let limits =
        Limits { cpu: Duration::from_millis(20), wall: Duration::from_secs(60), ..Limits::default() };
    let bytes = component("asset", &http_module("", 1, CODE, 0));
    let host = Folder::of(&[("asset", &bytes)]).load(Arc::<Fakes>::default().backends(), limits).unwrap();
    rounds(&host, 2).await;
    let before = resident_bytes();
    rounds(&host, 10).await;
    let after = resident_bytes();
    // One call that kept its memory would show: there were three hundred of them, of 8 MB each.
    assert!(after < before + (8 << 20), "{before} bytes before, {after} after");
    let metrics = host.metrics()[0];
    assert_eq!((metrics.calls, metrics.memory_peak_bytes), (12 * 4 * 8, 128 << 16));
}
