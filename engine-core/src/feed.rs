//! What the world is told of a market, and how a reader keeps a copy of its book.
//!
//! A market tells everything through a [`Sink`]: events (numbered by [`Market::sequence`](crate::market::Market::sequence)), depth
//! changes (numbered by [`Market::depth_sequence`](crate::market::Market::depth_sequence)) and order changes (numbered by
//! [`Market::order_sequence`](crate::market::Market::order_sequence)). The three counters go up by one for each thing told and never skip, whether
//! anyone listens or not.
//!
//! | feed | what | how |
//! |---|---|---|
//! | L1 | best price and quantity a side | [`OrderBook::quote`](crate::book::OrderBook::quote), then a [`TopFeed`] of one level |
//! | best n | the n best levels a side | a [`TopFeed`] of n levels: what comes into view or goes out of it is told as well; [`TopReplica`] puts it together |
//! | L2 | quantity and orders of each level | a snapshot of all levels ([`OrderBook::depth`](crate::book::OrderBook::depth)), then [`DepthChange`]s; [`DepthReplica`] puts them together |
//! | L3 | each order as it is seen | a snapshot ([`OrderBook::queue`](crate::book::OrderBook::queue)), then [`OrderChange`]s; [`OrderReplica`] puts them together |

mod top;

pub use top::{TopFeed, TopReplica, TopUpdate};

use crate::bytes::Crc32;
use crate::event::Event;
use crate::types::{OrderId, Price, Quantity, Sequence, Side};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A level as it is now; quantity and orders are 0 when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthChange {
    /// Which side of the book the level is on.
    pub side: Side,
    /// Names the level, with the side.
    pub price: Price,
    /// What is displayed there, in all.
    pub quantity: Quantity,
    /// How many orders that is.
    pub orders: u32,
}

/// One order of the book, as everybody may see it: only the displayed part of an iceberg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// At the end of its price's queue.
    Added {
        /// Its id, by which the later changes name it.
        order: OrderId,
        /// The side it rests on.
        side: Side,
        /// The price it rests at.
        price: Price,
        /// Displayed.
        quantity: Quantity,
    },
    /// It keeps its place.
    Changed {
        /// An order that was added.
        order: OrderId,
        /// What it displays now; never 0.
        quantity: Quantity,
    },
    /// It no longer rests: filled, cancelled, moved (it may be added again), or an iceberg's part that was used up.
    Removed {
        /// An order that was added; its id is free again on this feed.
        order: OrderId,
    },
}

/// Takes what a market tells, in order. What a sink leaves out costs nothing.
pub trait Sink {
    /// What happened. Numbered on from [`Market::sequence`](crate::market::Market::sequence).
    fn event(&mut self, event: Event);

    /// A level has changed. Several changes of a level in one command may come as one.
    #[inline]
    fn depth(&mut self, _change: DepthChange) {}

    /// A displayed order has changed.
    #[inline]
    fn order(&mut self, _change: OrderChange) {}
}

/// Events alone.
impl Sink for Vec<Event> {
    #[inline]
    fn event(&mut self, event: Event) {
        self.push(event);
    }
}

/// Everything, in a list each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// L2 changes, in order.
    pub depth: Vec<DepthChange>,
    /// L3 changes, in order.
    pub orders: Vec<OrderChange>,
}

impl Report {
    /// Forgets what was told and keeps the memory, for the next command.
    pub fn clear(&mut self) {
        self.events.clear();
        self.depth.clear();
        self.orders.clear();
    }
}

impl Sink for Report {
    #[inline]
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    #[inline]
    fn depth(&mut self, change: DepthChange) {
        self.depth.push(change);
    }

    #[inline]
    fn order(&mut self, change: OrderChange) {
        self.orders.push(change);
    }
}

/// Events and depth changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepthReport {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// L2 changes, in order.
    pub depth: Vec<DepthChange>,
}

impl DepthReport {
    /// Forgets what was told and keeps the memory, for the next command.
    pub fn clear(&mut self) {
        self.events.clear();
        self.depth.clear();
    }
}

impl Sink for DepthReport {
    #[inline]
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    #[inline]
    fn depth(&mut self, change: DepthChange) {
        self.depth.push(change);
    }
}

/// Best price and what rests there, a side; none where nobody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// The highest price that somebody would pay.
    pub bid: Option<(Price, Quantity)>,
    /// The lowest price that somebody would sell at.
    pub ask: Option<(Price, Quantity)>,
}

/// Levels a side that a book's checksum covers.
pub const CHECKSUM_LEVELS: usize = 10;

/// CRC-32 (IEEE) over the ten best bids and then the ten best asks, best first, each as its price and its quantity in 8 bytes,
/// little-endian, with one byte before each side: how many levels follow.
pub fn checksum(
    bids: impl Iterator<Item = (Price, Quantity)>,
    asks: impl Iterator<Item = (Price, Quantity)>,
) -> u32 {
    let mut crc = Crc32::default();
    side_checksum(&mut crc, bids);
    side_checksum(&mut crc, asks);
    crc.finish()
}

fn side_checksum(crc: &mut Crc32, levels: impl Iterator<Item = (Price, Quantity)>) {
    let mut bytes = [0; 1 + 16 * CHECKSUM_LEVELS];
    let mut count = 0;
    for (price, quantity) in levels.take(CHECKSUM_LEVELS) {
        let at = 1 + 16 * count;
        bytes[at..at + 8].copy_from_slice(&price.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&quantity.to_le_bytes());
        count += 1;
    }
    bytes[0] = count as u8;
    crc.update(&bytes[..1 + 16 * count]);
}

/// Orders a side that [`order_checksum`] covers.
pub const CHECKSUM_ORDERS: usize = 100;

/// CRC-32 (IEEE) over the first hundred orders of each side in the order in which they would be filled, bids first, each as its id, its
/// price and its displayed quantity in 8 bytes, little-endian, with one byte after each side: how many orders it was.
pub fn order_checksum(
    bids: impl Iterator<Item = (OrderId, Price, Quantity)>,
    asks: impl Iterator<Item = (OrderId, Price, Quantity)>,
) -> u32 {
    let mut crc = Crc32::default();
    let mut side = |orders: &mut dyn Iterator<Item = (OrderId, Price, Quantity)>| {
        let mut count = 0;
        for (order, price, quantity) in orders.take(CHECKSUM_ORDERS) {
            for number in [order.0, price, quantity] {
                crc.update(&number.to_le_bytes());
            }
            count += 1;
        }
        crc.update(&[count]);
    };
    let (mut bids, mut asks) = (bids, asks);
    side(&mut bids);
    side(&mut asks);
    crc.finish()
}

/// Why a replica no longer follows its market: it needs a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfStep {
    /// These changes do not begin right after the last ones.
    Gap {
        /// The number that was due.
        expected: Sequence,
        /// The number that came; larger.
        got: Sequence,
    },
    /// The changes were all there, but the copy is another book: wrong snapshot, or damage on the way.
    WrongChecksum,
    /// A change of an order that is not there, or a second order of an id.
    Impossible,
}

impl core::fmt::Display for OutOfStep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            OutOfStep::Gap { expected, got } => write!(f, "change {got} came where {expected} was due"),
            OutOfStep::WrongChecksum => f.write_str("the book's checksum does not match"),
            OutOfStep::Impossible => f.write_str("a change does not fit the book"),
        }
    }
}

impl core::error::Error for OutOfStep {}

/// A reader's copy of the levels of a book (L2).
///
/// ```
/// use engine_core::command::{Command, NewOrder};
/// use engine_core::feed::{DepthReplica, DepthReport};
/// use engine_core::market::Market;
/// use engine_core::types::{OrderId, Side, UserId};
///
/// let mut market = Market::default();
/// let mut copy = DepthReplica::of(&market);
/// let mut report = DepthReport::default();
/// let order = NewOrder::limit(OrderId(1), UserId(1), Side::Buy, 100, 5);
/// let first = market.depth_sequence() + 1;
/// market.apply(0, &Command::Add(order), &mut report);
/// copy.apply(first, &report.depth).unwrap();
/// copy.verify(market.book().checksum()).unwrap();
/// assert_eq!(copy.levels(Side::Buy).next(), Some((100, 5, 1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepthReplica {
    sequence: Sequence,
    bids: BTreeMap<Price, (Quantity, u32)>,
    asks: BTreeMap<Price, (Quantity, u32)>,
}

impl DepthReplica {
    /// From a full snapshot: the levels of both sides as they were after change `sequence`.
    pub fn new(sequence: Sequence, levels: impl Iterator<Item = DepthChange>) -> DepthReplica {
        let mut replica = DepthReplica { sequence, ..DepthReplica::default() };
        levels.for_each(|level| replica.set(level));
        replica
    }

    /// A copy of a market in the same process, as it is now.
    pub fn of(market: &crate::market::Market) -> DepthReplica {
        let levels = Side::BOTH.into_iter().flat_map(|side| {
            market.book().depth(side).map(move |level| DepthChange {
                side,
                price: level.price,
                quantity: level.quantity,
                orders: level.orders,
            })
        });
        DepthReplica::new(market.depth_sequence(), levels)
    }

    /// Number of the last change.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Changes in a row, the first of which has the number `first`. What is known already is passed over.
    pub fn apply(&mut self, first: Sequence, changes: &[DepthChange]) -> Result<(), OutOfStep> {
        let expected = self.sequence + 1;
        if first > expected {
            return Err(OutOfStep::Gap { expected, got: first });
        }
        for (number, &change) in (first..).zip(changes) {
            if number > self.sequence {
                self.set(change);
                self.sequence = number;
            }
        }
        Ok(())
    }

    fn set(&mut self, change: DepthChange) {
        let side = match change.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if change.orders == 0 {
            side.remove(&change.price);
        } else {
            side.insert(change.price, (change.quantity, change.orders));
        }
    }

    /// Price, quantity and orders of each level, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Quantity, u32)> + '_ {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.iter())),
        };
        let level = |(&price, &(quantity, orders)): (&Price, &(Quantity, u32))| (price, quantity, orders);
        bids.into_iter().flatten().map(level).chain(asks.into_iter().flatten().map(level))
    }

    /// Of this copy; see [`checksum`].
    pub fn checksum(&self) -> u32 {
        let side = |side| self.levels(side).map(|(price, quantity, _)| (price, quantity));
        checksum(side(Side::Buy), side(Side::Sell))
    }

    /// Whether the market's checksum is this copy's.
    pub fn verify(&self, checksum: u32) -> Result<(), OutOfStep> {
        if self.checksum() == checksum { Ok(()) } else { Err(OutOfStep::WrongChecksum) }
    }
}

/// A reader's copy of the orders of a book as they are displayed (L3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderReplica {
    sequence: Sequence,
    arrivals: u64,
    places: BTreeMap<OrderId, (Side, Price, u64)>,
    /// By key of price (best first), then by arrival.
    queues: [BTreeMap<(u64, u64), (OrderId, Quantity)>; 2],
}

impl OrderReplica {
    /// A copy of a market in the same process, as it is now.
    pub fn of(market: &crate::market::Market) -> OrderReplica {
        let mut replica = OrderReplica { sequence: market.order_sequence(), ..OrderReplica::default() };
        for side in Side::BOTH {
            for order in market.book().queue(side) {
                replica.add(order.order, side, order.price, order.open);
            }
        }
        replica
    }

    /// Number of the last change.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// As [`DepthReplica::apply`].
    pub fn apply(&mut self, first: Sequence, changes: &[OrderChange]) -> Result<(), OutOfStep> {
        let expected = self.sequence + 1;
        if first > expected {
            return Err(OutOfStep::Gap { expected, got: first });
        }
        for (number, change) in (first..).zip(changes) {
            if number <= self.sequence {
                continue;
            }
            self.sequence = number;
            match *change {
                OrderChange::Added { order, side, price, quantity } => {
                    if self.places.contains_key(&order) {
                        return Err(OutOfStep::Impossible);
                    }
                    self.add(order, side, price, quantity);
                }
                OrderChange::Changed { order, quantity } => {
                    let &(side, price, arrival) = self.places.get(&order).ok_or(OutOfStep::Impossible)?;
                    self.queues[side as usize].insert((key(side, price), arrival), (order, quantity));
                }
                OrderChange::Removed { order } => {
                    let (side, price, arrival) = self.places.remove(&order).ok_or(OutOfStep::Impossible)?;
                    self.queues[side as usize].remove(&(key(side, price), arrival));
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, order: OrderId, side: Side, price: Price, quantity: Quantity) {
        self.arrivals += 1;
        self.places.insert(order, (side, price, self.arrivals));
        self.queues[side as usize].insert((key(side, price), self.arrivals), (order, quantity));
    }

    /// Order, price and displayed quantity, in the order in which they would be filled.
    pub fn queue(&self, side: Side) -> impl Iterator<Item = (OrderId, Price, Quantity)> + '_ {
        self.queues[side as usize].iter().map(move |(&(at, _), &(order, quantity))| {
            (order, if side == Side::Buy { !at } else { at }, quantity)
        })
    }

    /// See [`order_checksum`].
    pub fn checksum(&self) -> u32 {
        order_checksum(self.queue(Side::Buy), self.queue(Side::Sell))
    }

    /// Whether the market's checksum is this copy's.
    pub fn verify(&self, checksum: u32) -> Result<(), OutOfStep> {
        if self.checksum() == checksum { Ok(()) } else { Err(OutOfStep::WrongChecksum) }
    }

    /// How much is displayed before this order at its price, and in how many orders.
    pub fn ahead(&self, order: OrderId) -> Option<(Quantity, usize)> {
        let &(side, price, arrival) = self.places.get(&order)?;
        let at = key(side, price);
        let before = self.queues[side as usize].range((at, 0)..(at, arrival));
        Some(before.fold((0, 0), |(sum, count), (_, &(_, quantity))| (sum + quantity, count + 1)))
    }
}

fn key(side: Side, price: Price) -> u64 {
    match side {
        Side::Buy => !price,
        Side::Sell => price,
    }
}
