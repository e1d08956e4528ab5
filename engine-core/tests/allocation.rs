//! A command allocates nothing once the market has seen as much as it is going to see.

// An allocator is unsafe by nature; the one below hands every call on as it came.
#![allow(unsafe_code)]

use engine_core::command::{Command, MassCancel, NewOrder};
use engine_core::event::Event;
use engine_core::feed::Report;
use engine_core::market::Market;
use engine_core::types::{Link, Millis, OrderId, Phase, Side, TimeInForce, Trigger, UserId};
use generate::{Flow, START};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[allow(dead_code)]
#[path = "support/generate.rs"]
mod generate;

/// Several times what a flow has of anything.
const MANY: u64 = 1_000;

/// The default definition lets 1,024 trailing stops and as many orders with a minimum wait.
const WATCHED: u64 = 500;
/// Apart enough that one flow's orders have ended when the next one begins.
const DAYS: Millis = 1_000 * 86_400_000;

thread_local! {
    /// Of this thread: what the test's own runner does meanwhile does not count. Constant and without a destructor, so
    /// that it needs no memory itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator with the arguments as they came, and what it answers is answered, so
// its guarantees are this one's. Counting neither allocates nor unwinds: `try_with` fails instead of panicking where the
// thread is at its end.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// A market, and lists that are used again and again.
#[derive(Default)]
struct Listened {
    market: Market,
    report: Report,
}

impl Listened {
    /// Applies a command; answers how often the market asked for memory meanwhile.
    fn apply(&mut self, time: Millis, command: &Command) -> u64 {
        self.report.clear();
        let before = allocations();
        self.market.apply(time, command, &mut self.report);
        allocations() - before
    }

    fn add(&mut self, order: NewOrder) {
        self.apply(START, &Command::Add(order));
        assert!(matches!(self.report.events[0], Event::Accepted(_)), "{order:?}: {:?}", self.report.events);
    }

    /// Makes the market hold more of everything at once than a flow ever does, and empties it again: orders, levels and
    /// accounts, orders of every kind in every place, a pass that triggers and releases many, a long auction.
    fn fill(&mut self) {
        let mut ids = (1 << 40..).map(OrderId);
        let mut next =
            |user, side, price| NewOrder::limit(ids.next().unwrap(), UserId(user), side, price, 10);
        let mut entries = Vec::new();
        for n in 1..=MANY {
            let end = TimeInForce::Gtd(START + n);
            let user = 1_000 + n;
            for (side, price) in [(Side::Buy, 10_000 - n), (Side::Sell, 10_000 + n)] {
                self.add(NewOrder { time_in_force: end, display: 1, ..next(user, side, price) });
                if n <= WATCHED {
                    self.add(NewOrder { all_or_none: true, quantity: 100, ..next(user, side, price) });
                    self.add(NewOrder { trigger: Trigger::Trailing(n), ..next(user, side, price) });
                }
            }
            self.add(NewOrder { trigger: Trigger::Stop(10_000 + n), ..next(user, Side::Buy, 1) });
            self.add(NewOrder { trigger: Trigger::Stop(10_000 - n), ..next(user, Side::Sell, 90_000) });
            // A bracket: its entry comes when all exits are held.
            let (take, stop) = (next(user, Side::Sell, 80_000), next(user, Side::Sell, 80_000));
            let entry = next(user, Side::Buy, 9_999);
            self.add(NewOrder { link: Link::ExitOf(entry.order), ..take });
            self.add(NewOrder { link: Link::Other(take.order), trigger: Trigger::Stop(n), ..stop });
            entries.push(entry);
        }
        entries.into_iter().for_each(|entry| self.add(entry));
        // Through all levels of one side and of the other, which fills every entry and triggers every stop.
        for (side, price) in [(Side::Sell, 5_000), (Side::Buy, 15_000)] {
            let quantity = MANY * 1_000;
            let order = next(1, side, price);
            self.add(NewOrder { quantity, time_in_force: TimeInForce::Ioc, ..order });
        }
        self.apply(START, &Command::SetPhase(Phase::OpeningAuction));
        for n in 1..=MANY {
            self.add(next(n, Side::Buy, 10_000 + n));
            self.add(next(n, Side::Sell, 10_000 - n));
        }
        self.apply(START, &Command::SetPhase(Phase::Continuous));
        assert!(self.report.events.len() as u64 > MANY);
        for n in 1..=MANY {
            let end = TimeInForce::Gtd(START + 1);
            self.add(NewOrder { time_in_force: end, ..next(n, Side::Buy, n) });
        }
        self.apply(START + 1, &Command::Tick);
        assert!(self.report.events.len() as u64 >= MANY);
        self.apply(START, &Command::MassCancel(MassCancel::default()));
        assert!(self.market.book().is_empty() && self.market.phase() == Phase::Continuous);
        self.report.events.reserve(10_000);
        self.report.depth.reserve(10_000);
        self.report.orders.reserve(10_000);
    }
}

#[test]
fn a_command_allocates_nothing_once_the_market_has_held_as_much() {
    let mut listened = Listened::default();
    listened.fill();
    for seed in 1..=4 {
        let mut flow = Flow::new(seed);
        let mut most = 0;
        for n in 0..100_000 {
            let (time, command) = flow.next();
            let allocated = listened.apply(time + DAYS * seed, &command);
            assert_eq!(allocated, 0, "seed {seed}, command {n}: {command:?}");
            most = most.max(listened.market.book().len());
        }
        assert!((100..MANY as usize).contains(&most), "{most} orders at once: too few, or more than before");
        // The next flow finds an empty book, as the first one did.
        let end = listened.market.time();
        for command in [Command::MassCancel(MassCancel::default()), Command::SetPhase(Phase::Continuous)] {
            listened.apply(end, &command);
        }
    }
}
