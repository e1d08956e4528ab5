//! The user's assets.

use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::message::{Balance, CASH};
use crate::stores::App;
use leptos::prelude::*;

#[component]
pub fn Balances() -> impl IntoView {
    let App { ui, account, .. } = App::get();
    let row = move |balance: Balance| {
        let Balance { asset, available, locked } = balance;
        let is_cash = asset == CASH;
        let name = asset.clone();
        view! {
            <tr>
                <td>
                    <b>{name}</b>
                    {is_cash.then(|| view! { <small class="dim">{ui.t(Text::Cash)}</small> })}
                </td>
                <td class="num right" data-testid=format!("balance-{asset}-available") data-value=available>
                    {group(available)}
                </td>
                <td class="num right" data-testid=format!("balance-{asset}-locked") data-value=locked>{group(locked)}</td>
                <td class="num right">{group(available.saturating_add(locked))}</td>
            </tr>
        }
    };
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">{ui.t(Text::Asset)}</th>
                    <th scope="col" class="right">{ui.t(Text::Available)}</th>
                    <th scope="col" class="right">{ui.t(Text::Locked)}</th>
                    <th scope="col" class="right">{ui.t(Text::Sum)}</th>
                </tr>
            </thead>
            <tbody>
                <For each=move || account.balances.get() children=row
                    key=|balance| (balance.asset.clone(), balance.available, balance.locked)/>
            </tbody>
        </table>
        <Show when=move || account.balances.with(Vec::is_empty)>
            <p class="empty">{ui.t(Text::NoBalances)}</p>
        </Show>
    }
}
