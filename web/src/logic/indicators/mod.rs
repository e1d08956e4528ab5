//! Indicators over candles, in integers.
//!
//! A candle's prices are whole; an average is not. Every value here is a whole number of 1/[`SCALE`] of the price's unit
//! (of a percent point for RSI), rounded to the nearest, halves away from zero, and so the same on every machine. Each
//! indicator's file says at which steps it rounds.
//!
//! An indicator is two functions: [`Indicator::peek`] says what it shows at a candle that follows all those it has
//! settled, and [`Indicator::settle`] takes that candle in for good. The newest candle of a chart changes many times
//! before the next one begins, so [`Running`] only peeks at it, and settles it when it is followed: an update costs the
//! same however long the chart is, and gives what computing from the start would give.
//!
//! - `averages`: moving averages, simple and exponential · `bands`: Bollinger · `momentum`: RSI and MACD · `vwap`
//! - `settings`: what the user has chosen · `study`: a choice at work

mod averages;
mod bands;
mod momentum;
pub mod settings;
mod study;
mod vwap;

pub use averages::{Ema, Ma};
pub use bands::Bollinger;
pub use momentum::{Macd, Rsi};
pub use settings::{Kind, Setting, Settings};
pub use study::{Figures, Study};
pub use vwap::Vwap;

use engine_core::candle::Candle;

/// A value in parts of [`SCALE`].
pub type Scaled = i128;

/// Parts of one unit.
pub const SCALE: Scaled = 10_000;

/// The longest period. Keeps every sum of prices and of their squares within 128 bits.
pub const MAX_PERIOD: u32 = 400;

/// Prices above what the wire can carry count as that.
const MAX_PRICE: u64 = (1 << 53) - 1;

/// The most lines that one indicator draws.
pub const MAX_LINES: usize = 3;

/// What the lines of an indicator show at a candle; `None` while there are too few candles.
pub type Values = [Option<Scaled>; MAX_LINES];

pub trait Indicator {
    /// What it shows at a candle that follows the settled ones.
    fn peek(&self, candle: &Candle) -> Values;

    /// Takes a candle in that will not change any more.
    fn settle(&mut self, candle: &Candle);
}

/// An indicator over candles of which the newest may still change.
#[derive(Clone, Debug)]
pub struct Running<I> {
    settled: I,
    newest: Option<Candle>,
}

impl<I: Indicator> Running<I> {
    pub fn new(indicator: I) -> Running<I> {
        Running { settled: indicator, newest: None }
    }

    /// The newest candle as it is now, or the one that follows it. `None`: it is older than that, and nothing is done.
    pub fn update(&mut self, candle: &Candle) -> Option<Values> {
        match self.newest {
            Some(newest) if candle.time < newest.time => return None,
            Some(newest) if candle.time > newest.time => self.settled.settle(&newest),
            _ => {}
        }
        self.newest = Some(*candle);
        Some(self.settled.peek(candle))
    }
}

/// To the nearest, halves away from zero. `by` is above zero.
fn divided(value: Scaled, by: Scaled) -> Scaled {
    let half = by / 2;
    // The whole part first: adding to a large value could pass the type's limits.
    let (whole, rest) = (value / by, value % by);
    let up = if rest.abs() > by - 1 - half { value.signum() } else { 0 };
    whole + up
}

fn price(value: u64) -> Scaled {
    Scaled::from(value.min(MAX_PRICE))
}

fn close(candle: &Candle) -> Scaled {
    price(candle.close)
}

/// A period within what is supported.
fn period(asked: u32) -> u32 {
    asked.clamp(1, MAX_PERIOD)
}

#[cfg(test)]
mod tests;
