//! Price levels of one side of a book, best first.
//!
//! Levels are found by their distance key: the price itself for asks, its complement for bids, so that on both sides
//! the smallest key is the best price. Keys live in pages of 64, each a bit set and an array; the pages hang in an
//! ordered map that is touched only when a page comes or goes. Near the touch, where nearly all of a market's life
//! happens, that makes every step a few instructions; far away and in sparse books it stays logarithmic.

use crate::types::{Price, Side};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Index of a level in the book's slab.
pub(crate) type LevelIndex = u32;
pub(crate) const NONE: u32 = u32::MAX;

const PAGE: u64 = 64;

#[derive(Clone, Debug)]
struct Page {
    number: u64,
    /// Bit n is set when slot n holds a level.
    occupied: u64,
    slots: [LevelIndex; PAGE as usize],
}

#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    side: Side,
    by_number: BTreeMap<u64, u32>,
    pages: Vec<Page>,
    free: Vec<u32>,
    /// The page used last: the next command is most often in it.
    hot: u32,
    best: LevelIndex,
    best_key: u64,
}

impl Ladder {
    pub(crate) fn new(side: Side) -> Ladder {
        Ladder {
            side,
            by_number: BTreeMap::new(),
            pages: Vec::new(),
            free: Vec::new(),
            hot: NONE,
            best: NONE,
            best_key: u64::MAX,
        }
    }

    #[inline]
    fn key(&self, price: Price) -> u64 {
        match self.side {
            Side::Sell => price,
            Side::Buy => !price,
        }
    }

    /// The best level, or [`NONE`].
    #[inline]
    pub(crate) fn best(&self) -> LevelIndex {
        self.best
    }

    #[inline]
    fn page_of(&mut self, number: u64) -> u32 {
        if let Some(page) = self.pages.get(self.hot as usize)
            && page.number == number
            && page.occupied != 0
        {
            return self.hot;
        }
        match self.by_number.get(&number) {
            Some(&page) => {
                self.hot = page;
                page
            }
            None => NONE,
        }
    }

    /// The level at `price`, or [`NONE`].
    #[inline]
    pub(crate) fn find(&mut self, price: Price) -> LevelIndex {
        let key = self.key(price);
        let page = self.page_of(key / PAGE);
        if page == NONE {
            return NONE;
        }
        let page = &self.pages[page as usize];
        let slot = key % PAGE;
        if page.occupied >> slot & 1 == 1 { page.slots[slot as usize] } else { NONE }
    }

    /// Puts a level at a price that has none.
    pub(crate) fn insert(&mut self, price: Price, level: LevelIndex) {
        let key = self.key(price);
        let number = key / PAGE;
        let mut page = self.page_of(number);
        if page == NONE {
            let fresh = Page { number, occupied: 0, slots: [NONE; PAGE as usize] };
            page = match self.free.pop() {
                Some(index) => {
                    self.pages[index as usize] = fresh;
                    index
                }
                None => {
                    self.pages.push(fresh);
                    (self.pages.len() - 1) as u32
                }
            };
            self.by_number.insert(number, page);
            self.hot = page;
        }
        let slot = key % PAGE;
        let page = &mut self.pages[page as usize];
        debug_assert!(page.occupied >> slot & 1 == 0, "one level a price");
        page.occupied |= 1 << slot;
        page.slots[slot as usize] = level;
        if self.best == NONE || key < self.best_key {
            self.best = level;
            self.best_key = key;
        }
    }

    /// Takes the level at `price` out; it must be there.
    pub(crate) fn remove(&mut self, price: Price) {
        let key = self.key(price);
        let number = key / PAGE;
        let index = self.page_of(number);
        debug_assert!(index != NONE, "a level's page stays until its last level goes");
        let page = &mut self.pages[index as usize];
        let slot = key % PAGE;
        page.occupied &= !(1 << slot);
        let left = page.occupied;
        if left == 0 {
            self.by_number.remove(&number);
            self.free.push(index);
        }
        if key != self.best_key {
            return;
        }
        if left != 0 {
            // The best level was the lowest bit of its page, so the next one up is the new best.
            let slot = left.trailing_zeros();
            self.best = self.pages[index as usize].slots[slot as usize];
            self.best_key = number * PAGE + u64::from(slot);
        } else {
            self.take_best_from_first_page();
        }
    }

    fn take_best_from_first_page(&mut self) {
        match self.by_number.first_key_value() {
            Some((&number, &index)) => {
                let page = &self.pages[index as usize];
                let slot = page.occupied.trailing_zeros();
                self.best = page.slots[slot as usize];
                self.best_key = number * PAGE + u64::from(slot);
                self.hot = index;
            }
            None => {
                self.best = NONE;
                self.best_key = u64::MAX;
            }
        }
    }

    /// Levels from the best on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = LevelIndex> + '_ {
        self.by_number.values().flat_map(move |&index| {
            let page = &self.pages[index as usize];
            let mut left = page.occupied;
            core::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let slot = left.trailing_zeros();
                left &= left - 1;
                Some(page.slots[slot as usize])
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap as Model;

    proptest! {
        /// Against a plain ordered map, over near, far and extreme prices.
        #[test]
        fn agrees_with_an_ordered_map(
            side in prop_oneof![Just(Side::Buy), Just(Side::Sell)],
            steps in proptest::collection::vec(
                prop_oneof![4 => 990u64..1010, 2 => 0u64..3000, 1 => Just(u64::MAX), 1 => Just(0)], 1..400),
        ) {
            let mut ladder = Ladder::new(side);
            let mut model = Model::new();
            for (n, price) in steps.into_iter().enumerate() {
                let key = if side == Side::Sell { price } else { !price };
                match model.remove(&key) {
                    Some(level) => {
                        prop_assert_eq!(ladder.find(price), level);
                        ladder.remove(price);
                    }
                    None => {
                        prop_assert_eq!(ladder.find(price), NONE);
                        ladder.insert(price, n as u32);
                        model.insert(key, n as u32);
                    }
                }
                prop_assert_eq!(ladder.best(), model.values().next().copied().unwrap_or(NONE));
                prop_assert!(ladder.iter().eq(model.values().copied()));
            }
        }
    }
}
