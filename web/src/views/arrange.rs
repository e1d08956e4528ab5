//! Rearranging the page by hand: over each column lies a handle to drag it to another's place, or to move by the arrow
//! keys, and between chart and orders a bar that makes these higher. A part that is loaded when the user asks for it.

use super::on_demand::Part;
use crate::i18n::Text;
use crate::logic::layout::{Column, HIGHEST, LOWEST};
use crate::stores::App;
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_split_helpers::wasm_split;

/// Pixels of an arrow key.
const STEP: i32 = 12;

#[wasm_split(settings, fallible)]
pub fn arrange() -> Part {
    Ok(|| view! { <Arrange/> }.into_any())
}

pub fn name(column: Column) -> Text {
    match column {
        Column::Markets => Text::Markets,
        Column::Centre => Text::Chart,
        Column::Book => Text::OrderBook,
        Column::Order => Text::Order,
    }
}

#[component]
fn Arrange() -> impl IntoView {
    let ui = App::get().ui;
    let shown = move || {
        let all = ui.layout.with(|layout| layout.columns());
        all.into_iter().filter(|(_, shown)| *shown).map(|(column, _)| column).collect::<Vec<_>>()
    };
    let leave = move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            ui.arranging.set(false);
        }
    };
    view! {
        <For each=shown key=|column| column.as_str() children=move |column| view! { <Handle column/> }/>
        <Height/>
        <div class="arrange-bar" role="group" aria-label=ui.t(Text::Layout) on:keydown=leave>
            <span>{ui.t(Text::ArrangeHint)}</span>
            <button type="button" class="primary" data-testid="arrange-done" on:click=move |_| ui.arranging.set(false)>
                {ui.t(Text::ArrangeDone)}
            </button>
        </div>
    }
}

/// The column whose handle is at a place of the window.
fn column_at(x: i32, y: i32) -> Option<Column> {
    let place = document().element_from_point(x as f32, y as f32)?;
    let handle = place.closest("[data-column]").ok().flatten()?;
    let name = handle.get_attribute("data-column")?;
    Column::ALL.into_iter().find(|column| column.as_str() == name)
}

#[component]
fn Handle(column: Column) -> impl IntoView {
    let ui = App::get().ui;
    let dragging = RwSignal::new(false);
    let grab = move |event: PointerEvent| {
        event.prevent_default();
        let target = event.current_target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(target) = target {
            // Without capture or focus the drag still works over the handle itself.
            let _ = target.set_pointer_capture(event.pointer_id());
            let _ = target.focus();
        }
        dragging.set(true);
    };
    let drop_it = move |event: PointerEvent| {
        if !dragging.get_untracked() {
            return;
        }
        dragging.set(false);
        if let Some(other) = column_at(event.client_x(), event.client_y()) {
            ui.change_layout(|layout| layout.exchange(column, other));
        }
    };
    let key = move |event: KeyboardEvent| {
        let right = match event.key().as_str() {
            "ArrowRight" => true,
            "ArrowLeft" => false,
            "Escape" => return ui.arranging.set(false),
            _ => return,
        };
        event.prevent_default();
        ui.change_layout(|layout| layout.shift(column, right));
    };
    let label = move || format!("{}: {}", name(column).of(ui.lang.get()), Text::MoveColumn.of(ui.lang.get()));
    view! {
        <button type="button" class=format!("arrange of-{}", column.as_str()) class:dragging=dragging
            data-column=column.as_str() data-testid=format!("arrange-{}", column.as_str()) aria-label=label
            on:pointerdown=grab on:pointerup=drop_it on:pointercancel=move |_| dragging.set(false) on:keydown=key>
            <b>{ui.t(name(column))}</b>
            <span aria-hidden="true">"⇄"</span>
        </button>
    }
}

/// The bar over the orders.
#[component]
fn Height() -> impl IntoView {
    let ui = App::get().ui;
    let from = RwSignal::new(None::<(i32, u16)>);
    let height = move || ui.layout.with(|layout| layout.height());
    let set = move |height: i32| {
        let height = height.clamp(LOWEST.into(), HIGHEST.into()) as u16;
        ui.change_layout(|layout| layout.set_height(height));
    };
    let grab = move |event: PointerEvent| {
        event.prevent_default();
        let target = event.current_target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(target) = target {
            // Without capture or focus the drag still works over the bar itself.
            let _ = target.set_pointer_capture(event.pointer_id());
            let _ = target.focus();
        }
        from.set(Some((event.client_y(), untrack(height))));
    };
    let drag = move |event: PointerEvent| {
        if let Some((y, height)) = from.get_untracked() {
            set(i32::from(height) + y - event.client_y());
        }
    };
    let key = move |event: KeyboardEvent| {
        let step = match event.key().as_str() {
            "ArrowUp" => STEP,
            "ArrowDown" => -STEP,
            "Escape" => return ui.arranging.set(false),
            _ => return,
        };
        event.prevent_default();
        set(i32::from(untrack(height)) + step);
    };
    view! {
        <div class="arrange-height" role="separator" aria-orientation="horizontal" tabindex="0" data-testid="arrange-height"
            aria-label=ui.t(Text::OrdersHeight) aria-valuemin=LOWEST.to_string() aria-valuemax=HIGHEST.to_string()
            aria-valuenow=move || height().to_string() on:pointerdown=grab on:pointermove=drag
            on:pointerup=move |_| from.set(None) on:pointercancel=move |_| from.set(None) on:keydown=key>
            <i aria-hidden="true"></i>
        </div>
    }
}
