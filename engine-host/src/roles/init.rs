//! Makes what is missing: streams, tables, the bucket, the schema of the trade history. What is there stays as it is.

use crate::config::Config;
use crate::event_sources::CONSUMERS;
use crate::links::Links;
use anyhow::{Context, bail};
use aws_sdk_kinesis::types::StreamStatus;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Of the system's contract.
const ORDERS_SHARDS: i32 = 4;
const FILLS_SHARDS: i32 = 2;
/// A stream is there within a minute, or something is wrong.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(200);

/// # Errors
/// If the settings are wrong, or something is missing and cannot be made.
pub async fn init(file: Option<&Path>) -> anyhow::Result<()> {
    let config = Arc::new(Config::load(file)?);
    if let Some(problem) = config.problems(None).first() {
        bail!("the settings cannot be used: {problem}");
    }
    let links = Links::new(config.clone()).await;
    let kinesis = aws_sdk_kinesis::Client::new(links.aws());
    for (name, shards) in [(&config.streams.orders, ORDERS_SHARDS), (&config.streams.fills, FILLS_SHARDS)] {
        let made = stream(&kinesis, name, shards).await.with_context(|| format!("stream {name}"))?;
        println!("stream {name}: {}", if made { "made" } else { "there" });
    }
    links
        .documents()
        .create(&["supernoba-orders", "candle_history"])
        .await
        .context("the tables of documents")?;
    links.state().create().await.with_context(|| format!("table {}", config.tables.state))?;
    links.engine_leases().create().await.with_context(|| format!("table {}", config.tables.leases))?;
    for consumer in CONSUMERS {
        links
            .consumer_leases(consumer)
            .create()
            .await
            .with_context(|| format!("the leases of {consumer}"))?;
    }
    println!("tables: there");
    links.blobs().create().await.with_context(|| format!("bucket {}", config.buckets.backups))?;
    println!("bucket {}: there", config.buckets.backups);
    if config.history.endpoint.is_empty() {
        println!("trade history: left out, as history.endpoint is not set");
    } else {
        links.history().await.context("the trade history")?;
        println!("trade history: its schema is there");
    }
    println!("Supabase's tables and functions are made by its own tool: supabase db push");
    Ok(())
}

/// Whether it had to be made.
async fn stream(client: &aws_sdk_kinesis::Client, name: &str, shards: i32) -> anyhow::Result<bool> {
    let made = match client.create_stream().stream_name(name).shard_count(shards).send().await {
        Ok(_) => true,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
            false
        }
        Err(error) => return Err(error.into()),
    };
    for _ in 0..TRIES {
        let summary = client.describe_stream_summary().stream_name(name).send().await?;
        let status = summary.stream_description_summary.map(|summary| summary.stream_status);
        if matches!(status, Some(StreamStatus::Active | StreamStatus::Updating)) {
            return Ok(made);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("it has not become active")
}
