//! Bollinger bands.

use super::averages::Window;
use super::{Indicator, SCALE, Scaled, Values, close, divided, period};
use engine_core::candle::Candle;

/// The mean of the last `period` closes, and `width` standard deviations above and below it.
///
/// The deviation is that of the whole population: the root of (mean of squares - square of the mean), cut to 1/SCALE; the
/// root is taken of whole numbers, so nothing is lost before. Its multiple is rounded once.
#[derive(Clone, Debug)]
pub struct Bollinger {
    window: Window,
    width_tenths: Scaled,
}

impl Bollinger {
    /// `width_tenths`: 20 for two deviations.
    pub fn new(asked: u32, width_tenths: u32) -> Bollinger {
        Bollinger { window: Window::new(period(asked)), width_tenths: width_tenths.into() }
    }
}

impl Indicator for Bollinger {
    /// Middle, upper, lower.
    fn peek(&self, candle: &Candle) -> Values {
        let Some(sums) = self.window.with(close(candle)) else { return [None; 3] };
        let length = self.window.length();
        let middle = divided(sums.sum * SCALE, length);
        // length² × variance, never below zero.
        let spread = (length * sums.of_squares - sums.sum * sums.sum).unsigned_abs();
        let away = divided(root(spread) / length * self.width_tenths, 10);
        [Some(middle), Some(middle + away), Some(middle - away)]
    }

    fn settle(&mut self, candle: &Candle) {
        self.window.push(close(candle));
    }
}

/// SCALE × √value, cut. What is too large to be scaled first is scaled afterwards: there the part behind the point is
/// of no weight.
fn root(value: u128) -> Scaled {
    let scale = SCALE.unsigned_abs();
    let root = match value.checked_mul(scale * scale) {
        Some(scaled) => scaled.isqrt(),
        None => value.isqrt() * scale,
    };
    // A root has half the digits.
    Scaled::try_from(root).unwrap_or(Scaled::MAX)
}
