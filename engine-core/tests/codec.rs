//! Recorded commands and events: what is written is read back, and there is one way to write it.

use engine_core::candle::Candle;
use engine_core::codec::{CodecError, decode_command, decode_event, encode_command, encode_event};
use engine_core::command::{Command, MassCancel, NewOrder, Replace, TimedCommand};
use engine_core::definition::{Definition, Limits, MAX_TICK_ROWS, TickRow, TickTable};
use engine_core::event::{Event, Fill, OrderRef, Party, Reason};
use engine_core::market::Market;
use engine_core::types::{
    Link, OrderId, OrderType, Phase, PostOnly, SelfTrade, Side, TimeInForce, Trigger, UserId,
};
use generate::Flow;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

#[allow(dead_code)]
#[path = "support/generate.rs"]
mod generate;

const PHASES: [Phase; 9] = [
    Phase::PreOpen,
    Phase::OpeningAuction,
    Phase::Continuous,
    Phase::VolatilityAuction,
    Phase::Halt,
    Phase::ClosingAuction,
    Phase::Closed,
    Phase::CancelOnly,
    Phase::Delisted,
];

/// Of any length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

fn order() -> impl Strategy<Value = OrderId> {
    number().prop_map(OrderId)
}

fn user() -> impl Strategy<Value = UserId> {
    number().prop_map(UserId)
}

fn side() -> impl Strategy<Value = Side> {
    select(&Side::BOTH[..])
}

fn phase() -> impl Strategy<Value = Phase> {
    select(&PHASES[..])
}

fn reason() -> impl Strategy<Value = Reason> {
    select(Reason::ALL)
}

fn time_in_force() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        select(&[TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::Day][..]),
        number().prop_map(TimeInForce::Gtd),
    ]
}

fn new_order() -> impl Strategy<Value = NewOrder> {
    let trigger = prop_oneof![
        Just(Trigger::None),
        number().prop_map(Trigger::Stop),
        number().prop_map(Trigger::Trailing)
    ];
    let link = prop_oneof![Just(Link::None), order().prop_map(Link::Other), order().prop_map(Link::ExitOf)];
    let rules = (
        select(&[OrderType::Limit, OrderType::Market][..]),
        time_in_force(),
        select(&[PostOnly::No, PostOnly::Reject, PostOnly::Reprice][..]),
        select(
            &[
                SelfTrade::Allow,
                SelfTrade::CancelNewest,
                SelfTrade::CancelOldest,
                SelfTrade::CancelBoth,
                SelfTrade::Decrement,
            ][..],
        ),
    );
    let who = (order(), user(), any::<u32>(), side());
    let amounts = (number(), number(), number(), number(), number());
    (who, rules, amounts, trigger, link, any::<bool>(), any::<bool>()).prop_map(
        |(who, rules, amounts, trigger, link, all_or_none, cancel_on_disconnect)| {
            let (order, user, group, side) = who;
            let (order_type, time_in_force, post_only, self_trade) = rules;
            let (price, quantity, display, minimum, budget) = amounts;
            NewOrder {
                order,
                user,
                group,
                side,
                order_type,
                time_in_force,
                price,
                quantity,
                trigger,
                display,
                minimum,
                all_or_none,
                post_only,
                self_trade,
                budget,
                link,
                cancel_on_disconnect,
            }
        },
    )
}

/// Tables whose ticks divide each other and where the rows begin.
fn ticks() -> impl Strategy<Value = TickTable> {
    proptest::collection::vec((1u64..50, 0u32..6), 1..=MAX_TICK_ROWS).prop_map(|rows| {
        let mut from = 0;
        let rows = rows.into_iter().enumerate().map(|(n, (more, tick))| {
            from += if n == 0 { 0 } else { more * 1_000_000 };
            TickRow { from, tick: 10u64.pow(tick) }
        });
        TickTable::new(&rows.collect::<Vec<_>>()).unwrap()
    })
}

/// Sound or not.
fn definition() -> impl Strategy<Value = Definition> {
    let quantities = (number(), number(), number(), number());
    let prices = ((number(), number()), any::<u32>(), any::<u32>(), number(), number());
    let limits = (any::<u32>(), any::<u32>(), any::<u32>());
    (ticks(), quantities, prices, any::<u32>(), limits).prop_map(
        |(ticks, quantities, prices, fee_schedule, (orders, orders_per_account, watched))| {
            let (lot, min_quantity, max_quantity, max_notional) = quantities;
            let (band, static_band, dynamic_band, volatility_auction_ms, reference) = prices;
            Definition {
                ticks,
                lot,
                min_quantity,
                max_quantity,
                max_notional,
                band,
                static_band,
                dynamic_band,
                volatility_auction_ms,
                reference,
                fee_schedule,
                limits: Limits { orders, orders_per_account, watched },
            }
        },
    )
}

fn command() -> impl Strategy<Value = TimedCommand> {
    let replace =
        (order(), user(), number(), number(), option::of(number()), option::of((number(), number())))
            .prop_map(|(order, user, price, quantity, stop, expected)| Replace {
                order,
                user,
                price,
                quantity,
                stop,
                expected,
            });
    let mass = (option::of(user()), option::of(side()), any::<bool>())
        .prop_map(|(user, side, disconnected)| MassCancel { user, side, disconnected });
    let command = prop_oneof![
        4 => new_order().prop_map(Command::Add),
        1 => (order(), user()).prop_map(|(order, user)| Command::Cancel { order, user }),
        2 => replace.prop_map(Command::Replace),
        1 => mass.prop_map(Command::MassCancel),
        1 => phase().prop_map(Command::SetPhase),
        2 => definition().prop_map(|definition| Command::Define(Box::new(definition))),
        1 => Just(Command::Tick),
    ];
    (number(), command).prop_map(|(time, command)| TimedCommand { time, command })
}

fn reference() -> impl Strategy<Value = OrderRef> {
    (order(), user(), side(), number(), number()).prop_map(|(order, user, side, price, quantity)| OrderRef {
        order,
        user,
        side,
        price,
        quantity,
    })
}

fn party() -> impl Strategy<Value = Party> {
    (order(), user(), number(), number()).prop_map(|(order, user, price, remaining)| Party {
        order,
        user,
        price,
        remaining,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let fill = (party(), party(), side(), any::<bool>(), number(), number()).prop_map(
        |(maker, taker, taker_side, auction, price, quantity)| Fill {
            maker,
            taker,
            taker_side,
            auction,
            price,
            quantity,
        },
    );
    let refused = || (order(), user(), reason());
    let candle = (number(), number(), number(), number(), number(), number())
        .prop_map(|(time, open, high, low, close, volume)| Candle { time, open, high, low, close, volume });
    prop_oneof![
        reference().prop_map(Event::Accepted),
        (reference(), reason()).prop_map(|(order, reason)| Event::Rejected(order, reason)),
        fill.prop_map(Event::Filled),
        (reference(), reason()).prop_map(|(order, reason)| Event::Cancelled(order, reason)),
        (reference(), number(), reason()).prop_map(|(now, by, reason)| Event::Reduced { now, by, reason }),
        (reference(), any::<i64>(), 0u32..64)
            .prop_map(|(now, delta, shift)| Event::Replaced { now, delta: delta >> shift }),
        reference().prop_map(Event::Triggered),
        refused().prop_map(|(order, user, reason)| Event::CancelRejected { order, user, reason }),
        refused().prop_map(|(order, user, reason)| Event::ReplaceRejected { order, user, reason }),
        (option::of(user()), any::<u32>()).prop_map(|(user, orders)| Event::MassCancelled { user, orders }),
        (phase(), phase(), number()).prop_map(|(from, to, until)| Event::PhaseChanged { from, to, until }),
        (number(), number(), number()).prop_map(|(price, quantity, surplus)| Event::Auctioned {
            price,
            quantity,
            surplus
        }),
        Just(Event::Defined),
        reason().prop_map(Event::CommandRejected),
        candle.prop_map(Event::CandleClosed),
    ]
}

fn command_bytes(command: &TimedCommand) -> Vec<u8> {
    let mut bytes = vec![];
    encode_command(command, &mut bytes);
    bytes
}

fn event_bytes(event: &Event) -> Vec<u8> {
    let mut bytes = vec![];
    encode_event(event, &mut bytes);
    bytes
}

/// Whatever these bytes are: if they are a record, they are the bytes of that record.
fn there_is_one_way_to_write_it(bytes: &[u8]) {
    if let Ok(command) = decode_command(bytes) {
        assert_eq!(command_bytes(&command), bytes, "{command:?}");
    }
    if let Ok(event) = decode_event(bytes) {
        assert_eq!(event_bytes(&event), bytes, "{event:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn commands_are_read_as_they_were_written(command in command()) {
        let bytes = command_bytes(&command);
        prop_assert_eq!(decode_command(&bytes), Ok(command));
        // A record does not end before its end, and not after it.
        for end in 0..bytes.len() {
            prop_assert_eq!(decode_command(&bytes[..end]), Err(CodecError::Truncated));
        }
        prop_assert_eq!(decode_command(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing));
    }

    #[test]
    fn events_are_read_as_they_were_written(event in event()) {
        let bytes = event_bytes(&event);
        prop_assert_eq!(decode_event(&bytes), Ok(event));
        for end in 0..bytes.len() {
            prop_assert_eq!(decode_event(&bytes[..end]), Err(CodecError::Truncated));
        }
        prop_assert_eq!(decode_event(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing));
    }

    #[test]
    fn damaged_records_are_refused_or_other_records(
        command in command(), event in event(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        for mut bytes in [command_bytes(&command), event_bytes(&event)] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            there_is_one_way_to_write_it(&bytes);
            bytes.remove(at);
            there_is_one_way_to_write_it(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn bytes_from_anywhere_are_safe_to_decode(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        there_is_one_way_to_write_it(&bytes);
    }

    #[test]
    fn and_so_are_small_numbers(bytes in proptest::collection::vec(0u8..8, 0..40)) {
        there_is_one_way_to_write_it(&bytes);
    }
}

#[test]
fn records_are_appended_to_what_is_there() {
    let mut bytes = b"before".to_vec();
    encode_event(&Event::Defined, &mut bytes);
    let tick = TimedCommand { time: 300, command: Command::Tick };
    encode_command(&tick, &mut bytes);
    assert_eq!(bytes, b"before\x0c\xac\x02\x00");
}

#[test]
fn a_flow_can_be_recorded_and_repeated() {
    let (mut flow, mut market, mut again) = (Flow::new(3), Market::default(), Market::default());
    for _ in 0..20_000 {
        let (time, command) = flow.next();
        let recorded = command_bytes(&TimedCommand { time, command: command.clone() });
        let repeated = decode_command(&recorded).unwrap();
        let (mut events, mut same) = (vec![], vec![]);
        market.apply(time, &command, &mut events);
        again.apply(repeated.time, &repeated.command, &mut same);
        assert_eq!(events, same);
        for event in events {
            assert_eq!(decode_event(&event_bytes(&event)), Ok(event));
        }
    }
}

#[test]
fn what_is_wrong_has_a_name() {
    for (bytes, error, text) in [
        (&[][..], CodecError::Truncated, "the record is truncated"),
        (&[5], CodecError::Truncated, "the record is truncated"),
        (&[0x80, 0], CodecError::BadNumber, "a number is longer than it may be"),
        (&[0xFF; 12], CodecError::BadNumber, "a number is longer than it may be"),
        (&[5, 7], CodecError::UnknownKind(7), "record kind 7 is not known"),
        (&[5, 0, 0], CodecError::Trailing, "bytes after the end of the record"),
        (&[5, 5, 9], CodecError::UnknownChoice("phase", 9), "9 is no phase"),
        (&[5, 4, 2], CodecError::UnknownChoice("yes or no", 2), "2 is no yes or no"),
        (&[5, 4, 0, 1, 2], CodecError::UnknownChoice("side", 2), "2 is no side"),
        (&[5, 6, 0], CodecError::BadTickTable, "the tick table contradicts itself"),
        (&[5, 6, 1, 1, 1], CodecError::BadTickTable, "the tick table contradicts itself"),
        (&[5, 6, 17], CodecError::BadTickTable, "the tick table contradicts itself"),
        (
            &[5, 1, 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F],
            CodecError::TooLarge("a 32-bit number"),
            "a 32-bit number is too large",
        ),
    ] {
        assert_eq!(decode_command(bytes), Err(error), "{bytes:?}");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(decode_event(&[15]), Err(CodecError::UnknownKind(15)));
    assert_eq!(decode_event(&[13, 40]), Err(CodecError::UnknownChoice("reason", 40)));
}

/// Numbers of recorded files: they must stay what they are.
#[test]
fn recorded_numbers_are_stable() {
    let order = NewOrder {
        group: 3,
        time_in_force: TimeInForce::Gtd(300),
        trigger: Trigger::Stop(9),
        self_trade: SelfTrade::Decrement,
        link: Link::ExitOf(OrderId(5)),
        ..NewOrder::limit(OrderId(1), UserId(2), Side::Sell, 100, 128)
    };
    let bytes = command_bytes(&TimedCommand { time: 7, command: Command::Add(order) });
    #[rustfmt::skip]
    let expected = [
        7, 1, // time, kind
        1, 2, 3, 1, 0, 4, 0xAC, 2, 100, 0x80, 1, // order, user, group, side, type, end, price, quantity
        1, 9, 0, 0, 0, 0, 4, 0, 2, 5, 0, // trigger, display, minimum, all or none, post-only, own, budget, link, gone
    ];
    assert_eq!(bytes, expected);
    for (n, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(event_bytes(&Event::CommandRejected(*reason)), [13, n as u8]);
        assert_eq!(Reason::from_code(n as u8), Some(*reason));
    }
    for (n, phase) in PHASES.iter().enumerate() {
        assert_eq!(
            command_bytes(&TimedCommand { time: 0, command: Command::SetPhase(*phase) }),
            [0, 5, n as u8]
        );
    }
}
