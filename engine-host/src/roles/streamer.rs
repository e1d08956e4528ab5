//! A streamer: what the engines write into the cache goes to the connections that asked for it.

use super::health;
use crate::config::Config;
use crate::links::Links;
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use streamer::{Options, Streamer};
use tokio::sync::watch;

/// Anonymous users are served so much more seldom than logged-in ones, and subscriptions read anew so often.
const SLOW: u64 = 500;
const SYNC: u64 = 5_000;

pub async fn run(config: &Config, links: &Links, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let cache = links.depth_cache().await.context("the depth cache cannot be reached")?;
    let changes = cache.watch().await;
    let cache = Arc::new(cache);
    let connections = links.connections(cache.clone(), None)?;
    let fast = config.streamer.fast_ms;
    let rounds = |ms: u64| u32::try_from(ms / fast.max(1)).unwrap_or(u32::MAX).max(1);
    let options =
        Options { fast: Duration::from_millis(fast), slow_rounds: rounds(SLOW), sync_rounds: rounds(SYNC) };
    let place = (config.streamer.bind, config.streamer.http_port);
    let address = health::serve(place, "streamer", Arc::new(|_: &mut String| {}), stop.clone()).await?;
    println!("The streamer is at work; health on http://{address}");
    Streamer::new(cache, connections, changes, options).run(stop).await;
    Ok(())
}
