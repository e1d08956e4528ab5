//! `/metrics` in Prometheus' text format.

use super::Gateway;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

pub(super) async fn metrics(State(gateway): State<Gateway>) -> impl IntoResponse {
    let mut out = String::new();
    let counters = &gateway.counters;
    for (name, help, value) in [
        (
            "orders_received_total",
            "Records of the orders stream applied since the start.",
            &counters.received,
        ),
        ("orders_accepted_total", "Orders accepted into a book.", &counters.accepted),
        ("orders_rejected_total", "Orders, cancels and replaces refused by the engine.", &counters.rejected),
        (
            "orders_duplicate_total",
            "Orders that had been entered before and were passed over.",
            &counters.duplicates,
        ),
        ("orders_malformed_total", "Records that could not be read.", &counters.malformed),
        ("fills_total", "Fills.", &counters.fills),
        ("snapshots_total", "Snapshots of engine shards written.", &counters.snapshots),
    ] {
        family(&mut out, name, "counter", help);
        sample(&mut out, name, "", value.load(Relaxed));
    }
    family(&mut out, "connections", "gauge", "Open WebSocket connections.");
    sample(&mut out, "connections", "", gateway.hub.len() as u64);
    family(&mut out, "dead_letters", "gauge", "Records that no retry could process.");
    sample(&mut out, "dead_letters", "", gateway.store.dead_letters().await.unwrap_or_default());
    family(
        &mut out,
        "consumer_lag_records",
        "gauge",
        "Records of a shard that a consumer has not processed.",
    );
    for (consumer, shard, lag) in (gateway.lags)() {
        sample(&mut out, "consumer_lag_records", &format!(r#"consumer="{consumer}",shard="{shard}""#), lag);
    }
    let handlers = gateway.functions.metrics();
    for (name, help, value) in [
        (
            "function_calls_total",
            "Calls of a function.",
            (|m| m.calls) as fn(&edge_host::HandlerMetrics) -> u64,
        ),
        ("function_traps_total", "Calls that trapped.", |m| m.traps),
        ("function_timeouts_total", "Calls that ran over their time.", |m| m.timeouts),
        ("function_unavailable_total", "Calls that found no room.", |m| m.unavailable),
        ("function_busy_microseconds_total", "Time in calls, waiting included.", |m| {
            m.busy.as_micros() as u64
        }),
    ] {
        family(&mut out, name, "counter", help);
        for handler in &handlers {
            sample(&mut out, name, &format!(r#"function="{}""#, handler.handler), value(handler));
        }
    }
    family(&mut out, "uptime_seconds", "gauge", "Seconds since the start.");
    sample(&mut out, "uptime_seconds", "", gateway.started.elapsed().as_secs());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP supernoba_{name} {help}\n# TYPE supernoba_{name} {kind}");
}

fn sample(out: &mut String, name: &str, labels: &str, value: u64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "supernoba_{name}{labels} {value}");
}
