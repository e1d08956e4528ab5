//! Trading by keyboard: single keys while nothing is typed into.
//!
//! `b` and `s` turn the form to buying and selling, `p` and `q` go to price and quantity, `/` to the search, `?` tells
//! these keys, Shift+Esc asks whether to cancel all orders. Enter in a field of the form sends it.

use crate::i18n::Text;
use crate::logic::order::Side;
use crate::stores::{App, Mood, Panel, Tab};
use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// For as long as the page is open.
pub fn listen(app: App) {
    let _ = window_event_listener(ev::keydown, move |event| on_key(app, &event));
}

fn on_key(app: App, event: &KeyboardEvent) {
    let App { ui, form, account, .. } = app;
    if event.ctrl_key() || event.alt_key() || event.meta_key() || is_dialog_open() {
        return;
    }
    if event.key() == "Escape" && event.shift_key() {
        if account.open.with_untracked(|open| !open.is_empty()) {
            // Else the browser closes with this very key what is opened by it.
            event.prevent_default();
            ui.tab.set(Tab::Open);
            ui.cancelling.set(true);
        }
        return;
    }
    if is_typing() {
        return;
    }
    let turn = |side: Side| {
        form.side.set(side);
        ui.panel.set(Panel::Order);
        focus("order-quantity");
    };
    match event.key().as_str() {
        "b" => turn(Side::Buy),
        "s" => turn(Side::Sell),
        "p" => focus("order-price"),
        "q" => focus("order-quantity"),
        "/" => focus("search"),
        "?" => ui.toast("keys", Mood::Neutral, ui.now(Text::Keys), ui.now(Text::KeysHint).into()),
        _ => return,
    }
    event.prevent_default();
}

/// Goes to an element of the page, if it is there and shown.
pub fn focus(id: &str) {
    let place = document().get_element_by_id(id).and_then(|place| place.dyn_into::<HtmlElement>().ok());
    if let Some(place) = place {
        // What cannot be focused stays as it is.
        let _ = place.focus();
    }
}

pub fn is_typing() -> bool {
    document()
        .active_element()
        .is_some_and(|here| matches!(here.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

pub fn is_dialog_open() -> bool {
    document().query_selector("dialog[open]").ok().flatten().is_some()
}
