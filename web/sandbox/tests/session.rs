//! Wherever a session goes, and however it gets there, it finds the same state; and the user's orders change nothing but what they touch.

use engine_core::book::Whereabouts;
use engine_core::command::NewOrder;
use engine_core::digest::state_hash;
use engine_core::market::Market;
use engine_core::types::{OrderId, PostOnly, Side, Trigger, UserId};
use proptest::prelude::*;
use sandbox::account::{OwnFill, Refusal, Status};
use sandbox::flow::Flow;
use sandbox::generate::{Kind, Parameters, generate};
use sandbox::history::HeatQuery;
use sandbox::session::{Goal, OPENING, Session, Speed};

fn flow(kind: usize, seed: u64, steps: u32) -> Flow {
    generate(Parameters { kind: Kind::ALL[kind], seed, steps, ..Parameters::default() })
}

/// The flow on a market alone.
fn fold(flow: &Flow, steps: u64) -> Market {
    let mut market = flow.opening.clone();
    let mut cursor = flow.cursor(0);
    for _ in 0..steps {
        let Some((time, step)) = flow.next(&mut cursor) else { break };
        if let Some(command) = step.resolve(&market) {
            market.apply(time, &command, &mut Vec::new());
        }
    }
    market
}

/// An order of some kind near the market.
fn some_order(session: &Session, which: u64) -> NewOrder {
    let side = if which.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let last = session.market().last_price().unwrap_or(10_000);
    let best = session.market().book().best(side).unwrap_or(last);
    let plain = NewOrder::limit(OrderId(0), UserId(0), side, best, 5 + which % 20);
    match which / 2 % 7 {
        0 => NewOrder::market(OrderId(0), UserId(0), side, 10),
        1 => NewOrder { display: 2, quantity: 11, ..plain },
        2 => NewOrder { post_only: PostOnly::Reprice, ..plain },
        3 => NewOrder { trigger: Trigger::Stop(last), ..plain },
        4 => NewOrder { minimum: 3, ..plain },
        _ => plain,
    }
}

/// What must not depend on the way.
fn sight(session: &mut Session) -> impl PartialEq + std::fmt::Debug + use<> {
    let everything = HeatQuery { from: 0, to: u64::MAX, price_step: 5, columns: 200 };
    let now = session.clock();
    let fills: Vec<OwnFill> = session.account().fills().iter().copied().collect();
    let orders: Vec<_> = session.account().orders().map(|(n, own)| (n, own.clone())).collect();
    (
        (session.position(), now, session.hash(), session.plain().map(state_hash)),
        (fills, orders, session.account().funds(), session.tape().clone()),
        (session.history().candles(session.market()).to_vec(), session.history().heat(&everything)),
        session.checks().clone(),
    )
}

fn check_queues(session: &Session) {
    for (n, own) in session.account().orders() {
        let id = OrderId(sandbox::account::FIRST_ORDER + n);
        let place = session.market().book().locate(id);
        assert_eq!(own.status == Status::Open, place.is_some(), "order {n}");
        match (own.standing(), place) {
            (Some(standing), Some(Whereabouts::Resting { ahead, orders })) => {
                assert_eq!((standing.ahead_quantity, standing.ahead_orders), (ahead, orders), "order {n}");
                let gone = standing.filled_quantity + standing.cancelled_quantity;
                assert_eq!(standing.joined_quantity, standing.ahead_quantity + gone, "order {n}");
                let gone = standing.filled_orders + standing.cancelled_orders;
                assert_eq!(standing.joined_orders, standing.ahead_orders + gone, "order {n}");
            }
            (None, place) => assert!(!matches!(place, Some(Whereabouts::Resting { .. })), "order {n}"),
            (Some(_), place) => panic!("order {n} has a queue and is {place:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn seeking_is_playing(
        kind in 0usize..4, seed in any::<u64>(),
        orders in prop::collection::vec((0u64..20_000, any::<u64>()), 0..8),
        times in prop::collection::vec(0u64..1_100_000, 1..6),
    ) {
        let flow = flow(kind, seed, 20_000);
        let first = flow.span().0;
        let mut session = Session::new(flow.clone(), OPENING);
        let mut places: Vec<_> = orders.clone();
        places.sort_unstable();
        for (at, which) in places {
            session.seek_now(Goal::Position(at));
            let order = some_order(&session, which);
            let _ = session.order(&order);
        }
        session.seek_now(Goal::Position(20_000));
        for time in times {
            session.seek_now(Goal::Time(first + time));
            let mut played = Session::new(flow.clone(), OPENING);
            prop_assert!(played.lay_down(session.commands().to_vec()));
            while played.clock() < (first + time).min(flow.span().1) {
                let left = (first + time).min(flow.span().1) - played.clock();
                played.advance(left.min(977) * 1000, Speed::Tenths(10), u64::MAX);
            }
            prop_assert!(sight(&mut session) == sight(&mut played), "at {} ms", time);
            check_queues(&session);
        }
    }

    #[test]
    fn without_the_user_the_flow_is_as_it_was(
        kind in 0usize..4, seed in any::<u64>(), orders in prop::collection::vec((0u64..5_000, any::<u64>()), 1..20),
    ) {
        let flow = flow(kind, seed, 5_000);
        let mut session = Session::new(flow.clone(), OPENING);
        let mut places = orders;
        places.sort_unstable();
        for (at, which) in places {
            session.seek_now(Goal::Position(at));
            check_queues(&session);
            let order = some_order(&session, which);
            if let Ok(number) = session.order(&order) && which % 5 == 0 {
                let _ = session.replace(number, order.price.max(1), 3, None);
            }
            check_queues(&session);
        }
        while session.step() {
            check_queues(&session);
        }
        let plain = state_hash(&fold(&flow, 5_000));
        prop_assert_eq!(session.plain().map_or(session.hash(), state_hash), plain);
        session.market().book().check();
        let market = session.market().clone();
        session.checks().walk(&market);
        prop_assert_eq!(&session.checks().violations, &[]);
    }

    #[test]
    fn a_session_without_orders_is_the_flow(kind in 0usize..4, seed in any::<u64>(), position in 0u64..3_000) {
        let flow = flow(kind, seed, 3_000);
        let mut session = Session::new(flow.clone(), OPENING);
        while !session.at_end() {
            session.advance(1, Speed::Most, 700);
        }
        session.seek_now(Goal::Position(position));
        prop_assert_eq!(session.hash(), state_hash(&fold(&flow, position)));
        session.step_back();
        prop_assert_eq!(session.hash(), state_hash(&fold(&flow, position.saturating_sub(1))));
    }
}

#[test]
fn a_new_order_in_the_past_makes_later_ones_void() {
    let mut session = Session::new(flow(2, 1, 5_000), OPENING);
    for at in [1_000, 2_000, 3_000] {
        session.seek_now(Goal::Position(at));
        let order = some_order(&session, 10);
        session.order(&order).unwrap();
    }
    session.seek_now(Goal::Position(1_500));
    assert_eq!((session.commands().len(), session.account().orders().count()), (3, 1));
    let order = some_order(&session, 11);
    assert_eq!(session.order(&order), Ok(2));
    assert_eq!(session.commands().len(), 2);
}

#[test]
fn playing_to_a_fill_ends_with_one() {
    let mut session = Session::new(flow(2, 1, 20_000), OPENING);
    session.seek_now(Goal::Position(2_000));
    let bid = session.market().book().best(Side::Buy).unwrap();
    session.order(&NewOrder::limit(OrderId(0), UserId(0), Side::Buy, bid, 10)).unwrap();
    session.seek_now(Goal::Fill { own: true });
    let fill = *session.account().fills().back().unwrap();
    assert!(fill.maker && fill.buy && fill.price == bid);
    let queue = fill.queue.unwrap();
    assert_eq!((queue.ahead_quantity, queue.ahead_orders), (0, 0), "nobody is left before it: {queue:?}");
    assert_eq!(queue.filled_orders + queue.cancelled_orders, queue.joined_orders);
}

#[test]
fn what_is_not_there_cannot_be_spent() {
    let mut session = Session::new(flow(0, 1, 1_000), (50_000, 3));
    session.seek_now(Goal::Position(500));
    let limit = |side, price, quantity| NewOrder::limit(OrderId(0), UserId(0), side, price, quantity);
    assert!(session.order(&limit(Side::Sell, 20_000, 4)).is_err());
    assert!(session.order(&limit(Side::Sell, 20_000, 3)).is_ok());
    assert!(session.order(&limit(Side::Sell, 20_000, 1)).is_err());
    assert!(session.order(&limit(Side::Buy, 5_000, 10)).is_ok());
    assert!(session.order(&limit(Side::Buy, 1, 1)).is_err());
    session.cancel_all().unwrap();
    assert!(session.order(&limit(Side::Buy, 1, 1)).is_ok());
    session.cancel_all().unwrap();
    // Nor by changing an order.
    let (bid, offer) = (limit(Side::Buy, 5_000, 2), limit(Side::Sell, 20_000, 2));
    let (bid, offer) = (session.order(&bid).unwrap(), session.order(&offer).unwrap());
    assert_eq!(session.replace(bid, 5_000, 11, None), Err(Refusal::InsufficientBalance));
    assert_eq!(session.replace(bid, 25_001, 2, None), Err(Refusal::InsufficientBalance));
    assert_eq!(session.replace(offer, 20_000, 4, None), Err(Refusal::InsufficientBalance));
    session.replace(bid, 5_000, 10, None).unwrap();
    session.replace(offer, 20_000, 3, None).unwrap();
    let funds = session.account().funds();
    assert_eq!((funds.locked_cash, funds.locked_stock), (50_000, 3));
    assert_eq!(session.replace(bid, 5_001, 10, None), Err(Refusal::InsufficientBalance));
    session.replace(bid, 4_000, 1, None).unwrap();
    assert_eq!(session.account().funds().locked_cash, 4_000);
}

#[test]
fn whoever_follows_the_tour_is_filled() {
    use sandbox::generate::Parameters;
    let mut session = Session::new(generate(Parameters::TOUR), OPENING);
    for n in 1..=20 {
        let position = n * 400;
        session.seek_now(Goal::Position(position));
        let bid = session.market().book().best(Side::Buy).unwrap();
        let order = NewOrder::limit(OrderId(0), UserId(0), Side::Buy, bid, 10);
        let number = session.order(&order).unwrap();
        session.seek_now(Goal::Fill { own: true });
        let waited = session.position() - position;
        assert!(
            session.account().fills().back().is_some_and(|fill| fill.order == number && fill.maker),
            "{position}"
        );
        assert!(waited < 1_000, "{position}: {waited} steps");
        session.seek_now(Goal::Position(0));
    }
}
