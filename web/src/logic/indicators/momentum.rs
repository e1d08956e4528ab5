//! RSI and MACD.

use super::averages::Smoothed;
use super::{Indicator, SCALE, Scaled, Values, close, divided, period};
use engine_core::candle::Candle;

/// Wilder's relative strength index, 0 to 100: what the rises weigh of all changes.
///
/// The averages of rises and falls begin as the means of the first `period` changes, and then keep (period - 1) / period
/// of themselves at each; they are rounded at every candle, the index once. A market that has not moved is at 50.
#[derive(Clone, Debug)]
pub struct Rsi {
    period: Scaled,
    before: Option<Scaled>,
    /// Changes so far, up to the period.
    count: Scaled,
    /// Sums until there are enough changes; averages from then on.
    rises: Scaled,
    falls: Scaled,
}

impl Rsi {
    pub fn new(asked: u32) -> Rsi {
        Rsi { period: period(asked).into(), before: None, count: 0, rises: 0, falls: 0 }
    }

    /// Number of changes, rises and falls with one more close; `None` for the first, which changes nothing.
    fn with(&self, close: Scaled) -> Option<(Scaled, Scaled, Scaled)> {
        let change = (close - self.before?) * SCALE;
        let (rise, fall) = (change.max(0), (-change).max(0));
        let next = |average: Scaled, value: Scaled| match self.count + 1 - self.period {
            ..0 => average + value,
            0 => divided(average + value, self.period),
            _ => divided(average * (self.period - 1) + value, self.period),
        };
        Some((self.period.min(self.count + 1), next(self.rises, rise), next(self.falls, fall)))
    }
}

impl Indicator for Rsi {
    fn peek(&self, candle: &Candle) -> Values {
        let changes = self.with(close(candle)).filter(|(count, ..)| *count == self.period);
        let index = changes.map(|(_, rises, falls)| match rises + falls {
            0 => 50 * SCALE,
            all => divided(rises * 100 * SCALE, all),
        });
        [index, None, None]
    }

    fn settle(&mut self, candle: &Candle) {
        let close = close(candle);
        if let Some((count, rises, falls)) = self.with(close) {
            (self.count, self.rises, self.falls) = (count, rises, falls);
        }
        self.before = Some(close);
    }
}

/// Convergence of two exponential averages: their difference, that one's average (the signal), and the difference of
/// these two. Each is rounded as [`Ema`](super::Ema) is; differences are exact.
#[derive(Clone, Debug)]
pub struct Macd {
    fast: Smoothed,
    slow: Smoothed,
    signal: Smoothed,
}

impl Macd {
    pub fn new(fast: u32, slow: u32, signal: u32) -> Macd {
        Macd {
            fast: Smoothed::new(period(fast)),
            slow: Smoothed::new(period(slow)),
            signal: Smoothed::new(period(signal)),
        }
    }

    fn difference(&self, close: Scaled) -> Option<Scaled> {
        Some(self.fast.with(close)? - self.slow.with(close)?)
    }
}

impl Indicator for Macd {
    /// Difference, signal, and what lies between them.
    fn peek(&self, candle: &Candle) -> Values {
        let Some(difference) = self.difference(close(candle) * SCALE) else { return [None; 3] };
        let signal = self.signal.with(difference);
        [Some(difference), signal, signal.map(|signal| difference - signal)]
    }

    fn settle(&mut self, candle: &Candle) {
        let close = close(candle) * SCALE;
        if let Some(difference) = self.difference(close) {
            self.signal.push(difference);
        }
        self.fast.push(close);
        self.slow.push(close);
    }
}
