//! The order form as it is filled in.

use crate::logic::amount::{group, parse_amount};
use crate::logic::order::{Kind, Side, Tif};
use crate::logic::ticket::{Ticket, step};
use leptos::prelude::*;

#[derive(Clone, Copy)]
pub struct Form {
    pub side: RwSignal<Side>,
    pub kind: RwSignal<Kind>,
    pub tif: RwSignal<Tif>,
    pub price: RwSignal<String>,
    pub quantity: RwSignal<String>,
    pub sending: RwSignal<bool>,
}

impl Form {
    pub fn new() -> Form {
        Form {
            side: RwSignal::new(Side::Buy),
            kind: RwSignal::new(Kind::Limit),
            tif: RwSignal::new(Tif::Gtc),
            price: RwSignal::new(String::new()),
            quantity: RwSignal::new(String::new()),
            sending: RwSignal::new(false),
        }
    }

    /// Everything of it, followed.
    pub fn ticket(self, symbol: String) -> Ticket {
        Ticket {
            symbol,
            side: self.side.get(),
            kind: self.kind.get(),
            tif: self.tif.get(),
            price: self.price.get(),
            quantity: self.quantity.get(),
        }
    }

    /// Takes over a price of the book.
    pub fn set_price(self, price: u64) {
        self.price.set(group(price));
    }

    /// Moves the price by some ticks; an empty one starts at `reference`.
    pub fn step_price(self, ticks: i64, reference: Option<u64>) {
        let price = match parse_amount(&self.price.get_untracked()) {
            Ok(price) => Some(step(price, ticks)),
            Err(_) => reference,
        };
        if let Some(price) = price {
            self.set_price(price);
        }
    }

    /// Another symbol has other prices.
    pub fn clear(self) {
        self.price.set(String::new());
        self.quantity.set(String::new());
    }
}
