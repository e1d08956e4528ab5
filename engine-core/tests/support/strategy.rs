//! Commands for small, dense worlds: few prices, few ids, few accounts, so that everything soon meets everything else.

use super::generate::START;
use engine_core::command::{Command, MAX_PRICE, MAX_QUANTITY, MassCancel, NewOrder, Replace};
use engine_core::definition::{Definition, Limits, TickRow, TickTable};
use engine_core::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, SelfTrade, Side, TimeInForce, Trigger, UserId,
};
use proptest::prelude::*;

pub fn price() -> impl Strategy<Value = u64> {
    prop_oneof![
        40 => 95u64..106,
        10 => 90u64..111,
        1 => prop_oneof![Just(0), Just(1), Just(MAX_PRICE), Just(MAX_PRICE + 1), Just(u64::MAX)],
    ]
}

pub fn quantity() -> impl Strategy<Value = u64> {
    prop_oneof![
        40 => 1u64..20,
        10 => (1u64..8).prop_map(|lots| lots * 10),
        2 => 1u64..500,
        1 => prop_oneof![Just(0), Just(MAX_QUANTITY), Just(MAX_QUANTITY + 1), Just(u64::MAX)],
    ]
}

fn order() -> impl Strategy<Value = OrderId> {
    (1u64..60).prop_map(OrderId)
}

fn user() -> impl Strategy<Value = UserId> {
    (1u64..5).prop_map(UserId)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn time_in_force() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        10 => Just(TimeInForce::Gtc),
        3 => Just(TimeInForce::Ioc),
        3 => Just(TimeInForce::Fok),
        2 => Just(TimeInForce::Day),
        3 => (0u64..40_000).prop_map(|after| TimeInForce::Gtd(START + after)),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        8 => Just(Trigger::None),
        3 => price().prop_map(Trigger::Stop),
        2 => prop_oneof![9 => 1u64..6, 1 => price()].prop_map(Trigger::Trailing),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        8 => Just(Link::None),
        2 => order().prop_map(Link::Other),
        2 => order().prop_map(Link::ExitOf),
    ]
}

fn self_trade() -> impl Strategy<Value = SelfTrade> {
    prop_oneof![
        4 => Just(SelfTrade::Allow),
        1 => Just(SelfTrade::CancelNewest),
        1 => Just(SelfTrade::CancelOldest),
        1 => Just(SelfTrade::CancelBoth),
        1 => Just(SelfTrade::Decrement),
    ]
}

/// What excludes each other for the most part: display, minimum, all-or-none, post-only.
fn terms() -> impl Strategy<Value = (u64, u64, bool, PostOnly)> {
    let post_only = || prop_oneof![Just(PostOnly::Reject), Just(PostOnly::Reprice)];
    prop_oneof![
        8 => Just((0, 0, false, PostOnly::No)),
        3 => (1u64..5).prop_map(|display| (display, 0, false, PostOnly::No)),
        2 => (1u64..10).prop_map(|minimum| (0, minimum, false, PostOnly::No)),
        2 => Just((0, 0, true, PostOnly::No)),
        2 => post_only().prop_map(|post_only| (0, 0, false, post_only)),
        1 => (0u64..3, 0u64..3, any::<bool>(), post_only()),
    ]
}

pub fn new_order() -> impl Strategy<Value = NewOrder> {
    let who = (order(), user(), 0u32..3, side(), any::<bool>());
    let kind = prop_oneof![
        10 => Just((OrderType::Limit, 1, 0)),
        1 => Just((OrderType::Market, 0, 0)),
        1 => Just((OrderType::Market, 1, 0)),
        1 => (1u64..3_000).prop_map(|budget| (OrderType::Market, 0, budget)),
    ];
    let amounts = (kind, price(), quantity());
    (who, amounts, time_in_force(), trigger(), terms(), self_trade(), link()).prop_map(
        |(who, amounts, time_in_force, trigger, terms, self_trade, link)| {
            let (order, user, group, side, cancel_on_disconnect) = who;
            let ((order_type, priced, budget), price, quantity) = amounts;
            let (display, minimum, all_or_none, post_only) = terms;
            NewOrder {
                order,
                user,
                group,
                side,
                order_type,
                time_in_force,
                price: price * priced,
                quantity,
                trigger,
                display,
                minimum,
                all_or_none,
                post_only,
                self_trade,
                // Sometimes also where it does not belong.
                budget: if side == Side::Buy || order.0 == 1 { budget } else { 0 },
                link,
                cancel_on_disconnect,
            }
        },
    )
}

pub fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        24 => Just(Phase::Continuous),
        3 => Just(Phase::PreOpen),
        4 => Just(Phase::OpeningAuction),
        3 => Just(Phase::ClosingAuction),
        3 => Just(Phase::Halt),
        1 => Just(Phase::Closed),
        2 => Just(Phase::CancelOnly),
        1 => Just(Phase::VolatilityAuction),
        1 => Just(Phase::Delisted),
    ]
}

/// Mostly a sound one.
pub fn definition() -> impl Strategy<Value = Definition> {
    let ticks = prop_oneof![
        6 => Just(TickTable::uniform(1)),
        1 => Just(TickTable::uniform(2)),
        1 => Just(TickTable::new(&[TickRow { from: 0, tick: 1 }, TickRow { from: 100, tick: 5 }]).unwrap()),
    ];
    let lot = prop_oneof![6 => Just(1u64), 1 => Just(2), 1 => Just(10)];
    let quantities = prop_oneof![6 => Just((1, MAX_QUANTITY)), 1 => Just((2, 40)), 1 => Just((0, 10))];
    let notional = prop_oneof![6 => Just(Definition::default().max_notional), 1 => Just(1_500u64)];
    let band = prop_oneof![
        6 => Just((1, MAX_PRICE)),
        2 => (90u64..100, 100u64..111),
        1 => Just((101, 99)),
    ];
    let corridors = (
        prop_oneof![2 => Just(0u32), 2 => 100u32..800],
        prop_oneof![2 => Just(0u32), 2 => 100u32..500],
        0u64..3_000,
        prop_oneof![1 => Just(0u64), 3 => 97u64..104],
    );
    let limits = prop_oneof![
        6 => Just(Limits::default()),
        1 => (1u32..20, 1u32..8, 0u32..3).prop_map(|(orders, orders_per_account, watched)| {
            Limits { orders, orders_per_account, watched }
        }),
        1 => (0u32..3).prop_map(|watched| Limits { watched, ..Limits::default() }),
    ];
    (ticks, lot, quantities, notional, band, corridors, limits).prop_map(
        |(ticks, lot, (min_quantity, max_quantity), max_notional, band, corridors, limits)| {
            let (static_band, dynamic_band, volatility_auction_ms, reference) = corridors;
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
                fee_schedule: 0,
                limits,
            }
        },
    )
}

pub fn sound_definition() -> impl Strategy<Value = Definition> {
    definition().prop_filter("sound", Definition::is_sound)
}

pub fn command() -> impl Strategy<Value = Command> {
    let cancel = (order(), user()).prop_map(|(order, user)| Command::Cancel { order, user });
    let replace = (
        order(),
        user(),
        price(),
        quantity(),
        prop_oneof![4 => Just(None), 1 => price().prop_map(Some)],
        prop_oneof![6 => Just(None), 1 => (price(), quantity()).prop_map(Some)],
    )
        .prop_map(|(order, user, price, quantity, stop, expected)| {
            Command::Replace(Replace { order, user, price, quantity, stop, expected })
        });
    let mass = (proptest::option::of(user()), proptest::option::of(side()), any::<bool>())
        .prop_map(|(user, side, disconnected)| MassCancel { user, side, disconnected });
    prop_oneof![
        70 => new_order().prop_map(Command::Add),
        10 => cancel,
        16 => replace,
        1 => mass.prop_map(Command::MassCancel),
        4 => phase().prop_map(Command::SetPhase),
        2 => definition().prop_map(|definition| Command::Define(Box::new(definition))),
        3 => Just(Command::Tick),
    ]
}

/// Commands at their times. When a test fails they are printed a line each, as they can be pasted into another one.
#[derive(Clone)]
pub struct Script(pub Vec<(Millis, Command)>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "[")?;
        self.0.iter().try_for_each(|(time, command)| writeln!(f, "    ({time}, Command::{command:?}),"))?;
        write!(f, "]")
    }
}

/// Commands at times that mostly stand still, and now and then leap.
pub fn commands(most: usize) -> impl Strategy<Value = Script> {
    let step = prop_oneof![30 => Just(0u64), 30 => 0u64..400, 3 => 0u64..70_000, 1 => 0u64..100_000_000];
    proptest::collection::vec((step, command()), 1..most).prop_map(|steps| {
        let mut time = START;
        let at = |(step, command)| {
            time += step;
            (time, command)
        };
        Script(steps.into_iter().map(at).collect())
    })
}
