//! The legend: the candle under the crosshair, or the newest, and what the indicators show there.

use super::studies::color;
use crate::i18n::Text;
use crate::logic::amount::{Direction, compact, decimal, group, percent};
use crate::logic::indicators::{Figures, Setting};
use crate::stores::App;
use engine_core::candle::Candle;
use leptos::prelude::*;

/// What the legend tells of.
#[derive(Clone, PartialEq)]
pub struct Read {
    pub candle: Candle,
    /// Close of the candle before.
    pub before: Option<u64>,
    pub figures: Vec<(Setting, Figures)>,
}

#[component]
pub fn Legend(read: RwSignal<Option<Read>>) -> impl IntoView {
    let ui = App::get().ui;
    let prices = move || {
        let Read { candle, before, .. } = read.get()?;
        let lang = ui.lang.get();
        // Against the candle before, as the day's change is against the day before.
        let reference = before.unwrap_or(candle.open).max(1);
        let change = (candle.close as f64 / reference as f64 - 1.0) * 100.0;
        let direction = Direction::of_change(change);
        let class = if candle.close < candle.open { "num down" } else { "num up" };
        let figure = |text: Text, value: String| {
            view! { <span>{text.of(lang)} <b class=class>{value}</b></span> }
        };
        Some(view! {
            {figure(Text::OpenShort, group(candle.open))}
            {figure(Text::HighShort, group(candle.high))}
            {figure(Text::LowShort, group(candle.low))}
            {figure(Text::CloseShort, group(candle.close))}
            <b class=format!("num {}", direction.class()) data-testid="legend-change">
                {format!("{} {}", direction.arrow(), percent(change))}
            </b>
            {figure(Text::VolumeShort, compact(candle.volume, lang))}
        })
    };
    let figures = move || {
        let studies = read.get()?.figures;
        let study = |(setting, figures): (Setting, Figures)| {
            let kind = setting.kind;
            let digits = if kind.has_pane() { 2 } else { 1 };
            let count = kind.parameters().len();
            let numbers: Vec<_> = setting.numbers[..count].iter().map(u32::to_string).collect();
            let values = figures.into_iter().enumerate().filter_map(move |(line, value)| {
                Some(view! { <b class="num" style:color=color(kind, line)>{decimal(value?, digits)}</b> " " })
            });
            view! {
                <span data-testid=format!("legend-{}", kind.as_str())>
                    {kind.short()} " " <i class="num">{numbers.join(" ")}</i> " " {values.collect_view()}
                </span>
            }
        };
        Some(studies.into_iter().map(study).collect_view())
    };
    view! {
        <div class="legend" aria-hidden="true" data-testid="legend">
            <div>{prices}</div>
            <div>{figures}</div>
        </div>
    }
}
