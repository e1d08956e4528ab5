//! What `tests/browser/chart-binding.test.mjs` runs in a browser: each function gets an empty element of the page and
//! answers with what is wrong.

use js_sys::Object;
use lightweight_charts::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;

const START: u64 = 1_765_894_800;

fn check(holds: bool, what: &str) -> Result<(), JsValue> {
    if holds { Ok(()) } else { Err(JsValue::from_str(what)) }
}

fn chart(container: &Object) -> Result<Chart, JsValue> {
    let options = ChartOptions {
        width: Some(600.0),
        height: Some(300.0),
        localization: Some(LocalizationOptions { locale: Some("en-US".into()), ..Default::default() }),
        ..ChartOptions::default()
    };
    Chart::new(container, &options)
}

/// What was asked for is done with the next drawing.
fn draw(chart: &Chart) {
    chart.resize(640.0, 300.0, true);
    chart.resize(600.0, 300.0, true);
}

fn bars(count: u64) -> Vec<Bar> {
    let bar = |n: u64| {
        let open = 100.0 + (n % 7) as f64;
        Bar { time: START + n * 60, open, high: open + 3.0, low: open - 2.0, close: open + 1.0 }
    };
    (0..count).map(bar).collect()
}

fn values(count: u64) -> Vec<Value<'static>> {
    (0..count).map(|n| Value::new(START + n * 60, 50.0 + n as f64)).collect()
}

#[wasm_bindgen]
pub fn series_of_every_kind(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let candlesticks = chart.add_candlesticks(&CandlestickOptions::default())?;
    let ohlc = chart.add_bars(&BarOptions::default())?;
    let line = chart.add_line(&LineSeriesOptions { line_width: Some(1), ..Default::default() })?;
    let area = chart.add_area(&AreaOptions::default())?;
    let baseline =
        chart.add_baseline(&BaselineOptions { base_value: Some(BaseValue(60.0)), ..Default::default() })?;
    let histogram = chart.add_histogram(&HistogramOptions::default())?;
    candlesticks.set_data(&bars(30))?;
    ohlc.set_data(&bars(30))?;
    line.set_data(&values(30))?;
    area.set_data(&values(30))?;
    baseline.set_data(&values(30))?;
    histogram.set_data(&[Value { color: Some("#f00"), ..Value::new(START, 1.0) }, Value::gap(START + 60)])?;
    let names = [
        candlesticks.type_name(),
        ohlc.type_name(),
        line.type_name(),
        area.type_name(),
        baseline.type_name(),
        histogram.type_name(),
    ];
    check(names == ["Candlestick", "Bar", "Line", "Area", "Baseline", "Histogram"], &names.join(" "))?;
    check(line.len() == 30 && histogram.len() == 1, "points; a gap is none")?;
    line.set_order(0);
    check(line.order() == 0, "order")?;
    chart.remove_series(area)?;
    check(version().starts_with("5."), "version")
}

#[wasm_bindgen]
pub fn updates(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let series = chart.add_candlesticks(&CandlestickOptions::default())?;
    let all = bars(12);
    series.set_data(&all[..10])?;
    check(series.update(&all[9])?, "the newest is replaced")?;
    check(series.update(&all[10])?, "the next follows")?;
    check(!series.update(&all[3])?, "an older one is not taken")?;
    check(series.len() == 11, "none is there twice")?;
    series.update_historical(&all[3])?;
    check(series.len() == 11, "a changed one is there once")?;
    series.pop(2)?;
    check(series.len() == 9, "two are gone")?;
    check(series.update(&all[9])?, "after them the next may come again")?;
    check(series.set_data(&[all[1], all[0]]).is_err() || series.len() == 2, "a fault is told, not thrown")
}

#[wasm_bindgen]
pub fn panes(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let candles = chart.add_candlesticks(&CandlestickOptions::default())?;
    candles.set_data(&bars(30))?;
    let volumes: HistogramSeries = chart.add_series(&HistogramOptions::default(), 1)?;
    volumes.set_data(&values(30))?;
    check(chart.panes().len() == 2 && volumes.pane()?.index() == 1, "a series makes its pane")?;
    let empty = chart.add_pane(true)?;
    check(empty.index() == 2 && empty.series_count() == 0, "an empty pane is at the end")?;
    empty.move_to(0)?;
    check(volumes.pane()?.index() == 2 && empty.index() == 0, "panes make room")?;
    empty.set_stretch_factor(0.5);
    check(empty.stretch_factor() == 0.5, "stretch factor")?;
    chart.swap_panes(1, 2)?;
    check(volumes.pane()?.index() == 1, "swapped")?;
    chart.remove_pane(empty.index())?;
    check(chart.panes().len() == 2, "removed")?;
    let pane = volumes.pane()?;
    draw(&chart);
    pane.set_height(80.0);
    draw(&chart);
    check((pane.height() - 80.0).abs() < 3.0, &format!("height {}", pane.height()))?;
    check(chart.pane_size(pane.index())?.0 > 100.0, "width")?;
    volumes.move_to_pane(candles.pane()?.index())?;
    check(chart.panes().len() == 1, "a pane without series goes")
}

#[wasm_bindgen]
pub fn prices(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let series = chart.add_candlesticks(&CandlestickOptions::default())?;
    series.set_data(&bars(30))?;
    let y = series.price_to_coordinate(104.0).ok_or("no coordinate")?;
    let back = series.coordinate_to_price(y).ok_or("no price")?;
    check((back - 104.0).abs() < 0.05, &format!("{back} for 104"))?;
    check(series.price_to_coordinate(106.0) < Some(y), "higher is further up")?;
    let scale = series.price_scale();
    scale.set_visible_range(50.0, 150.0);
    check(scale.visible_range() == Some((50.0, 150.0)), "price range")?;
    scale.set_auto_scale(true);
    scale.apply_options(&PriceScaleOptions { mode: Some(PriceScaleMode::Logarithmic), ..Default::default() });
    draw(&chart);
    check(scale.width() > 0.0, "scale's width")?;
    let line =
        series.create_price_line(&PriceLineOptions { price: Some(104.0), ..PriceLineOptions::default() })?;
    line.set_price(105.0);
    drop(line);
    let kept =
        series.create_price_line(&PriceLineOptions { price: Some(104.0), ..PriceLineOptions::default() })?;
    chart.remove_series(series)?;
    drop(kept);
    Ok(())
}

#[wasm_bindgen]
pub fn markers(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let series = chart.add_candlesticks(&CandlestickOptions::default())?;
    series.set_data(&bars(30))?;
    let marker = |position| Marker {
        time: START + 600,
        position,
        shape: MarkerShape::ArrowUp,
        color: "#f00".into(),
        id: Some("fill-1".into()),
        text: Some("B".into()),
        size: None,
    };
    let markers = series.create_markers(&[marker(MarkerPosition::BelowBar)], &MarkersOptions::default())?;
    check(markers.len() == 1, "one")?;
    markers.set(&[marker(MarkerPosition::AtPrice(104.0)), marker(MarkerPosition::AtPriceTop(105.0))])?;
    check(markers.len() == 2, "two")?;
    markers.set(&[])?;
    check(markers.is_empty(), "none")
}

#[wasm_bindgen]
pub fn time_scale(container: Object) -> Result<(), JsValue> {
    let chart = chart(&container)?;
    let series = chart.add_candlesticks(&CandlestickOptions::default())?;
    let scale = chart.time_scale();
    check(scale.visible_range().is_none(), "nothing is in sight without data")?;
    series.set_data(&bars(100))?;
    scale.fit_content();
    draw(&chart);
    scale.set_visible_logical_range(10.0, 40.0)?;
    draw(&chart);
    let (from, to) = scale.visible_logical_range().ok_or("no range")?;
    // Drawing at another width and back has kept the candles' width, not the range.
    check((from - 10.0).abs() < 3.0 && (to - 40.0).abs() < 1.0, &format!("{from} to {to}"))?;
    let around = series.bars_around(from, to).ok_or("no bars")?;
    check(around.before > 5.0 && around.after > 50.0, "bars around")?;
    scale.set_visible_range(START + 20 * 60, START + 50 * 60)?;
    draw(&chart);
    let (from, _) = scale.visible_range().ok_or("no range")?;
    check(from.abs_diff(START + 20 * 60) <= 120, "time range")?;
    let x = scale.time_to_coordinate(START + 30 * 60).ok_or("no coordinate")?;
    check(scale.coordinate_to_time(x) == Some(START + 30 * 60), "time and back")?;
    let logical = scale.coordinate_to_logical(x).ok_or("no number")?;
    check(logical == 30.0 && scale.logical_to_coordinate(logical) == Some(x), "number and back")?;
    scale.scroll_to_position(-20.0, false);
    draw(&chart);
    check((scale.scroll_position() + 20.0).abs() < 0.5, "scrolled")?;
    scale.scroll_to_real_time();
    scale.reset();
    check(scale.width() > 100.0 && scale.height() > 5.0, "size")
}

/// Left on the page with a handler for the crosshair, clicks, and the range, so that a test can act on it.
#[wasm_bindgen]
pub struct Watched {
    chart: Option<Chart>,
    subscription: Option<Subscription>,
    seen: Rc<RefCell<Vec<String>>>,
    alive: Rc<Cell<bool>>,
}

/// Says when it is dropped: so it is known whether a closure was.
struct Canary(Rc<Cell<bool>>);

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[wasm_bindgen]
impl Watched {
    #[wasm_bindgen(constructor)]
    pub fn new(container: Object) -> Result<Watched, JsValue> {
        let chart = chart(&container)?;
        let series = chart.add_candlesticks(&CandlestickOptions::default())?;
        series.set_data(&bars(100))?;
        chart.time_scale().fit_content();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let alive = Rc::new(Cell::new(true));
        let (told, canary) = (seen.clone(), Canary(alive.clone()));
        let crosshair = chart.on_crosshair_move(move |event| {
            let _alive = &canary;
            let bar = event.bar_of(&series).is_some();
            let word = if event.time().is_some() { format!("over {bar}") } else { "left".into() };
            told.borrow_mut().push(word);
        });
        let told = seen.clone();
        chart
            .on_click(move |event| {
                told.borrow_mut()
                    .push(format!("click {}", event.place().is_some() && event.pane() == Some(0)));
            })
            .forever();
        let told = seen.clone();
        chart
            .time_scale()
            .on_visible_logical_range(move |range| {
                told.borrow_mut().push(format!("range {}", range.is_some()));
            })
            .forever();
        Ok(Watched { chart: Some(chart), subscription: Some(crosshair), seen, alive })
    }

    /// What the handlers have been told.
    pub fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }

    pub fn subscriptions(&self) -> usize {
        self.chart.as_ref().map_or(0, Chart::subscriptions)
    }

    /// Is the closure of the crosshair still there?
    pub fn has_closure(&self) -> bool {
        self.alive.get()
    }

    pub fn unsubscribe(&mut self) {
        self.subscription = None;
    }

    /// The chart goes before the subscription does.
    pub fn remove_chart(&mut self) {
        self.chart = None;
    }

    pub fn resize(&self, width: f64, height: f64) {
        if let Some(chart) = &self.chart {
            chart.resize(width, height, false);
        }
    }

    pub fn png(&self) -> Result<String, JsValue> {
        let chart = self.chart.as_ref().ok_or("no chart")?;
        let picture = chart.take_screenshot(Screenshot { top_layer: true, crosshair: false })?;
        check(picture.size().0 >= 600, "as wide as the chart")?;
        picture.to_png_url()
    }

    pub fn scroll(&self) -> Result<(), JsValue> {
        let chart = self.chart.as_ref().ok_or("no chart")?;
        chart.time_scale().set_visible_logical_range(5.0, 30.0)
    }
}
