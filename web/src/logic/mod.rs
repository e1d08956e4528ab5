//! What the page knows without a browser: plain data and functions, tested on any machine.

pub mod amount;
pub mod backoff;
pub mod book;
pub mod candles;
pub mod clock;
pub mod fills;
pub mod indicators;
pub mod message;
pub mod moves;
pub mod order;
pub mod session;
pub mod tape;
pub mod ticket;
