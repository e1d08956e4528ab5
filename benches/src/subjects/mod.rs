//! The order books of others, each behind the same trait as the core.
//!
//! What a peer lacks is made up for by what its user would do, and never by more: a replace becomes cancel and add, an
//! immediate-or-cancel order a limit order and a cancel. Where its user could not know what to do, the answer of the
//! naive book says it, for nothing: a fill-or-kill order that fills becomes a limit order, one that does not becomes no
//! call at all.

mod limitbook;
mod lobster;
mod matchcore;
mod nanobook;
mod orderbook_rs;
mod rust_ob;
mod rust_order_book;

pub use limitbook::Limitbook;
pub use lobster::Lobster;
pub use matchcore::Matchcore;
pub use nanobook::Nanobook;
pub use orderbook_rs::OrderbookRs;
pub use rust_ob::RustOb;
pub use rust_order_book::RustOrderBook;
