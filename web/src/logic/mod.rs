//! What the page knows without a browser: plain data and functions, tested on any machine.

pub mod amount;
pub mod backoff;
pub mod book;
pub mod candle_check;
pub mod candles;
pub mod clock;
pub mod csv;
pub mod favourites;
pub mod fill_rows;
pub mod fills;
pub mod indicators;
pub mod json;
pub mod layout;
pub mod map;
pub mod message;
pub mod moves;
pub mod order;
pub mod outbox;
pub mod profit;
pub mod session;
pub mod tape;
pub mod theme;
pub mod ticket;
