//! The chart itself and its time scale.

use crate::options::{CandlestickOptions, ChartOptions, HistogramOptions, ToJs};
use crate::raw::{self, ChartApi, CrosshairMoved, TimeScaleApi};
use crate::series::{CandlestickSeries, HistogramSeries, Series};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

type CrosshairHandler = Closure<dyn FnMut(CrosshairMoved)>;

/// A chart in a container of the page; removed from it when dropped.
pub struct Chart {
    raw: ChartApi,
    crosshair: RefCell<Option<CrosshairHandler>>,
}

impl Chart {
    pub fn new(container: &HtmlElement, options: &ChartOptions) -> Result<Chart, JsValue> {
        let raw = raw::create_chart(container, &options.to_js())?;
        Ok(Chart { raw, crosshair: RefCell::new(None) })
    }

    pub fn add_candlesticks(&self, options: &CandlestickOptions) -> Result<CandlestickSeries, JsValue> {
        raw::CANDLESTICK_SERIES.with(|kind| self.raw.add_series(kind, &options.to_js())).map(Series::new)
    }

    pub fn add_histogram(&self, options: &HistogramOptions) -> Result<HistogramSeries, JsValue> {
        raw::HISTOGRAM_SERIES.with(|kind| self.raw.add_series(kind, &options.to_js())).map(Series::new)
    }

    pub fn remove_series<O>(&self, series: Series<O>) -> Result<(), JsValue> {
        self.raw.remove_series(&series.raw)
    }

    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &ChartOptions) {
        self.raw.apply_options(&options.to_js());
    }

    /// In CSS pixels. Not needed with [`ChartOptions::auto_size`].
    pub fn resize(&self, width: f64, height: f64) {
        self.raw.resize(width, height);
    }

    pub fn time_scale(&self) -> TimeScale {
        TimeScale(self.raw.time_scale())
    }

    /// Calls `handler` with the time under the crosshair, `None` where there is no point. A new handler replaces the
    /// old one.
    pub fn on_crosshair_move(&self, mut handler: impl FnMut(Option<u64>) + 'static) {
        self.forget_crosshair();
        let closure: CrosshairHandler =
            Closure::new(move |moved: CrosshairMoved| handler(moved.time().map(|time| time as u64)));
        self.raw.subscribe_crosshair_move(closure.as_ref().unchecked_ref());
        self.crosshair.replace(Some(closure));
    }

    fn forget_crosshair(&self) {
        if let Some(closure) = self.crosshair.take() {
            self.raw.unsubscribe_crosshair_move(closure.as_ref().unchecked_ref());
        }
    }
}

impl Drop for Chart {
    fn drop(&mut self) {
        self.forget_crosshair();
        self.raw.remove();
    }
}

/// The axis of times.
pub struct TimeScale(TimeScaleApi);

impl TimeScale {
    /// Shows all points.
    pub fn fit_content(&self) {
        self.0.fit_content();
    }

    /// Moves to the newest point.
    pub fn scroll_to_real_time(&self) {
        self.0.scroll_to_real_time();
    }

    /// Back to the spacing and place that the options name.
    pub fn reset(&self) {
        self.0.reset_time_scale();
    }
}
