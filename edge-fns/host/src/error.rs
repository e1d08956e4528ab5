//! Why a component could not be loaded or did not answer.

use crate::Limit;
use std::path::PathBuf;

/// A call that brought no answer. That event failed; the next one meets a fresh instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    #[error("no handler is named {0:?}")]
    NoSuchHandler(String),
    #[error("handler {handler:?} does not take {event} events")]
    WrongKind { handler: String, event: &'static str },
    /// It panicked, or did what WebAssembly forbids.
    #[error("handler {handler:?} trapped: {reason}")]
    Trap { handler: String, reason: String },
    #[error("handler {handler:?} overstepped its limit of {}: {reason}", limit.name())]
    OverLimit { handler: String, limit: Limit, reason: String },
    /// It overstepped its CPU time, or its back ends did not answer in time.
    #[error("handler {handler:?} gave no answer in time")]
    Timeout { handler: String },
    /// No room for one more call.
    #[error("handler {handler:?} has no room for another call: {reason}")]
    Unavailable { handler: String, reason: String },
}

impl HandlerError {
    /// The stable name of this case.
    pub fn code(&self) -> &'static str {
        match self {
            HandlerError::NoSuchHandler(_) => "no_such_handler",
            HandlerError::WrongKind { .. } => "wrong_kind",
            HandlerError::Trap { .. } => "trap",
            HandlerError::OverLimit { .. } => "over_limit",
            HandlerError::Timeout { .. } => "timeout",
            HandlerError::Unavailable { .. } => "unavailable",
        }
    }
}

/// Why the components of a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {path}: {source}; `cargo xtask components` builds the components")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not named after a handler; known are: {known}")]
    UnknownHandler { path: PathBuf, known: String },
    #[error("no component in {path}; `cargo xtask components` builds them")]
    Empty { path: PathBuf },
    #[error("{path} is not a component that this host can run: {reason}")]
    Compile { path: PathBuf, reason: String },
    #[error("handler {handler:?} imports {import:?}, which its world does not grant")]
    NotGranted { handler: String, import: String },
    #[error("handler {handler:?} does not export {export:?}")]
    WrongExport { handler: String, export: &'static str },
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}
