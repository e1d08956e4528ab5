//! What every implementation of a capability must do, one suite a trait.
//!
//! A suite takes `&dyn Trait`, so that any back end runs the same one. It wants the keys, tables and users that begin with
//! its own prefix to itself, and nothing else of the back end. Where the in-memory capabilities of the tests leave
//! something out on purpose, it stands in a suite of its own (`cache::as_valkey`, `wallet::guarded`).

// A test binary runs the suites of the traits that its back ends have.
#![allow(dead_code)]

pub mod blobs;
pub mod cache;
pub mod documents;
pub mod host;
pub mod sql;
pub mod streams;
pub mod wallet;
