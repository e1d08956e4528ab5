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
    Timeout {
        handler: String,
        /// It was computing, not waiting.
        computing: bool,
    },
    /// No room for one more call.
    #[error("handler {handler:?} has no room for another call: {reason}")]
    Unavailable { handler: String, reason: String },
}

impl LoadError {
    /// The stable name of this case.
    pub fn code(&self) -> &'static str {
        match self {
            LoadError::Read { .. } => "unreadable",
            LoadError::Write { .. } => "unwritable",
            LoadError::UnknownHandler { .. } => "unknown_handler",
            LoadError::Empty { .. } => "empty",
            LoadError::Compile { .. } => "no_component",
            LoadError::Manifest { .. } => "bad_manifest",
            LoadError::NotListed { .. } => "not_listed",
            LoadError::Changed { .. } => "changed",
            LoadError::OtherWasmtime { .. } => "other_wasmtime",
            LoadError::OtherTarget { .. } => "other_target",
            LoadError::Incompatible { .. } => "incompatible",
            LoadError::NotGranted { .. } => "not_granted",
            LoadError::WrongExport { .. } => "wrong_export",
            LoadError::Engine(_) => "no_engine",
        }
    }
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
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is not named after a handler; known are: {known}")]
    UnknownHandler { path: PathBuf, known: String },
    #[error("no component in {path}; `cargo xtask components` builds them")]
    Empty { path: PathBuf },
    #[error("{path} is not a component that this host can run: {reason}")]
    Compile { path: PathBuf, reason: String },
    #[error("{path} does not say what was compiled: {reason}")]
    Manifest { path: PathBuf, reason: String },
    #[error("{path} lists no handler {handler:?}; it lists {listed}")]
    NotListed { path: PathBuf, handler: String, listed: String },
    /// It is not the file that was compiled, and compiled code is trusted.
    #[error("{path} has the SHA-256 {found}, its manifest says {expected}: compile it again")]
    Changed { path: PathBuf, expected: String, found: String },
    #[error("{path} was compiled by wasmtime {compiled}, this is {running}: compile it again")]
    OtherWasmtime { path: PathBuf, compiled: String, running: String },
    #[error("{path} was compiled for {compiled}, this machine is {running}")]
    OtherTarget { path: PathBuf, compiled: String, running: String },
    /// The engine that compiled it was set otherwise than the one that is to run it.
    #[error("{path} does not fit this host's engine: {reason}")]
    Incompatible { path: PathBuf, reason: String },
    #[error("handler {handler:?} imports {import:?}, which its world does not grant")]
    NotGranted { handler: String, import: String },
    #[error("handler {handler:?} does not export {export:?}")]
    WrongExport { handler: String, export: &'static str },
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}
