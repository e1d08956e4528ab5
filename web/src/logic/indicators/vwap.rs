//! The volume-weighted average price of the exchange's day.

use super::{Indicator, SCALE, Scaled, Values, price};
use engine_core::candle::{Candle, Interval, Seconds};

/// Sum of (high + low + close) × volume over three times the day's volume, rounded once. It begins anew at the
/// exchange's midnight; a candle belongs to the day that it opens in.
#[derive(Clone, Debug)]
pub struct Vwap {
    day_offset_s: u64,
    day: Seconds,
    /// Three times price × volume.
    turnover: u128,
    volume: u128,
}

impl Vwap {
    pub fn new(day_offset_s: u64) -> Vwap {
        Vwap { day_offset_s, day: 0, turnover: 0, volume: 0 }
    }

    /// Day, turnover and volume with one more candle.
    fn with(&self, candle: &Candle) -> (Seconds, u128, u128) {
        let day = Interval::D1.bucket(candle.time, self.day_offset_s);
        let (turnover, volume) = if day == self.day { (self.turnover, self.volume) } else { (0, 0) };
        let prices = (price(candle.high) + price(candle.low) + price(candle.close)).unsigned_abs();
        let more = prices * u128::from(candle.volume);
        (day, turnover.saturating_add(more), volume + u128::from(candle.volume))
    }
}

impl Indicator for Vwap {
    fn peek(&self, candle: &Candle) -> Values {
        let (_, turnover, volume) = self.with(candle);
        let (by, scale) = (volume * 3, SCALE.unsigned_abs());
        if by == 0 {
            return [None; 3];
        }
        // Whole and part by themselves: the turnover may be too large to be scaled.
        let part = ((turnover % by) * scale + by / 2) / by;
        [Scaled::try_from(turnover / by * scale + part).ok(), None, None]
    }

    fn settle(&mut self, candle: &Candle) {
        (self.day, self.turnover, self.volume) = self.with(candle);
    }
}
