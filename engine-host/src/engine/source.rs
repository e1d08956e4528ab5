//! What one engine thread folds: a shard of the orders stream, as who owns it reads it.

use crate::backends::{Log, Record};
use async_trait::async_trait;
use edge_fns::capability::Result;
use std::sync::Arc;
use std::time::Duration;

/// Records that follow one another.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub records: Vec<Record>,
    /// What the stream calls the last one, if it has names of its own for its records.
    pub place: Option<String>,
    /// The shard is closed, and nothing follows.
    pub end: bool,
}

/// One shard, read by one owner from where its snapshot stands.
///
/// Positions are the fold's: the record after position `n` is `n + 1`, whatever the stream calls it.
#[async_trait]
pub trait Source: Send + Sync {
    /// Number of the shard in its stream.
    fn shard(&self) -> u32;
    /// Up to `max` records after position `after`, which was 0 or that of the last record given out; waits at most so long
    /// for the first. An error has taken nothing.
    async fn read(&mut self, after: u64, max: usize, at_most: Duration) -> Result<Batch>;
    /// Appends to this very shard; durable when it returns. The clock comes in this way.
    async fn append(&mut self, body: Vec<u8>) -> Result<()>;
    /// Under which name the next snapshot is written.
    fn snapshot_name(&self) -> String;
    /// The snapshot is durable, and holds everything up to this place. Answers the name of one that nobody needs any more.
    async fn snapshot_kept(&mut self, place: &str) -> Result<Option<String>>;
}

/// A shard of a log whose sequences are positions.
pub(super) struct LogSource {
    pub log: Arc<dyn Log>,
    pub stream: String,
    pub shard: u32,
}

#[async_trait]
impl Source for LogSource {
    fn shard(&self) -> u32 {
        self.shard
    }

    async fn read(&mut self, after: u64, max: usize, at_most: Duration) -> Result<Batch> {
        self.log.wait(&self.stream, self.shard, after, at_most).await?;
        let records = self.log.read(&self.stream, self.shard, after, max).await?;
        Ok(Batch { records, place: None, end: false })
    }

    async fn append(&mut self, body: Vec<u8>) -> Result<()> {
        self.log.append_to_shard(&self.stream, self.shard, body).await.map(|_| ())
    }

    fn snapshot_name(&self) -> String {
        snapshot_name(&self.stream, self.shard)
    }

    async fn snapshot_kept(&mut self, _place: &str) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Where the snapshot of a shard is that has one owner for ever.
pub(super) fn snapshot_name(stream: &str, shard: u32) -> String {
    format!("snapshot/{stream}/{shard}")
}
