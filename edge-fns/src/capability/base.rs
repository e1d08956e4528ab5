//! Clock, randomness, log and configuration: what every function has.

use super::{Millis, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[async_trait]
pub trait Base: Send + Sync {
    fn now(&self) -> Millis;
    /// `len` bytes nobody can predict.
    fn random(&self, len: u32) -> Vec<u8>;
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]);
    /// One configuration value by name; `None` where the deployment does not set it.
    async fn config(&self, name: &str) -> Result<Option<String>>;
}
