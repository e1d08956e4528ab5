//! Everybody's balances, and deposits.

use super::Desk;
use super::calls::{self, Holding};
use crate::logic::amount::{group, parse_amount};
use crate::ports::browser;
use crate::tools::frame::{field, heads};
use crate::tools::texts::{Words, say};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

const COLUMNS: [(Words, &str); 4] =
    [(Words::User, ""), (Words::Asset, ""), (Words::Available, "right"), (Words::Locked, "right")];

#[component]
pub fn Accounts() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let rows = RwSignal::new(Vec::<Holding>::new());
    let cursor = RwSignal::new(None::<String>);
    let wanted = RwSignal::new(String::new());
    let loaded = RwSignal::new(false);
    let load = move |from: Option<String>| {
        spawn_local(async move {
            let (token, user) = (desk.token.get_untracked(), wanted.get_untracked());
            match calls::accounts(&token, user.trim(), from.as_deref()).await {
                Ok(page) => {
                    // The section may be another by now.
                    let _ = rows.try_update(|rows| {
                        if from.is_none() {
                            rows.clear();
                        }
                        rows.extend(page.rows);
                    });
                    let _ = cursor.try_set(page.cursor);
                    let _ = loaded.try_set(true);
                }
                Err(failure) => desk.tell(&failure),
            }
        });
    };
    load(None);
    let search = move |event: SubmitEvent| {
        event.prevent_default();
        load(None);
    };
    let row = move |holding: Holding| {
        let Holding { user, asset, available, locked } = holding;
        view! {
            <tr data-testid=format!("account-{user}-{asset}")>
                <td class="num">{user.clone()}</td>
                <td>{asset.clone()}</td>
                <td class="num right">{group(available)}</td>
                <td class="num right">{group(locked)}</td>
            </tr>
        }
    };
    view! {
        <form class="tool-form" on:submit=search novalidate>
            {field(ui, "account-user", Words::SearchUser, wanted, "test-alice")}
            <button type="submit" class="primary" data-testid="account-search">{say(ui, Words::Search)}</button>
        </form>
        <Deposit after=Callback::new(move |()| load(None))/>
        <table>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || rows.get() children=row
                    key=|holding| (holding.user.clone(), holding.asset.clone(), holding.available, holding.locked)/>
            </tbody>
        </table>
        <Show when=move || loaded.get() && rows.with(Vec::is_empty)><p class="empty">{say(ui, Words::Nothing)}</p></Show>
        <Show when=move || cursor.with(Option::is_some)>
            <button type="button" class="more" data-testid="account-more" on:click=move |_| load(cursor.get_untracked())>
                {say(ui, Words::More)}
            </button>
        </Show>
    }
}

#[component]
fn Deposit(after: Callback<()>) -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let [user, asset, amount] = [(); 3].map(|()| RwSignal::new(String::new()));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Ok(count) = parse_amount(&amount.get_untracked()) else { return };
        spawn_local(async move {
            let token = desk.token.get_untracked();
            let (who, what) = (user.get_untracked(), asset.get_untracked());
            // A fresh name: each press of the button is a deposit of its own.
            let outcome = calls::deposit(&token, &browser::fresh_id(), who.trim(), what.trim(), count).await;
            match outcome {
                Ok(()) => {
                    desk.done(format!("{} · {} {}", who.trim(), group(count), what.trim()));
                    let _ = amount.try_set(String::new());
                    after.run(());
                }
                Err(failure) => desk.tell(&failure),
            }
        });
    };
    view! {
        <form class="tool-form" on:submit=submit novalidate title=say(ui, Words::DepositHint)>
            {field(ui, "deposit-user", Words::User, user, "test-alice")}
            {field(ui, "deposit-asset", Words::Asset, asset, "CASH")}
            {field(ui, "deposit-amount", Words::Amount, amount, "1,000")}
            <button type="submit" class="primary" data-testid="deposit-do">{say(ui, Words::Deposit)}</button>
        </form>
    }
}
