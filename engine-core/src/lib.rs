//! A matching engine that gives the same answer everywhere: order books with every usual order type, sessions and call
//! auctions, market data feeds and snapshots.
//!
//! A pure function: `(state, command at a time) → (state, events)`. The same commands give the same events and the
//! same snapshot bytes in a native service, in a WebAssembly component and in a browser's worker, on any machine.
//!
//! This crate must not do I/O, read a clock, use randomness, start threads, depend on hash order, use floating point, or
//! hold `unsafe` code; it depends on no other crate of the workspace.
//!
//! # A first trade
//!
//! ```
//! use engine_core::command::{Command, NewOrder};
//! use engine_core::event::Event;
//! use engine_core::market::Market;
//! use engine_core::types::{OrderId, Side, UserId};
//!
//! let mut market = Market::default();
//! let mut events = Vec::new();
//! let (alice, bob) = (UserId(1), UserId(2));
//!
//! // Time is part of the command: the market has no clock of its own.
//! let noon = 1_765_854_000_000;
//! market.apply(noon, &Command::Add(NewOrder::limit(OrderId(1), alice, Side::Sell, 150, 30)), &mut events);
//! market.apply(noon, &Command::Add(NewOrder::limit(OrderId(2), bob, Side::Buy, 152, 10)), &mut events);
//!
//! // Each command is answered: two acceptances, and a fill at the maker's price.
//! assert!(matches!(events[..], [Event::Accepted(_), Event::Accepted(_), Event::Filled(fill)] if fill.price == 150));
//! assert_eq!(market.book().quote().ask, Some((150, 20)));
//! ```
//!
//! # What an order can be
//!
//! Everything beside price and quantity is a field of [`NewOrder`](command::NewOrder) with a default:
//!
//! ```
//! use engine_core::command::NewOrder;
//! use engine_core::types::*;
//!
//! let plain = |id, price| NewOrder::limit(OrderId(id), UserId(7), Side::Sell, price, 100);
//!
//! let maker_only = NewOrder { post_only: PostOnly::Reprice, ..plain(1, 150) };
//! let iceberg = NewOrder { display: 10, ..plain(2, 150) };
//! let stop_limit = NewOrder { trigger: Trigger::Stop(140), ..plain(3, 138) };
//! let trailing = NewOrder { trigger: Trigger::Trailing(5), ..NewOrder::market(OrderId(4), UserId(7), Side::Sell, 100) };
//! let patient = NewOrder { all_or_none: true, time_in_force: TimeInForce::Day, ..plain(5, 151) };
//! let no_wash = NewOrder { self_trade: SelfTrade::CancelOldest, group: 3, ..plain(6, 150) };
//! let spends = NewOrder { budget: 15_000, ..NewOrder::market(OrderId(7), UserId(7), Side::Buy, 1_000) };
//! // A bracket: take profit and stop loss wait for the entry, and one cancels the other.
//! let profit = NewOrder { link: Link::ExitOf(OrderId(10)), ..plain(8, 160) };
//! let loss = NewOrder { link: Link::Other(OrderId(8)), trigger: Trigger::Stop(145), ..plain(9, 140) };
//! let entry = NewOrder::limit(OrderId(10), UserId(7), Side::Buy, 150, 100);
//! ```
//!
//! [`rules`] says exactly what each of them does; a second, slow book in the tests is written from that page alone and has
//! to agree event for event.
//!
//! # Units
//!
//! Prices and quantities are integers in the symbol's own units; a [`Definition`](definition::Definition) says which are
//! ticks and lots, and how much there may be. Times are milliseconds since the Unix epoch, candle times seconds. Prices and quantities
//! have at most 53 bits, so that JavaScript can hold them; price × quantity fits a signed 64-bit amount of money.
//!
//! # Errors
//!
//! Nothing panics on input. A command that cannot be done is answered by an event with a [`Reason`](event::Reason), whose names and
//! numbers are stable, and changes nothing, with two exceptions: its time counts (what is over by then ends first), and a
//! refused [`Add`](command::Command::Add) cancels exits of the same account that were held for an order of its id, since their entry
//! will not come. Bytes that cannot be read are refused with a [`CodecError`](codec::CodecError) or a
//! [`SnapshotError`](snapshot::SnapshotError).
//!
//! # Ids
//!
//! The host numbers orders and accounts. Ids are looked up by a hash without a secret, or runs could not be repeated: do not
//! let a client choose them, but give them out in a row, as [`OrderId`](types::OrderId) explains.
//!
//! # Where is what
//!
//! - [`market`]: one symbol, the way in · [`book`]: its orders · [`command`], [`event`], [`types`], [`definition`]: what
//!   goes in and comes out
//! - [`feed`]: L1, L2 and L3, and copies of a book that follow them · [`candle`], [`ticker`]: what charts show
//! - [`snapshot`]: state to bytes and back · [`digest`]: one number for a state · [`codec`]: commands and events as bytes ·
//!   [`flow`]: recorded order flows (CSV, and this crate's own record) as commands
//! - `wire` and `shard` (feature `wire`, off by default): the JSON formats of one exchange's streams, and many symbols folded
//!   from one of them
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

/// The README's example is a test as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod book;
mod bytes;
pub mod candle;
pub mod codec;
pub mod command;
pub mod definition;
pub mod digest;
pub mod event;
pub mod feed;
pub mod flow;
mod hash;
mod index;
mod ladder;
pub mod market;
#[doc = include_str!("../RULES.md")]
pub mod rules {}
#[cfg(feature = "wire")]
pub mod shard;
pub mod snapshot;
pub mod ticker;
pub mod types;
#[cfg(feature = "wire")]
pub mod wire;
