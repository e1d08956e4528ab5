//! The exchange's functions on AWS Lambda.
//!
//! One archive for all functions: `bootstrap` (this program, for the runtime `provided.al2023`) and every component,
//! compiled beforehand. `SUPERNOBA_HANDLER` says which of them a Lambda function is (or its "handler" setting, which
//! Lambda hands over as `_HANDLER`), and only that one is loaded. What it does is in the component, which is the same, byte
//! for byte, on every host; here its events are read and its answers written:
//!
//! | event | module | handler of |
//! |---|---|---|
//! | API Gateway REST (payload 1.0) and HTTP (2.0) | [`http`] | HTTP requests |
//! | API Gateway WebSocket: `$connect`, `$disconnect`, messages | [`socket`] | WebSocket events |
//! | Kinesis batches | [`records`] | streams |
//! | EventBridge schedules | [`schedule`] | timers |
//!
//! A function that traps or runs out of time ends that invocation with an error whose `errorType` is stable
//! ([`Failure`]); of a Kinesis batch, it names the first record that is not done, and Lambda gives that and the rest again.
//! For this the event source mapping **must** have `ReportBatchItemFailures`: without it Lambda takes every answer for a
//! success.
//!
//! # Environment
//!
//! | variable | what |
//! |---|---|
//! | `SUPERNOBA_HANDLER` | the function: `order-router`, `fill-processor`, … |
//! | `CAPABILITIES_URL`, `CAPABILITIES_TOKEN` | the exchange's capability server ([`edge_fns::remote`]) and what opens it |
//! | `CAPABILITIES_PATIENCE_MS` | how long an answer of it may take (10,000): then the call counts as timed out |
//! | `CACHE_BACKEND`, `WALLET_BACKEND`, … | the back end of one capability; only `gateway` so far, which is the default |
//! | `DEAD_LETTER_STREAM` | takes the records that can never be processed; see [`records`] |
//! | `BASE_PATH` | a custom domain's base path, left out of the path that a handler sees |
//! | `SOCKET_REPLIES` | `response` (default): the route has a route response; `push`: replies go by `@connections` |
//! | `LOG_LEVEL` | `error`, `warn`, `info` (default), `debug` or `trace` |
//!
//! Handlers may read only what [`capabilities::CONFIGURATION`] lists; tokens and AWS's own variables are not in it.

pub mod capabilities;
pub mod failure;
mod function;
pub mod http;
pub mod records;
pub mod schedule;
pub mod socket;
mod transport;

pub use capabilities::{Capabilities, Environment, SetupError};
pub use failure::Failure;
pub use function::{Function, StartError};
pub use transport::Gateway;
