//! The day's open, high, low, close and volume of a symbol, and its changes in hundredths of a percent.

use crate::candle::{Candle, Seconds};
use crate::types::{Millis, Price, Quantity};

/// Statistics of the exchange's current day, which starts at midnight of its time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day as one candle.
    pub today: Candle,
    /// Close of the last day that had a fill before today.
    pub previous_close: Option<Price>,
    /// That day's own change, in hundredths of a percent.
    pub previous_change: i64,
    /// Time of the last fill.
    pub time: Millis,
}

impl Day {
    /// A day that opens at `start` with this fill.
    pub fn first(time: Millis, start: Seconds, price: Price, quantity: Quantity) -> Day {
        Day { today: Candle::first(start, price, quantity), previous_close: None, previous_change: 0, time }
    }

    /// A fill of the day that opens at `start`: this one, or a later one.
    pub fn add(&mut self, time: Millis, start: Seconds, price: Price, quantity: Quantity) {
        if start != self.today.time {
            self.previous_change = self.change();
            self.previous_close = Some(self.today.close);
            self.today = Candle::first(start, price, quantity);
        } else {
            self.today.add(price, quantity);
        }
        self.time = time;
    }

    /// Price of the last fill.
    pub fn last(&self) -> Price {
        self.today.close
    }

    /// Change of the last price against the previous day's close, or against today's open on a symbol's first day,
    /// in hundredths of a percent, rounded half away from zero.
    pub fn change(&self) -> i64 {
        let base = i128::from(self.previous_close.unwrap_or(self.today.open));
        if base == 0 {
            return 0;
        }
        let scaled = (i128::from(self.last()) - base) * 10_000;
        let rounded = (scaled.abs() * 2 + base) / (base * 2) * scaled.signum();
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_against_the_previous_close() {
        let day_ms = 86_400_000;
        let mut day = Day::first(day_ms, 86_400, 200, 1);
        day.add(day_ms + 1, 86_400, 205, 1);
        assert_eq!(day.change(), 250);
        day.add(2 * day_ms, 2 * 86_400, 202, 3);
        assert_eq!((day.previous_close, day.previous_change), (Some(205), 250));
        assert_eq!(day.change(), -146);
        assert_eq!(day.today, Candle::first(2 * 86_400, 202, 3));
    }
}
