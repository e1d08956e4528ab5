//! Orders with a minimum that wait until the other side has enough for it (`RULES.md` §5).
//!
//! After every command each of them would have to be asked whether there is enough now. That is not done: a side is surveyed once,
//! and then not again before so much has come as the one that lacks least had lacked, or something has changed that can
//! raise a *reach* in another way. One survey walks the other side's levels once, however many orders wait.

use super::OrderBook;
use super::store::Place;
use crate::event::Event;
use crate::feed::Sink;
use crate::ladder::NONE;
use crate::types::{Phase, Price, Quantity, SelfTrade, Side};

/// What the waiting orders of a side lack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanting {
    /// Unless this much comes to the other side, no one has enough. 0: to be surveyed.
    pub gap: Quantity,
    /// The worst price that any of them takes.
    limit: Price,
    /// For one of them at least something on the other side keeps something else there from counting.
    choosy: bool,
}

impl OrderBook {
    /// Puts an order with a minimum among those that wait.
    pub(super) fn wait(&mut self, slot: u32) {
        self.orders[slot].place = Place::Waiting;
        self.waiting.push(slot);
        // A survey needs room for all of them, and is no time to ask for it.
        self.scratch.reserve(self.waiting.len());
        self.able.reserve(self.waiting.len());
        self.survey_anew(self.orders[slot].side);
    }

    /// A waiting order of this side is new or has changed, or *reach* may have risen for all of them.
    pub(super) fn survey_anew(&mut self, side: Side) {
        self.wanting[side as usize].gap = 0;
    }

    /// So much has come to this side at this price.
    #[inline]
    pub(super) fn offer(&mut self, side: Side, price: Price, quantity: Quantity) {
        if !self.waiting.is_empty() {
            let (other, wanting) = (side.opposite(), &mut self.wanting[side.opposite() as usize]);
            if other.accepts(wanting.limit, price) {
                wanting.gap = wanting.gap.saturating_sub(quantity);
            }
        }
    }

    /// Something of this side has gone that may have kept other orders of it from counting.
    #[inline]
    pub(super) fn make_way(&mut self, side: Side) {
        if !self.waiting.is_empty() && (self.links > 0 || self.wanting[side.opposite() as usize].choosy) {
            self.survey_anew(side.opposite());
        }
    }

    /// Lets waiting orders become active as long as there is one for which the other side has enough.
    pub(super) fn try_waiting<S: Sink>(&mut self, sink: &mut S) {
        while self.phase == Phase::Continuous {
            let Some(slot) = self.find_able() else { return };
            self.leave(slot);
            self.orders[slot].arrival = self.next_arrival();
            sink.event(Event::Triggered(self.describe(slot)));
            self.activate(slot, sink);
            self.drain(sink);
        }
    }

    /// The waiting order with the lowest arrival that has enough.
    fn find_able(&mut self) -> Option<u32> {
        self.able.clear();
        for side in Side::BOTH {
            if self.wanting[side as usize].gap == 0 {
                self.survey(side);
            }
        }
        self.able.sort_unstable();
        let found = self.able.iter().map(|&(_, slot)| slot).find(|&slot| self.has_enough(slot))?;
        // Others may have enough as well.
        Side::BOTH.into_iter().for_each(|side| self.survey_anew(side));
        Some(found)
    }

    fn has_enough(&self, slot: u32) -> bool {
        let taker = self.taker(slot, self.extra(slot).price);
        self.reaches(&taker, self.extra(slot).minimum)
    }

    /// Finds out what the waiting orders of a side lack if all of the other side counts, and which ones lack nothing then.
    fn survey(&mut self, side: Side) {
        let (mut waiting, mut able) = (core::mem::take(&mut self.scratch), core::mem::take(&mut self.able));
        let mut wanting = Wanting { gap: Quantity::MAX, limit: 0, choosy: false };
        let mut most = 0;
        for &slot in self.waiting.iter().filter(|&&slot| self.orders[slot].side == side) {
            // The smaller, the sooner its limit is reached.
            let limit = self.extra(slot).price;
            waiting.push((if side == Side::Buy { limit } else { !limit }, slot));
            wanting.choosy |= self.orders[slot].self_trade != SelfTrade::Allow;
            most = most.max(self.extra(slot).minimum);
        }
        waiting.sort_unstable();
        if let Some(&(_, loosest)) = waiting.last() {
            wanting.limit = self.extra(loosest).price;
        }
        let (mut sum, mut done) = (0, 0);
        let mut levels = self.ladder(side.opposite()).iter();
        while done < waiting.len() {
            let level = levels.next().map(|index| &self.levels[index]);
            let in_reach = level.filter(|level| {
                let inside = (self.corridor.0..=self.corridor.1).contains(&level.price);
                // When it goes, what is behind it counts.
                wanting.choosy |= !inside;
                inside && sum < most
            });
            // Those that do not take the level's price have all that there is for them.
            while done < waiting.len()
                && in_reach.is_none_or(|level| !side.accepts(self.extra(waiting[done].1).price, level.price))
            {
                let slot = waiting[done].1;
                match self.extra(slot).minimum.saturating_sub(sum) {
                    0 => {
                        able.push((self.orders[slot].arrival, slot));
                        // It is asked itself; if it has not got enough, a single one more may be.
                        wanting.gap = wanting.gap.min(1);
                    }
                    lacking => wanting.gap = wanting.gap.min(lacking),
                }
                done += 1;
            }
            if let Some(level) = in_reach {
                sum += level.quantity + level.hidden;
            }
        }
        waiting.clear();
        (self.scratch, self.able) = (waiting, able);
        self.wanting[side as usize] = wanting;
    }

    /// Whether what is known of what waiting orders lack is so.
    pub(super) fn check_wanting(&self) {
        for &slot in &self.waiting {
            let side = self.orders[slot].side;
            let known = self.phase == Phase::Continuous && self.wanting[side as usize].gap > 0;
            assert!(!known || !self.has_enough(slot), "an order waits that has enough");
            assert!(self.extra(slot).peer == NONE || self.links > 0, "a link that is not counted");
        }
    }
}
