//! A market from its opening auction into continuous trading: orders of several kinds, what they did, and the book.
//!
//! ```text
//! cargo run -p engine-core --example quickstart
//! ```

use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::command::{Command, NewOrder, Replace};
use engine_core::definition::{Definition, TickRow, TickTable};
use engine_core::event::Event;
use engine_core::market::Market;
use engine_core::types::{OrderId, Phase, PostOnly, Side, TimeInForce, Trigger, UserId};

fn main() {
    // Ticks as on KRX; limit up and down 30 % from yesterday's close; two minutes' auction where a trade would be more
    // than 3 % from the last one.
    let ticks =
        [(0, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)];
    let ticks = ticks.map(|(from, tick)| TickRow { from, tick });
    let definition = Definition {
        ticks: TickTable::new(&ticks)
            .expect("each row begins at a multiple of its tick and of the one before"),
        band: (35_000, 65_000),
        dynamic_band: 300,
        reference: 50_000,
        ..Definition::default()
    };
    let mut exchange = Exchange {
        market: Market::with_definition(SEOUL_DAY_OFFSET_S, &definition),
        // The clock is the caller's: 2026-01-05 09:00:00 in Seoul.
        time: 1_767_571_200_000,
    };

    // Until the opening auction ends orders are collected, and the book may be crossed.
    let limit = NewOrder::limit;
    let (ann, ben, cho) = (UserId(1), UserId(2), UserId(3));
    exchange.run("collect for the opening", Command::SetPhase(Phase::OpeningAuction));
    exchange.add("ann buys", limit(OrderId(1), ann, Side::Buy, 50_200, 100));
    exchange.add("ben sells", limit(OrderId(2), ben, Side::Sell, 49_900, 60));
    exchange.add("cho sells", limit(OrderId(3), cho, Side::Sell, 50_300, 40));
    println!("      the auction would give {:?}", exchange.market.indicative().expect("a crossed book"));
    exchange.run("open", Command::SetPhase(Phase::Continuous));

    // From here on whoever comes first at the best price trades.
    let iceberg = NewOrder { display: 10, ..limit(OrderId(4), ben, Side::Sell, 50_400, 100) };
    exchange.add("ben shows 10 of 100", iceberg);
    let maker = NewOrder { post_only: PostOnly::Reject, ..limit(OrderId(5), cho, Side::Buy, 50_300, 5) };
    exchange.add("cho will only make", maker);
    let stop = NewOrder { trigger: Trigger::Stop(50_400), ..limit(OrderId(6), cho, Side::Buy, 50_500, 20) };
    exchange.add("cho buys once 50,400 is paid", stop);
    let now = NewOrder { time_in_force: TimeInForce::Ioc, ..limit(OrderId(7), ann, Side::Buy, 50_400, 55) };
    exchange.add("ann buys now or never", now);
    exchange.add("ben sells at any price", NewOrder::market(OrderId(8), ben, Side::Sell, 15));
    let (order, price, quantity) = (OrderId(1), 50_100, 25);
    let replace = Replace { order, user: ann, price, quantity, stop: None, expected: None };
    exchange.run("ann moves her order", Command::Replace(replace));
    exchange.run("ben cancels what is not his", Command::Cancel { order, user: ben });

    println!("\n{:>8} {:>6} {:>6}", "price", "shown", "orders");
    let book = exchange.market.book();
    let mut asks: Vec<_> = book.depth(Side::Sell).map(|level| (level, "ask")).collect();
    asks.reverse();
    for (level, side) in asks.into_iter().chain(book.depth(Side::Buy).map(|level| (level, "bid"))) {
        println!("{:>8} {:>6} {:>6}  {side}", level.price, level.quantity, level.orders);
    }
}

struct Exchange {
    market: Market,
    time: u64,
}

impl Exchange {
    fn add(&mut self, what: &str, order: NewOrder) {
        self.run(what, Command::Add(order));
    }

    /// Applies a command and prints what came of it.
    fn run(&mut self, what: &str, command: Command) {
        let mut events: Vec<Event> = Vec::new();
        self.time += 250;
        let first = self.market.sequence() + 1;
        self.market.apply(self.time, &command, &mut events);
        println!("{what}");
        for (sequence, event) in (first..).zip(&events) {
            println!("{sequence:5} {}", words(event));
        }
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::Accepted(of) => format!("order {} is accepted: {} at {}", of.order.0, of.quantity, of.price),
        Event::Rejected(of, why) => format!("order {} is refused: {}", of.order.0, why.as_str()),
        Event::Triggered(of) => format!("order {} is active now", of.order.0),
        Event::Cancelled(of, why) => {
            format!("order {} is cancelled with {} open: {}", of.order.0, of.quantity, why.as_str())
        }
        Event::Filled(fill) => {
            let (buy, sell) = (fill.buyer().order.0, fill.seller().order.0);
            format!("order {buy} buys {} at {} from order {sell}", fill.quantity, fill.price)
        }
        Event::Auctioned { price, quantity, .. } => format!("the auction gives {quantity} at {price}"),
        Event::PhaseChanged { to, .. } => format!("the phase is {}", to.as_str()),
        Event::Replaced { now, .. } => {
            format!("order {} is {} at {} now", now.order.0, now.quantity, now.price)
        }
        Event::CancelRejected { order, reason, .. } => {
            format!("order {} is left as it is: {}", order.0, reason.as_str())
        }
        other => format!("{other:?}"),
    }
}
