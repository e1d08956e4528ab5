//! The book against the reference book, and its snapshot against itself, over random commands.

mod support;

use engine_core::command::{Command, MAX_PRICE, MAX_QUANTITY, NewOrder, Replace};
use engine_core::event::Event;
use engine_core::market::Market;
use engine_core::snapshot::{SnapshotError, decode_market, encode_market};
use engine_core::types::{OrderId, OrderType, Side, TimeInForce, UserId};
use proptest::prelude::*;
use support::ReferenceBook;

fn price() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 95u64..106,
        4 => 1u64..400,
        1 => prop_oneof![Just(0), Just(1), Just(MAX_PRICE), Just(MAX_PRICE + 1), Just(u64::MAX)],
    ]
}

fn quantity() -> impl Strategy<Value = u64> {
    prop_oneof![
        30 => 1u64..20,
        2 => 1u64..500,
        1 => prop_oneof![Just(0), Just(MAX_QUANTITY), Just(MAX_QUANTITY + 1), Just(u64::MAX)],
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let order = || (1u64..60).prop_map(OrderId);
    let user = || (1u64..4).prop_map(UserId);
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let kind = prop_oneof![
        8 => Just((OrderType::Limit, TimeInForce::Gtc)),
        2 => Just((OrderType::Limit, TimeInForce::Ioc)),
        2 => Just((OrderType::Limit, TimeInForce::Fok)),
        2 => Just((OrderType::Market, TimeInForce::Ioc)),
    ];
    let market_price = prop_oneof![1 => Just(None), 1 => price().prop_map(Some)];
    let add = (order(), user(), side(), kind, price(), market_price, quantity()).prop_map(
        |(order, user, side, (order_type, time_in_force), price, protection, quantity)| {
            let price = match order_type {
                OrderType::Limit => price,
                OrderType::Market => protection.unwrap_or(0),
            };
            Command::Add(NewOrder { order, user, side, order_type, time_in_force, price, quantity })
        },
    );
    let cancel = (order(), user()).prop_map(|(order, user)| Command::Cancel { order, user });
    let expected = prop_oneof![3 => Just(None), 1 => (price(), quantity()).prop_map(Some)];
    let replace = (order(), user(), price(), quantity(), expected).prop_map(
        |(order, user, price, quantity, expected)| {
            Command::Replace(Replace { order, user, price, quantity, expected })
        },
    );
    prop_oneof![10 => add, 3 => cancel, 4 => replace, 1 => Just(Command::Tick)]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    proptest::collection::vec(command(), 1..300)
}

fn depth(market: &Market, side: Side) -> Vec<(u64, u64, u32)> {
    market.book().depth(side).map(|level| (level.price, level.quantity, level.orders)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn answers_as_the_reference_book_does(commands in commands()) {
        let mut market = Market::default();
        let mut reference = ReferenceBook::default();
        let mut events = vec![];
        // What came in, less what was filled (twice: both sides) and what was cancelled, is what rests.
        let mut balance: i128 = 0;
        for command in &commands {
            let before = market.sequence();
            events.clear();
            market.apply(0, command, &mut events);
            prop_assert_eq!(&events, &reference.apply(command), "{:?}", command);
            prop_assert!(*command == Command::Tick || !events.is_empty(), "every command is answered");
            prop_assert_eq!(market.sequence(), before + events.len() as u64, "numbers have no gaps");
            for event in &events {
                match event {
                    Event::Accepted(order) => balance += i128::from(order.quantity),
                    Event::Filled(fill) => balance -= 2 * i128::from(fill.quantity),
                    Event::Cancelled(order, _) => balance -= i128::from(order.quantity),
                    Event::Replaced { delta, .. } => balance += delta,
                    _ => {}
                }
            }
            market.book().check();
            for side in [Side::Buy, Side::Sell] {
                prop_assert_eq!(depth(&market, side), reference.depth(side));
            }
            let resting: i128 = reference.resting.iter().map(|order| i128::from(order.open)).sum();
            prop_assert_eq!(balance, resting, "every quantity ends filled, resting or cancelled");
        }
    }

    #[test]
    fn a_restored_market_goes_on_as_if_nothing_had_happened(
        before in commands(), after in commands(), step_ms in 0u64..90_000,
    ) {
        let mut market = Market::default();
        let mut events = vec![];
        let mut time = 1_765_894_800_000;
        for command in &before {
            time += step_ms;
            market.apply(time, command, &mut events);
        }
        let bytes = encode_market(&market);
        let mut restored = decode_market(&bytes).unwrap();
        restored.book().check();
        prop_assert_eq!(encode_market(&restored), bytes.clone(), "the same state is the same bytes");
        let (mut one, mut other) = (vec![], vec![]);
        for command in &after {
            time += step_ms;
            market.apply(time, command, &mut one);
            restored.apply(time, command, &mut other);
        }
        prop_assert_eq!(one, other);
        prop_assert_eq!(encode_market(&market), encode_market(&restored));
    }

    #[test]
    fn a_damaged_snapshot_is_refused(commands in commands(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut market = Market::default();
        let mut events = vec![];
        for command in &commands {
            market.apply(0, command, &mut events);
        }
        let bytes = encode_market(&market);
        let at = at.index(bytes.len());
        prop_assert!(decode_market(&bytes[..at]).is_err(), "truncated");
        let mut altered = bytes.clone();
        altered[at] ^= 1 << bit;
        prop_assert!(decode_market(&altered).is_err(), "altered");
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused_by_name() {
    assert_eq!(decode_market(b"").unwrap_err(), SnapshotError::Truncated);
    assert_eq!(decode_market(b"not a snapshot").unwrap_err(), SnapshotError::WrongMagic);
}

#[test]
fn a_reduction_keeps_its_place_and_anything_else_loses_it() {
    let limit = |order, quantity| {
        Command::Add(NewOrder {
            order: OrderId(order),
            user: UserId(1),
            side: Side::Sell,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 100,
            quantity,
        })
    };
    let replace = |order, quantity| {
        Command::Replace(Replace {
            order: OrderId(order),
            user: UserId(1),
            price: 100,
            quantity,
            expected: None,
        })
    };
    let mut market = Market::default();
    let mut events = vec![];
    for command in [limit(1, 10), limit(2, 10), limit(3, 10), replace(1, 4), replace(2, 11)] {
        market.apply(0, &command, &mut events);
    }
    let queue: Vec<_> = market.book().queue(Side::Sell).map(|order| (order.order.0, order.open)).collect();
    assert_eq!(queue, [(1, 4), (3, 10), (2, 11)]);
}

#[test]
fn quiet_minutes_close_their_candle_by_the_clock() {
    let minute = 1_765_894_800_000;
    let order = |order, side| {
        Command::Add(NewOrder {
            order: OrderId(order),
            user: UserId(1),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 100,
            quantity: 5,
        })
    };
    let mut market = Market::default();
    let mut events = vec![];
    market.apply(minute + 59_999, &order(1, Side::Buy), &mut events);
    market.apply(minute + 59_999, &order(2, Side::Sell), &mut events);
    let candle = *market.candle().unwrap();
    assert_eq!((candle.time, candle.volume), (1_765_894_800, 5));
    // A clock that goes back changes nothing.
    events.clear();
    market.apply(minute, &Command::Tick, &mut events);
    assert!(events.is_empty());
    market.apply(minute + 60_000, &Command::Tick, &mut events);
    assert_eq!(events, [Event::CandleClosed(candle)]);
    assert_eq!(market.candle(), None);
}
