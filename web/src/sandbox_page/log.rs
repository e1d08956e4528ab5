//! The events, newest first, with filters.

use super::desk::Desk;
use super::texts::{Words, say, what_text};
use crate::i18n::{Text, reason_text};
use crate::logic::amount::group;
use crate::logic::clock;
use leptos::prelude::*;
use sandbox::account::FIRST_ORDER;
use sandbox::history::{LogLine, What};

const KINDS: [What; 9] = [
    What::Accepted,
    What::Filled,
    What::Cancelled,
    What::Reduced,
    What::Replaced,
    What::Triggered,
    What::Rejected,
    What::Refused,
    What::Market,
];

#[component]
pub fn Log() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let kind = move |what: What| {
        let is_on = move || desk.log_query.with(|query| query.what.contains(&what));
        let turn = move |_| {
            desk.log_query.update(|query| {
                query.before = None;
                match query.what.iter().position(|known| *known == what) {
                    Some(at) => drop(query.what.remove(at)),
                    None => query.what.push(what),
                }
            });
        };
        view! {
            <button type="button" data-testid=format!("log-{}", format!("{what:?}").to_lowercase())
                aria-pressed=move || is_on().to_string() on:click=turn>{say(ui, what_text(what))}</button>
        }
    };
    let is_last_page =
        move || desk.log.with(Vec::len) < usize::from(desk.log_query.with(|query| query.limit));
    let older = move |_| {
        let last = desk.log.with_untracked(|log| log.last().map(|line| line.sequence));
        desk.log_query.update(|query| query.before = last.or(query.before));
    };
    let number = move |event| {
        let order = event_target_value(&event).trim().parse().ok();
        desk.log_query.update(|query| query.order = order);
    };
    view! {
        <div class="log">
            <div class="filters">
                <div class="segments" role="group" aria-label=say(ui, Words::Event)>{KINDS.map(kind).into_iter().collect_view()}</div>
                <label class="check">
                    <input type="checkbox" data-testid="log-own" prop:checked=move || desk.log_query.with(|query| query.own)
                        on:change=move |event| desk.log_query.update(|query| query.own = event_target_checked(&event))/>
                    <span>{say(ui, Words::OnlyMine)}</span>
                </label>
                <input class="num" data-testid="log-order" inputmode="numeric" autocomplete="off"
                    aria-label=say(ui, Words::OrderNumber) placeholder=say(ui, Words::OrderNumber) on:input=number/>
            </div>
            <div class="list" tabindex="0">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"#"</th>
                            <th scope="col">{ui.t(Text::Time)}</th>
                            <th scope="col">{say(ui, Words::Event)}</th>
                            <th scope="col">{say(ui, Words::Order)}</th>
                            <th scope="col" class="right">{ui.t(Text::Price)}</th>
                            <th scope="col" class="right">{ui.t(Text::Quantity)}</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || desk.log.get() key=|line| line.sequence children=move |line| row(desk, line)/>
                    </tbody>
                </table>
                <div class="pages">
                    <button type="button" class="quiet" data-testid="log-newest" disabled=move || desk.log_query.with(|query| query.before.is_none())
                        on:click=move |_| desk.log_query.update(|query| query.before = None)>{say(ui, Words::NewestEvents)}</button>
                    <button type="button" class="quiet" data-testid="log-older" disabled=is_last_page on:click=older>{say(ui, Words::OlderEvents)}</button>
                </div>
                <Show when=move || desk.log.with(Vec::is_empty)><p class="empty">{say(ui, Words::NoEvents)}</p></Show>
            </div>
        </div>
    }
}

/// An order as it is named: the user's own ones are `my-1` and so on.
fn order_name(order: u64) -> String {
    if order > FIRST_ORDER { format!("my-{}", order - FIRST_ORDER) } else { format!("#{order}") }
}

fn row(desk: Desk, line: LogLine) -> impl IntoView {
    let ui = desk.app.ui;
    let time = clock::time_of_day(line.time, desk.app.market.day_offset_s());
    let millis = format!("{time}.{:03}", line.time % 1_000);
    let class = match line.buy {
        Some(true) => "up",
        Some(false) => "down",
        None => "",
    };
    let orders =
        [line.order, line.other].into_iter().flatten().map(order_name).collect::<Vec<_>>().join(" ← ");
    let number = |value: Option<u64>| value.map(group);
    let reason = line.reason.clone();
    let reason =
        move || reason.as_ref().map(|reason| reason_text(reason, ui.lang.get()).unwrap_or(reason).to_owned());
    view! {
        <tr data-testid="log-line" data-what=format!("{:?}", line.what) data-own=line.own.to_string() class:own=line.own>
            <td class="num dim">{group(line.sequence)}</td>
            <td class="num dim">{millis}</td>
            <td><b class=class>{say(ui, what_text(line.what))}</b> <small class="dim">{reason}</small></td>
            <td class="num">{orders}</td>
            <td class="num right">{number(line.price)}</td>
            <td class="num right">{number(line.quantity)}</td>
        </tr>
    }
}
