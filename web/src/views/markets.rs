//! The list of symbols with their tickers.

use crate::i18n::Text;
use crate::logic::amount::{Direction, group, percent};
use crate::stores::{App, Panel, SymbolRow};
use leptos::prelude::*;

#[component]
pub fn Markets() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let wanted = RwSignal::new(String::new());
    let rows = move || {
        let wanted = wanted.get().trim().to_ascii_uppercase();
        market.rows.get().into_iter().filter(|row| row.name.contains(&wanted)).collect::<Vec<_>>()
    };
    view! {
        <section class="panel markets" aria-label=ui.t(Text::Markets)>
            <div class="search">
                <input type="search" autocomplete="off" spellcheck="false" aria-label=ui.t(Text::Search)
                    placeholder=ui.t(Text::Search) prop:value=wanted
                    on:input=move |event| wanted.set(event_target_value(&event))/>
            </div>
            <div class="heads">
                <span>{ui.t(Text::Symbol)}</span>
                <span>{ui.t(Text::LastPrice)}</span>
                <span>{ui.t(Text::Change)}</span>
            </div>
            <div class="rows">
                <For each=rows key=|row| row.name.clone() children=|row| view! { <Row row/> }/>
                <Show when=move || market.rows.with(Vec::is_empty)>
                    <p class="empty">{ui.t(Text::NoMarkets)}</p>
                </Show>
            </div>
        </section>
    }
}

#[component]
fn Row(row: SymbolRow) -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let SymbolRow { name, ticker } = row;
    let ticker = RwSignal::from(ticker);
    let change = move || ticker.with(|ticker| ticker.as_ref().map(|ticker| ticker.change));
    let direction = move || Direction::of_change(change().unwrap_or(0.0)).class();
    let symbol = StoredValue::new(name.clone());
    let choose = move |_| {
        symbol.with_value(|symbol| market.choose(symbol));
        if ui.panel.get_untracked() == Panel::Markets {
            ui.panel.set(Panel::Chart);
        }
    };
    let current =
        move || market.symbol.with(|chosen| symbol.with_value(|symbol| chosen == symbol)).then_some("true");
    view! {
        <button type="button" class="row" data-testid=format!("symbol-row-{name}") aria-current=current on:click=choose>
            <span class="name">{name.clone()}</span>
            <span class=move || format!("num {}", direction())>
                {move || ticker.with(|ticker| ticker.as_ref().map_or("–".into(), |ticker| group(ticker.price)))}
            </span>
            <span class=move || format!("num {}", direction())>{move || change().map_or("–".into(), percent)}</span>
        </button>
    }
}
