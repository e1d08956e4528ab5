//! Questions before something is done: sending an order, changing one, cancelling all. The dialogs are in the page, what is
//! in them comes with the first question.

use crate::i18n::{Lang, Text};
use crate::logic::amount::{group, parse_amount};
use crate::logic::order::{Kind, Order, Side};
use crate::logic::ticket::{Request, total};
use crate::stores::App;
use crate::trading;
use crate::views::on_demand::{Loading, OnDemand, Part};
use leptos::ev::SubmitEvent;
use leptos::{html, prelude::*};
use wasm_split_helpers::wasm_split;

#[component]
pub fn Dialogs() -> impl IntoView {
    let App { ui, form, .. } = App::get();
    let asked = Signal::derive(move || form.asked.with(Option::is_some));
    let amending = Signal::derive(move || ui.amending.with(Option::is_some));
    view! {
        <Modal name="confirm" title=Text::ConfirmOrder open=asked close=move || form.asked.set(None)
            load=|| Box::pin(confirm())/>
        <Modal name="amend" title=Text::Amend open=amending close=move || ui.amending.set(None)
            load=|| Box::pin(amend())/>
        <Modal name="cancel-all" title=Text::CancelAll open=ui.cancelling close=move || ui.cancelling.set(false)
            load=|| Box::pin(cancel_all())/>
    }
}

#[wasm_split(dialogs, fallible)]
fn confirm() -> Part {
    Ok(|| view! { <ConfirmOrder/> }.into_any())
}

#[wasm_split(dialogs, fallible)]
fn amend() -> Part {
    Ok(|| view! { <AmendOrder/> }.into_any())
}

#[wasm_split(dialogs, fallible)]
fn cancel_all() -> Part {
    Ok(|| view! { <CancelAll/> }.into_any())
}

/// A dialog in front of everything while `open` holds; `close` hears that the user wants it gone.
#[component]
fn Modal(
    name: &'static str,
    title: Text,
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    load: fn() -> Loading,
) -> impl IntoView {
    let ui = App::get().ui;
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        match (open.get(), dialog.open()) {
            // A dialog that is in the page and closed can be opened.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let title_id = format!("{name}-title");
    let label = title_id.clone();
    view! {
        // Itself in focus until its answer is: a key that comes too early must not press the way out.
        <dialog node_ref=dialog class="login ask" autofocus aria-labelledby=label data-testid=name
            on:close=move |_| close.run(())>
            <header>
                <h2 id=title_id>{ui.t(title)}</h2>
                <button type="button" class="quiet" aria-label=ui.t(Text::Close) on:click=move |_| close.run(())>"×"</button>
            </header>
            <Show when=move || open.get()><OnDemand load/></Show>
        </dialog>
    }
}

/// The two ways out of a question.
#[component]
fn Choices(yes: Text, name: &'static str, close: Callback<()>) -> impl IntoView {
    let ui = App::get().ui;
    let send = NodeRef::<html::Button>::new();
    Effect::new(move || {
        if let Some(send) = send.get() {
            // At once, so that the next key is an answer; again where the dialog was not shown yet.
            let _ = send.focus();
            request_animation_frame(move || drop(send.focus()));
        }
    });
    view! {
        <div class="choices">
            <button type="submit" node_ref=send class="primary" data-testid=format!("{name}-yes")>{ui.t(yes)}</button>
            <button type="button" data-testid=format!("{name}-no") on:click=move |_| close.run(())>{ui.t(Text::Back)}</button>
        </div>
    }
}

#[component]
fn ConfirmOrder() -> impl IntoView {
    let app = App::get();
    let App { ui, form, .. } = app;
    let close = Callback::new(move |()| form.asked.set(None));
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(request) = form.asked.try_update(Option::take).flatten() {
            trading::place(app, request);
        }
    };
    let told = move || form.asked.with(|asked| asked.as_ref().map(|request| summary(request, ui.lang.get())));
    view! {
            <form on:submit=send>
                <p class="num" data-testid="confirm-summary">{told}</p>
                <label class="check">
                    <input type="checkbox" data-testid="confirm-off"
                        on:change=move |event| ui.choose_confirms(!event_target_checked(&event))/>
                    <span>{ui.t(Text::DoNotAsk)}</span>
                </label>
                <Choices yes=Text::Send name="confirm" close/>
            </form>
    }
}

/// `Buy TEST · Limit GTC · 10 @ 150 · Total 1,500`.
fn summary(request: &Request, lang: Lang) -> String {
    let side = if request.side == Side::Buy { Text::Buy } else { Text::Sell }.of(lang);
    let mut parts = vec![format!("{side} {}", request.symbol)];
    parts.push(match (request.kind, request.stop) {
        (Kind::Limit, None) => format!("{} {}", Text::Limit.of(lang), request.tif.as_str()),
        (Kind::Limit, Some(_)) => format!("{} {}", Text::StopLimit.of(lang), request.tif.as_str()),
        (Kind::Market, None) => Text::Market.of(lang).to_owned(),
        (Kind::Market, Some(_)) => Text::Stop.of(lang).to_owned(),
    });
    if let Some(stop) = request.stop {
        parts.push(format!("{} {}", Text::StopPrice.of(lang), group(stop)));
    }
    parts.push(match request.price {
        Some(price) => format!("{} @ {}", group(request.quantity), group(price)),
        None => group(request.quantity),
    });
    if request.post_only {
        parts.push(Text::PostOnly.of(lang).to_owned());
    }
    if let Some(display) = request.display {
        parts.push(format!("{} {}", Text::Display.of(lang), group(display)));
    }
    if let Some(total) = request.price.and_then(|price| total(price, request.quantity)) {
        parts.push(format!("{} {}", Text::Total.of(lang), group(total)));
    }
    parts.join(" · ")
}

/// Another price and open quantity for an order.
#[component]
fn AmendOrder() -> impl IntoView {
    let app = App::get();
    let App { ui, .. } = app;
    let close = Callback::new(move |()| ui.amending.set(None));
    let price = RwSignal::new(String::new());
    let quantity = RwSignal::new(String::new());
    let is_bad = RwSignal::new(false);
    Effect::new(move || {
        ui.amending.with(|order| {
            if let Some(order) = order {
                price.set(order.limit().map(group).unwrap_or_default());
                quantity.set(group(order.remaining));
                is_bad.set(false);
            }
        });
    });
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(order) = ui.amending.get_untracked() else { return };
        let wished = (parse_amount(&price.get_untracked()), parse_amount(&quantity.get_untracked()));
        let (Ok(price), Ok(quantity)) = wished else { return is_bad.set(true) };
        let changed = |new: u64, old: Option<u64>| Some(new).filter(|new| Some(*new) != old);
        let (price, quantity) = (changed(price, order.limit()), changed(quantity, Some(order.remaining)));
        if price.is_some() || quantity.is_some() {
            trading::amend(app, order.id, price, quantity);
        }
        ui.amending.set(None);
    };
    let field = move |id: &'static str, text: Text, value: RwSignal<String>| {
        view! {
            <label for=id>{ui.t(text)}</label>
            <input id=id data-testid=id class="num" inputmode="numeric" autocomplete="off" prop:value=value
                on:input=move |event| value.set(event_target_value(&event))/>
        }
    };
    let told = move || ui.amending.with(|order| order.as_ref().map(|order: &Order| order.symbol.clone()));
    view! {
            <form on:submit=send novalidate>
                <p>{told}</p>
                {field("amend-price", Text::Price, price)}
                {field("amend-quantity", Text::OpenQuantity, quantity)}
                <Show when=move || is_bad.get()><p class="fault" role="alert">{ui.t(Text::AmendBad)}</p></Show>
                <p>{ui.t(Text::AmendHint)}</p>
                <Choices yes=Text::Amend name="amend" close/>
            </form>
    }
}

#[component]
fn CancelAll() -> impl IntoView {
    let app = App::get();
    let App { ui, market, account, .. } = app;
    let close = Callback::new(move |()| ui.cancelling.set(false));
    let here = RwSignal::new(false);
    let cancel = move |event: SubmitEvent| {
        event.prevent_default();
        ui.cancelling.set(false);
        trading::cancel_all(app, here.get_untracked().then(|| market.symbol.get_untracked()));
    };
    let told = move || {
        let symbol = market.symbol.get();
        let wanted = move |symbol: &str, of: &str| !here.get() || symbol == of;
        let count = account.open.with(|open| {
            open.iter().filter(|cell| cell.order.with(|order| wanted(&symbol, &order.symbol))).count()
        });
        format!("{}: {count}", Text::OpenOrders.of(ui.lang.get()))
    };
    view! {
            <form on:submit=cancel>
                <p class="num">{told}</p>
                <label class="check">
                    <input type="checkbox" data-testid="cancel-all-here" prop:checked=here
                        on:change=move |event| here.set(event_target_checked(&event))/>
                    <span>{ui.t(Text::OnlyThisSymbol)}" "{move || market.symbol.get()}</span>
                </label>
                <Choices yes=Text::CancelAll name="cancel-all" close/>
            </form>
    }
}
