//! Versioned documents with conditional writes (DynamoDB, or SQL where there is none).

use super::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    pub table: String,
    pub partition: String,
    pub sort: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: Id,
    /// Starts at 1 and grows by 1 with each write.
    #[serde(with = "crate::json")]
    pub version: u64,
    #[serde(with = "crate::json")]
    pub body: Vec<u8>,
}

/// The state a write requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Absent,
    Version(#[serde(with = "crate::json")] u64),
    Anything,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub id: Id,
    pub expect: Expect,
    /// `None` deletes.
    #[serde(default, with = "crate::json")]
    pub body: Option<Vec<u8>>,
}

/// A lost race is data: `Stale` carries what is stored now, so a retry needs no second read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Written(#[serde(with = "crate::json")] u64),
    Stale(Option<Entry>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    pub table: String,
    pub partition: String,
    /// Inclusive bounds on the sort key.
    pub lower: Option<String>,
    pub upper: Option<String>,
    pub limit: u32,
    pub descending: bool,
    pub cursor: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub cursor: Option<String>,
}

#[async_trait]
pub trait Documents: Send + Sync {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>>;
    /// Each write stands alone; the n-th outcome answers the n-th write.
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>>;
    /// All writes or none; the first stale entry is reported.
    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome>;
    async fn search(&self, query: Query) -> Result<Page>;
}
