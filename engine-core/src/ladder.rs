//! Price levels of one side of a book, best first.
//!
//! Levels are found by their distance key: the price itself where low prices are better, its complement where high ones
//! are, so that the smallest key is always the best price. Keys hang in a tree of 64-way nodes, each a bit set and an
//! array, that is only as high as the span of the prices needs; the leaf used last is remembered. Near the touch, where
//! nearly all of a market's life happens, a step is a few instructions; far away it is one more load for every factor of
//! 64 in distance. Nodes are reused, so a book that has grown to its size allocates no more.

use crate::types::{Price, Side};
use alloc::vec::Vec;

/// Index of a level in the book's slab.
pub(crate) type LevelIndex = u32;
pub(crate) const NONE: u32 = u32::MAX;

const WAYS: usize = 64;
const BITS: u32 = 6;
/// Keys have 54 bits: prices have 53.
const KEY_MASK: u64 = (1 << 54) - 1;
const MAX_HEIGHT: usize = 9;

#[derive(Clone, Debug)]
struct Node {
    /// Bit n is set when slot n holds something: a level in a leaf, else a node.
    occupied: u64,
    slots: [u32; WAYS],
}

#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    /// Turns a price into a key and back: all ones where the highest price is best.
    flip: u64,
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: u32,
    /// Nodes from the root to a leaf, both counted; 0 when there are no levels.
    height: u32,
    /// What all keys have in common above the root's own bits.
    base: u64,
    hot: u32,
    hot_number: u64,
    best: LevelIndex,
    best_key: u64,
}

impl Ladder {
    /// A ladder whose best price is the highest (of buys) or the lowest (of sells).
    pub(crate) fn new(side: Side) -> Ladder {
        Ladder {
            flip: if side == Side::Buy { KEY_MASK } else { 0 },
            nodes: Vec::new(),
            free: Vec::new(),
            root: NONE,
            height: 0,
            base: 0,
            hot: NONE,
            hot_number: u64::MAX,
            best: NONE,
            best_key: u64::MAX,
        }
    }

    /// The best level, or [`NONE`].
    #[inline]
    pub(crate) fn best(&self) -> LevelIndex {
        self.best
    }

    #[inline]
    fn key(&self, price: Price) -> u64 {
        debug_assert!(price <= KEY_MASK >> 1, "prices are checked before they come here");
        price ^ self.flip
    }

    /// The leaf of these keys, or [`NONE`].
    #[inline]
    fn leaf(&mut self, number: u64) -> u32 {
        if number == self.hot_number {
            return self.hot;
        }
        let node = self.descend(number);
        if node != NONE {
            self.hot = node;
            self.hot_number = number;
        }
        node
    }

    fn descend(&self, number: u64) -> u32 {
        if self.height == 0 || number >> (BITS * (self.height - 1)) != self.base {
            return NONE;
        }
        let mut node = self.root;
        for level in (0..self.height - 1).rev() {
            let slot = number >> (BITS * level) & (WAYS as u64 - 1);
            let parent = &self.nodes[node as usize];
            if parent.occupied >> slot & 1 == 0 {
                return NONE;
            }
            node = parent.slots[slot as usize];
        }
        node
    }

    /// The level at `price`, or [`NONE`].
    #[inline]
    pub(crate) fn find(&mut self, price: Price) -> LevelIndex {
        let key = self.key(price);
        if key == self.best_key {
            return self.best;
        }
        let leaf = self.leaf(key >> BITS);
        if leaf == NONE {
            return NONE;
        }
        let leaf = &self.nodes[leaf as usize];
        let slot = key as usize % WAYS;
        if leaf.occupied >> slot & 1 == 1 { leaf.slots[slot] } else { NONE }
    }

    /// As [`Ladder::find`], for any price and without remembering where it was.
    pub(crate) fn peek(&self, price: Price) -> LevelIndex {
        if price > KEY_MASK >> 1 {
            return NONE;
        }
        let key = self.key(price);
        let leaf = if key >> BITS == self.hot_number { self.hot } else { self.descend(key >> BITS) };
        if leaf == NONE {
            return NONE;
        }
        let leaf = &self.nodes[leaf as usize];
        let slot = key as usize % WAYS;
        if leaf.occupied >> slot & 1 == 1 { leaf.slots[slot] } else { NONE }
    }

    /// Puts a level at a price that has none.
    #[inline]
    pub(crate) fn insert(&mut self, price: Price, level: LevelIndex) {
        let key = self.key(price);
        let mut leaf = self.leaf(key >> BITS);
        if leaf == NONE {
            leaf = self.grow(key >> BITS);
        }
        let slot = key as usize % WAYS;
        let leaf = &mut self.nodes[leaf as usize];
        debug_assert!(leaf.occupied >> slot & 1 == 0, "one level a price");
        leaf.occupied |= 1 << slot;
        leaf.slots[slot] = level;
        if key < self.best_key {
            self.best = level;
            self.best_key = key;
        }
    }

    fn node(&mut self, slot: usize, child: u32) -> u32 {
        let occupied = if child == NONE { 0 } else { 1 << slot };
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index as usize].occupied = occupied;
                index
            }
            None => {
                self.nodes.push(Node { occupied, slots: [NONE; WAYS] });
                (self.nodes.len() - 1) as u32
            }
        };
        self.nodes[index as usize].slots[slot] = child;
        index
    }

    /// Makes the leaf of these keys, and what leads to it.
    #[inline(never)]
    fn grow(&mut self, number: u64) -> u32 {
        if self.height == 0 {
            self.root = self.node(0, NONE);
            self.height = 1;
            self.base = number;
        }
        while number >> (BITS * (self.height - 1)) != self.base {
            self.root = self.node(self.base as usize % WAYS, self.root);
            self.base >>= BITS;
            self.height += 1;
        }
        let mut node = self.root;
        for level in (0..self.height - 1).rev() {
            let slot = (number >> (BITS * level)) as usize % WAYS;
            let parent = &self.nodes[node as usize];
            node = if parent.occupied >> slot & 1 == 1 {
                parent.slots[slot]
            } else {
                let child = self.node(0, NONE);
                let parent = &mut self.nodes[node as usize];
                parent.occupied |= 1 << slot;
                parent.slots[slot] = child;
                child
            };
        }
        self.hot = node;
        self.hot_number = number;
        node
    }

    /// Takes the level at `price` out; it must be there.
    #[inline]
    pub(crate) fn remove(&mut self, price: Price) {
        let key = self.key(price);
        let leaf = self.leaf(key >> BITS);
        debug_assert!(leaf != NONE, "a level's leaf stays until its last level goes");
        let node = &mut self.nodes[leaf as usize];
        debug_assert!(node.occupied >> (key % WAYS as u64) & 1 == 1, "the level is there");
        node.occupied &= !(1 << (key % WAYS as u64));
        let left = node.occupied;
        if left == 0 {
            self.prune(key >> BITS);
        }
        if key != self.best_key {
            return;
        }
        if left != 0 {
            // The best level was the lowest bit of its leaf, so the next one up is the new best.
            let slot = left.trailing_zeros();
            self.best = self.nodes[leaf as usize].slots[slot as usize];
            self.best_key = key - key % WAYS as u64 + u64::from(slot);
        } else {
            self.find_best();
        }
    }

    /// Frees the empty leaf of these keys and whatever is empty without it.
    #[inline(never)]
    fn prune(&mut self, number: u64) {
        self.hot_number = u64::MAX;
        let mut path = [NONE; MAX_HEIGHT];
        let mut node = self.root;
        for level in (0..self.height).rev() {
            path[level as usize] = node;
            if level > 0 {
                let slot = (number >> (BITS * (level - 1))) as usize % WAYS;
                node = self.nodes[node as usize].slots[slot];
            }
        }
        let mut level = 0;
        while level < self.height && self.nodes[path[level as usize] as usize].occupied == 0 {
            self.free.push(path[level as usize]);
            if level + 1 < self.height {
                let slot = (number >> (BITS * level)) as usize % WAYS;
                self.nodes[path[level as usize + 1] as usize].occupied &= !(1 << slot);
            }
            level += 1;
        }
        if level == self.height {
            self.root = NONE;
            self.height = 0;
            return;
        }
        // A root with a single child says no more than the child does.
        while self.height > 1 && self.nodes[self.root as usize].occupied.count_ones() == 1 {
            let slot = self.nodes[self.root as usize].occupied.trailing_zeros();
            self.free.push(self.root);
            self.root = self.nodes[self.root as usize].slots[slot as usize];
            self.base = self.base << BITS | u64::from(slot);
            self.height -= 1;
        }
    }

    fn find_best(&mut self) {
        if self.height == 0 {
            self.best = NONE;
            self.best_key = u64::MAX;
            return;
        }
        let mut node = self.root;
        let mut number = self.base;
        for _ in 1..self.height {
            let parent = &self.nodes[node as usize];
            let slot = parent.occupied.trailing_zeros();
            number = number << BITS | u64::from(slot);
            node = parent.slots[slot as usize];
        }
        let leaf = &self.nodes[node as usize];
        let slot = leaf.occupied.trailing_zeros();
        self.best = leaf.slots[slot as usize];
        self.best_key = number << BITS | u64::from(slot);
        self.hot = node;
        self.hot_number = number;
    }

    /// Levels from the best on.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let mut iter = Iter { ladder: self, path: [(NONE, 0); MAX_HEIGHT], level: self.height as usize };
        if self.height > 0 {
            iter.path[self.height as usize - 1] = (self.root, self.nodes[self.root as usize].occupied);
            iter.level = self.height as usize - 1;
        }
        iter
    }
}

/// Walks a ladder; `path[n]` is the node at height n that the walk is in, and what of it is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a> {
    ladder: &'a Ladder,
    path: [(u32, u64); MAX_HEIGHT],
    level: usize,
}

impl Iterator for Iter<'_> {
    type Item = LevelIndex;

    fn next(&mut self) -> Option<LevelIndex> {
        let height = self.ladder.height as usize;
        while self.level < height {
            let (node, left) = &mut self.path[self.level];
            if *left == 0 {
                self.level += 1;
                continue;
            }
            let slot = left.trailing_zeros();
            *left &= *left - 1;
            let found = self.ladder.nodes[*node as usize].slots[slot as usize];
            if self.level == 0 {
                return Some(found);
            }
            self.level -= 1;
            self.path[self.level] = (found, self.ladder.nodes[found as usize].occupied);
        }
        None
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
                prop_oneof![8 => 990u64..1010, 4 => 0u64..3000, 1 => 0..=KEY_MASK >> 1, 1 => Just(KEY_MASK >> 1), 1 => Just(0)],
                1..400,
            ),
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
                prop_assert_eq!(ladder.peek(price), ladder.find(price));
                prop_assert_eq!(ladder.best(), model.values().next().copied().unwrap_or(NONE));
                prop_assert!(ladder.iter().eq(model.values().copied()));
                prop_assert_eq!(ladder.nodes.len() == ladder.free.len(), model.is_empty(), "nodes are given back");
            }
        }
    }
}
