//! The panel of orders: open orders, history, fills and balances, in tabs. Every order is a row with one signal. The open
//! orders are loaded for who is logged in, the other lists (`records`) when their tab is first chosen.

use super::records::{self, Saved};
use super::table::{Column, cell, heads, nothing};
use crate::i18n::{Lang, Text};
use crate::logic::amount::group;
use crate::logic::clock;
use crate::logic::order::{Kind, Order, Side, Status};
use crate::stores::{App, Mood, OrderCell, Tab};
use crate::trading;
use crate::views::on_demand::{Loading, OnDemand, Part};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_split_helpers::wasm_split;
use web_sys::HtmlElement;

/// How a list is called, and how it comes.
type List = (Tab, Text, &'static str, fn() -> Loading);

const LISTS: [List; 4] = [
    (Tab::Open, Text::OpenOrders, "open", || Box::pin(open_orders())),
    (Tab::History, Text::History, "history", || Box::pin(records::history())),
    (Tab::Fills, Text::Fills, "fills", || Box::pin(records::fills())),
    (Tab::Balances, Text::Balances, "balances", || Box::pin(records::balances())),
];

#[component]
pub fn OrdersPanel() -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    // Another venue keeps no history of fills beside its own.
    let lists: Vec<_> =
        LISTS.into_iter().filter(|(tab, ..)| app.venue().is_none() || *tab != Tab::Fills).collect();
    let tab = move |(tab, text, name): (Tab, Text, &'static str)| {
        let is_chosen = move || ui.tab.get() == tab;
        let count = move || {
            let open = account.open.with(Vec::len);
            (tab == Tab::Open && open > 0).then(|| view! { <i class="count num">{open}</i> })
        };
        view! {
            <button type="button" role="tab" id=format!("tab-{name}") data-testid=format!("tab-{name}")
                aria-controls=format!("list-{name}") aria-selected=move || is_chosen().to_string()
                tabindex=move || if is_chosen() { "0" } else { "-1" }
                on:click=move |_| ui.tab.set(tab)>
                {ui.t(text)} {count}
            </button>
        }
    };
    let tabs: Vec<_> = lists.iter().map(|(of, text, name, _)| tab((*of, *text, *name))).collect();
    let list = |(tab, _, name, load)| view! { <List tab name load/> };
    view! {
        <section class="panel orders" aria-label=ui.t(Text::Orders)>
            <div class="tabs">
                <div role="tablist" on:keydown=walk_tabs>{tabs}</div>
                <Actions/>
            </div>
            {lists.into_iter().map(list).collect_view()}
        </section>
    }
}

/// A list of whoever is logged in, loaded when it is first looked at. What has been shown stays.
#[component]
fn List(tab: Tab, name: &'static str, load: fn() -> Loading) -> impl IntoView {
    let App { ui, account, .. } = App::get();
    let is_chosen = move || ui.tab.get() == tab;
    let was_chosen = Memo::new(move |before: Option<&bool>| before == Some(&true) || is_chosen());
    let nobody = move || view! { <p class="empty">{ui.t(Text::LoginForOrders)}</p> };
    let is_known = move || account.session.with(Option::is_some);
    view! {
        <div id=format!("list-{name}") class="list" role="tabpanel" tabindex="0" aria-labelledby=format!("tab-{name}")
            hidden=move || !is_chosen()>
            <Show when=is_known fallback=nobody>
                <Show when=move || was_chosen.get()><OnDemand load/></Show>
            </Show>
        </div>
    }
}

#[wasm_split(orders, fallible)]
fn open_orders() -> Part {
    Ok(|| view! { <OpenOrders/> }.into_any())
}

/// Arrow keys go from tab to tab.
pub fn walk_tabs(event: KeyboardEvent) {
    let forward = match event.key().as_str() {
        "ArrowRight" => true,
        "ArrowLeft" => false,
        _ => return,
    };
    let Some(here) = document().active_element() else { return };
    let next = if forward { here.next_element_sibling() } else { here.previous_element_sibling() };
    if let Some(next) = next.and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
        event.prevent_default();
        // What cannot be focused stays as it is.
        let _ = next.focus();
        next.click();
    }
}

/// What can be done with the whole of a list.
#[component]
fn Actions() -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    let saving = RwSignal::new(false);
    let save = move |_| {
        saving.set(true);
        spawn_local(async move {
            let saved = match records::saver().await {
                Ok(save) => save(app, ui.tab.get_untracked()).await,
                Err(_) => Saved::Failed,
            };
            saving.set(false);
            match saved {
                Saved::Rows(count) => {
                    ui.toast("csv", Mood::Good, ui.now(Text::ListSaved), group(count as u64))
                }
                Saved::Failed => ui.toast("csv", Mood::Bad, ui.now(Text::ListNotSaved), String::new()),
            }
        });
    };
    view! {
        <Show when=move || account.session.with(Option::is_some)>
            <div class="actions">
                <button type="button" class="quiet" data-testid="cancel-all-open" hidden=move || ui.tab.get() != Tab::Open
                    disabled=move || account.open.with(Vec::is_empty) on:click=move |_| ui.cancelling.set(true)>
                    {ui.t(Text::CancelAll)}
                </button>
                <button type="button" class="quiet" data-testid="save-csv" disabled=saving title=ui.t(Text::SaveList)
                    on:click=save>"CSV"</button>
            </div>
        </Show>
    }
}

const OPEN_COLUMNS: [Column; 10] = [
    (Text::Time, ""),
    (Text::Symbol, ""),
    (Text::Side, ""),
    (Text::Kind, "wide"),
    (Text::Price, "right"),
    (Text::Quantity, "right"),
    (Text::Filled, "right wide"),
    (Text::Remaining, "right wide"),
    (Text::Status, "wide"),
    (Text::Action, "right"),
];

#[component]
fn OpenOrders() -> impl IntoView {
    let App { ui, account, .. } = App::get();
    view! {
        <table>
            {heads(ui, &OPEN_COLUMNS)}
            <tbody>
                <For each=move || account.open.get() key=|cell| cell.id.clone() children=|cell| view! { <OpenRow cell/> }/>
            </tbody>
        </table>
        {nothing(Text::NoOpenOrders, Signal::derive(move || account.open.with(Vec::is_empty)))}
    }
}

#[component]
fn OpenRow(cell: OrderCell) -> impl IntoView {
    let app = App::get();
    let lang = app.ui.lang;
    let id = StoredValue::new(cell.id.clone());
    let order = RwSignal::from(cell.order);
    let before = Memo::new(move |_| app.account.ahead.with(|all| id.with_value(|id| all.get(id).copied())));
    let ahead = move || {
        let (orders, quantity) = before.get()?;
        let text = ahead_text(orders, quantity, lang.get());
        let name = id.with_value(|id| format!("ahead-{id}"));
        Some(view! { <small class="num ahead" data-testid=name data-orders=orders>{text}</small> })
    };
    let named = move |text: Text| move || format!("{} {}", text.of(lang.get()), id.get_value());
    let of = move |class, read: fn(&Order, Lang) -> String| {
        self::cell(class, move || order.with(|order| read(order, lang.get())))
    };
    view! {
        <tr data-testid=format!("open-order-{}", cell.id) data-status=move || order.with(|order| order.status.as_str())>
            {created(app, order)}
            {of("", |order, _| order.symbol.clone())}
            <td>{side(app, order)} {ahead}</td>
            {of("wide", kind_text)}
            {of("num right", price_text)}
            {of("num right", |order, _| group(order.quantity))}
            {of("num right wide", |order, _| group(order.filled))}
            {of("num right wide", |order, _| group(order.remaining))}
            {of("wide", |order, lang| status_text(order.status).of(lang).to_owned())}
            <td class="right">
                <button type="button" class="quiet" data-testid=format!("amend-{}", cell.id)
                    hidden=move || order.with(|order| order.limit().is_none()) aria-label=named(Text::Amend)
                    on:click=move |_| app.ui.amending.set(Some(order.get_untracked()))>
                    {app.ui.t(Text::Amend)}
                </button>
                " "
                <button type="button" class="quiet" data-testid=format!("cancel-{}", cell.id) aria-label=named(Text::Cancel)
                    on:click=move |_| trading::cancel(app, id.get_value())>
                    {app.ui.t(Text::Cancel)}
                </button>
            </td>
        </tr>
    }
}

pub fn created(app: App, order: RwSignal<Order>) -> AnyView {
    cell("num dim", move || {
        let time = order.with(|order| order.created_at);
        clock::date_and_time(time, app.market.day_offset_s(), app.ui.lang.get())
    })
}

pub fn side(app: App, order: RwSignal<Order>) -> AnyView {
    side_mark(app, Signal::derive(move || order.with(|order| order.side)))
}

/// Buying or selling, in its colour.
pub fn side_mark(app: App, side: Signal<Side>) -> AnyView {
    let text = move || if side.get() == Side::Buy { Text::Buy } else { Text::Sell }.of(app.ui.lang.get());
    view! { <b class=move || side.get().class()>{text}</b> }.into_any()
}

/// `12 ahead (340)`.
fn ahead_text(orders: u32, quantity: u64, lang: Lang) -> String {
    match (orders, lang) {
        (0, _) => Text::FirstInLine.of(lang).to_owned(),
        (_, Lang::Ko) => format!("앞에 {}건 ({})", group(orders.into()), group(quantity)),
        (_, Lang::En) => format!("{} ahead ({})", group(orders.into()), group(quantity)),
    }
}

pub fn kind_text(order: &Order, lang: Lang) -> String {
    let name = match (order.kind, order.stop) {
        (Some(Kind::Market), None) => Text::Market,
        (Some(Kind::Market), Some(_)) => Text::Stop,
        (Some(Kind::Limit), None) => Text::Limit,
        (Some(Kind::Limit), Some(_)) => Text::StopLimit,
        (None, _) => return "–".to_owned(),
    };
    let mut parts = vec![name.of(lang).to_owned()];
    if let (Some(Kind::Limit), Some(tif)) = (order.kind, order.tif) {
        parts.push(tif.as_str().to_owned());
    }
    if let Some(stop) = order.stop {
        let sign = if order.side == Side::Buy { "≥" } else { "≤" };
        parts.push(format!("{sign} {}", group(stop)));
    }
    if order.post_only {
        parts.push(Text::PostOnly.of(lang).to_owned());
    }
    if let Some(display) = order.display {
        parts.push(format!("{} {}", Text::Display.of(lang), group(display)));
    }
    parts.join(" ")
}

pub fn price_text(order: &Order, lang: Lang) -> String {
    match order.limit() {
        Some(price) => group(price),
        None => Text::Market.of(lang).to_owned(),
    }
}

pub fn status_text(status: Status) -> Text {
    match status {
        Status::Pending => Text::StatePending,
        Status::Accepted => Text::StateAccepted,
        Status::PartiallyFilled => Text::StatePartiallyFilled,
        Status::Filled => Text::StateFilled,
        Status::Cancelled => Text::StateCancelled,
        Status::Rejected => Text::StateRejected,
    }
}
