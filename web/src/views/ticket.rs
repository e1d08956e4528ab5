//! The order form.

use crate::i18n::{Lang, Text};
use crate::logic::amount::{InputError, group, parse_amount};
use crate::logic::message::CASH;
use crate::logic::order::{Kind, Side, Tif};
use crate::logic::ticket::{Fault, Preview, Style, affordable, preview};
use crate::stores::{App, Mood};
use crate::trading;
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::prelude::*;

const SHARES: [u64; 4] = [10, 25, 50, 100];
/// The exchange takes none.
const FEE: u64 = 0;

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
                <Show when=move || form.style.get().has_stop()>
                    <PriceField id="order-stop" text=Text::StopPrice value=form.stop off=false/>
                </Show>
                <PriceField id="order-price" text=Text::Price value=form.price
                    off=Signal::derive(move || form.style.get().kind() == Kind::Market)/>
                <Quantity/>
                <Shares/>
                <Terms/>
                <Total/>
                <Submit/>
            </form>
        </section>
    }
}

/// Checks the form and sends it, after a question if the user wants one, or says what is wrong.
fn send(app: App) {
    let symbol = app.market.symbol.get_untracked();
    match untrack(|| app.form.ticket(symbol).check()) {
        Ok(request) if app.ui.confirms.get_untracked() => app.form.asked.set(Some(request)),
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
        Fault::Stop(InputError::Empty) => Text::StopEmpty,
        Fault::Stop(_) => Text::StopBad,
        Fault::Display(_) => Text::DisplayBad,
        Fault::DisplayTooLarge => Text::DisplayTooLarge,
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

/// The price that the order is reckoned at: its limit, its stop, or the best on the other side.
fn reckoned(app: App) -> Option<u64> {
    match app.form.style.get() {
        Style::Limit | Style::StopLimit => parse_amount(&app.form.price.get()).ok(),
        Style::Stop => parse_amount(&app.form.stop.get()).ok(),
        Style::Market => reference(app),
    }
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
    let tab = move |style: Style| {
        let text = match style {
            Style::Limit => Text::Limit,
            Style::Market => Text::Market,
            Style::StopLimit => Text::StopLimit,
            Style::Stop => Text::Stop,
        };
        view! {
            <button type="button" data-testid=format!("order-type-{}", style.as_str())
                aria-pressed=move || (form.style.get() == style).to_string() on:click=move |_| form.style.set(style)>
                {ui.t(text)}
            </button>
        }
    };
    view! {
        <div class="kinds">
            <div class="tabs" role="group" aria-label=ui.t(Text::Kind)>{Style::ALL.map(tab).into_iter().collect_view()}</div>
        </div>
    }
}

/// How long a limit order stands, and how.
#[component]
fn Terms() -> impl IntoView {
    let App { ui, form, .. } = App::get();
    let is_market = move || form.style.get().kind() == Kind::Market;
    let may_rest = move || !is_market() && form.tif.get() == Tif::Gtc;
    let may_be_post_only = move || may_rest() && form.style.get() == Style::Limit;
    let condition = move |tif: Tif| {
        let text = match tif {
            Tif::Gtc => Text::TifGtc,
            Tif::Ioc => Text::TifIoc,
            Tif::Fok => Text::TifFok,
        };
        view! {
            <button type="button" data-testid=format!("order-tif-{}", tif.as_str().to_ascii_lowercase()) title=ui.t(text)
                disabled=is_market aria-pressed=move || (!is_market() && form.tif.get() == tif).to_string()
                on:click=move |_| form.tif.set(tif)>
                {tif.as_str()}
            </button>
        }
    };
    view! {
        <div class="terms">
            <div class="segments" role="group" aria-label=ui.t(Text::Tif)>
                {Tif::ALL.map(condition).into_iter().collect_view()}
            </div>
            <label class="check" title=ui.t(Text::PostOnlyHint)>
                <input type="checkbox" data-testid="order-post-only" prop:checked=form.post_only
                    disabled=move || !may_be_post_only()
                    on:change=move |event| form.post_only.set(event_target_checked(&event))/>
                <span>{ui.t(Text::PostOnly)}</span>
            </label>
            <label class="show" title=ui.t(Text::DisplayHint)>
                <span>{ui.t(Text::Display)}</span>
                <input class="num" data-testid="order-display" inputmode="numeric" autocomplete="off"
                    disabled=move || !may_rest() placeholder=ui.t(Text::DisplayAll) prop:value=form.display
                    on:input=move |event| form.display.set(event_target_value(&event))/>
            </label>
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

/// A field with a price that arrow keys and buttons move by ticks, ten at a time with Shift.
#[component]
fn PriceField(
    id: &'static str,
    text: Text,
    value: RwSignal<String>,
    #[prop(into)] off: Signal<bool>,
) -> impl IntoView {
    let app = App::get();
    let App { ui, form, .. } = app;
    let step = move |ticks: i64| untrack(|| form.step(value, ticks, reference(app)));
    let on_key = move |event: KeyboardEvent| {
        let ticks = if event.shift_key() { 10 } else { 1 };
        let ticks = match event.key().as_str() {
            "ArrowUp" => ticks,
            "ArrowDown" => -ticks,
            _ => return,
        };
        event.prevent_default();
        step(ticks);
    };
    let labelled =
        move |direction: Text| move || format!("{} {}", text.of(ui.lang.get()), direction.of(ui.lang.get()));
    view! {
        <div class="field" class:off=off>
            <label for=id>{ui.t(text)}</label>
            <input id=id data-testid=id class="num" inputmode="numeric" autocomplete="off"
                disabled=off prop:value=move || if off.get() { String::new() } else { value.get() }
                placeholder=move || off.get().then(|| Text::MarketPrice.of(ui.lang.get()))
                on:input=move |event| value.set(event_target_value(&event)) on:keydown=on_key/>
            <button type="button" data-testid=format!("{id}-down") disabled=off aria-label=labelled(Text::PriceDown)
                on:click=move |_| step(-1)>"−"</button>
            <button type="button" data-testid=format!("{id}-up") disabled=off aria-label=labelled(Text::PriceUp)
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
            let (side, kind) = (form.side.get(), form.style.get().kind());
            let price = reckoned(app).or_else(|| reference(app).filter(|_| kind == Kind::Limit));
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

/// What the order comes to, before it is sent.
#[component]
fn Total() -> impl IntoView {
    let app = App::get();
    let App { ui, form, account, .. } = app;
    let preview = Memo::new(move |_| {
        let quantity = parse_amount(&form.quantity.get()).ok()?;
        let available = account.available(&spent(app));
        preview(form.side.get(), form.style.get().kind(), reckoned(app)?, quantity, available)
    });
    let figure = move |read: fn(Preview) -> u64| {
        move || preview.get().map_or("–".into(), |preview| group(read(preview)))
    };
    let label = move || {
        let is_market = form.style.get().kind() == Kind::Market;
        if is_market { Text::EstimatedTotal } else { Text::Total }.of(ui.lang.get())
    };
    let is_short = move || {
        account.session.with(Option::is_some) && preview.get().is_some_and(|preview| preview.left.is_none())
    };
    let left = move || match preview.get() {
        Some(Preview { left: Some(left), .. }) => group(left),
        Some(_) if is_short() => Text::NotEnough.of(ui.lang.get()).to_owned(),
        _ => "–".into(),
    };
    view! {
        <div class="line">
            <span>{ui.t(Text::WillLock)}</span>
            <b class="num" data-testid="order-locked">{figure(|preview| preview.locked)}</b>
        </div>
        <div class="line">
            <span>{ui.t(Text::Fee)}</span>
            <b class="num" data-testid="order-fee">{figure(|_| FEE)}</b>
        </div>
        <div class="line">
            <span>{ui.t(Text::LeftAfter)}</span>
            <b class="num" class:fault=is_short data-testid="order-left">{left}</b>
        </div>
        <div class="line total">
            <span>{label}</span>
            <b class="num" data-testid="order-total">{figure(|preview| preview.total)}</b>
        </div>
    }
}

#[component]
fn Submit() -> impl IntoView {
    let App { ui, market, account, form, .. } = App::get();
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
