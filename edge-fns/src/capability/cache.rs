//! Valkey, one round trip for any number of commands.

use super::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub type Key = String;
pub type Value = Vec<u8>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOptions {
    /// Time to live in milliseconds.
    pub px: Option<u32>,
    pub only_if_absent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Get(Key),
    Mget(Vec<Key>),
    Set(Key, #[serde(with = "crate::json")] Value, SetOptions),
    Del(Vec<Key>),
    /// Time to live in milliseconds; 0 removes the key.
    Expire(Key, u32),
    Sadd(Key, #[serde(with = "crate::json")] Vec<Value>),
    Srem(Key, #[serde(with = "crate::json")] Vec<Value>),
    Sismember(Key, #[serde(with = "crate::json")] Value),
    Smembers(Key),
    Hgetall(Key),
    Hset(Key, #[serde(with = "crate::json")] Vec<(String, Value)>),
    Lpush(Key, #[serde(with = "crate::json")] Vec<Value>),
    /// Inclusive bounds; negative counts from the end, as Valkey has it.
    Lrange(Key, #[serde(with = "crate::json")] i64, #[serde(with = "crate::json")] i64),
    Ltrim(Key, #[serde(with = "crate::json")] i64, #[serde(with = "crate::json")] i64),
    Scan {
        #[serde(with = "crate::json")]
        cursor: u64,
        pattern: String,
        count: u32,
    },
    /// Run a script the host registered under this name; callers cannot bring their own.
    Eval {
        name: String,
        keys: Vec<Key>,
        #[serde(with = "crate::json")]
        args: Vec<Value>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Nil,
    Done,
    Integer(#[serde(with = "crate::json")] i64),
    Bytes(#[serde(with = "crate::json")] Value),
    Values(#[serde(with = "crate::json")] Vec<Option<Value>>),
    Pairs(#[serde(with = "crate::json")] Vec<(String, Value)>),
    Page(#[serde(with = "crate::json")] u64, Vec<Key>),
}

#[async_trait]
pub trait Cache: Send + Sync {
    /// Pipelined, in order, not atomic: the n-th reply answers the n-th command.
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>>;
    /// MULTI/EXEC: all commands take effect together or none does.
    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>>;
}
