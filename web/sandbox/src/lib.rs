//! The exchange in a browser tab, without a browser: order flows played on `engine-core`, with one's own orders in them.
//!
//! - `flow`, `load`, `generate`: what others did, from files and by seed · `session`: playing it, forward and back, with the user's orders and
//!   without · `account`: the user's orders, fills and places in queues · `history`: candles, depth over time, tape, log · `checks`: what
//!   must always hold
//! - `protocol`: what a page and its worker say to each other · `host`: the worker's side of it, a slice of work at a time · `look`: what
//!   a page sees · `share`: links and files · `measure`: the same walk everywhere, and how fast it goes
//!
//! No clock, no randomness but seeded, no floating point: the same flow and the same commands give the same state everywhere.
//! This crate must not touch the browser; its worker's shell does.
//!
//! ```
//! use engine_core::command::NewOrder;
//! use engine_core::types::{OrderId, Side, UserId};
//! use sandbox::generate::{Parameters, generate};
//! use sandbox::session::{Goal, OPENING, Session, Speed};
//!
//! let flow = generate(Parameters { steps: 5_000, ..Parameters::default() });
//! let mut session = Session::new(flow, OPENING);
//! // A minute at ten times the flow's speed takes six seconds, whoever's clock measures them.
//! session.advance(6_000_000, Speed::Tenths(100), 100_000);
//!
//! let bid = session.market().book().best(Side::Buy).unwrap();
//! let order = NewOrder::limit(OrderId(0), UserId(0), Side::Buy, bid, 10);
//! session.order(&order).unwrap();
//! let (_, own) = session.account().orders().next().unwrap();
//! let place = own.standing().unwrap();
//! assert_eq!(place.ahead_orders, place.joined_orders);
//!
//! session.seek_now(Goal::Fill { own: true });
//! let comparison = session.compare();
//! assert_ne!(comparison.hash_with, comparison.hash_without);
//! ```
#![forbid(unsafe_code)]

pub mod account;
pub mod checks;
pub mod flow;
pub mod generate;
pub mod history;
pub mod host;
pub mod load;
mod look;
pub mod measure;
pub mod protocol;
pub mod random;
pub mod session;
pub mod share;
