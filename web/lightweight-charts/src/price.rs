//! Price scales, and lines at a price.

use crate::options::{PriceLineOptions, PriceScaleOptions, ToJs};
use crate::raw::{PriceLineApi, PriceScaleApi, RangeValue, SeriesApi};

/// A scale of prices at the side of a pane, or over it.
pub struct PriceScale(pub(crate) PriceScaleApi);

impl PriceScale {
    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &PriceScaleOptions) {
        self.0.apply_options(&options.to_js());
    }

    /// In CSS pixels; 0 where it is not shown.
    pub fn width(&self) -> f64 {
        self.0.width()
    }

    /// Whether the scale follows what is in sight.
    pub fn set_auto_scale(&self, on: bool) {
        self.0.set_auto_scale(on);
    }

    /// Lowest and highest price in sight.
    pub fn visible_range(&self) -> Option<(f64, f64)> {
        self.0.visible_range().map(|range| (range.from(), range.to()))
    }

    /// Shows these prices, and follows no more.
    pub fn set_visible_range(&self, from: f64, to: f64) {
        self.0.set_visible_range(&RangeValue::new(from, to));
    }
}

/// A line at a price of a series; removed when it is dropped.
pub struct PriceLine {
    pub(crate) series: SeriesApi,
    pub(crate) raw: PriceLineApi,
}

impl PriceLine {
    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &PriceLineOptions) {
        self.raw.apply_options(&options.to_js());
    }

    pub fn set_price(&self, price: f64) {
        self.apply_options(&PriceLineOptions { price: Some(price), ..PriceLineOptions::default() });
    }
}

impl Drop for PriceLine {
    fn drop(&mut self) {
        // Where the series or the chart is gone, so is the line.
        let _ = self.series.remove_price_line(&self.raw);
    }
}
