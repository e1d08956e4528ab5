//! The user's assets: what is free and what is held, what it cost, and what it has brought.

use super::files::all_fills;
use crate::i18n::Text;
use crate::logic::amount::{group, signed};
use crate::logic::fill_rows::{FillRow, merge};
use crate::logic::message::{Balance, CASH};
use crate::logic::profit::{Position, of_fills, of_orders};
use crate::stores::App;
use crate::views::table::{Column, cell, heads, nothing};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::BTreeMap;

const COLUMNS: [Column; 8] = [
    (Text::Asset, ""),
    (Text::Available, "right"),
    (Text::Locked, "right"),
    (Text::Sum, "right wide"),
    (Text::AverageCost, "right wide"),
    (Text::Worth, "right wide"),
    (Text::Unrealised, "right"),
    (Text::Realised, "right"),
];

/// All fills that the profit is reckoned from, and whether older ones are left out.
#[derive(Clone, Default)]
struct Known {
    fills: Vec<FillRow>,
    is_cut: bool,
}

type Held = Memo<BTreeMap<String, Position>>;

#[component]
pub fn Balances() -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    let known = RwSignal::new(None::<Known>);
    if app.venue().is_none() {
        follow_fills(app, known);
    }
    let held = Memo::new(move |_| match known.get() {
        Some(known) => of_fills(&known.fills),
        // Until all fills are here, and where none are kept: from the orders that are loaded.
        None => {
            account.filled.track();
            of_orders(&account.orders())
        }
    });
    let is_cut = move || known.with(|known| known.as_ref().is_some_and(|known| known.is_cut));
    view! {
        <table>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || account.balances.get() children=move |balance| row(app, held, balance)
                    key=|balance| (balance.asset.clone(), balance.available, balance.locked)/>
            </tbody>
            {sums(app, held)}
        </table>
        <Show when=is_cut><p class="note">{ui.t(Text::ProfitCut)}</p></Show>
        {nothing(Text::NoBalances, Signal::derive(move || account.balances.with(Vec::is_empty)))}
    }
}

/// Fetches all fills once, and takes up what comes after.
fn follow_fills(app: App, known: RwSignal<Option<Known>>) {
    let account = app.account;
    let user = Memo::new(move |_| account.user_id());
    Effect::new(move |before: Option<Option<String>>| {
        let wanted = user.get();
        // Fills that were missed come with all the others; until then what is known is shown.
        account.missed.track();
        if before.as_ref() != Some(&wanted) {
            known.set(None);
        }
        let of = wanted.clone();
        spawn_local(async move {
            // Without them the profit is that of the orders which are loaded.
            let Ok((fills, is_cut)) = all_fills(account).await else { return };
            if user.try_get_untracked() == Some(of) {
                let mut all = fills;
                merge(&mut all, account.news.get_untracked());
                known.set(Some(Known { fills: all, is_cut }));
            }
        });
        wanted
    });
    Effect::new(move || {
        let news = account.news.get();
        if !news.is_empty() && known.with_untracked(Option::is_some) {
            known.update(|known| {
                if let Some(known) = known {
                    merge(&mut known.fills, news);
                }
            });
        }
    });
}

fn last_price(app: App, asset: &str) -> Option<u64> {
    let row = app.market.rows.with(|rows| rows.iter().find(|row| row.name == asset).cloned());
    let ticker = row.and_then(|row| row.ticker.with(|ticker| ticker.as_ref().map(|ticker| ticker.price)));
    ticker.or_else(|| {
        let is_shown = app.market.symbol.with(|symbol| symbol == asset);
        app.market.last.get().filter(|_| is_shown).map(|last| last.price)
    })
}

/// What an asset would bring at its last price.
fn worth(app: App, balance: &Balance) -> Option<u64> {
    let sum = balance.available.saturating_add(balance.locked);
    if balance.asset == CASH {
        return Some(sum);
    }
    last_price(app, &balance.asset)?.checked_mul(sum)
}

fn row(app: App, held: Held, balance: Balance) -> AnyView {
    let Balance { asset, available, locked } = balance.clone();
    let is_cash = asset == CASH;
    let of = StoredValue::new(balance);
    let position = move || of.with_value(|of| held.with(|held| held.get(&of.asset).copied()));
    let unrealised = move || Some(position()?.unrealised(of.with_value(|of| last_price(app, &of.asset))?));
    let realised = move || position().map(|position: Position| position.realised);
    let figure = |amount: Option<u64>| amount.map_or("–".into(), group);
    view! {
        <tr>
            <td>
                <b>{asset.clone()}</b>
                {is_cash.then(|| view! { <small class="dim">{app.ui.t(Text::Cash)}</small> })}
            </td>
            <td class="num right" data-testid=format!("balance-{asset}-available") data-value=available>{group(available)}</td>
            <td class="num right" data-testid=format!("balance-{asset}-locked") data-value=locked>{group(locked)}</td>
            {cell("num right wide", move || group(available.saturating_add(locked)))}
            {cell("num right wide", move || figure(position().and_then(|held| held.average())))}
            {cell("num right wide", move || figure(of.with_value(|of| worth(app, of))))}
            {profit(format!("profit-{asset}-open"), Signal::derive(unrealised))}
            {profit(format!("profit-{asset}-done"), Signal::derive(realised))}
        </tr>
    }
    .into_any()
}

fn profit(name: String, amount: Signal<Option<i64>>) -> AnyView {
    let class = move || match amount.get() {
        Some(1..) => "num right up",
        Some(..=-1) => "num right down",
        _ => "num right",
    };
    view! { <td class=class data-testid=name>{move || amount.get().map_or("–".into(), signed)}</td> }
        .into_any()
}

/// All assets together.
fn sums(app: App, held: Held) -> AnyView {
    let account = app.account;
    let value = move || {
        let all = account
            .balances
            .with(|all| all.iter().filter_map(|balance| worth(app, balance)).fold(0, u64::saturating_add));
        group(all)
    };
    let sum = move |read: fn(App, &str, &Position) -> Option<i64>| {
        Signal::derive(move || {
            held.with(|held| {
                let parts = held.iter().filter_map(|(symbol, position)| read(app, symbol, position));
                Some(parts.fold(0, i64::saturating_add))
            })
        })
    };
    view! {
        <tfoot>
            <tr>
                <th scope="row">{app.ui.t(Text::AllAssets)}</th>
                <td></td>
                <td></td>
                <td class="wide"></td>
                <td class="wide"></td>
                <td class="num right wide" data-testid="worth-all">{value}</td>
                {profit("profit-open".into(), sum(|app, symbol, held| Some(held.unrealised(last_price(app, symbol)?))))}
                {profit("profit-done".into(), sum(|_, _, held| Some(held.realised)))}
            </tr>
        </tfoot>
    }
    .into_any()
}
