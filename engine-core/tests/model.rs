//! The market against the reference market, against its own snapshot, and against what must hold of any market's events.

mod support;

use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::command::{Command, MAX_QUANTITY, NewOrder, Replace};
use engine_core::definition::Definition;
use engine_core::event::{Event, Fill, Party, Reason};
use engine_core::market::Market;
use engine_core::snapshot::{SnapshotError, decode_market, encode_market};
use engine_core::types::{
    Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, Side, TimeInForce, UserId,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::generate::{Flow, START};
use support::reference::{Place, ReferenceMarket};
use support::shrink::minimise;
use support::strategy;

type Timed = (Millis, Command);

fn depth(market: &Market, side: Side) -> Vec<(Price, Quantity, u32)> {
    market.book().depth(side).map(|level| (level.price, level.quantity, level.orders)).collect()
}

fn queue(market: &Market, side: Side) -> Vec<(OrderId, Quantity)> {
    market.book().queue(side).map(|order| (order.order, order.open)).collect()
}

/// Both markets, and what the events say must be true of them.
struct Pair {
    market: Market,
    reference: ReferenceMarket,
    ledger: Ledger,
    /// After every so many commands the states are compared, not only the events.
    stride: u64,
    commands: u64,
}

impl Pair {
    fn new(definition: &Definition, stride: u64) -> Pair {
        Pair {
            market: Market::with_definition(SEOUL_DAY_OFFSET_S, definition),
            reference: ReferenceMarket::with_definition(SEOUL_DAY_OFFSET_S, definition),
            ledger: Ledger::default(),
            stride,
            commands: 0,
        }
    }

    /// One command; what differs, if anything does.
    fn apply(&mut self, time: Millis, command: &Command) -> Result<Vec<Event>, String> {
        let before = self.market.sequence();
        let queues = Side::BOTH.map(|side| {
            let quoted = self.market.book().queue(side);
            quoted.map(|at| Quoted { order: at.order, price: at.price, shown: at.open }).collect()
        });
        let mut events = vec![];
        self.market.apply(time, command, &mut events);
        let expected = self.reference.apply(time, command);
        if events != expected {
            let at = events.iter().zip(&expected).take_while(|(one, other)| one == other).count();
            let lines = |events: &[Event]| -> String {
                events.iter().map(|event| format!("\n    {event:?}")).collect()
            };
            return Err(format!(
                "after{}\nthe market said{}\nand the reference{}",
                lines(&events[..at]),
                lines(&events[at..]),
                lines(&expected[at..]),
            ));
        }
        if self.market.sequence() != before + events.len() as u64 {
            return Err(format!("{} events, number {} after {before}", events.len(), self.market.sequence()));
        }
        self.ledger.take(time, command, &events, queues)?;
        self.commands += 1;
        if self.commands.is_multiple_of(self.stride) {
            self.compare_states()?;
        }
        Ok(events)
    }

    fn compare_states(&self) -> Result<(), String> {
        let (market, reference) = (&self.market, &self.reference);
        market.book().check();
        for side in Side::BOTH {
            same("depth", depth(market, side), reference.depth(side))?;
            same("queue", queue(market, side), reference.queue(side))?;
            let best = reference.depth(side).first().map(|level| level.0);
            same("best price", market.book().best(side), best)?;
            let open =
                reference.live().iter().filter(|order| order.new.side == side).map(|order| order.open).sum();
            same("open quantity", market.book().open_quantity(side), open)?;
        }
        same("live orders", market.book().len(), reference.live().len())?;
        same("phase", market.phase(), reference.phase())?;
        same("last price", market.last_price(), reference.last_price())?;
        same("candle", market.candle(), reference.candle())?;
        same("definition", market.definition(), reference.definition())?;
        let indicative = market.indicative().map(|at| (at.price, at.quantity, at.surplus));
        same("indicative", indicative, reference.indicative())?;
        let live: i128 = reference.live().iter().map(|order| i128::from(order.open)).sum();
        same(
            "what came in, less what was filled and cancelled, and what is live",
            self.ledger.balance,
            live,
        )?;
        match (market.book().best(Side::Buy), market.book().best(Side::Sell)) {
            (Some(bid), Some(ask)) if market.phase() == Phase::Continuous && bid >= ask => {
                Err(format!("crossed in continuous trading: {bid} for {ask}"))
            }
            _ => Ok(()),
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, market: T, reference: T) -> Result<(), String> {
    if market == reference {
        return Ok(());
    }
    Err(format!("{what}:\n  market    {market:?}\n  reference {reference:?}"))
}

/// An order of the book, as the queue shows it.
#[derive(Clone, Copy, Debug)]
struct Quoted {
    order: OrderId,
    price: Price,
    shown: Quantity,
}

/// What can be checked by the events alone.
#[derive(Default)]
struct Ledger {
    now: Millis,
    phase: Phase,
    /// Open quantities by the events; their sum.
    open: HashMap<OrderId, Quantity>,
    balance: i128,
    entered: HashMap<OrderId, NewOrder>,
}

impl Ledger {
    fn take(
        &mut self,
        time: Millis,
        command: &Command,
        events: &[Event],
        mut queues: [Vec<Quoted>; 2],
    ) -> Result<(), String> {
        self.now = self.now.max(time);
        let answered =
            events.iter().any(|event| !matches!(event, Event::CandleClosed(_))) || *command == Command::Tick;
        if !answered {
            return Err("no answer".into());
        }
        // Until an order that was not in the book may have got there.
        let mut knows_queues = true;
        let mut auctioned = false;
        for event in events {
            self.reason_fits(command, event)?;
            match event {
                Event::Accepted(order) => {
                    let Command::Add(new) = command else { return Err("accepted without an order".into()) };
                    if self.open.insert(order.order, order.quantity).is_some() {
                        return Err(format!("{order:?} is live already"));
                    }
                    self.entered.insert(order.order, *new);
                    self.balance += i128::from(order.quantity);
                }
                Event::Filled(fill) => {
                    self.balance -= 2 * i128::from(fill.quantity);
                    for party in [&fill.maker, &fill.taker] {
                        self.less(party.order, fill.quantity, party.remaining)?;
                    }
                    let acceptable =
                        |party: &Party, side: Side| party.price == 0 || side.accepts(party.price, fill.price);
                    if fill.quantity == 0
                        || !acceptable(&fill.maker, fill.taker_side.opposite())
                        || !acceptable(&fill.taker, fill.taker_side)
                        || (!fill.auction && fill.price != fill.maker.price)
                    {
                        return Err(format!("a fill at a price that was not asked for: {fill:?}"));
                    }
                    // The auction is held when its phase is over already.
                    let fits = match self.phase {
                        Phase::Continuous => auctioned || !fill.auction,
                        Phase::Closed => auctioned && fill.auction,
                        _ => false,
                    };
                    if !fits {
                        return Err(format!("not in this phase: {fill:?}"));
                    }
                    if knows_queues && !fill.auction {
                        let display = self.entered[&fill.maker.order].display;
                        let queue = &mut queues[usize::from(fill.taker_side == Side::Buy)];
                        has_priority(queue, fill, display)?;
                    }
                }
                Event::Cancelled(order, _) => {
                    let open = self.open.remove(&order.order);
                    if open != Some(order.quantity) {
                        return Err(format!("{order:?} had {open:?} open"));
                    }
                    self.balance -= i128::from(order.quantity);
                    forget(&mut queues, order.order);
                }
                Event::Reduced { now, by, .. } => {
                    self.less(now.order, *by, now.quantity)?;
                    self.balance -= i128::from(*by);
                    for quoted in queues.iter_mut().flatten().filter(|quoted| quoted.order == now.order) {
                        quoted.shown = quoted.shown.min(now.quantity);
                    }
                }
                Event::Replaced { now, delta } => {
                    let old = self.open.insert(now.order, now.quantity);
                    if old.map(|old| i128::from(old) + i128::from(*delta)) != Some(i128::from(now.quantity)) {
                        return Err(format!("{event:?}, but {old:?} was open"));
                    }
                    self.balance += i128::from(*delta);
                    forget(&mut queues, now.order);
                }
                Event::PhaseChanged { from, to, until } => {
                    if *from != self.phase || from == to {
                        return Err(format!("{event:?} in {:?}", self.phase));
                    }
                    if (*to == Phase::VolatilityAuction) != (*until >= self.now) {
                        return Err(format!("{event:?} at {}", self.now));
                    }
                    self.phase = *to;
                    knows_queues = false;
                }
                Event::Triggered(order) => {
                    if self.open.get(&order.order) != Some(&order.quantity) {
                        return Err(format!("{event:?}, but it is not live with as much"));
                    }
                    knows_queues = false;
                }
                Event::Auctioned { .. } => {
                    knows_queues = false;
                    auctioned = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn less(&mut self, order: OrderId, by: Quantity, left: Quantity) -> Result<(), String> {
        match self.open.get_mut(&order) {
            Some(open) if *open >= by && *open - by == left => *open = left,
            open => return Err(format!("{order:?} had {open:?} open, {by} less are {left}")),
        }
        if left == 0 {
            self.open.remove(&order);
        }
        Ok(())
    }

    fn reason_fits(&self, command: &Command, event: &Event) -> Result<(), String> {
        use Reason::*;
        let fits = match event {
            Event::Rejected(_, reason) => {
                matches!(command, Command::Add(_))
                    && match reason {
                        Reason::Delisted => self.phase == Phase::Delisted,
                        WrongPhase => self.phase != Phase::Continuous && self.phase != Phase::Delisted,
                        ZeroQuantity | QuantityTooLarge | QuantityTooSmall | NotALot | BadCombination
                        | DisplayTooSmall | ZeroPrice | PriceTooLarge | NotATick | OutsideBand
                        | NotionalTooLarge | AlreadyExpired | BookFull | DuplicateOrder | BadLink
                        | TooManyOrders | TooManyAccountOrders | TooManyWatched => true,
                        NoOppositeQuote | WouldTake => self.phase == Phase::Continuous,
                        _ => false,
                    }
            }
            Event::Cancelled(order, reason) => {
                let new = &self.entered[&order.order];
                let market = new.order_type == OrderType::Market;
                match reason {
                    User => matches!(command, Command::Cancel { order: asked, .. } if *asked == order.order),
                    MassCancel => matches!(command, Command::MassCancel(mass) if !mass.disconnected),
                    Disconnected => {
                        new.cancel_on_disconnect
                            && matches!(command, Command::MassCancel(mass) if mass.disconnected)
                    }
                    Reason::Delisted => *command == Command::SetPhase(Phase::Delisted),
                    // Also of a fill-or-kill order, where a link took out some of what it reached for.
                    Ioc => !market && new.time_in_force == TimeInForce::Ioc,
                    Fok => !market && new.time_in_force == TimeInForce::Fok,
                    NoOppositeQuote | Protection => market,
                    Budget => market && new.budget > 0,
                    WouldTake | NotionalTooLarge => new.post_only != PostOnly::No,
                    MinimumQuantity => new.time_in_force == TimeInForce::Ioc,
                    Volatility | WrongPhase => market || new.time_in_force.is_immediate(),
                    Expired => match new.time_in_force {
                        TimeInForce::Gtd(end) => end <= self.now,
                        TimeInForce::Day => true,
                        _ => false,
                    },
                    SelfTrade | Linked | BadLink => true,
                    _ => false,
                }
            }
            Event::Reduced { reason, .. } => matches!(reason, SelfTrade | Linked),
            Event::CancelRejected { reason, .. } => {
                matches!(command, Command::Cancel { .. }) && matches!(reason, UnknownOrder | NotOwner)
            }
            Event::ReplaceRejected { reason, .. } => {
                matches!(command, Command::Replace(_))
                    && matches!(
                        reason,
                        WrongPhase
                            | UnknownOrder
                            | NotOwner
                            | ZeroQuantity
                            | QuantityTooLarge
                            | QuantityTooSmall
                            | NotALot
                            | ZeroPrice
                            | PriceTooLarge
                            | NotATick
                            | OutsideBand
                            | NotionalTooLarge
                            | StaleOrder
                            | BadCombination
                            | DisplayTooSmall
                            | BookFull
                            | WouldTake
                    )
            }
            Event::CommandRejected(reason) => match command {
                Command::Define(_) => matches!(reason, BadDefinition | NotEmpty),
                Command::SetPhase(_) => *reason == BadPhase,
                _ => false,
            },
            Event::MassCancelled { .. } => matches!(command, Command::MassCancel(_)),
            Event::Defined => matches!(command, Command::Define(_)),
            Event::Replaced { .. } => matches!(command, Command::Replace(_)),
            _ => true,
        };
        if fits { Ok(()) } else { Err(format!("{event:?} does not fit {:?}, {command:?}", self.phase)) }
    }
}

fn forget(queues: &mut [Vec<Quoted>; 2], order: OrderId) {
    queues.iter_mut().for_each(|queue| queue.retain(|quoted| quoted.order != order));
}

/// The maker is the first of its side, and the book goes on as if it had been filled.
fn has_priority(queue: &mut Vec<Quoted>, fill: &Fill, display: Quantity) -> Result<(), String> {
    let first = queue.first().copied();
    let Some(first) = first.filter(|first| first.order == fill.maker.order && first.shown >= fill.quantity)
    else {
        return Err(format!("{fill:?}, but {first:?} was first"));
    };
    queue[0].shown -= fill.quantity;
    if queue[0].shown == 0 {
        queue.remove(0);
        if fill.maker.remaining > 0 {
            let level = queue.iter().take_while(|quoted| quoted.price == first.price).count();
            queue.insert(level, Quoted { shown: display.min(fill.maker.remaining), ..first });
        }
    }
    Ok(())
}

/// What goes wrong with these commands, if anything does: the number of the command and what it is. Panics count.
fn fault(definition: &Definition, commands: &[Timed], stride: u64) -> Option<(usize, String)> {
    let mut pair = Pair::new(definition, stride);
    for (n, (time, command)) in commands.iter().enumerate() {
        match catch_unwind(AssertUnwindSafe(|| pair.apply(*time, command))) {
            Ok(Ok(_)) => {}
            Ok(Err(what)) => return Some((n, what)),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("");
                return Some((n, format!("panic: {text}")));
            }
        }
    }
    None
}

/// Says as clearly as it can what went wrong, with the shortest list of commands that it can find.
fn report(seed: u64, commands: &[Timed], n: usize, what: &str) -> ! {
    eprintln!("seed {seed}, command {n}: {what}\nthe last commands:");
    for (n, (time, command)) in commands.iter().enumerate().take(n + 1).skip(n.saturating_sub(19)) {
        eprintln!("{n:6} {time} {command:?}");
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let fewest = minimise(&commands[..=n], |list| fault(&Definition::default(), list, 1).is_some());
    std::panic::set_hook(hook);
    eprintln!("\n{} commands are enough:", fewest.len());
    for (time, command) in &fewest {
        eprintln!("    ({time}, Command::{command:?}),");
    }
    let (_, what) = fault(&Definition::default(), &fewest, 1).unwrap_or((0, what.into()));
    panic!("seed {seed}: {what}")
}

/// The commands of one seed; at their end the market is delisted, and asked for more.
fn flow(seed: u64, commands: usize) -> Vec<Timed> {
    let mut flow = Flow::new(seed);
    let mut list: Vec<Timed> = (0..commands).map(|_| flow.next()).collect();
    let end = commands - commands.min(20);
    list[end].1 = Command::SetPhase(Phase::Delisted);
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn answers_as_the_reference_market_does(
        definition in strategy::sound_definition(), commands in strategy::commands(250),
    ) {
        let mut pair = Pair::new(&definition, 1);
        for (time, command) in &commands.0 {
            let answer = pair.apply(*time, command);
            prop_assert!(answer.is_ok(), "{command:?}: {}", answer.unwrap_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_restored_market_goes_on_as_if_nothing_had_happened(
        definition in strategy::sound_definition(), commands in strategy::commands(300),
        at in any::<prop::sample::Index>(),
    ) {
        let mut market = Market::with_definition(SEOUL_DAY_OFFSET_S, &definition);
        let mut events = vec![];
        let (before, after) = commands.0.split_at(at.index(commands.0.len()));
        for (time, command) in before {
            market.apply(*time, command, &mut events);
        }
        let bytes = encode_market(&market);
        let mut restored = decode_market(&bytes).unwrap();
        restored.book().check();
        prop_assert_eq!(encode_market(&restored), bytes, "the same state is the same bytes");
        prop_assert_eq!(restored.sequence(), market.sequence());
        for (time, command) in after {
            let (mut one, mut other) = (vec![], vec![]);
            market.apply(*time, command, &mut one);
            restored.apply(*time, command, &mut other);
            prop_assert_eq!(one, other, "{:?}", command);
        }
        prop_assert_eq!(encode_market(&market), encode_market(&restored));
    }

    #[test]
    fn a_damaged_snapshot_is_refused(
        commands in strategy::commands(150), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut market = Market::new(SEOUL_DAY_OFFSET_S);
        let mut events = vec![];
        for (time, command) in &commands.0 {
            market.apply(*time, command, &mut events);
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

/// Commands that are compared where nothing else is said: as many as take some seconds.
const MANY: u64 = if cfg!(debug_assertions) { 100_000 } else { 2_000_000 };

/// `ENGINE_CORE_COMMANDS` says how many commands, `ENGINE_CORE_SEED` which seed comes first.
#[test]
fn a_long_run_answers_as_the_reference_market_does() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (mut left, mut seed) = (number("ENGINE_CORE_COMMANDS", MANY), number("ENGINE_CORE_SEED", 1));
    while left > 0 {
        let commands = flow(seed, left.min(10_000) as usize);
        if let Some((n, what)) = fault(&Definition::default(), &commands, 16) {
            report(seed, &commands, n, &what);
        }
        left -= commands.len() as u64;
        seed += 1;
    }
}

/// Without this the other tests could agree on nothing at all.
#[test]
fn the_flows_reach_everything() {
    // Sums near 2^64 need thousands of the largest orders: they have a test of their own.
    const ELSEWHERE: &[Reason] = &[Reason::BookFull];

    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut reasons: HashSet<(&str, Reason)> = HashSet::new();
    let (mut live, mut due, mut places) = (0, 0, HashSet::new());
    for seed in 1..=20 {
        let mut reference = ReferenceMarket::new(SEOUL_DAY_OFFSET_S);
        for (time, command) in flow(seed, 5_000) {
            for event in reference.apply(time, &command) {
                let (name, reason) = match event {
                    Event::Accepted(_) => ("Accepted", None),
                    Event::Rejected(_, reason) => ("Rejected", Some(reason)),
                    Event::Filled(fill) if fill.auction => ("Filled in an auction", None),
                    Event::Filled(_) => ("Filled", None),
                    Event::Cancelled(_, reason) => ("Cancelled", Some(reason)),
                    Event::Reduced { reason, .. } => ("Reduced", Some(reason)),
                    Event::Replaced { .. } => ("Replaced", None),
                    Event::Triggered(_) => ("Triggered", None),
                    Event::CancelRejected { reason, .. } => ("CancelRejected", Some(reason)),
                    Event::ReplaceRejected { reason, .. } => ("ReplaceRejected", Some(reason)),
                    Event::MassCancelled { .. } => ("MassCancelled", None),
                    Event::PhaseChanged { .. } => ("PhaseChanged", None),
                    Event::Auctioned { .. } => ("Auctioned", None),
                    Event::Defined => ("Defined", None),
                    Event::CommandRejected(reason) => ("CommandRejected", Some(reason)),
                    Event::CandleClosed(_) => ("CandleClosed", None),
                };
                let key = reason.map_or(name.to_string(), |reason| format!("{name} {}", reason.as_str()));
                *seen.entry(key).or_default() += 1;
                reasons.extend(reason.map(|reason| (name, reason)));
            }
            live = live.max(reference.live().len());
            places.extend(reference.live().iter().map(|order| format!("{:?}", order.place)));
            due += reference.live().iter().filter(|order| order.due).count();
        }
    }
    eprintln!("{seen:#?}");
    for name in [
        "Accepted",
        "Filled",
        "Filled in an auction",
        "Replaced",
        "Triggered",
        "MassCancelled",
        "PhaseChanged",
        "Auctioned",
        "Defined",
        "CandleClosed",
    ] {
        assert!(seen.contains_key(name), "no {name}");
    }
    for reason in Reason::ALL.iter().filter(|reason| !ELSEWHERE.contains(reason)) {
        assert!(reasons.iter().any(|(_, seen)| seen == reason), "no {reason:?}");
    }
    // Reasons that several events have, each in its own way.
    for (name, reason) in [
        ("Rejected", Reason::BadLink),
        ("Cancelled", Reason::BadLink),
        ("Rejected", Reason::WouldTake),
        ("Cancelled", Reason::WouldTake),
        ("Rejected", Reason::Delisted),
        ("Cancelled", Reason::Delisted),
        ("Rejected", Reason::NoOppositeQuote),
        ("Cancelled", Reason::NoOppositeQuote),
        ("Cancelled", Reason::SelfTrade),
        ("Reduced", Reason::SelfTrade),
        ("Cancelled", Reason::Linked),
        ("Reduced", Reason::Linked),
        ("Rejected", Reason::BadCombination),
        ("ReplaceRejected", Reason::BadCombination),
        ("ReplaceRejected", Reason::WouldTake),
        ("ReplaceRejected", Reason::StaleOrder),
        ("ReplaceRejected", Reason::WrongPhase),
        ("Cancelled", Reason::Volatility),
        ("CancelRejected", Reason::NotOwner),
    ] {
        assert!(reasons.contains(&(name, reason)), "no {name} {reason:?}");
    }
    assert!(live > 200, "{live} orders at most");
    assert!(due > 0, "no order is due");
    for place in [Place::Resting, Place::Stopped, Place::Waiting, Place::Held] {
        assert!(places.contains(&format!("{place:?}")), "none is {place:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_flow() {
    assert_eq!(flow(7, 2_000), flow(7, 2_000));
    assert_ne!(flow(7, 2_000), flow(8, 2_000));
}

#[test]
fn a_side_never_holds_more_than_64_bits() {
    let mut pair = Pair::new(&Definition::default(), 1_000);
    let mut last = vec![];
    for n in 0..2_050 {
        let order = NewOrder::limit(OrderId(n), UserId(1), Side::Buy, 1, MAX_QUANTITY);
        last = pair.apply(START, &Command::Add(order)).unwrap();
    }
    assert!(matches!(last[..], [Event::Rejected(_, Reason::BookFull)]), "{last:?}");
    let replace = Replace {
        order: OrderId(7),
        user: UserId(1),
        price: 1,
        quantity: MAX_QUANTITY,
        stop: None,
        expected: None,
    };
    let last = pair.apply(START, &Command::Replace(replace)).unwrap();
    assert!(matches!(last[..], [Event::ReplaceRejected { reason: Reason::BookFull, .. }]), "{last:?}");
}
