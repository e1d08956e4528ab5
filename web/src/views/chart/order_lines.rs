//! Handles at the lines of the user's open orders. A handle is dragged to another price, or moved by the arrow keys and
//! sent by Enter; Escape lets go, Delete cancels the order. The line itself is the picture's.

use super::Handle;
use super::picture::OrderLine;
use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::moves::{Moves, snapped};
use crate::logic::order::{Order, Side};
use crate::logic::ticket::step;
use crate::stores::{App, OrderCell};
use crate::trading;
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::{html, prelude::*};

/// Ticks of an arrow key with Shift, and of the page keys.
const STRIDE: i64 = 10;

/// Where an order is drawn; `None` for one that has no price of its own.
pub fn line(order: &Order, symbol: &str, moves: &Moves) -> Option<OrderLine> {
    if order.symbol != symbol || !order.status.is_open() {
        return None;
    }
    let moving = moves.get(&order.id);
    let price = moving.map_or(order.limit()?, |moving| moving.price);
    Some(OrderLine { id: order.id.clone(), side: order.side, price, is_moving: moving.is_some() })
}

/// `placed` counts up when the picture's scale may have changed.
#[component]
pub fn OrderLines(picture: Handle, placed: RwSignal<u32>) -> impl IntoView {
    let app = App::get();
    let shown = move || {
        let symbol = app.market.symbol.get();
        let of_symbol =
            |cell: &OrderCell| cell.order.with(|order| order.symbol == symbol && order.limit().is_some());
        app.account.open.get().into_iter().filter(of_symbol).collect::<Vec<_>>()
    };
    view! {
        <div class="order-lines">
            <For each=shown key=|cell| cell.id.clone()
                children=move |cell| view! { <LineHandle cell picture placed/> }/>
        </div>
    }
}

#[component]
fn LineHandle(cell: OrderCell, picture: Handle, placed: RwSignal<u32>) -> impl IntoView {
    let app = App::get();
    let App { ui, account, .. } = app;
    let place = NodeRef::<html::Div>::new();
    let id = StoredValue::new(cell.id.clone());
    let order = RwSignal::from(cell.order);
    let moving = Memo::new(move |_| id.with_value(|id| account.moves.with(|moves| moves.get(id))));
    let price = Memo::new(move |_| {
        moving.get().map(|moving| moving.price).or_else(|| order.with(Order::limit)).unwrap_or(0)
    });
    let y = Memo::new(move |_| {
        placed.track();
        picture.with_value(|picture| picture.as_ref()?.y_of(price.get()))
    });
    let right = move || {
        placed.track();
        let width =
            picture.with_value(|picture| picture.as_ref().map_or(0.0, |picture| picture.scale_width()));
        format!("{}px", width + 64.0)
    };
    let hold = move |price: u64| {
        id.with_value(|id| {
            account.moves.update(|moves| {
                moves.hold(id, price);
            })
        })
    };
    let is_held = move || moving.get_untracked().is_some_and(|moving| !moving.sent);
    let release = move || {
        if is_held() {
            id.with_value(|id| account.moves.update(|moves| moves.release(id)));
        }
    };
    let send = move || {
        let Some(wished) = moving.get_untracked().filter(|moving| !moving.sent) else { return };
        if order.with_untracked(Order::limit) == Some(wished.price) {
            release();
        } else {
            trading::move_order(app, id.get_value(), wished.price);
        }
    };

    // Only a pointer that is down drags: keys hold an order too.
    let dragging = StoredValue::new(false);
    let grab = move |event: PointerEvent| {
        if event.button() != 0 || moving.get_untracked().is_some_and(|moving| moving.sent) {
            return;
        }
        event.prevent_default();
        if let Some(place) = place.get_untracked() {
            // Without capture or focus the drag still works over the handle itself.
            let _ = place.set_pointer_capture(event.pointer_id());
            let _ = place.focus();
        }
        dragging.set_value(true);
        hold(price.get_untracked());
    };
    let drag = move |event: PointerEvent| {
        if !dragging.get_value() || !is_held() {
            return;
        }
        let Some(lines) = place.get_untracked().and_then(|place| place.parent_element()) else { return };
        let y = f64::from(event.client_y()) - lines.get_bounding_client_rect().top();
        let at = picture.with_value(|picture| picture.as_ref().and_then(|picture| picture.price_at(y)));
        if let Some(price) = at.and_then(snapped) {
            hold(price);
        }
    };
    let drop_it = move |_: PointerEvent| {
        if dragging.get_value() {
            dragging.set_value(false);
            send();
        }
    };
    let lose = move |_: PointerEvent| {
        dragging.set_value(false);
        release();
    };
    let key = move |event: KeyboardEvent| {
        let stride = if event.shift_key() { STRIDE } else { 1 };
        let ticks = match event.key().as_str() {
            "ArrowUp" | "ArrowRight" => stride,
            "ArrowDown" | "ArrowLeft" => -stride,
            "PageUp" => STRIDE,
            "PageDown" => -STRIDE,
            "Enter" => {
                event.prevent_default();
                return send();
            }
            "Escape" => {
                dragging.set_value(false);
                return release();
            }
            "Delete" | "Backspace" => return trading::cancel(app, id.get_value()),
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        hold(step(price.get_untracked(), ticks));
    };
    let side = move || order.with(|order| order.side);
    let words = move || {
        let side = if side() == Side::Buy { Text::Buy } else { Text::Sell }.of(ui.lang.get());
        format!("{side} {} @ {}", group(order.with(|order| order.remaining)), group(price.get()))
    };
    view! {
        <div class=move || format!("order-line {}", side().class()) node_ref=place tabindex="0" role="slider"
            aria-orientation="vertical" aria-valuemin="1" aria-valuenow=price aria-valuetext=words
            aria-label=move || format!("{}: {}", ui.t(Text::MoveOrder)(), words()) title=ui.t(Text::MoveHint)
            data-testid=format!("order-line-{}", cell.id) data-price=price class:moving=move || moving.get().is_some()
            aria-busy=move || moving.get().is_some_and(|moving| moving.sent).to_string()
            hidden=move || y.get().is_none() style:right=right
            style:transform=move || format!("translateY({:.1}px)", y.get().unwrap_or(0.0))
            on:pointerdown=grab on:pointermove=drag on:pointerup=drop_it on:pointercancel=lose
            on:blur=move |_| if !dragging.get_value() { release() } on:keydown=key>
            <span aria-hidden="true">"⇕"</span> <span class="num">{words}</span>
        </div>
    }
}
