//! The exchange's native service.
//!
//! One process holds everything in the embedded mode: the gateway (REST, WebSocket, `@connections`, the page), the
//! functions as WebAssembly components, the engine's threads, the consumers of the fills stream and the streamer, on
//! back ends that live in one folder.
//!
//! This crate must not match orders (that is `engine-core`) and must not know a function's business rules (that is
//! `edge-fns`): it connects them to the world.
//!
//! - [`backends`]: what is stored and where · [`engine`]: the shard threads · [`event_sources`]: batches of the fills
//!   stream, and times, to their functions · [`auth`]: accounts and tokens · [`gateway`]: the doors · [`up`]: all of it in one process
//! - the exchange on many machines: [`roles`] (engine, gateway, streamer), their settings in [`config`], the back ends that those
//!   name in [`links`], and [`doctor`], which looks whether all of it is well
//! - [`grpc`]: what operators ask of an engine, and [`snapshot`], which asks
//! - [`backup`]: each day's trades and candles as Parquet, and their proof
//! - [`export`]: a symbol's run as a file
//! - tools that trade through the front door: [`replay`], [`demo`], [`bench`], over [`client`]

pub mod auth;
pub mod backends;
pub mod backup;
pub mod bench;
pub mod client;
pub mod config;
pub mod demo;
pub mod demo_grant;
pub mod doctor;
pub mod engine;
pub mod event_sources;
pub mod export;
pub mod gateway;
pub mod grpc;
pub mod links;
pub mod replay;
pub mod roles;
pub mod snapshot;
pub mod up;
