//! Push to WebSocket clients.

use super::Result;
use async_trait::async_trait;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Sent,
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub to: Vec<String>,
    pub body: Vec<u8>,
}

#[async_trait]
pub trait Connections: Send + Sync {
    /// One answer a connection, in the order of `to`, for each push.
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>>;
    /// Whether each connection is still there, without sending anything to it.
    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>>;
    async fn close(&self, id: &str) -> Result<()>;
}
