//! The page's state: one store for the market, one for the account, one for the page itself, and the order form.

mod account;
mod form;
mod market;
mod ui;
mod venue;

pub use account::{Account, OrderCell};
pub use form::Form;
pub use market::{FeedState, Market, SymbolRow};
pub use ui::{Mood, Panel, Tab, Toast, Ui};
pub use venue::Venue;

use leptos::prelude::{GetValue, LocalStorage, SetValue, StoredValue, expect_context, provide_context};
use std::rc::Rc;

#[derive(Clone, Copy)]
pub struct App {
    pub ui: Ui,
    pub market: Market,
    pub account: Account,
    pub form: Form,
    /// Where the page trades, if not at the exchange that serves it.
    elsewhere: StoredValue<Option<Rc<dyn Venue>>, LocalStorage>,
}

impl App {
    /// The stores, for the whole life of the page.
    pub fn provide() -> App {
        let app = App {
            ui: Ui::new(),
            market: Market::new(),
            account: Account::new(),
            form: Form::new(),
            elsewhere: StoredValue::new_local(None),
        };
        provide_context(app);
        app
    }

    pub fn get() -> App {
        expect_context::<App>()
    }

    /// Trades there from now on.
    pub fn trade_at(self, venue: Rc<dyn Venue>) {
        self.elsewhere.set_value(Some(venue));
    }

    pub fn venue(self) -> Option<Rc<dyn Venue>> {
        self.elsewhere.get_value()
    }
}
