//! Series: rows of points by time.

use crate::options::{CandlestickOptions, HistogramOptions, PriceScaleOptions, ToJs};
use crate::raw::{PointObject, SeriesApi};
use std::cell::Cell;
use std::marker::PhantomData;
use wasm_bindgen::JsValue;

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

#[derive(Clone, Debug, PartialEq)]
pub struct Column<'a> {
    pub time: u64,
    pub value: f64,
    /// A CSS colour; `None`: the series' own.
    pub color: Option<&'a str>,
}

impl Point for Column<'_> {
    fn time(&self) -> u64 {
        self.time
    }

    fn fill(&self, object: &PointFields) {
        object.0.set_value(self.value);
        if let Some(color) = self.color {
            object.0.set_color(color);
        }
    }
}

pub type CandlestickSeries = Series<CandlestickOptions>;
pub type HistogramSeries = Series<HistogramOptions>;

/// A series with options `O`.
pub struct Series<O> {
    pub(crate) raw: SeriesApi,
    /// Time of the newest point.
    newest: Cell<Option<u64>>,
    options: PhantomData<O>,
}

impl<O: ToJs> Series<O> {
    pub(crate) fn new(raw: SeriesApi) -> Series<O> {
        Series { raw, newest: Cell::new(None), options: PhantomData }
    }

    pub fn apply_options(&self, options: &O) {
        self.raw.apply_options(&options.to_js());
    }

    /// Options of the scale that the series is measured on.
    pub fn apply_scale_options(&self, options: &PriceScaleOptions) {
        self.raw.price_scale().apply_options(&options.to_js());
    }

    fn replace<P: Point>(&self, points: &[P]) -> Result<(), JsValue> {
        let data: js_sys::Array = points.iter().map(object).collect();
        self.newest.set(points.last().map(Point::time));
        self.raw.set_data(&data)
    }

    /// A point before the newest is not taken over: the library throws at it.
    fn advance<P: Point>(&self, point: &P) -> Result<bool, JsValue> {
        if self.newest.get().is_some_and(|newest| point.time() < newest) {
            return Ok(false);
        }
        self.newest.set(Some(point.time()));
        self.raw.update(&object(point)).map(|()| true)
    }
}

impl CandlestickSeries {
    /// Replaces all points; times must ascend.
    pub fn set_data(&self, bars: &[Bar]) -> Result<(), JsValue> {
        self.replace(bars)
    }

    /// Replaces the newest point or follows it; `false` if the point is older than that.
    pub fn update(&self, bar: &Bar) -> Result<bool, JsValue> {
        self.advance(bar)
    }
}

impl HistogramSeries {
    /// Replaces all points; times must ascend.
    pub fn set_data(&self, columns: &[Column<'_>]) -> Result<(), JsValue> {
        self.replace(columns)
    }

    /// Replaces the newest point or follows it; `false` if the point is older than that.
    pub fn update(&self, column: &Column<'_>) -> Result<bool, JsValue> {
        self.advance(column)
    }
}

fn object<P: Point>(point: &P) -> JsValue {
    let fields = PointFields(PointObject::empty());
    fields.0.set_time(point.time() as f64);
    point.fill(&fields);
    fields.0.into()
}
