//! The menu of indicators: which are on, and with which numbers.

use crate::i18n::Text;
use crate::logic::indicators::settings::Parameter;
use crate::logic::indicators::{Kind, MAX_PERIOD};
use crate::stores::App;
use crate::views::on_demand::{OnDemand, Part};
use leptos::ev::KeyboardEvent;
use leptos::{html, prelude::*};
use wasm_split_helpers::wasm_split;

#[component]
pub fn IndicatorMenu() -> impl IntoView {
    let ui = App::get().ui;
    let open = RwSignal::new(false);
    let button = NodeRef::<html::Button>::new();
    let close = move |event: KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            event.stop_propagation();
            open.set(false);
            if let Some(button) = button.get_untracked() {
                // What cannot be focused stays as it is.
                let _ = button.focus();
            }
        }
    };
    let count = move || ui.indicators.with(|settings| settings.all().iter().filter(|one| one.on).count());
    view! {
        <div class="menu" on:keydown=close>
            <button type="button" node_ref=button class="quiet" data-testid="indicators-open" aria-controls="indicators"
                aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                <i class="fx" aria-hidden="true">"ƒ"</i> <span class="word">{ui.t(Text::Indicators)}</span> " "
                <i class="count num">{count}</i>
            </button>
            <Show when=move || open.get()>
                <div class="backdrop" on:click=move |_| open.set(false)></div>
                <div id="indicators" class="popover" role="group" aria-label=ui.t(Text::Indicators)>
                    <OnDemand load=|| Box::pin(rows())/>
                </div>
            </Show>
        </div>
    }
}

#[wasm_split(settings, fallible)]
fn rows() -> Part {
    Ok(|| view! { <Rows/> }.into_any())
}

#[component]
fn Rows() -> impl IntoView {
    let ui = App::get().ui;
    view! {
        {Kind::ALL.map(|kind| view! { <Row kind/> }).into_iter().collect_view()}
        <button type="button" class="quiet" data-testid="indicators-reset"
            on:click=move |_| ui.change_indicators(|settings| settings.reset())>
            {ui.t(Text::UsualNumbers)}
        </button>
    }
}

#[component]
fn Row(kind: Kind) -> impl IntoView {
    let ui = App::get().ui;
    let setting = move || ui.indicators.with(|settings| settings.of(kind));
    let number = move |(place, parameter): (usize, &Parameter)| {
        let text = match parameter {
            Parameter::Period => Text::Period,
            Parameter::Fast => Text::FastPeriod,
            Parameter::Slow => Text::SlowPeriod,
            Parameter::Signal => Text::SignalPeriod,
            Parameter::WidthTenths => Text::BandWidth,
        };
        let change = move |event| {
            // What is not a number of the indicator is put right again by the signal.
            let number = event_target_value(&event).trim().parse().unwrap_or(0);
            ui.change_indicators(|settings| {
                settings.set(kind, place, number);
            });
        };
        view! {
            <input type="number" class="num" min="1" max=MAX_PERIOD data-testid=format!("indicator-{}-{place}", kind.as_str())
                aria-label=move || format!("{} {} {}", kind.short(), text.of(ui.lang.get()), place + 1)
                title=ui.t(text) prop:value=move || setting().numbers[place].to_string() on:change=change/>
        }
    };
    view! {
        <div class="indicator">
            <label>
                <input type="checkbox" data-testid=format!("indicator-{}", kind.as_str()) prop:checked=move || setting().on
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        ui.change_indicators(|settings| settings.turn(kind, on));
                    }/>
                <b>{kind.short()}</b>
                <span>{ui.t(name(kind))}</span>
            </label>
            <div class="numbers">{kind.parameters().iter().enumerate().map(number).collect_view()}</div>
        </div>
    }
}

fn name(kind: Kind) -> Text {
    match kind {
        Kind::Ma => Text::NameMa,
        Kind::Ema => Text::NameEma,
        Kind::Bollinger => Text::NameBollinger,
        Kind::Vwap => Text::NameVwap,
        Kind::Rsi => Text::NameRsi,
        Kind::Macd => Text::NameMacd,
    }
}
