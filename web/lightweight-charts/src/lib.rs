//! A typed binding of TradingView's lightweight-charts 5: what a trading page needs of it.
//!
//! ```no_run
//! use lightweight_charts::{Bar, CandlestickOptions, Chart, ChartOptions};
//!
//! fn draw(container: &web_sys::HtmlElement) -> Result<(), wasm_bindgen::JsValue> {
//!     let options = ChartOptions { auto_size: Some(true), ..ChartOptions::default() };
//!     let chart = Chart::new(container, &options)?;
//!     let series = chart.add_candlesticks(&CandlestickOptions::default())?;
//!     series.set_data(&[Bar { time: 1_765_894_800, open: 10.0, high: 12.0, low: 9.0, close: 11.0 }])?;
//!     chart.time_scale().fit_content();
//!     Ok(())
//! }
//! ```
//!
//! The library is loaded from `./lightweight-charts.js` beside the page's own JavaScript: its standalone ES module under
//! that name. A [`Chart`] is removed from the page when it is dropped. Times are seconds of the clock that the chart
//! shows; the library knows no time zones. The attribution logo stays on unless [`LayoutOptions`] says otherwise; who
//! takes it off must show the attribution elsewhere.
//!
//! - [`Chart`], [`TimeScale`]: the chart · [`Series`]: candles and histograms · [`options`]: what they look like

mod chart;
pub mod options;
mod raw;
mod series;

pub use chart::{Chart, TimeScale};
pub use options::*;
pub use series::{Bar, CandlestickSeries, Column, HistogramSeries, Point, Series};
