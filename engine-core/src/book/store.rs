//! Where orders, levels and accounts live, and how they are chained.

use super::OrderBook;
use crate::event::OrderRef;
use crate::feed::{DepthChange, OrderChange, Sink};
use crate::ladder::{LevelIndex, NONE};
use crate::types::{
    Millis, NO_END, OrderId, OrderType, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce, Trigger,
    UserId,
};
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: the slot is free, or its order is on its way.
    None,
    Resting,
    Stopped,
    /// Stopped, and its price was reached by the pass that a volatility auction ended: it is triggered after that.
    Due,
    Waiting,
    Held,
    /// Triggered or released, and about to become active.
    Queued,
}

/// One line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Order {
    pub id: OrderId,
    /// Of a resting order what is displayed, of any other all of it.
    pub open: Quantity,
    pub arrival: u64,
    pub previous: u32,
    pub next: u32,
    pub level: LevelIndex,
    pub extra: u32,
    pub account: u32,
    pub account_previous: u32,
    pub account_next: u32,
    pub group: u32,
    pub side: Side,
    pub place: Place,
    pub self_trade: SelfTrade,
    pub manner: Manner,
}

/// What of an order is asked seldom enough to share a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub post_only: PostOnly,
    pub cancel_on_disconnect: bool,
}

/// What is special about an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extra {
    /// Limit, or a market order's protection; of a resting order its level knows.
    pub price: Price,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub trigger: Trigger,
    /// A trailing stop's best trade price so far; 0 before the first.
    pub mark: Price,
    pub display: Quantity,
    pub hidden: Quantity,
    /// What must be filled at once; 0 once it has been.
    pub minimum: Quantity,
    pub all_or_none: bool,
    pub budget: u64,
    /// When the order ends.
    pub expires: Millis,
    pub expiry: u32,
    /// The order that one cancels the other with.
    pub peer: u32,
    /// An entry's first exit; the second one is its peer.
    pub exit: u32,
    /// What an exit is held for: an entry's slot, or its id while it has not come.
    pub entry: u32,
    pub entry_id: OrderId,
    /// An entry's fills so far. Replacing it again and again can take them beyond any bound, and then they stay there: only
    /// what is below an exit's quantity matters.
    pub filled: Quantity,
}

impl Order {
    /// What stands in a slot that was never used.
    pub(super) const NOBODY: Order = Order {
        id: OrderId(0),
        open: 0,
        arrival: 0,
        previous: NONE,
        next: NONE,
        level: NONE,
        extra: NONE,
        account: NONE,
        account_previous: NONE,
        account_next: NONE,
        group: 0,
        side: Side::Buy,
        place: Place::None,
        self_trade: SelfTrade::Allow,
        manner: Manner { post_only: PostOnly::No, cancel_on_disconnect: false },
    };
}

impl Extra {
    pub(super) const PLAIN: Extra = Extra {
        price: 0,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        trigger: Trigger::None,
        mark: 0,
        display: 0,
        hidden: 0,
        minimum: 0,
        all_or_none: false,
        budget: 0,
        expires: NO_END,
        expiry: NONE,
        peer: NONE,
        exit: NONE,
        entry: NONE,
        entry_id: OrderId(0),
        filled: 0,
    };

    /// Whether a resting order with this is as plain as one without.
    fn is_plain(&self) -> bool {
        self.display == 0 && self.expires == NO_END && self.peer == NONE && self.exit == NONE
    }

    pub(super) fn is_immediate(&self) -> bool {
        self.order_type == OrderType::Market || self.time_in_force.is_immediate()
    }
}

/// A price and the queue of orders at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub price: Price,
    /// Displayed.
    pub quantity: Quantity,
    pub hidden: Quantity,
    pub orders: u32,
    pub first: u32,
    pub last: u32,
}

/// An account with live orders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub user: UserId,
    pub first: u32,
    pub orders: u32,
}

/// Values by number; numbers are used again, the one given back last first.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    values: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    #[inline]
    pub(super) fn put(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.values[slot as usize] = value;
                slot
            }
            None => {
                self.values.push(value);
                (self.values.len() - 1) as u32
            }
        }
    }

    #[inline]
    pub(super) fn free(&mut self, slot: u32) {
        self.free.push(slot);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// The value in this slot, or the last one where there is no such slot.
    #[inline]
    pub(super) fn at_most(&self, slot: u32) -> Option<&T> {
        self.values.get((slot as usize).min(self.values.len().wrapping_sub(1)))
    }

    pub(super) fn used(&self) -> usize {
        self.values.len() - self.free.len()
    }
}

impl<T: Copy> Slab<T> {
    /// Makes room for so many values, and writes to all of it once: memory that the system has only promised costs far
    /// more at its first use.
    pub(super) fn reserve(&mut self, count: usize, filler: T) {
        touch(&mut self.values, count, filler);
        // Slots come back only after they were used.
        touch(&mut self.free, count, NONE);
    }
}

/// Makes room for `count` values in all, and writes to what is new of it.
pub(crate) fn touch<T: Copy>(values: &mut Vec<T>, count: usize, filler: T) {
    let used = values.len();
    if count > values.capacity() {
        values.resize(count, filler);
        values.truncate(used);
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, slot: u32) -> &T {
        &self.values[slot as usize]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.values[slot as usize]
    }
}

impl OrderBook {
    #[inline]
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Takes what has changed as values and does not read it from the level: a wide read of what was just written in parts
    /// makes the processor wait until it is in the cache.
    #[inline]
    pub(super) fn tell_depth<S: Sink>(&mut self, change: DepthChange, sink: &mut S) {
        self.depth_sequence += 1;
        sink.depth(change);
    }

    /// Takes a displayed quantity, but no order, off a level and tells.
    pub(super) fn tell_less<S: Sink>(&mut self, side: Side, level: LevelIndex, by: Quantity, sink: &mut S) {
        let level = &mut self.levels[level];
        level.quantity -= by;
        let Level { price, quantity, orders, .. } = *level;
        self.tell_depth(DepthChange { side, price, quantity, orders }, sink);
    }

    #[inline]
    pub(super) fn tell_order<S: Sink>(&mut self, change: OrderChange, sink: &mut S) {
        self.order_sequence += 1;
        sink.order(change);
    }

    /// The account of this user, or [`NONE`] if it has no live order.
    #[inline]
    pub(super) fn account(&self, user: UserId) -> u32 {
        self.by_user.find(user.0)
    }

    /// Accounts, those that no longer have an order among them.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter()
    }

    /// Puts a new order into the slab, the index and its account's list, but in no place yet.
    #[inline]
    pub(super) fn admit(&mut self, user: UserId, account: u32, mut order: Order) -> u32 {
        let account = if account == NONE {
            let account = self.accounts.put(Account { user, first: NONE, orders: 0 });
            self.by_user.insert(user.0, account);
            account
        } else {
            account
        };
        let head = self.accounts[account].first;
        order.account = account;
        order.account_previous = NONE;
        order.account_next = head;
        let id = order.id;
        let slot = self.orders.put(order);
        if head != NONE {
            self.orders[head].account_previous = slot;
        }
        let account = &mut self.accounts[account];
        account.first = slot;
        account.orders += 1;
        self.index.insert(id.0, slot);
        slot
    }

    /// Takes an order that is in no place out of the account's list, the index and the slab.
    #[inline]
    pub(super) fn dismiss(&mut self, slot: u32) {
        let Order { id, account, account_previous: previous, account_next: next, .. } = self.orders[slot];
        if next != NONE {
            self.orders[next].account_previous = previous;
        }
        let owner = &mut self.accounts[account];
        owner.orders -= 1;
        if previous != NONE {
            self.orders[previous].account_next = next;
        } else {
            owner.first = next;
            if next == NONE {
                self.by_user.remove(owner.user.0);
                self.accounts.free(account);
            }
        }
        self.index.remove(id.0);
        self.orders[slot].place = Place::None;
        self.orders.free(slot);
    }

    /// Puts an order at the end of the queue of `price` in the book. Its open quantity is the displayed one by now.
    #[inline]
    pub(super) fn link<S: Sink>(&mut self, slot: u32, price: Price, sink: &mut S) {
        let Order { id, side, open, extra, .. } = self.orders[slot];
        let mut index = self.ladder_mut(side).find(price);
        if index == NONE {
            index =
                self.levels.put(Level { price, quantity: 0, hidden: 0, orders: 0, first: NONE, last: NONE });
            self.ladder_mut(side).insert(price, index);
        }
        let hidden = if extra == NONE { 0 } else { self.extras[extra].hidden };
        let orders = self.append(slot, index);
        let level = &mut self.levels[index];
        let quantity = level.quantity + open;
        level.quantity = quantity;
        level.hidden += hidden;
        self.orders[slot].place = Place::Resting;
        self.offer(side, price, open + hidden);
        self.tell_order(OrderChange::Added { order: id, side, price, quantity: open }, sink);
        self.tell_depth(DepthChange { side, price, quantity, orders }, sink);
    }

    /// Takes a resting order out of its queue.
    #[inline]
    pub(super) fn unlink<S: Sink>(&mut self, slot: u32, sink: &mut S) {
        let Order { id, side, open, extra, level: index, .. } = self.orders[slot];
        let hidden = if extra == NONE { 0 } else { self.extras[extra].hidden };
        let level = &mut self.levels[index];
        let quantity = level.quantity - open;
        level.quantity = quantity;
        level.hidden -= hidden;
        let price = level.price;
        let orders = self.detach(slot);
        self.orders[slot].place = Place::None;
        self.make_way(side);
        self.tell_order(OrderChange::Removed { order: id }, sink);
        self.tell_depth(DepthChange { side, price, quantity, orders }, sink);
        if orders == 0 {
            self.ladder_mut(side).remove(price);
            self.levels.free(index);
        }
    }

    /// Puts an order at the end of a level's queue; answers how many orders that has now.
    #[inline]
    pub(super) fn append(&mut self, slot: u32, index: LevelIndex) -> u32 {
        let level = &mut self.levels[index];
        let last = level.last;
        level.last = slot;
        let orders = level.orders + 1;
        level.orders = orders;
        if last == NONE {
            level.first = slot;
        } else {
            self.orders[last].next = slot;
        }
        let order = &mut self.orders[slot];
        order.level = index;
        order.previous = last;
        order.next = NONE;
        orders
    }

    /// Takes an order out of its level's queue; answers how many orders that has now.
    #[inline]
    pub(super) fn detach(&mut self, slot: u32) -> u32 {
        let Order { previous, next, level, .. } = self.orders[slot];
        let level = &mut self.levels[level];
        let orders = level.orders - 1;
        level.orders = orders;
        match previous {
            NONE => level.first = next,
            previous => self.orders[previous].next = next,
        }
        match next {
            NONE => level.last = previous,
            next => self.orders[next].previous = previous,
        }
        orders
    }

    /// Lessens a resting order in place, hidden part first.
    pub(super) fn lessen<S: Sink>(&mut self, slot: u32, by: Quantity, sink: &mut S) {
        let Order { id, side, extra, level, .. } = self.orders[slot];
        let hidden = if extra == NONE { 0 } else { self.extras[extra].hidden.min(by) };
        if hidden > 0 {
            self.extras[extra].hidden -= hidden;
            self.levels[level].hidden -= hidden;
        }
        let shown = by - hidden;
        self.live[side as usize] -= by;
        if shown > 0 {
            let order = &mut self.orders[slot];
            order.open -= shown;
            let quantity = order.open;
            self.tell_order(OrderChange::Changed { order: id, quantity }, sink);
            self.tell_less(side, level, shown, sink);
        }
    }

    /// What is open of an order, hidden part included.
    #[inline]
    pub(super) fn total(&self, slot: u32) -> Quantity {
        let order = &self.orders[slot];
        if order.extra == NONE { order.open } else { order.open + self.extras[order.extra].hidden }
    }

    /// An order's limit or protection price.
    #[inline]
    pub(super) fn price(&self, slot: u32) -> Price {
        let order = &self.orders[slot];
        if order.place == Place::Resting { self.levels[order.level].price } else { self.extra(slot).price }
    }

    /// What is special about this order.
    #[inline]
    pub(super) fn extra(&self, slot: u32) -> &Extra {
        match self.orders[slot].extra {
            NONE => &Extra::PLAIN,
            extra => &self.extras[extra],
        }
    }

    /// The same to be changed; a plain order gets one.
    pub(super) fn extra_mut(&mut self, slot: u32) -> &mut Extra {
        if self.orders[slot].extra == NONE {
            let price = if self.orders[slot].place == Place::Resting { self.price(slot) } else { 0 };
            self.orders[slot].extra = self.extras.put(Extra { price, ..Extra::PLAIN });
        }
        let extra = self.orders[slot].extra;
        &mut self.extras[extra]
    }

    /// Drops what is special about an order that rests, if nothing is any more.
    pub(super) fn simplify(&mut self, slot: u32) {
        let extra = self.orders[slot].extra;
        if extra != NONE && self.extras[extra].is_plain() {
            self.extras.free(extra);
            self.orders[slot].extra = NONE;
        }
    }

    pub(super) fn describe(&self, slot: u32) -> OrderRef {
        let order = &self.orders[slot];
        OrderRef {
            order: order.id,
            user: self.accounts[order.account].user,
            side: order.side,
            price: self.price(slot),
            quantity: self.total(slot),
        }
    }
}
