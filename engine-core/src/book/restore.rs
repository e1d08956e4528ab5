//! A book as plain values, for snapshots, and the way back.

use super::OrderBook;
use super::store::{Extra, Manner, Order, Place};
use crate::command::{MAX_PRICE, MAX_QUANTITY};
use crate::definition::Definition;
use crate::ladder::NONE;
use crate::types::{
    Millis, NO_END, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};
use alloc::vec::Vec;

/// Everything of a book but its orders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub definition: Definition,
    pub phase: Phase,
    pub until: Millis,
    pub last: Price,
    pub auctioned: Price,
    pub arrivals: u64,
    pub depth_sequence: u64,
    pub order_sequence: u64,
}

/// Where a saved order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavedPlace {
    Resting,
    Stopped,
    Waiting,
    Held,
    /// Stopped, and reached.
    Due,
}

/// What is special about a saved order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedExtra {
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub trigger: Trigger,
    pub mark: Price,
    pub display: Quantity,
    pub hidden: Quantity,
    pub minimum: Quantity,
    pub all_or_none: bool,
    pub budget: u64,
    pub expires: Millis,
    pub peer: Option<OrderId>,
    /// What an exit is held for.
    pub entry: Option<OrderId>,
    /// An order with exits: its fills.
    pub filled: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedOrder {
    pub order: OrderId,
    pub user: UserId,
    pub group: u32,
    pub side: Side,
    pub price: Price,
    pub open: Quantity,
    pub arrival: u64,
    pub self_trade: SelfTrade,
    pub post_only: PostOnly,
    pub cancel_on_disconnect: bool,
    pub place: SavedPlace,
    pub extra: Option<SavedExtra>,
}

/// The highest number that a snapshot's counters may have.
pub(crate) const MAX_COUNT: u64 = i64::MAX as u64;

/// Why saved orders cannot be a book.
pub(crate) type Impossible = &'static str;

impl OrderBook {
    pub(crate) fn parts(&self) -> Parts {
        Parts {
            definition: self.definition,
            phase: self.phase,
            until: self.until,
            last: self.last,
            auctioned: self.auctioned,
            arrivals: self.arrivals,
            depth_sequence: self.depth_sequence,
            order_sequence: self.order_sequence,
        }
    }

    /// Resting orders of a side, by level, as they would be filled.
    pub(crate) fn saved_levels(
        &self,
        side: Side,
    ) -> impl Iterator<Item = (Price, u32, impl Iterator<Item = SavedOrder>)> {
        self.ladder(side).iter().map(move |level| {
            let saved = self.chain(level).map(|slot| self.saved(slot));
            (self.levels[level].price, self.levels[level].orders, saved)
        })
    }

    /// Orders in other places, by arrival.
    pub(crate) fn saved_off_book(&self) -> Vec<SavedOrder> {
        let mut found = Vec::new();
        self.collect(&mut found, |_, order| order.place != Place::Resting);
        found.sort_unstable();
        found.into_iter().map(|(_, slot)| self.saved(slot)).collect()
    }

    /// Every live order: the resting ones of both sides as they would be filled, then the others by arrival.
    #[cfg(feature = "wire")]
    pub(crate) fn saved_orders(&self) -> Vec<SavedOrder> {
        let levels = Side::BOTH.into_iter().flat_map(|side| self.saved_levels(side));
        let mut all: Vec<_> = levels.flat_map(|(_, _, queue)| queue).collect();
        all.append(&mut self.saved_off_book());
        all
    }

    /// The same book, its orders and users under other numbers. These must differ where those did.
    #[cfg(feature = "wire")]
    pub(crate) fn renumbered(
        &self,
        time: Millis,
        order: impl Fn(OrderId) -> OrderId,
        user: impl Fn(UserId) -> UserId,
    ) -> Result<OrderBook, Impossible> {
        let mut book = OrderBook::from_parts(&self.parts(), time)?;
        let all: Vec<SavedOrder> = self
            .saved_orders()
            .into_iter()
            .map(|saved| SavedOrder {
                order: order(saved.order),
                user: user(saved.user),
                extra: saved.extra.map(|extra| SavedExtra {
                    peer: extra.peer.map(&order),
                    entry: extra.entry.map(&order),
                    ..extra
                }),
                ..saved
            })
            .collect();
        book.reserve(all.len());
        all.iter().try_for_each(|saved| book.restore(saved))?;
        all.iter().try_for_each(|saved| book.restore_links(saved))?;
        book.finish_restoring()?;
        Ok(book)
    }

    fn saved(&self, slot: u32) -> SavedOrder {
        let order = &self.orders[slot];
        let place = match order.place {
            Place::Stopped => SavedPlace::Stopped,
            Place::Due => SavedPlace::Due,
            Place::Waiting => SavedPlace::Waiting,
            Place::Held => SavedPlace::Held,
            _ => SavedPlace::Resting,
        };
        let extra = (order.extra != NONE).then(|| {
            let extra = &self.extras[order.extra];
            let held = order.place == Place::Held;
            SavedExtra {
                order_type: extra.order_type,
                time_in_force: extra.time_in_force,
                trigger: extra.trigger,
                mark: extra.mark,
                display: extra.display,
                hidden: extra.hidden,
                minimum: extra.minimum,
                all_or_none: extra.all_or_none,
                budget: extra.budget,
                expires: extra.expires,
                peer: (extra.peer != NONE).then(|| self.orders[extra.peer].id),
                entry: held.then_some(extra.entry_id),
                filled: if extra.exit == NONE { 0 } else { extra.filled },
            }
        });
        SavedOrder {
            order: order.id,
            user: self.accounts[order.account].user,
            group: order.group,
            side: order.side,
            price: self.price(slot),
            open: order.open,
            arrival: order.arrival,
            self_trade: order.self_trade,
            post_only: order.manner.post_only,
            cancel_on_disconnect: order.manner.cancel_on_disconnect,
            place,
            extra,
        }
    }

    /// A book without orders. `time` is that of the last command.
    pub(crate) fn from_parts(parts: &Parts, time: Millis) -> Result<OrderBook, Impossible> {
        if !parts.definition.is_sound() {
            return Err("an unsound definition");
        }
        // Counted from 1 they get nowhere near it, and from here on they cannot overflow.
        if [parts.arrivals, parts.depth_sequence, parts.order_sequence].iter().any(|&count| count > MAX_COUNT)
        {
            return Err("a counter beyond what can have been counted");
        }
        if parts.last > MAX_PRICE || parts.auctioned > MAX_PRICE {
            return Err("a price too large");
        }
        let mut book = OrderBook::new(&parts.definition);
        book.phase = parts.phase;
        book.until = parts.until;
        book.time = time;
        book.last = parts.last;
        book.auctioned = parts.auctioned;
        book.arrivals = parts.arrivals;
        book.depth_sequence = parts.depth_sequence;
        book.order_sequence = parts.order_sequence;
        book.set_corridor();
        Ok(book)
    }

    /// Adds one order: resting ones in the order of their queues, others by arrival.
    pub(crate) fn restore(&mut self, saved: &SavedOrder) -> Result<(), Impossible> {
        self.check_saved(saved)?;
        let extra = match &saved.extra {
            None => NONE,
            Some(extra) => self.extras.put(Extra {
                price: saved.price,
                order_type: extra.order_type,
                time_in_force: extra.time_in_force,
                trigger: extra.trigger,
                mark: extra.mark,
                display: extra.display,
                hidden: extra.hidden,
                minimum: extra.minimum,
                all_or_none: extra.all_or_none,
                budget: extra.budget,
                expires: extra.expires,
                filled: extra.filled,
                ..Extra::PLAIN
            }),
        };
        let order = Order {
            id: saved.order,
            open: saved.open,
            arrival: saved.arrival,
            previous: NONE,
            next: NONE,
            level: NONE,
            extra,
            account: NONE,
            account_previous: NONE,
            account_next: NONE,
            group: saved.group,
            side: saved.side,
            place: Place::None,
            self_trade: saved.self_trade,
            manner: Manner { post_only: saved.post_only, cancel_on_disconnect: saved.cancel_on_disconnect },
        };
        let account = self.account(saved.user);
        let slot = self.admit(saved.user, account, order);
        self.live[saved.side as usize] += self.total(slot);
        self.watch(slot, 1);
        let expires = self.extra(slot).expires;
        if expires != NO_END {
            self.expiries.insert(&mut self.extras, extra, slot, expires);
        }
        match saved.place {
            SavedPlace::Resting => {
                let before = self.ladder_mut(saved.side).find(saved.price);
                if before != NONE && self.orders[self.levels[before].last].arrival >= saved.arrival {
                    return Err("a queue out of order");
                }
                let counters = (self.depth_sequence, self.order_sequence);
                self.link(slot, saved.price, &mut Nobody);
                (self.depth_sequence, self.order_sequence) = counters;
            }
            SavedPlace::Stopped => {
                let mark = self.extra(slot).mark;
                self.halt_at_stop(slot);
                // Not the last trade's, if it has not followed any yet.
                self.extra_mut(slot).mark = mark;
            }
            SavedPlace::Waiting => self.wait(slot),
            SavedPlace::Due => self.make_due(slot),
            SavedPlace::Held => self.orders[slot].place = Place::Held,
        }
        Ok(())
    }

    fn check_saved(&self, saved: &SavedOrder) -> Result<(), Impossible> {
        let market = saved.extra.is_some_and(|extra| extra.order_type == OrderType::Market);
        let hidden = saved.extra.map_or(0, |extra| extra.hidden);
        if saved.open == 0 || saved.open > MAX_QUANTITY || hidden > MAX_QUANTITY - saved.open {
            return Err("an order of no or too large a quantity");
        }
        if saved.price > MAX_PRICE || (saved.price == 0 && !market) {
            return Err("an order at an impossible price");
        }
        if self.live[saved.side as usize].checked_add(saved.open + hidden).is_none() {
            return Err("more orders than a side holds");
        }
        if saved.arrival == 0 || saved.arrival > self.arrivals {
            return Err("an arrival that was never given out");
        }
        if self.find(saved.order) != NONE {
            return Err("two orders of one id");
        }
        let Some(extra) = &saved.extra else {
            return if saved.place == SavedPlace::Resting {
                Ok(())
            } else {
                Err("a plain order that does not rest")
            };
        };
        let immediate = market || extra.time_in_force.is_immediate();
        let fits = match saved.place {
            SavedPlace::Resting => !immediate && extra.minimum == 0 && extra.trigger == Trigger::None,
            SavedPlace::Waiting => !immediate && extra.minimum > 0 && extra.trigger == Trigger::None,
            SavedPlace::Stopped | SavedPlace::Due => extra.trigger != Trigger::None,
            SavedPlace::Held => true,
        };
        let held = extra.entry.is_some() == (saved.place == SavedPlace::Held);
        let trigger = match extra.trigger {
            Trigger::None => true,
            Trigger::Stop(price) | Trigger::Trailing(price) => (1..=MAX_PRICE).contains(&price),
        };
        let hidden_fits = hidden == 0 || (saved.place == SavedPlace::Resting && extra.display > 0);
        if !fits
            || !held
            || !trigger
            || !hidden_fits
            || extra.minimum > saved.open
            || (extra.all_or_none && extra.minimum != saved.open)
            || extra.mark > MAX_PRICE
            || extra.display > MAX_QUANTITY
        {
            return Err("an order whose terms contradict its place");
        }
        Ok(())
    }

    /// Ties an order, once all of them are there, to the one that it is linked with and to its entry.
    pub(crate) fn restore_links(&mut self, saved: &SavedOrder) -> Result<(), Impossible> {
        let Some(extra) = &saved.extra else { return Ok(()) };
        let slot = self.find(saved.order);
        if let Some(peer) = extra.peer {
            let other = self.find(peer);
            if other == NONE || other == slot || !self.is_mutual(slot, other) {
                return Err("a link to an order that does not fit");
            }
            self.extra_mut(slot).peer = other;
            // Counted once for the two of them.
            self.links += u32::from(self.extra(other).peer == slot);
        }
        if let Some(entry) = extra.entry {
            self.extra_mut(slot).entry_id = entry;
            let found = self.find(entry);
            if found == NONE {
                if self.exits_for(entry) == NONE {
                    self.exits.insert(entry.0, slot);
                }
            } else {
                if self.orders[found].account != self.orders[slot].account
                    || self.orders[found].side == self.orders[slot].side
                    || self.orders[found].place == Place::Held
                    || self.orders[found].extra == NONE
                {
                    return Err("an exit that does not fit its entry");
                }
                self.extra_mut(slot).entry = found;
                if self.extra(found).exit == NONE {
                    self.extra_mut(found).exit = slot;
                }
            }
        }
        Ok(())
    }

    fn is_mutual(&self, one: u32, other: u32) -> bool {
        let (a, b) = (&self.orders[one], &self.orders[other]);
        a.side == b.side
            && a.account == b.account
            && b.extra != NONE
            && (a.place == Place::Held) == (b.place == Place::Held)
    }

    /// Whether what was restored is a book, once links are tied.
    pub(crate) fn finish_restoring(&mut self) -> Result<(), Impossible> {
        if let (Some(bid), Some(ask)) = (self.best(Side::Buy), self.best(Side::Sell))
            && bid >= ask
            && self.phase == Phase::Continuous
        {
            return Err("crossed book");
        }
        if self.phase == Phase::Delisted && !self.is_empty() {
            return Err("orders of a delisted symbol");
        }
        if self.phase == Phase::Continuous && !self.due.is_empty() {
            return Err("an order that is due and was not triggered");
        }
        let mut all = Vec::new();
        self.collect(&mut all, |_, order| order.extra != NONE);
        for (_, slot) in all {
            let extra = self.extra(slot);
            let (peer, exit) = (extra.peer, extra.exit);
            if peer != NONE && (self.extra(peer).peer != slot || self.extra(peer).entry_id != extra.entry_id)
            {
                return Err("a link in one direction");
            }
            // Every exit of an entry is the one that the entry knows, or linked to it.
            if self.orders[slot].place == Place::Held {
                let head = if extra.entry == NONE {
                    self.exits_for(extra.entry_id)
                } else {
                    self.extra(extra.entry).exit
                };
                if head != slot && (head == NONE || head != peer) {
                    return Err("more exits than an entry may have");
                }
            }
            if exit != NONE && peer != NONE {
                return Err("an entry with a link");
            }
        }
        Ok(())
    }
}

/// A restored order is no news.
struct Nobody;

impl crate::feed::Sink for Nobody {
    fn event(&mut self, _: crate::event::Event) {}
}
