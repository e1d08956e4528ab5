//! Symbols that move from shard to shard when the orders stream is cut anew.
//!
//! A shard of the stream that is split or merged is closed for good. Who has folded it to its end begins its children with
//! what it held: each child takes the symbols whose records will come to it. Both are at position 0 of a new shard of the
//! stream, so nothing of the parent's is applied twice; what a symbol has numbered goes on where it was.

use super::{Names, REMEMBERED_ORDERS, Shard};
use crate::snapshot::SnapshotError;
use crate::types::{OrderId, UserId};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

impl Shard {
    /// The symbols that `keep` names, at position 0.
    ///
    /// Finished orders are remembered by their ids alone, so every part remembers all of them.
    pub fn part(&self, keep: impl Fn(&str) -> bool) -> Shard {
        let mut part = Shard { time: self.time, ..Shard::new(self.day_offset_s) };
        let mut orders: BTreeSet<u64> = self.finished.iter().map(|order| order.0).collect();
        let mut users = BTreeSet::new();
        for (symbol, market) in self.markets.iter().filter(|(symbol, _)| keep(symbol)) {
            for saved in market.book.saved_orders() {
                orders.insert(saved.order.0);
                users.insert(saved.user.0);
            }
            part.markets.insert(symbol.clone(), market.clone());
        }
        part.orders = self.orders.only(&orders);
        part.users = self.users.only(&users);
        part.finished.clone_from(&self.finished);
        part
    }

    /// One shard of all of these, at position 0.
    ///
    /// # Errors
    /// If a symbol or a live order's id is in two of them, or their days begin at different times.
    pub fn join(parts: &[Shard]) -> Result<Shard, SnapshotError> {
        let Some((first, others)) = parts.split_first() else {
            return Err(SnapshotError::Impossible("nothing to join"));
        };
        let mut joined = Shard { position: 0, place: String::new(), ..first.clone() };
        let mut finished: Vec<VecDeque<OrderId>> = alloc::vec![core::mem::take(&mut joined.finished)];
        for part in others {
            if part.day_offset_s != joined.day_offset_s {
                return Err(SnapshotError::Impossible("days that begin at different times"));
            }
            if part.markets.keys().any(|symbol| joined.markets.contains_key(symbol)) {
                return Err(SnapshotError::Impossible("a symbol in two shards"));
            }
            joined.time = joined.time.max(part.time);
            // Its orders' numbers follow those given out; a user of both has one number.
            let before = joined.orders.given;
            let after = before.checked_add(part.orders.given);
            joined.orders.given =
                after.ok_or(SnapshotError::Impossible("a counter beyond what can have been counted"))?;
            let over_here: BTreeSet<OrderId> = finished.iter().flatten().copied().collect();
            let over_there: BTreeSet<OrderId> = part.finished.iter().copied().collect();
            let mut forgotten = BTreeSet::new();
            for (number, name) in part.orders.in_order() {
                let (theirs, here) = (OrderId(number), OrderId(before + number));
                match joined.orders.find(name).map(OrderId) {
                    None => joined.orders.put(here.0, name.clone()),
                    // A cut left its finished orders to every part.
                    Some(_) if over_there.contains(&theirs) => {
                        forgotten.insert(here);
                    }
                    Some(known) if over_here.contains(&known) => {
                        joined.orders.forget(known.0);
                        joined.orders.put(here.0, name.clone());
                        forgotten.insert(known);
                    }
                    Some(_) => return Err(SnapshotError::Impossible("an order in two shards")),
                }
            }
            let renamed: Vec<(u64, u64)> =
                part.users.in_order().map(|(number, name)| (number, joined.users.intern(name))).collect();
            let user = |UserId(user): UserId| {
                let at = renamed.binary_search_by_key(&user, |(number, _)| *number);
                UserId(at.map_or(super::NOBODY, |at| renamed[at].1))
            };
            for (symbol, market) in &part.markets {
                let market = market
                    .renumbered(|OrderId(order)| OrderId(before + order), user)
                    .map_err(SnapshotError::Impossible)?;
                joined.markets.insert(symbol.clone(), market);
            }
            finished.push(part.finished.iter().map(|order| OrderId(before + order.0)).collect());
            finished.iter_mut().for_each(|queue| queue.retain(|order| !forgotten.contains(order)));
        }
        joined.remember(finished);
        Ok(joined)
    }

    /// Of each queue its newest, in turn, until as many are remembered as a shard remembers.
    fn remember(&mut self, mut queues: Vec<VecDeque<OrderId>>) {
        while self.finished.len() < REMEMBERED_ORDERS && queues.iter().any(|queue| !queue.is_empty()) {
            for queue in queues.iter_mut().rev() {
                if let Some(newest) = queue.pop_back() {
                    if self.finished.len() < REMEMBERED_ORDERS {
                        self.finished.push_front(newest);
                    } else {
                        queue.push_back(newest);
                    }
                }
            }
        }
        queues.iter().flatten().for_each(|forgotten| self.orders.forget(forgotten.0));
    }
}

impl Names {
    /// Those of these numbers; new ones go on where these end.
    fn only(&self, numbers: &BTreeSet<u64>) -> Names {
        let mut only = Names { given: self.given, ..Names::default() };
        for number in numbers {
            if let Some(name) = self.names.get(number) {
                only.put(*number, name.clone());
            }
        }
        only
    }
}
