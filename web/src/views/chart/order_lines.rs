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
/// Pixels between a handle and the price scale.
const RIGHT_GAP: f64 = 12.0;

/// Where an order is drawn; `None` for one that has no price of its own.
pub fn line(order: &Order, symbol: &str, moves: &Moves) -> Option<OrderLine> {
    if order.symbol != symbol || !order.status.is_open() {
        return None;
    }
    let moving = moves.get(&order.id);
    let price = moving.map_or(order.limit()?, |moving| moving.price);
    Some(OrderLine { id: order.id.clone(), side: order.side, price, is_moving: moving.is_some() })
}

/// What handles have to know of the chart; it comes to them as context, for their code is loaded with the first order.
#[derive(Clone, Copy)]
pub struct Chart {
    pub picture: Handle,
    /// Counts up when the picture's scale may have changed.
    pub placed: RwSignal<u32>,
}

#[component]
pub fn OrderLines() -> impl IntoView {
    let app = App::get();
    let Chart { picture, placed } = expect_context();
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
    // One effect for all that changes: an attribute with one of its own weighs a kilobyte.
    Effect::new(move || {
        placed.track();
        let Some(place) = place.get() else { return };
        let price = price.get();
        let (y, scale) = picture.with_value(|picture| match picture {
            Some(picture) => (picture.y_of(price), picture.scale_width()),
            None => (None, 0.0),
        });
        let (side, remaining) = order.with(|order| (order.side, order.remaining));
        let lang = ui.lang.get();
        let side_text = if side == Side::Buy { Text::Buy } else { Text::Sell }.of(lang);
        let words = format!("{side_text} {} @ {}", group(remaining), group(price));
        let moving = moving.get();
        let is_sent = moving.is_some_and(|moving| moving.sent);
        let hidden = if y.is_none() { "visibility:hidden;" } else { "" };
        let y = y.unwrap_or(0.0).round() as i64;
        let right = (scale + RIGHT_GAP).round() as i64;
        for (name, value) in [
            (
                "class",
                format!("order-line {}{}", side.class(), if moving.is_some() { " moving" } else { "" }),
            ),
            ("title", Text::MoveHint.of(lang).into()),
            ("aria-label", format!("{}: {words}", Text::MoveOrder.of(lang))),
            ("aria-valuenow", price.to_string()),
            ("aria-busy", is_sent.to_string()),
            ("data-price", price.to_string()),
        ] {
            // A valid attribute name: it cannot fail.
            let _ = place.set_attribute(name, &value);
        }
        let _ = place.set_attribute("aria-valuetext", &words);
        // Not by the attribute, which the page's policy refuses.
        let look = format!("{hidden}right:{right}px;transform:translateY({y}px)");
        web_sys::HtmlElement::style(&place).set_css_text(&look);
        place.set_inner_text(&words);
    });
    view! {
        <div node_ref=place tabindex="0" role="slider" aria-orientation="vertical" aria-valuemin="1"
            data-testid=format!("order-line-{}", cell.id)
            on:pointerdown=grab on:pointermove=drag on:pointerup=drop_it on:pointercancel=lose
            on:blur=move |_| if !dragging.get_value() { release() } on:keydown=key></div>
    }
}
