//! The picture of the candles: our candles, indicators, orders and fills as the chart library draws them, in the page's
//! colours.

use super::studies::StudyLines;
use crate::i18n::{Lang, Text};
use crate::logic::amount::group;
use crate::logic::fills::{Fill, marks};
use crate::logic::indicators::{Figures, Setting, Settings};
use crate::logic::map::Map;
use crate::logic::order::Side;
use crate::ports::browser::style_value;
use engine_core::candle::{Candle, Interval};
use lightweight_charts::*;
use wasm_bindgen::JsValue;
use web_sys::HtmlElement;

/// Pixels a candle, gap included.
const CANDLE_WIDTH: f64 = 8.0;
/// Of the height that the panes below the candles take each, against one for the candles.
const PANE_SHARE: f64 = 0.36;

pub struct Picture {
    chart: Chart,
    candles: CandlestickSeries,
    volumes: HistogramSeries,
    markers: Markers,
    studies: Vec<StudyLines>,
    lines: Map<String, PriceLine>,
    colors: Colors,
    /// The chart shows the exchange's clock: times are moved by this.
    day_offset_s: u64,
    /// Open times of the drawn candles.
    drawn: Vec<u64>,
}

struct Colors {
    up: String,
    down: String,
    up_volume: String,
    down_volume: String,
}

/// An order's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    pub id: String,
    pub side: Side,
    pub price: u64,
    /// On its way to that price.
    pub is_moving: bool,
}

impl Picture {
    pub fn new(container: &HtmlElement, lang: Lang, day_offset_s: u64) -> Result<Picture, JsValue> {
        let chart = Chart::new(container, &chart_options())?;
        let candles = chart.add_candlesticks(&CandlestickOptions {
            border_visible: Some(false),
            price_format: Some(whole_ticks()),
            ..CandlestickOptions::default()
        })?;
        candles.price_scale().apply_options(&margins(0.1, 0.24));
        let volumes = chart.add_histogram(&HistogramOptions {
            price_scale_id: Some(String::new()),
            price_format: Some(PriceFormat { kind: Some(PriceFormatKind::Volume), ..PriceFormat::default() }),
            price_line_visible: Some(false),
            last_value_visible: Some(false),
            ..HistogramOptions::default()
        })?;
        volumes.price_scale().apply_options(&margins(0.82, 0.0));
        let markers = candles.create_markers(&[], &MarkersOptions::default())?;
        let mut picture = Picture {
            chart,
            candles,
            volumes,
            markers,
            studies: Vec::new(),
            lines: Map::default(),
            colors: Colors::read(),
            day_offset_s,
            drawn: Vec::new(),
        };
        picture.speak(lang);
        Ok(picture)
    }

    /// Takes over a language's date form and the theme's colours; the points must be drawn again.
    pub fn speak(&mut self, lang: Lang) {
        self.colors = Colors::read();
        let (up, down) = (&self.colors.up, &self.colors.down);
        self.candles.apply_options(&CandlestickOptions {
            up_color: Some(up.clone()),
            down_color: Some(down.clone()),
            wick_up_color: Some(up.clone()),
            wick_down_color: Some(down.clone()),
            ..CandlestickOptions::default()
        });
        self.chart.apply_options(&ChartOptions {
            localization: Some(LocalizationOptions {
                locale: Some(lang.locale().into()),
                date_format: Some("yyyy-MM-dd".into()),
                ..LocalizationOptions::default()
            }),
            ..colored()
        });
    }

    /// Draws everything anew. What was in sight stays where it was, however many candles have come before it.
    pub fn draw(&mut self, candles: &[Candle], interval: Interval) -> Result<(), JsValue> {
        let scale = self.chart.time_scale();
        let in_sight = scale.visible_logical_range();
        let shift = self.drawn.last().and_then(|newest| {
            let place = candles.binary_search_by_key(newest, |candle| candle.time).ok()?;
            Some(place as f64 - (self.drawn.len() - 1) as f64)
        });
        let bars: Vec<_> = candles.iter().map(|candle| self.bar(candle)).collect();
        let columns: Vec<_> = candles.iter().map(|candle| self.column(candle)).collect();
        self.candles.set_data(&bars)?;
        self.volumes.set_data(&columns)?;
        for study in &mut self.studies {
            study.draw(candles, self.day_offset_s)?;
        }
        self.drawn = candles.iter().map(|candle| candle.time).collect();
        scale.apply_options(&TimeScaleOptions {
            time_visible: Some(interval != Interval::D1),
            ..TimeScaleOptions::default()
        });
        if let (Some((from, to)), Some(shift)) = (in_sight, shift)
            && shift != 0.0
        {
            scale.set_visible_logical_range(from + shift, to + shift)?;
        }
        Ok(())
    }

    /// Goes on at the end; candles from before it are in the next whole drawing. Answers whether there are new ones.
    pub fn go_on(&mut self, tail: &[Candle]) -> Result<bool, JsValue> {
        let before = self.drawn.len();
        for candle in tail {
            if !self.candles.update(&self.bar(candle))? {
                continue;
            }
            self.volumes.update(&self.column(candle))?;
            for study in &mut self.studies {
                study.go_on(candle, self.day_offset_s)?;
            }
            if self.drawn.last() != Some(&candle.time) {
                self.drawn.push(candle.time);
            }
        }
        Ok(self.drawn.len() > before)
    }

    /// Takes over which indicators are wanted, and draws them.
    pub fn study(&mut self, settings: &Settings, candles: &[Candle]) -> Result<(), JsValue> {
        for study in self.studies.drain(..) {
            study.remove(&self.chart)?;
        }
        let mut pane = 0;
        for setting in settings.all().iter().filter(|setting| setting.on) {
            let place = if setting.kind.has_pane() {
                pane += 1;
                pane
            } else {
                0
            };
            let mut study = StudyLines::new(&self.chart, *setting, place, self.day_offset_s)?;
            study.draw(candles, self.day_offset_s)?;
            self.studies.push(study);
        }
        for pane in self.chart.panes().iter().skip(1) {
            pane.set_stretch_factor(PANE_SHARE);
        }
        Ok(())
    }

    /// What the indicators show at a candle.
    pub fn figures(&self, time: u64) -> Vec<(Setting, Figures)> {
        let Ok(place) = self.drawn.binary_search(&time) else { return Vec::new() };
        self.studies.iter().filter_map(|study| Some((study.setting(), study.figures(place)?))).collect()
    }

    /// The lines of the user's orders: as given, and no others. What they are is told by their handles.
    pub fn show_orders(&mut self, orders: &[OrderLine]) -> Result<(), JsValue> {
        self.lines.retain(|id| orders.iter().any(|order| order.id == *id));
        for order in orders {
            let color = if order.side == Side::Buy { &self.colors.up } else { &self.colors.down };
            let options = PriceLineOptions {
                id: Some(order.id.clone()),
                price: Some(order.price as f64),
                color: Some(color.clone()),
                width: Some(1),
                style: Some(if order.is_moving { LineStyle::Dotted } else { LineStyle::Dashed }),
                axis_label_visible: Some(true),
                ..PriceLineOptions::default()
            };
            match self.lines.get(&order.id) {
                Some(line) => line.apply_options(&options),
                None => {
                    self.lines.insert(order.id.clone(), self.candles.create_price_line(&options)?);
                }
            }
        }
        Ok(())
    }

    /// Marks the user's fills at their candles; answers how many marks there are.
    pub fn show_fills(&self, fills: &[Fill], interval: Interval, lang: Lang) -> Result<usize, JsValue> {
        let candle_of = |time: u64| {
            let bucket = interval.bucket(time, self.day_offset_s);
            self.drawn.binary_search(&bucket).is_ok().then_some(bucket)
        };
        let marks = marks(fills, candle_of);
        let marker = |mark: &crate::logic::fills::Mark| {
            let bought = mark.side == Side::Buy;
            let (text, color) =
                if bought { (Text::Buy, &self.colors.up) } else { (Text::Sell, &self.colors.down) };
            Marker {
                time: mark.time + self.day_offset_s,
                position: if bought { MarkerPosition::BelowBar } else { MarkerPosition::AboveBar },
                shape: if bought { MarkerShape::ArrowUp } else { MarkerShape::ArrowDown },
                color: color.clone(),
                id: None,
                text: Some(format!("{} {}", text.of(lang), group(mark.quantity))),
                size: None,
            }
        };
        self.markers.set(&marks.iter().map(marker).collect::<Vec<_>>())?;
        Ok(marks.len())
    }

    /// Pixels from the top of the chart; `None` where the price is out of sight.
    pub fn y_of(&self, price: u64) -> Option<f64> {
        let y = self.candles.price_to_coordinate(price as f64)?;
        let (_, height) = self.chart.pane_size(0).ok()?;
        (0.0..=height).contains(&y).then_some(y)
    }

    pub fn price_at(&self, y: f64) -> Option<f64> {
        self.candles.coordinate_to_price(y)
    }

    /// Width of the price scale, in pixels.
    pub fn scale_width(&self) -> f64 {
        self.candles.price_scale().width()
    }

    /// Shows the newest candles at their usual width.
    pub fn to_newest(&self) {
        self.chart.time_scale().reset();
    }

    /// Moves what is in sight by some candles.
    pub fn scroll(&self, candles: f64) {
        let scale = self.chart.time_scale();
        scale.scroll_to_position(scale.scroll_position() + candles, false);
    }

    /// Shows more or fewer candles; the newest in sight stays.
    pub fn zoom(&self, factor: f64) {
        let scale = self.chart.time_scale();
        if let Some((from, to)) = scale.visible_logical_range() {
            let span = ((to - from) * factor).clamp(10.0, 5000.0);
            // A range that cannot be shown leaves the picture as it is.
            let _ = scale.set_visible_logical_range(to - span, to);
        }
    }

    /// Tells the open time of the candle under the crosshair.
    pub fn on_crosshair(&self, mut handler: impl FnMut(Option<u64>) + 'static) {
        let offset = self.day_offset_s;
        self.chart
            .on_crosshair_move(move |event| handler(event.time().map(|time| time.saturating_sub(offset))))
            .forever();
    }

    /// Tells how many candles lie before those in sight, when that changes.
    pub fn on_range(&self, mut handler: impl FnMut(f64) + 'static) {
        self.chart
            .time_scale()
            .on_visible_logical_range(move |range| {
                if let Some((from, _)) = range {
                    handler(from);
                }
            })
            .forever();
    }

    /// Open times of the first and last candle in sight.
    pub fn in_sight(&self) -> Option<(u64, u64)> {
        let (from, to) = self.chart.time_scale().visible_range()?;
        Some((from.saturating_sub(self.day_offset_s), to.saturating_sub(self.day_offset_s)))
    }

    pub fn photograph(&self) -> Result<lightweight_charts::Picture, JsValue> {
        self.chart.take_screenshot(Screenshot::default())
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

impl Colors {
    fn read() -> Colors {
        let (up, down) = (style_value("--up"), style_value("--down"));
        Colors { up_volume: format!("{up}66"), down_volume: format!("{down}66"), up, down }
    }
}

/// Prices are whole ticks, written as everywhere on the page.
fn whole_ticks() -> PriceFormat {
    PriceFormat {
        kind: Some(PriceFormatKind::Custom),
        min_move: Some(1.0),
        formatter: Some(PriceFormatter::new(|price| group(price.round().max(0.0) as u64))),
        ..PriceFormat::default()
    }
}

fn chart_options() -> ChartOptions {
    let colored = colored();
    ChartOptions {
        auto_size: Some(true),
        time_scale: Some(TimeScaleOptions {
            time_visible: Some(true),
            seconds_visible: Some(false),
            bar_spacing: Some(CANDLE_WIDTH),
            right_offset: Some(6.0),
            ..colored.time_scale.unwrap_or_default()
        }),
        ..colored
    }
}

/// What the theme colours: everything around the candles.
fn colored() -> ChartOptions {
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
        layout: Some(LayoutOptions {
            background: Some(Background::Solid("transparent".into())),
            text_color: Some(style_value("--muted")),
            font_size: Some(11),
            font_family: Some(style_value("--font")),
            panes: Some(PanesOptions {
                enable_resize: Some(true),
                separator_color: border.clone(),
                separator_hover_color: Some(style_value("--raised")),
            }),
            attribution_logo: Some(true),
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
        time_scale: Some(TimeScaleOptions { border_color: border, ..TimeScaleOptions::default() }),
        ..ChartOptions::default()
    }
}

fn margins(top: f64, bottom: f64) -> PriceScaleOptions {
    PriceScaleOptions {
        margins: Some(ScaleMargins { top: Some(top), bottom: Some(bottom) }),
        ..PriceScaleOptions::default()
    }
}
