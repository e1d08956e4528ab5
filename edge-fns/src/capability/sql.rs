//! Named statements: a deployment's manifest holds the text, only values cross the boundary.

use super::{Millis, Result};
use async_trait::async_trait;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Exact decimal in text form.
    Decimal(String),
    Text(String),
    Bytes(Vec<u8>),
    Instant(Millis),
}

#[derive(Clone, Debug, Default, PartialEq)]
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
