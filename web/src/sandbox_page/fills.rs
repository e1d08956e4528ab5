//! The user's fills, each with why it happened.

use super::desk::Desk;
use super::texts::{Words, fill_text, say};
use crate::logic::amount::group;
use crate::logic::clock;
use leptos::prelude::*;
use sandbox::account::OwnFill;

#[component]
pub fn Fills() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let row = move |fill: OwnFill| {
        let (class, words) = if fill.buy { ("up", Words::Bought) } else { ("down", Words::Sold) };
        view! {
            <li data-testid="own-fill" data-price=fill.price data-quantity=fill.quantity data-maker=fill.maker.to_string()>
                <time class="num dim">{clock::time_of_day(fill.time, desk.app.market.day_offset_s())}</time>
                <span>
                    <b class=class>{say(ui, words)}</b> " "
                    <b class="num">{group(fill.quantity)} " @ " {group(fill.price)}</b>
                    <small>{move || fill_text(&fill, ui.lang.get())}</small>
                </span>
            </li>
        }
    };
    view! {
        <div class="fills list" tabindex="0">
            <ol><For each=move || desk.fills.get() key=|fill| (fill.sequence, fill.maker) children=row/></ol>
            <Show when=move || desk.fills.with(Vec::is_empty)><p class="empty">{say(ui, Words::NoFills)}</p></Show>
        </div>
    }
}
