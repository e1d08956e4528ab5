//! The exchange's functions: portable logic, written once.
//!
//! One module a handler, plain async functions over the traits of [`capability`]. Shells beside this crate run them:
//! as WebAssembly components on our host, and whatever comes later. This crate must not do I/O, read a clock, or
//! know which host it runs on.

pub mod capability;
