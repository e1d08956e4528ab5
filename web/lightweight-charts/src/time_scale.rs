//! The axis of times: what is in sight, and moving it.

use crate::events::{Handlers, Subscription};
use crate::options::{TimeScaleOptions, ToJs};
use crate::raw::{RangeValue, TimeScaleApi};
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// The axis of times. Points are numbered from 0, the oldest; a *logical* range is one of such numbers, also of parts and of
/// places beside the data.
pub struct TimeScale {
    pub(crate) raw: TimeScaleApi,
    pub(crate) handlers: Rc<Handlers>,
}

impl TimeScale {
    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &TimeScaleOptions) {
        self.raw.apply_options(&options.to_js());
    }

    /// Shows all points.
    pub fn fit_content(&self) {
        self.raw.fit_content();
    }

    /// Points between the newest and the right edge; negative when the newest is out of sight.
    pub fn scroll_position(&self) -> f64 {
        self.raw.scroll_position()
    }

    pub fn scroll_to_position(&self, position: f64, animated: bool) {
        self.raw.scroll_to_position(position, animated);
    }

    /// Moves to the newest point.
    pub fn scroll_to_real_time(&self) {
        self.raw.scroll_to_real_time();
    }

    /// Back to the spacing and place that the options name.
    pub fn reset(&self) {
        self.raw.reset_time_scale();
    }

    /// The first and last time in sight; `None` without data.
    pub fn visible_range(&self) -> Option<(u64, u64)> {
        self.raw.visible_range().map(|range| (range.from() as u64, range.to() as u64))
    }

    pub fn set_visible_range(&self, from: u64, to: u64) -> Result<(), JsValue> {
        self.raw.set_visible_range(&RangeValue::new(from as f64, to as f64))
    }

    /// The numbers of the points in sight; `None` without data.
    pub fn visible_logical_range(&self) -> Option<(f64, f64)> {
        self.raw.visible_logical_range().map(|range| (range.from(), range.to()))
    }

    pub fn set_visible_logical_range(&self, from: f64, to: f64) -> Result<(), JsValue> {
        self.raw.set_visible_logical_range(&RangeValue::new(from, to))
    }

    /// Pixels from the left of the panes.
    pub fn time_to_coordinate(&self, time: u64) -> Option<f64> {
        self.raw.time_to_coordinate(time as f64)
    }

    pub fn coordinate_to_time(&self, x: f64) -> Option<u64> {
        self.raw.coordinate_to_time(x).map(|time| time as u64)
    }

    pub fn logical_to_coordinate(&self, logical: f64) -> Option<f64> {
        self.raw.logical_to_coordinate(logical)
    }

    pub fn coordinate_to_logical(&self, x: f64) -> Option<f64> {
        self.raw.coordinate_to_logical(x)
    }

    /// In CSS pixels.
    pub fn width(&self) -> f64 {
        self.raw.width()
    }

    /// In CSS pixels.
    pub fn height(&self) -> f64 {
        self.raw.height()
    }

    /// Tells the times in sight when they change.
    pub fn on_visible_range(&self, mut handler: impl FnMut(Option<(u64, u64)>) + 'static) -> Subscription {
        let (on, off) = (self.raw.clone(), self.raw.clone());
        self.handlers.add(
            move |range: Option<RangeValue>| {
                handler(range.map(|range| (range.from() as u64, range.to() as u64)))
            },
            |function| on.subscribe_time_range(function),
            move |function| off.unsubscribe_time_range(function),
        )
    }

    /// Tells the numbers of the points in sight when they change.
    pub fn on_visible_logical_range(
        &self,
        mut handler: impl FnMut(Option<(f64, f64)>) + 'static,
    ) -> Subscription {
        let (on, off) = (self.raw.clone(), self.raw.clone());
        self.handlers.add(
            move |range: Option<RangeValue>| handler(range.map(|range| (range.from(), range.to()))),
            |function| on.subscribe_logical_range(function),
            move |function| off.unsubscribe_logical_range(function),
        )
    }

    /// Tells width and height when they change. The library calls with two arguments; the closure takes the width, and asks for the height.
    pub fn on_size(&self, mut handler: impl FnMut(f64, f64) + 'static) -> Subscription {
        let (scale, on, off) = (self.raw.clone(), self.raw.clone(), self.raw.clone());
        self.handlers.add(
            move |width: f64| handler(width, scale.height()),
            |function| on.subscribe_size(function),
            move |function| off.unsubscribe_size(function),
        )
    }
}
