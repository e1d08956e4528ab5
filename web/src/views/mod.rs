//! What the page looks like: one component a file, each reading the stores it shows.

mod arrange;
pub(crate) mod chart;
pub(crate) mod dialogs;
pub(crate) mod keys;
pub(crate) mod ladder;
mod login;
mod markets;
pub(crate) mod on_demand;
pub(crate) mod orders;
mod page;
mod records;
pub(crate) mod settings;
mod table;
pub(crate) mod tape;
pub(crate) mod ticket;
pub(crate) mod toasts;
pub(crate) mod top_bar;

pub use page::Page;
