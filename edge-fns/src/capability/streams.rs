//! Append to an ordered, partitioned log (Kinesis).

use super::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Records of one partition keep their order.
    pub partition: String,
    #[serde(with = "crate::json")]
    pub body: Vec<u8>,
}

#[async_trait]
pub trait LogStreams: Send + Sync {
    /// Durable when it returns; one sequence number or error a message.
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>>;
}
