//! Objects by key, replaced whole (S3 and what is shaped like it).

use super::{Error, Millis, Result};
use async_trait::async_trait;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The state a write requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Anything,
    /// There is no object of this key.
    Absent,
    /// The object is the one with this etag.
    Matches(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: String,
    pub condition: Condition,
    pub body: Vec<u8>,
}

/// A lost condition is data, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable; the etag of what was written.
    Written(String),
    /// Nothing was written; the etag of what is there, if there is anything.
    Lost(Option<String>),
}

/// A part of an object. What lies past its end is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub offset: u64,
    pub length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub key: String,
    pub range: Option<Range>,
}

impl Read {
    /// The whole object.
    pub fn whole(key: impl Into<String>) -> Read {
        Read { key: key.into(), range: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Other content never has an equal one.
    pub etag: String,
    /// Of the whole object, whatever part of it was read.
    pub size: u64,
    pub body: Vec<u8>,
}

/// A page of the keys that begin with `prefix`, in the order of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub prefix: String,
    pub limit: u32,
    pub cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub modified: Millis,
}

/// A page may be shorter than its limit; only one without a cursor is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub cursor: Option<String>,
}

#[async_trait]
pub trait Blobs: Send + Sync {
    /// Each write stands alone; the n-th answer answers the n-th write. A reader sees the object before or after.
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Result<Outcome>>>;
    async fn get(&self, reads: Vec<Read>) -> Result<Vec<Result<Option<Object>>>>;
    async fn search(&self, query: Query) -> Result<Page>;
    /// An object that is not there counts as deleted.
    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>>;
}

/// Refuses what cannot be a key. Back ends call it before they do anything.
pub fn check_key(key: &str) -> Result<()> {
    if (1..=MAX_KEY).contains(&key.len()) {
        return Ok(());
    }
    Err(Error::Invalid(format!("a key has 1 to {MAX_KEY} bytes, not {}", key.len())))
}

impl Range {
    /// The part of a body of this size that the range names.
    pub fn within(self, size: u64) -> core::ops::Range<u64> {
        let from = self.offset.min(size);
        from..from.saturating_add(self.length).min(size)
    }
}

impl Condition {
    /// Whether a write may go on where there is this etag now.
    pub fn holds(&self, now: Option<&str>) -> bool {
        match self {
            Condition::Anything => true,
            Condition::Absent => now.is_none(),
            Condition::Matches(etag) => now == Some(etag),
        }
    }
}
