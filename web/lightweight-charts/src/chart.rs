//! The chart itself.

use crate::events::{Handlers, PointerEvent, Subscription};
use crate::options::*;
use crate::pane::Pane;
use crate::raw::{self, CanvasElement, ChartApi, MouseEventParams, PaneApi};
use crate::series::*;
use crate::time_scale::TimeScale;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// A chart in a container of the page; removed from it when dropped, with every handler that it knew.
pub struct Chart {
    raw: ChartApi,
    handlers: Rc<Handlers>,
}

impl Chart {
    /// `container` is an element of the page: a `web_sys::HtmlElement`, or whatever else holds an `HTMLElement`.
    pub fn new(container: &impl AsRef<JsValue>, options: &ChartOptions) -> Result<Chart, JsValue> {
        let raw = raw::create_chart(container.as_ref(), &options.to_js())?;
        Ok(Chart { raw, handlers: Rc::default() })
    }

    /// A series of any kind, in a pane; the next after the last one is made.
    pub fn add_series<K: SeriesKind>(&self, options: &K::Options, pane: u32) -> Result<Series<K>, JsValue> {
        self.raw.add_series(&K::definition(), &options.to_js(), pane).map(Series::new)
    }

    pub fn add_candlesticks(&self, options: &CandlestickOptions) -> Result<CandlestickSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn add_bars(&self, options: &BarOptions) -> Result<BarSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn add_line(&self, options: &LineSeriesOptions) -> Result<LineSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn add_area(&self, options: &AreaOptions) -> Result<AreaSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn add_baseline(&self, options: &BaselineOptions) -> Result<BaselineSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn add_histogram(&self, options: &HistogramOptions) -> Result<HistogramSeries, JsValue> {
        self.add_series(options, 0)
    }

    pub fn remove_series<K>(&self, series: Series<K>) -> Result<(), JsValue> {
        self.raw.remove_series(&series.raw)
    }

    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &ChartOptions) {
        self.raw.apply_options(&options.to_js());
    }

    /// In CSS pixels. Not needed with [`ChartOptions::auto_size`]. `at_once`: it is drawn before this returns, not in the
    /// browser's next frame.
    pub fn resize(&self, width: f64, height: f64, at_once: bool) {
        self.raw.resize(width, height, at_once);
    }

    /// Whether the chart follows its container's size: asked for, and supported by the browser.
    pub fn follows_container(&self) -> bool {
        self.raw.auto_size_active()
    }

    pub fn time_scale(&self) -> TimeScale {
        TimeScale { raw: self.raw.time_scale(), handlers: self.handlers.clone() }
    }

    /// A new pane below the others. `preserve_empty`: it stays when its last series goes.
    pub fn add_pane(&self, preserve_empty: bool) -> Result<Pane, JsValue> {
        self.raw.add_pane(preserve_empty).map(Pane)
    }

    /// From top to bottom.
    pub fn panes(&self) -> Vec<Pane> {
        self.raw.panes().iter().map(|pane| Pane(pane.unchecked_into::<PaneApi>())).collect()
    }

    /// Removes a pane with its series.
    pub fn remove_pane(&self, index: u32) -> Result<(), JsValue> {
        self.raw.remove_pane(index)
    }

    pub fn swap_panes(&self, first: u32, second: u32) -> Result<(), JsValue> {
        self.raw.swap_panes(first, second)
    }

    /// Width and height of a pane without its price scales, in CSS pixels.
    pub fn pane_size(&self, index: u32) -> Result<(f64, f64), JsValue> {
        self.raw.pane_size(index).map(|size| (size.width(), size.height()))
    }

    /// Puts the crosshair at a price and time of a series.
    pub fn set_crosshair<K>(&self, price: f64, time: u64, series: &Series<K>) -> Result<(), JsValue> {
        self.raw.set_crosshair(price, time as f64, &series.raw)
    }

    pub fn clear_crosshair(&self) {
        self.raw.clear_crosshair();
    }

    /// The chart as a picture.
    pub fn take_screenshot(&self, options: Screenshot) -> Result<Picture, JsValue> {
        self.raw.take_screenshot(options.top_layer, options.crosshair).map(Picture)
    }

    /// Tells where the crosshair is; an event without a place when it has left.
    pub fn on_crosshair_move(&self, handler: impl FnMut(PointerEvent) + 'static) -> Subscription {
        let (on, off) = (self.raw.clone(), self.raw.clone());
        self.on_pointer(
            handler,
            move |function| on.subscribe_crosshair_move(function),
            move |function| off.unsubscribe_crosshair_move(function),
        )
    }

    pub fn on_click(&self, handler: impl FnMut(PointerEvent) + 'static) -> Subscription {
        let (on, off) = (self.raw.clone(), self.raw.clone());
        self.on_pointer(
            handler,
            move |function| on.subscribe_click(function),
            move |function| off.unsubscribe_click(function),
        )
    }

    pub fn on_double_click(&self, handler: impl FnMut(PointerEvent) + 'static) -> Subscription {
        let (on, off) = (self.raw.clone(), self.raw.clone());
        self.on_pointer(
            handler,
            move |function| on.subscribe_double_click(function),
            move |function| off.unsubscribe_double_click(function),
        )
    }

    /// Number of handlers that are being told of something.
    pub fn subscriptions(&self) -> usize {
        self.handlers.len()
    }

    fn on_pointer(
        &self,
        mut handler: impl FnMut(PointerEvent) + 'static,
        subscribe: impl FnOnce(&js_sys::Function),
        unsubscribe: impl FnOnce(&js_sys::Function) + 'static,
    ) -> Subscription {
        let told = move |event: MouseEventParams| handler(PointerEvent(event));
        self.handlers.add(told, subscribe, unsubscribe)
    }
}

impl Drop for Chart {
    fn drop(&mut self) {
        self.handlers.remove_all();
        self.raw.remove();
    }
}

/// What is on a picture besides the series.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screenshot {
    /// What is drawn over the chart: the labels of primitives, and the crosshair if that is asked for.
    pub top_layer: bool,
    pub crosshair: bool,
}

/// A picture of a chart: a canvas that is on no page.
pub struct Picture(CanvasElement);

impl Picture {
    /// In device pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    /// `data:image/png;base64,…`
    pub fn to_png_url(&self) -> Result<String, JsValue> {
        self.0.to_data_url("image/png")
    }

    /// The `HTMLCanvasElement`, for `dyn_into` to a type of `web-sys`.
    pub fn into_canvas(self) -> js_sys::Object {
        self.0.unchecked_into()
    }
}

/// The library's version.
pub fn version() -> String {
    raw::version()
}
