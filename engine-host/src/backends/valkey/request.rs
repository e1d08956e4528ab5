//! A command of the capability in the server's words, and the server's answer in the capability's.

use super::layout::Layout;
use super::scripts::Scripts;
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::{Error, Result};
use redis::{Cmd, Value};

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Done,
    /// Done, or nothing because there was something.
    DoneOrNil,
    Bytes,
    Integer,
    Values,
    Pairs,
    Page,
    /// A script's own.
    Any,
}

/// The kinds of value that a command needs and leaves at its key, for commands that run together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds {
    pub needs: &'static str,
    pub leaves: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub name: &'static str,
    /// Words before the keys.
    pub lead: Vec<Vec<u8>>,
    pub keys: Vec<String>,
    pub arguments: Vec<Vec<u8>>,
    pub shape: Shape,
    pub kinds: Kinds,
}

/// A command on its way.
#[derive(Debug)]
pub(super) enum Plan {
    /// There is nothing to ask.
    Ready(Reply),
    Ask(Request),
    /// Keys that may lie in several slots: one question a key.
    Each(Request),
    Scan {
        cursor: u64,
        pattern: String,
        count: u32,
    },
}

const READS_ANY: Kinds = Kinds { needs: "any", leaves: "same" };

impl Request {
    fn new(name: &'static str, key: &str, arguments: Vec<Vec<u8>>, shape: Shape, kinds: Kinds) -> Request {
        Request { name, lead: Vec::new(), keys: vec![key.into()], arguments, shape, kinds }
    }

    pub fn command(&self) -> Cmd {
        let mut command = redis::cmd(self.name);
        let keys = self.keys.iter().map(String::as_bytes);
        for word in
            self.lead.iter().map(Vec::as_slice).chain(keys).chain(self.arguments.iter().map(Vec::as_slice))
        {
            command.arg(word);
        }
        command
    }

    /// The same with the script's text, for a server that does not know its digest.
    pub fn with_text(&self, scripts: &Scripts) -> Option<Request> {
        let digest = std::str::from_utf8(self.lead.first()?).ok()?;
        let text = scripts.text(digest)?;
        let lead = vec![text.into(), self.lead.get(1)?.clone()];
        Some(Request { name: "EVAL", lead, ..self.clone() })
    }

    /// One request a key.
    pub fn each(&self) -> Vec<Request> {
        let name = if self.name == "MGET" { "GET" } else { self.name };
        let one = |key: &String| Request { name, keys: vec![key.clone()], ..self.clone() };
        self.keys.iter().map(one).collect()
    }
}

/// Translates a command. `token` goes first to scripts that are fenced.
pub(super) fn plan(command: Command, layout: Layout, scripts: &Scripts, token: u64) -> Result<Plan> {
    let kinds = |needs, leaves| Kinds { needs, leaves };
    let place = |key: &str| layout.place(key).into_owned();
    let text = |number: i64| number.to_string().into_bytes();
    let ask = |name, key: &str, arguments, shape, kinds| {
        Ok(Plan::Ask(Request::new(name, &layout.place(key), arguments, shape, kinds)))
    };
    match command {
        Command::Get(key) => ask("GET", &key, Vec::new(), Shape::Bytes, kinds("string", "same")),
        Command::Mget(keys) if keys.is_empty() => Ok(Plan::Ready(Reply::Values(Vec::new()))),
        Command::Mget(keys) => {
            let keys = keys.iter().map(|key| place(key)).collect();
            Ok(Plan::Each(Request {
                name: "MGET",
                lead: Vec::new(),
                keys,
                arguments: Vec::new(),
                shape: Shape::Values,
                kinds: READS_ANY,
            }))
        }
        Command::Set(key, value, SetOptions { px, only_if_absent }) => {
            let mut arguments = vec![value];
            if let Some(ms) = px {
                arguments.extend([b"PX".to_vec(), text(ms.into())]);
            }
            if only_if_absent {
                arguments.push(b"NX".to_vec());
            }
            let leaves = if only_if_absent { "absent" } else { "string" };
            ask("SET", &key, arguments, Shape::DoneOrNil, kinds("any", leaves))
        }
        Command::Del(keys) if keys.is_empty() => Ok(Plan::Ready(Reply::Integer(0))),
        Command::Del(keys) => {
            let keys = keys.iter().map(|key| place(key)).collect();
            Ok(Plan::Each(Request {
                name: "DEL",
                lead: Vec::new(),
                keys,
                arguments: Vec::new(),
                shape: Shape::Integer,
                kinds: kinds("any", "none"),
            }))
        }
        Command::Expire(key, 0) => ask("DEL", &key, Vec::new(), Shape::Integer, kinds("any", "none")),
        Command::Expire(key, ms) => ask("PEXPIRE", &key, vec![text(ms.into())], Shape::Integer, READS_ANY),
        Command::Sadd(_, members) | Command::Srem(_, members) if members.is_empty() => {
            Ok(Plan::Ready(Reply::Integer(0)))
        }
        Command::Sadd(key, members) => ask("SADD", &key, members, Shape::Integer, kinds("set", "set")),
        Command::Srem(key, members) => ask("SREM", &key, members, Shape::Integer, kinds("set", "same")),
        Command::Sismember(key, member) => {
            ask("SISMEMBER", &key, vec![member], Shape::Integer, kinds("set", "same"))
        }
        Command::Smembers(key) => ask("SMEMBERS", &key, Vec::new(), Shape::Values, kinds("set", "same")),
        Command::Hgetall(key) => ask("HGETALL", &key, Vec::new(), Shape::Pairs, kinds("hash", "same")),
        Command::Hset(_, pairs) if pairs.is_empty() => Ok(Plan::Ready(Reply::Integer(0))),
        Command::Hset(key, pairs) => {
            let words = pairs.into_iter().flat_map(|(name, value)| [name.into_bytes(), value]).collect();
            ask("HSET", &key, words, Shape::Integer, kinds("hash", "hash"))
        }
        Command::Lpush(key, values) if values.is_empty() => {
            ask("LLEN", &key, Vec::new(), Shape::Integer, kinds("list", "same"))
        }
        Command::Lpush(key, values) => ask("LPUSH", &key, values, Shape::Integer, kinds("list", "list")),
        Command::Lrange(key, start, stop) => {
            ask("LRANGE", &key, vec![text(start), text(stop)], Shape::Values, kinds("list", "same"))
        }
        Command::Ltrim(key, start, stop) => {
            ask("LTRIM", &key, vec![text(start), text(stop)], Shape::Done, kinds("list", "same"))
        }
        Command::Scan { cursor, pattern, count } => Ok(Plan::Scan { cursor, pattern, count }),
        Command::Eval { name, keys, args } => {
            let script = scripts.named(&name);
            let script = script.ok_or_else(|| Error::Denied(format!("there is no script {name:?}")))?;
            let token = script.fenced.then(|| token.to_string().into_bytes());
            Ok(Plan::Ask(Request {
                name: "EVALSHA",
                lead: vec![script.digest.clone().into_bytes(), keys.len().to_string().into_bytes()],
                keys: keys.iter().map(|key| place(key)).collect(),
                arguments: token.into_iter().chain(args).collect(),
                shape: Shape::Any,
                kinds: READS_ANY,
            }))
        }
    }
}

/// What the server said.
pub(super) fn reply(value: Value, shape: Shape) -> Result<Reply> {
    if let Value::ServerError(error) = value {
        return Err(super::failure(&error.into()));
    }
    let strange = |value: &Value| Err(Error::Internal(format!("Valkey answered {value:?}")));
    match (shape, value) {
        (Shape::Bytes | Shape::DoneOrNil | Shape::Any, Value::Nil) => Ok(Reply::Nil),
        (Shape::Done | Shape::DoneOrNil | Shape::Any, Value::Okay) => Ok(Reply::Done),
        (Shape::Integer | Shape::Any, Value::Int(number)) => Ok(Reply::Integer(number)),
        (Shape::Bytes | Shape::Any, Value::BulkString(bytes)) => Ok(Reply::Bytes(bytes)),
        (Shape::Values | Shape::Any, Value::Array(values) | Value::Set(values)) => {
            values.into_iter().map(optional).collect::<Result<_>>().map(Reply::Values)
        }
        (Shape::Pairs, Value::Map(pairs)) => pairs
            .into_iter()
            .map(|(name, value)| Ok((string(name)?, bytes(value)?)))
            .collect::<Result<_>>()
            .map(Reply::Pairs),
        (Shape::Pairs, Value::Array(values)) => {
            let mut pairs = Vec::with_capacity(values.len() / 2);
            let mut values = values.into_iter();
            while let (Some(name), Some(value)) = (values.next(), values.next()) {
                pairs.push((string(name)?, bytes(value)?));
            }
            Ok(Reply::Pairs(pairs))
        }
        (Shape::Page, Value::Array(parts)) => {
            let [cursor, Value::Array(keys)] =
                <[Value; 2]>::try_from(parts).map_err(|parts| Error::Internal(format!("{parts:?}")))?
            else {
                return Err(Error::Internal("Valkey answered a scan without keys".into()));
            };
            let cursor =
                string(cursor)?.parse().map_err(|_| Error::Internal("a cursor is no number".into()))?;
            Ok(Reply::Page(cursor, keys.into_iter().map(string).collect::<Result<_>>()?))
        }
        (_, value) => strange(&value),
    }
}

fn optional(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::Nil => Ok(None),
        other => bytes(other).map(Some),
    }
}

fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        Value::Okay => Ok(b"OK".to_vec()),
        Value::Int(number) => Ok(number.to_string().into_bytes()),
        other => Err(Error::Internal(format!("Valkey answered {other:?}"))),
    }
}

fn string(value: Value) -> Result<String> {
    String::from_utf8(bytes(value)?).map_err(|_| Error::Internal("a key is not text".into()))
}
