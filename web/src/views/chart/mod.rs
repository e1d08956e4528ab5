//! The chart's panel: intervals, indicators, the legend, the picture, and the user's orders on it.
//!
//! `picture`: what the chart library draws · `studies`: indicators' lines · `order_lines`: handles to drag orders by ·
//! `legend` · `menu` · `export`: the picture as a file

mod export;
mod legend;
mod menu;
mod order_lines;
mod picture;
mod studies;

use crate::i18n::Text;
use crate::logic::clock;
use crate::stores::{App, Mood};
use crate::trading;
use crate::views::on_demand::{OnDemand, Part};
use engine_core::candle::Interval;
use legend::{Legend, Read};
use leptos::ev::KeyboardEvent;
use leptos::{html, prelude::*};
use menu::IndicatorMenu;
use order_lines::OrderLines;
use picture::Picture;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

/// The picture, once there is one. It lives as long as the page.
type Handle = StoredValue<Option<Picture>, LocalStorage>;

/// Fewer candles than this before those in sight: older ones are asked for.
const AHEAD: f64 = 60.0;
/// Candles that a key scrolls by.
const KEY_SCROLL: f64 = 10.0;

#[component]
pub fn ChartPanel() -> impl IntoView {
    let app = App::get();
    let App { ui, market, .. } = app;
    let container = NodeRef::<html::Div>::new();
    let picture: Handle = StoredValue::new_local(None);
    let signs = Signs::new();
    provide_context(order_lines::Chart { picture, placed: signs.placed });
    draw(container, picture, signs);
    tell(container, signs);
    let with = move |act: &dyn Fn(&Picture)| picture.with_value(|picture| picture.as_ref().map(act));
    let key = move |event: KeyboardEvent| {
        match event.key().as_str() {
            "ArrowLeft" => with(&|picture| picture.scroll(-KEY_SCROLL)),
            "ArrowRight" => with(&|picture| picture.scroll(KEY_SCROLL)),
            "+" | "=" => with(&|picture| picture.zoom(0.8)),
            "-" => with(&|picture| picture.zoom(1.25)),
            "End" | "Home" => with(&Picture::to_newest),
            _ => return,
        };
        event.prevent_default();
    };
    view! {
        <section class="panel chart-panel" aria-label=ui.t(Text::Chart)>
            <div class="chart-head">
                <Intervals/>
                <div class="tools">
                    <IndicatorMenu/>
                    <button type="button" class="quiet" data-testid="chart-newest" title=ui.t(Text::ToNewest)
                        aria-label=ui.t(Text::ToNewest) on:click=move |_| { with(&Picture::to_newest); }>"⇥"</button>
                    <button type="button" class="quiet" data-testid="chart-png" title=ui.t(Text::SavePicture)
                        aria-label=ui.t(Text::SavePicture) on:click=move |_| save(app, picture)>"PNG"</button>
                    <span class="zone">{move || clock::zone(market.config.with(|config| config.day_offset_s))}</span>
                </div>
            </div>
            <div class="stage" class:blank=move || market.shown.get().0 == 0
                on:pointermove=move |event| if event.buttons() != 0 { signs.place() } on:wheel=move |_| signs.place()>
                <Legend read=signs.read/>
                <div class="chart" data-testid="chart" role="group" node_ref=container tabindex="0" on:keydown=key>
                </div>
                <Show when=move || app.account.open.with(|open| !open.is_empty())>
                    <OnDemand load=|| Box::pin(handles()) quiet=true/>
                </Show>
            </div>
            <Show when=move || market.loaded.get() && market.shown.get().0 == 0>
                <p class="empty over">{ui.t(Text::NoCandles)}</p>
            </Show>
        </section>
    }
}

#[wasm_split(orders, fallible)]
fn handles() -> Part {
    Ok(|| view! { <OrderLines/> }.into_any())
}

/// Makes a file of the picture.
type Save = fn(&Picture, &str, &str) -> Result<(), wasm_bindgen::JsValue>;

#[wasm_split(settings, fallible)]
fn saver() -> Result<Save, SplitLoaderError> {
    Ok(export::save)
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
        <div class="intervals" role="group" aria-label=app.ui.t(Text::Interval)>
            {Interval::ALL.map(button).into_iter().collect_view()}
        </div>
    }
}

/// What the picture tells the panel.
#[derive(Clone, Copy)]
struct Signs {
    read: RwSignal<Option<Read>>,
    /// Counts up when prices may be at other places.
    placed: RwSignal<u32>,
    /// Open times of the first and last candle in sight.
    sight: RwSignal<Option<(u64, u64)>>,
    markers: RwSignal<usize>,
    /// A frame has been asked for.
    expected: StoredValue<bool>,
}

impl Signs {
    fn new() -> Signs {
        Signs {
            read: RwSignal::new(None),
            placed: RwSignal::new(0),
            sight: RwSignal::new(None),
            markers: RwSignal::new(0),
            expected: StoredValue::new(false),
        }
    }

    /// The library draws in the next frame; only then is it known where prices are.
    fn place(self) {
        if self.expected.try_get_value() == Some(false) {
            self.expected.set_value(true);
            let count = move || {
                self.placed.try_update(|placed| *placed = placed.wrapping_add(1));
            };
            request_animation_frame(move || {
                self.expected.try_set_value(false);
                count();
                request_animation_frame(count);
            });
        }
    }
}

/// Says in attributes what the picture shows: for screen readers, and for tests. One effect for all of them: each
/// attribute with one of its own would weigh a kilobyte.
fn tell(container: NodeRef<html::Div>, signs: Signs) {
    let App { ui, market, .. } = App::get();
    Effect::new(move || {
        let Some(place) = container.get() else { return };
        let set = |name: &str, value: String| {
            // A valid attribute name: it cannot fail.
            let _ = place.set_attribute(name, &value);
        };
        let interval = market.interval.get().as_str();
        let (count, newest) = market.shown.get();
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let sight = signs.sight.get().map(|(from, to)| format!("{from},{to}"));
        set("aria-label", format!("{} {} {interval}", market.symbol.get(), Text::Chart.of(ui.lang.get())));
        set("aria-busy", market.loading_older.get().to_string());
        set("data-interval", interval.into());
        set("data-candles", count.to_string());
        set("data-last-close", text(newest.map(|candle| candle.close)));
        set("data-sight", sight.unwrap_or_default());
        set("data-markers", signs.markers.get().to_string());
    });
}

/// Keeps the picture at what the stores say. A picture that fails is left as it is: the page goes on.
fn draw(container: NodeRef<html::Div>, picture: Handle, signs: Signs) {
    let app = App::get();
    let App { ui, market, account, .. } = app;
    let turns_drawn = StoredValue::new(u32::MAX);
    let hovered = StoredValue::new(None::<u64>);

    let read = move || {
        let at = hovered.get_value();
        let found = market.with_candles(|candles| {
            let place = match at {
                Some(time) => candles.binary_search_by_key(&time, |candle| candle.time).ok(),
                None => candles.len().checked_sub(1),
            }?;
            let before = place.checked_sub(1).map(|before| candles[before].close);
            Some((*candles.get(place)?, before))
        });
        let figures = |time| {
            picture
                .with_value(|picture| picture.as_ref().map(|picture| picture.figures(time)))
                .unwrap_or_default()
        };
        let read = found.map(|(candle, before)| Read { candle, before, figures: figures(candle.time) });
        if signs.read.with_untracked(|known| *known != read) {
            signs.read.set(read);
        }
    };
    let show_fills = move || {
        let fills = market.symbol.with_untracked(|symbol| account.fills(symbol));
        let (interval, lang) = (market.interval.get_untracked(), ui.lang.get_untracked());
        let count = picture.with_value(|picture| picture.as_ref()?.show_fills(&fills, interval, lang).ok());
        signs.markers.set(count.unwrap_or(0));
    };
    let show_sight = move || {
        let sight = picture.with_value(|picture| picture.as_ref()?.in_sight());
        if signs.sight.with_untracked(|known| *known != sight) {
            signs.sight.set(sight);
        }
    };
    let draw_all = move || {
        let turns = market.turned.get_untracked();
        picture.update_value(|picture| {
            let Some(picture) = picture else { return };
            let interval = market.interval.get_untracked();
            let drawn = market.with_candles(|candles| picture.draw(candles, interval));
            if drawn.is_ok() && turns_drawn.get_value() != turns {
                turns_drawn.set_value(turns);
                picture.to_newest();
            }
        });
        hovered.set_value(None);
        show_fills();
        read();
        show_sight();
        signs.place();
    };
    let study = move || {
        let settings = ui.indicators.get_untracked();
        picture.update_value(|picture| {
            if let Some(picture) = picture {
                // An indicator that cannot be drawn is missing, the rest stays.
                let _ = market.with_candles(|candles| picture.study(&settings, candles));
            }
        });
        read();
        signs.place();
    };
    let made = RwSignal::new(false);
    Effect::new(move || {
        // Made once, when there is a place and a symbol; the exchange's clock is known then.
        let (Some(place), false) = (container.get(), market.symbol.with(String::is_empty)) else { return };
        if picture.with_value(Option::is_some) {
            return;
        }
        let Ok(new) = Picture::new(&place, ui.lang.get_untracked(), market.day_offset_s()) else { return };
        new.on_crosshair(move |time| {
            if hovered.try_get_value() != Some(time) {
                hovered.set_value(time);
                // A drawing moves what is under a pointer that rests: the library tells so while the picture is being drawn.
                show_later(read);
            }
        });
        new.on_range(move |before| {
            show_later(show_sight);
            signs.place();
            if before < AHEAD {
                trading::load_older(app);
            }
        });
        picture.set_value(Some(new));
        study();
        draw_all();
        made.set(true);
    });
    Effect::new(move || {
        market.redraw.track();
        draw_all();
    });
    Effect::new(move || {
        let tail = market.tail.get();
        let mut followed = false;
        picture.update_value(|picture| {
            if let Some(picture) = picture {
                // What could not be drawn is in the next whole drawing.
                followed = picture.go_on(&tail).unwrap_or(false);
            }
        });
        if followed {
            // A fill may have been told before its candle was.
            show_fills();
        }
        read();
        signs.place();
    });
    Effect::watch(move || ui.indicators.track(), move |_, _, _| study(), false);
    Effect::new(move || {
        account.filled.track();
        show_fills();
    });
    Effect::new(move || {
        made.track();
        let symbol = market.symbol.get();
        // Colours follow the language.
        ui.lang.track();
        ui.theme.track();
        ui.rising.track();
        let moves = account.moves.get();
        let lines: Vec<_> = account.open.with(|open| {
            let line = |cell: &crate::stores::OrderCell| {
                cell.order.with(|order| order_lines::line(order, &symbol, &moves))
            };
            open.iter().filter_map(line).collect()
        });
        picture.update_value(|picture| {
            if let Some(picture) = picture {
                // An order whose line cannot be drawn is still in the list of orders.
                let _ = picture.show_orders(&lines);
            }
        });
        signs.place();
    });
    Effect::watch(
        move || (ui.lang.get(), ui.theme.get(), ui.rising.get()),
        move |(lang, ..), _, _| {
            picture.update_value(|picture| {
                if let Some(picture) = picture {
                    picture.speak(*lang);
                }
            });
            draw_all();
        },
        false,
    );
}

/// Not within the library's own call, which may be in the middle of a change of the picture.
fn show_later(show: impl FnOnce() + 'static) {
    request_animation_frame(show);
}

/// Saves the picture as a file.
fn save(app: App, picture: Handle) {
    let App { ui, market, .. } = app;
    let symbol = market.symbol.get_untracked();
    let interval = market.interval.get_untracked().as_str();
    let now = crate::ports::browser::now_ms();
    let clock = clock::full(now, market.day_offset_s());
    let title = format!("{symbol} · {interval} · {clock} {}", clock::zone(market.day_offset_s()));
    let name = format!("{symbol}-{interval}-{}.png", engine_core::candle::format_minute(now / 1000));
    leptos::task::spawn_local(async move {
        let save = saver().await;
        let saved = picture.try_with_value(|picture| save.ok()?(picture.as_ref()?, &title, &name).ok());
        if !matches!(saved, Some(Some(()))) {
            ui.toast("chart", Mood::Bad, ui.now(Text::SaveFailed), String::new());
        }
    });
}
