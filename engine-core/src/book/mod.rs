//! The order book of one symbol and everything that happens in it. `RULES.md` says what; the modules here say how.
//!
//! - `store`: where orders, levels and accounts live, and how they are chained
//! - `entry`: new orders, and what refuses them · `change`: cancel, replace, mass cancel, define
//! - `matching`: fills in continuous trading · `auction`: fills at one price
//! - `follow`: what follows from a fill: stops, links, exits · `waiting`: orders that wait for enough on the other side ·
//!   `session`: phases and time
//!
//! Orders live in a slab and are chained into the queue of their price level; levels live in a second slab and are found
//! through one ladder a side. An order with something special about it (hidden, an end, a trigger, a link) has that in
//! a third slab, so that plain orders stay within one line of the cache and pay for nothing. A command allocates
//! nothing once the slabs have grown to the book's size.
//!
//! Invariants, checked by [`OrderBook::check`]: in continuous trading the book is not crossed; a level's sums are those of
//! its queue; an order is in exactly one place, in the index, and in its account's list; no level is empty; links
//! are mutual.

mod auction;
mod change;
mod check;
mod entry;
mod expiry;
mod follow;
mod matching;
mod restore;
mod session;
mod store;
mod waiting;

pub use auction::Indicative;
pub(crate) use restore::{MAX_COUNT, Parts, SavedExtra, SavedOrder, SavedPlace};
pub(crate) use store::touch;

use crate::command::{Command, Replace};
use crate::definition::Definition;
use crate::feed::{Quote, checksum, order_checksum};
use crate::index::IdIndex;
use crate::ladder::{Ladder, LevelIndex, NONE};
use crate::types::{Millis, OrderId, Phase, Price, Quantity, Side, UserId};
use alloc::vec::Vec;
use expiry::Expiries;
use follow::FollowUp;
use store::{Account, Extra, Level, Order, Place, Slab};
use waiting::Wanting;

/// Live orders from which on a book is larger than what a processor has of a cache to itself: at a line each, 16 MiB.
const LARGE: usize = if cfg!(test) { 4 } else { 1 << 18 };
/// Levels from which on the ends of their queues are no longer in the cache anyway.
const MANY_LEVELS: usize = if cfg!(test) { 2 } else { 1 << 12 };
/// How many commands are looked at together.
const LOOK_AHEAD: usize = 32;

/// A price and what rests there to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthLevel {
    /// In the symbol's price unit.
    pub price: Price,
    /// Displayed.
    pub quantity: Quantity,
    /// How many orders are displayed there; never 0.
    pub orders: u32,
}

/// An order as it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// Its id, as it was entered.
    pub order: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// Which queue it rests in.
    pub side: Side,
    /// The price at which it rests: its limit, or where a post-only order was moved to.
    pub price: Price,
    /// Displayed.
    pub open: Quantity,
    /// An iceberg's hidden part.
    pub hidden: Quantity,
}

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the book, behind this much that is displayed in this many orders at its price.
    Resting {
        /// Displayed quantity before it at its price.
        ahead: Quantity,
        /// How many orders that is.
        orders: u32,
    },
    /// It waits for a trade at this price or beyond (0: a trailing stop before the first trade).
    Stopped {
        /// The stop price; of a trailing stop the one that it has come to.
        at: Price,
    },
    /// It waits until it can be filled by its minimum at once.
    Waiting,
    /// An exit; it waits for its entry to end.
    Held,
}

/// The orders of one symbol, wherever they are, and its phase and definition.
///
/// Reading it is free of side effects; only [`Market::apply`](crate::market::Market::apply) changes it.
#[derive(Clone, Debug)]
pub struct OrderBook {
    definition: Definition,
    phase: Phase,
    /// When the volatility auction ends.
    until: Millis,
    time: Millis,
    /// When the exchange's day ends: the end of DAY orders.
    day_ends: Millis,
    last: Price,
    /// Price of the last auction.
    auctioned: Price,
    /// Prices at which continuous trading may go on, both included.
    corridor: (Price, Price),
    /// The last number given out.
    arrivals: u64,
    pub(crate) depth_sequence: u64,
    pub(crate) order_sequence: u64,
    /// Live quantity a side, in whatever place, so that no sum can overflow.
    live: [Quantity; 2],

    orders: Slab<Order>,
    extras: Slab<Extra>,
    levels: Slab<Level>,
    accounts: Slab<Account>,
    index: IdIndex,
    by_user: IdIndex,
    /// First held exit by the id of an entry that has not come yet.
    exits: IdIndex,
    bids: Ladder,
    asks: Ladder,
    /// Stops by their price: those that a rising market reaches, and those that a falling one does.
    buy_stops: Ladder,
    sell_stops: Ladder,
    stops: u32,
    trailing: Vec<u32>,
    /// Stopped orders whose price the pass before a volatility auction has reached, by arrival.
    due: Vec<u32>,
    waiting: Vec<u32>,
    /// What the waiting orders of each side lack. Not part of the state.
    wanting: [Wanting; 2],
    /// Waiting orders that may have enough, between a survey and their test.
    able: Vec<(u64, u32)>,
    /// Live orders that count as watched: trailing stops, and orders with a minimum.
    watched: [u32; 2],
    expiries: Expiries,
    /// Pairs of live orders of which one cancels the other.
    links: u32,
    /// Orders that are to become active, from `followed` on.
    follow_ups: Vec<FollowUp>,
    followed: usize,
    /// Orders that a command goes through; empty between commands.
    scratch: Vec<(u64, u32)>,
    call: Vec<auction::Step>,
}

impl Default for OrderBook {
    fn default() -> Self {
        OrderBook::new(&Definition::default())
    }
}

impl OrderBook {
    /// An empty book in continuous trading.
    ///
    /// # Panics
    /// If the definition is not [sound](Definition::is_sound).
    pub fn new(definition: &Definition) -> OrderBook {
        assert!(definition.is_sound(), "a definition is checked before it gets here");
        let mut book = OrderBook {
            definition: *definition,
            phase: Phase::Continuous,
            until: 0,
            time: 0,
            day_ends: Millis::MAX,
            last: 0,
            auctioned: 0,
            corridor: (0, Price::MAX),
            arrivals: 0,
            depth_sequence: 0,
            order_sequence: 0,
            live: [0; 2],
            orders: Slab::default(),
            extras: Slab::default(),
            levels: Slab::default(),
            accounts: Slab::default(),
            index: IdIndex::default(),
            by_user: IdIndex::default(),
            exits: IdIndex::default(),
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            buy_stops: Ladder::new(Side::Sell),
            sell_stops: Ladder::new(Side::Buy),
            stops: 0,
            trailing: Vec::new(),
            due: Vec::new(),
            waiting: Vec::new(),
            wanting: [Wanting::default(); 2],
            able: Vec::new(),
            watched: [0; 2],
            expiries: Expiries::default(),
            links: 0,
            follow_ups: Vec::new(),
            followed: 0,
            scratch: Vec::new(),
            call: Vec::new(),
        };
        book.set_corridor();
        book
    }

    /// Makes room for so many live orders and their ids, so that these do not grow in the middle of trading. Levels, accounts
    /// and what is special about orders grow with the first that come, and are kept then.
    pub fn reserve(&mut self, orders: usize) {
        self.orders.reserve(orders, Order::NOBODY);
        self.index.reserve(orders);
    }

    /// The rules that new orders have to keep; set by [`Command::Define`].
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// What the market does with orders now; set by [`Command::SetPhase`], and by a volatility auction's begin and end.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When the volatility auction ends.
    pub fn until(&self) -> Option<Millis> {
        (self.phase == Phase::VolatilityAuction).then_some(self.until)
    }

    /// Price of the last trade, of an auction or not; none before the first one.
    pub fn last_price(&self) -> Option<Price> {
        (self.last != 0).then_some(self.last)
    }

    /// Number of live orders: resting, stopped, waiting and held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no order lives, not even one that nobody sees.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What is open of all live orders of one side, wherever they are, hidden parts included.
    pub fn open_quantity(&self, side: Side) -> Quantity {
        self.live[side as usize]
    }

    /// The best price with an order: the highest bid, the lowest ask; none where that side is empty.
    pub fn best(&self, side: Side) -> Option<Price> {
        let level = self.ladder(side).best();
        (level != NONE).then(|| self.levels[level].price)
    }

    /// L1.
    pub fn quote(&self) -> Quote {
        let best = |side| self.depth(side).next().map(|level: DepthLevel| (level.price, level.quantity));
        Quote { bid: best(Side::Buy), ask: best(Side::Sell) }
    }

    /// Levels of one side, best first.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = DepthLevel> + '_ {
        self.ladder(side).iter().map(|index| {
            let level = &self.levels[index];
            DepthLevel { price: level.price, quantity: level.quantity, orders: level.orders }
        })
    }

    /// See [`checksum`].
    pub fn checksum(&self) -> u32 {
        let side = |side| self.depth(side).map(|level| (level.price, level.quantity));
        checksum(side(Side::Buy), side(Side::Sell))
    }

    /// See [`order_checksum`].
    pub fn order_checksum(&self) -> u32 {
        let side = |side| self.queue(side).map(|order| (order.order, order.price, order.open));
        order_checksum(side(Side::Buy), side(Side::Sell))
    }

    /// Resting orders of one side in the order in which they would be filled.
    pub fn queue(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side).iter().flat_map(move |level| self.chain(level)).map(|slot| self.resting(slot))
    }

    /// The oldest order of each level of one side, best level first.
    pub fn fronts(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side).iter().map(|level| self.resting(self.levels[level].first))
    }

    /// A resting order.
    pub fn get(&self, order: OrderId) -> Option<RestingOrder> {
        let slot = self.find(order);
        (slot != NONE && self.orders[slot].place == Place::Resting).then(|| self.resting(slot))
    }

    /// Where a live order is.
    pub fn locate(&self, order: OrderId) -> Option<Whereabouts> {
        let slot = self.find(order);
        if slot == NONE {
            return None;
        }
        let found = &self.orders[slot];
        Some(match found.place {
            Place::Resting => {
                let before = self.chain(found.level).take_while(|&at| at != slot);
                let (ahead, orders) =
                    before.fold((0, 0), |(sum, count), at| (sum + self.orders[at].open, count + 1));
                Whereabouts::Resting { ahead, orders }
            }
            Place::Stopped | Place::Due => Whereabouts::Stopped { at: self.stop_price(slot).unwrap_or(0) },
            Place::Waiting => Whereabouts::Waiting,
            _ => Whereabouts::Held,
        })
    }

    /// Looks at what these commands will touch, so that a book that is larger than the processor's cache is waited for once
    /// and not for each of them in turn. It changes nothing, and costs next to nothing while the book is small: for hosts that
    /// have several commands at hand.
    pub fn look_ahead(&self, commands: &[Command]) {
        if self.len() >= LARGE {
            for commands in commands.chunks(LOOK_AHEAD) {
                self.look_at(commands);
            }
        }
    }

    /// Steps of the way side by side: in each, the loads do not wait for each other, and no branch waits for one of them, which
    /// would throw the later ones away where it was guessed wrongly. So what is not there is looked at too, at some other place.
    #[inline(never)]
    fn look_at(&self, commands: &[Command]) {
        let (mut ids, mut known) = ([0; LOOK_AHEAD], 0);
        let (mut places, mut news) = ([(Side::Buy, 0, UserId(0)); LOOK_AHEAD], 0);
        let many_levels = self.levels.used() >= MANY_LEVELS;
        for command in commands {
            match command {
                Command::Cancel { order, .. } | Command::Replace(Replace { order, .. }) => {
                    ids[known] = order.0;
                    known += 1;
                }
                Command::Add(new) if many_levels => {
                    places[news] = (new.side, new.price, new.user);
                    news += 1;
                }
                _ => {}
            }
        }
        let mut slots = [NONE; LOOK_AHEAD];
        self.index.find_all(&ids[..known], &mut slots[..known]);
        // A new order becomes the neighbour of the last of its price and of the first of its account.
        let mut levels = [NONE; LOOK_AHEAD];
        let mut neighbours = [[NONE; 4]; LOOK_AHEAD];
        for (level, (side, price, _)) in levels.iter_mut().zip(&places[..news]) {
            *level = self.ladder(*side).peek(*price);
        }
        for (found, (_, _, user)) in neighbours.iter_mut().zip(&places[..news]) {
            let account = self.account(*user);
            found[0] = if account == NONE { NONE } else { self.accounts[account].first };
        }
        let news_levels = levels[..news].iter().zip(&mut neighbours);
        for (&level, found) in news_levels {
            found[1] = self.levels.at_most(level).map_or(NONE, |level| level.last);
        }
        let mut sum = 0;
        for (slot, found) in slots[..known].iter().zip(&mut neighbours[news..]) {
            if let Some(order) = self.orders.at_most(*slot) {
                *found = [order.previous, order.next, order.account_previous, order.account_next];
                sum ^= self.levels.at_most(order.level).map_or(0, |level| level.price);
            }
        }
        for found in &neighbours[..news + known] {
            for &slot in found {
                sum ^= self.orders.at_most(slot).map_or(0, |order| order.arrival);
            }
        }
        core::hint::black_box(sum);
    }

    #[inline]
    fn find(&self, order: OrderId) -> u32 {
        self.index.find(order.0)
    }

    fn chain(&self, level: LevelIndex) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.levels[level].first;
        core::iter::from_fn(move || {
            let slot = at;
            (slot != NONE).then(|| {
                at = self.orders[slot].next;
                slot
            })
        })
    }

    fn resting(&self, slot: u32) -> RestingOrder {
        let order = &self.orders[slot];
        RestingOrder {
            order: order.id,
            user: self.accounts[order.account].user,
            side: order.side,
            price: self.levels[order.level].price,
            open: order.open,
            hidden: if order.extra == NONE { 0 } else { self.extras[order.extra].hidden },
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::NewOrder;
    use crate::feed::Report;
    use crate::market::Market;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        // Few ids, so that some are there; some that never are.
        let order = prop_oneof![8 => 0u64..40, 1 => any::<u64>()].prop_map(OrderId);
        let user = prop_oneof![8 => 0u64..4, 1 => any::<u64>()].prop_map(UserId);
        let price = prop_oneof![8 => 90u64..110, 1 => any::<u64>()];
        (order, user, price, 1u64..50, 0..6).prop_map(|(order, user, price, quantity, kind)| match kind {
            0 => Command::Cancel { order, user },
            1 => Command::Replace(Replace { order, user, price, quantity, stop: None, expected: None }),
            _ => {
                let side = if quantity % 2 == 0 { Side::Buy } else { Side::Sell };
                Command::Add(NewOrder::limit(order, user, side, price, quantity))
            }
        })
    }

    proptest! {
        /// Whatever is asked for, there or not, in a book of any size: looking ahead neither breaks nor changes anything.
        #[test]
        fn looking_ahead_changes_nothing(commands in proptest::collection::vec(command(), 1..200), batch in 1usize..80) {
            let (mut with, mut without) = (Market::default(), Market::default());
            let (mut told, mut expected) = (Report::default(), Report::default());
            let mut time = 1;
            for commands in commands.chunks(batch) {
                with.look_ahead(commands);
                for command in commands {
                    with.apply(time, command, &mut told);
                    without.apply(time, command, &mut expected);
                    time += 1;
                }
            }
            prop_assert_eq!(told.events, expected.events);
                with.book().check();
        }
    }
}
