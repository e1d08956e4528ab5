//! What a function may touch: one trait a capability, plain data across it.
//!
//! The same traits are implemented by the in-memory back ends of the unit tests, by the embedded and production
//! back ends of the native host, and by the import bindings inside a component. A call that could not be completed
//! is an [`Error`]; an expected business outcome (a lost compare-and-set, a closed connection, an insufficient
//! balance) never is: it is a case of that call's result.

pub mod base;
pub mod blobs;
pub mod cache;
pub mod connections;
pub mod documents;
pub mod identity;
pub mod sql;
pub mod streams;
pub mod wallet;

pub use base::Base;
pub use blobs::Blobs;
pub use cache::Cache;
pub use connections::Connections;
pub use documents::Documents;
pub use identity::Identity;
pub use sql::Sql;
pub use streams::LogStreams;
pub use wallet::Wallet;

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Why a call could not be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request can never succeed as written.
    Invalid(String),
    /// The caller was not granted the key, table, stream or label it named.
    Denied(String),
    /// Retry after the given number of milliseconds, if known.
    Throttled(Option<u32>),
    /// No answer in time: the effect is unknown, so only idempotent calls may be repeated.
    Timeout,
    /// The back end refused or dropped the call before it took effect.
    Unavailable(String),
    /// The back end failed in a way it cannot explain.
    Internal(String),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Invalid(why) => write!(f, "invalid: {why}"),
            Error::Denied(why) => write!(f, "denied: {why}"),
            Error::Throttled(Some(ms)) => write!(f, "throttled: retry after {ms} ms"),
            Error::Throttled(None) => write!(f, "throttled"),
            Error::Timeout => write!(f, "timeout"),
            Error::Unavailable(why) => write!(f, "unavailable: {why}"),
            Error::Internal(why) => write!(f, "internal: {why}"),
        }
    }
}

impl core::error::Error for Error {}

pub type Result<T> = core::result::Result<T, Error>;
