//! What follows from a fill, a cancellation or a new phase: stops, links and exits (`RULES.md` §4).

use super::OrderBook;
use super::entry::TRAILING;
use super::store::{Level, Place};
use crate::command::NewOrder;
use crate::event::{Event, Reason};
use crate::feed::Sink;
use crate::ladder::{Ladder, LevelIndex, NONE};
use crate::types::{Link, OrderId, Phase, Price, Quantity, Side, Trigger};
use alloc::vec::Vec;

/// An order that is about to become active.
#[derive(Clone, Copy, Debug)]
pub(super) struct FollowUp {
    arrival: u64,
    slot: u32,
    /// Its entry ended; else its stop was reached.
    released: bool,
}

impl OrderBook {
    /// The end of an order's matching or of an auction, with its first and last trade price (0: it had none).
    #[inline]
    pub(super) fn after_pass(&mut self, first: Price, last: Price) {
        if last != 0 {
            self.last = last;
            if self.definition.dynamic_band != 0 {
                self.set_corridor();
            }
            if self.stops > 0 || !self.trailing.is_empty() {
                self.test_triggers(&[first, last]);
            }
        }
    }

    /// Queues up the orders whose stop is reached by one of these prices, all of them by arrival. Where the pass that made
    /// these prices called a volatility auction, they are queued up after it.
    pub(super) fn test_triggers(&mut self, prices: &[Price]) {
        if !matches!(self.phase, Phase::Continuous | Phase::VolatilityAuction) {
            return;
        }
        let from = (self.follow_ups.len(), self.due.len());
        for &price in prices {
            for side in Side::BOTH {
                loop {
                    let level = self.stop_ladder(side).best();
                    if level == NONE || !reached(side, self.levels[level].price, price) {
                        break;
                    }
                    let slot = self.levels[level].first;
                    self.reach_stop(slot);
                }
            }
            let mut at = 0;
            while at < self.trailing.len() {
                let slot = self.trailing[at];
                if self.trail(slot, price) {
                    self.reach_stop(slot);
                } else {
                    at += 1;
                }
            }
        }
        self.follow_ups[from.0..].sort_unstable_by_key(|follow_up| follow_up.arrival);
        let orders = &self.orders;
        self.due[from.1..].sort_unstable_by_key(|&slot| orders[slot].arrival);
    }

    /// Continuous trading goes on: what the pass before the volatility auction has triggered queues up.
    pub(super) fn trigger_due(&mut self) {
        let mut due = core::mem::take(&mut self.due);
        for slot in due.drain(..) {
            self.disarm(slot);
            self.queue_up(slot, false);
        }
        self.due = due;
    }

    /// Lets a trailing stop follow the price; whether the price has reached it.
    fn trail(&mut self, slot: u32, price: Price) -> bool {
        let side = self.orders[slot].side;
        let extra = self.extra_mut(slot);
        let better = match side {
            Side::Buy => price < extra.mark,
            Side::Sell => price > extra.mark,
        };
        if extra.mark == 0 || better {
            extra.mark = price;
        }
        self.stop_price(slot).is_some_and(|stop| reached(side, stop, price))
    }

    /// The price that a stopped order waits for; none for a trailing stop before the first trade.
    pub(super) fn stop_price(&self, slot: u32) -> Option<Price> {
        let extra = self.extra(slot);
        match (extra.trigger, self.orders[slot].side) {
            (Trigger::None, _) => None,
            (Trigger::Stop(price), _) => Some(price),
            (Trigger::Trailing(_), _) if extra.mark == 0 => None,
            (Trigger::Trailing(distance), Side::Buy) => Some(extra.mark + distance),
            // A stop at 0 is one that no trade reaches.
            (Trigger::Trailing(distance), Side::Sell) => Some(extra.mark.saturating_sub(distance)),
        }
    }

    /// A stopped order's price is reached.
    fn reach_stop(&mut self, slot: u32) {
        self.leave(slot);
        if self.phase == Phase::Continuous {
            self.disarm(slot);
            self.queue_up(slot, false);
        } else {
            self.make_due(slot);
        }
    }

    pub(super) fn make_due(&mut self, slot: u32) {
        self.orders[slot].place = Place::Due;
        self.due.push(slot);
    }

    /// The order no longer has a trigger.
    fn disarm(&mut self, slot: u32) {
        let extra = self.extra_mut(slot);
        let trailing = matches!(extra.trigger, Trigger::Trailing(_));
        extra.trigger = Trigger::None;
        self.watched[TRAILING] -= u32::from(trailing);
    }

    fn queue_up(&mut self, slot: u32, released: bool) {
        let order = &mut self.orders[slot];
        order.place = Place::Queued;
        let arrival = order.arrival;
        self.follow_ups.push(FollowUp { arrival, slot, released });
    }

    /// An order with a trigger is stopped, or triggered at once.
    pub(super) fn stop(&mut self, slot: u32) {
        if self.is_due(slot) {
            self.disarm(slot);
            self.queue_up(slot, false);
        } else {
            self.halt_at_stop(slot);
        }
    }

    /// Whether the last trade has reached its stop price.
    pub(super) fn is_due(&self, slot: u32) -> bool {
        matches!(self.extra(slot).trigger, Trigger::Stop(stop)
            if self.phase == Phase::Continuous && self.last != 0 && reached(self.orders[slot].side, stop, self.last))
    }

    /// Puts an order into the queue of its stop price, or among the trailing stops.
    pub(super) fn halt_at_stop(&mut self, slot: u32) {
        // One pass may make all of them due, and that is no time to ask for room.
        self.due.reserve(self.stops as usize + self.trailing.len() + 1);
        let side = self.orders[slot].side;
        self.orders[slot].place = Place::Stopped;
        match self.extra(slot).trigger {
            Trigger::Stop(price) => {
                let mut index = self.stop_ladder(side).find(price);
                if index == NONE {
                    let level = Level { price, quantity: 0, hidden: 0, orders: 0, first: NONE, last: NONE };
                    index = self.levels.put(level);
                    self.stop_ladder(side).insert(price, index);
                }
                self.append(slot, index);
                self.stops += 1;
            }
            _ => {
                let last = self.last;
                let extra = self.extra_mut(slot);
                if extra.mark == 0 {
                    extra.mark = last;
                }
                self.trailing.push(slot);
            }
        }
    }

    fn stop_ladder(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.buy_stops,
            Side::Sell => &mut self.sell_stops,
        }
    }

    /// Takes an order that does not rest out of its place.
    pub(super) fn leave(&mut self, slot: u32) {
        match self.orders[slot].place {
            Place::Stopped if matches!(self.extra(slot).trigger, Trigger::Stop(_)) => {
                let (side, level) = (self.orders[slot].side, self.orders[slot].level);
                self.detach(slot);
                self.stops -= 1;
                self.drop_stop_level(side, level);
            }
            Place::Stopped => unlist(&mut self.trailing, slot),
            Place::Due => unlist(&mut self.due, slot),
            Place::Waiting => unlist(&mut self.waiting, slot),
            Place::Held => self.release(slot),
            Place::None | Place::Queued | Place::Resting => {}
        }
        self.orders[slot].place = Place::None;
    }

    fn drop_stop_level(&mut self, side: Side, level: LevelIndex) {
        if self.levels[level].orders == 0 {
            let price = self.levels[level].price;
            self.stop_ladder(side).remove(price);
            self.levels.free(level);
        }
    }

    /// A held exit is no longer one: its entry, or the list of those that wait for theirs, forgets both exits.
    fn release(&mut self, slot: u32) {
        let (entry, entry_id) = (self.extra(slot).entry, self.extra(slot).entry_id);
        if entry != NONE {
            self.extra_mut(entry).exit = NONE;
        } else if self.exits_for(entry_id) == slot {
            self.exits.remove(entry_id.0);
        }
    }

    /// Ends all of these orders that still live, by arrival. The list comes back empty.
    pub(super) fn end_all<S: Sink>(
        &mut self,
        list: &mut Vec<(u64, u32)>,
        reason: Reason,
        sink: &mut S,
    ) -> u32 {
        list.sort_unstable();
        let mut count = 0;
        for (arrival, slot) in list.drain(..) {
            // An order that another one's end has ended has left its slot, and nothing new comes meanwhile.
            let order = &self.orders[slot];
            if order.arrival == arrival && self.is_live(slot) {
                self.end(slot, reason, sink);
                count += 1;
            }
        }
        count
    }

    fn is_live(&self, slot: u32) -> bool {
        self.orders[slot].place != Place::None
    }

    /// Cancels an order, with all that follows from it.
    pub(super) fn end<S: Sink>(&mut self, slot: u32, reason: Reason, sink: &mut S) {
        sink.event(Event::Cancelled(self.describe(slot), reason));
        self.close(slot, sink);
    }

    /// Takes an order out whose last event has been told, and tells what follows from that at once.
    pub(super) fn close<S: Sink>(&mut self, slot: u32, sink: &mut S) {
        self.live[self.orders[slot].side as usize] -= self.total(slot);
        if self.orders[slot].place == Place::Resting {
            self.unlink(slot, sink);
        } else {
            self.leave(slot);
        }
        let index = self.orders[slot].extra;
        if index == NONE {
            self.dismiss(slot);
            return;
        }
        self.watch(slot, -1);
        let peer = self.untie(slot);
        let extra = self.extras[index];
        self.expiries.remove(&mut self.extras, extra.expiry);
        self.extras.free(index);
        self.dismiss(slot);
        if peer != NONE {
            self.end(peer, Reason::Linked, sink);
        }
        if extra.exit != NONE {
            self.entry_ended(extra.exit, extra.filled, sink);
        }
    }

    /// One cancels the other: the order has traded or was triggered.
    pub(super) fn cancel_peer<S: Sink>(&mut self, slot: u32, sink: &mut S) {
        let peer = self.untie(slot);
        if peer != NONE {
            self.end(peer, Reason::Linked, sink);
        }
    }

    /// The order no longer has a link; what it was linked to, or [`NONE`].
    pub(super) fn untie(&mut self, slot: u32) -> u32 {
        let peer = self.extra(slot).peer;
        if peer != NONE {
            self.extra_mut(slot).peer = NONE;
            self.extra_mut(peer).peer = NONE;
            // One of two that did not count for *reach* does now.
            self.make_way(self.orders[slot].side);
            self.links -= 1;
        }
        peer
    }

    /// Links a new order; whether it is an exit that is held now.
    pub(super) fn make_link(&mut self, slot: u32, link: Link) -> bool {
        match link {
            Link::None => false,
            Link::Other(other) => {
                let peer = self.find(other);
                let (entry, entry_id) = (self.extra(peer).entry, self.extra(peer).entry_id);
                self.extra_mut(peer).peer = slot;
                self.links += 1;
                let extra = self.extra_mut(slot);
                (extra.peer, extra.entry, extra.entry_id) = (peer, entry, entry_id);
                self.orders[peer].place == Place::Held
            }
            Link::ExitOf(entry) => {
                self.extra_mut(slot).entry_id = entry;
                self.exits.insert(entry.0, slot);
                true
            }
        }
    }

    /// The first exit held for an order of this id that has not come yet.
    pub(super) fn exits_for(&self, entry: OrderId) -> u32 {
        self.exits.find(entry.0)
    }

    /// An exit and the one it is linked to, lower arrival first.
    fn both(&self, exit: u32) -> [u32; 2] {
        let peer = self.extra(exit).peer;
        if peer != NONE && self.orders[peer].arrival < self.orders[exit].arrival {
            [peer, exit]
        } else {
            [exit, peer]
        }
    }

    /// The entry has come for which exits were held: they are its own if they fit it.
    pub(super) fn take_exits<S: Sink>(&mut self, entry: u32, sink: &mut S) {
        let (id, side, account) = {
            let order = &self.orders[entry];
            (order.id, order.side, order.account)
        };
        let exit = self.exits_for(id);
        if exit == NONE {
            return;
        }
        let fits = self.orders[exit].account == account && self.orders[exit].side != side;
        if !fits {
            self.end_both(exit, Reason::BadLink, sink);
            return;
        }
        self.exits.remove(id.0);
        self.extra_mut(entry).exit = exit;
        for slot in self.both(exit).into_iter().filter(|&slot| slot != NONE) {
            self.extra_mut(slot).entry = entry;
        }
    }

    /// The entry was refused: its exits go.
    pub(super) fn drop_exits<S: Sink>(&mut self, refused: &NewOrder, sink: &mut S) {
        let exit = self.exits_for(refused.order);
        if exit != NONE && self.accounts[self.orders[exit].account].user == refused.user {
            self.end_both(exit, Reason::Linked, sink);
            self.drain(sink);
        }
    }

    /// Ends two exits, each for this reason.
    fn end_both<S: Sink>(&mut self, exit: u32, reason: Reason, sink: &mut S) {
        let both = self.both(exit);
        for slot in both.into_iter().filter(|&slot| slot != NONE) {
            self.untie(slot);
        }
        for slot in both.into_iter().filter(|&slot| slot != NONE) {
            self.end(slot, reason, sink);
        }
    }

    /// An entry has ended, after so many fills.
    fn entry_ended<S: Sink>(&mut self, exit: u32, filled: Quantity, sink: &mut S) {
        let both = self.both(exit);
        for slot in both.into_iter().filter(|&slot| slot != NONE) {
            self.extra_mut(slot).entry = NONE;
            self.orders[slot].place = Place::None;
        }
        if filled == 0 {
            self.end_both(exit, Reason::Linked, sink);
            return;
        }
        for slot in both.into_iter().filter(|&slot| slot != NONE) {
            let open = self.orders[slot].open;
            if filled < open {
                let by = open - filled;
                self.orders[slot].open = filled;
                self.live[self.orders[slot].side as usize] -= by;
                let extra = self.extra_mut(slot);
                extra.minimum = extra.minimum.min(filled);
                let now = self.describe(slot);
                sink.event(Event::Reduced { now, by, reason: Reason::Linked });
            }
        }
        for slot in both.into_iter().filter(|&slot| slot != NONE) {
            self.queue_up(slot, true);
        }
    }

    /// Lets everything that is queued up become active, one after the other.
    #[inline]
    pub(super) fn drain<S: Sink>(&mut self, sink: &mut S) {
        if !self.follow_ups.is_empty() {
            self.drain_all(sink);
        }
    }

    #[inline(never)]
    fn drain_all<S: Sink>(&mut self, sink: &mut S) {
        while let Some(&FollowUp { arrival, slot, released }) = self.follow_ups.get(self.followed) {
            self.followed += 1;
            if self.orders[slot].place != Place::Queued || self.orders[slot].arrival != arrival {
                continue;
            }
            self.orders[slot].place = Place::None;
            self.orders[slot].arrival = self.next_arrival();
            if released {
                self.enter_exit(slot, sink);
            } else {
                sink.event(Event::Triggered(self.describe(slot)));
                self.cancel_peer(slot, sink);
                self.activate(slot, sink);
            }
        }
        self.follow_ups.clear();
        self.followed = 0;
    }

    /// An exit whose entry has ended.
    fn enter_exit<S: Sink>(&mut self, slot: u32, sink: &mut S) {
        let side = self.orders[slot].side;
        let rule = self.orders[slot].manner.post_only;
        match self.post(side, rule, self.extra(slot).price, self.orders[slot].open) {
            Ok(price) => self.extra_mut(slot).price = price,
            Err(reason) => return self.end(slot, reason, sink),
        }
        sink.event(Event::Triggered(self.describe(slot)));
        if self.extra(slot).trigger == Trigger::None {
            self.activate(slot, sink);
        } else if self.is_due(slot) {
            self.disarm(slot);
            self.cancel_peer(slot, sink);
            self.activate(slot, sink);
        } else {
            self.halt_at_stop(slot);
        }
    }
}

/// Whether a trade at `price` reaches a stop of this side.
fn reached(side: Side, stop: Price, price: Price) -> bool {
    match side {
        Side::Buy => price >= stop,
        Side::Sell => price <= stop,
    }
}

/// Takes an order out of one of the short lists, which keep the order of arrival.
fn unlist(list: &mut Vec<u32>, slot: u32) {
    if let Some(at) = list.iter().position(|&listed| listed == slot) {
        list.remove(at);
    }
}
