//! Phases and time (`RULES.md` §1 and §6).

use super::OrderBook;
use super::store::Place;
use crate::definition::corridor;
use crate::event::{Event, Reason};
use crate::feed::Sink;
use crate::ladder::NONE;
use crate::types::{Millis, Phase, Side};

impl OrderBook {
    /// Time goes on: what is over by now ends, in the order in which it did. `day_ends`: when the exchange's day does.
    #[inline]
    pub(crate) fn advance<S: Sink>(&mut self, time: Millis, day_ends: Millis, sink: &mut S) {
        self.time = time;
        self.day_ends = day_ends;
        if self.phase == Phase::VolatilityAuction && self.until <= time {
            self.expire(self.until, sink);
            self.enter_phase(Phase::Continuous, 0, sink);
        }
        if self.expiries.next() <= time {
            self.expire(time, sink);
        }
    }

    /// Follows up a command: whatever can become active by it does.
    #[inline]
    pub(crate) fn settle<S: Sink>(&mut self, sink: &mut S) {
        self.drain(sink);
        if !self.waiting.is_empty() {
            self.try_waiting(sink);
        }
    }

    pub(crate) fn set_phase<S: Sink>(&mut self, to: Phase, sink: &mut S) {
        if to == self.phase || self.phase == Phase::Delisted || to == Phase::VolatilityAuction {
            sink.event(Event::CommandRejected(Reason::BadPhase));
            return;
        }
        self.enter_phase(to, 0, sink);
    }

    fn enter_phase<S: Sink>(&mut self, to: Phase, until: Millis, sink: &mut S) {
        sink.event(Event::PhaseChanged { from: self.phase, to, until });
        self.phase = to;
        self.until = until;
        match to {
            Phase::Delisted => self.end_everything(sink),
            Phase::Continuous | Phase::Closed => {
                if to == Phase::Continuous {
                    self.trigger_due();
                    Side::BOTH.into_iter().for_each(|side| self.survey_anew(side));
                }
                self.auction(sink);
                if self.last != 0 {
                    self.test_triggers(&[self.last]);
                }
                self.drain(sink);
            }
            _ => {}
        }
    }

    /// A trade would have left its price band: an auction is called.
    #[inline(never)]
    pub(super) fn interrupt<S: Sink>(&mut self, sink: &mut S) {
        let until = self.time.saturating_add(self.definition.volatility_auction_ms);
        self.enter_phase(Phase::VolatilityAuction, until, sink);
    }

    fn end_everything<S: Sink>(&mut self, sink: &mut S) {
        let mut all = core::mem::take(&mut self.scratch);
        self.collect(&mut all, |_, _| true);
        for &(_, slot) in &all {
            if self.orders[slot].place == Place::Held {
                self.leave(slot);
            }
            if self.orders[slot].extra != NONE {
                self.untie(slot);
                let extra = self.extra_mut(slot);
                (extra.exit, extra.entry) = (NONE, NONE);
            }
        }
        all.sort_unstable();
        for (_, slot) in all.drain(..) {
            self.end(slot, Reason::Delisted, sink);
        }
        self.scratch = all;
    }

    /// Works out at which prices continuous trading may go on.
    pub(super) fn set_corridor(&mut self) {
        let fixed = if self.auctioned != 0 { self.auctioned } else { self.definition.reference };
        let (low, high) = corridor(fixed, self.definition.static_band);
        let (from, to) = corridor(self.last, self.definition.dynamic_band);
        self.corridor = (low.max(from), high.min(to));
        Side::BOTH.into_iter().for_each(|side| self.survey_anew(side));
    }
}
