//! Between the types generated from `wit/` and those of `edge-fns`, both ways.
//!
//! The host shares this file: both sides of the boundary are generated with the same names. Nothing is copied; text
//! and bytes move from one type to the other.

use crate::bindings::capabilities::supernoba::edge as wit;
use crate::bindings::http_function::exports::supernoba::edge::http_handler;
use crate::bindings::socket_function::exports::supernoba::edge::socket_handler;
use crate::bindings::stream_function::exports::supernoba::edge::stream_handler;
use crate::bindings::timer_function::supernoba::edge::types as timer_types;
use edge_fns::capability::{
    Error, base, blobs, cache, connections, documents, identity, sql, streams, wallet,
};
use edge_fns::{http, socket, stream};

pub fn convert<A, B: From<A>>(value: A) -> B {
    value.into()
}

pub fn list<A, B: From<A>>(values: Vec<A>) -> Vec<B> {
    values.into_iter().map(B::from).collect()
}

pub fn answer<A, B: From<A>, E, F: From<E>>(result: Result<A, E>) -> Result<B, F> {
    Ok(result?.into())
}

pub fn answers<A, B: From<A>, E, F: From<E>>(results: Vec<Result<A, E>>) -> Vec<Result<B, F>> {
    results.into_iter().map(|result| result.map(B::from).map_err(F::from)).collect()
}

/// Conversions both ways between two types of the same shape.
macro_rules! same {
    (struct $left:ty, $right:ty { $($field:ident),+ }) => {
        same!(@struct $left => $right { $($field),+ });
        same!(@struct $right => $left { $($field),+ });
    };
    (@struct $from:ty => $to:ty { $($field:ident),+ }) => {
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                Self { $($field: value.$field.into()),+ }
            }
        }
    };
    (enum $left:ty, $right:ty { $($case:ident $(($value:ident))?),+ }) => {
        same!(@enum $left => $right { $($case $(($value))?),+ });
        same!(@enum $right => $left { $($case $(($value))?),+ });
    };
    (@enum $from:ty => $to:ty { $($case:ident $(($value:ident))?),+ }) => {
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                type Given = $from;
                match value { $(Given::$case $(($value))? => Self::$case $(($value.into()))?),+ }
            }
        }
    };
}

same!(enum wit::types::Error, Error {
    Invalid(why), Denied(why), Throttled(ms), Timeout, Unavailable(why), Internal(why)
});
same!(enum timer_types::Error, Error {
    Invalid(why), Denied(why), Throttled(ms), Timeout, Unavailable(why), Internal(why)
});
same!(enum wit::log::Level, base::Level { Trace, Debug, Info, Warn, Error });
same!(struct wit::identity::Claims, identity::Claims { user, role, expires });
same!(enum wit::identity::Refusal, identity::Refusal { Malformed, Expired, BadSignature, WrongAudience });
same!(enum wit::connections::Delivery, connections::Delivery { Sent, Gone });
same!(struct wit::connections::Push, connections::Push { to, body });
same!(struct wit::documents::Id, documents::Id { table, partition, sort });
same!(struct wit::documents::Entry, documents::Entry { id, version, body });
same!(enum wit::documents::Expect, documents::Expect { Absent, Version(version), Anything });
same!(struct wit::documents::Write, documents::Write { id, expect, body });
same!(struct wit::documents::Query, documents::Query {
    table, partition, lower, upper, limit, descending, cursor
});
same!(struct wit::log_streams::Message, streams::Message { partition, body });
same!(enum wit::sql::Value, sql::Value {
    Null, Boolean(value), Integer(value), Decimal(value), Text(value), Bytes(value), Instant(value)
});
same!(enum wit::wallet::Asset, wallet::Asset { Cash, Stock(symbol) });
same!(struct wit::wallet::Party, wallet::Party { user, hold, refund });
same!(enum wit::wallet::Posted, wallet::Posted { Done, Repeated, Insufficient(amount) });
same!(struct wit::wallet::Balance, wallet::Balance { asset, available, locked });
same!(struct wit::cache::SetOptions, cache::SetOptions { px, only_if_absent });
same!(enum wit::blobs::Condition, blobs::Condition { Anything, Absent, Matches(etag) });
same!(struct wit::blobs::Write, blobs::Write { key, condition, body });
same!(enum wit::blobs::Outcome, blobs::Outcome { Written(etag), Lost(etag) });
same!(struct wit::blobs::Range, blobs::Range { offset, length });
same!(struct wit::blobs::Object, blobs::Object { etag, size, body });
same!(struct wit::blobs::Query, blobs::Query { prefix, limit, cursor });
same!(struct wit::blobs::Entry, blobs::Entry { key, etag, size, modified });
same!(struct http_handler::Request, http::Request { method, path, query, headers, body });
same!(struct http_handler::Response, http::Response { status, headers, body });
same!(enum socket_handler::Event, socket::Event { Opened(names), Message(body), Closed });
same!(struct socket_handler::Reply, socket::Reply { accept, status, body });
same!(struct stream_handler::Item, stream::Item { id, partition, arrived, body });
same!(enum stream_handler::Disposition, stream::Disposition { Retry, Reject(reason) });
same!(struct stream_handler::Failure, stream::Failure { id, disposition });

// The shapes that differ: tuples and records there, named fields here.

impl From<wit::cache::Command> for cache::Command {
    fn from(command: wit::cache::Command) -> Self {
        use wit::cache::Command as Wit;
        match command {
            Wit::Get(key) => Self::Get(key),
            Wit::Mget(keys) => Self::Mget(keys),
            Wit::Set((key, value, options)) => Self::Set(key, value, options.into()),
            Wit::Del(keys) => Self::Del(keys),
            Wit::Expire((key, ms)) => Self::Expire(key, ms),
            Wit::Sadd((key, members)) => Self::Sadd(key, members),
            Wit::Srem((key, members)) => Self::Srem(key, members),
            Wit::Sismember((key, member)) => Self::Sismember(key, member),
            Wit::Smembers(key) => Self::Smembers(key),
            Wit::Hgetall(key) => Self::Hgetall(key),
            Wit::Hset((key, pairs)) => Self::Hset(key, pairs),
            Wit::Lpush((key, values)) => Self::Lpush(key, values),
            Wit::Lrange(range) => Self::Lrange(range.key, range.start, range.stop),
            Wit::Ltrim(range) => Self::Ltrim(range.key, range.start, range.stop),
            Wit::Scan(page) => Self::Scan { cursor: page.cursor, pattern: page.pattern, count: page.count },
            Wit::Eval(call) => Self::Eval { name: call.name, keys: call.keys, args: call.args },
        }
    }
}

impl From<cache::Command> for wit::cache::Command {
    fn from(command: cache::Command) -> Self {
        use cache::Command;
        use wit::cache::{PageRequest, Range, ScriptCall};
        match command {
            Command::Get(key) => Self::Get(key),
            Command::Mget(keys) => Self::Mget(keys),
            Command::Set(key, value, options) => Self::Set((key, value, options.into())),
            Command::Del(keys) => Self::Del(keys),
            Command::Expire(key, ms) => Self::Expire((key, ms)),
            Command::Sadd(key, members) => Self::Sadd((key, members)),
            Command::Srem(key, members) => Self::Srem((key, members)),
            Command::Sismember(key, member) => Self::Sismember((key, member)),
            Command::Smembers(key) => Self::Smembers(key),
            Command::Hgetall(key) => Self::Hgetall(key),
            Command::Hset(key, pairs) => Self::Hset((key, pairs)),
            Command::Lpush(key, values) => Self::Lpush((key, values)),
            Command::Lrange(key, start, stop) => Self::Lrange(Range { key, start, stop }),
            Command::Ltrim(key, start, stop) => Self::Ltrim(Range { key, start, stop }),
            Command::Scan { cursor, pattern, count } => Self::Scan(PageRequest { cursor, pattern, count }),
            Command::Eval { name, keys, args } => Self::Eval(ScriptCall { name, keys, args }),
        }
    }
}

impl From<wit::cache::Reply> for cache::Reply {
    fn from(reply: wit::cache::Reply) -> Self {
        use wit::cache::Reply as Wit;
        match reply {
            Wit::Nil => Self::Nil,
            Wit::Done => Self::Done,
            Wit::Integer(value) => Self::Integer(value),
            Wit::Bytes(value) => Self::Bytes(value),
            Wit::Values(values) => Self::Values(values),
            Wit::Pairs(pairs) => Self::Pairs(pairs),
            Wit::Page((cursor, keys)) => Self::Page(cursor, keys),
        }
    }
}

impl From<cache::Reply> for wit::cache::Reply {
    fn from(reply: cache::Reply) -> Self {
        use cache::Reply;
        match reply {
            Reply::Nil => Self::Nil,
            Reply::Done => Self::Done,
            Reply::Integer(value) => Self::Integer(value),
            Reply::Bytes(value) => Self::Bytes(value),
            Reply::Values(values) => Self::Values(values),
            Reply::Pairs(pairs) => Self::Pairs(pairs),
            Reply::Page(cursor, keys) => Self::Page((cursor, keys)),
        }
    }
}

impl From<wit::wallet::Movement> for wallet::Movement {
    fn from(movement: wit::wallet::Movement) -> Self {
        use wit::wallet::{Adjustment, Movement, Reservation, Settlement, Transfer};
        match movement {
            Movement::Reserve(Reservation { hold, user, asset, amount }) => {
                Self::Reserve { hold, user, asset: asset.into(), amount }
            }
            Movement::Release(hold) => Self::Release { hold },
            Movement::Adjust(Adjustment { id, hold, absorb, keep }) => {
                Self::Adjust { id, hold, absorb, keep }
            }
            Movement::Settle(Settlement { fill, symbol, cash, quantity, buyer, seller }) => {
                Self::Settle { fill, symbol, cash, quantity, buyer: buyer.into(), seller: seller.into() }
            }
            Movement::Deposit(Transfer { id, user, asset, amount }) => {
                Self::Deposit { id, user, asset: asset.into(), amount }
            }
            Movement::Withdraw(Transfer { id, user, asset, amount }) => {
                Self::Withdraw { id, user, asset: asset.into(), amount }
            }
        }
    }
}

impl From<wallet::Movement> for wit::wallet::Movement {
    fn from(movement: wallet::Movement) -> Self {
        use wallet::Movement;
        use wit::wallet::{Adjustment, Reservation, Settlement, Transfer};
        match movement {
            Movement::Reserve { hold, user, asset, amount } => {
                Self::Reserve(Reservation { hold, user, asset: asset.into(), amount })
            }
            Movement::Release { hold } => Self::Release(hold),
            Movement::Adjust { id, hold, absorb, keep } => {
                Self::Adjust(Adjustment { id, hold, absorb, keep })
            }
            Movement::Settle { fill, symbol, cash, quantity, buyer, seller } => {
                let (buyer, seller) = (buyer.into(), seller.into());
                Self::Settle(Settlement { fill, symbol, cash, quantity, buyer, seller })
            }
            Movement::Deposit { id, user, asset, amount } => {
                Self::Deposit(Transfer { id, user, asset: asset.into(), amount })
            }
            Movement::Withdraw { id, user, asset, amount } => {
                Self::Withdraw(Transfer { id, user, asset: asset.into(), amount })
            }
        }
    }
}

// The shapes with lists of what differs.

impl From<wit::documents::Outcome> for documents::Outcome {
    fn from(outcome: wit::documents::Outcome) -> Self {
        match outcome {
            wit::documents::Outcome::Written(version) => Self::Written(version),
            wit::documents::Outcome::Stale(entry) => Self::Stale(entry.map(convert)),
        }
    }
}

impl From<documents::Outcome> for wit::documents::Outcome {
    fn from(outcome: documents::Outcome) -> Self {
        match outcome {
            documents::Outcome::Written(version) => Self::Written(version),
            documents::Outcome::Stale(entry) => Self::Stale(entry.map(convert)),
        }
    }
}

impl From<wit::documents::Page> for documents::Page {
    fn from(page: wit::documents::Page) -> Self {
        Self { entries: list(page.entries), cursor: page.cursor }
    }
}

impl From<documents::Page> for wit::documents::Page {
    fn from(page: documents::Page) -> Self {
        Self { entries: list(page.entries), cursor: page.cursor }
    }
}

impl From<wit::sql::Rows> for sql::Rows {
    fn from(rows: wit::sql::Rows) -> Self {
        Self { columns: rows.columns, rows: rows.rows.into_iter().map(list).collect() }
    }
}

impl From<sql::Rows> for wit::sql::Rows {
    fn from(rows: sql::Rows) -> Self {
        Self { columns: rows.columns, rows: rows.rows.into_iter().map(list).collect() }
    }
}

impl From<wit::blobs::Read> for blobs::Read {
    fn from(read: wit::blobs::Read) -> Self {
        Self { key: read.key, range: read.range.map(convert) }
    }
}

impl From<blobs::Read> for wit::blobs::Read {
    fn from(read: blobs::Read) -> Self {
        Self { key: read.key, range: read.range.map(convert) }
    }
}

impl From<wit::blobs::Page> for blobs::Page {
    fn from(page: wit::blobs::Page) -> Self {
        Self { entries: list(page.entries), cursor: page.cursor }
    }
}

impl From<blobs::Page> for wit::blobs::Page {
    fn from(page: blobs::Page) -> Self {
        Self { entries: list(page.entries), cursor: page.cursor }
    }
}
