//! Who follows a market by its feeds has the market's book, and notices when that is no longer so.

use engine_core::book::Whereabouts;
use engine_core::command::{Command, NewOrder};
use engine_core::event::Event;
use engine_core::feed::{
    DepthChange, DepthReplica, OrderChange, OrderReplica, OutOfStep, Quote, Report, TopFeed, TopReplica,
};
use engine_core::market::Market;
use engine_core::types::{OrderId, Side, UserId};
use generate::{Flow, Random, START};

#[allow(dead_code)]
#[path = "support/generate.rs"]
mod generate;

/// A market on a seeded flow, and what it told last.
struct Told {
    flow: Flow,
    market: Market,
    report: Report,
    /// Numbers of the first change of a level and of an order that it told last.
    first: (u64, u64),
}

impl Told {
    fn new(seed: u64) -> Told {
        Told { flow: Flow::new(seed), market: Market::default(), report: Report::default(), first: (1, 1) }
    }

    /// The next command; no counter leaves out a number or gives one twice.
    fn step(&mut self) {
        let (time, command) = self.flow.next();
        let market = &mut self.market;
        let before = (market.sequence(), market.depth_sequence(), market.order_sequence());
        self.report.clear();
        market.apply(time, &command, &mut self.report);
        let Report { events, depth, orders } = &self.report;
        let told = (events.len() as u64, depth.len() as u64, orders.len() as u64);
        let after = (market.sequence(), market.depth_sequence(), market.order_sequence());
        assert_eq!((before.0 + told.0, before.1 + told.1, before.2 + told.2), after, "{command:?}");
        self.first = (before.1 + 1, before.2 + 1);
    }

    /// Until there are changes of levels and of orders, and a book that is worth it. The reader has all but the last.
    fn step_until_it_matters(&mut self, reader: &mut Reader) {
        loop {
            self.step();
            let books = Side::BOTH.iter().all(|&side| self.market.book().depth(side).count() > 1);
            if books && !self.report.depth.is_empty() && !self.report.orders.is_empty() {
                return;
            }
            reader.follow(self).unwrap();
        }
    }
}

/// A reader who came at some time.
struct Reader {
    levels: DepthReplica,
    orders: OrderReplica,
}

impl Reader {
    fn new(market: &Market) -> Reader {
        Reader { levels: DepthReplica::of(market), orders: OrderReplica::of(market) }
    }

    fn follow(&mut self, told: &Told) -> Result<(), OutOfStep> {
        self.levels.apply(told.first.0, &told.report.depth)?;
        self.orders.apply(told.first.1, &told.report.orders)
    }

    fn compare(&self, market: &Market) {
        let book = market.book();
        assert_eq!(self.levels.sequence(), market.depth_sequence());
        assert_eq!(self.orders.sequence(), market.order_sequence());
        for side in Side::BOTH {
            let levels = book.depth(side).map(|level| (level.price, level.quantity, level.orders));
            assert!(self.levels.levels(side).eq(levels), "{side:?}: other levels");
            let orders = book.queue(side).map(|order| (order.order, order.price, order.open));
            assert!(self.orders.queue(side).eq(orders), "{side:?}: other orders");
        }
        assert_eq!(self.levels.verify(book.checksum()), Ok(()));
        assert_eq!(self.levels.checksum(), book.checksum());
        assert_eq!(self.orders.verify(book.order_checksum()), Ok(()));
    }
}

#[test]
fn copies_made_at_any_time_are_the_book_from_then_on() {
    for seed in 1..=3 {
        let mut told = Told::new(seed);
        let mut random = Random::new(seed);
        let mut readers = vec![Reader::new(&told.market)];
        for _ in 0..15_000 {
            told.step();
            for reader in &mut readers {
                reader.follow(&told).unwrap();
                reader.compare(&told.market);
            }
            if random.chance(2) {
                // The one who has come first stays; one of the others goes.
                if readers.len() > 3 {
                    readers.remove(1);
                }
                readers.push(Reader::new(&told.market));
            }
        }
    }
}

#[test]
fn the_quote_is_the_first_level() {
    let mut told = Told::new(4);
    let mut quotes = 0;
    for _ in 0..20_000 {
        told.step();
        let first = |side| told.market.book().depth(side).next().map(|level| (level.price, level.quantity));
        let quote = Quote { bid: first(Side::Buy), ask: first(Side::Sell) };
        assert_eq!(told.market.book().quote(), quote);
        quotes += u64::from(quote.bid.is_some() && quote.ask.is_some());
    }
    assert!(quotes > 10_000, "{quotes}");
}

#[test]
fn a_place_in_the_queue_is_what_the_book_says() {
    let mut told = Told::new(5);
    let mut reader = Reader::new(&told.market);
    let (mut asked, mut elsewhere) = (0, 0);
    for n in 0..20_000u64 {
        told.step();
        reader.follow(&told).unwrap();
        // Every order of the book, each time of another account.
        for side in Side::BOTH {
            for order in told.market.book().queue(side).filter(|order| order.user.0 % 5 == n % 5) {
                let (ahead, orders) = reader.orders.ahead(order.order).unwrap();
                let place = Whereabouts::Resting { ahead, orders: orders as u32 };
                assert_eq!(told.market.book().locate(order.order), Some(place));
                asked += u64::from(orders > 0);
            }
        }
        // Orders that do not rest have no place.
        if let Some(Event::Accepted(order)) = told.report.events.last() {
            let rests = matches!(told.market.book().locate(order.order), Some(Whereabouts::Resting { .. }));
            assert_eq!(reader.orders.ahead(order.order).is_some(), rests);
            elsewhere += u64::from(!rests);
        }
    }
    assert!(asked > 10_000 && elsewhere > 100, "{asked} {elsewhere}");
}

#[test]
fn a_lost_change_is_noticed() {
    for seed in 10..30 {
        let mut told = Told::new(seed);
        (0..100).for_each(|_| told.step());
        let mut reader = Reader::new(&told.market);
        told.step_until_it_matters(&mut reader);
        let (expected, lost) = (told.first, &told.report);
        let (levels, orders) = (lost.depth.len() as u64, lost.orders.len() as u64);
        told.step();
        let gap = OutOfStep::Gap { expected: expected.0, got: expected.0 + levels };
        assert_eq!(reader.levels.apply(told.first.0, &told.report.depth), Err(gap));
        let gap = OutOfStep::Gap { expected: expected.1, got: expected.1 + orders };
        assert_eq!(reader.orders.apply(told.first.1, &told.report.orders), Err(gap));
        assert_eq!(reader.levels.sequence() + 1, expected.0, "it stays where it was");
    }
}

#[test]
fn a_part_of_a_batch_can_be_made_up_for() {
    for seed in 30..50 {
        let mut told = Told::new(seed);
        (0..100).for_each(|_| told.step());
        let mut reader = Reader::new(&told.market);
        told.step_until_it_matters(&mut reader);
        let (levels, orders) = (&told.report.depth, &told.report.orders);
        reader.levels.apply(told.first.0, &levels[..levels.len() / 2]).unwrap();
        reader.orders.apply(told.first.1, &orders[..orders.len() / 2]).unwrap();
        reader.follow(&told).unwrap();
        reader.compare(&told.market);
    }
}

#[test]
fn what_is_told_again_changes_nothing() {
    for seed in 50..60 {
        let mut told = Told::new(seed);
        let mut reader = Reader::new(&told.market);
        let (mut levels, mut orders): (Vec<DepthChange>, Vec<OrderChange>) = (vec![], vec![]);
        for n in 0..1_500 {
            told.step();
            levels.extend(&told.report.depth);
            orders.extend(&told.report.orders);
            reader.follow(&told).unwrap();
            if n % 50 == 0 {
                reader.follow(&told).unwrap();
                // All there ever was, from the first change on.
                reader.levels.apply(1, &levels).unwrap();
                reader.orders.apply(1, &orders).unwrap();
                reader.compare(&told.market);
            }
        }
    }
}

#[test]
fn a_level_that_is_wrong_is_noticed_by_the_checksum() {
    let wrong: [fn(&mut DepthChange); 3] =
        [|level| level.quantity += 1, |level| level.price += 1, |level| level.orders = 0];
    for (seed, spoil) in (60..120).zip(wrong.iter().cycle()) {
        let mut told = Told::new(seed);
        (0..200).for_each(|_| told.step());
        let mut reader = Reader::new(&told.market);
        told.step_until_it_matters(&mut reader);
        let book = told.market.book();
        let side = if seed % 2 == 0 { Side::Buy } else { Side::Sell };
        // Any of the ten levels a side that the checksum covers.
        let shown = book.depth(side).count().min(10);
        let at = seed as usize % shown;
        let level = book.depth(side).nth(at).unwrap();
        let mut change =
            DepthChange { side, price: level.price, quantity: level.quantity, orders: level.orders };
        spoil(&mut change);
        let mut copy = DepthReplica::of(&told.market);
        copy.verify(book.checksum()).unwrap();
        copy.apply(copy.sequence() + 1, &[change]).unwrap();
        assert_eq!(copy.verify(book.checksum()), Err(OutOfStep::WrongChecksum), "seed {seed}: {change:?}");
    }
}

#[test]
fn an_order_that_is_wrong_is_noticed_by_the_checksum() {
    let mut told = Told::new(8);
    let mut noticed = 0;
    for n in 0..3_000 {
        told.step();
        let book = told.market.book();
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        let Some(order) = book.queue(side).take(100).nth(n % 100) else { continue };
        for wrong in [
            OrderChange::Changed { order: order.order, quantity: order.open + 1 },
            OrderChange::Removed { order: order.order },
            OrderChange::Added { order: OrderId(1 << 60), side, price: order.price, quantity: 1 },
        ] {
            let mut copy = OrderReplica::of(&told.market);
            copy.verify(book.order_checksum()).unwrap();
            copy.apply(copy.sequence() + 1, &[wrong]).unwrap();
            // A new order at the end of its price's queue may be beyond what is covered.
            let covered = copy.queue(side).take(100).any(|(id, ..)| id == OrderId(1 << 60));
            if covered || !matches!(wrong, OrderChange::Added { .. }) {
                assert_eq!(copy.verify(book.order_checksum()), Err(OutOfStep::WrongChecksum), "{wrong:?}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 1_000, "{noticed}");
}

#[test]
fn the_best_levels_are_told_whatever_comes_into_view() {
    for (seed, levels) in (200..210).zip([1, 1, 2, 3, 5, 10, 10, 10, 50, 1_000]) {
        let mut told = Told::new(seed);
        let mut feed = TopFeed::new(levels, &told.market);
        let mut copy = TopReplica::of(&feed);
        let (mut quiet, mut updates) = (0, vec![]);
        for n in 0..5_000 {
            told.step();
            // Not everybody is told at every step.
            if n % 3 == 0 {
                continue;
            }
            let before = copy.clone();
            match feed.update(&told.market) {
                Some(update) => {
                    copy.apply(&update).unwrap();
                    assert!(
                        Side::BOTH.iter().any(|&side| copy.levels(side) != before.levels(side)),
                        "no news"
                    );
                    updates.push(update);
                }
                None => quiet += 1,
            }
            for side in Side::BOTH {
                let shown: Vec<_> = told.market.book().depth(side).take(levels).collect();
                assert_eq!(copy.levels(side), shown);
            }
            assert_eq!(copy.quote(), told.market.book().quote());
        }
        assert!(quiet > 100 && updates.len() > 100, "{quiet} {}", updates.len());
        // Each follows the one before; what is known is passed over, what is missing noticed.
        assert!(updates.windows(2).all(|two| two[0].sequence == two[1].after));
        let last = updates.len() - 1;
        let mut late = copy.clone();
        late.apply(&updates[last - 1]).unwrap();
        assert_eq!(late, copy);
        let mut early = TopReplica::default();
        early.apply(&updates[0]).unwrap();
        let gap = OutOfStep::Gap { expected: updates[0].sequence, got: updates[1].sequence };
        assert_eq!(early.apply(&updates[2]), Err(gap));
        let mut wrong = updates[1].clone();
        wrong.levels[0].quantity += 1;
        wrong.levels[0].orders += 1;
        assert_eq!(early.apply(&wrong), Err(OutOfStep::WrongChecksum));
    }
}

#[test]
fn a_change_of_an_order_that_does_not_fit_is_refused() {
    let mut market = Market::default();
    let order = NewOrder::limit(OrderId(1), UserId(1), Side::Buy, 100, 5);
    market.apply(START, &Command::Add(order), &mut Report::default());
    let first = market.order_sequence() + 1;
    for change in [
        OrderChange::Added { order: OrderId(1), side: Side::Sell, price: 101, quantity: 5 },
        OrderChange::Changed { order: OrderId(2), quantity: 5 },
        OrderChange::Removed { order: OrderId(2) },
    ] {
        let mut copy = OrderReplica::of(&market);
        assert_eq!(copy.apply(first, &[change]), Err(OutOfStep::Impossible), "{change:?}");
    }
}

#[test]
fn the_counters_go_on_when_nobody_listens() {
    let mut told = Told::new(7);
    let mut flow = Flow::new(7);
    let mut market = Market::default();
    let mut events: Vec<Event> = vec![];
    for _ in 0..5_000 {
        told.step();
        events.clear();
        let (time, command) = flow.next();
        market.apply(time, &command, &mut events);
        assert_eq!(events, told.report.events);
    }
    assert_eq!(market.depth_sequence(), told.market.depth_sequence());
    assert_eq!(market.order_sequence(), told.market.order_sequence());
}
