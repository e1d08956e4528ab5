//! An engine: folds the shards of the orders stream whose leases it holds.

use super::{health, now_ms, own_name};
use crate::backends::aws::kinesis::Worker;
use crate::backends::aws::kinesis::worker;
use crate::config::Config;
use crate::engine::fleet::{Fleet, Held};
use crate::engine::{self, Counters, Notifier};
use crate::gateway;
use crate::grpc;
use crate::links::Links;
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub async fn run(config: &Config, links: &Links, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let log = links.log().await.context("the streams cannot be looked at")?;
    let cache = links.depth_cache().await.context("the depth cache cannot be reached")?;
    let connections = links.connections(Arc::new(cache.clone()), None)?;
    let counters = Arc::new(Counters::default());
    let backup = Arc::new(links.backup_cache().await.context("the backup cache cannot be reached")?);
    let held = Arc::new(Held::default());
    let fenced = cache.clone();
    let options = &config.engine;
    let fleet = Fleet {
        orders: log.clone(),
        leases: links.engine_leases(),
        backends: engine::Backends {
            log: Arc::new(log),
            snapshots: Arc::new(links.snapshots()),
            cache: Arc::new(cache.clone()),
            backup: backup.clone(),
            dead_letters: Arc::new(links.state()),
            // What Valkey has lost comes again from the engine's state.
            flush_cache: Arc::new(|| Ok(())),
            now: Arc::new(now_ms),
        },
        fenced: Arc::new(move |fence| Arc::new(fenced.fenced(fence))),
        notifier: Notifier::start(Arc::new(cache), connections),
        options: engine::Options {
            orders_stream: config.streams.orders.clone(),
            fills_stream: config.streams.fills.clone(),
            day_offset_s: config.market.day_offset_s,
            batch: options.batch,
            snapshot_every: Duration::from_secs(options.snapshot_seconds),
            snapshot_records: options.snapshot_records,
        },
        counters: counters.clone(),
        held: held.clone(),
    };
    let name = own_name(&options.name)?;
    let lease_time = Duration::from_millis(options.lease_ms);
    let worker = Worker::new(
        links.aws(),
        &config.streams.orders,
        links.engine_leases(),
        Arc::new(fleet),
        worker::Options { name: name.clone(), lease_time },
    );
    let metrics = Arc::new(move |out: &mut String| gateway::engine_metrics(out, &counters));
    let place = (options.bind, options.http_port);
    let address = health::serve(place, "engine", metrics, stop.clone()).await?;
    let token = config.secrets.capabilities_token.as_ref().map(|token| token.reveal().to_owned());
    let service = grpc::Service { held, leases: links.engine_leases(), backup, token };
    let operators = grpc::serve((options.bind, options.grpc_port), service, stop.clone()).await?;
    println!("Engine {name} is at work; health and metrics on http://{address}, gRPC on {operators}");
    worker.run(stop).await;
    Ok(())
}
