//! The call auction: one price for all (`RULES.md` §6).

use super::OrderBook;
use super::store::Order;
use crate::event::{Event, Fill, Party};
use crate::feed::{OrderChange, Sink};
use crate::ladder::NONE;
use crate::types::{Price, Quantity, Side};
use alloc::vec::Vec;

/// What an auction gives, or would give now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indicative {
    /// The one price at which all would trade.
    pub price: Price,
    /// How much would trade, hidden parts included; never 0.
    pub quantity: Quantity,
    /// What the larger side has more at that price.
    pub surplus: Quantity,
    /// Which side that is; none without a surplus.
    pub surplus_side: Option<Side>,
}

/// What is for sale and wanted at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    price: Price,
    bid: Quantity,
    ask: Quantity,
}

impl OrderBook {
    /// What an auction would give now; none where nothing would trade, or in a phase without one.
    ///
    /// ```
    /// use engine_core::command::{Command, NewOrder};
    /// use engine_core::event::Event;
    /// use engine_core::market::Market;
    /// use engine_core::types::{OrderId, Phase, Side, UserId};
    ///
    /// let mut market = Market::default();
    /// let mut events = Vec::new();
    /// market.apply(0, &Command::SetPhase(Phase::OpeningAuction), &mut events);
    /// // Orders are collected and not matched: the book may be crossed.
    /// let orders = [(Side::Buy, 102, 100), (Side::Buy, 100, 50), (Side::Sell, 99, 60), (Side::Sell, 101, 20)];
    /// for (id, (side, price, quantity)) in (1..).zip(orders) {
    ///     let order = NewOrder::limit(OrderId(id), UserId(id), side, price, quantity);
    ///     market.apply(0, &Command::Add(order), &mut events);
    /// }
    ///
    /// // At 101 and 102 most can trade: 80 of 100 that are wanted. Nobody has traded yet, so the higher price decides.
    /// let would = market.book().indicative().expect("a crossed book");
    /// assert_eq!((would.price, would.quantity), (102, 80));
    /// assert_eq!((would.surplus, would.surplus_side), (20, Some(Side::Buy)));
    ///
    /// // The opening does what was announced.
    /// events.clear();
    /// market.apply(0, &Command::SetPhase(Phase::Continuous), &mut events);
    /// assert!(matches!(events[1], Event::Auctioned { price: 102, quantity: 80, surplus: 20 }));
    /// assert_eq!(market.book().indicative(), None);
    /// ```
    pub fn indicative(&self) -> Option<Indicative> {
        if self.phase.is_call() { self.call(&mut Vec::new()) } else { None }
    }

    /// The auction's price, by the rules that decide among the prices of equal volume.
    fn call(&self, steps: &mut Vec<Step>) -> Option<Indicative> {
        let (bid, ask) = (self.best(Side::Buy)?, self.best(Side::Sell)?);
        if bid < ask {
            return None;
        }
        steps.clear();
        let mut demand = 0;
        for side in Side::BOTH {
            for index in self.ladder(side).iter() {
                let level = &self.levels[index];
                if !(ask..=bid).contains(&level.price) {
                    break;
                }
                let quantity = level.quantity + level.hidden;
                let (bid, ask) = if side == Side::Buy { (quantity, 0) } else { (0, quantity) };
                demand += bid;
                steps.push(Step { price: level.price, bid, ask });
            }
        }
        let reference = if self.last != 0 { self.last } else { self.definition.reference };
        if (ask..=bid).contains(&reference) && self.definition.ticks.allows(reference) {
            steps.push(Step { price: reference, bid: 0, ask: 0 });
        }
        steps.sort_unstable();
        let mut supply = 0;
        let mut best: Option<(Indicative, u64)> = None;
        let mut at = 0;
        while at < steps.len() {
            let price = steps[at].price;
            let mut passed = 0;
            while at < steps.len() && steps[at].price == price {
                supply += steps[at].ask;
                passed += steps[at].bid;
                at += 1;
            }
            let now = Indicative {
                price,
                quantity: demand.min(supply),
                surplus: demand.abs_diff(supply),
                surplus_side: match demand.cmp(&supply) {
                    core::cmp::Ordering::Greater => Some(Side::Buy),
                    core::cmp::Ordering::Less => Some(Side::Sell),
                    core::cmp::Ordering::Equal => None,
                },
            };
            let distance = if reference == 0 { 0 } else { price.abs_diff(reference) };
            // Prices rise, so of two that are equal in everything the later one is the higher.
            let better = best.is_none_or(|(before, far)| {
                (now.quantity, before.surplus, far) >= (before.quantity, now.surplus, distance)
            });
            if better {
                best = Some((now, distance));
            }
            // Who bids this price does not buy at a higher one.
            demand -= passed;
        }
        best.map(|(indicative, _)| indicative)
    }

    /// Auctions a crossed book; one that is not stays as it is. A link that left orders crossed calls for another round.
    pub(super) fn auction<S: Sink>(&mut self, sink: &mut S) {
        let mut steps = core::mem::take(&mut self.call);
        while let Some(outcome) = self.call(&mut steps) {
            self.trade_at(&outcome, sink);
        }
        self.call = steps;
    }

    fn trade_at<S: Sink>(&mut self, outcome: &Indicative, sink: &mut S) {
        let &Indicative { price, quantity, surplus, .. } = outcome;
        sink.event(Event::Auctioned { price, quantity, surplus });
        // At this price one side is used up, and then it is over.
        loop {
            let (bid, ask) = (self.bids.best(), self.asks.best());
            if bid == NONE || ask == NONE || self.levels[bid].price < price || self.levels[ask].price > price
            {
                break;
            }
            let (buy, sell) = (self.levels[bid].first, self.levels[ask].first);
            let quantity = self.total(buy).min(self.total(sell));
            let buyer = self.auction_party(buy, quantity);
            let seller = self.auction_party(sell, quantity);
            sink.event(Event::Filled(Fill {
                maker: seller,
                taker: buyer,
                taker_side: Side::Buy,
                auction: true,
                price,
                quantity,
            }));
            for slot in [buy, sell] {
                self.fill_in_auction(slot, quantity, sink);
            }
            let done = [buy, sell].map(|slot| self.total(slot) == 0);
            // Out of the queue before what is linked to it changes its level, so that no reader sees it there without quantity.
            for (slot, _) in [buy, sell].into_iter().zip(done).filter(|&(_, done)| done) {
                self.unlink(slot, sink);
            }
            for slot in [buy, sell] {
                self.cancel_peer(slot, sink);
            }
            for (slot, done) in [buy, sell].into_iter().zip(done) {
                if done {
                    self.close(slot, sink);
                }
            }
        }
        self.auctioned = price;
        self.after_pass(price, price);
        self.set_corridor();
    }

    fn auction_party(&self, slot: u32, quantity: Quantity) -> Party {
        let order = &self.orders[slot];
        Party {
            order: order.id,
            user: self.accounts[order.account].user,
            price: self.price(slot),
            remaining: self.total(slot) - quantity,
        }
    }

    /// Hidden parts go first, and the order keeps its place.
    fn fill_in_auction<S: Sink>(&mut self, slot: u32, quantity: Quantity, sink: &mut S) {
        let Order { id, side, extra, level, open, .. } = self.orders[slot];
        let hidden = if extra == NONE { 0 } else { self.extras[extra].hidden.min(quantity) };
        let shown = quantity - hidden;
        self.live[side as usize] -= quantity;
        if extra != NONE {
            self.extras[extra].hidden -= hidden;
            let extra = &mut self.extras[extra];
            extra.filled = extra.filled.saturating_add(quantity);
            self.levels[level].hidden -= hidden;
        }
        if shown == 0 {
            return;
        }
        self.orders[slot].open = open - shown;
        if shown < open {
            self.tell_order(OrderChange::Changed { order: id, quantity: open - shown }, sink);
            self.tell_less(side, level, shown, sink);
        } else {
            // It is taken out of its queue right after this, which tells both feeds.
            self.levels[level].quantity -= shown;
        }
    }
}
