//! Tables of the page. Cells and heads are erased to one type each, so that a column more costs a line and not a kilobyte.

use crate::i18n::Text;
use crate::stores::{App, Ui};
use leptos::prelude::*;

/// A column: its head, and the classes of its cells.
pub type Column = (Text, &'static str);

pub fn heads(ui: Ui, columns: &[Column]) -> AnyView {
    let head = |(text, class): &Column| view! { <th scope="col" class=*class>{ui.t(*text)}</th> }.into_any();
    let heads: Vec<AnyView> = columns.iter().map(head).collect();
    view! { <thead><tr>{heads}</tr></thead> }.into_any()
}

/// A cell whose text follows what it reads.
pub fn cell(class: &'static str, text: impl Fn() -> String + Send + Sync + 'static) -> AnyView {
    erased(class, Box::new(text))
}

fn erased(class: &'static str, text: Box<dyn Fn() -> String + Send + Sync>) -> AnyView {
    view! { <td class=class>{move || text()}</td> }.into_any()
}

/// What a list says when it is empty.
pub fn nothing(text: Text, none: Signal<bool>) -> AnyView {
    let ui = App::get().ui;
    let told = move || none.get().then(|| view! { <p class="empty">{ui.t(text)}</p> });
    told.into_any()
}
