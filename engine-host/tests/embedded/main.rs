//! The embedded back ends, the engine's loop and the accounts, against models and under crashes.
//!
//! One binary, because it links the whole host.

#[path = "../conformance/mod.rs"]
mod conformance;

mod auth;
mod cache;
mod consumers;
mod documents;
mod engine;
mod hub;
mod kill;
mod streams;
mod suites;
mod support;
mod wallet;
