//! `/metrics` in Prometheus' text format.

use super::Gateway;
use crate::engine::Counters;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use edge_host::sources::{stream, timer};
use edge_host::{HandlerMetrics, Limit, TIME_BOUNDS};
use futures_util::future::join_all;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

pub(super) async fn metrics(State(gateway): State<Gateway>) -> impl IntoResponse {
    let mut out = String::new();
    if let Some(counters) = &gateway.counters {
        engine(&mut out, counters);
    }
    family(&mut out, "connections", "gauge", "Open WebSocket connections.");
    sample(&mut out, "connections", "", gateway.hub.len() as u64);
    family(&mut out, "dead_letters", "gauge", "Records that no retry could process.");
    sample(&mut out, "dead_letters", "", gateway.records.letters.dead_letters().await.unwrap_or_default());
    family(
        &mut out,
        "consumer_lag_records",
        "gauge",
        "Records of a shard that a consumer has not processed.",
    );
    let (consumers, timers) = (gateway.readings)();
    // A stream elsewhere takes its time to say where it ends.
    let lags = join_all(consumers.iter().map(|reading| (gateway.lag)(reading.clone()))).await;
    for (reading, lag) in consumers.iter().zip(lags) {
        sample(&mut out, "consumer_lag_records", &shard(reading), lag);
    }
    sources(&mut out, &consumers, &timers);
    functions(&mut out, &gateway.functions.metrics());
    family(&mut out, "uptime_seconds", "gauge", "Seconds since the start.");
    sample(&mut out, "uptime_seconds", "", gateway.started.elapsed().as_secs());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

/// What an engine has done.
pub fn engine(out: &mut String, counters: &Counters) {
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
        family(out, name, "counter", help);
        sample(out, name, "", value.load(Relaxed));
    }
}

fn shard(reading: &stream::Reading) -> String {
    format!(r#"consumer="{}",shard="{}""#, reading.consumer, reading.shard)
}

fn sources(out: &mut String, consumers: &[stream::Reading], timers: &[timer::Reading]) {
    type OfShard = fn(&stream::Reading) -> u64;
    for (name, kind, help, value) in [
        ("consumer_batches_total", "counter", "Batches handed to a consumer.", (|r| r.batches) as OfShard),
        ("consumer_records_total", "counter", "Records that a consumer has processed.", |r| r.done),
        ("consumer_retries_total", "counter", "Batches handed over once more.", |r| r.repetitions),
        ("consumer_bisections_total", "counter", "Batches halved to find what fails.", |r| r.bisections),
        ("consumer_in_flight_records", "gauge", "Records read and not done with.", |r| r.in_flight),
    ] {
        family(out, name, kind, help);
        for reading in consumers {
            sample(out, name, &shard(reading), value(reading));
        }
    }
    let name = "consumer_dead_letters_total";
    family(out, name, "counter", "Records put aside since the start, by reason.");
    for reading in consumers {
        for (reason, count) in reading.dead_letters {
            sample(out, name, &format!(r#"{},reason="{reason}""#, shard(reading)), count);
        }
    }
    type OfTimer = fn(&timer::Reading) -> u64;
    for (name, help, value) in [
        ("timer_ticks_total", "Ticks carried out.", (|r| r.fired) as OfTimer),
        ("timer_failures_total", "Ticks whose call failed.", |r| r.failed),
        ("timer_missed_total", "Ticks left out.", |r| r.missed),
    ] {
        family(out, name, "counter", help);
        for reading in timers {
            sample(out, name, &format!(r#"timer="{}""#, reading.timer), value(reading));
        }
    }
}

fn functions(out: &mut String, handlers: &[HandlerMetrics]) {
    type Value = fn(&HandlerMetrics) -> u64;
    let function = |m: &HandlerMetrics| format!(r#"function="{}""#, m.handler);
    for (name, kind, help, value) in [
        ("function_calls_total", "counter", "Calls that have ended.", (|m| m.calls) as Value),
        ("function_calls_running", "gauge", "Calls under way.", |m| m.running),
        ("function_traps_total", "counter", "Calls that trapped.", |m| m.traps),
        ("function_timeouts_total", "counter", "Calls that ran over their time.", |m| m.timeouts),
        ("function_unavailable_total", "counter", "Calls that found no room.", |m| m.unavailable),
        ("function_memory_peak_bytes", "gauge", "The most memory that one instance has had.", |m| {
            m.memory_peak_bytes
        }),
        ("function_reloads_total", "counter", "Times that a changed component was taken.", |m| m.reloads),
        ("function_reloads_refused_total", "counter", "Times that one was refused.", |m| m.reloads_refused),
        ("function_draining_versions", "gauge", "Replaced components that still have calls.", |m| m.draining),
    ] {
        family(out, name, kind, help);
        for handler in handlers {
            sample(out, name, &function(handler), value(handler));
        }
    }
    let name = "function_over_limit_total";
    family(out, name, "counter", "Calls that overstepped a limit.");
    for handler in handlers {
        for (limit, count) in Limit::ALL.iter().zip(handler.over_limit) {
            sample(out, name, &format!(r#"{},limit="{}""#, function(handler), limit.name()), count);
        }
    }
    let name = "function_duration_seconds";
    family(out, name, "histogram", "Time of a call, waiting for its back ends included.");
    for handler in handlers {
        let labels = function(handler);
        for (bound, within) in TIME_BOUNDS.iter().zip(handler.within) {
            let le = bound.as_secs_f64();
            sample(out, "function_duration_seconds_bucket", &format!(r#"{labels},le="{le}""#), within);
        }
        sample(out, "function_duration_seconds_bucket", &format!(r#"{labels},le="+Inf""#), handler.calls);
        let _ = writeln!(out, "supernoba_{name}_sum{{{labels}}} {}", handler.busy.as_secs_f64());
        sample(out, "function_duration_seconds_count", &labels, handler.calls);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP supernoba_{name} {help}\n# TYPE supernoba_{name} {kind}");
}

fn sample(out: &mut String, name: &str, labels: &str, value: u64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "supernoba_{name}{labels} {value}");
}
