//! Moving averages of closes.

use super::{Indicator, SCALE, Scaled, Values, close, divided, period};
use engine_core::candle::Candle;
use std::collections::VecDeque;

/// Simple: the mean of the last `period` closes, rounded once.
#[derive(Clone, Debug)]
pub struct Ma {
    window: Window,
}

impl Ma {
    pub fn new(asked: u32) -> Ma {
        Ma { window: Window::new(period(asked)) }
    }
}

impl Indicator for Ma {
    fn peek(&self, candle: &Candle) -> Values {
        let sums = self.window.with(close(candle));
        [sums.map(|sums| divided(sums.sum * SCALE, self.window.length())), None, None]
    }

    fn settle(&mut self, candle: &Candle) {
        self.window.push(close(candle));
    }
}

/// Exponential: begins as the mean of the first `period` closes, and then moves by 2 / (period + 1) of the way to each
/// close. Rounded at every candle; what rounding leaves over dies away as the values do.
#[derive(Clone, Debug)]
pub struct Ema(Smoothed);

impl Ema {
    pub fn new(asked: u32) -> Ema {
        Ema(Smoothed::new(period(asked)))
    }
}

impl Indicator for Ema {
    fn peek(&self, candle: &Candle) -> Values {
        [self.0.with(close(candle) * SCALE), None, None]
    }

    fn settle(&mut self, candle: &Candle) {
        self.0.push(close(candle) * SCALE);
    }
}

/// Exponential smoothing of values that are in parts of [`SCALE`].
#[derive(Clone, Debug)]
pub(super) struct Smoothed {
    period: Scaled,
    /// Values so far, up to the period.
    count: Scaled,
    /// Their sum, until there are enough; the average from then on.
    value: Scaled,
}

impl Smoothed {
    pub fn new(period: u32) -> Smoothed {
        Smoothed { period: period.into(), count: 0, value: 0 }
    }

    /// The average with one more value.
    pub fn with(&self, value: Scaled) -> Option<Scaled> {
        if self.count + 1 < self.period {
            None
        } else if self.count + 1 == self.period {
            Some(divided(self.value + value, self.period))
        } else {
            Some(self.value + divided((value - self.value) * 2, self.period + 1))
        }
    }

    pub fn push(&mut self, value: Scaled) {
        match self.with(value) {
            Some(average) => self.value = average,
            None => self.value += value,
        }
        self.count = self.period.min(self.count + 1);
    }
}

/// The last closes, one fewer than a period has: the one that is peeked at completes them.
#[derive(Clone, Debug)]
pub(super) struct Window {
    period: u32,
    closes: VecDeque<Scaled>,
    sums: Sums,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub sum: Scaled,
    pub of_squares: Scaled,
}

impl Window {
    pub fn new(period: u32) -> Window {
        Window { period, closes: VecDeque::new(), sums: Sums::default() }
    }

    pub fn length(&self) -> Scaled {
        self.period.into()
    }

    /// Sums over a whole period that ends with `close`; `None` while there are too few.
    pub fn with(&self, close: Scaled) -> Option<Sums> {
        (self.closes.len() + 1 == self.period as usize)
            .then_some(Sums { sum: self.sums.sum + close, of_squares: self.sums.of_squares + close * close })
    }

    pub fn push(&mut self, close: Scaled) {
        self.closes.push_back(close);
        self.sums.sum += close;
        self.sums.of_squares += close * close;
        if self.closes.len() == self.period as usize
            && let Some(oldest) = self.closes.pop_front()
        {
            self.sums.sum -= oldest;
            self.sums.of_squares -= oldest * oldest;
        }
    }
}
