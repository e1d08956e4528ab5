//! The order flows of the benches, and the core's side of them.
//!
//! A flow is made by a generator from a fixed seed and is the same on every machine, natively and in WebAssembly.
//! A naive book of this crate's own runs along: it tells the generators what rests, and says what every subject must
//! answer.
//!
//! This crate must not read a clock, do I/O or use floating point, and must not know a peer: it is what natively and in
//! WebAssembly has to be the same.
//!
//! - [`flow`]: what a subject is asked · [`rows`]: the rows, a generator each · [`reference`](mod@reference): the naive book
//! - [`subject`]: what a subject has to be able to do · [`ours`]: the core as a subject, the one place that knows it

pub mod flow;
pub mod ours;
pub mod random;
pub mod reference;
pub mod rows;
pub mod subject;
