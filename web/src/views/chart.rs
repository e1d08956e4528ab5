//! The chart's panel: intervals, the legend of the candle under the crosshair, and the picture.

use super::drawing::Drawing;
use crate::i18n::Text;
use crate::logic::amount::{compact, group, percent};
use crate::logic::clock;
use crate::stores::App;
use crate::trading;
use engine_core::candle::{Candle, Interval};
use leptos::{html, prelude::*};

#[component]
pub fn ChartPanel() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let container = NodeRef::<html::Div>::new();
    let hovered = RwSignal::new(None::<Candle>);
    draw(container, hovered);
    view! {
        <section class="panel chart-panel" aria-label=ui.t(Text::Chart)>
            <div class="chart-head">
                <Intervals/>
                <span class="zone">{move || clock::zone(market.config.with(|config| config.day_offset_s))}</span>
            </div>
            <Legend hovered/>
            <div class="chart" class:blank=move || market.shown.get().0 == 0 data-testid="chart" role="group" node_ref=container
                aria-label=move || format!("{} {} {}", market.symbol.get(), ui.t(Text::Chart)(), market.interval.get().as_str())
                data-interval=move || market.interval.get().as_str()
                data-candles=move || market.shown.get().0
                data-last-close=move || market.shown.get().1.map(|candle| candle.close)>
            </div>
            <Show when=move || market.loaded.get() && market.shown.get().0 == 0>
                <p class="empty over">{ui.t(Text::NoCandles)}</p>
            </Show>
        </section>
    }
}

#[component]
fn Intervals() -> impl IntoView {
    let app = App::get();
    let choose = move |interval| {
        app.market.choose_interval(interval);
        trading::load_history(app);
    };
    let button = move |interval: Interval| {
        view! {
            <button type="button" data-testid=format!("interval-{}", interval.as_str())
                aria-pressed=move || (app.market.interval.get() == interval).to_string()
                on:click=move |_| choose(interval)>
                {interval.as_str()}
            </button>
        }
    };
    view! {
        <div class="intervals" role="group" aria-label=app.ui.t(Text::Time)>
            {Interval::ALL.map(button).into_iter().collect_view()}
        </div>
    }
}

#[component]
fn Legend(hovered: RwSignal<Option<Candle>>) -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let figures = move || {
        let candle = hovered.get().or(market.shown.get().1)?;
        let lang = ui.lang.get();
        let class = if candle.close < candle.open { "num down" } else { "num up" };
        let change = (candle.close as f64 / candle.open.max(1) as f64 - 1.0) * 100.0;
        let figure = |text: Text, value: String| {
            view! { <span>{text.of(lang)} <b class=class>{value}</b></span> }
        };
        Some(view! {
            {figure(Text::OpenShort, group(candle.open))}
            {figure(Text::HighShort, group(candle.high))}
            {figure(Text::LowShort, group(candle.low))}
            {figure(Text::CloseShort, group(candle.close))}
            <b class=class>{percent(change)}</b>
            {figure(Text::VolumeShort, compact(candle.volume, lang))}
        })
    };
    view! { <div class="legend" aria-hidden="true">{figures}</div> }
}

/// Keeps the picture at what the market store says. A picture that fails is left as it is: the page goes on.
fn draw(container: NodeRef<html::Div>, hovered: RwSignal<Option<Candle>>) {
    let App { ui, market, .. } = App::get();
    let drawing = StoredValue::new_local(None::<Drawing>);
    let turns_drawn = StoredValue::new(u32::MAX);

    let draw_all = move || {
        let turns = market.turned.get_untracked();
        drawing.with_value(|drawing| {
            let Some(drawing) = drawing else { return };
            let drawn = market.with_candles(|candles| drawing.draw(candles));
            if drawn.is_ok() && turns_drawn.get_value() != turns {
                turns_drawn.set_value(turns);
                drawing.to_newest();
            }
        });
        hovered.set(None);
    };
    Effect::new(move || {
        // Made once, when there is a place and a symbol; the exchange's clock is known then.
        let (Some(place), false) = (container.get(), market.symbol.with(String::is_empty)) else { return };
        if drawing.with_value(Option::is_some) {
            return;
        }
        let Ok(made) = Drawing::new(&place, ui.lang.get_untracked(), market.day_offset_s()) else { return };
        made.on_crosshair(move |time| {
            let candle = time.and_then(|time| {
                market.with_candles(|candles| {
                    let place = candles.binary_search_by_key(&time, |candle| candle.time).ok()?;
                    candles.get(place).copied()
                })
            });
            hovered.set(candle);
        });
        drawing.set_value(Some(made));
        draw_all();
    });
    Effect::new(move || {
        market.redraw.track();
        draw_all();
    });
    Effect::new(move || {
        let tail = market.tail.get();
        drawing.with_value(|drawing| drawing.as_ref().map(|drawing| drawing.go_on(&tail)));
    });
    Effect::watch(
        move || ui.lang.get(),
        move |lang, _, _| {
            drawing.update_value(|drawing| {
                if let Some(drawing) = drawing {
                    drawing.speak(*lang);
                }
            });
            draw_all();
        },
        false,
    );
}
