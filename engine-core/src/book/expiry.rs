//! Which orders end when: a heap by end, in which every order knows its position.

use super::OrderBook;
use super::store::{Extra, Slab};
use crate::event::Reason;
use crate::feed::Sink;
use crate::ladder::NONE;
use crate::types::{Millis, NO_END};
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug)]
struct Expiry {
    end: Millis,
    slot: u32,
    extra: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    heap: Vec<Expiry>,
}

impl Expiries {
    /// When the next order ends.
    #[inline]
    pub(super) fn next(&self) -> Millis {
        self.heap.first().map_or(NO_END, |first| first.end)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The order whose end comes first.
    fn first(&self) -> Option<(Millis, u32)> {
        self.heap.first().map(|first| (first.end, first.slot))
    }

    pub(super) fn insert(&mut self, extras: &mut Slab<Extra>, extra: u32, slot: u32, end: Millis) {
        self.heap.push(Expiry { end, slot, extra });
        self.up(extras, self.heap.len() - 1);
    }

    /// Takes out the order at this position, if there is one.
    pub(super) fn remove(&mut self, extras: &mut Slab<Extra>, at: u32) {
        if at == NONE {
            return;
        }
        let at = at as usize;
        let gone = self.heap.swap_remove(at);
        extras[gone.extra].expiry = NONE;
        if at < self.heap.len() {
            self.up(extras, at);
            self.down(extras, at);
        }
    }

    fn up(&mut self, extras: &mut Slab<Extra>, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent].end <= self.heap[at].end {
                break;
            }
            self.heap.swap(parent, at);
            extras[self.heap[at].extra].expiry = at as u32;
            at = parent;
        }
        extras[self.heap[at].extra].expiry = at as u32;
    }

    fn down(&mut self, extras: &mut Slab<Extra>, mut at: usize) {
        loop {
            let children = 2 * at + 1..(2 * at + 3).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.heap[child].end) else { break };
            if self.heap[at].end <= self.heap[least].end {
                break;
            }
            self.heap.swap(at, least);
            extras[self.heap[at].extra].expiry = at as u32;
            at = least;
        }
        extras[self.heap[at].extra].expiry = at as u32;
    }

    /// Whether every order is where it thinks it is, and no one ends before the one above it.
    pub(super) fn is_sound(&self, extras: &Slab<Extra>) -> bool {
        self.heap.iter().enumerate().all(|(at, expiry)| {
            let extra = &extras[expiry.extra];
            extra.expiry == at as u32
                && extra.expires == expiry.end
                && (at == 0 || self.heap[(at - 1) / 2].end <= expiry.end)
        })
    }
}

impl OrderBook {
    /// Cancels the orders whose end is at this time or was before.
    pub(super) fn expire<S: Sink>(&mut self, time: Millis, sink: &mut S) {
        // All of one end by arrival; the heap has no order among them.
        while let Some((end, _)) = self.expiries.first().filter(|&(end, _)| end <= time) {
            let mut due = core::mem::take(&mut self.scratch);
            while let Some((_, slot)) = self.expiries.first().filter(|first| first.0 == end) {
                self.expiries.remove(&mut self.extras, 0);
                due.push((self.orders[slot].arrival, slot));
            }
            self.end_all(&mut due, Reason::Expired, sink);
            self.scratch = due;
        }
        self.drain(sink);
    }
}
