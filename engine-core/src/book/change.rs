//! What changes orders that live, and the market's own rules (`RULES.md` §7).

use super::OrderBook;
use super::entry::refuse;
use super::matching::Taker;
use super::store::{Order, Place};
use crate::command::{MassCancel, Replace};
use crate::definition::Definition;
use crate::event::{Event, OrderRef, Reason};
use crate::feed::Sink;
use crate::ladder::NONE;
use crate::types::{OrderId, OrderType, Phase, PostOnly, Price, Trigger, UserId};
use alloc::vec::Vec;

impl OrderBook {
    pub(crate) fn cancel<S: Sink>(&mut self, order: OrderId, user: UserId, sink: &mut S) {
        match self.owned(order, user) {
            Ok(slot) => self.end(slot, Reason::User, sink),
            Err(reason) => sink.event(Event::CancelRejected { order, user, reason }),
        }
    }

    #[inline]
    fn owned(&self, order: OrderId, user: UserId) -> Result<u32, Reason> {
        let slot = self.find(order);
        if slot == NONE {
            Err(Reason::UnknownOrder)
        } else if self.accounts[self.orders[slot].account].user == user {
            Ok(slot)
        } else {
            Err(Reason::NotOwner)
        }
    }

    /// A new price, open quantity or stop. A pure reduction keeps its place; anything else is entered as if it had just
    /// come in.
    pub(crate) fn replace<S: Sink>(&mut self, replace: &Replace, sink: &mut S) {
        let &Replace { order, user, quantity, .. } = replace;
        let (slot, price, reduction) = match self.check_replace(replace) {
            Ok(accepted) => accepted,
            Err(reason) => {
                sink.event(Event::ReplaceRejected { order, user, reason });
                return;
            }
        };
        let old = self.total(slot);
        let side = self.orders[slot].side;
        let now = OrderRef { order, user, side, price, quantity };
        // Quantities have 53 bits.
        sink.event(Event::Replaced { now, delta: quantity as i64 - old as i64 });
        let place = self.orders[slot].place;
        match place {
            Place::Resting if reduction => self.lessen(slot, old - quantity, sink),
            Place::Resting if self.orders[slot].extra == NONE && self.phase == Phase::Continuous => {
                self.move_plain(slot, now, sink);
            }
            Place::Resting => {
                self.extra_mut(slot);
                self.unlink(slot, sink);
                self.set_open(slot, quantity);
                let arrival = self.next_arrival();
                self.orders[slot].arrival = arrival;
                let extra = self.extra_mut(slot);
                (extra.hidden, extra.price) = (0, price);
                self.activate(slot, sink);
            }
            _ => self.replace_off_book(slot, replace, reduction),
        }
    }

    /// A plain resting order is matched and rests at its new price, in the slot that it has.
    fn move_plain<S: Sink>(&mut self, slot: u32, now: OrderRef, sink: &mut S) {
        self.unlink(slot, sink);
        let arrival = self.next_arrival();
        let Order { open, account, group, self_trade, side, .. } = self.orders[slot];
        self.orders[slot].arrival = arrival;
        self.live[side as usize] -= open;
        let mut taker = Taker {
            order: now.order,
            user: now.user,
            account,
            group,
            self_trade,
            side,
            price: now.price,
            limit: now.price,
            open: now.quantity,
            reduced: 0,
            budget: u64::MAX,
            first: 0,
            last: 0,
            stopped: None,
        };
        self.take(&mut taker, sink);
        if taker.stopped == Some(Reason::Volatility) {
            self.interrupt(sink);
        }
        if taker.open > 0 && matches!(taker.stopped, None | Some(Reason::Volatility)) {
            self.live[side as usize] += taker.open;
            self.orders[slot].open = taker.open;
            self.link(slot, now.price, sink);
        } else {
            if let Some(reason) = taker.stopped {
                sink.event(Event::Cancelled(OrderRef { quantity: taker.open, ..now }, reason));
            }
            self.dismiss(slot);
        }
        self.after_pass(taker.first, taker.last);
    }

    /// An order that waits, is stopped or held stays so.
    fn replace_off_book(&mut self, slot: u32, replace: &Replace, reduction: bool) {
        self.set_open(slot, replace.quantity);
        self.survey_anew(self.orders[slot].side);
        let place = self.orders[slot].place;
        if reduction {
            self.renew_terms(slot, replace);
            return;
        }
        let arrival = self.next_arrival();
        match place {
            Place::Held => {
                self.orders[slot].arrival = arrival;
                self.renew_terms(slot, replace);
            }
            Place::Waiting => {
                self.leave(slot);
                self.orders[slot].arrival = arrival;
                self.renew_terms(slot, replace);
                self.wait(slot);
            }
            _ => {
                self.leave(slot);
                self.orders[slot].arrival = arrival;
                self.renew_terms(slot, replace);
                self.stop(slot);
            }
        }
    }

    fn renew_terms(&mut self, slot: u32, replace: &Replace) {
        let extra = self.extra_mut(slot);
        extra.price = replace.price;
        if extra.all_or_none {
            extra.minimum = replace.quantity;
        }
        if let Some(stop) = replace.stop {
            extra.trigger = Trigger::Stop(stop);
        }
    }

    fn set_open(&mut self, slot: u32, quantity: u64) {
        let old = self.total(slot);
        let order = &mut self.orders[slot];
        order.open = quantity;
        let live = &mut self.live[order.side as usize];
        *live = *live - old + quantity;
    }

    /// The order's slot, its new price, and whether it is only made smaller.
    fn check_replace(&self, replace: &Replace) -> Result<(u32, Price, bool), Reason> {
        let &Replace { order, user, price, quantity, stop, expected } = replace;
        if matches!(self.phase, Phase::Halt | Phase::Closed | Phase::CancelOnly) {
            return Err(Reason::WrongPhase);
        }
        let slot = self.owned(order, user)?;
        let old = &self.orders[slot];
        refuse(self.definition.refuses_quantity(quantity))?;
        let stands = (self.price(slot), self.total(slot));
        let mut same = price == stands.0 && quantity <= stands.1;
        if !same {
            // What is only made smaller may be so at a price that would no longer be taken.
            let order_type = if old.extra == NONE { OrderType::Limit } else { self.extra(slot).order_type };
            self.check_price(order_type, price)?;
            refuse(self.definition.refuses_notional(price, quantity))?;
        }
        if expected.is_some_and(|expected| expected != stands) {
            return Err(Reason::StaleOrder);
        }
        if old.extra != NONE || stop.is_some() {
            let extra = self.extra(slot);
            if let Some(stop) = stop {
                let Trigger::Stop(before) = extra.trigger else { return Err(Reason::BadCombination) };
                if stop != before {
                    refuse(self.definition.refuses_price(stop))?;
                    same = false;
                }
            }
            self.check_display(extra.display, quantity)?;
            if !extra.all_or_none && extra.minimum > quantity {
                return Err(Reason::BadCombination);
            }
        }
        if self.live[old.side as usize].checked_add(quantity).is_none() {
            return Err(Reason::BookFull);
        }
        if same || old.manner.post_only == PostOnly::No || old.place != Place::Resting {
            return Ok((slot, price, same));
        }
        let price = self.post(old.side, old.manner.post_only, price, quantity)?;
        Ok((slot, price, false))
    }

    pub(crate) fn mass_cancel<S: Sink>(&mut self, mass: &MassCancel, sink: &mut S) {
        let mut found = core::mem::take(&mut self.scratch);
        let fits = |_: &OrderBook, order: &Order| {
            mass.side.is_none_or(|side| side == order.side)
                && (!mass.disconnected || order.manner.cancel_on_disconnect)
        };
        match mass.user {
            None => self.collect(&mut found, fits),
            Some(user) => {
                let account = self.account(user);
                let mut slot = if account == NONE { NONE } else { self.accounts[account].first };
                while slot != NONE {
                    let order = &self.orders[slot];
                    if fits(self, order) {
                        found.push((order.arrival, slot));
                    }
                    slot = order.account_next;
                }
            }
        }
        let reason = if mass.disconnected { Reason::Disconnected } else { Reason::MassCancel };
        let orders = self.end_all(&mut found, reason, sink);
        self.scratch = found;
        sink.event(Event::MassCancelled { user: mass.user, orders });
    }

    /// All live orders that fit.
    pub(super) fn collect(&self, found: &mut Vec<(u64, u32)>, fits: impl Fn(&OrderBook, &Order) -> bool) {
        for account in self.accounts() {
            let mut slot = account.first;
            while slot != NONE {
                let order = &self.orders[slot];
                if fits(self, order) {
                    found.push((order.arrival, slot));
                }
                slot = order.account_next;
            }
        }
    }

    pub(crate) fn define<S: Sink>(&mut self, definition: &Definition, sink: &mut S) {
        let grid = |definition: &Definition| (definition.ticks, definition.lot);
        let refused = if !definition.is_sound() {
            Some(Reason::BadDefinition)
        } else if !self.is_empty() && grid(definition) != grid(&self.definition) {
            Some(Reason::NotEmpty)
        } else {
            None
        };
        if let Some(reason) = refused {
            sink.event(Event::CommandRejected(reason));
            return;
        }
        if definition.reference != self.definition.reference {
            // A new reference, as for a new day, counts for more than an old auction.
            self.auctioned = 0;
        }
        self.definition = *definition;
        self.set_corridor();
        sink.event(Event::Defined);
    }
}
