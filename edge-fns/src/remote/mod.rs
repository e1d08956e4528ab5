//! Capabilities over HTTP: how a function that runs where there is no back end for a capability (on Lambda, in a Worker,
//! on Spin) reaches the exchange's own.
//!
//! # The protocol
//!
//! Each call of a capability is one `POST` of JSON to one URL, whose answer is JSON again:
//!
//! ```text
//! POST /capabilities
//! authorization: Bearer TOKEN
//! content-type: application/json
//!
//! {"call":"cache.run","with":{"commands":[{"sismember":["active:symbols","TEST"]}]}}
//!
//! 200 OK
//!
//! {"Ok":[{"Ok":{"integer":1}}]}
//! ```
//!
//! - `call` names the trait and its function, `with` holds the arguments by their names ([`Call`] lists all). The data
//!   are those of [`capability`](crate::capability), written as [`json`](crate::json) says: bytes that are text as a
//!   string, other bytes as `{"base64":"…"}`, numbers beyond 2⁵³ as strings of digits.
//! - The answer is `{"Ok":…}` with what the trait's function answers, or `{"Err":…}` with an
//!   [`Error`](crate::capability::Error): `{"Err":{"throttled":50}}`, `{"Err":"timeout"}`.
//! - Any other status than 200 comes from what stands in between, and [`accept`] says which error it is.
//! - A call that is not answered within the client's patience ([`patience_ms`]) is given up as `timeout`: whether it was
//!   carried out, nobody knows.
//! - Nothing is retried here: what may be repeated after which error is the function's to know.
//!
//! # The parts
//!
//! [`Remote`] is the client: it implements every capability over a [`Post`], which is all that a platform has to bring.
//! [`Served`] is the server: it answers a body from the capabilities that it was given, and only from those.
//! [`RemoteBase`] keeps clock, randomness and log where the function runs, unless the server sets the first two, as a
//! server of tests does to get the same answers everywhere.

mod client;
mod server;
mod session;

pub use client::Remote;
pub use server::Served;
pub use session::{RemoteBase, Session, Sessions, drawn};

use crate::capability::cache::Command;
use crate::capability::connections::Push;
use crate::capability::documents::{Id, Query, Write};
use crate::capability::sql::Value;
use crate::capability::streams::Message;
use crate::capability::wallet::Movement;
use crate::capability::{Error, Result, blobs};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The largest body of a call or an answer.
pub const BODY_LIMIT: usize = 8 << 20;

/// The setting of how long the answer to a call may take, in milliseconds: [`patience_ms`] reads it.
pub const PATIENCE: &str = "CAPABILITIES_PATIENCE_MS";
/// Where nothing is said: less than any platform waits for its function.
const PATIENCE_MS: u32 = 10_000;
/// No platform lets a function wait longer.
const LONGEST_PATIENCE_MS: u32 = 900_000;

/// How long the answer to a call may take, in milliseconds, or what is wrong with the setting's value.
pub fn patience_ms(value: Option<&str>) -> core::result::Result<u32, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(PATIENCE_MS) };
    match value.parse() {
        Ok(patience @ 1..=LONGEST_PATIENCE_MS) => Ok(patience),
        _ => Err(format!("it is a number of milliseconds from 1 to {LONGEST_PATIENCE_MS}")),
    }
}

/// What carries a body to the server and brings the answer's body back.
#[async_trait]
pub trait Post: Send + Sync {
    /// Fails with `Unavailable` where nothing was sent, with `Timeout` where the answer did not come, and with what
    /// [`accept`] makes of a status.
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>>;
}

/// The body of an answer with this status, or the error that another status than 200 stands for.
pub fn accept(status: u16, body: Vec<u8>) -> Result<Vec<u8>> {
    match status {
        200 => Ok(body),
        401 | 403 => Err(Error::Denied(format!("the capability server answered {status}"))),
        400..=499 if status != 429 => Err(Error::Invalid(format!("the capability server answered {status}"))),
        429 => Err(Error::Throttled(None)),
        503 => Err(Error::Unavailable("the capability server answered 503".into())),
        504 => Err(Error::Timeout),
        _ => Err(Error::Internal(format!("the capability server answered {status}"))),
    }
}

/// Every call there is, with its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", content = "with", deny_unknown_fields)]
pub enum Call {
    /// One event begins; answers a [`Session`].
    #[serde(rename = "base.open")]
    Open {},
    #[serde(rename = "base.config")]
    Config { name: String },
    #[serde(rename = "identity.verify")]
    Verify { token: String },
    #[serde(rename = "cache.run")]
    CacheRun { commands: Vec<Command> },
    #[serde(rename = "cache.run_atomic")]
    CacheRunAtomic { commands: Vec<Command> },
    #[serde(rename = "documents.get")]
    DocumentsGet { ids: Vec<Id> },
    #[serde(rename = "documents.put")]
    DocumentsPut { writes: Vec<Write> },
    #[serde(rename = "documents.put_all")]
    DocumentsPutAll { writes: Vec<Write> },
    #[serde(rename = "documents.search")]
    DocumentsSearch { query: Query },
    #[serde(rename = "streams.append")]
    Append { stream: String, messages: Vec<Message> },
    #[serde(rename = "sql.query")]
    SqlQuery { statement: String, params: Vec<Value> },
    #[serde(rename = "sql.execute")]
    SqlExecute { statement: String, params: Vec<Vec<Value>> },
    #[serde(rename = "wallet.post")]
    WalletPost { movements: Vec<Movement> },
    #[serde(rename = "wallet.balances")]
    Balances { user: String },
    #[serde(rename = "connections.post")]
    Push { pushes: Vec<Push> },
    #[serde(rename = "connections.probe")]
    Probe { ids: Vec<String> },
    #[serde(rename = "connections.close")]
    Close { id: String },
    #[serde(rename = "blobs.put")]
    BlobsPut { writes: Vec<blobs::Write> },
    #[serde(rename = "blobs.get")]
    BlobsGet { reads: Vec<blobs::Read> },
    #[serde(rename = "blobs.search")]
    BlobsSearch { query: blobs::Query },
    #[serde(rename = "blobs.delete")]
    BlobsDelete { keys: Vec<String> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_a_number_of_milliseconds() {
        for (value, expected) in [
            (None, 10_000),
            (Some(""), 10_000),
            (Some("1"), 1),
            (Some("250"), 250),
            (Some("900000"), 900_000),
        ] {
            assert_eq!(patience_ms(value), Ok(expected), "{value:?}");
        }
        for value in ["0", "900001", "-1", "1.5", "1s", "soon", " 5", "99999999999"] {
            assert!(patience_ms(Some(value)).unwrap_err().contains("milliseconds"), "{value:?}");
        }
    }
}
