//! Theme, confirmations and the columns' places: a menu that is loaded when it is first opened.

use super::arrange::name;
use crate::i18n::Text;
use crate::logic::layout::{Column, HIGHEST, LOWEST, Layout};
use crate::logic::theme::{Rising, Theme};
use crate::ports::browser;
use crate::stores::App;
use crate::views::on_demand::{OnDemand, Part};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

#[component]
pub fn Settings() -> impl IntoView {
    let ui = App::get().ui;
    let open = RwSignal::new(false);
    // What is arranged lies under the menu.
    Effect::new(move || {
        if ui.arranging.get() {
            open.set(false);
        }
    });
    let on_key = move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            open.set(false);
        }
    };
    view! {
        <div class="menu settings" on:keydown=on_key>
            <button type="button" class="quiet" data-testid="settings" aria-label=ui.t(Text::Settings)
                title=ui.t(Text::Settings) aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)>
                <span aria-hidden="true">"⚙"</span>
            </button>
            <Show when=move || open.get()>
                <div class="backdrop" aria-hidden="true" on:click=move |_| open.set(false)></div>
                <div class="popover" role="group" aria-label=ui.t(Text::Settings)>
                    <OnDemand load=|| Box::pin(choices())/>
                </div>
            </Show>
        </div>
    }
}

#[wasm_split(settings, fallible)]
fn choices() -> Part {
    Ok(|| view! { <Choices/> }.into_any())
}

#[component]
fn Choices() -> impl IntoView {
    let ui = App::get().ui;
    let theme = move |theme: Theme| {
        let text = match theme {
            Theme::System => Text::ThemeSystem,
            Theme::Dark => Text::ThemeDark,
            Theme::Light => Text::ThemeLight,
        };
        view! {
            <button type="button" data-testid=format!("theme-{}", theme.as_str())
                aria-pressed=move || (ui.theme.get() == theme).to_string() on:click=move |_| ui.choose_theme(theme)>
                {ui.t(text)}
            </button>
        }
    };
    let rising = move |rising: Rising| {
        let text = match rising {
            Rising::ByLanguage => Text::RisingByLanguage,
            Rising::Red => Text::RisingRed,
            Rising::Green => Text::RisingGreen,
        };
        view! {
            <button type="button" data-testid=format!("rising-{}", rising.as_str())
                aria-pressed=move || (ui.rising.get() == rising).to_string() on:click=move |_| ui.choose_rising(rising)>
                {ui.t(text)}
            </button>
        }
    };
    view! {
        <div class="line">
            <span>{ui.t(Text::Theme)}</span>
            <div class="segments" role="group" aria-label=ui.t(Text::Theme)>
                {Theme::ALL.map(theme).into_iter().collect_view()}
            </div>
        </div>
        <div class="line">
            <span>{ui.t(Text::RisingColour)}</span>
            <div class="segments" role="group" aria-label=ui.t(Text::RisingColour)>
                {Rising::ALL.map(rising).into_iter().collect_view()}
            </div>
        </div>
        <label class="check">
            <input type="checkbox" data-testid="confirms" prop:checked=ui.confirms
                on:change=move |event| ui.choose_confirms(event_target_checked(&event))/>
            <span>{ui.t(Text::ConfirmsOn)}</span>
        </label>
        <Columns/>
        <Elsewhere/>
    }
}

/// The other pages, and the page as an app of the device where the browser offers that.
#[component]
fn Elsewhere() -> impl IntoView {
    let ui = App::get().ui;
    let offered = RwSignal::new(browser::can_install());
    let install = move |_| {
        browser::install();
        offered.set(false);
    };
    view! {
        <div class="elsewhere">
            <a class="quiet" href="#admin" data-testid="to-admin">{ui.t(Text::Administration)}</a>
            <a class="quiet" href="#console" data-testid="to-console">{ui.t(Text::TestConsole)}</a>
            <Show when=move || offered.get()>
                <button type="button" class="quiet" data-testid="install" on:click=install>{ui.t(Text::Install)}</button>
            </Show>
        </div>
    }
}

/// The columns of a wide page: which are shown, and in what order.
#[component]
fn Columns() -> impl IntoView {
    let ui = App::get().ui;
    let row = move |column: Column| {
        let text = name(column);
        let labelled = move |direction: Text| {
            move || format!("{} {}", text.of(ui.lang.get()), direction.of(ui.lang.get()))
        };
        let shift = move |right: bool| ui.change_layout(|layout| layout.shift(column, right));
        let id = column.as_str();
        view! {
            <div class="column" data-testid=format!("column-{id}")>
                <label class="check">
                    <input type="checkbox" data-testid=format!("column-{id}-shown") disabled=column == Column::Centre
                        prop:checked=move || ui.layout.with(|layout| layout.is_shown(column))
                        on:change=move |event| {
                            let shown = event_target_checked(&event);
                            ui.change_layout(|layout| layout.show(column, shown));
                        }/>
                    <span>{ui.t(text)}</span>
                </label>
                <button type="button" class="quiet" data-testid=format!("column-{id}-left")
                    aria-label=labelled(Text::MoveLeft) on:click=move |_| shift(false)>"◀"</button>
                <button type="button" class="quiet" data-testid=format!("column-{id}-right")
                    aria-label=labelled(Text::MoveRight) on:click=move |_| shift(true)>"▶"</button>
            </div>
        }
    };
    view! {
        <div class="columns" role="group" aria-label=ui.t(Text::Layout)>
            <span class="dim">{ui.t(Text::Layout)}</span>
            <For each=move || ui.layout.with(|layout| layout.columns().map(|(column, _)| column))
                key=|column| column.as_str() children=row/>
            <label class="line">
                <span>{ui.t(Text::OrdersHeight)}</span>
                <input type="range" data-testid="orders-height" min=LOWEST max=HIGHEST step="4"
                    prop:value=move || ui.layout.with(|layout| layout.height().to_string())
                    on:input=move |event| if let Ok(height) = event_target_value(&event).parse() {
                        ui.change_layout(|layout| layout.set_height(height));
                    }/>
            </label>
            <button type="button" class="quiet" data-testid="arrange" on:click=move |_| ui.arranging.set(true)>
                {ui.t(Text::Arrange)}
            </button>
            <button type="button" class="quiet" data-testid="layout-reset"
                on:click=move |_| ui.change_layout(|layout| *layout = Layout::default())>
                {ui.t(Text::LayoutReset)}
            </button>
        </div>
    }
}
