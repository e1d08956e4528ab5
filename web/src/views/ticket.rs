//! The order form.

use crate::i18n::{Lang, Text};
use crate::logic::amount::{InputError, group, parse_amount};
use crate::logic::message::CASH;
use crate::logic::order::{Kind, Side, Tif};
use crate::logic::ticket::{Fault, affordable, total};
use crate::stores::{App, Mood};
use crate::trading;
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::prelude::*;

const SHARES: [u64; 4] = [10, 25, 50, 100];

#[component]
pub fn TicketPanel() -> impl IntoView {
    let app = App::get();
    let form = app.form;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if app.account.session.with_untracked(Option::is_none) {
            app.ui.login_open.set(true);
        } else if !form.sending.get_untracked() {
            send(app);
        }
    };
    let side_class = move || if form.side.get() == Side::Buy { "buying" } else { "selling" };
    view! {
        <section id="ticket" class=move || format!("panel ticket {}", side_class()) aria-label=app.ui.t(Text::Order)>
            <Sides/>
            <form on:submit=submit novalidate>
                <Kinds/>
                <Available/>
                <Price/>
                <Quantity/>
                <Shares/>
                <Total/>
                <Submit/>
            </form>
        </section>
    }
}

/// Checks the form and sends it, or says what is wrong.
fn send(app: App) {
    let symbol = app.market.symbol.get_untracked();
    match untrack(|| app.form.ticket(symbol).check()) {
        Ok(request) => trading::place(app, request),
        Err(fault) => {
            let lang = app.ui.lang.get_untracked();
            app.ui.toast("order", Mood::Bad, Text::OrderRefused.of(lang), fault_text(fault, lang).into());
        }
    }
}

fn fault_text(fault: Fault, lang: Lang) -> &'static str {
    let text = match fault {
        Fault::Price(InputError::Empty) => Text::PriceEmpty,
        Fault::Price(InputError::NotANumber) => Text::PriceNotANumber,
        Fault::Price(InputError::Zero) => Text::PriceZero,
        Fault::Price(InputError::TooLarge) => Text::PriceTooLarge,
        Fault::Quantity(InputError::Empty) => Text::QuantityEmpty,
        Fault::Quantity(InputError::NotANumber) => Text::QuantityNotANumber,
        Fault::Quantity(InputError::Zero) => Text::QuantityZero,
        Fault::Quantity(InputError::TooLarge) => Text::QuantityTooLarge,
        Fault::TotalTooLarge => Text::TotalTooLarge,
    };
    text.of(lang)
}

/// The price that a buyer or seller would start from: the other side's best, or the last one.
fn reference(app: App) -> Option<u64> {
    let best = match app.form.side.get() {
        Side::Buy => app.market.best_ask.get(),
        Side::Sell => app.market.best_bid.get(),
    };
    best.or_else(|| app.market.last.get().map(|last| last.price))
}

#[component]
fn Sides() -> impl IntoView {
    let App { ui, form, .. } = App::get();
    let tab = move |(side, text, name): (Side, Text, &'static str)| {
        view! {
            <button type="button" class=format!("side-{name}") data-testid=format!("order-side-{name}")
                aria-pressed=move || (form.side.get() == side).to_string() on:click=move |_| form.side.set(side)>
                {ui.t(text)}
            </button>
        }
    };
    view! {
        <div class="sides" role="group" aria-label=ui.t(Text::Side)>
            {[(Side::Buy, Text::Buy, "buy"), (Side::Sell, Text::Sell, "sell")].map(tab).collect_view()}
        </div>
    }
}

#[component]
fn Kinds() -> impl IntoView {
    let App { ui, form, .. } = App::get();
    let tab = move |(kind, text, name): (Kind, Text, &'static str)| {
        view! {
            <button type="button" data-testid=format!("order-type-{name}")
                aria-pressed=move || (form.kind.get() == kind).to_string() on:click=move |_| form.kind.set(kind)>
                {ui.t(text)}
            </button>
        }
    };
    let condition = move |tif: Tif| {
        let text = match tif {
            Tif::Gtc => Text::TifGtc,
            Tif::Ioc => Text::TifIoc,
            Tif::Fok => Text::TifFok,
        };
        view! {
            <button type="button" data-testid=format!("order-tif-{}", tif.as_str().to_ascii_lowercase()) title=ui.t(text)
                disabled=move || form.kind.get() == Kind::Market
                aria-pressed=move || (form.kind.get() == Kind::Limit && form.tif.get() == tif).to_string()
                on:click=move |_| form.tif.set(tif)>
                {tif.as_str()}
            </button>
        }
    };
    view! {
        <div class="kinds">
            <div class="tabs" role="group" aria-label=ui.t(Text::Kind)>
                {[(Kind::Limit, Text::Limit, "limit"), (Kind::Market, Text::Market, "market")].map(tab).collect_view()}
            </div>
            <div class="segments" role="group" aria-label=ui.t(Text::Tif)>
                {Tif::ALL.map(condition).into_iter().collect_view()}
            </div>
        </div>
    }
}

/// The asset that the order would use up, and how much of it is free.
#[component]
fn Available() -> impl IntoView {
    let app = App::get();
    let amount = move || {
        let asset = spent(app);
        let name = if asset == CASH { Text::Cash.of(app.ui.lang.get()).to_owned() } else { asset.clone() };
        match app.account.session.with(Option::is_some) {
            true => format!("{} {name}", group(app.account.available(&asset))),
            false => format!("– {name}"),
        }
    };
    view! {
        <div class="line">
            <span>{app.ui.t(Text::Available)}</span>
            <b class="num" data-testid="order-available">{amount}</b>
        </div>
    }
}

fn spent(app: App) -> String {
    match app.form.side.get() {
        Side::Buy => CASH.into(),
        Side::Sell => app.market.symbol.get(),
    }
}

#[component]
fn Price() -> impl IntoView {
    let app = App::get();
    let App { ui, form, .. } = app;
    let is_market = move || form.kind.get() == Kind::Market;
    let step = move |ticks: i64| untrack(|| form.step_price(ticks, reference(app)));
    let on_key = move |event: KeyboardEvent| {
        let ticks = match event.key().as_str() {
            "ArrowUp" => 1,
            "ArrowDown" => -1,
            _ => return,
        };
        event.prevent_default();
        step(ticks);
    };
    view! {
        <div class="field" class:off=is_market>
            <label for="order-price">{ui.t(Text::Price)}</label>
            <input id="order-price" data-testid="order-price" class="num" inputmode="numeric" autocomplete="off"
                disabled=is_market prop:value=move || if is_market() { String::new() } else { form.price.get() }
                placeholder=move || is_market().then(|| Text::MarketPrice.of(ui.lang.get()))
                on:input=move |event| form.price.set(event_target_value(&event)) on:keydown=on_key/>
            <button type="button" data-testid="price-down" disabled=is_market aria-label=ui.t(Text::PriceDown)
                on:click=move |_| step(-1)>"−"</button>
            <button type="button" data-testid="price-up" disabled=is_market aria-label=ui.t(Text::PriceUp)
                on:click=move |_| step(1)>"+"</button>
        </div>
    }
}

#[component]
fn Quantity() -> impl IntoView {
    let App { ui, form, .. } = App::get();
    view! {
        <div class="field">
            <label for="order-quantity">{ui.t(Text::Quantity)}</label>
            <input id="order-quantity" data-testid="order-quantity" class="num" inputmode="numeric" autocomplete="off"
                prop:value=form.quantity on:input=move |event| form.quantity.set(event_target_value(&event))/>
        </div>
    }
}

#[component]
fn Shares() -> impl IntoView {
    let app = App::get();
    let form = app.form;
    let take = move |share: u64| {
        untrack(|| {
            let limit = parse_amount(&form.price.get()).ok();
            let price = match form.kind.get() {
                Kind::Limit => limit.or_else(|| reference(app)),
                Kind::Market => app.market.best_ask.get(),
            };
            let (side, kind) = (form.side.get(), form.kind.get());
            match affordable(side, kind, price, app.account.available(&spent(app)), share) {
                Some(quantity) => {
                    if let (Kind::Limit, None, Some(price)) = (kind, limit, price) {
                        form.set_price(price);
                    }
                    form.quantity.set(group(quantity));
                }
                None => app.ui.toast("order", Mood::Bad, app.ui.now(Text::NoReference), String::new()),
            }
        });
    };
    let button = move |share: u64| {
        view! {
            <button type="button" data-testid=format!("order-share-{share}")
                disabled=move || app.account.session.with(Option::is_none) on:click=move |_| take(share)>
                {format!("{share}%")}
            </button>
        }
    };
    view! {
        <div class="shares" role="group" aria-label=app.ui.t(Text::ShareOfBalance)>
            {SHARES.map(button).into_iter().collect_view()}
        </div>
    }
}

#[component]
fn Total() -> impl IntoView {
    let app = App::get();
    let form = app.form;
    let is_market = move || form.kind.get() == Kind::Market;
    let amount = move || {
        let price = if is_market() { reference(app) } else { parse_amount(&form.price.get()).ok() };
        let quantity = parse_amount(&form.quantity.get()).ok();
        let total = price.zip(quantity).and_then(|(price, quantity)| total(price, quantity));
        total.map_or("–".into(), group)
    };
    let label = move || if is_market() { Text::EstimatedTotal } else { Text::Total }.of(app.ui.lang.get());
    view! {
        <div class="line total">
            <span>{label}</span>
            <b class="num" data-testid="order-total">{amount}</b>
        </div>
    }
}

#[component]
fn Submit() -> impl IntoView {
    let App { ui, market, account, form } = App::get();
    let is_known = move || account.session.with(Option::is_some);
    let label = move || {
        let lang = ui.lang.get();
        if !is_known() {
            return Text::LoginToTrade.of(lang).to_owned();
        }
        if form.sending.get() {
            return Text::Sending.of(lang).to_owned();
        }
        let side = if form.side.get() == Side::Buy { Text::Buy } else { Text::Sell }.of(lang);
        let symbol = market.symbol.get();
        match lang {
            Lang::Ko => format!("{symbol} {side}"),
            Lang::En => format!("{side} {symbol}"),
        }
    };
    view! {
        <button type="submit" class="submit" class:login=move || !is_known() data-testid="order-submit"
            aria-busy=move || form.sending.get().to_string()
            disabled=move || market.symbol.with(String::is_empty)>
            {label}
        </button>
        <Show when=move || !is_known()>
            <p class="hint">{ui.t(Text::LoginHint)}</p>
        </Show>
    }
}
