//! The exchange's native service.
//!
//! One process holds everything in the embedded mode: the gateway (REST, WebSocket, `@connections`, the page), the
//! functions as WebAssembly components, the engine's threads, the consumers of the fills stream and the streamer, on
//! back ends that live in one folder.
//!
//! This crate must not match orders (that is `engine-core`) and must not know a function's business rules (that is
//! `edge-fns`): it connects them to the world.
//!
//! - [`backends`]: what is stored and where · [`engine`]: the shard threads · [`consumers`]: batches of the fills stream
//!   to their functions · [`timers`]: functions that run now and then · [`auth`]: accounts and tokens · [`gateway`]: the doors · [`up`]: all of it in one process
//! - tools that trade through the front door: [`replay`], [`demo`], [`bench`], over [`client`]

pub mod auth;
pub mod backends;
pub mod bench;
pub mod client;
pub mod consumers;
pub mod demo;
pub mod demo_grant;
pub mod engine;
pub mod gateway;
pub mod replay;
pub mod timers;
pub mod up;
