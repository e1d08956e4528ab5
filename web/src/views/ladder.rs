//! The order book: ten fixed rows a side, each with one signal, or the same as a curve. A row gives its price to the
//! order form.

use crate::i18n::Text;
use crate::logic::amount::{compact, group};
use crate::logic::book::{Changed, DepthCurve, GROUPS, LEVELS, Level};
use crate::logic::order::Side;
use crate::ports::browser;
use crate::stores::App;
use leptos::ev::KeyboardEvent;
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

#[component]
pub fn Ladder() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let as_curve = RwSignal::new(false);
    let asks = (0..LEVELS).rev().map(|index| view! { <Row side=Side::Sell index level=market.asks[index]/> });
    let bids = (0..LEVELS).map(|index| view! { <Row side=Side::Buy index level=market.bids[index]/> });
    let look = move |(curve, text, name): (bool, Text, &'static str)| {
        view! {
            <button type="button" data-testid=format!("book-as-{name}")
                aria-pressed=move || (as_curve.get() == curve).to_string() on:click=move |_| as_curve.set(curve)>
                {ui.t(text)}
            </button>
        }
    };
    view! {
        <section class="panel ladder" aria-label=ui.t(Text::OrderBook)>
            <div class="panel-head">
                <h2>{ui.t(Text::OrderBook)}</h2>
                <div class="segments" role="group" aria-label=ui.t(Text::OrderBook)>
                    {[(false, Text::BookRows, "rows"), (true, Text::BookCurve, "curve")].map(look).collect_view()}
                </div>
                <Groups/>
            </div>
            <Show when=move || as_curve.get()><Curve/></Show>
            <div class="heads" hidden=as_curve>
                <span>{ui.t(Text::Price)}</span>
                <span>{ui.t(Text::Quantity)}</span>
                <span>{ui.t(Text::Cumulative)}</span>
            </div>
            <div class="levels" hidden=as_curve on:keydown=walk>
                <div class="side asks">{asks.collect_view()}</div>
                <Middle/>
                <div class="side bids">{bids.collect_view()}</div>
            </div>
        </section>
    }
}

/// How many ticks a row stands for.
#[component]
fn Groups() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let choose = move |event| {
        if let Ok(ticks) = event_target_value(&event).parse() {
            market.choose_group(ticks);
        }
    };
    let option = move |ticks: u64| {
        view! { <option value=ticks selected=move || market.group.get() == ticks>{group(ticks)}</option> }
    };
    view! {
        <select class="groups num" data-testid="book-group" aria-label=ui.t(Text::BookGroup) title=ui.t(Text::BookGroup)
            on:change=choose>
            {GROUPS.map(option).into_iter().collect_view()}
        </select>
    }
}

/// Cumulated quantities over prices.
#[component]
fn Curve() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let curve = Memo::new(move |_| {
        let of = |side: [RwSignal<Level>; LEVELS]| side.map(|level| level.get());
        DepthCurve::of(&of(market.bids), &of(market.asks))
    });
    let told = move || {
        let best = |price: Option<u64>| price.map_or("–".into(), group);
        let lang = ui.lang.get();
        let (bid, ask) = (best(market.best_bid.get()), best(market.best_ask.get()));
        format!("{}: {} {bid}, {} {ask}", Text::BookCurve.of(lang), Text::Buy.of(lang), Text::Sell.of(lang))
    };
    let part = move |read: fn(&DepthCurve) -> String| move || curve.with(|curve| curve.as_ref().map(read));
    view! {
        <div class="curve" role="img" aria-label=told data-testid="depth-curve">
            <svg viewBox="0 0 1000 400" preserveAspectRatio="none" aria-hidden="true">
                <path class="up" d=part(|curve| curve.bids.clone())/>
                <path class="down" d=part(|curve| curve.asks.clone())/>
            </svg>
            <span class="most num">{part(|curve| group(curve.most))}</span>
            <div class="prices num">
                <span>{part(|curve| group(curve.low))}</span>
                <span>{part(|curve| group(curve.high))}</span>
            </div>
        </div>
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
    let App { ui, market, form, account, .. } = App::get();
    let name = if side == Side::Buy { "bid" } else { "ask" };
    let shown = move |figure: fn(Level) -> u64| {
        move || Some(level.get()).filter(|level| !level.is_empty()).map(figure)
    };
    let price = shown(|level| level.price);
    let quantity = shown(|level| level.quantity);
    let cumulative = shown(|level| level.cumulative);
    let is_own = Memo::new(move |_| {
        let Some(price) = price() else { return false };
        // The prices that the row stands for: bids are rounded down to it, asks up.
        let ticks = market.group.get();
        let (low, high) = match side {
            Side::Buy => (price, price.saturating_add(ticks)),
            Side::Sell => (price.saturating_sub(ticks).saturating_add(1), price.saturating_add(1)),
        };
        let symbol = market.symbol.get();
        account.open.with(|open| {
            open.iter().any(|cell| {
                cell.order.with(|order| {
                    let rests = order.stop.is_none() && order.side == side && order.symbol == symbol;
                    rests && order.limit().is_some_and(|limit| (low..high).contains(&limit))
                })
            })
        })
    });
    let flash = NodeRef::<html::I>::new();
    Effect::new(move || {
        let class = match level.with(|level| level.changed) {
            Changed::Nothing => return,
            Changed::More => "--more",
            Changed::Less => "--less",
        };
        if let Some(place) = flash.get() {
            browser::flash(&place, class);
        }
    });
    let take = move |_| {
        if let Some(price) = price() {
            form.take_price(price);
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
            <i class="flash" aria-hidden="true" node_ref=flash></i>
            <i class="bar" aria-hidden="true"
                style:transform=move || format!("scaleX({}e-3)", level.get().share)></i>
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
