//! The exchange's functions: portable logic, written once.
//!
//! One module a handler, plain async functions over the traits of [`capability`]: its `Ports` list exactly what it may
//! touch, its `handle` takes one event. Shells beside this crate run them: as WebAssembly components on our host, and
//! whatever comes later. This crate must not do I/O, read a clock, or know which host it runs on.
//!
//! - REST ([`http`]): [`order_router`], [`orders`], [`asset`], [`chart_data`], [`admin`]
//! - WebSocket ([`socket`]): [`connect`], [`subscribe`], [`disconnect`]
//! - streams ([`stream`]): [`fill_processor`], [`history_saver`], [`notifier`], [`user_notify`]
//! - timers ([`timer`]): [`stale_connections`], [`trades_backup`], [`aggregator`], [`sweeper`]
//! - which of them answers what: [`routes`] (tables), [`dispatch`] (calls by name)
//! - capabilities over HTTP, for hosts that have none of their own: [`remote`]
//! - shared: [`auth`], [`fields`] (strict JSON), [`order`] (the row), [`placement`] and [`replacement`] (lock and append),
//!   [`audience`] (a user's connections), [`candle_store`], [`scan`], [`scripts`], [`executor`]
#![forbid(unsafe_code)]

pub mod admin;
pub mod aggregator;
pub mod asset;
pub mod audience;
pub mod auth;
pub mod candle_store;
pub mod capability;
pub mod chart_data;
pub mod connect;
pub mod disconnect;
pub mod dispatch;
pub mod executor;
pub mod fields;
pub mod fill_processor;
pub mod history_saver;
pub mod http;
pub mod ids;
pub mod json;
pub mod notifier;
pub mod order;
pub mod order_router;
pub mod orders;
pub mod placement;
pub mod remote;
pub mod replacement;
pub mod routes;
pub mod scan;
pub mod scripts;
pub mod socket;
pub mod stale_connections;
pub mod stream;
pub mod subscribe;
pub mod sweeper;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod trades_backup;
pub mod user_notify;
