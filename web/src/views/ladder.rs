//! The order book: ten fixed rows a side, each with one signal. A row gives its price to the order form.

use crate::i18n::Text;
use crate::logic::amount::{compact, group};
use crate::logic::book::{LEVELS, Level};
use crate::logic::order::{Kind, Side};
use crate::stores::App;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

#[component]
pub fn Ladder() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let asks = (0..LEVELS).rev().map(|index| view! { <Row side=Side::Sell index level=market.asks[index]/> });
    let bids = (0..LEVELS).map(|index| view! { <Row side=Side::Buy index level=market.bids[index]/> });
    view! {
        <section class="panel ladder" aria-label=ui.t(Text::OrderBook)>
            <h2>{ui.t(Text::OrderBook)}</h2>
            <div class="heads">
                <span>{ui.t(Text::Price)}</span>
                <span>{ui.t(Text::Quantity)}</span>
                <span>{ui.t(Text::Cumulative)}</span>
            </div>
            <div class="levels" on:keydown=walk>
                <div class="side asks">{asks.collect_view()}</div>
                <Middle/>
                <div class="side bids">{bids.collect_view()}</div>
            </div>
        </section>
    }
}

/// The last price between the sides, and how far these are apart.
#[component]
fn Middle() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let direction = move || market.last.get().map_or("flat", |last| last.direction.class());
    let arrow = move || market.last.get().map_or("", |last| last.direction.arrow());
    view! {
        <div class="middle">
            <strong class=move || format!("num {}", direction())>
                {move || market.last.get().map_or("–".into(), |last| group(last.price))}
                <i aria-hidden="true">{arrow}</i>
            </strong>
            <span>
                {ui.t(Text::Spread)} " "
                <b class="num" data-testid="spread">{move || market.spread.get().map_or("–".into(), group)}</b>
            </span>
        </div>
    }
}

#[component]
fn Row(side: Side, index: usize, level: RwSignal<Level>) -> impl IntoView {
    let App { ui, market, form, account } = App::get();
    let name = if side == Side::Buy { "bid" } else { "ask" };
    let shown = move |figure: fn(Level) -> u64| {
        move || Some(level.get()).filter(|level| !level.is_empty()).map(figure)
    };
    let price = shown(|level| level.price);
    let quantity = shown(|level| level.quantity);
    let cumulative = shown(|level| level.cumulative);
    let is_own = Memo::new(move |_| {
        price().is_some_and(|price| {
            let symbol = market.symbol.get();
            account.open.with(|open| {
                open.iter().any(|cell| {
                    cell.order.with(|order| {
                        order.side == side && order.limit() == Some(price) && order.symbol == symbol
                    })
                })
            })
        })
    });
    let take = move |_| {
        if let Some(price) = price() {
            form.kind.set(Kind::Limit);
            form.set_price(price);
        }
    };
    // One stop of the tab key a side; arrows walk on.
    let tab_index = if index == 0 { "0" } else { "-1" };
    view! {
        <button type="button" class=format!("level {}", side.class()) tabindex=tab_index
            class:own=is_own disabled=move || price().is_none()
            data-testid=format!("book-{name}-{index}") data-price=price data-quantity=quantity
            title=move || is_own.get().then(|| Text::OpenOrders.of(ui.lang.get()))
            on:click=take>
            <i class="bar" aria-hidden="true"
                style:transform=move || format!("scaleX({})", f64::from(level.get().share) / 1000.0)></i>
            <span class="num price">{move || price().map(group)}</span>
            <span class="num">{move || quantity().map(group)}</span>
            <span class="num sum">{move || cumulative().map(|sum| compact(sum, ui.lang.get()))}</span>
        </button>
    }
}

/// Arrow keys go from level to level.
fn walk(event: KeyboardEvent) {
    let down = match event.key().as_str() {
        "ArrowDown" => true,
        "ArrowUp" => false,
        _ => return,
    };
    event.prevent_default();
    let Some(here) = document().active_element() else { return };
    let beside =
        |place: &Element| if down { place.next_element_sibling() } else { place.previous_element_sibling() };
    let next = beside(&here).or_else(|| {
        // At the end of a side: past the middle to the other one.
        let side = here.parent_element()?;
        let other = beside(&beside(&side)?)?;
        if down { other.first_element_child() } else { other.last_element_child() }
    });
    if let Some(next) = next.and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
        // What cannot be focused stays as it is.
        let _ = next.focus();
    }
}
