//! A typed binding of TradingView's lightweight-charts 5.
//!
//! ```no_run
//! use lightweight_charts::*;
//! use wasm_bindgen::JsValue;
//!
//! fn draw(container: &js_sys::Object) -> Result<(Chart, Subscription), JsValue> {
//!     let chart = Chart::new(container, &ChartOptions { auto_size: Some(true), ..ChartOptions::default() })?;
//!     let candles = chart.add_candlesticks(&CandlestickOptions::default())?;
//!     candles.set_data(&[Bar { time: 1_765_894_800, open: 10.0, high: 12.0, low: 9.0, close: 11.0 }])?;
//!     // Volumes in a pane of their own, below.
//!     let volumes: HistogramSeries = chart.add_series(&HistogramOptions::default(), 1)?;
//!     volumes.set_data(&[Value::new(1_765_894_800, 250.0)])?;
//!     chart.time_scale().fit_content();
//!     let told = chart.on_crosshair_move(move |event| {
//!         let _close = event.bar_of(&candles).map(|bar| bar.close);
//!     });
//!     Ok((chart, told))
//! }
//! ```
//!
//! - [`Chart`]: the chart · [`TimeScale`]: what is in sight · [`Pane`]: parts above each other
//! - [`Series`]: candlesticks, bars, lines, areas, baselines, histograms · [`options`]: what all of it looks like
//! - [`PriceLine`], [`Markers`]: lines at a price and signs at points · [`PriceScale`]: the scale at the side
//! - [`PointerEvent`], [`Subscription`]: what the user does, and for how long you are told of it
//!
//! # The library's file
//!
//! It is loaded from `./lightweight-charts.js` beside the JavaScript that wasm-bindgen makes: its standalone ES module
//! (`lightweight-charts.standalone.production.mjs` of the npm package, version 5) under that name.
//!
//! # Who owns what
//!
//! A [`Chart`] that is dropped is removed from the page, and its handlers with it. A [`Subscription`], a [`PriceLine`] and
//! [`Markers`] end when they are dropped; after their chart they have nothing left to end. A [`Series`] stays until it is removed.
//!
//! # Times
//!
//! Seconds of the clock that the chart shows; the library knows no time zones. To show another clock than UTC, add its
//! offset, or write the times yourself with a [`TimeFormatter`] and a [`TickMarkFormatter`].
//!
//! # Attribution
//!
//! The library's licence asks for TradingView's attribution. The logo that the chart shows meets that, and is on unless
//! [`LayoutOptions::attribution_logo`] says otherwise; who takes it off must show the attribution elsewhere.

mod chart;
mod events;
mod markers;
pub mod options;
mod pane;
mod price;
mod raw;
mod series;
mod time_scale;

pub use chart::{Chart, Picture, Screenshot, version};
pub use events::{PointerEvent, Subscription};
pub use markers::{Marker, MarkerPosition, MarkerShape, Markers};
pub use options::*;
pub use pane::Pane;
pub use price::{PriceLine, PriceScale};
pub use series::*;
pub use time_scale::TimeScale;
