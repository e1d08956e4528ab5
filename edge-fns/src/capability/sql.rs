//! Named statements: a deployment's manifest holds the text, only values cross the boundary.

use super::{Millis, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(#[serde(with = "crate::json")] i64),
    /// Exact decimal in text form.
    Decimal(String),
    Text(String),
    Bytes(#[serde(with = "crate::json")] Vec<u8>),
    Instant(#[serde(with = "crate::json")] Millis),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

#[async_trait]
pub trait Sql: Send + Sync {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows>;
    /// One statement, many parameter rows, one transaction; returns rows affected.
    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64>;
}
