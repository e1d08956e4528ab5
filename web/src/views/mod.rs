//! What the page looks like: one component a file, each reading the stores it shows.

mod balances;
mod chart;
mod ladder;
mod login;
mod markets;
mod orders;
mod page;
mod tape;
mod ticket;
mod toasts;
mod top_bar;

pub use page::Page;
