//! What the service stores and where: one trait a capability, an embedded back end for each.
//!
//! The capabilities that functions use are `edge_fns::capability`'s. Here are those that only the host uses: reading
//! a log, checkpoints of its consumers, and snapshots.

use async_trait::async_trait;
use edge_fns::capability::{LogStreams, Millis, Result};
use std::time::Duration;

pub mod aws;
pub mod embedded;
pub mod gateways;
pub mod http;
pub mod postgres;
pub mod records;
pub mod supabase;
pub mod tls;
pub mod valkey;

/// One record of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position in the shard, from 1 on, without gaps.
    pub sequence: u64,
    /// When it arrived; never earlier than the record before it.
    pub arrived: Millis,
    pub partition: String,
    pub body: Vec<u8>,
}

/// An ordered, partitioned, durable log.
#[async_trait]
pub trait Log: LogStreams {
    /// Number of shards of a stream.
    fn shards(&self, stream: &str) -> Result<u32>;
    /// Up to `max` records after `after`, in order; empty at the end of the shard.
    async fn read(&self, stream: &str, shard: u32, after: u64, max: usize) -> Result<Vec<Record>>;
    /// Returns when the shard has a record after `after`, or when the time is up.
    async fn wait(&self, stream: &str, shard: u32, after: u64, timeout: Duration) -> Result<()>;
    /// Appends to this very shard; durable when it returns. The engine's clock uses it.
    async fn append_to_shard(&self, stream: &str, shard: u32, body: Vec<u8>) -> Result<u64>;
    /// Sequence of the last record, 0 if there is none.
    async fn last(&self, stream: &str, shard: u32) -> Result<u64>;
}

/// How far each consumer of a log has come.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    async fn get(&self, consumer: &str, stream: &str, shard: u32) -> Result<u64>;
    async fn set(&self, consumer: &str, stream: &str, shard: u32, sequence: u64) -> Result<()>;
}

/// Small durable objects, replaced whole.
#[async_trait]
pub trait Snapshots: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// Durable when it returns; a reader sees the old one or the new one.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()>;
    /// One that is not there is as good as deleted.
    async fn delete(&self, key: &str) -> Result<()>;
}

/// Records that no retry could process, with the reason.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    async fn bury(
        &self,
        consumer: &str,
        stream: &str,
        shard: u32,
        record: &Record,
        reason: &str,
    ) -> Result<()>;
}
