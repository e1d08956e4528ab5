//! Every rule of a market by one small example. `RULES.md` has the rules, `model.rs` the proof.

use engine_core::book::Whereabouts;
use engine_core::command::{Command, MassCancel, NewOrder, Replace};
use engine_core::definition::{Definition, Limits, TickRow, TickTable};
use engine_core::event::Event;
use engine_core::feed::{DepthChange, OrderChange, Report};
use engine_core::market::Market;
use engine_core::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};

const START: Millis = 1_765_894_800_000;

/// A market that is talked to in few words, and answers in few: an event is a line of text here.
struct Stage {
    market: Market,
    now: Millis,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(Definition::default())
    }

    fn with(definition: Definition) -> Stage {
        Stage { market: Market::with_definition(9 * 3600, &definition), now: START }
    }

    fn send(&mut self, command: Command) -> Vec<String> {
        let mut events = vec![];
        self.market.apply(self.now, &command, &mut events);
        self.market.book().check();
        events.iter().map(line).collect()
    }

    /// Enters an order; its own `accepted` is left out of the answer.
    fn add(&mut self, order: NewOrder) -> Vec<String> {
        let mut lines = self.send(Command::Add(order));
        lines.retain(|line| *line != format!("accepted {}", order.order.0));
        lines
    }

    fn cancel(&mut self, order: u64, user: u64) -> Vec<String> {
        self.send(Command::Cancel { order: OrderId(order), user: UserId(user) })
    }

    fn replace(&mut self, order: u64, user: u64, price: Price, quantity: Quantity) -> Vec<String> {
        let (order, user) = (OrderId(order), UserId(user));
        self.send(Command::Replace(Replace { order, user, price, quantity, stop: None, expected: None }))
    }

    fn phase(&mut self, phase: Phase) -> Vec<String> {
        self.send(Command::SetPhase(phase))
    }

    fn after(&mut self, ms: Millis) -> Vec<String> {
        self.now += ms;
        self.send(Command::Tick)
    }

    /// Two strangers trade one at this price; what else comes of it.
    fn trade(&mut self, price: Price) -> Vec<String> {
        self.add(sell(901, 91, price, 1));
        let mut lines = self.add(buy(902, 92, price, 1));
        lines.retain(|line| !line.starts_with("902 "));
        lines
    }

    /// Order and displayed quantity, in the order in which they would be filled.
    fn queue(&self, side: Side) -> Vec<(u64, Quantity)> {
        self.market.book().queue(side).map(|order| (order.order.0, order.open)).collect()
    }

    fn depth(&self, side: Side) -> Vec<(Price, Quantity)> {
        self.market.book().depth(side).map(|level| (level.price, level.quantity)).collect()
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Accepted(order) => format!("accepted {}", order.order.0),
        Event::Rejected(order, reason) => format!("rejected {} {}", order.order.0, reason.as_str()),
        Event::Filled(fill) => {
            let (taker, maker) = (fill.taker.order.0, fill.maker.order.0);
            format!("{taker} with {maker}: {} at {}", fill.quantity, fill.price)
        }
        Event::Cancelled(order, reason) => {
            format!("cancelled {} of {} {}", order.quantity, order.order.0, reason.as_str())
        }
        Event::Reduced { now, by, reason } => format!("reduced {} by {by} {}", now.order.0, reason.as_str()),
        Event::Replaced { now, .. } => format!("replaced {}: {} at {}", now.order.0, now.quantity, now.price),
        Event::Triggered(order) => format!("triggered {}", order.order.0),
        Event::CancelRejected { reason, .. }
        | Event::ReplaceRejected { reason, .. }
        | Event::CommandRejected(reason) => format!("no: {}", reason.as_str()),
        Event::MassCancelled { orders, .. } => format!("{orders} cancelled"),
        Event::PhaseChanged { to, .. } => to.as_str().to_string(),
        Event::Auctioned { price, quantity, surplus } => {
            format!("auction: {quantity} at {price}, {surplus} over")
        }
        Event::Defined => "defined".to_string(),
        Event::CandleClosed(candle) => format!("candle of {}", candle.volume),
    }
}

fn buy(order: u64, user: u64, price: Price, quantity: Quantity) -> NewOrder {
    NewOrder::limit(OrderId(order), UserId(user), Side::Buy, price, quantity)
}

fn sell(order: u64, user: u64, price: Price, quantity: Quantity) -> NewOrder {
    NewOrder::limit(OrderId(order), UserId(user), Side::Sell, price, quantity)
}

fn market(order: u64, user: u64, side: Side, quantity: Quantity) -> NewOrder {
    NewOrder::market(OrderId(order), UserId(user), side, quantity)
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_taker_gets_the_makers_price_and_what_is_left_rests() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    stage.add(sell(2, 1, 101, 5));
    assert_eq!(stage.add(buy(3, 2, 101, 12)), ["3 with 1: 5 at 100", "3 with 2: 5 at 101"]);
    assert_eq!(stage.depth(Side::Buy), [(101, 2)]);
}

#[test]
fn a_reduction_keeps_its_place_and_anything_else_loses_it() {
    let mut stage = Stage::new();
    for order in [1, 2, 3] {
        stage.add(sell(order, 1, 100, 10));
    }
    assert_eq!(stage.replace(1, 1, 100, 4), ["replaced 1: 4 at 100"]);
    assert_eq!(stage.replace(2, 1, 100, 11), ["replaced 2: 11 at 100"]);
    assert_eq!(stage.queue(Side::Sell), [(1, 4), (3, 10), (2, 11)]);
}

#[test]
fn a_replace_that_expects_something_else_is_stale() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 10));
    stage.add(buy(2, 2, 100, 4));
    let replace = Replace {
        order: OrderId(1),
        user: UserId(1),
        price: 101,
        quantity: 10,
        stop: None,
        expected: Some((100, 10)),
    };
    assert_eq!(stage.send(Command::Replace(replace)), ["no: stale_order"]);
}

#[test]
fn quiet_minutes_close_their_candle_by_the_clock() {
    let mut stage = Stage::new();
    stage.now = START + 59_999;
    stage.add(buy(1, 1, 100, 5));
    stage.add(sell(2, 2, 100, 5));
    let candle = *stage.market.candle().unwrap();
    assert_eq!((candle.time, candle.volume), (START / 1000, 5));
    // A clock that goes back changes nothing.
    stage.now = START;
    assert_eq!(stage.send(Command::Tick), NOTHING);
    assert_eq!(stage.after(60_000), ["candle of 5"]);
    assert_eq!(stage.market.candle(), None);
}

// Orders that are immediate

#[test]
fn immediate_or_cancel_takes_what_it_gets() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    let ioc = NewOrder { time_in_force: TimeInForce::Ioc, ..buy(2, 2, 100, 8) };
    assert_eq!(stage.add(ioc), ["2 with 1: 5 at 100", "cancelled 3 of 2 ioc"]);
}

#[test]
fn fill_or_kill_takes_all_or_nothing() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    stage.add(sell(2, 1, 102, 5));
    let fok = |order, price| NewOrder { time_in_force: TimeInForce::Fok, ..buy(order, 2, price, 8) };
    assert_eq!(stage.add(fok(3, 101)), ["cancelled 8 of 3 fok"]);
    assert_eq!(stage.add(fok(4, 102)), ["4 with 1: 5 at 100", "4 with 2: 3 at 102"]);
}

#[test]
fn fill_or_kill_counts_only_one_of_two_linked_orders() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    stage.add(NewOrder { link: Link::Other(OrderId(1)), ..sell(2, 1, 101, 5) });
    let fok = |order, quantity| NewOrder { time_in_force: TimeInForce::Fok, ..buy(order, 2, 101, quantity) };
    assert_eq!(stage.add(fok(3, 8)), ["cancelled 8 of 3 fok"]);
    assert_eq!(stage.add(fok(4, 5)), ["4 with 1: 5 at 100", "cancelled 5 of 2 linked"]);
}

#[test]
fn a_market_order_stops_at_its_protection_price() {
    let mut stage = Stage::new();
    assert_eq!(stage.add(market(1, 2, Side::Buy, 8)), ["rejected 1 no_opposite_quote"]);
    stage.add(sell(2, 1, 100, 5));
    stage.add(sell(3, 1, 105, 5));
    let protected = NewOrder { price: 102, ..market(4, 2, Side::Buy, 8) };
    assert_eq!(stage.add(protected), ["4 with 2: 5 at 100", "cancelled 3 of 4 protection"]);
    let plain = market(5, 2, Side::Buy, 8);
    assert_eq!(stage.add(plain), ["5 with 3: 5 at 105", "cancelled 3 of 5 no_opposite_quote"]);
}

#[test]
fn a_market_buy_spends_its_budget_in_whole_lots() {
    let mut stage = Stage::with(Definition { lot: 2, ..Definition::default() });
    stage.add(sell(1, 1, 100, 4));
    stage.add(sell(2, 1, 110, 10));
    let order = NewOrder { budget: 1_000, ..market(3, 2, Side::Buy, 20) };
    // 400 for the first four; of the other 600 four more are paid, but not six.
    assert_eq!(stage.add(order), ["3 with 1: 4 at 100", "3 with 2: 4 at 110", "cancelled 12 of 3 budget"]);
    // An order that cannot pay for a lot does nothing to its own orders either.
    let order = NewOrder { budget: 1, self_trade: SelfTrade::CancelOldest, ..market(4, 1, Side::Buy, 2) };
    assert_eq!(stage.add(order), ["cancelled 2 of 4 budget"]);
}

// Stops

#[test]
fn a_stop_becomes_a_market_order_when_the_market_gets_there() {
    let mut stage = Stage::new();
    let stop = NewOrder { trigger: Trigger::Stop(98), ..market(1, 1, Side::Sell, 5) };
    assert_eq!(stage.add(stop), NOTHING);
    stage.add(buy(2, 2, 95, 10));
    assert_eq!(stage.trade(99), NOTHING);
    assert_eq!(stage.add(sell(3, 3, 95, 1)), ["3 with 2: 1 at 95", "triggered 1", "1 with 2: 5 at 95"]);
}

#[test]
fn a_stop_limit_rests_when_its_limit_is_not_met() {
    let mut stage = Stage::new();
    stage.add(NewOrder { trigger: Trigger::Stop(102), ..buy(1, 1, 103, 5) });
    assert_eq!(stage.depth(Side::Buy), [], "a stop is not in the book");
    stage.add(sell(2, 2, 102, 1));
    assert_eq!(stage.add(buy(3, 3, 102, 1)), ["3 with 2: 1 at 102", "triggered 1"]);
    assert_eq!(stage.queue(Side::Buy), [(1, 5)]);
    // The last trade satisfies this one already.
    assert_eq!(stage.add(NewOrder { trigger: Trigger::Stop(101), ..buy(4, 1, 101, 5) }), ["triggered 4"]);
}

#[test]
fn a_trailing_stop_follows_the_market_and_never_turns_back() {
    let mut stage = Stage::new();
    stage.trade(100);
    stage.add(NewOrder { trigger: Trigger::Trailing(3), ..sell(1, 1, 90, 5) });
    for price in [98, 105, 103] {
        stage.trade(price);
        assert_eq!(stage.queue(Side::Sell), []);
    }
    // 105 less 3.
    stage.trade(102);
    assert_eq!(stage.queue(Side::Sell), [(1, 5)]);
}

#[test]
fn a_trailing_stop_has_no_price_before_the_first_trade() {
    let mut stage = Stage::new();
    stage.add(NewOrder { trigger: Trigger::Trailing(3), ..buy(1, 1, 110, 5) });
    stage.add(NewOrder { trigger: Trigger::Trailing(3), ..sell(2, 1, 90, 5) });
    let stops = |stage: &Stage| [1, 2].map(|order| stage.market.book().locate(OrderId(order)));
    assert_eq!(stops(&stage), [0, 0].map(|at| Some(Whereabouts::Stopped { at })));
    stage.trade(100);
    assert_eq!(stops(&stage), [103, 97].map(|at| Some(Whereabouts::Stopped { at })));
}

#[test]
fn stops_of_one_trade_are_triggered_by_age() {
    let mut stage = Stage::new();
    for (order, stop) in [(1, 97), (2, 99), (3, 98)] {
        stage.add(NewOrder { trigger: Trigger::Stop(stop), ..sell(order, order, 110, 1) });
    }
    stage.add(buy(4, 4, 97, 1));
    let events = stage.add(sell(5, 5, 97, 1));
    assert_eq!(events, ["5 with 4: 1 at 97", "triggered 1", "triggered 2", "triggered 3"]);
}

// Orders that show less, or want more

#[test]
fn an_iceberg_shows_its_next_part_at_the_back() {
    let mut stage = Stage::new();
    stage.add(NewOrder { display: 2, ..sell(1, 1, 100, 5) });
    stage.add(sell(2, 2, 100, 3));
    assert_eq!(stage.depth(Side::Sell), [(100, 5)]);
    assert_eq!(stage.add(buy(3, 3, 100, 3)), ["3 with 1: 2 at 100", "3 with 2: 1 at 100"]);
    assert_eq!(stage.queue(Side::Sell), [(2, 2), (1, 2)]);
    let all = ["4 with 2: 2 at 100", "4 with 1: 2 at 100", "4 with 1: 1 at 100"];
    assert_eq!(stage.add(buy(4, 3, 100, 5)), all);
}

#[test]
fn a_post_only_order_does_not_take() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    let order = |order, post_only| NewOrder { post_only, ..buy(order, 2, 101, 5) };
    assert_eq!(stage.add(order(2, PostOnly::Reject)), ["rejected 2 would_take"]);
    assert_eq!(stage.add(order(3, PostOnly::Reprice)), NOTHING);
    assert_eq!(stage.depth(Side::Buy), [(99, 5)]);
}

#[test]
fn all_or_none_waits_until_there_is_enough() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 5));
    assert_eq!(stage.add(NewOrder { all_or_none: true, ..buy(2, 2, 100, 8) }), NOTHING);
    assert_eq!(stage.depth(Side::Buy), [], "it can only be traded against when it can be filled");
    let enough = ["triggered 2", "2 with 3: 3 at 99", "2 with 1: 5 at 100"];
    assert_eq!(stage.add(sell(3, 1, 99, 3)), enough);
    assert_eq!(stage.queue(Side::Sell), []);
}

#[test]
fn a_minimum_is_for_the_first_execution_only() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 100, 4));
    let order = |order| NewOrder { minimum: 5, ..buy(order, 2, 100, 10) };
    let immediate = NewOrder { time_in_force: TimeInForce::Ioc, ..order(2) };
    assert_eq!(stage.add(immediate), ["cancelled 10 of 2 minimum_quantity"]);
    assert_eq!(stage.add(order(3)), NOTHING);
    assert_eq!(stage.add(sell(4, 1, 100, 2)), ["triggered 3", "3 with 1: 4 at 100", "3 with 4: 2 at 100"]);
    assert_eq!(stage.depth(Side::Buy), [(100, 4)]);
    assert_eq!(stage.add(sell(5, 1, 100, 1)), ["5 with 3: 1 at 100"]);
}

// Self-trade

/// Somebody's own order of 3 is behind a stranger's 2; then 8 of the same account come.
fn meets_itself(self_trade: SelfTrade) -> Vec<String> {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 2));
    stage.add(buy(2, 7, 100, 3));
    stage.add(buy(3, 1, 100, 2));
    stage.add(NewOrder { self_trade, ..sell(4, 7, 100, 8) })
}

#[test]
fn self_trades_are_allowed_unless_the_taker_says_otherwise() {
    let events = ["4 with 1: 2 at 100", "4 with 2: 3 at 100", "4 with 3: 2 at 100"];
    assert_eq!(meets_itself(SelfTrade::Allow), events);
}

#[test]
fn cancel_newest_ends_the_taker() {
    assert_eq!(meets_itself(SelfTrade::CancelNewest), ["4 with 1: 2 at 100", "cancelled 6 of 4 self_trade"]);
}

#[test]
fn cancel_oldest_ends_the_maker() {
    let events = ["4 with 1: 2 at 100", "cancelled 3 of 2 self_trade", "4 with 3: 2 at 100"];
    assert_eq!(meets_itself(SelfTrade::CancelOldest), events);
}

#[test]
fn cancel_both_ends_both() {
    let events = ["4 with 1: 2 at 100", "cancelled 3 of 2 self_trade", "cancelled 6 of 4 self_trade"];
    assert_eq!(meets_itself(SelfTrade::CancelBoth), events);
}

#[test]
fn decrement_takes_the_smaller_one_from_both() {
    let events = [
        "4 with 1: 2 at 100",
        "cancelled 3 of 2 self_trade",
        "reduced 4 by 3 self_trade",
        "4 with 3: 2 at 100",
    ];
    assert_eq!(meets_itself(SelfTrade::Decrement), events);
}

#[test]
fn accounts_of_one_group_are_the_same_to_a_self_trade_rule() {
    let mut stage = Stage::new();
    stage.add(NewOrder { group: 3, ..buy(1, 1, 100, 2) });
    let order = NewOrder { group: 3, self_trade: SelfTrade::CancelNewest, ..sell(2, 2, 100, 2) };
    assert_eq!(stage.add(order), ["cancelled 2 of 2 self_trade"]);
}

// Orders that hang together

#[test]
fn one_cancels_the_other() {
    let mut stage = Stage::new();
    stage.add(sell(1, 1, 105, 5));
    let stop = NewOrder { trigger: Trigger::Stop(95), link: Link::Other(OrderId(1)), ..sell(2, 1, 94, 5) };
    assert_eq!(stage.add(stop), NOTHING);
    // Already the first fill decides.
    assert_eq!(stage.add(buy(3, 2, 105, 1)), ["3 with 1: 1 at 105", "cancelled 5 of 2 linked"]);
    let stop = NewOrder { order: OrderId(4), ..stop };
    stage.add(stop);
    stage.add(buy(5, 2, 95, 1));
    let events = stage.add(sell(6, 3, 95, 1));
    assert_eq!(events, ["6 with 5: 1 at 95", "triggered 4", "cancelled 4 of 1 linked"]);
}

/// An entry of 10 at 100, with a target at 105 and a stop at 95.
fn bracket() -> Stage {
    let mut stage = Stage::new();
    stage.add(NewOrder { link: Link::ExitOf(OrderId(3)), ..sell(1, 1, 105, 10) });
    let trigger = Trigger::Stop(95);
    stage.add(NewOrder { trigger, link: Link::Other(OrderId(1)), ..sell(2, 1, 90, 10) });
    stage.add(buy(3, 1, 100, 10));
    stage
}

#[test]
fn exits_are_held_until_their_entry_is_filled() {
    let mut stage = bracket();
    assert_eq!(stage.queue(Side::Sell), []);
    // First the target is released, then the stop.
    let events = stage.add(sell(4, 2, 100, 10));
    assert_eq!(events, ["4 with 3: 10 at 100", "triggered 1", "triggered 2"]);
    assert_eq!(stage.queue(Side::Sell), [(1, 10)]);
    assert_eq!(stage.add(buy(5, 2, 105, 4)), ["5 with 1: 4 at 105", "cancelled 10 of 2 linked"]);
}

#[test]
fn exits_are_for_what_their_entry_was_filled() {
    let mut stage = bracket();
    stage.add(sell(4, 2, 100, 6));
    let events = stage.cancel(3, 1);
    let reduced = ["reduced 1 by 4 linked", "reduced 2 by 4 linked", "triggered 1", "triggered 2"];
    assert_eq!(events[0], "cancelled 4 of 3 user");
    assert_eq!(events[1..], reduced);
    // Without a fill there is nothing to exit from.
    let events = bracket().cancel(3, 1);
    assert_eq!(events, ["cancelled 10 of 3 user", "cancelled 10 of 1 linked", "cancelled 10 of 2 linked"]);
}

// Phases

#[test]
fn an_opening_auction_trades_the_most_it_can() {
    let mut stage = Stage::new();
    assert_eq!(stage.phase(Phase::OpeningAuction), ["opening_auction"]);
    assert_eq!(stage.add(market(9, 9, Side::Buy, 1)), ["rejected 9 wrong_phase"]);
    stage.add(buy(1, 1, 103, 10));
    stage.add(buy(2, 2, 101, 10));
    stage.add(sell(3, 3, 99, 5));
    stage.add(sell(4, 4, 101, 10));
    let indicative = stage.market.indicative().unwrap();
    assert_eq!((indicative.price, indicative.quantity, indicative.surplus), (101, 15, 5));
    let fills = ["1 with 3: 5 at 101", "1 with 4: 5 at 101", "2 with 4: 5 at 101"];
    let events = stage.phase(Phase::Continuous);
    assert_eq!(events[..2], ["continuous", "auction: 15 at 101, 5 over"]);
    assert_eq!(events[2..], fills);
    assert_eq!(stage.depth(Side::Buy), [(101, 5)]);
}

/// The price of an auction of these buys and sells, by price and quantity.
fn auctioned(reference: Price, buys: &[(Price, Quantity)], sells: &[(Price, Quantity)]) -> Price {
    let mut stage = Stage::with(Definition { reference, ..Definition::default() });
    stage.phase(Phase::PreOpen);
    for (n, &(price, quantity)) in (1..).zip(buys) {
        stage.add(buy(n, 1, price, quantity));
    }
    for (n, &(price, quantity)) in (100..).zip(sells) {
        stage.add(sell(n, 2, price, quantity));
    }
    stage.market.indicative().unwrap().price
}

#[test]
fn an_auctions_ties_go_by_surplus_then_reference_then_price() {
    // 10 at 100 as at 104; 5 more would buy at 100.
    assert_eq!(auctioned(0, &[(104, 10), (100, 5)], &[(100, 10)]), 104);
    // No difference but how far it is from the reference, which is a price of its own.
    assert_eq!(auctioned(102, &[(104, 10)], &[(100, 10)]), 102);
    assert_eq!(auctioned(90, &[(104, 10)], &[(100, 10)]), 100);
    // No reference: the highest.
    assert_eq!(auctioned(0, &[(104, 10)], &[(100, 10)]), 104);
}

#[test]
fn one_cancels_the_other_in_auctions_too_and_what_is_crossed_then_is_auctioned_again() {
    let mut stage = Stage::new();
    stage.phase(Phase::PreOpen);
    stage.add(buy(1, 1, 103, 20));
    stage.add(buy(2, 1, 100, 1));
    stage.add(sell(3, 2, 100, 10));
    stage.add(NewOrder { link: Link::Other(OrderId(3)), ..sell(4, 2, 100, 10) });
    stage.add(sell(5, 3, 103, 5));
    let events = stage.phase(Phase::Continuous);
    let first = ["auction: 20 at 100, 1 over", "1 with 3: 10 at 100", "cancelled 10 of 4 linked"];
    assert_eq!(events[1..4], first);
    assert_eq!(events[4..], ["auction: 5 at 103, 5 over", "1 with 5: 5 at 103"]);
}

#[test]
fn an_auction_is_over_when_links_leave_nobody_on_one_side() {
    // One on this side for two on the other, who could fill it if they were not linked.
    for one in Side::BOTH {
        let mut stage = Stage::new();
        stage.phase(Phase::PreOpen);
        let order = |order, user, side, quantity| NewOrder { side, ..buy(order, user, 100, quantity) };
        stage.add(order(1, 1, one, 20));
        stage.add(order(2, 2, one.opposite(), 10));
        stage.add(NewOrder { link: Link::Other(OrderId(2)), ..order(3, 2, one.opposite(), 10) });
        let fill = if one == Side::Buy { "1 with 2: 10 at 100" } else { "2 with 1: 10 at 100" };
        let auction = ["continuous", "auction: 20 at 100, 0 over", fill, "cancelled 10 of 3 linked"];
        assert_eq!(stage.phase(Phase::Continuous), auction);
        assert_eq!(stage.depth(one), [(100, 10)]);
    }
}

#[test]
fn a_jump_of_the_price_calls_an_auction_that_ends_by_time() {
    let definition = Definition { dynamic_band: 300, volatility_auction_ms: 2_000, ..Definition::default() };
    let mut stage = Stage::with(definition);
    stage.trade(100);
    stage.add(sell(1, 1, 103, 5));
    stage.add(sell(2, 1, 104, 5));
    // 3 % from 100 is as far as it goes.
    assert_eq!(stage.add(buy(3, 2, 104, 8)), ["3 with 1: 5 at 103", "volatility_auction"]);
    assert_eq!(stage.depth(Side::Buy), [(104, 3)]);
    assert_eq!(stage.market.book().until(), Some(stage.now + 2_000));
    assert_eq!(stage.after(1_999), NOTHING);
    assert_eq!(stage.after(1), ["continuous", "auction: 3 at 104, 2 over", "3 with 2: 3 at 104"]);
    assert_eq!(stage.market.book().until(), None);
}

/// A market whose next trade away from `from` to 5 % or more calls an auction of a minute; somebody stands at both.
fn restless(from: Price, to: Price) -> Stage {
    let definition = Definition { dynamic_band: 400, volatility_auction_ms: 60_000, ..Definition::default() };
    let mut stage = Stage::with(definition);
    stage.trade(from);
    stage.add(sell(1, 1, from, 5));
    stage.add(sell(2, 1, to, 5));
    stage
}

#[test]
fn what_the_trades_before_a_volatility_auction_reach_is_triggered_after_it() {
    let mut stage = restless(100, 110);
    // 103 is traded before the corridor ends; the auction is at 102, which reaches nothing.
    stage.add(sell(3, 1, 103, 5));
    stage.add(NewOrder { trigger: Trigger::Stop(103), ..market(10, 7, Side::Buy, 1) });
    stage.add(NewOrder { trigger: Trigger::Stop(105), ..market(11, 7, Side::Buy, 1) });
    let lines = stage.add(buy(4, 2, 110, 12));
    assert_eq!(
        lines,
        ["4 with 1: 5 at 100", "4 with 3: 5 at 103", "volatility_auction"],
        "nothing is triggered in an auction"
    );
    assert_eq!(stage.market.book().locate(OrderId(10)), Some(Whereabouts::Stopped { at: 103 }));
    stage.cancel(4, 2);
    stage.add(sell(5, 1, 102, 2));
    stage.add(buy(6, 2, 102, 1));
    assert_eq!(
        stage.after(60_000),
        [
            "candle of 11",
            "continuous",
            "auction: 1 at 102, 1 over",
            "6 with 5: 1 at 102",
            "triggered 10",
            "10 with 5: 1 at 102"
        ]
    );
}

#[test]
fn a_due_order_that_is_replaced_waits_for_its_price_again() {
    // A reduction changes nothing about that.
    for (quantity, triggered) in [(1, true), (3, false)] {
        let mut stage = restless(100, 110);
        stage.add(sell(3, 1, 103, 1));
        stage.add(NewOrder { trigger: Trigger::Stop(103), ..buy(10, 7, 105, 2) });
        stage.add(NewOrder { time_in_force: TimeInForce::Ioc, ..buy(4, 2, 110, 20) });
        assert_eq!(stage.market.phase(), Phase::VolatilityAuction);
        stage.replace(10, 7, 105, quantity);
        stage.add(sell(5, 1, 102, 1));
        stage.add(buy(6, 2, 102, 1));
        let lines = stage.after(60_000);
        assert_eq!(lines.contains(&"triggered 10".to_string()), triggered, "{lines:?}");
    }
}

#[test]
fn a_new_reference_counts_for_more_than_an_old_auction() {
    let definition = Definition { static_band: 1_000, reference: 100, ..Definition::default() };
    let mut stage = Stage::with(definition);
    stage.phase(Phase::OpeningAuction);
    stage.add(buy(1, 1, 100, 1));
    stage.add(sell(2, 2, 100, 1));
    stage.phase(Phase::Continuous);
    assert_eq!(stage.trade(111), ["volatility_auction"]);
    stage.send(Command::MassCancel(MassCancel::default()));
    stage.phase(Phase::Continuous);
    // The next day begins at another price.
    stage.send(Command::Define(Box::new(Definition { reference: 120, ..definition })));
    assert_eq!(stage.trade(111), NOTHING);
    assert_eq!(stage.trade(100), ["volatility_auction"]);
}

#[test]
fn what_ended_before_a_volatility_auction_did_is_over_first_and_what_ends_later_took_part() {
    let mut stage = restless(100, 110);
    stage.add(buy(4, 2, 110, 6));
    assert_eq!(stage.market.phase(), Phase::VolatilityAuction);
    let until = |ms| TimeInForce::Gtd(START + ms);
    stage.add(NewOrder { time_in_force: until(60_000), ..buy(5, 3, 110, 1) });
    stage.add(NewOrder { time_in_force: until(60_001), ..buy(6, 3, 110, 1) });
    // The clock comes late.
    assert_eq!(
        stage.after(90_000),
        [
            "candle of 6",
            "cancelled 1 of 5 expired",
            "continuous",
            "auction: 2 at 110, 3 over",
            "4 with 2: 1 at 110",
            "6 with 2: 1 at 110",
        ]
    );
}

#[test]
fn a_reduction_is_not_asked_for_a_price_that_would_no_longer_be_taken() {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 10));
    let narrow = Definition { band: (1, 90), max_notional: 500, ..Definition::default() };
    stage.send(Command::Define(Box::new(narrow)));
    assert_eq!(stage.replace(1, 1, 100, 9), ["replaced 1: 9 at 100"]);
    assert_eq!(stage.replace(1, 1, 100, 10), ["no: outside_band"]);
    assert_eq!(stage.replace(1, 1, 90, 9), ["no: notional_too_large"]);
}

#[test]
fn an_exit_that_cannot_trade_in_its_phase_says_so() {
    let mut stage = Stage::new();
    stage.add(NewOrder { link: Link::ExitOf(OrderId(1)), ..market(2, 1, Side::Sell, 5) });
    stage.add(buy(1, 1, 100, 5));
    stage.add(sell(3, 2, 100, 2));
    stage.phase(Phase::Halt);
    assert_eq!(
        stage.cancel(1, 1),
        ["cancelled 3 of 1 user", "reduced 2 by 3 linked", "triggered 2", "cancelled 2 of 2 wrong_phase"]
    );
}

#[test]
fn a_day_order_ends_with_the_day_of_a_time_zone_that_is_off_by_seconds() {
    let day = 86_400_000;
    let mut market = Market::new(9 * 3600 + 30);
    // Half a minute before the full minute the day is over.
    let midnight = START / day * day + 15 * 3_600_000 - 30_000;
    let mut apply = |time, command| {
        let mut events = vec![];
        market.apply(time, &command, &mut events);
        events.iter().map(line).collect::<Vec<_>>()
    };
    let order = |id| NewOrder { time_in_force: TimeInForce::Day, ..buy(id, 1, 100, 1) };
    apply(midnight - 1, Command::Add(order(1)));
    assert_eq!(apply(midnight, Command::Add(order(2))), ["cancelled 1 of 1 expired", "accepted 2"]);
    assert_eq!(apply(midnight + day - 1, Command::Tick), NOTHING);
    assert_eq!(apply(midnight + day, Command::Tick), ["cancelled 1 of 2 expired"]);
}

#[test]
fn a_post_only_order_is_not_moved_beyond_the_notional() {
    let mut stage = Stage::with(Definition { max_notional: 1_000, ..Definition::default() });
    stage.add(buy(1, 1, 110, 1));
    let order = |quantity| NewOrder { post_only: PostOnly::Reprice, ..sell(2, 2, 100, quantity) };
    assert_eq!(stage.add(order(10)), ["rejected 2 notional_too_large"]);
    assert_eq!(stage.add(order(9)), NOTHING);
    assert_eq!(stage.depth(Side::Sell), [(111, 9)]);
}

#[test]
fn no_reader_sees_an_order_without_quantity_in_an_auction() {
    let mut stage = Stage::new();
    stage.phase(Phase::OpeningAuction);
    stage.add(buy(1, 1, 100, 5));
    stage.add(NewOrder { link: Link::Other(OrderId(1)), ..buy(2, 1, 100, 5) });
    stage.add(sell(3, 2, 100, 5));
    let mut report = Report::default();
    stage.market.apply(stage.now, &Command::SetPhase(Phase::Continuous), &mut report);
    assert!(
        report.depth.iter().all(|change| (change.quantity == 0) == (change.orders == 0)),
        "{:?}",
        report.depth
    );
    assert!(stage.market.book().is_empty());
}

#[test]
fn an_exit_that_waits_for_an_entry_keeps_nobody_else_from_trading() {
    let mut stage = Stage::new();
    stage.add(NewOrder { link: Link::ExitOf(OrderId(77)), ..sell(1, 1, 100, 5) });
    stage.add(sell(2, 2, 100, 5));
    assert_eq!(stage.add(buy(3, 3, 100, 5)), ["3 with 2: 5 at 100"]);
    assert_eq!(stage.market.book().locate(OrderId(1)), Some(Whereabouts::Held));
}

#[test]
fn in_a_halt_orders_can_only_be_cancelled() {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 5));
    stage.phase(Phase::Halt);
    assert_eq!(stage.add(buy(2, 1, 100, 5)), ["rejected 2 wrong_phase"]);
    assert_eq!(stage.replace(1, 1, 100, 4), ["no: wrong_phase"]);
    assert_eq!(stage.cancel(1, 1), ["cancelled 5 of 1 user"]);
    assert_eq!(stage.phase(Phase::Halt), ["no: bad_phase"]);
}

#[test]
fn delisting_is_for_good() {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 5));
    assert_eq!(stage.phase(Phase::Delisted), ["delisted", "cancelled 5 of 1 delisted"]);
    assert_eq!(stage.add(buy(2, 1, 100, 5)), ["rejected 2 delisted"]);
    assert_eq!(stage.phase(Phase::Continuous), ["no: bad_phase"]);
}

// Many at once, and by the clock

#[test]
fn a_mass_cancel_takes_all_that_match() {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 5));
    stage.add(NewOrder { trigger: Trigger::Stop(110), ..buy(2, 1, 110, 5) });
    stage.add(sell(3, 1, 105, 5));
    stage.add(buy(4, 2, 100, 5));
    let mass = MassCancel { user: Some(UserId(1)), side: Some(Side::Buy), disconnected: false };
    let events = stage.send(Command::MassCancel(mass));
    assert_eq!(events, ["cancelled 5 of 1 mass_cancel", "cancelled 5 of 2 mass_cancel", "2 cancelled"]);
}

#[test]
fn a_lost_connection_cancels_what_asked_for_it() {
    let mut stage = Stage::new();
    stage.add(buy(1, 1, 100, 5));
    stage.add(NewOrder { cancel_on_disconnect: true, ..buy(2, 1, 100, 5) });
    let mass = MassCancel { user: Some(UserId(1)), side: None, disconnected: true };
    assert_eq!(stage.send(Command::MassCancel(mass)), ["cancelled 5 of 2 disconnected", "1 cancelled"]);
}

#[test]
fn orders_end_when_their_time_is_over() {
    let mut stage = Stage::new();
    let until = |order, end| NewOrder { time_in_force: TimeInForce::Gtd(end), ..buy(order, 1, 100, 5) };
    assert_eq!(stage.add(until(1, START)), ["rejected 1 already_expired"]);
    stage.add(until(2, START + 1_000));
    // START is 23:20 in Seoul: the day has 40 minutes left.
    stage.add(NewOrder { time_in_force: TimeInForce::Day, ..buy(3, 1, 100, 5) });
    assert_eq!(stage.after(999), NOTHING);
    assert_eq!(stage.after(1), ["cancelled 5 of 2 expired"]);
    stage.now = START + 40 * 60_000 - 1;
    assert_eq!(stage.send(Command::Tick), NOTHING);
    assert_eq!(stage.after(1), ["cancelled 5 of 3 expired"]);
}

#[test]
fn ends_come_in_their_order_whatever_was_cancelled_before() {
    let mut stage = Stage::new();
    // Ends are kept in a tree. This one has late ends in one branch and early ones in the other, which has to stay as it
    // is when an order of the late branch goes.
    for (order, end) in (1..).zip([10, 50, 20, 60, 70, 30, 40, 80]) {
        stage.add(NewOrder { time_in_force: TimeInForce::Gtd(START + end), ..buy(order, 1, 100, 1) });
    }
    assert_eq!(stage.cancel(4, 1), ["cancelled 1 of 4 user"]);
    for (order, end) in [(1, 10), (3, 20), (6, 30), (7, 40), (2, 50), (5, 70), (8, 80)] {
        stage.now = START + end - 1;
        assert_eq!(stage.send(Command::Tick), NOTHING);
        assert_eq!(stage.after(1), [format!("cancelled 1 of {order} expired")]);
    }
}

// What is told of the book

#[test]
fn each_change_of_the_book_is_told_once() {
    let level = |side, quantity, orders| DepthChange { side, price: 100, quantity, orders };
    let added =
        |order, side, quantity| OrderChange::Added { order: OrderId(order), side, price: 100, quantity };
    let changed = |order, quantity| OrderChange::Changed { order: OrderId(order), quantity };
    let removed = |order| OrderChange::Removed { order: OrderId(order) };
    let told = |stage: &mut Stage, command| {
        let mut report = Report::default();
        stage.market.apply(stage.now, &command, &mut report);
        (report.depth, report.orders)
    };

    // An iceberg is taken first, and comes back behind the other one.
    let mut stage = Stage::new();
    stage.add(NewOrder { display: 2, ..sell(1, 1, 100, 5) });
    stage.add(sell(2, 1, 100, 3));
    let (depth, orders) = told(&mut stage, Command::Add(buy(3, 2, 100, 4)));
    assert_eq!(depth, [level(Side::Sell, 3, 1), level(Side::Sell, 5, 2), level(Side::Sell, 3, 2)]);
    assert_eq!(orders, [removed(1), added(1, Side::Sell, 2), changed(2, 1)]);
    // Part of what the iceberg shows.
    stage.cancel(2, 1);
    let (depth, orders) = told(&mut stage, Command::Add(buy(4, 2, 100, 1)));
    assert_eq!((depth, orders), (vec![level(Side::Sell, 1, 1)], vec![changed(1, 1)]));

    // In an auction too: the buy has some left, the sell has not.
    let mut stage = Stage::new();
    stage.phase(Phase::PreOpen);
    stage.add(buy(1, 1, 100, 5));
    stage.add(sell(2, 2, 100, 3));
    let (depth, orders) = told(&mut stage, Command::SetPhase(Phase::Continuous));
    assert_eq!(depth, [level(Side::Buy, 2, 1), level(Side::Sell, 0, 0)]);
    assert_eq!(orders, [changed(1, 2), removed(2)]);
}

// What orders must look like

#[test]
fn prices_are_ticks_within_the_band() {
    let ticks = TickTable::new(&[TickRow { from: 0, tick: 1 }, TickRow { from: 100, tick: 5 }]).unwrap();
    let mut stage = Stage::with(Definition { ticks, band: (90, 120), ..Definition::default() });
    assert_eq!(stage.add(buy(1, 1, 99, 1)), NOTHING);
    assert_eq!(stage.add(buy(2, 1, 101, 1)), ["rejected 2 not_a_tick"]);
    assert_eq!(stage.add(buy(3, 1, 89, 1)), ["rejected 3 outside_band"]);
    assert_eq!(stage.add(buy(4, 1, 125, 1)), ["rejected 4 outside_band"]);
    assert_eq!(
        stage.add(NewOrder { trigger: Trigger::Stop(121), ..buy(5, 1, 120, 1) }),
        ["rejected 5 not_a_tick"]
    );
    // Ticks stay while there are orders; bands may move past them.
    let wider = Definition { band: (100, 200), ..*stage.market.definition() };
    assert_eq!(stage.send(Command::Define(Box::new(wider))), ["defined"]);
    let other = Definition { ticks: TickTable::uniform(1), ..wider };
    assert_eq!(stage.send(Command::Define(Box::new(other))), ["no: not_empty"]);
    assert_eq!(stage.queue(Side::Buy), [(1, 1)]);
}

#[test]
fn quantities_are_lots_within_limits() {
    let definition = Definition {
        lot: 10,
        min_quantity: 20,
        max_quantity: 100,
        max_notional: 5_000,
        ..Definition::default()
    };
    let mut stage = Stage::with(definition);
    let mut reason = |price, quantity| stage.add(buy(1, 1, price, quantity))[0].clone();
    assert_eq!(reason(100, 0), "rejected 1 zero_quantity");
    assert_eq!(reason(100, 110), "rejected 1 quantity_too_large");
    assert_eq!(reason(100, 10), "rejected 1 quantity_too_small");
    assert_eq!(reason(100, 25), "rejected 1 not_a_lot");
    assert_eq!(reason(100, 60), "rejected 1 notional_too_large");
}

#[test]
fn a_symbol_and_an_account_have_so_many_orders() {
    let limits = Limits { orders: 3, orders_per_account: 2, watched: 1 };
    let mut stage = Stage::with(Definition { limits, ..Definition::default() });
    let trailing = |order| NewOrder { trigger: Trigger::Trailing(2), ..buy(order, 1, 100, 1) };
    assert_eq!(stage.add(trailing(1)), NOTHING);
    assert_eq!(stage.add(trailing(2)), ["rejected 2 too_many_watched"]);
    assert_eq!(stage.add(buy(3, 1, 100, 1)), NOTHING);
    assert_eq!(stage.add(buy(4, 1, 100, 1)), ["rejected 4 too_many_account_orders"]);
    assert_eq!(stage.add(buy(5, 2, 100, 1)), NOTHING);
    assert_eq!(stage.add(buy(6, 3, 100, 1)), ["rejected 6 too_many_orders"]);
}

#[test]
fn terms_that_exclude_each_other_are_refused() {
    let plain = buy(1, 1, 100, 10);
    for order in [
        NewOrder { order_type: OrderType::Market, display: 2, ..plain },
        NewOrder { budget: 100, ..plain },
        NewOrder { post_only: PostOnly::Reject, time_in_force: TimeInForce::Ioc, ..plain },
        NewOrder { display: 2, all_or_none: true, ..plain },
        // Values that cancel each other out bit by bit are there all the same.
        NewOrder { display: 1, all_or_none: true, ..plain },
        NewOrder { display: 2, minimum: 2, ..plain },
        NewOrder { all_or_none: true, minimum: 2, ..plain },
        NewOrder { minimum: 11, ..plain },
        NewOrder { trigger: Trigger::Stop(0), ..plain },
    ] {
        assert_eq!(Stage::new().add(order), ["rejected 1 bad_combination"], "{order:?}");
    }
    let sliver = NewOrder { display: 1, ..buy(1, 1, 100, 1_001) };
    assert_eq!(Stage::new().add(sliver), ["rejected 1 display_too_small"]);
}
