//! The matching core of the exchange, and everything that must give the same answer everywhere.
//!
//! A pure function: `(state, command at a time) → (state, events)`. The same commands give the same events and the
//! same snapshot bytes in the native service, in a WebAssembly component and in a browser's worker.
//!
//! This crate must not do I/O, read a clock, use randomness, start threads, depend on hash order, or use floating
//! point; it depends on no other crate of the workspace.
//!
//! - [`book`]: the order book and its matching · [`market`]: one symbol: book, candles, ticker, event numbers ·
//!   [`shard`]: many symbols folded from one shard of the orders stream
//! - [`candle`]: candles and their aggregation · [`snapshot`]: state to bytes and back · [`wire`]: JSON formats ·
//!   [`flow`]: recorded order flows (CSV) as commands
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod book;
mod bytes;
pub mod candle;
pub mod codec;
pub mod command;
pub mod definition;
pub mod event;
pub mod feed;
pub mod flow;
mod hash;
mod index;
mod ladder;
pub mod market;
#[cfg(feature = "wire")]
pub mod shard;
pub mod snapshot;
pub mod ticker;
pub mod types;
#[cfg(feature = "wire")]
pub mod wire;
