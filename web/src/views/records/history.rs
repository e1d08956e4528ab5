//! Orders that have ended.

use crate::i18n::{Lang, Text, reason_text};
use crate::logic::amount::group;
use crate::logic::order::Order;
use crate::stores::{App, OrderCell};
use crate::trading;
use crate::views::orders::{created, kind_text, price_text, side, status_text};
use crate::views::table::{Column, cell, heads, nothing};
use leptos::prelude::*;

const COLUMNS: [Column; 9] = [
    (Text::Time, ""),
    (Text::Symbol, ""),
    (Text::Side, ""),
    (Text::Kind, "wide"),
    (Text::Price, "right"),
    (Text::AveragePrice, "right wide"),
    (Text::Quantity, "right wide"),
    (Text::Filled, "right"),
    (Text::Status, ""),
];

#[component]
pub fn History() -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    view! {
        <table>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || account.closed.get() key=|cell| cell.id.clone() children=|cell| view! { <Row cell/> }/>
            </tbody>
        </table>
        {nothing(Text::NoHistory, Signal::derive(move || account.closed.with(Vec::is_empty)))}
        <Show when=move || account.cursor.with(Option::is_some)>
            <button type="button" class="more" data-testid="history-more" on:click=move |_| trading::load_more(app)>
                {ui.t(Text::More)}
            </button>
        </Show>
    }
}

#[component]
fn Row(cell: OrderCell) -> impl IntoView {
    let app = App::get();
    let lang = app.ui.lang;
    let order = RwSignal::from(cell.order);
    let reason = move || {
        order.with(|order| {
            let reason = order.reason.as_deref()?;
            let text = reason_text(reason, lang.get()).unwrap_or(reason);
            Some(view! { <small class="dim" title=text.to_owned()>{text.to_owned()}</small> })
        })
    };
    let of = move |class, read: fn(&Order, Lang) -> String| {
        self::cell(class, move || order.with(|order| read(order, lang.get())))
    };
    view! {
        <tr data-testid=format!("history-order-{}", cell.id) data-status=move || order.with(|order| order.status.as_str())>
            {created(app, order)}
            {of("", |order, _| order.symbol.clone())}
            <td>{side(app, order)}</td>
            {of("wide", kind_text)}
            {of("num right", price_text)}
            {of("num right wide", |order, _| order.average_price().map_or("–".into(), group))}
            {of("num right wide", |order, _| group(order.quantity))}
            {of("num right", |order, _| group(order.filled))}
            <td>{move || status_text(order.with(|order| order.status)).of(lang.get())} {reason}</td>
        </tr>
    }
}
