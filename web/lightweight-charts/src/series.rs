//! Series: rows of points by time, in six shapes.

use crate::markers::{Marker, Markers};
use crate::options::*;
use crate::pane::Pane;
use crate::price::{PriceLine, PriceScale};
use crate::raw::{self, PointObject, RangeValue, SeriesApi};
use js_sys::Array;
use std::cell::Cell;
use std::marker::PhantomData;
use wasm_bindgen::{JsCast, JsValue};

/// What a series looks like: which options it has and which points.
pub trait SeriesKind: 'static {
    type Options: ToJs;
    type Point<'a>: Point;
    #[doc(hidden)]
    fn definition() -> JsValue;
}

macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident, $alias:ident, $options:ty, $point:ty, $definition:ident;)*) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub enum $kind {}

        #[doc = concat!("A series of [`", stringify!($kind), "`].")]
        pub type $alias = Series<$kind>;

        impl SeriesKind for $kind {
            type Options = $options;
            type Point<'a> = $point;

            fn definition() -> JsValue {
                raw::$definition.with(Clone::clone)
            }
        }
    )* };
}

kinds! {
    /// Bodies from open to close, wicks from low to high.
    Candlesticks, CandlestickSeries, CandlestickOptions, Bar, CANDLESTICK_SERIES;
    /// A line from low to high with ticks at open and close.
    Bars, BarSeries, BarOptions, Bar, BAR_SERIES;
    /// Values joined by a line.
    Lines, LineSeries, LineSeriesOptions, Value<'a>, LINE_SERIES;
    /// A line with the area below it filled.
    Areas, AreaSeries, AreaOptions, Value<'a>, AREA_SERIES;
    /// A line in two colours, above and below a level.
    Baselines, BaselineSeries, BaselineOptions, Value<'a>, BASELINE_SERIES;
    /// Columns.
    Histograms, HistogramSeries, HistogramOptions, Value<'a>, HISTOGRAM_SERIES;
}

/// A point that a series shows.
pub trait Point {
    /// Seconds of the chart's clock.
    fn time(&self) -> u64;
    /// The point's fields besides its time.
    #[doc(hidden)]
    fn fill(&self, object: &PointFields);
}

/// A point's fields on their way to the library.
#[doc(hidden)]
pub struct PointFields(PointObject);

/// Open, high, low and close of a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    pub time: u64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
}

impl Point for Bar {
    fn time(&self) -> u64 {
        self.time
    }

    fn fill(&self, object: &PointFields) {
        object.0.set_open(self.open);
        object.0.set_high(self.high);
        object.0.set_low(self.low);
        object.0.set_close(self.close);
    }
}

/// One value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value<'a> {
    pub time: u64,
    /// `None`: the time has its place on the axis, and nothing is drawn.
    pub value: Option<f64>,
    /// A CSS colour of a line's or histogram's point; `None`: the series' own.
    pub color: Option<&'a str>,
}

impl Value<'_> {
    pub const fn new(time: u64, value: f64) -> Value<'static> {
        Value { time, value: Some(value), color: None }
    }

    pub const fn gap(time: u64) -> Value<'static> {
        Value { time, value: None, color: None }
    }
}

impl Point for Value<'_> {
    fn time(&self) -> u64 {
        self.time
    }

    fn fill(&self, object: &PointFields) {
        if let Some(value) = self.value {
            object.0.set_value(value);
        }
        if let Some(color) = self.color {
            object.0.set_color(color);
        }
    }
}

/// How many points of a series lie before and after a range. Negative: so many that the range lacks there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarsAround {
    pub before: f64,
    pub after: f64,
}

/// A series of a chart. It stays on the chart when this is dropped; [`Chart::remove_series`](crate::Chart::remove_series)
/// takes it off.
pub struct Series<K> {
    pub(crate) raw: SeriesApi,
    /// Time of the newest point.
    newest: Cell<Option<u64>>,
    kind: PhantomData<K>,
}

impl<K: SeriesKind> Series<K> {
    pub(crate) fn new(raw: SeriesApi) -> Series<K> {
        Series { raw, newest: Cell::new(None), kind: PhantomData }
    }

    /// Replaces all points; times must ascend.
    pub fn set_data(&self, points: &[K::Point<'_>]) -> Result<(), JsValue> {
        let data: Array = points.iter().map(object).collect();
        self.raw.set_data(&data)?;
        self.newest.set(points.last().map(Point::time));
        Ok(())
    }

    /// Replaces the newest point or follows it; `false`, and nothing done, if the point is older than that: the
    /// library throws at it.
    pub fn update(&self, point: &K::Point<'_>) -> Result<bool, JsValue> {
        if self.newest.get().is_some_and(|newest| point.time() < newest) {
            return Ok(false);
        }
        self.raw.update(&object(point), false)?;
        self.newest.set(Some(point.time()));
        Ok(true)
    }

    /// Changes a point before the newest. Slower than [`Series::update`].
    pub fn update_historical(&self, point: &K::Point<'_>) -> Result<(), JsValue> {
        self.raw.update(&object(point), true)?;
        self.newest.set(self.newest.get().max(Some(point.time())));
        Ok(())
    }

    /// Takes off the newest points.
    pub fn pop(&self, count: u32) -> Result<(), JsValue> {
        self.raw.pop(count)?;
        let left = self.raw.data();
        let last = left.length().checked_sub(1).map(|index| left.get(index).unchecked_into::<PointObject>());
        self.newest.set(last.map(|point| point.time() as u64));
        Ok(())
    }

    /// Number of points; gaps are none.
    pub fn len(&self) -> usize {
        self.raw.data().length() as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes what is given and leaves the rest.
    pub fn apply_options(&self, options: &K::Options) {
        self.raw.apply_options(&options.to_js());
    }

    /// The scale that the series is measured on.
    pub fn price_scale(&self) -> PriceScale {
        PriceScale(self.raw.price_scale())
    }

    /// Pixels from the top of the series' pane; `None` while there is nothing to measure by.
    pub fn price_to_coordinate(&self, price: f64) -> Option<f64> {
        self.raw.price_to_coordinate(price)
    }

    /// The price at so many pixels from the top of the series' pane.
    pub fn coordinate_to_price(&self, y: f64) -> Option<f64> {
        self.raw.coordinate_to_price(y)
    }

    /// What lies beside a range of point numbers.
    pub fn bars_around(&self, from: f64, to: f64) -> Option<BarsAround> {
        let bars = self.raw.bars_in_logical_range(&RangeValue::new(from, to))?;
        Some(BarsAround { before: bars.before(), after: bars.after() })
    }

    /// A line at a price. It goes when it is dropped.
    pub fn create_price_line(&self, options: &PriceLineOptions) -> Result<PriceLine, JsValue> {
        let line = self.raw.create_price_line(&options.to_js())?;
        Ok(PriceLine { series: self.raw.clone(), raw: line })
    }

    /// Signs at points of the series. They go when they are dropped.
    pub fn create_markers(&self, markers: &[Marker], options: &MarkersOptions) -> Result<Markers, JsValue> {
        Markers::new(&self.raw, markers, options)
    }

    /// Moves the series to another pane; the next after the last one is made.
    pub fn move_to_pane(&self, index: u32) -> Result<(), JsValue> {
        self.raw.move_to_pane(index)
    }

    pub fn pane(&self) -> Result<Pane, JsValue> {
        self.raw.pane().map(Pane)
    }

    /// Place among the pane's series; the last is drawn on top.
    pub fn order(&self) -> u32 {
        self.raw.order()
    }

    pub fn set_order(&self, order: u32) {
        self.raw.set_order(order);
    }

    /// The library's name of its kind.
    pub fn type_name(&self) -> String {
        self.raw.series_type()
    }
}

fn object<P: Point>(point: &P) -> JsValue {
    let fields = PointFields(PointObject::empty());
    fields.0.set_time(point.time() as f64);
    point.fill(&fields);
    fields.0.into()
}
