//! The picture of the candles: our candles as points of the chart, in the page's colours.

use crate::i18n::Lang;
use crate::logic::amount::group;
use crate::ports::browser::style_value;
use engine_core::candle::Candle;
use lightweight_charts::*;
use wasm_bindgen::JsValue;
use web_sys::HtmlElement;

/// Pixels a candle, gap included.
const CANDLE_WIDTH: f64 = 8.0;

pub struct Drawing {
    chart: Chart,
    candles: CandlestickSeries,
    volumes: HistogramSeries,
    colors: Colors,
    /// The chart shows the exchange's clock: times are moved by this.
    day_offset_s: u64,
}

struct Colors {
    up_volume: String,
    down_volume: String,
}

impl Drawing {
    pub fn new(container: &HtmlElement, lang: Lang, day_offset_s: u64) -> Result<Drawing, JsValue> {
        let chart = Chart::new(container, &chart_options())?;
        let candles = chart.add_candlesticks(&CandlestickOptions {
            border_visible: Some(false),
            price_format: Some(PriceFormat {
                kind: Some(PriceFormatKind::Price),
                precision: Some(0),
                min_move: Some(1.0),
                ..PriceFormat::default()
            }),
            ..CandlestickOptions::default()
        })?;
        candles.price_scale().apply_options(&margins(0.08, 0.24));
        let volumes = chart.add_histogram(&HistogramOptions {
            price_scale_id: Some(String::new()),
            price_format: Some(PriceFormat { kind: Some(PriceFormatKind::Volume), ..PriceFormat::default() }),
            price_line_visible: Some(false),
            last_value_visible: Some(false),
            ..HistogramOptions::default()
        })?;
        volumes.price_scale().apply_options(&margins(0.82, 0.0));
        let colors = Colors { up_volume: String::new(), down_volume: String::new() };
        let mut drawing = Drawing { chart, candles, volumes, colors, day_offset_s };
        drawing.speak(lang);
        Ok(drawing)
    }

    /// Takes over a language's date form and colours; the points must be drawn again.
    pub fn speak(&mut self, lang: Lang) {
        let (up, down) = (style_value("--up"), style_value("--down"));
        self.candles.apply_options(&CandlestickOptions {
            up_color: Some(up.clone()),
            down_color: Some(down.clone()),
            wick_up_color: Some(up.clone()),
            wick_down_color: Some(down.clone()),
            ..CandlestickOptions::default()
        });
        self.colors = Colors { up_volume: format!("{up}66"), down_volume: format!("{down}66") };
        self.chart.apply_options(&ChartOptions {
            localization: Some(LocalizationOptions {
                locale: Some(lang.locale().into()),
                date_format: Some("yyyy-MM-dd".into()),
                price_formatter: Some(PriceFormatter::new(|price| group(price.max(0.0) as u64))),
                ..LocalizationOptions::default()
            }),
            ..ChartOptions::default()
        });
    }

    pub fn draw(&self, candles: &[Candle]) -> Result<(), JsValue> {
        let bars: Vec<_> = candles.iter().map(|candle| self.bar(candle)).collect();
        let columns: Vec<_> = candles.iter().map(|candle| self.column(candle)).collect();
        self.candles.set_data(&bars)?;
        self.volumes.set_data(&columns)
    }

    /// Goes on at the end; candles from before it are in the next whole drawing.
    pub fn go_on(&self, tail: &[Candle]) -> Result<(), JsValue> {
        for candle in tail {
            self.candles.update(&self.bar(candle))?;
            self.volumes.update(&self.column(candle))?;
        }
        Ok(())
    }

    /// Shows the newest candles at their usual width.
    pub fn to_newest(&self) {
        self.chart.time_scale().reset();
    }

    /// Tells the open time of the candle under the crosshair.
    pub fn on_crosshair(&self, mut handler: impl FnMut(Option<u64>) + 'static) {
        let offset = self.day_offset_s;
        self.chart
            .on_crosshair_move(move |event| handler(event.time().map(|time| time.saturating_sub(offset))))
            .forever();
    }

    fn bar(&self, candle: &Candle) -> Bar {
        Bar {
            time: candle.time + self.day_offset_s,
            open: candle.open as f64,
            high: candle.high as f64,
            low: candle.low as f64,
            close: candle.close as f64,
        }
    }

    fn column(&self, candle: &Candle) -> Value<'_> {
        let fell = candle.close < candle.open;
        let color = if fell { &self.colors.down_volume } else { &self.colors.up_volume };
        Value { time: candle.time + self.day_offset_s, value: Some(candle.volume as f64), color: Some(color) }
    }
}

fn chart_options() -> ChartOptions {
    let line =
        |name: &str| Some(GridLineOptions { color: Some(style_value(name)), ..GridLineOptions::default() });
    let crosshair = || {
        Some(CrosshairLineOptions {
            color: Some(style_value("--muted")),
            label_background_color: Some(style_value("--raised")),
            style: Some(LineStyle::Dashed),
            ..CrosshairLineOptions::default()
        })
    };
    let border = Some(style_value("--line"));
    ChartOptions {
        auto_size: Some(true),
        layout: Some(LayoutOptions {
            background: Some(Background::Solid("transparent".into())),
            text_color: Some(style_value("--muted")),
            font_size: Some(11),
            font_family: Some(style_value("--font")),
            attribution_logo: Some(true),
            ..LayoutOptions::default()
        }),
        grid: Some(GridOptions { vertical: line("--grid"), horizontal: line("--grid") }),
        crosshair: Some(CrosshairOptions {
            mode: Some(CrosshairMode::Normal),
            vertical: crosshair(),
            horizontal: crosshair(),
        }),
        right_price_scale: Some(PriceScaleOptions {
            border_color: border.clone(),
            ..PriceScaleOptions::default()
        }),
        time_scale: Some(TimeScaleOptions {
            border_color: border,
            time_visible: Some(true),
            seconds_visible: Some(false),
            bar_spacing: Some(CANDLE_WIDTH),
            right_offset: Some(6.0),
            ..TimeScaleOptions::default()
        }),
        ..ChartOptions::default()
    }
}

fn margins(top: f64, bottom: f64) -> PriceScaleOptions {
    PriceScaleOptions {
        margins: Some(ScaleMargins { top: Some(top), bottom: Some(bottom) }),
        ..PriceScaleOptions::default()
    }
}
