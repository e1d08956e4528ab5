//! The best levels of a book as a feed: one level a side is L1, ten are what most screens show.

use super::{DepthChange, OutOfStep, Quote, checksum};
use crate::book::{DepthLevel, OrderBook};
use crate::market::Market;
use crate::types::{Price, Quantity, Sequence, Side};
use alloc::vec::Vec;

/// What has changed among the best levels since the update before.
///
/// Updates are named by [`Market::depth_sequence`](crate::market::Market::depth_sequence), which goes on while nothing changes among the best levels.
/// Each says which one it follows, so that a reader who has missed one knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpdate {
    /// The update before this one.
    pub after: Sequence,
    /// This one: number of the last change of the book that it covers.
    pub sequence: Sequence,
    /// Levels that have changed or come into view; those that are gone or out of view with quantity and orders 0.
    pub levels: Vec<DepthChange>,
    /// See [`checksum`]; over the levels in view.
    pub checksum: u32,
}

/// Tells the best levels of a market.
///
/// ```
/// use engine_core::command::{Command, NewOrder};
/// use engine_core::feed::{TopFeed, TopReplica};
/// use engine_core::market::Market;
/// use engine_core::types::{OrderId, Side, UserId};
///
/// let mut market = Market::default();
/// let mut level1 = TopFeed::new(1, &market);
/// let mut copy = TopReplica::of(&level1);
/// let mut buy = |id, price| {
///     let order = NewOrder::limit(OrderId(id), UserId(1), Side::Buy, price, 5);
///     market.apply(0, &Command::Add(order), &mut Vec::new());
///     level1.update(&market)
/// };
/// copy.apply(&buy(1, 100).unwrap()).unwrap();
/// assert_eq!(buy(2, 99), None, "nobody sees that");
/// copy.apply(&buy(3, 101).unwrap()).unwrap();
/// assert_eq!(copy.quote().bid, Some((101, 5)));
/// ```
#[derive(Clone, Debug)]
pub struct TopFeed {
    most: usize,
    top: TopReplica,
}

impl TopFeed {
    /// A feed of the `levels` best levels a side, from now on.
    pub fn new(levels: usize, market: &Market) -> TopFeed {
        let side = |side| market.book().depth(side).take(levels).collect();
        let top =
            TopReplica { sequence: market.depth_sequence(), sides: [side(Side::Buy), side(Side::Sell)] };
        TopFeed { most: levels, top }
    }

    /// What has changed since the last call; none where nothing has.
    pub fn update(&mut self, market: &Market) -> Option<TopUpdate> {
        if market.depth_sequence() == self.top.sequence {
            return None;
        }
        let mut levels = Vec::new();
        for side in Side::BOTH {
            let shown = &mut self.top.sides[side as usize];
            compare(side, shown, market.book(), self.most, &mut levels);
            if !levels.is_empty() {
                shown.clear();
                shown.extend(market.book().depth(side).take(self.most));
            }
        }
        if levels.is_empty() {
            return None;
        }
        let after = core::mem::replace(&mut self.top.sequence, market.depth_sequence());
        Some(TopUpdate { after, sequence: self.top.sequence, levels, checksum: self.top.checksum() })
    }
}

/// Adds what makes `shown` the `most` best levels of this side.
fn compare(side: Side, shown: &[DepthLevel], book: &OrderBook, most: usize, changes: &mut Vec<DepthChange>) {
    let gone = |price| DepthChange { side, price, quantity: 0, orders: 0 };
    let mut before = shown.iter().peekable();
    for now in book.depth(side).take(most) {
        // A seller's better prices are those that a buyer at this price would take, and the other way round.
        let better = |price| price != now.price && side.opposite().accepts(now.price, price);
        while let Some(old) = before.next_if(|old| better(old.price)) {
            changes.push(gone(old.price));
        }
        if before.next_if(|old| old.price == now.price).is_none_or(|old| *old != now) {
            let DepthLevel { price, quantity, orders } = now;
            changes.push(DepthChange { side, price, quantity, orders });
        }
    }
    changes.extend(before.map(|old| gone(old.price)));
}

/// A reader's copy of the best levels of a book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopReplica {
    sequence: Sequence,
    sides: [Vec<DepthLevel>; 2],
}

impl TopReplica {
    /// What the feed shows now.
    pub fn of(feed: &TopFeed) -> TopReplica {
        feed.top.clone()
    }

    /// From a snapshot: the levels of both sides as they were after update `sequence`, in any order.
    pub fn new(sequence: Sequence, levels: impl Iterator<Item = DepthChange>) -> TopReplica {
        let mut replica = TopReplica { sequence, ..TopReplica::default() };
        levels.for_each(|level| replica.set(level));
        replica
    }

    /// Name of the last update.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The next update. One that is known already is passed over; after an error the copy is of no more use.
    pub fn apply(&mut self, update: &TopUpdate) -> Result<(), OutOfStep> {
        if update.sequence <= self.sequence {
            return Ok(());
        }
        if update.after != self.sequence {
            return Err(OutOfStep::Gap { expected: self.sequence, got: update.after });
        }
        update.levels.iter().for_each(|&level| self.set(level));
        self.sequence = update.sequence;
        if self.checksum() == update.checksum { Ok(()) } else { Err(OutOfStep::WrongChecksum) }
    }

    fn set(&mut self, change: DepthChange) {
        let DepthChange { side, price, quantity, orders } = change;
        let levels = &mut self.sides[side as usize];
        let better = |level: &DepthLevel| level.price != price && side.opposite().accepts(price, level.price);
        let at = levels.partition_point(better);
        if levels.get(at).is_some_and(|level| level.price == price) {
            levels.remove(at);
        }
        if orders > 0 {
            levels.insert(at, DepthLevel { price, quantity, orders });
        }
    }

    /// The levels in view, best first.
    pub fn levels(&self, side: Side) -> &[DepthLevel] {
        &self.sides[side as usize]
    }

    /// L1.
    pub fn quote(&self) -> Quote {
        let best = |side| self.levels(side).first().map(|level| (level.price, level.quantity));
        Quote { bid: best(Side::Buy), ask: best(Side::Sell) }
    }

    /// See [`checksum`].
    pub fn checksum(&self) -> u32 {
        let side = |side| self.levels(side).iter().map(pair);
        checksum(side(Side::Buy), side(Side::Sell))
    }
}

fn pair(level: &DepthLevel) -> (Price, Quantity) {
    (level.price, level.quantity)
}
