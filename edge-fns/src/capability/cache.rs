//! Valkey, one round trip for any number of commands.

use super::Result;
use async_trait::async_trait;

pub type Key = String;
pub type Value = Vec<u8>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// Time to live in milliseconds.
    pub px: Option<u32>,
    pub only_if_absent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Get(Key),
    Mget(Vec<Key>),
    Set(Key, Value, SetOptions),
    Del(Vec<Key>),
    /// Time to live in milliseconds; 0 removes the key.
    Expire(Key, u32),
    Sadd(Key, Vec<Value>),
    Srem(Key, Vec<Value>),
    Sismember(Key, Value),
    Smembers(Key),
    Hgetall(Key),
    Hset(Key, Vec<(String, Value)>),
    Lpush(Key, Vec<Value>),
    /// Inclusive bounds; negative counts from the end, as Valkey has it.
    Lrange(Key, i64, i64),
    Ltrim(Key, i64, i64),
    Scan {
        cursor: u64,
        pattern: String,
        count: u32,
    },
    /// Run a script the host registered under this name; callers cannot bring their own.
    Eval {
        name: String,
        keys: Vec<Key>,
        args: Vec<Value>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Done,
    Integer(i64),
    Bytes(Value),
    Values(Vec<Option<Value>>),
    Pairs(Vec<(String, Value)>),
    Page(u64, Vec<Key>),
}

#[async_trait]
pub trait Cache: Send + Sync {
    /// Pipelined, in order, not atomic: the n-th reply answers the n-th command.
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>>;
    /// MULTI/EXEC: all commands take effect together or none does.
    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>>;
}
