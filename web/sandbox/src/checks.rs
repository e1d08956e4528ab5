//! What must hold after every command, checked while it runs. A violation is a fault of the engine or of this crate, never of a flow.

use engine_core::event::{Event, OrderRef};
use engine_core::feed::OrderReplica;
use engine_core::market::Market;
use engine_core::types::{Millis, Phase, Quantity, Sequence, Side};
use serde::{Deserialize, Serialize};

/// How many violations are kept.
pub const KEPT: usize = 16;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// In continuous trading the best bid is below the best ask.
    NotCrossed,
    /// Events are numbered on without a gap.
    Sequence,
    /// What came into the market is in it, or was filled or taken back.
    Conservation,
    /// Fills have a price and a quantity.
    Positive,
    /// Each level's sum is that of its orders, and levels are in order.
    Levels,
}

/// A rule that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub rule: Rule,
    pub sequence: Sequence,
    pub time: Millis,
}

/// Follows a market and counts what it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    open: [Quantity; 2],
    sequence: Sequence,
    /// Commands that were checked.
    pub commands: u64,
    pub violations: Vec<Violation>,
}

impl Checks {
    pub fn of(market: &Market) -> Checks {
        let open = Side::BOTH.map(|side| market.book().open_quantity(side));
        Checks { open, sequence: market.sequence(), commands: 0, violations: Vec::new() }
    }

    /// After one command and its events.
    pub fn follow(&mut self, market: &Market, events: &[Event]) {
        self.commands += 1;
        self.sequence += events.len() as u64;
        if self.sequence != market.sequence() {
            self.violated(Rule::Sequence, market);
            self.sequence = market.sequence();
        }
        for event in events {
            self.count(event, market);
        }
        let open = Side::BOTH.map(|side| market.book().open_quantity(side));
        if open != self.open {
            self.violated(Rule::Conservation, market);
            self.open = open;
        }
        if market.phase() == Phase::Continuous
            && let (Some(bid), Some(ask)) = (market.book().best(Side::Buy), market.book().best(Side::Sell))
            && bid >= ask
        {
            self.violated(Rule::NotCrossed, market);
        }
    }

    fn count(&mut self, event: &Event, market: &Market) {
        match event {
            Event::Accepted(of) => self.add(of, of.quantity as i64),
            Event::Cancelled(of, _) => self.add(of, -(of.quantity as i64)),
            Event::Reduced { now, by, .. } => self.add(now, -(*by as i64)),
            Event::Replaced { now, delta } => self.add(now, *delta),
            Event::Filled(fill) => {
                for open in &mut self.open {
                    *open = open.wrapping_sub(fill.quantity);
                }
                if fill.quantity == 0 || fill.price == 0 {
                    self.violated(Rule::Positive, market);
                }
            }
            Event::Rejected(..)
            | Event::Triggered(_)
            | Event::CancelRejected { .. }
            | Event::ReplaceRejected { .. }
            | Event::MassCancelled { .. }
            | Event::PhaseChanged { .. }
            | Event::Auctioned { .. }
            | Event::Defined
            | Event::CommandRejected(_)
            | Event::CandleClosed(_) => {}
        }
    }

    fn add(&mut self, of: &OrderRef, delta: i64) {
        let open = &mut self.open[of.side as usize];
        *open = open.wrapping_add_signed(delta);
    }

    fn violated(&mut self, rule: Rule, market: &Market) {
        if self.violations.len() < KEPT {
            let (sequence, time) = (market.sequence(), market.time());
            self.violations.push(Violation { rule, sequence, time });
        }
    }

    /// Walks the whole book, order by order: for when it stands still.
    pub fn walk(&mut self, market: &Market) {
        let book = market.book();
        let mut sound = OrderReplica::of(market).checksum() == book.order_checksum();
        for side in Side::BOTH {
            let mut orders = book.queue(side).peekable();
            let mut before = None;
            for level in book.depth(side) {
                let (mut quantity, mut count) = (0, 0);
                while let Some(order) = orders.next_if(|order| order.price == level.price) {
                    quantity += order.open;
                    count += 1;
                    sound &= order.open > 0 && order.side == side;
                }
                sound &= (quantity, count) == (level.quantity, level.orders) && count > 0;
                sound &= before.is_none_or(|better| match side {
                    Side::Buy => better > level.price,
                    Side::Sell => better < level.price,
                });
                before = Some(level.price);
            }
            sound &= orders.next().is_none();
        }
        if !sound {
            self.violated(Rule::Levels, market);
        }
    }
}
