//! Memory for one event.
//!
//! An instance lives for one event, so what it frees need not come back: allocations are laid one after the other in an
//! arena that is part of the memory the component starts with. The host then has no memory to grow in a usual call,
//! which would cost it two system calls that stop its other threads. What does not fit goes to the usual allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// More than any REST request or usual batch takes.
const SIZE: usize = 192 << 10;

struct Arena {
    bytes: UnsafeCell<[u8; SIZE]>,
    /// Bytes given away, from the start.
    used: AtomicUsize,
}

// SAFETY: the bytes are only ever handed out, each to one owner: `used` moves on atomically by every allocation and
// never goes back, so that no two allocations overlap.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

impl Arena {
    fn holds(&self, pointer: *mut u8) -> bool {
        let start = self.bytes.get() as usize;
        (start..start + SIZE).contains(&(pointer as usize))
    }

    /// Where the next allocation begins and ends, if it fits.
    fn place(&self, used: usize, layout: Layout) -> Option<(usize, usize)> {
        let start = self.bytes.get() as usize;
        let from = (start + used).checked_next_multiple_of(layout.align())? - start;
        let to = from.checked_add(layout.size())?;
        (to <= SIZE).then_some((from, to))
    }
}

// SAFETY: what `alloc` answers from the arena is inside it (`place` checks the end), aligned (`place` rounds up), and
// nobody else's (`used` moves past it before it is answered); it is zero only where that is asked of `System`, and
// `alloc_zeroed` is the trait's own, which writes zeros. What is not from the arena is `System`'s, and goes back to it.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken =
            self.used.fetch_update(Relaxed, Relaxed, |used| self.place(used, layout).map(|(_, to)| to));
        match taken.ok().and_then(|used| self.place(used, layout)) {
            Some((from, _)) => self.bytes.get().cast::<u8>().wrapping_add(from),
            // SAFETY: the caller's promises about the layout are handed on as they are.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.holds(pointer) {
            // SAFETY: it is not the arena's, so `alloc` took it from `System` with this layout.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}
