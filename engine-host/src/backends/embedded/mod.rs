//! The embedded back ends: everything in one folder of this machine, no server, no account.
//!
//! - [`streams`]: the log, checkpoints and snapshots, on an embedded LSM store
//! - [`store`]: documents, wallets and trade history, in SQLite
//! - [`cache`]: the cache, in memory, with the keys that must survive in an append-only file
//! - [`blobs`]: objects by key, a file each
//! - [`hub`]: the WebSocket connections of this process

pub mod append_file;
pub mod blobs;
pub mod cache;
pub mod hub;
pub mod store;
pub mod streams;
