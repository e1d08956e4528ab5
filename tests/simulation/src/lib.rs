//! From one box to a million users: what is needed, by arithmetic, and a simulation that checks the arithmetic.
//!
//! [`figures`] holds what was measured and what the services promise and charge; [`plan`] turns a number of users into
//! shards, nodes and costs; [`table`] prints it as `docs/scale.md` has it. The other modules play the parts of the exchange
//! as events in time: [`shard`] with Kinesis' limits, [`lease`] with take-over and fencing, [`servers`] for gateways and
//! functions, [`streamer`] rounds, and [`market`], which lets orders pass through all of them.
//!
//! Time is microseconds in a `u64`, money billionths of a dollar in a `u64`, randomness a seed: a run is the same on every machine.
//! This crate must not use a clock, a thread, a floating-point number or another crate of ours.

pub mod events;
pub mod figures;
pub mod histogram;
pub mod lease;
pub mod market;
pub mod plan;
pub mod random;
pub mod reshard;
pub mod servers;
pub mod shard;
pub mod streamer;
pub mod table;

/// Microseconds since a run's start.
pub type Time = u64;

pub const MS: Time = 1_000;
pub const SECOND: Time = 1_000_000;
