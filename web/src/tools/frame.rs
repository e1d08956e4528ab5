//! What the pages beside the trading screen have in common: head, tabs, look.

use super::texts::{Words, say};
use crate::logic::theme::Theme;
use crate::ports::browser;
use crate::stores::{App, Ui};
use crate::views::orders::walk_tabs;
use crate::views::toasts::Toasts;
use crate::views::top_bar::{Languages, Logo};
use leptos::prelude::*;

/// A page with its head; `children` come when the look is there, for they would jump.
#[component]
pub fn Frame(title: Words, name: &'static str, children: ChildrenFn) -> impl IntoView {
    let ui = App::get().ui;
    let dressed = RwSignal::new(false);
    Effect::new(move || document().set_title(&format!("{} · SUPERNOBA", title.of(ui.lang.get()))));
    let turn = move |_| {
        let is_light = ui.theme.get_untracked().shown(browser::prefers_light()) == "light";
        ui.choose_theme(if is_light { Theme::Dark } else { Theme::Light });
    };
    let dress = move |_| {
        dressed.set(true);
        browser::set_ready();
    };
    view! {
        <link rel="stylesheet" href=browser::file_address("toolsStyle") on:load=dress/>
        <Show when=move || dressed.get()>
            <div class="tool-page" data-testid=name>
                <header class="top-bar">
                    <div class="brand" aria-hidden="true"><Logo/>"SUPERNOBA"</div>
                    <h1>{say(ui, title)}</h1>
                    <div class="right">
                        <a class="quiet" href="#" data-testid="to-trading">{say(ui, Words::Trading)}</a>
                        <button type="button" class="quiet" data-testid="turn-theme" title=say(ui, Words::TurnTheme)
                            aria-label=say(ui, Words::TurnTheme) on:click=turn>"◐"</button>
                        <Languages/>
                    </div>
                </header>
                <main>{children()}</main>
            </div>
        </Show>
        <Toasts/>
    }
}

/// Tabs over one panel, which shows the chosen one.
#[component]
pub fn Tabs<T: Copy + PartialEq + Send + Sync + 'static>(
    tabs: Vec<(T, Words, &'static str)>,
    chosen: RwSignal<T>,
    label: Words,
    show: fn(T) -> AnyView,
) -> impl IntoView {
    let ui = App::get().ui;
    let named = StoredValue::new(tabs.clone());
    let tab = move |(tab, words, name): (T, Words, &'static str)| {
        let is_chosen = move || chosen.get() == tab;
        view! {
            <button type="button" role="tab" id=format!("tool-{name}") data-testid=format!("tool-{name}")
                aria-controls="tool-panel" aria-selected=move || is_chosen().to_string()
                tabindex=move || if is_chosen() { "0" } else { "-1" } on:click=move |_| chosen.set(tab)>
                {say(ui, words)}
            </button>
        }
    };
    let labelled = move || {
        let tab = chosen.get();
        named.with_value(|tabs| {
            tabs.iter().find(|(own, ..)| *own == tab).map(|(.., name)| format!("tool-{name}"))
        })
    };
    view! {
        <div class="tool-tabs" role="tablist" aria-label=say(ui, label) on:keydown=walk_tabs>
            {tabs.into_iter().map(tab).collect_view()}
        </div>
        <div id="tool-panel" class="tool-panel" role="tabpanel" tabindex="0" aria-labelledby=labelled>
            {move || show(chosen.get())}
        </div>
    }
}

/// Heads of a table.
pub fn heads(ui: Ui, columns: &[(Words, &'static str)]) -> AnyView {
    let head = |(words, class): &(Words, &'static str)| {
        view! { <th scope="col" class=*class>{say(ui, *words)}</th> }.into_any()
    };
    let heads: Vec<AnyView> = columns.iter().map(head).collect();
    view! { <thead><tr>{heads}</tr></thead> }.into_any()
}

/// A field of a form with its label.
pub fn field(ui: Ui, id: &'static str, label: Words, value: RwSignal<String>, hint: &'static str) -> AnyView {
    view! {
        <label class="tool-field" for=id>
            <span>{say(ui, label)}</span>
            <input id=id data-testid=id autocomplete="off" autocapitalize="none" spellcheck="false" placeholder=hint
                prop:value=value on:input=move |event| value.set(event_target_value(&event))/>
        </label>
    }
    .into_any()
}
