//! Commands by the million from a seed: the same seed gives the same commands everywhere. It needs nothing but the public
//! types, so that an example or another crate can take this file as it is.
//!
//! A flow goes through **worlds**, a few hundred commands each, that differ in ticks, bands, limits and in what kinds of
//! orders are frequent: each rule must be met often somewhere, and no rule must drown the others everywhere.

use engine_core::command::{Command, MAX_PRICE, MAX_QUANTITY, MassCancel, NewOrder, Replace};
use engine_core::definition::{Definition, Limits, TickRow, TickTable};
use engine_core::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};
use std::collections::VecDeque;

/// The time of a flow's first command.
pub const START: Millis = 1_765_894_800_000;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Both ends included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// So many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// An order that may still be live: a flow does not see the events.
#[derive(Clone, Copy, Debug)]
struct Known {
    order: OrderId,
    user: UserId,
    side: Side,
    price: Price,
    quantity: Quantity,
}

/// How often what happens, in thousandths.
#[derive(Clone, Copy, Debug)]
struct World {
    definition: Definition,
    /// Where prices are, and how far from there.
    centre: Price,
    spread: u64,
    /// How many orders are known at most. Of those beyond some are cancelled, and the others are left to themselves.
    capacity: usize,
    markets: u64,
    immediate: u64,
    stops: u64,
    icebergs: u64,
    minimums: u64,
    post_only: u64,
    self_trade: u64,
    pairs: u64,
    brackets: u64,
    ends: u64,
    phases: u64,
    mistakes: u64,
    /// How far into the other side limit orders reach.
    aggression: u64,
}

#[derive(Clone, Debug)]
pub struct Flow {
    random: Random,
    time: Millis,
    next_order: u64,
    known: VecDeque<Known>,
    world: World,
    /// Commands until the next world and until the phase ends.
    left: u64,
    phase_left: u64,
    phase: Phase,
    pending: VecDeque<Command>,
}

impl Flow {
    pub fn new(seed: u64) -> Flow {
        let mut random = Random::new(seed);
        let world = Flow::world(&mut random);
        let mut flow = Flow {
            random,
            time: START,
            next_order: 1,
            known: VecDeque::new(),
            world,
            left: 300,
            phase_left: 0,
            phase: Phase::Continuous,
            pending: VecDeque::new(),
        };
        flow.pending.push_back(Command::Define(Box::new(flow.world.definition)));
        flow
    }

    /// The next command and its time. There is always one.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> (Millis, Command) {
        let step = match self.random.below(1000) {
            0..=2 => self.random.below(6 * 3_600_000),
            3..=22 => self.random.below(90_000),
            23..=422 => self.random.below(400),
            _ => self.random.below(3),
        };
        self.time += step;
        // Clocks are not always right: such a command counts as one of the last one's time.
        let time = if self.random.chance(20) { self.time - self.random.below(5_000) } else { self.time };
        (time, self.command())
    }

    fn command(&mut self) -> Command {
        if let Some(command) = self.pending.pop_front() {
            return command;
        }
        if self.left == 0 {
            return self.change_world();
        }
        self.left -= 1;
        if self.phase != Phase::Continuous {
            if self.phase_left == 0 {
                return self.change_phase();
            }
            self.phase_left -= 1;
        }
        if self.known.len() > self.world.capacity
            && let Some(oldest) = self.known.pop_front()
            && self.random.chance(500)
        {
            return Command::Cancel { order: oldest.order, user: oldest.user };
        }
        if self.random.chance(self.world.phases) {
            return self.change_phase();
        }
        if self.random.chance(30) {
            let (low, high) = (self.world.centre * 9 / 10, self.world.centre * 11 / 10);
            let step = self.world.definition.ticks.tick(self.world.centre);
            self.world.centre =
                if self.random.chance(500) { self.world.centre + step } else { self.world.centre - step };
            self.world.centre = self.world.centre.clamp(low.max(60), high);
        }
        match self.random.below(1000) {
            0..=679 => self.enter(),
            680..=789 => self.cancel(),
            790..=949 => self.replace(),
            950..=955 => self.mass_cancel(),
            956..=965 => self.define(),
            _ => Command::Tick,
        }
    }

    // Orders

    fn enter(&mut self) -> Command {
        if self.random.chance(self.world.brackets) {
            return self.bracket();
        }
        let order = if self.random.chance(self.world.mistakes) {
            self.some_order()
        } else {
            self.next_order += 1;
            OrderId(self.next_order)
        };
        let mut new = self.order(order);
        if self.random.chance(self.world.pairs) {
            // Mostly one that it may be linked to.
            let (user, side) = (new.user, new.side);
            let at = self.random.below(self.known.len() as u64 + 1) as usize;
            let mut fitting =
                self.known.iter().skip(at).filter(|known| known.user == user && known.side == side);
            let other = fitting.next().map(|known| known.order);
            new.link = Link::Other(other.unwrap_or_else(|| self.some_order()));
        }
        self.know(&new);
        Command::Add(new)
    }

    /// Two exits, linked or not, and then their entry; now and then something about them is wrong.
    fn bracket(&mut self) -> Command {
        let ids = [0, 1, 2].map(|n| OrderId(self.next_order + 1 + n));
        self.next_order += 3;
        let mut entry = self.order(ids[2]);
        let mut exits = [0, 1].map(|n| {
            let mut exit = self.order(ids[n]);
            exit.user = entry.user;
            exit.group = entry.group;
            exit.side = entry.side.opposite();
            exit.quantity = entry.quantity;
            exit.budget = 0;
            exit.display = exit.display.min(exit.quantity);
            exit.minimum = exit.minimum.min(exit.quantity);
            exit
        });
        exits[0].link = Link::ExitOf(ids[2]);
        exits[1].link = Link::Other(ids[0]);
        if exits[1].trigger == Trigger::None && self.random.chance(700) {
            exits[1].trigger = self.trigger();
            exits[1].post_only = PostOnly::No;
        }
        if self.random.chance(self.world.mistakes) {
            match self.random.below(6) {
                0 => entry.user = UserId(6),
                1 => entry.side = entry.side.opposite(),
                2 => entry.quantity = 0,
                3 => exits[1].link = Link::ExitOf(ids[2]),
                4 => exits[1].user = UserId(6),
                _ => entry.link = Link::ExitOf(ids[1]),
            }
        }
        if self.random.chance(800) {
            self.know(&exits[1]);
            self.pending.push_back(Command::Add(exits[1]));
        }
        if self.random.chance(930) {
            self.know(&entry);
            self.pending.push_back(Command::Add(entry));
        }
        self.know(&exits[0]);
        Command::Add(exits[0])
    }

    fn know(&mut self, new: &NewOrder) {
        let immediate = new.order_type == OrderType::Market || new.time_in_force.is_immediate();
        if immediate && new.trigger == Trigger::None && new.link == Link::None {
            return;
        }
        let &NewOrder { order, user, side, price, quantity, .. } = new;
        self.known.push_back(Known { order, user, side, price, quantity });
    }

    fn order(&mut self, order: OrderId) -> NewOrder {
        let world = self.world;
        let side = self.random.pick(&Side::BOTH);
        let user = UserId(self.random.between(1, 5));
        let (price, quantity) = (self.price(side), self.quantity());
        let mut new = NewOrder::limit(order, user, side, price, quantity);
        new.group = if self.random.chance(500) { user.0 as u32 % 4 } else { self.random.below(4) as u32 };
        new.cancel_on_disconnect = self.random.chance(300);
        if self.random.chance(world.self_trade) {
            new.self_trade = self.random.pick(&[
                SelfTrade::CancelNewest,
                SelfTrade::CancelOldest,
                SelfTrade::CancelBoth,
                SelfTrade::Decrement,
            ]);
        }
        if self.random.chance(world.stops) {
            new.trigger = self.trigger();
        }
        if self.random.chance(world.ends) {
            new.time_in_force = match self.random.below(3) {
                0 => TimeInForce::Day,
                1 => TimeInForce::Gtd(self.time + self.random.below(2_000)),
                _ => TimeInForce::Gtd(self.time + self.random.below(200_000)),
            };
        }
        if self.random.chance(world.markets) {
            new.order_type = OrderType::Market;
            if self.random.chance(600) {
                new.price = 0;
            }
            if side == Side::Buy && self.random.chance(400) {
                new.budget = self.random.between(1, world.centre * quantity.clamp(1, 1_000) * 5 / 4);
            }
        } else if self.random.chance(world.immediate) {
            new.time_in_force = self.random.pick(&[TimeInForce::Ioc, TimeInForce::Fok]);
            if new.time_in_force == TimeInForce::Ioc && self.random.chance(world.minimums) {
                new.minimum = self.random.between(1, quantity.max(1));
            }
        } else if self.random.chance(world.icebergs) {
            let lot = world.definition.lot;
            new.display = self.random.between(1, (quantity / lot / 3).clamp(1, 6)).saturating_mul(lot);
        } else if self.random.chance(world.minimums) {
            if self.random.chance(500) {
                new.all_or_none = true;
            } else {
                new.minimum = self.random.between(1, quantity.max(1));
            }
        } else if new.trigger == Trigger::None && self.random.chance(world.post_only) {
            new.post_only = self.random.pick(&[PostOnly::Reject, PostOnly::Reprice]);
        }
        if self.random.chance(world.mistakes) {
            self.spoil(&mut new);
        }
        new
    }

    /// One more term, whether it fits the others or not.
    fn spoil(&mut self, new: &mut NewOrder) {
        let lot = self.world.definition.lot;
        match self.random.below(14) {
            0 => new.display = self.random.below(5),
            1 => new.all_or_none = true,
            2 => new.minimum = self.random.below(30) * lot,
            3 => new.post_only = self.random.pick(&[PostOnly::Reject, PostOnly::Reprice]),
            4 => new.budget = self.random.below(5_000),
            5 => new.trigger = self.random.pick(&[Trigger::Stop(0), Trigger::Trailing(0)]),
            6 => new.trigger = Trigger::Stop(self.extreme()),
            7 => new.trigger = Trigger::Trailing(self.extreme()),
            8 => new.time_in_force = TimeInForce::Gtd(self.time - self.random.below(100)),
            9 => new.quantity = new.quantity.wrapping_add(1),
            10 => new.price = self.extreme(),
            11 => new.quantity = self.extreme(),
            12 => {
                new.display = lot;
                new.quantity = self.random.between(900, 1100) * lot;
            }
            _ => new.link = Link::ExitOf(self.some_order()),
        }
    }

    fn trigger(&mut self) -> Trigger {
        if self.random.chance(350) {
            Trigger::Trailing(self.random.between(1, 5))
        } else {
            let side = self.random.pick(&Side::BOTH);
            Trigger::Stop(self.price(side))
        }
    }

    /// Around the centre: a side's own half of it, and some way into the other.
    fn price(&mut self, side: Side) -> Price {
        let World { centre, spread, aggression, mistakes, definition, .. } = self.world;
        if self.random.chance(3) {
            return self.extreme();
        }
        let away = self.random.below(spread + 1);
        let into = if self.random.chance(aggression) { self.random.below(spread / 2 + 2) } else { 0 };
        let tick = definition.ticks.tick(centre);
        let raw = match side {
            Side::Buy => (centre + into * tick).saturating_sub(away * tick),
            Side::Sell => (centre + away * tick).saturating_sub(into * tick),
        }
        .max(1);
        if self.random.chance(mistakes) { raw } else { (raw - raw % definition.ticks.tick(raw)).max(1) }
    }

    fn quantity(&mut self) -> Quantity {
        let Definition { lot, min_quantity, max_quantity, .. } = self.world.definition;
        match self.random.below(1000) {
            0..=1 => self.extreme(),
            2..=5 => self.random.pick(&[min_quantity - 1, min_quantity, max_quantity, max_quantity + 1]),
            6..=59 => self.random.between(1, 400) * lot,
            _ => (self.random.between(1, 20) * lot).max(min_quantity.div_ceil(lot) * lot),
        }
    }

    fn extreme(&mut self) -> u64 {
        self.random.pick(&[0, 1, 2, MAX_PRICE - 1, MAX_PRICE, MAX_PRICE + 1, MAX_QUANTITY / 2, u64::MAX])
    }

    // What is done with them

    fn some(&mut self) -> Option<Known> {
        if self.known.is_empty() {
            return None;
        }
        let at = self.random.below(self.known.len() as u64) as usize;
        Some(self.known[at])
    }

    fn some_order(&mut self) -> OrderId {
        match self.some() {
            Some(known) if self.random.chance(700) => known.order,
            _ => OrderId(self.random.below(self.next_order + 3)),
        }
    }

    fn cancel(&mut self) -> Command {
        let Some(known) = self.some() else { return Command::Tick };
        if self.random.chance(self.world.mistakes) {
            return Command::Cancel { order: self.some_order(), user: UserId(self.random.between(1, 6)) };
        }
        self.known.retain(|other| other.order != known.order);
        Command::Cancel { order: known.order, user: known.user }
    }

    fn replace(&mut self) -> Command {
        let Some(known) = self.some() else { return Command::Tick };
        let lot = self.world.definition.lot;
        let price = match self.random.below(10) {
            0..=4 => known.price,
            5 => 0,
            _ => self.price(known.side),
        };
        let quantity = match self.random.below(10) {
            0..=3 => (known.quantity / lot / 2).max(1) * lot,
            4..=5 => known.quantity,
            _ => self.quantity(),
        };
        let stop = if self.random.chance(self.world.stops / 3) {
            let side = self.random.pick(&Side::BOTH);
            Some(self.price(side))
        } else {
            None
        };
        let expected = self.random.chance(150).then_some((known.price, known.quantity));
        let user = if self.random.chance(self.world.mistakes) { UserId(6) } else { known.user };
        for other in self.known.iter_mut().filter(|other| other.order == known.order) {
            other.price = price;
            other.quantity = quantity;
        }
        Command::Replace(Replace { order: known.order, user, price, quantity, stop, expected })
    }

    fn mass_cancel(&mut self) -> Command {
        let user = self.random.chance(900).then(|| UserId(self.random.between(1, 5)));
        let side = self.random.chance(500).then(|| self.random.pick(&Side::BOTH));
        let disconnected = self.random.chance(500);
        if !disconnected {
            self.known.retain(|known| {
                user.is_some_and(|user| user != known.user) || side.is_some_and(|side| side != known.side)
            });
        }
        Command::MassCancel(MassCancel { user, side, disconnected })
    }

    // The market itself

    /// Other bands and limits on the way, or a definition that is refused.
    fn define(&mut self) -> Command {
        let mut definition = Flow::world(&mut self.random).definition;
        if self.random.chance(800) {
            definition.ticks = self.world.definition.ticks;
            definition.lot = self.world.definition.lot;
        }
        if self.random.chance(200) {
            definition.band = (0, 10);
        }
        Command::Define(Box::new(definition))
    }

    fn change_phase(&mut self) -> Command {
        const OTHERS: [Phase; 9] = [
            Phase::PreOpen,
            Phase::OpeningAuction,
            Phase::OpeningAuction,
            Phase::ClosingAuction,
            Phase::Halt,
            Phase::Halt,
            Phase::CancelOnly,
            Phase::Closed,
            Phase::VolatilityAuction,
        ];
        let resumes = self.phase != Phase::Continuous && self.random.chance(750);
        let to = if resumes { Phase::Continuous } else { self.random.pick(&OTHERS) };
        if to != Phase::VolatilityAuction {
            self.phase = to;
        }
        self.phase_left = if to.is_call() { self.random.between(5, 50) } else { self.random.between(1, 8) };
        Command::SetPhase(to)
    }

    fn change_world(&mut self) -> Command {
        self.left = self.random.between(100, 900);
        self.world = Flow::world(&mut self.random);
        // Ticks and lots can only change in an empty book.
        let clears = self.random.chance(700);
        if clears {
            self.known.clear();
        } else {
            self.world.definition.reference = 0;
        }
        self.pending.push_back(Command::Define(Box::new(self.world.definition)));
        self.phase = Phase::Continuous;
        self.pending.push_back(Command::SetPhase(Phase::Continuous));
        if clears { Command::MassCancel(MassCancel::default()) } else { Command::Tick }
    }

    fn world(random: &mut Random) -> World {
        let mut definition = Definition::default();
        let (mut centre, mut spread) = (100, 8);
        match random.below(10) {
            0 => {
                definition.ticks = TickTable::uniform(5);
                spread = 6;
            }
            1..=2 => {
                // The row begins amid the prices.
                let rows = [TickRow { from: 0, tick: 1 }, TickRow { from: 100, tick: 5 }];
                definition.ticks = TickTable::new(&rows).unwrap();
            }
            3 => {
                centre = 60_000;
                let rows = [(0, 1), (2_000, 5), (20_000, 50), (60_000, 100)];
                definition.ticks = TickTable::new(&rows.map(|(from, tick)| TickRow { from, tick })).unwrap();
            }
            _ => {}
        }
        if random.chance(250) {
            definition.lot = random.pick(&[2, 5, 10]);
        }
        if random.chance(150) {
            definition.min_quantity = definition.lot * random.between(1, 3);
            definition.max_quantity = definition.lot * 300;
        }
        if random.chance(200) {
            definition.max_notional = centre * definition.lot * random.between(20, 200);
        }
        if random.chance(250) {
            let width = centre * random.between(4, 15) / 100;
            definition.band = (centre - width, centre + width);
        }
        if random.chance(350) {
            definition.static_band = random.between(200, 900) as u32;
        }
        if random.chance(350) {
            definition.dynamic_band = random.between(100, 500) as u32;
        }
        definition.volatility_auction_ms = random.pick(&[0, 500, 2_000, 5_000]);
        definition.reference = random.pick(&[0, centre, centre - centre / 50, centre + centre / 33]);
        definition.fee_schedule = random.below(3) as u32;
        let mut limits = Limits::default();
        if random.chance(100) {
            limits.orders = random.between(5, 60) as u32;
        }
        if random.chance(100) {
            limits.orders_per_account = random.between(2, 15) as u32;
        }
        if random.chance(300) {
            limits.watched = random.between(0, 6) as u32;
        }
        definition.limits = limits;
        let mut often = |most: u64| if random.chance(600) { random.below(most) } else { 10 };
        let (markets, immediate, stops, icebergs) = (often(250), often(250), often(450), often(500));
        let (minimums, post_only, self_trade) = (often(300), often(400), often(800));
        let (pairs, brackets, ends, phases) = (often(450), often(300), often(300), often(12));
        World {
            definition,
            centre,
            spread,
            capacity: random.pick(&[20, 60, 60, 150, 400]),
            markets,
            immediate,
            stops,
            icebergs,
            minimums,
            post_only,
            self_trade,
            pairs,
            brackets,
            ends,
            phases: phases.min(12),
            mistakes: random.pick(&[5, 20, 60]),
            aggression: random.pick(&[100, 300, 600]),
        }
    }
}
