//! The log-in dialog: a name in test mode, email and password for accounts.

use crate::auth;
use crate::i18n::Text;
use crate::logic::session::{Session, test_user_id};
use crate::stores::{App, Mood};
use crate::views::on_demand::{OnDemand, Part};
use leptos::ev::SubmitEvent;
use leptos::task::spawn_local;
use leptos::{html, prelude::*};
use wasm_split_helpers::wasm_split;

#[component]
pub fn LoginDialog() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        match (ui.login_open.get(), dialog.open()) {
            // A dialog that is in the page and closed can be opened.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    // Once opened, the forms stay: what is typed is not lost.
    let wanted = RwSignal::new(false);
    Effect::new(move || {
        if ui.login_open.get() {
            wanted.set(true);
        }
    });
    let close = move |_| ui.login_open.set(false);
    view! {
        <dialog node_ref=dialog class="login" aria-labelledby="login-title" on:close=move |_| ui.login_open.set(false)>
            <header>
                <h2 id="login-title">{ui.t(Text::Login)}</h2>
                <button type="button" class="quiet" data-testid="login-close" aria-label=ui.t(Text::Close) on:click=close>
                    "×"
                </button>
            </header>
            <Show when=move || wanted.get()>
                <OnDemand load=|| Box::pin(forms())/>
            </Show>
        </dialog>
    }
}

#[wasm_split(account, fallible)]
fn forms() -> Part {
    Ok(|| view! { <Forms/> }.into_any())
}

#[component]
fn Forms() -> impl IntoView {
    let app = App::get();
    view! {
        <Show when=move || app.market.config.with(|config| config.test_mode)>
            <TestLogin/>
        </Show>
        <AccountLogin/>
    }
}

/// Shuts the dialog and greets the user.
fn welcome(app: App) {
    app.ui.login_open.set(false);
    let name = app
        .account
        .session
        .with_untracked(|session| session.as_ref().map(|session| session.name().to_owned()));
    app.ui.toast("session", Mood::Good, app.ui.now(Text::LoggedIn), name.unwrap_or_default());
}

#[component]
fn TestLogin() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let name = RwSignal::new(String::new());
    let is_bad = RwSignal::new(false);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        match test_user_id(&name.get_untracked()) {
            Some(user_id) => {
                is_bad.set(false);
                app.account.set_session(Some(Session::Test { user_id }));
                welcome(app);
            }
            None => is_bad.set(true),
        }
    };
    view! {
        <form class="test" on:submit=submit novalidate>
            <p>{ui.t(Text::TestHint)}</p>
            <label for="login-test-name">{ui.t(Text::TestName)}</label>
            <input id="login-test-name" data-testid="login-test-name" autocomplete="off" autocapitalize="none" spellcheck="false"
                placeholder="alice" maxlength="53" aria-invalid=move || is_bad.get().to_string() prop:value=name
                on:input=move |event| name.set(event_target_value(&event))/>
            <Show when=move || is_bad.get()>
                <p class="fault" role="alert">{ui.t(Text::TestNameBad)}</p>
            </Show>
            <button type="submit" class="primary" data-testid="login-test-submit">{ui.t(Text::TestLogin)}</button>
        </form>
        <div class="or" aria-hidden="true">{ui.t(Text::Account)}</div>
    }
}

#[component]
fn AccountLogin() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let email = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let fault = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let enter = move |new: bool| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        fault.set(String::new());
        spawn_local(async move {
            let (email, given) = (email.get_untracked(), password.get_untracked());
            let outcome = auth::log_in(app.account, email.trim(), &given, new).await;
            busy.set(false);
            match outcome {
                Ok(()) => {
                    password.set(String::new());
                    welcome(app);
                }
                Err(failure) => fault.set(failure.text(app.ui.lang.get_untracked())),
            }
        });
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        enter(false);
    };
    view! {
        <form on:submit=submit novalidate>
            <label for="login-email">{ui.t(Text::Email)}</label>
            <input id="login-email" data-testid="login-email" type="email" autocomplete="username" prop:value=email
                on:input=move |event| email.set(event_target_value(&event))/>
            <label for="login-password">{ui.t(Text::Password)}</label>
            <input id="login-password" data-testid="login-password" type="password" autocomplete="current-password"
                prop:value=password on:input=move |event| password.set(event_target_value(&event))/>
            <Show when=move || !fault.with(String::is_empty)>
                <p class="fault" role="alert" data-testid="login-fault">{move || fault.get()}</p>
            </Show>
            <div class="choices">
                <button type="submit" class="primary" data-testid="login-submit" disabled=busy>{ui.t(Text::Login)}</button>
                <button type="button" data-testid="signup-submit" disabled=busy on:click=move |_| enter(true)>
                    {ui.t(Text::SignUp)}
                </button>
            </div>
        </form>
    }
}
