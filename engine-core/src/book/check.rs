//! The book's invariants, for tests and for pages that show them.

use super::OrderBook;
use super::entry::{TRAILING, WITH_MINIMUM};
use super::store::Place;
use crate::ladder::NONE;
use crate::types::{Phase, Price, Side, Trigger};
use alloc::vec::Vec;

impl OrderBook {
    /// Walks everything.
    ///
    /// # Panics
    /// Where an invariant is broken.
    pub fn check(&self) {
        let mut live = [0, 0];
        let mut resting = 0;
        for side in Side::BOTH {
            let mut before: Option<Price> = None;
            for index in self.ladder(side).iter() {
                let level = &self.levels[index];
                assert!(level.orders > 0, "no level is empty");
                if let Some(before) = before {
                    assert!(
                        side.opposite().accepts(level.price, before) && level.price != before,
                        "best first"
                    );
                }
                before = Some(level.price);
                let (mut shown, mut hidden, mut orders, mut previous, mut arrival) = (0, 0, 0, NONE, 0);
                for slot in self.chain(index) {
                    let order = &self.orders[slot];
                    assert!(order.open > 0 && order.level == index && order.side == side);
                    assert!(order.place == Place::Resting && order.previous == previous, "chained both ways");
                    assert!(order.arrival > arrival, "first come, first served");
                    arrival = order.arrival;
                    shown += order.open;
                    hidden += self.total(slot) - order.open;
                    orders += 1;
                    previous = slot;
                }
                assert_eq!(
                    (shown, hidden, orders, previous),
                    (level.quantity, level.hidden, level.orders, level.last),
                    "level sums"
                );
                resting += orders as usize;
            }
        }
        let (mut orders, mut stops, mut held, mut ending, mut linked) = (0, 0, 0, 0, 0);
        let mut watched = [0, 0];
        for account in self.accounts() {
            let (mut count, mut slot, mut previous) = (0, account.first, NONE);
            while slot != NONE {
                let order = &self.orders[slot];
                assert_eq!(self.find(order.id), slot, "indexed");
                assert_eq!(order.account_previous, previous, "chained both ways");
                assert!(order.arrival <= self.arrivals);
                live[order.side as usize] += self.total(slot);
                let extra = self.extra(slot);
                if extra.peer != NONE {
                    assert_eq!(self.extra(extra.peer).peer, slot, "links are mutual");
                }
                if extra.exit != NONE {
                    assert_eq!(self.extra(extra.exit).entry, slot, "an exit knows its entry");
                    assert!(self.orders[extra.exit].place == Place::Held, "an entry's exits are held");
                }
                linked += u32::from(extra.peer != NONE);
                ending += usize::from(extra.expiry != NONE);
                match order.place {
                    Place::Resting => {}
                    Place::Stopped => stops += u32::from(matches!(extra.trigger, Trigger::Stop(_))),
                    Place::Due => assert!(self.due.contains(&slot) && extra.trigger != Trigger::None),
                    Place::Waiting => assert!(self.waiting.contains(&slot) && extra.minimum > 0),
                    Place::Held => held += 1,
                    Place::None | Place::Queued => panic!("an order in no place"),
                }
                watched[TRAILING] += u32::from(matches!(extra.trigger, Trigger::Trailing(_)));
                watched[WITH_MINIMUM] += u32::from(extra.minimum > 0 && !extra.is_immediate());
                count += 1;
                previous = slot;
                slot = order.account_next;
            }
            assert_eq!(count, account.orders, "account count");
            orders += count as usize;
        }
        assert_eq!(orders, self.index.len(), "every indexed order belongs to an account");
        assert_eq!(orders, self.orders.used(), "no slot is lost");
        assert_eq!(live, self.live, "side sums");
        assert_eq!(stops, self.stops, "stops");
        assert_eq!(linked, 2 * self.links, "linked orders");
        assert_eq!(watched, self.watched, "watched orders");
        assert_eq!(ending, self.expiries.len(), "orders with an end");
        assert!(self.expiries.is_sound(&self.extras), "ends");
        assert_eq!(
            resting + stops as usize + self.trailing.len() + self.due.len() + self.waiting.len() + held,
            orders,
            "every order is in one place"
        );
        let by_arrival = |list: &Vec<u32>| list.is_sorted_by_key(|&slot| self.orders[slot].arrival);
        assert!(by_arrival(&self.trailing) && by_arrival(&self.waiting), "lists by arrival");
        assert!(by_arrival(&self.due) && (self.due.is_empty() || self.phase != Phase::Continuous), "due");
        self.check_wanting();
        assert!(self.follow_ups.is_empty() && self.scratch.is_empty(), "nothing is left over");
        if self.phase == Phase::Continuous
            && let (Some(bid), Some(ask)) = (self.best(Side::Buy), self.best(Side::Sell))
        {
            assert!(bid < ask, "crossed: {bid} >= {ask}");
        }
    }
}
