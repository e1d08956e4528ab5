//! The order book: price-time priority matching of limit and market orders.
//!
//! Orders live in a slab and are chained into the queue of their price level; levels live in a second slab and are
//! found through one [`Ladder`] a side. A command allocates nothing once the slabs have grown to the book's size.
//!
//! Invariants, checked by [`OrderBook::check`]: the book is never crossed; a level's quantity and count are the sums
//! over its queue; an order is in exactly one queue and in the index; no level is empty.

use crate::command::{MAX_PRICE, MAX_QUANTITY, NewOrder, Replace, notional_fits};
use crate::event::{Event, Fill, OrderRef, Party, Reason};
use crate::hash::BuildIdHasher;
use crate::ladder::{Ladder, LevelIndex, NONE};
use crate::types::{OrderId, OrderType, Price, Quantity, Side, TimeInForce, UserId};
use alloc::vec::Vec;
use hashbrown::HashMap;

type OrderIndex = u32;

#[derive(Clone, Copy, Debug)]
struct Order {
    id: OrderId,
    user: UserId,
    price: Price,
    open: Quantity,
    previous: OrderIndex,
    next: OrderIndex,
    level: LevelIndex,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    price: Price,
    quantity: Quantity,
    orders: u32,
    first: OrderIndex,
    last: OrderIndex,
}

/// A price and what rests there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthLevel {
    pub price: Price,
    pub quantity: Quantity,
    pub orders: u32,
}

/// An order as it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    pub order: OrderId,
    pub user: UserId,
    pub side: Side,
    pub price: Price,
    pub open: Quantity,
}

/// The incoming half of a match.
struct Taker {
    order: OrderId,
    user: UserId,
    side: Side,
    /// What the fills report as the order's own price.
    price: Price,
    /// The worst price that it takes.
    limit: Price,
    open: Quantity,
}

#[derive(Clone, Debug)]
pub struct OrderBook {
    orders: Vec<Order>,
    free_orders: Vec<OrderIndex>,
    levels: Vec<Level>,
    free_levels: Vec<LevelIndex>,
    index: HashMap<OrderId, OrderIndex, BuildIdHasher>,
    bids: Ladder,
    asks: Ladder,
    /// Open quantity a side, so that a level's sum cannot overflow.
    resting: [Quantity; 2],
}

impl Default for OrderBook {
    fn default() -> Self {
        OrderBook::new()
    }
}

impl OrderBook {
    pub fn new() -> OrderBook {
        OrderBook {
            orders: Vec::new(),
            free_orders: Vec::new(),
            levels: Vec::new(),
            free_levels: Vec::new(),
            index: HashMap::default(),
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            resting: [0; 2],
        }
    }

    /// Number of resting orders.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn best(&self, side: Side) -> Option<Price> {
        let level = self.ladder(side).best();
        (level != NONE).then(|| self.levels[level as usize].price)
    }

    /// Levels of one side, best first.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = DepthLevel> + '_ {
        self.ladder(side).iter().map(|index| {
            let level = &self.levels[index as usize];
            DepthLevel { price: level.price, quantity: level.quantity, orders: level.orders }
        })
    }

    /// Resting orders of one side in the order in which they would be filled.
    pub fn queue(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side).iter().flat_map(move |level| {
            let mut at = self.levels[level as usize].first;
            core::iter::from_fn(move || {
                if at == NONE {
                    return None;
                }
                let order = &self.orders[at as usize];
                at = order.next;
                Some(order.as_resting())
            })
        })
    }

    /// The oldest order of each level of one side, best level first.
    pub fn fronts(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side).iter().map(|level| {
            let first = self.levels[level as usize].first;
            self.orders[first as usize].as_resting()
        })
    }

    pub fn get(&self, order: OrderId) -> Option<RestingOrder> {
        self.index.get(&order).map(|&index| self.orders[index as usize].as_resting())
    }

    /// A new order: accepted, matched against the other side, and the rest put in the queue or cancelled by its time
    /// in force; or rejected, and then nothing changed.
    pub fn add(&mut self, new: &NewOrder, events: &mut Vec<Event>) {
        let asked = OrderRef {
            order: new.order,
            user: new.user,
            side: new.side,
            price: new.price,
            quantity: new.quantity,
        };
        if let Some(reason) = self.refusal(new) {
            events.push(Event::Rejected(asked, reason));
            return;
        }
        events.push(Event::Accepted(asked));
        let immediate = new.order_type == OrderType::Market || new.time_in_force != TimeInForce::Gtc;
        let limit = worst_price(new);
        if new.order_type == OrderType::Limit
            && new.time_in_force == TimeInForce::Fok
            && !self.can_fill(new.side, limit, new.quantity)
        {
            events.push(Event::Cancelled(asked, Reason::Fok));
            return;
        }
        let mut taker = Taker {
            order: new.order,
            user: new.user,
            side: new.side,
            price: new.price,
            limit,
            open: new.quantity,
        };
        self.take(&mut taker, events);
        if taker.open == 0 {
            return;
        }
        if immediate {
            let reason = match new.order_type {
                OrderType::Market if self.best(new.side.opposite()).is_some() => Reason::Protection,
                OrderType::Market => Reason::NoOppositeQuote,
                OrderType::Limit => Reason::Ioc,
            };
            events.push(Event::Cancelled(OrderRef { quantity: taker.open, ..asked }, reason));
        } else {
            self.rest(RestingOrder {
                order: new.order,
                user: new.user,
                side: new.side,
                price: new.price,
                open: taker.open,
            });
        }
    }

    pub fn cancel(&mut self, order: OrderId, user: UserId, events: &mut Vec<Event>) {
        match self.owned(order, user) {
            Ok(index) => {
                let resting = self.remove(index);
                events.push(Event::Cancelled(resting.as_ref(), Reason::User));
            }
            Err(reason) => events.push(Event::CancelRejected { order, user, reason }),
        }
    }

    /// A new price and open quantity. A pure reduction keeps its place in the queue; anything else is matched and
    /// queued as if it had just come in.
    pub fn replace(&mut self, replace: &Replace, events: &mut Vec<Event>) {
        let &Replace { order, user, price, quantity, expected } = replace;
        let index = match self.replaceable(replace) {
            Ok(index) => index,
            Err(reason) => {
                events.push(Event::ReplaceRejected { order, user, reason });
                return;
            }
        };
        let old = self.orders[index as usize].as_resting();
        debug_assert!(expected.is_none_or(|expected| expected == (old.price, old.open)));
        let now = OrderRef { order, user, side: old.side, price, quantity };
        events.push(Event::Replaced { now, delta: i128::from(quantity) - i128::from(old.open) });
        if price == old.price && quantity <= old.open {
            self.reduce(index, old.open - quantity);
            return;
        }
        self.remove(index);
        let mut taker = Taker { order, user, side: old.side, price, limit: price, open: quantity };
        self.take(&mut taker, events);
        if taker.open > 0 {
            self.rest(RestingOrder { price, open: taker.open, ..old });
        }
    }

    /// Puts an order at the end of its level's queue without matching: the way back from a snapshot.
    pub(crate) fn restore(&mut self, order: RestingOrder) -> Result<(), Reason> {
        if order.open == 0 {
            return Err(Reason::ZeroQuantity);
        }
        if order.price == 0 || order.price > MAX_PRICE {
            return Err(Reason::ZeroPrice);
        }
        if self.index.contains_key(&order.order) {
            return Err(Reason::DuplicateOrder);
        }
        if self.resting[order.side as usize].checked_add(order.open).is_none() {
            return Err(Reason::BookFull);
        }
        self.rest(order);
        Ok(())
    }

    fn refusal(&self, new: &NewOrder) -> Option<Reason> {
        if new.quantity == 0 {
            return Some(Reason::ZeroQuantity);
        }
        if new.quantity > MAX_QUANTITY {
            return Some(Reason::QuantityTooLarge);
        }
        if new.price == 0 && new.order_type == OrderType::Limit {
            return Some(Reason::ZeroPrice);
        }
        if new.price > MAX_PRICE {
            return Some(Reason::PriceTooLarge);
        }
        if !notional_fits(new.price, new.quantity) {
            return Some(Reason::NotionalTooLarge);
        }
        if new.order_type == OrderType::Market && self.ladder(new.side.opposite()).best() == NONE {
            return Some(Reason::NoOppositeQuote);
        }
        if self.resting[new.side as usize].checked_add(new.quantity).is_none() {
            return Some(Reason::BookFull);
        }
        if self.index.contains_key(&new.order) {
            return Some(Reason::DuplicateOrder);
        }
        None
    }

    fn replaceable(&self, replace: &Replace) -> Result<OrderIndex, Reason> {
        let index = self.owned(replace.order, replace.user)?;
        if replace.quantity == 0 {
            return Err(Reason::ZeroQuantity);
        }
        if replace.quantity > MAX_QUANTITY {
            return Err(Reason::QuantityTooLarge);
        }
        if replace.price == 0 {
            return Err(Reason::ZeroPrice);
        }
        if replace.price > MAX_PRICE {
            return Err(Reason::PriceTooLarge);
        }
        if !notional_fits(replace.price, replace.quantity) {
            return Err(Reason::NotionalTooLarge);
        }
        let order = &self.orders[index as usize];
        if replace.expected.is_some_and(|expected| expected != (order.price, order.open)) {
            return Err(Reason::StaleOrder);
        }
        if self.resting[order.side as usize].checked_add(replace.quantity).is_none() {
            return Err(Reason::BookFull);
        }
        Ok(index)
    }

    fn owned(&self, order: OrderId, user: UserId) -> Result<OrderIndex, Reason> {
        let &index = self.index.get(&order).ok_or(Reason::UnknownOrder)?;
        if self.orders[index as usize].user == user { Ok(index) } else { Err(Reason::NotOwner) }
    }

    /// Whether the other side holds `quantity` at `limit` or better.
    fn can_fill(&self, side: Side, limit: Price, quantity: Quantity) -> bool {
        let mut needed = quantity;
        for index in self.ladder(side.opposite()).iter() {
            let level = &self.levels[index as usize];
            if !crosses(side, limit, level.price) {
                return false;
            }
            if level.quantity >= needed {
                return true;
            }
            needed -= level.quantity;
        }
        false
    }

    /// Fills the taker from the best level of the other side on, oldest order first, as far as its limit goes.
    fn take(&mut self, taker: &mut Taker, events: &mut Vec<Event>) {
        let other = taker.side.opposite();
        while taker.open > 0 {
            let level_index = self.ladder(other).best();
            if level_index == NONE {
                return;
            }
            let price = self.levels[level_index as usize].price;
            if !crosses(taker.side, taker.limit, price) {
                return;
            }
            let mut at = self.levels[level_index as usize].first;
            let mut taken = 0;
            let mut gone = 0;
            while taker.open > 0 && at != NONE {
                let maker = &mut self.orders[at as usize];
                let quantity = maker.open.min(taker.open);
                maker.open -= quantity;
                taker.open -= quantity;
                taken += quantity;
                events.push(Event::Filled(Fill {
                    maker: Party { order: maker.id, user: maker.user, price, remaining: maker.open },
                    taker: Party {
                        order: taker.order,
                        user: taker.user,
                        price: taker.price,
                        remaining: taker.open,
                    },
                    taker_side: taker.side,
                    price,
                    quantity,
                }));
                if maker.open > 0 {
                    break;
                }
                let next = maker.next;
                self.index.remove(&maker.id);
                self.free_orders.push(at);
                gone += 1;
                at = next;
            }
            self.resting[other as usize] -= taken;
            let level = &mut self.levels[level_index as usize];
            level.quantity -= taken;
            level.orders -= gone;
            level.first = at;
            if at == NONE {
                self.free_levels.push(level_index);
                self.ladder_mut(other).remove(price);
            } else {
                self.orders[at as usize].previous = NONE;
            }
        }
    }

    fn rest(&mut self, resting: RestingOrder) {
        let RestingOrder { order, user, side, price, open } = resting;
        let mut level_index = self.ladder_mut(side).find(price);
        if level_index == NONE {
            let level = Level { price, quantity: 0, orders: 0, first: NONE, last: NONE };
            level_index = place(&mut self.levels, &mut self.free_levels, level);
            self.ladder_mut(side).insert(price, level_index);
        }
        let level = &mut self.levels[level_index as usize];
        let previous = level.last;
        let order = Order { id: order, user, price, open, previous, next: NONE, level: level_index, side };
        let index = place(&mut self.orders, &mut self.free_orders, order);
        if previous == NONE {
            level.first = index;
        } else {
            self.orders[previous as usize].next = index;
        }
        level.last = index;
        level.orders += 1;
        level.quantity += open;
        self.resting[side as usize] += open;
        self.index.insert(order.id, index);
    }

    fn reduce(&mut self, index: OrderIndex, by: Quantity) {
        let order = &mut self.orders[index as usize];
        order.open -= by;
        self.levels[order.level as usize].quantity -= by;
        self.resting[order.side as usize] -= by;
    }

    fn remove(&mut self, index: OrderIndex) -> RestingOrder {
        let order = self.orders[index as usize];
        let level = &mut self.levels[order.level as usize];
        level.quantity -= order.open;
        level.orders -= 1;
        match order.previous {
            NONE => level.first = order.next,
            previous => self.orders[previous as usize].next = order.next,
        }
        match order.next {
            NONE => level.last = order.previous,
            next => self.orders[next as usize].previous = order.previous,
        }
        if level.orders == 0 {
            self.free_levels.push(order.level);
            self.ladder_mut(order.side).remove(order.price);
        }
        self.resting[order.side as usize] -= order.open;
        self.index.remove(&order.id);
        self.free_orders.push(index);
        order.as_resting()
    }

    #[inline]
    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    #[inline]
    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Walks the whole book and panics where an invariant is broken. For tests and for pages that show it.
    pub fn check(&self) {
        let mut seen = 0;
        for side in [Side::Buy, Side::Sell] {
            let mut total: Quantity = 0;
            let mut before: Option<Price> = None;
            for index in self.ladder(side).iter() {
                let level = &self.levels[index as usize];
                assert!(level.orders > 0, "no level is empty");
                if let Some(before) = before {
                    assert!(
                        crosses(side.opposite(), level.price, before) && level.price != before,
                        "best first"
                    );
                }
                before = Some(level.price);
                let (mut quantity, mut orders, mut previous, mut at) = (0, 0, NONE, level.first);
                while at != NONE {
                    let order = &self.orders[at as usize];
                    assert!(order.open > 0 && order.level == index && order.side == side);
                    assert!(order.price == level.price && order.previous == previous);
                    assert_eq!(self.index.get(&order.id), Some(&at), "indexed");
                    quantity += order.open;
                    orders += 1;
                    previous = at;
                    at = order.next;
                }
                assert_eq!(
                    (quantity, orders, previous),
                    (level.quantity, level.orders, level.last),
                    "level sums"
                );
                total += quantity;
                seen += orders as usize;
            }
            assert_eq!(total, self.resting[side as usize], "side sum");
        }
        assert_eq!(seen, self.index.len(), "every indexed order rests");
        if let (Some(bid), Some(ask)) = (self.best(Side::Buy), self.best(Side::Sell)) {
            assert!(bid < ask, "crossed: {bid} >= {ask}");
        }
    }
}

impl Order {
    fn as_resting(&self) -> RestingOrder {
        RestingOrder { order: self.id, user: self.user, side: self.side, price: self.price, open: self.open }
    }
}

impl RestingOrder {
    fn as_ref(&self) -> OrderRef {
        OrderRef {
            order: self.order,
            user: self.user,
            side: self.side,
            price: self.price,
            quantity: self.open,
        }
    }
}

/// The worst price an order takes.
fn worst_price(new: &NewOrder) -> Price {
    match (new.order_type, new.price, new.side) {
        (OrderType::Market, 0, Side::Buy) => Price::MAX,
        (_, price, _) => price,
    }
}

/// Whether an order of `side` with this limit takes `price`.
#[inline]
fn crosses(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

fn place<T>(slab: &mut Vec<T>, free: &mut Vec<u32>, value: T) -> u32 {
    match free.pop() {
        Some(index) => {
            slab[index as usize] = value;
            index
        }
        None => {
            slab.push(value);
            // A book of 2^32 - 1 orders would take 300 GB first.
            (slab.len() - 1) as u32
        }
    }
}
