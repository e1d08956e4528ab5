//! Fills in continuous trading (`RULES.md` §3).

use super::OrderBook;
use super::store::{Order, Place};
use crate::event::{Event, Fill, OrderRef, Party, Reason};
use crate::feed::{DepthChange, OrderChange, Sink};
use crate::ladder::{LevelIndex, NONE};
use crate::types::{OrderId, Price, Quantity, SelfTrade, Side, UserId};

/// The incoming half of a match.
pub(super) struct Taker {
    pub order: OrderId,
    pub user: UserId,
    /// [`NONE`] if the user has no live order, so that no maker can be its own.
    pub account: u32,
    pub group: u32,
    pub self_trade: SelfTrade,
    pub side: Side,
    /// What the fills report as the order's own price.
    pub price: Price,
    /// The worst price that it takes.
    pub limit: Price,
    pub open: Quantity,
    /// What was taken off without a trade.
    pub reduced: Quantity,
    /// Money left, [`u64::MAX`] for no limit.
    pub budget: u64,
    /// First and last trade price; 0 before a fill.
    pub first: Price,
    pub last: Price,
    /// What ended the matching before the taker was filled and while there was a maker at an acceptable price.
    pub stopped: Option<Reason>,
}

impl Taker {
    #[inline]
    fn is_own(&self, maker: &Order) -> bool {
        self.self_trade != SelfTrade::Allow
            && (maker.account == self.account || (self.group != 0 && maker.group == self.group))
    }

    /// Whether the budget pays a lot at this price.
    #[inline]
    fn can_pay(&self, price: Price, lot: Quantity) -> bool {
        self.budget == u64::MAX || self.budget / price >= lot
    }

    /// How much of `most` the budget pays for at this price, in whole lots.
    #[inline]
    fn affordable(&self, most: Quantity, price: Price, lot: Quantity) -> Quantity {
        if self.budget == u64::MAX {
            return most;
        }
        let paid = self.budget / price;
        most.min(paid - paid % lot)
    }

    #[inline]
    fn pay(&mut self, quantity: Quantity, price: Price) {
        if self.budget != u64::MAX {
            // At most the budget, see `affordable`.
            self.budget -= quantity * price;
        }
        self.open -= quantity;
        self.last = price;
        if self.first == 0 {
            self.first = price;
        }
    }

    #[inline]
    fn fill(&self, maker: Party, price: Price, quantity: Quantity) -> Event {
        let taker = Party { order: self.order, user: self.user, price: self.price, remaining: self.open };
        Event::Filled(Fill { maker, taker, taker_side: self.side, auction: false, price, quantity })
    }
}

impl OrderBook {
    /// Fills the taker from the best level of the other side on, oldest order first, as far as it goes.
    pub(super) fn take<S: Sink>(&mut self, taker: &mut Taker, sink: &mut S) {
        let other = taker.side.opposite();
        while taker.open > 0 && taker.stopped.is_none() {
            let level = self.ladder(other).best();
            if level == NONE {
                return;
            }
            let price = self.levels[level].price;
            if !taker.side.accepts(taker.limit, price) {
                return;
            }
            if !taker.can_pay(price, self.definition.lot) {
                taker.stopped = Some(Reason::Budget);
                return;
            }
            if price < self.corridor.0 || price > self.corridor.1 {
                taker.stopped = Some(Reason::Volatility);
                return;
            }
            self.take_level(taker, level, price, sink);
        }
    }

    #[inline]
    fn take_level<S: Sink>(&mut self, taker: &mut Taker, level: LevelIndex, price: Price, sink: &mut S) {
        let other = taker.side.opposite();
        let mut at = self.levels[level].first;
        let (mut taken, mut gone) = (0, 0);
        // The level is brought up to date once for all its plain makers.
        let mut special = false;
        while at != NONE && taker.open > 0 {
            if !taker.can_pay(price, self.definition.lot) {
                taker.stopped = Some(Reason::Budget);
                break;
            }
            let maker = &self.orders[at];
            if maker.extra != NONE || taker.is_own(maker) {
                special = true;
                break;
            }
            let quantity = taker.affordable(maker.open.min(taker.open), price, self.definition.lot);
            let Order { id, account, next, open, .. } = *maker;
            let remaining = open - quantity;
            let user = self.accounts[account].user;
            taker.pay(quantity, price);
            taken += quantity;
            sink.event(taker.fill(Party { order: id, user, price, remaining }, price, quantity));
            if remaining > 0 {
                self.orders[at].open = remaining;
                self.tell_order(OrderChange::Changed { order: id, quantity: remaining }, sink);
            } else {
                self.tell_order(OrderChange::Removed { order: id }, sink);
                self.dismiss(at);
                gone += 1;
                at = next;
            }
        }
        if taken > 0 {
            self.live[other as usize] -= taken;
            let state = &mut self.levels[level];
            let (quantity, orders) = (state.quantity - taken, state.orders - gone);
            state.quantity = quantity;
            state.orders = orders;
            state.first = at;
            if at == NONE {
                state.last = NONE;
            } else {
                self.orders[at].previous = NONE;
            }
            self.make_way(other);
            self.tell_depth(DepthChange { side: other, price, quantity, orders }, sink);
            if at == NONE {
                self.ladder_mut(other).remove(price);
                self.levels.free(level);
            }
        }
        if special {
            self.meet(taker, at, price, sink);
        }
    }

    /// A maker that is the taker's own, or that has something special about it.
    #[inline(never)]
    fn meet<S: Sink>(&mut self, taker: &mut Taker, maker: u32, price: Price, sink: &mut S) {
        if taker.is_own(&self.orders[maker]) {
            self.meet_own(taker, maker, sink);
            return;
        }
        let shown = self.orders[maker].open;
        let quantity = taker.affordable(shown.min(taker.open), price, self.definition.lot);
        taker.pay(quantity, price);
        self.live[taker.side.opposite() as usize] -= quantity;
        let remaining = self.total(maker) - quantity;
        let Order { id, side, account, level, .. } = self.orders[maker];
        let user = self.accounts[account].user;
        sink.event(taker.fill(Party { order: id, user, price, remaining }, price, quantity));
        self.orders[maker].open -= quantity;
        let extra = self.extra_mut(maker);
        extra.filled = extra.filled.saturating_add(quantity);
        if quantity < shown {
            self.tell_order(OrderChange::Changed { order: id, quantity: shown - quantity }, sink);
            self.tell_less(side, level, quantity, sink);
            self.cancel_peer(maker, sink);
            return;
        }
        self.levels[level].quantity -= quantity;
        if remaining > 0 {
            self.refresh(maker, price, sink);
            self.cancel_peer(maker, sink);
        } else {
            self.close(maker, sink);
        }
    }

    /// An iceberg shows its next part, at the back of the queue.
    fn refresh<S: Sink>(&mut self, slot: u32, price: Price, sink: &mut S) {
        self.unlink(slot, sink);
        let extra = self.extra_mut(slot);
        let shown = extra.display.min(extra.hidden);
        extra.hidden -= shown;
        let arrival = self.next_arrival();
        let order = &mut self.orders[slot];
        order.open = shown;
        order.arrival = arrival;
        self.link(slot, price, sink);
    }

    fn meet_own<S: Sink>(&mut self, taker: &mut Taker, maker: u32, sink: &mut S) {
        match taker.self_trade {
            SelfTrade::Allow => {}
            SelfTrade::CancelNewest => taker.stopped = Some(Reason::SelfTrade),
            SelfTrade::CancelOldest => self.end(maker, Reason::SelfTrade, sink),
            SelfTrade::CancelBoth => {
                self.end(maker, Reason::SelfTrade, sink);
                taker.stopped = Some(Reason::SelfTrade);
            }
            SelfTrade::Decrement => {
                let by = self.total(maker).min(taker.open);
                if by == self.total(maker) {
                    self.end(maker, Reason::SelfTrade, sink);
                } else {
                    self.lessen(maker, by, sink);
                    let now = self.describe(maker);
                    sink.event(Event::Reduced { now, by, reason: Reason::SelfTrade });
                }
                if by == taker.open {
                    taker.stopped = Some(Reason::SelfTrade);
                } else {
                    taker.open -= by;
                    taker.reduced += by;
                    let (order, user, side, price) = (taker.order, taker.user, taker.side, taker.price);
                    let now = OrderRef { order, user, side, price, quantity: taker.open };
                    sink.event(Event::Reduced { now, by, reason: Reason::SelfTrade });
                }
            }
        }
    }

    /// Whether the other side would fill at least `needed` of this taker, see *reach* in `RULES.md`.
    pub(super) fn reaches(&self, taker: &Taker, needed: Quantity) -> bool {
        let mut left = needed;
        for index in self.ladder(taker.side.opposite()).iter() {
            let level = &self.levels[index];
            let price = level.price;
            if !taker.side.accepts(taker.limit, price) || price < self.corridor.0 || price > self.corridor.1 {
                return false;
            }
            let (here, goes_on) = if taker.self_trade == SelfTrade::Allow && self.links == 0 {
                (level.quantity + level.hidden, true)
            } else {
                self.reach_of_level(taker, index)
            };
            if here >= left {
                return true;
            }
            if !goes_on {
                return false;
            }
            left -= here;
        }
        false
    }

    /// What of a level a taker would be filled by where some orders there may be its own or linked, and whether it gets
    /// beyond the level.
    fn reach_of_level(&self, taker: &Taker, index: LevelIndex) -> (Quantity, bool) {
        let (mut shown, mut total) = (0, 0);
        for slot in self.chain(index) {
            if taker.is_own(&self.orders[slot]) {
                if taker.self_trade == SelfTrade::CancelOldest {
                    continue;
                }
                // Hidden parts come after everything that is displayed at the level, and so after this.
                return (shown, false);
            }
            let peer = self.extra(slot).peer;
            if peer == NONE || !self.comes_before(peer, slot) {
                shown += self.orders[slot].open;
                total += self.total(slot);
            }
        }
        (total, true)
    }

    /// Whether the first of two orders of a side rests before the second, which rests: its first fill would cancel a
    /// linked one.
    fn comes_before(&self, first: u32, second: u32) -> bool {
        let (a, b) = (&self.orders[first], &self.orders[second]);
        a.place == Place::Resting && {
            let (price, other) = (self.levels[a.level].price, self.levels[b.level].price);
            if price == other { a.arrival < b.arrival } else { b.side.accepts(price, other) }
        }
    }
}
