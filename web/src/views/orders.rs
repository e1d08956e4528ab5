//! Open orders, history and balances, in tabs. Every order is a row with one signal.

use super::balances::Balances;
use crate::i18n::{Lang, Text, reason_text};
use crate::logic::amount::group;
use crate::logic::clock;
use crate::logic::order::{Kind, Order, Side, Status};
use crate::stores::{App, OrderCell, Tab};
use crate::trading;
use leptos::prelude::*;

#[component]
pub fn OrdersPanel() -> impl IntoView {
    let App { ui, account, .. } = App::get();
    let tab = move |(tab, text, name): (Tab, Text, &'static str)| {
        let is_chosen = move || ui.tab.get() == tab;
        let count = move || {
            let open = account.open.with(Vec::len);
            (tab == Tab::Open && open > 0).then(|| view! { <i class="count num">{open}</i> })
        };
        view! {
            <button type="button" role="tab" id=format!("tab-{name}") data-testid=format!("tab-{name}")
                aria-controls=format!("list-{name}") aria-selected=move || is_chosen().to_string()
                on:click=move |_| ui.tab.set(tab)>
                {ui.t(text)} {count}
            </button>
        }
    };
    let tabs = [
        (Tab::Open, Text::OpenOrders, "open"),
        (Tab::History, Text::History, "history"),
        (Tab::Balances, Text::Balances, "balances"),
    ];
    view! {
        <section class="panel orders" aria-label=ui.t(Text::Orders)>
            <div class="tabs" role="tablist">{tabs.map(tab).collect_view()}</div>
            <div id="list-open" class="list" role="tabpanel" aria-labelledby="tab-open"
                hidden=move || ui.tab.get() != Tab::Open>
                <OpenOrders/>
            </div>
            <div id="list-history" class="list" role="tabpanel" aria-labelledby="tab-history"
                hidden=move || ui.tab.get() != Tab::History>
                <History/>
            </div>
            <div id="list-balances" class="list" role="tabpanel" aria-labelledby="tab-balances"
                hidden=move || ui.tab.get() != Tab::Balances>
                <Balances/>
            </div>
        </section>
    }
}

#[component]
fn OpenOrders() -> impl IntoView {
    let App { ui, account, .. } = App::get();
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">{ui.t(Text::Time)}</th>
                    <th scope="col">{ui.t(Text::Symbol)}</th>
                    <th scope="col">{ui.t(Text::Side)}</th>
                    <th scope="col" class="wide">{ui.t(Text::Kind)}</th>
                    <th scope="col" class="right">{ui.t(Text::Price)}</th>
                    <th scope="col" class="right">{ui.t(Text::Quantity)}</th>
                    <th scope="col" class="right">{ui.t(Text::Filled)}</th>
                    <th scope="col" class="right wide">{ui.t(Text::Remaining)}</th>
                    <th scope="col" class="wide">{ui.t(Text::Status)}</th>
                    <th scope="col" class="right">{ui.t(Text::Action)}</th>
                </tr>
            </thead>
            <tbody>
                <For each=move || account.open.get() key=|cell| cell.id.clone() children=|cell| view! { <OpenRow cell/> }/>
            </tbody>
        </table>
        <Nothing text=Text::NoOpenOrders none=Signal::derive(move || account.open.with(Vec::is_empty))/>
    }
}

#[component]
fn OpenRow(cell: OrderCell) -> impl IntoView {
    let app = App::get();
    let lang = app.ui.lang;
    let id = StoredValue::new(cell.id.clone());
    let order = RwSignal::from(cell.order);
    let status = move || order.with(|order| order.status);
    view! {
        <tr data-testid=format!("open-order-{}", cell.id) data-status=move || format!("{:?}", status())>
            <td class="num dim">{created(app, order)}</td>
            <td>{move || order.with(|order| order.symbol.clone())}</td>
            <td>{side(app, order)}</td>
            <td class="wide">{move || order.with(|order| kind_text(order, lang.get()))}</td>
            <td class="num right">{move || order.with(|order| price_text(order, lang.get()))}</td>
            <td class="num right">{move || order.with(|order| group(order.quantity))}</td>
            <td class="num right">{move || order.with(|order| group(order.filled))}</td>
            <td class="num right wide">{move || order.with(|order| group(order.remaining))}</td>
            <td class="wide">{move || status_text(status()).of(lang.get())}</td>
            <td class="right">
                <button type="button" class="quiet" data-testid=format!("cancel-{}", cell.id)
                    aria-label=move || format!("{} {}", Text::Cancel.of(lang.get()), id.get_value())
                    on:click=move |_| trading::cancel(app, id.get_value())>
                    {app.ui.t(Text::Cancel)}
                </button>
            </td>
        </tr>
    }
}

#[component]
fn History() -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">{ui.t(Text::Time)}</th>
                    <th scope="col">{ui.t(Text::Symbol)}</th>
                    <th scope="col">{ui.t(Text::Side)}</th>
                    <th scope="col" class="wide">{ui.t(Text::Kind)}</th>
                    <th scope="col" class="right">{ui.t(Text::Price)}</th>
                    <th scope="col" class="right wide">{ui.t(Text::AveragePrice)}</th>
                    <th scope="col" class="right wide">{ui.t(Text::Quantity)}</th>
                    <th scope="col" class="right">{ui.t(Text::Filled)}</th>
                    <th scope="col">{ui.t(Text::Status)}</th>
                </tr>
            </thead>
            <tbody>
                <For each=move || account.closed.get() key=|cell| cell.id.clone()
                    children=|cell| view! { <HistoryRow cell/> }/>
            </tbody>
        </table>
        <Nothing text=Text::NoHistory none=Signal::derive(move || account.closed.with(Vec::is_empty))/>
        <Show when=move || account.cursor.with(Option::is_some)>
            <button type="button" class="more" data-testid="history-more" on:click=move |_| trading::load_more(app)>
                {ui.t(Text::More)}
            </button>
        </Show>
    }
}

#[component]
fn HistoryRow(cell: OrderCell) -> impl IntoView {
    let app = App::get();
    let lang = app.ui.lang;
    let order = RwSignal::from(cell.order);
    let average = move || order.with(|order| order.average_price().map_or("–".into(), group));
    let status = move || order.with(|order| order.status);
    let reason = move || {
        order.with(|order| {
            let reason = order.reason.as_deref()?;
            let text = reason_text(reason, lang.get()).unwrap_or(reason);
            Some(view! { <small class="dim" title=text.to_owned()>{text.to_owned()}</small> })
        })
    };
    view! {
        <tr data-testid=format!("history-order-{}", cell.id) data-status=move || format!("{:?}", status())>
            <td class="num dim">{created(app, order)}</td>
            <td>{move || order.with(|order| order.symbol.clone())}</td>
            <td>{side(app, order)}</td>
            <td class="wide">{move || order.with(|order| kind_text(order, lang.get()))}</td>
            <td class="num right">{move || order.with(|order| price_text(order, lang.get()))}</td>
            <td class="num right wide">{average}</td>
            <td class="num right wide">{move || order.with(|order| group(order.quantity))}</td>
            <td class="num right">{move || order.with(|order| group(order.filled))}</td>
            <td>{move || status_text(status()).of(lang.get())} {reason}</td>
        </tr>
    }
}

/// What a list says when it is empty: that there is nothing, or that nobody is logged in.
#[component]
fn Nothing(text: Text, none: Signal<bool>) -> impl IntoView {
    let App { ui, account, .. } = App::get();
    move || {
        let text = if account.session.with(Option::is_some) { text } else { Text::LoginForOrders };
        none.get().then(|| view! { <p class="empty">{text.of(ui.lang.get())}</p> })
    }
}

fn created(app: App, order: RwSignal<Order>) -> impl IntoView {
    move || clock::date_and_time(order.with(|order| order.created_at), app.market.day_offset_s())
}

fn side(app: App, order: RwSignal<Order>) -> impl IntoView {
    let side = move || order.with(|order| order.side);
    let text = move || if side() == Side::Buy { Text::Buy } else { Text::Sell }.of(app.ui.lang.get());
    view! { <b class=move || side().class()>{text}</b> }
}

fn kind_text(order: &Order, lang: Lang) -> String {
    match (order.kind, order.tif) {
        (Some(Kind::Market), _) => Text::Market.of(lang).to_owned(),
        (Some(Kind::Limit), Some(tif)) => format!("{} {}", Text::Limit.of(lang), tif.as_str()),
        (Some(Kind::Limit), None) => Text::Limit.of(lang).to_owned(),
        (None, _) => "–".to_owned(),
    }
}

fn price_text(order: &Order, lang: Lang) -> String {
    match order.limit() {
        Some(price) => group(price),
        None => Text::Market.of(lang).to_owned(),
    }
}

fn status_text(status: Status) -> Text {
    match status {
        Status::Pending => Text::StatePending,
        Status::Accepted => Text::StateAccepted,
        Status::PartiallyFilled => Text::StatePartiallyFilled,
        Status::Filled => Text::StateFilled,
        Status::Cancelled => Text::StateCancelled,
        Status::Rejected => Text::StateRejected,
    }
}
