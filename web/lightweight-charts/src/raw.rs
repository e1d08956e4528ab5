//! The library as JavaScript has it. Nothing of this leaves the crate.

use js_sys::{Array, Function, Map, Object};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./lightweight-charts.js")]
extern "C" {
    #[wasm_bindgen(js_name = createChart, catch)]
    pub fn create_chart(container: &JsValue, options: &JsValue) -> Result<ChartApi, JsValue>;

    #[wasm_bindgen(js_name = createSeriesMarkers, catch)]
    pub fn create_series_markers(
        series: &SeriesApi,
        markers: &Array,
        options: &JsValue,
    ) -> Result<MarkersApi, JsValue>;

    #[wasm_bindgen(js_name = version)]
    pub fn version() -> String;

    #[wasm_bindgen(js_name = CandlestickSeries, thread_local_v2)]
    pub static CANDLESTICK_SERIES: JsValue;
    #[wasm_bindgen(js_name = BarSeries, thread_local_v2)]
    pub static BAR_SERIES: JsValue;
    #[wasm_bindgen(js_name = LineSeries, thread_local_v2)]
    pub static LINE_SERIES: JsValue;
    #[wasm_bindgen(js_name = AreaSeries, thread_local_v2)]
    pub static AREA_SERIES: JsValue;
    #[wasm_bindgen(js_name = BaselineSeries, thread_local_v2)]
    pub static BASELINE_SERIES: JsValue;
    #[wasm_bindgen(js_name = HistogramSeries, thread_local_v2)]
    pub static HISTOGRAM_SERIES: JsValue;
}

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    pub type ChartApi;

    #[wasm_bindgen(method, js_name = addSeries, catch)]
    pub fn add_series(
        this: &ChartApi,
        kind: &JsValue,
        options: &JsValue,
        pane: u32,
    ) -> Result<SeriesApi, JsValue>;
    #[wasm_bindgen(method, js_name = removeSeries, catch)]
    pub fn remove_series(this: &ChartApi, series: &SeriesApi) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &ChartApi, options: &JsValue);
    #[wasm_bindgen(method, js_name = timeScale)]
    pub fn time_scale(this: &ChartApi) -> TimeScaleApi;
    #[wasm_bindgen(method)]
    pub fn resize(this: &ChartApi, width: f64, height: f64, repaint: bool);
    #[wasm_bindgen(method, js_name = autoSizeActive)]
    pub fn auto_size_active(this: &ChartApi) -> bool;
    #[wasm_bindgen(method)]
    pub fn remove(this: &ChartApi);
    #[wasm_bindgen(method, js_name = addPane, catch)]
    pub fn add_pane(this: &ChartApi, preserve: bool) -> Result<PaneApi, JsValue>;
    #[wasm_bindgen(method)]
    pub fn panes(this: &ChartApi) -> Array;
    #[wasm_bindgen(method, js_name = removePane, catch)]
    pub fn remove_pane(this: &ChartApi, index: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = swapPanes, catch)]
    pub fn swap_panes(this: &ChartApi, first: u32, second: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = paneSize, catch)]
    pub fn pane_size(this: &ChartApi, index: u32) -> Result<PaneSizeValue, JsValue>;
    #[wasm_bindgen(method, js_name = setCrosshairPosition, catch)]
    pub fn set_crosshair(this: &ChartApi, price: f64, time: f64, series: &SeriesApi) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = clearCrosshairPosition)]
    pub fn clear_crosshair(this: &ChartApi);
    #[wasm_bindgen(method, js_name = takeScreenshot, catch)]
    pub fn take_screenshot(
        this: &ChartApi,
        top_layer: bool,
        crosshair: bool,
    ) -> Result<CanvasElement, JsValue>;
    #[wasm_bindgen(method, js_name = subscribeCrosshairMove)]
    pub fn subscribe_crosshair_move(this: &ChartApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeCrosshairMove)]
    pub fn unsubscribe_crosshair_move(this: &ChartApi, handler: &Function);
    #[wasm_bindgen(method, js_name = subscribeClick)]
    pub fn subscribe_click(this: &ChartApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeClick)]
    pub fn unsubscribe_click(this: &ChartApi, handler: &Function);
    #[wasm_bindgen(method, js_name = subscribeDblClick)]
    pub fn subscribe_double_click(this: &ChartApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeDblClick)]
    pub fn unsubscribe_double_click(this: &ChartApi, handler: &Function);

    #[derive(Clone)]
    pub type SeriesApi;

    #[wasm_bindgen(method, js_name = setData, catch)]
    pub fn set_data(this: &SeriesApi, data: &Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn update(this: &SeriesApi, point: &JsValue, historical: bool) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn pop(this: &SeriesApi, count: u32) -> Result<Array, JsValue>;
    #[wasm_bindgen(method)]
    pub fn data(this: &SeriesApi) -> Array;
    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &SeriesApi, options: &JsValue);
    #[wasm_bindgen(method, js_name = priceScale)]
    pub fn price_scale(this: &SeriesApi) -> PriceScaleApi;
    #[wasm_bindgen(method, js_name = priceToCoordinate)]
    pub fn price_to_coordinate(this: &SeriesApi, price: f64) -> Option<f64>;
    #[wasm_bindgen(method, js_name = coordinateToPrice)]
    pub fn coordinate_to_price(this: &SeriesApi, coordinate: f64) -> Option<f64>;
    #[wasm_bindgen(method, js_name = barsInLogicalRange)]
    pub fn bars_in_logical_range(this: &SeriesApi, range: &RangeValue) -> Option<BarsValue>;
    #[wasm_bindgen(method, js_name = createPriceLine, catch)]
    pub fn create_price_line(this: &SeriesApi, options: &JsValue) -> Result<PriceLineApi, JsValue>;
    #[wasm_bindgen(method, js_name = removePriceLine, catch)]
    pub fn remove_price_line(this: &SeriesApi, line: &PriceLineApi) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = moveToPane, catch)]
    pub fn move_to_pane(this: &SeriesApi, pane: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = getPane, catch)]
    pub fn pane(this: &SeriesApi) -> Result<PaneApi, JsValue>;
    #[wasm_bindgen(method, js_name = seriesType)]
    pub fn series_type(this: &SeriesApi) -> String;
    #[wasm_bindgen(method, js_name = seriesOrder)]
    pub fn order(this: &SeriesApi) -> u32;
    #[wasm_bindgen(method, js_name = setSeriesOrder)]
    pub fn set_order(this: &SeriesApi, order: u32);

    #[derive(Clone)]
    pub type PriceLineApi;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &PriceLineApi, options: &JsValue);

    #[derive(Clone)]
    pub type MarkersApi;

    #[wasm_bindgen(method, js_name = setMarkers, catch)]
    pub fn set_markers(this: &MarkersApi, markers: &Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    pub fn markers(this: &MarkersApi) -> Array;
    #[wasm_bindgen(method, catch)]
    pub fn detach(this: &MarkersApi) -> Result<(), JsValue>;

    #[derive(Clone)]
    pub type PriceScaleApi;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &PriceScaleApi, options: &JsValue);
    #[wasm_bindgen(method)]
    pub fn width(this: &PriceScaleApi) -> f64;
    #[wasm_bindgen(method, js_name = setAutoScale)]
    pub fn set_auto_scale(this: &PriceScaleApi, on: bool);
    #[wasm_bindgen(method, js_name = getVisibleRange)]
    pub fn visible_range(this: &PriceScaleApi) -> Option<RangeValue>;
    #[wasm_bindgen(method, js_name = setVisibleRange)]
    pub fn set_visible_range(this: &PriceScaleApi, range: &RangeValue);

    #[derive(Clone)]
    pub type PaneApi;

    #[wasm_bindgen(method, js_name = getHeight)]
    pub fn height(this: &PaneApi) -> f64;
    #[wasm_bindgen(method, js_name = setHeight)]
    pub fn set_height(this: &PaneApi, height: f64);
    #[wasm_bindgen(method, js_name = moveTo, catch)]
    pub fn move_to(this: &PaneApi, index: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = paneIndex)]
    pub fn index(this: &PaneApi) -> u32;
    #[wasm_bindgen(method, js_name = getSeries)]
    pub fn series(this: &PaneApi) -> Array;
    #[wasm_bindgen(method, js_name = getHTMLElement)]
    pub fn element(this: &PaneApi) -> Option<Object>;
    #[wasm_bindgen(method, js_name = getStretchFactor)]
    pub fn stretch_factor(this: &PaneApi) -> f64;
    #[wasm_bindgen(method, js_name = setStretchFactor)]
    pub fn set_stretch_factor(this: &PaneApi, factor: f64);
    #[wasm_bindgen(method, js_name = setPreserveEmptyPane)]
    pub fn set_preserve_empty(this: &PaneApi, preserve: bool);

    #[derive(Clone)]
    pub type TimeScaleApi;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &TimeScaleApi, options: &JsValue);
    #[wasm_bindgen(method, js_name = fitContent)]
    pub fn fit_content(this: &TimeScaleApi);
    #[wasm_bindgen(method, js_name = scrollPosition)]
    pub fn scroll_position(this: &TimeScaleApi) -> f64;
    #[wasm_bindgen(method, js_name = scrollToPosition)]
    pub fn scroll_to_position(this: &TimeScaleApi, position: f64, animated: bool);
    #[wasm_bindgen(method, js_name = scrollToRealTime)]
    pub fn scroll_to_real_time(this: &TimeScaleApi);
    #[wasm_bindgen(method, js_name = resetTimeScale)]
    pub fn reset_time_scale(this: &TimeScaleApi);
    #[wasm_bindgen(method, js_name = getVisibleRange)]
    pub fn visible_range(this: &TimeScaleApi) -> Option<RangeValue>;
    #[wasm_bindgen(method, js_name = setVisibleRange, catch)]
    pub fn set_visible_range(this: &TimeScaleApi, range: &RangeValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = getVisibleLogicalRange)]
    pub fn visible_logical_range(this: &TimeScaleApi) -> Option<RangeValue>;
    #[wasm_bindgen(method, js_name = setVisibleLogicalRange, catch)]
    pub fn set_visible_logical_range(this: &TimeScaleApi, range: &RangeValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = logicalToCoordinate)]
    pub fn logical_to_coordinate(this: &TimeScaleApi, logical: f64) -> Option<f64>;
    #[wasm_bindgen(method, js_name = coordinateToLogical)]
    pub fn coordinate_to_logical(this: &TimeScaleApi, x: f64) -> Option<f64>;
    #[wasm_bindgen(method, js_name = timeToCoordinate)]
    pub fn time_to_coordinate(this: &TimeScaleApi, time: f64) -> Option<f64>;
    #[wasm_bindgen(method, js_name = coordinateToTime)]
    pub fn coordinate_to_time(this: &TimeScaleApi, x: f64) -> Option<f64>;
    #[wasm_bindgen(method)]
    pub fn width(this: &TimeScaleApi) -> f64;
    #[wasm_bindgen(method)]
    pub fn height(this: &TimeScaleApi) -> f64;
    #[wasm_bindgen(method, js_name = subscribeVisibleTimeRangeChange)]
    pub fn subscribe_time_range(this: &TimeScaleApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeVisibleTimeRangeChange)]
    pub fn unsubscribe_time_range(this: &TimeScaleApi, handler: &Function);
    #[wasm_bindgen(method, js_name = subscribeVisibleLogicalRangeChange)]
    pub fn subscribe_logical_range(this: &TimeScaleApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeVisibleLogicalRangeChange)]
    pub fn unsubscribe_logical_range(this: &TimeScaleApi, handler: &Function);
    #[wasm_bindgen(method, js_name = subscribeSizeChange)]
    pub fn subscribe_size(this: &TimeScaleApi, handler: &Function);
    #[wasm_bindgen(method, js_name = unsubscribeSizeChange)]
    pub fn unsubscribe_size(this: &TimeScaleApi, handler: &Function);

    /// What a pointer event tells.
    pub type MouseEventParams;

    #[wasm_bindgen(method, getter)]
    pub fn time(this: &MouseEventParams) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    pub fn logical(this: &MouseEventParams) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    pub fn point(this: &MouseEventParams) -> Option<PlaceValue>;
    #[wasm_bindgen(method, getter, js_name = paneIndex)]
    pub fn pane_index(this: &MouseEventParams) -> Option<u32>;
    #[wasm_bindgen(method, getter, js_name = hoveredObjectId)]
    pub fn hovered_object(this: &MouseEventParams) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = seriesData)]
    pub fn series_data(this: &MouseEventParams) -> Map;

    pub type PlaceValue;
    #[wasm_bindgen(method, getter)]
    pub fn x(this: &PlaceValue) -> f64;
    #[wasm_bindgen(method, getter)]
    pub fn y(this: &PlaceValue) -> f64;

    #[wasm_bindgen(extends = Object)]
    pub type RangeValue;
    #[wasm_bindgen(method, getter)]
    pub fn from(this: &RangeValue) -> f64;
    #[wasm_bindgen(method, setter)]
    pub fn set_from(this: &RangeValue, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn to(this: &RangeValue) -> f64;
    #[wasm_bindgen(method, setter)]
    pub fn set_to(this: &RangeValue, value: f64);

    pub type BarsValue;
    #[wasm_bindgen(method, getter, js_name = barsBefore)]
    pub fn before(this: &BarsValue) -> f64;
    #[wasm_bindgen(method, getter, js_name = barsAfter)]
    pub fn after(this: &BarsValue) -> f64;

    pub type PaneSizeValue;
    #[wasm_bindgen(method, getter)]
    pub fn width(this: &PaneSizeValue) -> f64;
    #[wasm_bindgen(method, getter)]
    pub fn height(this: &PaneSizeValue) -> f64;

    #[wasm_bindgen(extends = Object)]
    #[derive(Clone)]
    pub type CanvasElement;
    #[wasm_bindgen(method, getter)]
    pub fn width(this: &CanvasElement) -> u32;
    #[wasm_bindgen(method, getter)]
    pub fn height(this: &CanvasElement) -> u32;
    #[wasm_bindgen(method, js_name = toDataURL, catch)]
    pub fn to_data_url(this: &CanvasElement, mime: &str) -> Result<String, JsValue>;

    /// A data point that is being filled in, or read.
    #[wasm_bindgen(extends = Object)]
    pub type PointObject;
    #[wasm_bindgen(method, getter)]
    pub fn time(this: &PointObject) -> f64;
    #[wasm_bindgen(method, setter)]
    pub fn set_time(this: &PointObject, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn open(this: &PointObject) -> Option<f64>;
    #[wasm_bindgen(method, setter)]
    pub fn set_open(this: &PointObject, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn high(this: &PointObject) -> Option<f64>;
    #[wasm_bindgen(method, setter)]
    pub fn set_high(this: &PointObject, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn low(this: &PointObject) -> Option<f64>;
    #[wasm_bindgen(method, setter)]
    pub fn set_low(this: &PointObject, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn close(this: &PointObject) -> Option<f64>;
    #[wasm_bindgen(method, setter)]
    pub fn set_close(this: &PointObject, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn value(this: &PointObject) -> Option<f64>;
    #[wasm_bindgen(method, setter)]
    pub fn set_value(this: &PointObject, value: f64);
    #[wasm_bindgen(method, setter)]
    pub fn set_color(this: &PointObject, value: &str);
}

impl PointObject {
    pub fn empty() -> PointObject {
        Object::new().unchecked_into()
    }
}

impl RangeValue {
    pub fn new(from: f64, to: f64) -> RangeValue {
        let range: RangeValue = Object::new().unchecked_into();
        range.set_from(from);
        range.set_to(to);
        range
    }
}
