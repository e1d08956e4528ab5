//! The sandbox's page: the trading page's components over another exchange, which runs in this tab.
//!
//! `desk`: the worker's line, and what was seen last as signals · `shown`: what the worker says in the words of the stores ·
//! `files`: files into the worker and out of it · `texts`: Korean and English
//! Views: `screen` · `controls` with `go` · `flows` · `inside` with `queue`, `heat`, `log`, `compare`, `fills` · `share` · `tour` · `keys`
//!
//! All of it is a part of the page that is loaded when the sandbox is opened; the page must call nothing here but `Screen`.

mod compare;
mod controls;
mod desk;
mod files;
mod fills;
mod flows;
mod go;
mod heat;
mod inside;
mod keys;
mod log;
mod queue;
mod screen;
mod share;
mod shown;
pub(crate) mod texts;
mod tour;

pub use screen::Screen;
