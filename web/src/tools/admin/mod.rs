//! Administration: symbols, everybody's balances, dead letters, health. An administrator's token opens it; it is kept in this
//! page's memory alone.

mod accounts;
mod calls;
mod health;
mod letters;
mod symbols;

use super::frame::{Frame, Tabs, field};
use super::texts::{Words, say};
use crate::api::Failure;
use crate::stores::{App, Mood};
use accounts::Accounts;
use health::Health;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use letters::Letters;
use symbols::Symbols;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Symbols,
    Accounts,
    Letters,
    Health,
}

/// What all sections share.
#[derive(Clone, Copy)]
struct Desk {
    app: App,
    /// Empty while nobody has shown one that opens.
    token: RwSignal<String>,
    section: RwSignal<Section>,
}

impl Desk {
    fn get() -> Desk {
        expect_context()
    }

    /// What the administrator is told of a call that did not go through.
    fn tell(self, failure: &Failure) {
        let ui = self.app.ui;
        let lang = ui.lang.get_untracked();
        ui.toast("admin", Mood::Bad, Words::Refused.of(lang), failure.text(lang));
        if failure.status == 401 {
            self.token.set(String::new());
        }
    }

    fn done(self, what: String) {
        let ui = self.app.ui;
        ui.toast("admin", Mood::Good, Words::Done.of(ui.lang.get_untracked()), what);
    }
}

#[component]
pub fn Screen() -> impl IntoView {
    let app = App::get();
    let desk = Desk { app, token: RwSignal::new(String::new()), section: RwSignal::new(Section::Symbols) };
    provide_context(desk);
    let is_open = move || desk.token.with(|token| !token.is_empty());
    view! {
        <Frame title=Words::Admin name="admin">
            <Show when=is_open fallback=|| view! { <Door/> }>
                <Sections/>
            </Show>
        </Frame>
    }
}

#[component]
fn Door() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let typed = RwSignal::new(String::new());
    let fault = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let enter = move |event: SubmitEvent| {
        event.prevent_default();
        let token = typed.get_untracked().trim().to_owned();
        if token.is_empty() || busy.get_untracked() {
            return;
        }
        busy.set(true);
        spawn_local(async move {
            let lang = ui.lang.get_untracked();
            match calls::totals(&token).await {
                Ok(_) => desk.token.set(token),
                Err(failure) => {
                    fault.set(Some(format!("{} · {}", Words::TokenBad.of(lang), failure.text(lang))))
                }
            }
            // The door is gone where the token has opened it.
            let _ = busy.try_set(false);
        });
    };
    view! {
        <form class="door" on:submit=enter novalidate>
            <p>{say(ui, Words::TokenHint)}</p>
            <label class="tool-field" for="admin-token">
                <span>{say(ui, Words::Token)}</span>
                <input id="admin-token" data-testid="admin-token" type="password" autocomplete="off" prop:value=typed
                    on:input=move |event| typed.set(event_target_value(&event))/>
            </label>
            <Show when=move || fault.with(Option::is_some)>
                <p class="fault" role="alert" data-testid="admin-fault">{move || fault.get()}</p>
            </Show>
            <button type="submit" class="primary" data-testid="admin-enter" disabled=busy>{say(ui, Words::Enter)}</button>
        </form>
    }
}

#[component]
fn Sections() -> impl IntoView {
    let desk = Desk::get();
    let tabs = vec![
        (Section::Symbols, Words::Symbols, "symbols"),
        (Section::Accounts, Words::Accounts, "accounts"),
        (Section::Letters, Words::DeadLetters, "letters"),
        (Section::Health, Words::Health, "health"),
    ];
    let show = |section| match section {
        Section::Symbols => view! { <Symbols/> }.into_any(),
        Section::Accounts => view! { <Accounts/> }.into_any(),
        Section::Letters => view! { <Letters/> }.into_any(),
        Section::Health => view! { <Health/> }.into_any(),
    };
    view! {
        <Tabs tabs chosen=desk.section label=Words::Sections show/>
        <button type="button" class="quiet lock" data-testid="admin-leave" on:click=move |_| desk.token.set(String::new())>
            {say(desk.app.ui, Words::Leave)}
        </button>
    }
}

/// A form of one field and a button.
fn one_field(
    desk: Desk,
    id: &'static str,
    label: Words,
    button: Words,
    act: impl Fn(String) + Copy + 'static,
) -> AnyView {
    let value = RwSignal::new(String::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        act(value.get_untracked().trim().to_owned());
        value.set(String::new());
    };
    view! {
        <form class="tool-form" on:submit=submit novalidate>
            {field(desk.app.ui, id, label, value, "")}
            <button type="submit" class="primary" data-testid=format!("{id}-do")>{say(desk.app.ui, button)}</button>
        </form>
    }
    .into_any()
}
