//! The page's state: one store for the market, one for the account, one for the page itself, and the order form.

mod account;
mod form;
mod market;
mod ui;

pub use account::{Account, OrderCell};
pub use form::Form;
pub use market::{FeedState, Market, SymbolRow};
pub use ui::{Mood, Panel, Tab, Toast, Ui};

use leptos::prelude::{expect_context, provide_context};

#[derive(Clone, Copy)]
pub struct App {
    pub ui: Ui,
    pub market: Market,
    pub account: Account,
    pub form: Form,
}

impl App {
    /// The stores, for the whole life of the page.
    pub fn provide() -> App {
        let app = App { ui: Ui::new(), market: Market::new(), account: Account::new(), form: Form::new() };
        provide_context(app);
        app
    }

    pub fn get() -> App {
        expect_context::<App>()
    }
}
