//! The orders of each price one by one, first come first: whoever sees the book in sums does not see this.

use super::desk::Desk;
use super::texts::{Words, say};
use crate::i18n::Text;
use crate::logic::amount::group;
use leptos::prelude::*;
use sandbox::protocol::{QueueLevel, QueueOrder};

#[component]
pub fn Queues() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let side = move |at: usize| {
        move || {
            desk.queue.with(|queue| {
                let levels = queue.as_ref().map(|sides| sides[at].clone()).unwrap_or_default();
                let most = levels.iter().map(|level| level.quantity).max().unwrap_or(1).max(1);
                let mut rows: Vec<_> =
                    levels.into_iter().map(|level| level_view(desk, level, at == 0, most)).collect();
                if at == 1 {
                    rows.reverse();
                }
                rows.collect_view()
            })
        }
    };
    view! {
        <div class="queues list" data-testid="queues" tabindex="0">
            <p class="dim note">{say(ui, Words::QueueHint)}</p>
            <div role="group" aria-label=ui.t(Text::Sell)>{side(1)}</div>
            <hr/>
            <div role="group" aria-label=ui.t(Text::Buy)>{side(0)}</div>
            <Show when=move || desk.queue.with(|queue| queue.as_ref().is_none_or(|sides| sides.iter().all(Vec::is_empty)))>
                <p class="empty">{say(ui, Words::NothingYet)}</p>
            </Show>
        </div>
    }
}

/// One price: each order is as wide as it is large.
fn level_view(desk: Desk, level: QueueLevel, bid: bool, most: u64) -> impl IntoView {
    let ui = desk.app.ui;
    let hidden = level.orders.saturating_sub(level.first.len() as u32);
    let shown: u64 = level.first.iter().map(|order| order.quantity).sum();
    let width = format!("{:.1}%", shown as f64 * 100.0 / most as f64);
    let own = level.first.iter().position(|order| order.own);
    let block = |order: &QueueOrder| {
        let class = if order.own { "own" } else { "" };
        let grow = order.quantity.to_string();
        let name = if order.own {
            format!("my-{} · {}", order.order, group(order.quantity))
        } else {
            format!("#{} · {}", order.order, group(order.quantity))
        };
        view! { <i class=class style:flex-grow=grow title=name data-own=order.own.to_string()></i> }
    };
    let class = if bid { "up" } else { "down" };
    view! {
        <div class="line-of-orders" data-testid="queue-level" data-price=level.price data-orders=level.orders>
            <b class=format!("num {class}")>{group(level.price)}</b>
            <span class=format!("blocks {class}") style:width=width aria-hidden="true">{level.first.iter().map(block).collect_view()}</span>
            <span class="num dim">
                {group(level.quantity)} " · " {group(level.orders.into())}
                {(hidden > 0).then(|| view! { " +" {group(hidden.into())} })}
                {own.map(|at| view! { " " <em data-testid="queue-own">{say(ui, Words::Mine)} " " {at + 1}</em> })}
            </span>
        </div>
    }
}
