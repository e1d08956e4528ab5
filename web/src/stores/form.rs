//! The order form as it is filled in.

use crate::logic::amount::{group, parse_amount};
use crate::logic::order::{Side, Tif};
use crate::logic::ticket::{Request, Style, Ticket, step};
use leptos::prelude::*;

#[derive(Clone, Copy)]
pub struct Form {
    pub side: RwSignal<Side>,
    pub style: RwSignal<Style>,
    pub tif: RwSignal<Tif>,
    pub price: RwSignal<String>,
    pub quantity: RwSignal<String>,
    pub stop: RwSignal<String>,
    pub post_only: RwSignal<bool>,
    pub display: RwSignal<String>,
    pub sending: RwSignal<bool>,
    /// The order that waits for the user's confirmation.
    pub asked: RwSignal<Option<Request>>,
}

impl Form {
    pub fn new() -> Form {
        let empty = || RwSignal::new(String::new());
        Form {
            side: RwSignal::new(Side::Buy),
            style: RwSignal::new(Style::Limit),
            tif: RwSignal::new(Tif::Gtc),
            price: empty(),
            quantity: empty(),
            stop: empty(),
            post_only: RwSignal::new(false),
            display: empty(),
            sending: RwSignal::new(false),
            asked: RwSignal::new(None),
        }
    }

    /// Everything of it, followed.
    pub fn ticket(self, symbol: String) -> Ticket {
        Ticket {
            symbol,
            side: self.side.get(),
            style: self.style.get(),
            tif: self.tif.get(),
            price: self.price.get(),
            quantity: self.quantity.get(),
            stop: self.stop.get(),
            post_only: self.post_only.get(),
            display: self.display.get(),
        }
    }

    /// Takes over a price of the book: a form without a limit is turned to one.
    pub fn take_price(self, price: u64) {
        match self.style.get_untracked() {
            Style::Market => self.style.set(Style::Limit),
            Style::Stop => self.style.set(Style::StopLimit),
            Style::Limit | Style::StopLimit => {}
        }
        self.set_price(price);
    }

    pub fn set_price(self, price: u64) {
        self.price.set(group(price));
    }

    /// Moves a price by some ticks; an empty one starts at `reference`.
    pub fn step(self, field: RwSignal<String>, ticks: i64, reference: Option<u64>) {
        let price = match parse_amount(&field.get_untracked()) {
            Ok(price) => Some(step(price, ticks)),
            Err(_) => reference,
        };
        if let Some(price) = price {
            field.set(group(price));
        }
    }

    /// Another symbol has other prices.
    pub fn clear(self) {
        for field in [self.price, self.quantity, self.stop, self.display] {
            field.set(String::new());
        }
        self.asked.set(None);
    }
}
