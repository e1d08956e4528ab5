//! The list of symbols with their tickers.

use crate::i18n::Text;
use crate::logic::amount::{Direction, group, percent};
use crate::logic::favourites::is_wanted;
use crate::logic::map::sort_short;
use crate::stores::{App, Panel, SymbolRow};
use leptos::prelude::*;

#[component]
pub fn Markets() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let wanted = RwSignal::new(String::new());
    let only_stars = RwSignal::new(false);
    // Favourites first.
    let rows = Memo::new(move |_| {
        let (searched, only_stars) = (wanted.get(), only_stars.get());
        ui.favourites.with(|stars| {
            let mut rows = market.rows.get();
            rows.retain(|row| is_wanted(&row.name, &searched, only_stars, stars));
            sort_short(&mut rows, |a, b| stars.contains(&b.name).cmp(&stars.contains(&a.name)));
            rows
        })
    });
    view! {
        <section class="panel markets" aria-label=ui.t(Text::Markets)>
            <div class="search">
                <input type="search" id="search" data-testid="search" autocomplete="off" spellcheck="false" aria-label=ui.t(Text::Search)
                    placeholder=ui.t(Text::Search) prop:value=wanted
                    on:input=move |event| wanted.set(event_target_value(&event))/>
                <button type="button" class="quiet star" data-testid="only-stars" title=ui.t(Text::OnlyStars)
                    aria-label=ui.t(Text::OnlyStars) aria-pressed=move || only_stars.get().to_string()
                    on:click=move |_| only_stars.update(|only| *only = !*only)>"★"</button>
            </div>
            <div class="heads">
                <span>{ui.t(Text::Symbol)}</span>
                <span>{ui.t(Text::LastPrice)}</span>
                <span>{ui.t(Text::Change)}</span>
            </div>
            <div class="rows">
                <For each=move || rows.get() key=|row| row.name.clone() children=|row| view! { <Row row/> }/>
                <Show when=move || rows.with(Vec::is_empty)>
                    <p class="empty">
                        {move || if market.rows.with(Vec::is_empty) { Text::NoMarkets } else { Text::NoMatch }.of(ui.lang.get())}
                    </p>
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
    let is_star = move || symbol.with_value(|symbol| ui.favourites.with(|stars| stars.contains(symbol)));
    let star_label = move || format!("{} {}", Text::Star.of(ui.lang.get()), symbol.get_value());
    view! {
        <div class="entry">
        <button type="button" class="quiet star" data-testid=format!("star-{name}") aria-label=star_label
            aria-pressed=move || is_star().to_string() on:click=move |_| symbol.with_value(|symbol| ui.star(symbol))>
            {move || if is_star() { "★" } else { "☆" }}
        </button>
        <button type="button" class="row" data-testid=format!("symbol-row-{name}") aria-current=current on:click=choose>
            <span class="name">{name.clone()}</span>
            <span class=move || format!("num {}", direction())>
                {move || ticker.with(|ticker| ticker.as_ref().map_or("–".into(), |ticker| group(ticker.price)))}
            </span>
            <span class=move || format!("num {}", direction())>{move || change().map_or("–".into(), percent)}</span>
        </button>
        </div>
    }
}
