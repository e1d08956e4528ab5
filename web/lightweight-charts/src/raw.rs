//! The library as JavaScript has it. Nothing of this leaves the crate.

use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

#[wasm_bindgen(raw_module = "./lightweight-charts.js")]
extern "C" {
    #[wasm_bindgen(js_name = createChart, catch)]
    pub fn create_chart(container: &HtmlElement, options: &JsValue) -> Result<ChartApi, JsValue>;

    #[wasm_bindgen(js_name = CandlestickSeries, thread_local_v2)]
    pub static CANDLESTICK_SERIES: JsValue;

    #[wasm_bindgen(js_name = HistogramSeries, thread_local_v2)]
    pub static HISTOGRAM_SERIES: JsValue;

    #[wasm_bindgen(js_name = IChartApi)]
    pub type ChartApi;

    #[wasm_bindgen(method, js_name = addSeries, catch)]
    pub fn add_series(this: &ChartApi, kind: &JsValue, options: &JsValue) -> Result<SeriesApi, JsValue>;

    #[wasm_bindgen(method, js_name = removeSeries, catch)]
    pub fn remove_series(this: &ChartApi, series: &SeriesApi) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &ChartApi, options: &JsValue);

    #[wasm_bindgen(method, js_name = timeScale)]
    pub fn time_scale(this: &ChartApi) -> TimeScaleApi;

    #[wasm_bindgen(method)]
    pub fn resize(this: &ChartApi, width: f64, height: f64);

    #[wasm_bindgen(method)]
    pub fn remove(this: &ChartApi);

    #[wasm_bindgen(method, js_name = subscribeCrosshairMove)]
    pub fn subscribe_crosshair_move(this: &ChartApi, handler: &Function);

    #[wasm_bindgen(method, js_name = unsubscribeCrosshairMove)]
    pub fn unsubscribe_crosshair_move(this: &ChartApi, handler: &Function);

    #[wasm_bindgen(js_name = ISeriesApi)]
    pub type SeriesApi;

    #[wasm_bindgen(method, js_name = setData, catch)]
    pub fn set_data(this: &SeriesApi, data: &js_sys::Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn update(this: &SeriesApi, point: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &SeriesApi, options: &JsValue);

    #[wasm_bindgen(method, js_name = priceScale)]
    pub fn price_scale(this: &SeriesApi) -> PriceScaleApi;

    #[wasm_bindgen(js_name = IPriceScaleApi)]
    pub type PriceScaleApi;

    #[wasm_bindgen(method, js_name = applyOptions)]
    pub fn apply_options(this: &PriceScaleApi, options: &JsValue);

    #[wasm_bindgen(js_name = ITimeScaleApi)]
    pub type TimeScaleApi;

    #[wasm_bindgen(method, js_name = fitContent)]
    pub fn fit_content(this: &TimeScaleApi);

    #[wasm_bindgen(method, js_name = scrollToRealTime)]
    pub fn scroll_to_real_time(this: &TimeScaleApi);

    #[wasm_bindgen(method, js_name = resetTimeScale)]
    pub fn reset_time_scale(this: &TimeScaleApi);

    /// The point under the crosshair; without a time beside the data.
    #[wasm_bindgen(js_name = MouseEventParams)]
    pub type CrosshairMoved;

    #[wasm_bindgen(method, getter)]
    pub fn time(this: &CrosshairMoved) -> Option<f64>;
}

#[wasm_bindgen]
extern "C" {
    /// A data point that is being filled in.
    #[wasm_bindgen(extends = Object)]
    pub type PointObject;

    #[wasm_bindgen(method, setter)]
    pub fn set_time(this: &PointObject, value: f64);

    #[wasm_bindgen(method, setter)]
    pub fn set_open(this: &PointObject, value: f64);

    #[wasm_bindgen(method, setter)]
    pub fn set_high(this: &PointObject, value: f64);

    #[wasm_bindgen(method, setter)]
    pub fn set_low(this: &PointObject, value: f64);

    #[wasm_bindgen(method, setter)]
    pub fn set_close(this: &PointObject, value: f64);

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
