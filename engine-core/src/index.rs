//! Where an id's slot is.
//!
//! Ids are mostly given out in a row, so sixteen ids in a row share a page, which is one line of the cache, and four pages in a row
//! an entry of a table with linear probing: the next page's place is in the cache already when it is needed. The page used last is
//! remembered. In a row, that makes an id cost less than a word and new ids hardly a search; scattered ids cost a page and an entry
//! each. Deleting moves the table's entries behind back, so nothing is left behind that would have to be swept up. Nothing
//! ever walks the table in its order.
//!
//! The hash has no secret: the same commands must take the same way everywhere. Whoever may choose ids can therefore choose such
//! as collide, and then each of them costs a walk over all of them; ids far apart cost a page each. So a host does
//! not pass on ids that an adversary chooses: it numbers orders and accounts itself, in the order in which they come, as `shard` does
//! with the names of its stream.

use crate::book::touch;
use crate::ladder::NONE;
use alloc::vec::Vec;

/// Ids a page, and pages an entry.
const IDS: u64 = 16;
const PAGES: u64 = 4;
const SMALLEST: usize = 16;

/// Slots of ids in a row; [`NONE`] where there is none.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Page([u32; IDS as usize]);

#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Entry {
    /// The ids of its pages, divided by their number; [`NO_GROUP`] where the entry is free.
    group: u64,
    /// [`NONE`] where there is none.
    pages: [u32; PAGES as usize],
}

/// No id is in it.
const NO_GROUP: u64 = u64::MAX;
const FREE: Entry = Entry { group: NO_GROUP, pages: [NONE; PAGES as usize] };

impl Entry {
    #[inline]
    fn is_free(&self) -> bool {
        self.group == NO_GROUP
    }
}

/// A page, and which one it is.
#[derive(Clone, Copy, Debug)]
struct Hot {
    /// The page's ids, divided by their number.
    number: u64,
    /// [`NONE`] where no page is remembered.
    page: u32,
}

const COLD: Hot = Hot { number: 0, page: NONE };

#[derive(Clone, Debug)]
pub(crate) struct IdIndex {
    /// Empty, or a power of two long and at most half full.
    table: Vec<Entry>,
    entries: usize,
    pages: Vec<Page>,
    free: Vec<u32>,
    ids: usize,
    /// The page that was last put to.
    hot: Hot,
}

impl Default for IdIndex {
    fn default() -> Self {
        IdIndex { table: Vec::new(), entries: 0, pages: Vec::new(), free: Vec::new(), ids: 0, hot: COLD }
    }
}

#[inline]
fn hash(group: u64) -> usize {
    // The high bits of the product depend on all bits of the number.
    ((group ^ group >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

impl IdIndex {
    pub(crate) fn len(&self) -> usize {
        self.ids
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids == 0
    }

    /// The slot of `id`, or [`NONE`].
    #[inline]
    pub(crate) fn find(&self, id: u64) -> u32 {
        match self.page(id / IDS) {
            NONE => NONE,
            page => self.pages[page as usize].0[(id % IDS) as usize],
        }
    }

    /// As [`IdIndex::find`] for some ids at once: first their entries, then their pages, so that one id does not wait for another
    /// that is not in the cache.
    #[inline]
    pub(crate) fn find_all(&self, ids: &[u64], slots: &mut [u32]) {
        if self.entries == 0 {
            return;
        }
        let mask = self.table.len() - 1;
        let touched = ids.iter().fold(0, |all, id| all ^ self.table[hash(id / IDS / PAGES) & mask].group);
        core::hint::black_box(touched);
        for (id, slot) in ids.iter().zip(slots.iter_mut()) {
            *slot = self.page(id / IDS);
        }
        let last = self.pages.len().wrapping_sub(1);
        for (id, slot) in ids.iter().zip(slots) {
            let slots = self.pages.get((*slot as usize).min(last));
            // Some slot's where there is no page: a branch would wait for it.
            *slot = slots.map_or(NONE, |page| page.0[(id % IDS) as usize]);
        }
    }

    #[inline]
    fn page(&self, number: u64) -> u32 {
        if self.hot.number == number && self.hot.page != NONE {
            return self.hot.page;
        }
        if self.entries == 0 {
            return NONE;
        }
        let entry = &self.table[self.place(number / PAGES)];
        // A free entry has no page, whatever group it is of.
        entry.pages[(number % PAGES) as usize]
    }

    /// Where the entry of this group is, or the free one where it belongs. There is a free one.
    #[inline]
    fn place(&self, group: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash(group) & mask;
        loop {
            let entry = &self.table[at & mask];
            if entry.group == group || entry.is_free() {
                return at & mask;
            }
            at += 1;
        }
    }

    /// Adds an id that is not there.
    #[inline]
    pub(crate) fn insert(&mut self, id: u64, slot: u32) {
        let number = id / IDS;
        let mut page = self.page(number);
        if page == NONE {
            page = self.add_page(number);
        }
        self.hot = Hot { number, page };
        let place = &mut self.pages[page as usize].0[(id % IDS) as usize];
        debug_assert!(*place == NONE, "one slot an id");
        *place = slot;
        self.ids += 1;
    }

    #[inline(never)]
    fn add_page(&mut self, number: u64) -> u32 {
        if self.entries * 2 >= self.table.len() {
            self.grow(self.entries + 1);
        }
        let empty = Page([NONE; IDS as usize]);
        let page = match self.free.pop() {
            Some(page) => {
                self.pages[page as usize] = empty;
                page
            }
            None => {
                self.pages.push(empty);
                (self.pages.len() - 1) as u32
            }
        };
        let at = self.place(number / PAGES);
        let entry = &mut self.table[at];
        if entry.is_free() {
            *entry = Entry { group: number / PAGES, ..FREE };
            self.entries += 1;
        }
        entry.pages[(number % PAGES) as usize] = page;
        page
    }

    /// Makes room for so many ids in a row.
    pub(crate) fn reserve(&mut self, ids: usize) {
        // One page more for the ends of the row.
        let pages = ids.div_ceil(IDS as usize) + 1;
        touch(&mut self.pages, pages, Page([NONE; IDS as usize]));
        touch(&mut self.free, pages, NONE);
        let entries = pages.div_ceil(PAGES as usize) + 1;
        if entries * 2 > self.table.len() {
            self.grow(entries);
        }
    }

    /// Takes out an id that is there.
    #[inline]
    pub(crate) fn remove(&mut self, id: u64) {
        let page = self.page(id / IDS);
        debug_assert!(page != NONE, "an id that is removed is there");
        let slots = &mut self.pages[page as usize].0;
        let place = (id % IDS) as u32;
        // All at once, as a comparison with sixteen of them would be a call; and before the write, as a wide read of what was just
        // written in part would wait for it.
        let others = (0..IDS as u32).zip(slots.iter()).fold(NONE, |all, (n, &slot)| {
            let this = if n == place { NONE } else { 0 };
            all & (slot | this)
        });
        slots[place as usize] = NONE;
        self.ids -= 1;
        if others == NONE {
            self.drop_page(id / IDS, page);
        }
    }

    #[inline(never)]
    fn drop_page(&mut self, number: u64, page: u32) {
        if self.hot.page == page {
            self.hot = COLD;
        }
        self.free.push(page);
        let mut hole = self.place(number / PAGES);
        let entry = &mut self.table[hole];
        entry.pages[(number % PAGES) as usize] = NONE;
        if entry.pages != FREE.pages {
            return;
        }
        self.entries -= 1;
        let mask = self.table.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.table[at];
            if entry.is_free() {
                break;
            }
            // An entry moves back only as far as its own place.
            let home = hash(entry.group) & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.table[hole] = entry;
                hole = at;
            }
        }
        self.table[hole] = FREE;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, entries: usize) {
        let mut size = self.table.len().max(SMALLEST);
        while size < entries * 2 {
            size *= 2;
        }
        let mut fresh = Vec::new();
        fresh.resize(size, FREE);
        let old = core::mem::replace(&mut self.table, fresh);
        for entry in old.into_iter().filter(|entry| !entry.is_free()) {
            let at = self.place(entry.group);
            self.table[at] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against an ordered map, over ids in a row, far apart, and such that differ in high bits only.
        #[test]
        fn agrees_with_an_ordered_map(
            steps in proptest::collection::vec(
                prop_oneof![4 => 0u64..60, 2 => (0u64..60).prop_map(|n| n << 40), 1 => (0u64..30).prop_map(|n| n << 58),
                    1 => any::<u64>()],
                1..500,
            ),
        ) {
            let mut index = IdIndex::default();
            let mut model = BTreeMap::new();
            for (slot, id) in (0..).zip(steps) {
                match model.remove(&id) {
                    Some(slot) => {
                        prop_assert_eq!(index.find(id), slot);
                        index.remove(id);
                    }
                    None => {
                        prop_assert_eq!(index.find(id), NONE);
                        index.insert(id, slot);
                        model.insert(id, slot);
                    }
                }
                prop_assert_eq!(index.len(), model.len());
                prop_assert_eq!(index.is_empty(), index.entries == 0, "empty pages are given back");
            }
            for (&id, &slot) in &model {
                prop_assert_eq!(index.find(id), slot);
            }
        }
    }
}
