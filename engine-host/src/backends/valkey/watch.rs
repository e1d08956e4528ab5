//! Keys as they change, told by the server: the streamer need not ask for everything all the time.

use super::{Options, ValkeyCache, failure};
use edge_fns::capability::Result;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Changed keys that a slow watcher may fall behind by; then it must look at everything again.
const WATCH: usize = 8192;
/// What is told: changes of sets and strings, removals and expiries, by key.
const EVENTS: &str = "Kg$sx";
const PREFIX: &str = "__keyspace@0__:";
const PATTERNS: [&str; 3] = ["symbol:*", "realtime:connections", "subscribed:symbols"];
const PAUSE: Duration = Duration::from_millis(500);

impl ValkeyCache {
    /// Names of the subscriptions' keys as they change. `None` where the server does not tell: in a cluster, where each node
    /// tells its own alone, and where its `notify-keyspace-events` is off and may not be turned on from here.
    pub async fn watch(&self) -> Option<broadcast::Receiver<Arc<str>>> {
        if self.options.cluster || !self.turn_on().await {
            return None;
        }
        let (sender, receiver) = broadcast::channel(WATCH);
        tokio::spawn(follow(self.options.clone(), sender));
        Some(receiver)
    }

    async fn turn_on(&self) -> bool {
        if self.tells().await {
            return true;
        }
        let mut pipeline = redis::Pipeline::new();
        pipeline.cmd("CONFIG").arg("SET").arg("notify-keyspace-events").arg(EVENTS);
        let any = redis::cluster_routing::SingleNodeRoutingInfo::RandomPrimary;
        if self.send(&pipeline, any).await.is_ok() && self.tells().await {
            return true;
        }
        tracing::warn!(
            "Valkey does not tell of changed keys: set notify-keyspace-events to {EVENTS} (in the parameter group); until \
             then subscriptions are read in every round"
        );
        false
    }

    /// Whether the server tells of what the streamer wants to know.
    pub async fn tells(&self) -> bool {
        let mut pipeline = redis::Pipeline::new();
        pipeline.cmd("CONFIG").arg("GET").arg("notify-keyspace-events");
        let any = redis::cluster_routing::SingleNodeRoutingInfo::RandomPrimary;
        let Ok(mut values) = self.send(&pipeline, any).await else { return false };
        let Some(value) = values.pop() else { return false };
        let pair: std::result::Result<Vec<String>, _> = redis::from_redis_value(value);
        let events = pair.ok().and_then(|mut pair| pair.pop()).unwrap_or_default();
        let has = |event: char| events.contains(event);
        has('K') && (has('A') || "g$sx".chars().all(has))
    }
}

/// Passes changes on until nobody listens.
async fn follow(options: Arc<Options>, sender: broadcast::Sender<Arc<str>>) {
    while sender.receiver_count() > 0 {
        if let Err(error) = follow_connection(&options, &sender).await {
            tracing::warn!(%error, "changes of the cache's keys cannot be followed, trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_connection(options: &Options, sender: &broadcast::Sender<Arc<str>>) -> Result<()> {
    let client = options.client()?;
    let mut subscription = client.get_async_pubsub().await.map_err(|error| failure(&error))?;
    for pattern in PATTERNS {
        subscription.psubscribe(format!("{PREFIX}{pattern}")).await.map_err(|error| failure(&error))?;
    }
    // What changed before this connection was not heard: by this key, everything is looked at.
    let _ = sender.send("subscribed:symbols".into());
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        let Some(key) = message.get_channel_name().strip_prefix(PREFIX) else { continue };
        if sender.send(key.into()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
