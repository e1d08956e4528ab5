//! The back ends on AWS against what stands for AWS here: kinesis-local, ministack and dynalite, on free ports.
//!
//! `cargo xtask test` installs them. Where one is missing, its tests say so and are skipped.

#[path = "../conformance/mod.rs"]
mod conformance;

mod consumer;
mod fleet;
mod gateway;
mod producer;
mod stand_ins;
#[path = "../../../tests/src/stream_proxy.rs"]
mod stream_proxy;
mod suites;
