//! Pages beside the trading screen, each a part that is loaded when its address is opened: what administrators need
//! (`/#admin`), and what shows the exchange as programs see it (`/#console`).

pub mod admin;
pub mod console;
mod frame;
pub(crate) mod texts;
