//! Servers for a test, and clients of them.

#[path = "../../../tests/src/servers.rs"]
mod servers;

pub use servers::Server;

use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use engine_host::backends::aws;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub async fn kinesis() -> Option<Server> {
    servers::kinesis()
}

pub async fn ministack() -> Option<Server> {
    servers::ministack()
}

/// The strict one about expressions; it knows no transactions.
pub async fn dynalite() -> Option<Server> {
    servers::dynalite()
}

/// Clients of a server here, as the service makes them of AWS.
pub async fn clients(url: &str) -> SdkConfig {
    aws::load_for(url, "test", "test").await
}

/// A name that no other test has.
pub fn fresh(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A stream of so many shards that can be used.
pub async fn stream(config: &SdkConfig, shards: i32) -> String {
    let (client, name) = (Client::new(config), fresh("stream"));
    client.create_stream().stream_name(&name).shard_count(shards).send().await.unwrap();
    active(&client, &name).await;
    name
}

pub async fn active(client: &Client, stream: &str) {
    for _ in 0..200 {
        let summary = client.describe_stream_summary().stream_name(stream).send().await.unwrap();
        let summary = summary.stream_description_summary.unwrap();
        if summary.stream_status.as_str() == "ACTIVE" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{stream} has not become active");
}
