//! W2, the shape of the golden flows: 73 % adds around a price that drifts, 22 % cancels, 5 % replaces. Nearly half of
//! the cancels come too late, as their senders do not know of the fills yet.
//!
//! The distributions are those of the golden files `mixed-1` and `mixed-2`.

use crate::flow::{Builder, Flow, Kind, OrderNumber, Side};
use crate::random::{Quantiles, Random};

pub fn flow(commands: usize) -> Flow {
    let mut random = Random::new(2);
    let mut flow = Builder::new(1);
    let mut mixed = Mixed::new(0);
    while flow.len() < commands {
        mixed.step(&mut random, &mut flow);
    }
    flow.finish()
}

/// How far beyond the middle an order's price is: below zero it waits, above it takes.
const RESTING_OFFSET: Quantiles = Quantiles(&[
    (0, -36),
    (100, -25),
    (500, -19),
    (1_000, -16),
    (2_500, -10),
    (5_000, -6),
    (7_500, -1),
    (9_000, 3),
    (9_700, 6),
    (10_000, 12),
]);
const TAKING_OFFSET: Quantiles =
    Quantiles(&[(0, -5), (500, -4), (2_500, 1), (5_000, 4), (7_500, 7), (9_500, 11), (10_000, 14)]);
const QUANTITY: Quantiles = Quantiles(&[
    (0, 5),
    (2_500, 6),
    (5_000, 8),
    (7_500, 14),
    (9_000, 29),
    (9_500, 49),
    (9_900, 172),
    (9_990, 900),
    (9_999, 5_000),
    (10_000, 20_000),
]);
/// How many adds ago the order came that is cancelled, or replaced.
const CANCEL_AGE: Quantiles = Quantiles(&[
    (0, 1),
    (500, 5),
    (1_000, 9),
    (2_500, 25),
    (5_000, 62),
    (7_500, 125),
    (9_000, 207),
    (9_900, 414),
    (10_000, 1_000),
]);
const REPLACE_AGE: Quantiles = Quantiles(&[
    (0, 1),
    (500, 3),
    (1_000, 5),
    (2_500, 13),
    (5_000, 32),
    (7_500, 65),
    (9_000, 114),
    (9_900, 247),
    (10_000, 450),
]);

/// The flow of one book.
#[derive(Debug)]
pub struct Mixed {
    book: u32,
    /// Where the price belongs; it drifts by a tick now and then.
    middle: u32,
    /// Every order so far.
    orders: Vec<(OrderNumber, Side)>,
}

impl Mixed {
    pub fn new(book: u32) -> Mixed {
        Mixed { book, middle: 10_000, orders: Vec::new() }
    }

    pub fn step(&mut self, random: &mut Random, flow: &mut Builder) {
        if random.chance(250) {
            let up = random.below(2) == 0;
            self.middle = if up { self.middle + 1 } else { self.middle.saturating_sub(1).max(1_000) };
        }
        match random.below(1_000) {
            _ if self.orders.is_empty() => self.add(Kind::Gtc, random, flow),
            0..584 => self.add(Kind::Gtc, random, flow),
            584..635 => self.add(Kind::Ioc, random, flow),
            635..672 => self.add(Kind::Fok, random, flow),
            672..731 => self.add(Kind::Market, random, flow),
            731..950 => {
                let order = if random.chance(1_800) {
                    self.orders[random.below(self.orders.len() as u32) as usize]
                } else {
                    self.recent(random.pick(&CANCEL_AGE))
                };
                flow.cancel(self.book, order.0);
            }
            _ => self.replace(random, flow),
        }
    }

    fn add(&mut self, kind: Kind, random: &mut Random, flow: &mut Builder) {
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let price = match kind {
            Kind::Gtc => self.price(side, random.pick(&RESTING_OFFSET)),
            Kind::Ioc | Kind::Fok => self.price(side, random.pick(&TAKING_OFFSET)),
            Kind::Market => 0,
        };
        let order = flow.add(self.book, side, kind, price, random.pick(&QUANTITY) as u32);
        self.orders.push((order, side));
    }

    fn replace(&mut self, random: &mut Random, flow: &mut Builder) {
        let (order, side) = self.recent(random.pick(&REPLACE_AGE));
        let mut price = self.price(side, random.pick(&RESTING_OFFSET));
        if flow.venue.resting(order).is_some_and(|resting| resting.price == price) {
            price += 1;
        }
        flow.replace(self.book, order, price, random.within(1, 500));
    }

    fn recent(&self, age: i32) -> (OrderNumber, Side) {
        self.orders[self.orders.len().saturating_sub(age as usize)]
    }

    fn price(&self, side: Side, offset: i32) -> u32 {
        match side {
            Side::Buy => self.middle.saturating_add_signed(offset),
            Side::Sell => self.middle.saturating_add_signed(-offset),
        }
    }
}
