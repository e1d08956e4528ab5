//! The symbols: which are traded, and adding, halting and resuming them.

use super::calls::{self, Total};
use super::{Desk, one_field};
use crate::api;
use crate::logic::amount::group;
use crate::logic::message::CASH;
use crate::tools::frame::heads;
use crate::tools::texts::{Words, say};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::BTreeMap;

const COLUMNS: [(Words, &str); 4] =
    [(Words::Symbol, ""), (Words::State, ""), (Words::Holdings, "right"), (Words::Action, "right")];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    symbol: String,
    is_traded: bool,
    held: u64,
}

/// Symbols that are traded, and those that are not any more but somebody holds, or that were seen on this page.
fn listed(traded: Vec<String>, totals: Vec<Total>, known: &[Listed]) -> Vec<Listed> {
    let traded = traded.into_iter().map(|symbol| (symbol, (true, 0)));
    let mut all: BTreeMap<String, (bool, u64)> = traded.collect();
    for total in totals.into_iter().filter(|total| total.asset != CASH) {
        all.entry(total.asset).or_default().1 = total.available.saturating_add(total.locked);
    }
    for seen in known {
        all.entry(seen.symbol.clone()).or_default();
    }
    all.into_iter().map(|(symbol, (is_traded, held))| Listed { symbol, is_traded, held }).collect()
}

#[component]
pub fn Symbols() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let rows = RwSignal::new(None::<Vec<Listed>>);
    let load = move || {
        spawn_local(async move {
            let token = desk.token.get_untracked();
            let answer = async { Ok((api::symbols().await?, calls::totals(&token).await?)) };
            match answer.await {
                Ok((traded, totals)) => {
                    // The section may be another by now.
                    let _ = rows.try_update(|rows| {
                        *rows = Some(listed(traded, totals, rows.as_deref().unwrap_or_default()));
                    });
                }
                Err(failure) => desk.tell(&failure),
            }
        });
    };
    load();
    let change = move |symbol: String, trade: bool| {
        spawn_local(async move {
            let token = desk.token.get_untracked();
            let outcome = match trade {
                true => calls::add_symbol(&token, &symbol).await,
                false => calls::halt_symbol(&token, &symbol).await,
            };
            match outcome {
                Ok(()) => desk.done(symbol),
                Err(failure) => desk.tell(&failure),
            }
            load();
        });
    };
    let row = move |listed: Listed| {
        let Listed { symbol, is_traded, held } = listed;
        let name = StoredValue::new(symbol.clone());
        // Halting is asked for twice.
        let armed = RwSignal::new(false);
        let act = move |_| match (is_traded, armed.get_untracked()) {
            (true, false) => armed.set(true),
            _ => change(name.get_value(), !is_traded),
        };
        let words = move || match (is_traded, armed.get()) {
            (false, _) => Words::Resume,
            (true, false) => Words::Halt,
            (true, true) => Words::HaltReally,
        };
        let label = move || words().of(ui.lang.get());
        let state = if is_traded { Words::Trades } else { Words::Halted };
        view! {
            <tr data-testid=format!("admin-symbol-{symbol}") data-traded=is_traded.to_string()>
                <td><b>{symbol.clone()}</b></td>
                <td><span class="state" class:off=!is_traded>{say(ui, state)}</span></td>
                <td class="num right">{group(held)}</td>
                <td class="right">
                    <button type="button" class="quiet" class:danger=move || armed.get() data-testid=format!("admin-turn-{symbol}")
                        aria-label=move || format!("{} {}", label(), name.get_value())
                        on:click=act on:blur=move |_| armed.set(false)>{label}</button>
                </td>
            </tr>
        }
    };
    view! {
        {one_field(desk, "admin-add", Words::AddSymbol, Words::Add, move |symbol| if !symbol.is_empty() { change(symbol, true) })}
        <p class="note">{say(ui, Words::HaltHint)}</p>
        <table>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || rows.get().unwrap_or_default() children=row
                    key=|listed| (listed.symbol.clone(), listed.is_traded, listed.held)/>
            </tbody>
        </table>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halted_symbols_stay_in_sight_while_somebody_holds_them() {
        let total =
            |asset: &str, held| Total { asset: asset.into(), available: held, locked: 1, deposited: held };
        let rows = listed(
            vec!["NEW".into(), "TEST".into()],
            vec![total("CASH", 5), total("OLD", 7), total("TEST", 9)],
            &[],
        );
        let row = |symbol: &str, is_traded, held| Listed { symbol: symbol.into(), is_traded, held };
        assert_eq!(rows, [row("NEW", true, 0), row("OLD", false, 8), row("TEST", true, 10)]);
        let later = listed(vec!["TEST".into()], Vec::new(), &rows);
        assert_eq!(
            later,
            [row("NEW", false, 0), row("OLD", false, 0), row("TEST", true, 0)],
            "and while one looks on"
        );
    }
}
