//! What has been: the history of orders, fills, balances with profit and loss, and all of them as files. One part, loaded
//! when one of these is first looked at.

mod balances;
mod files;
mod fills;
mod history;

use super::on_demand::Part;
use crate::stores::{App, Tab};
use leptos::prelude::*;
use std::pin::Pin;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

/// What has become of a list that was to be a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    Rows(usize),
    Failed,
}

pub type Saving = Pin<Box<dyn Future<Output = Saved>>>;

#[wasm_split(records, fallible)]
pub fn history() -> Part {
    Ok(|| view! { <history::History/> }.into_any())
}

#[wasm_split(records, fallible)]
pub fn fills() -> Part {
    Ok(|| view! { <fills::FillList/> }.into_any())
}

#[wasm_split(records, fallible)]
pub fn balances() -> Part {
    Ok(|| view! { <balances::Balances/> }.into_any())
}

/// Who writes a list to a file.
#[wasm_split(records, fallible)]
pub fn saver() -> Result<fn(App, Tab) -> Saving, SplitLoaderError> {
    Ok(|app, tab| Box::pin(files::save(app, tab)))
}
