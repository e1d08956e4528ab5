//! An indicator's lines on the picture.

use crate::logic::indicators::{Figures, Kind, SCALE, Setting, Study};
use engine_core::candle::Candle;
use lightweight_charts::*;
use wasm_bindgen::JsValue;

/// Colours of an indicator's lines, on the chart and in the legend. Far from those of rising and falling.
pub const fn color(kind: Kind, line: usize) -> &'static str {
    let colors: [&str; 3] = match kind {
        Kind::Ma => ["#f5b83d", "#c58af9", "#37c2d9"],
        Kind::Ema => ["#ff9e64", "#9ece6a", ""],
        Kind::Bollinger => ["#8e98a8", "#6f86c9", "#6f86c9"],
        Kind::Vwap => ["#e67fd0", "", ""],
        Kind::Rsi => ["#c58af9", "", ""],
        Kind::Macd => ["#37c2d9", "#f5b83d", "#7a8494"],
    };
    colors[line]
}

const OVERBOUGHT_OVERSOLD: [f64; 2] = [70.0, 30.0];

enum Line {
    Curve(LineSeries),
    Columns(HistogramSeries),
}

pub struct StudyLines {
    study: Study,
    lines: Vec<Line>,
    /// Levels that the indicator is read against.
    _guides: Vec<PriceLine>,
    /// What it shows at every drawn candle.
    figures: Vec<Figures>,
    newest: u64,
}

impl StudyLines {
    pub fn new(chart: &Chart, setting: Setting, pane: u32, day_offset_s: u64) -> Result<StudyLines, JsValue> {
        let study = Study::new(setting, day_offset_s);
        let mut lines = Vec::new();
        for number in 0..study.lines() {
            lines.push(if setting.kind == Kind::Macd && number == 2 {
                Line::Columns(chart.add_series(&columns(setting.kind, number), pane)?)
            } else {
                Line::Curve(chart.add_series(&curve(setting.kind, number), pane)?)
            });
        }
        let mut guides = Vec::new();
        if let (Kind::Rsi, Some(Line::Curve(series))) = (setting.kind, lines.first()) {
            for level in OVERBOUGHT_OVERSOLD {
                guides.push(series.create_price_line(&PriceLineOptions {
                    price: Some(level),
                    color: Some("#7a8494".into()),
                    width: Some(1),
                    style: Some(LineStyle::Dotted),
                    axis_label_visible: Some(false),
                    ..PriceLineOptions::default()
                })?);
            }
        }
        Ok(StudyLines { study, lines, _guides: guides, figures: Vec::new(), newest: 0 })
    }

    pub fn setting(&self) -> Setting {
        self.study.setting
    }

    pub fn figures(&self, place: usize) -> Option<Figures> {
        self.figures.get(place).copied()
    }

    pub fn draw(&mut self, candles: &[Candle], day_offset_s: u64) -> Result<(), JsValue> {
        self.figures = self.study.restart(candles);
        self.newest = candles.last().map_or(0, |candle| candle.time);
        for (number, line) in self.lines.iter().enumerate() {
            let values: Vec<_> = candles
                .iter()
                .zip(&self.figures)
                .map(|(candle, figures)| point(candle.time + day_offset_s, figures, number))
                .collect();
            match line {
                Line::Curve(series) => series.set_data(&values)?,
                Line::Columns(series) => series.set_data(&values)?,
            }
        }
        Ok(())
    }

    pub fn go_on(&mut self, candle: &Candle, day_offset_s: u64) -> Result<(), JsValue> {
        let Some(figures) = self.study.update(candle) else { return Ok(()) };
        match self.figures.last_mut() {
            Some(last) if candle.time == self.newest => *last = figures,
            _ => self.figures.push(figures),
        }
        self.newest = candle.time;
        for (number, line) in self.lines.iter().enumerate() {
            let value = point(candle.time + day_offset_s, &figures, number);
            match line {
                Line::Curve(series) => series.update(&value)?,
                Line::Columns(series) => series.update(&value)?,
            };
        }
        Ok(())
    }

    pub fn remove(self, chart: &Chart) -> Result<(), JsValue> {
        self.lines.into_iter().try_for_each(|line| match line {
            Line::Curve(series) => chart.remove_series(series),
            Line::Columns(series) => chart.remove_series(series),
        })
    }
}

fn point(time: u64, figures: &Figures, line: usize) -> Value<'static> {
    let value = figures[line].map(|value| value as f64 / SCALE as f64);
    Value { time, value, color: None }
}

fn format(kind: Kind) -> PriceFormat {
    let (precision, least) = if kind.has_pane() { (2, 0.01) } else { (0, 1.0) };
    PriceFormat {
        kind: Some(PriceFormatKind::Price),
        precision: Some(precision),
        min_move: Some(least),
        ..PriceFormat::default()
    }
}

fn curve(kind: Kind, number: usize) -> LineSeriesOptions {
    LineSeriesOptions {
        color: Some(color(kind, number).into()),
        line_width: Some(1),
        price_format: Some(format(kind)),
        price_line_visible: Some(false),
        last_value_visible: Some(kind.has_pane()),
        crosshair_marker_visible: Some(false),
        ..LineSeriesOptions::default()
    }
}

fn columns(kind: Kind, number: usize) -> HistogramOptions {
    HistogramOptions {
        color: Some(format!("{}99", color(kind, number))),
        price_format: Some(format(kind)),
        price_line_visible: Some(false),
        last_value_visible: Some(false),
        ..HistogramOptions::default()
    }
}
