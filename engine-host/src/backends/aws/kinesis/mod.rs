//! Kinesis: what is appended, by whom it is read, and how far.
//!
//! - [`producer`]: appends, one record of a partition at a time, so that a refused one is never overtaken
//! - [`aggregate`]: several messages in one record, in the format of Amazon's producer library
//! - [`shards`]: the shards of a stream and whose children they are
//! - [`reader`]: a shard's records from a place on, by `GetRecords` or by enhanced fan-out
//! - [`log`]: a stream as the engine sees it, with sequences from 1 on
//! - [`leases`], [`worker`]: many workers that share the shards of a stream · [`consumer`]: what they read, as it comes ·
//!   [`source`](mod@source): a shard as an engine folds it

pub mod aggregate;
pub mod consumer;
pub mod leases;
pub mod log;
pub mod producer;
pub mod reader;
pub mod shards;
pub mod source;
pub mod worker;

pub use consumer::{Consumer, Processor};
pub use leases::Leases;
pub use log::KinesisLog;
pub use producer::Producer;
pub use worker::Worker;
