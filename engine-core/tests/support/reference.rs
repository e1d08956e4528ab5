//! The slow, obvious market: one vector of live orders, searched from end to end at every step. It is written from
//! `RULES.md` alone; section numbers refer to it.

use engine_core::candle::Candle;
use engine_core::command::{Command, MAX_PRICE, MAX_SLICES, MassCancel, NewOrder, Replace};
use engine_core::definition::Definition;
use engine_core::event::{Event, Fill, OrderRef, Party, Reason};
use engine_core::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the book.
    Resting,
    /// Waits for its trigger.
    Stopped,
    /// Waits for enough on the other side.
    Waiting,
    /// An exit, until its entry ends.
    Held,
    /// Between two places: it is queued, or it is the one that matches now. Never so after a command.
    Moving,
}

/// Why an order is in the queue of those that become active (§4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Its trigger was satisfied.
    Stop,
    /// Its entry has ended.
    Release,
    /// There is enough on the other side now.
    Enough,
}

#[derive(Clone, Debug)]
pub struct Live {
    /// As it was entered. What can change is in the fields below.
    pub new: NewOrder,
    pub price: Price,
    pub open: Quantity,
    /// What depth shows of it while it rests.
    pub shown: Quantity,
    /// Over its whole life.
    pub filled: Quantity,
    pub arrival: u64,
    pub place: Place,
    pub trigger: Trigger,
    /// Stopped, but triggered by the pass that a volatility auction ended (§4.1).
    pub due: bool,
    /// Of a trailing stop: the best trade since it was stopped.
    pub mark: Option<Price>,
    /// All-or-none, until it has matched.
    pub whole: bool,
    /// Its minimum, until it has matched.
    pub minimum: Quantity,
    /// What is left of a market buy's budget.
    pub budget: u64,
    pub end: Option<Millis>,
    /// The other one of one-cancels-the-other.
    pub partner: Option<OrderId>,
    /// Of an exit that is held: the entry it is held for, be that live or still to come.
    pub entry: Option<OrderId>,
}

impl Live {
    fn id(&self) -> OrderId {
        self.new.order
    }

    /// What its first execution must fill; 0 for anything.
    fn needs(&self) -> Quantity {
        if self.whole { self.open } else { self.minimum }
    }

    fn is_market(&self) -> bool {
        self.new.order_type == OrderType::Market
    }

    /// A market order's time in force does not make it one of these.
    fn is(&self, time_in_force: TimeInForce) -> bool {
        !self.is_market() && self.new.time_in_force == time_in_force
    }

    fn can_rest(&self) -> bool {
        !self.is_market() && !self.is(TimeInForce::Ioc) && !self.is(TimeInForce::Fok)
    }

    fn is_own(&self, other: &Live) -> bool {
        self.new.user == other.new.user || (self.new.group != 0 && self.new.group == other.new.group)
    }

    fn shows_of(&self, open: Quantity) -> Quantity {
        if self.new.display == 0 { open } else { open.min(self.new.display) }
    }

    fn reference(&self) -> OrderRef {
        OrderRef {
            order: self.new.order,
            user: self.new.user,
            side: self.new.side,
            price: self.price,
            quantity: self.open,
        }
    }

    fn party(&self) -> Party {
        Party { order: self.new.order, user: self.new.user, price: self.price, remaining: self.open }
    }

    /// Whether a trade at `price` sets it off.
    fn satisfied(&self, price: Price) -> bool {
        let stop = match (self.trigger, self.mark) {
            (Trigger::Stop(stop), _) => stop,
            (Trigger::Trailing(distance), Some(mark)) => match self.new.side {
                Side::Buy => mark.saturating_add(distance),
                Side::Sell => mark.saturating_sub(distance),
            },
            _ => return false,
        };
        match self.new.side {
            Side::Buy => price >= stop,
            Side::Sell => price <= stop,
        }
    }
}

/// Why matching stopped before the order was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    NobodyLeft,
    Price,
    Budget,
    SelfTrade,
    Volatility,
}

const MINUTE_MS: u64 = 60_000;
const DAY_S: u64 = 86_400;

#[derive(Clone, Debug)]
pub struct ReferenceMarket {
    definition: Definition,
    day_offset_s: u64,
    now: Millis,
    phase: Phase,
    /// When a volatility auction ends.
    until: Millis,
    live: Vec<Live>,
    arrivals: u64,
    last: Option<Price>,
    last_auction: Option<Price>,
    candle: Option<Candle>,
    /// Orders that become active next, in this order.
    queue: Vec<(OrderId, Why)>,
    /// Of the pass that is going on: its trades' prices and the exits it released.
    trades: Vec<Price>,
    released: Vec<OrderId>,
    events: Vec<Event>,
}

impl ReferenceMarket {
    pub fn new(day_offset_s: u64) -> ReferenceMarket {
        ReferenceMarket::with_definition(day_offset_s, &Definition::default())
    }

    pub fn with_definition(day_offset_s: u64, definition: &Definition) -> ReferenceMarket {
        ReferenceMarket {
            definition: *definition,
            day_offset_s,
            now: 0,
            phase: Phase::default(),
            until: 0,
            live: vec![],
            arrivals: 0,
            last: None,
            last_auction: None,
            candle: None,
            queue: vec![],
            trades: vec![],
            released: vec![],
            events: vec![],
        }
    }

    // What can be seen of it.

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    pub fn last_price(&self) -> Option<Price> {
        self.last
    }

    pub fn candle(&self) -> Option<&Candle> {
        self.candle.as_ref()
    }

    pub fn live(&self) -> &[Live] {
        &self.live
    }

    /// Price, displayed quantity and orders of each level, best first.
    pub fn depth(&self, side: Side) -> Vec<(Price, Quantity, u32)> {
        let mut levels: Vec<(Price, Quantity, u32)> = vec![];
        for order in self.side(side) {
            match levels.last_mut() {
                Some(level) if level.0 == order.price => {
                    level.1 += order.shown;
                    level.2 += 1;
                }
                _ => levels.push((order.price, order.shown, 1)),
            }
        }
        levels
    }

    /// Order and displayed quantity of one side, in the order in which it would be filled.
    pub fn queue(&self, side: Side) -> Vec<(OrderId, Quantity)> {
        self.side(side).iter().map(|order| (order.id(), order.shown)).collect()
    }

    /// Price, quantity and surplus of the auction that there would be now, while orders are collected.
    pub fn indicative(&self) -> Option<(Price, Quantity, Quantity)> {
        if self.phase.is_call() { self.equilibrium() } else { None }
    }

    pub fn is_crossed(&self) -> bool {
        match (self.first(Side::Buy), self.first(Side::Sell)) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    // §1

    pub fn apply(&mut self, time: Millis, command: &Command) -> Vec<Event> {
        self.now = self.now.max(time);
        let minute = self.now / MINUTE_MS * MINUTE_MS / 1000;
        if let Some(candle) = self.candle
            && candle.time < minute
        {
            self.candle = None;
            self.events.push(Event::CandleClosed(candle));
        }
        if self.phase == Phase::VolatilityAuction && self.until <= self.now {
            self.expire(self.until);
            self.change_phase(Phase::Continuous);
        }
        self.expire(self.now);
        match command {
            Command::Add(new) => self.add(new),
            Command::Cancel { order, user } => self.cancel_one(*order, *user),
            Command::Replace(replace) => self.replace(replace),
            Command::MassCancel(mass) => self.mass_cancel(mass),
            Command::SetPhase(phase) => self.set_phase(*phase),
            Command::Define(definition) => self.define(definition),
            Command::Tick => {}
        }
        self.try_waiting();
        assert!(self.queue.is_empty() && self.live.iter().all(|order| order.place != Place::Moving));
        let events = std::mem::take(&mut self.events);
        for event in &events {
            if let Event::Filled(fill) = event {
                match &mut self.candle {
                    Some(candle) => candle.add(fill.price, fill.quantity),
                    None => self.candle = Some(Candle::first(minute, fill.price, fill.quantity)),
                }
            }
        }
        events
    }

    /// §1.3 and §1.4
    fn expire(&mut self, by: Millis) {
        loop {
            let over = self.live.iter().filter(|order| order.end.is_some_and(|end| end <= by));
            let Some(id) = over.min_by_key(|order| (order.end, order.arrival)).map(Live::id) else { break };
            self.cancel(id, Reason::Expired);
        }
        self.settle();
    }

    // §2

    fn add(&mut self, new: &NewOrder) {
        let asked = OrderRef {
            order: new.order,
            user: new.user,
            side: new.side,
            price: new.price,
            quantity: new.quantity,
        };
        let price = match self.refuses(new) {
            Ok(price) => price,
            Err(reason) => {
                self.events.push(Event::Rejected(asked, reason));
                // Those of a live entry are its own business: this order is not the entry that they wait for.
                if self.find(new.order).is_none() {
                    for exit in self.exits(new.order, |exit| exit.new.user == new.user) {
                        self.cancel_alone(exit, Reason::Linked);
                    }
                }
                return;
            }
        };
        self.events.push(Event::Accepted(OrderRef { price, ..asked }));
        let arrival = self.next_arrival();
        let exit_of = self.exit_of(new);
        self.live.push(Live {
            new: *new,
            price,
            open: new.quantity,
            shown: 0,
            filled: 0,
            arrival,
            place: if exit_of.is_some() { Place::Held } else { Place::Moving },
            trigger: new.trigger,
            due: false,
            mark: None,
            whole: new.all_or_none,
            minimum: new.minimum,
            budget: new.budget,
            end: match new.time_in_force {
                TimeInForce::Gtd(end) => Some(end),
                TimeInForce::Day => Some(self.day_end()),
                _ => None,
            },
            partner: None,
            entry: exit_of,
        });
        if let Link::Other(other) = new.link {
            self.order(new.order).partner = Some(other);
            self.order(other).partner = Some(new.order);
        }
        for exit in
            self.exits(new.order, |exit| exit.new.user != new.user || exit.new.side != new.side.opposite())
        {
            self.cancel_alone(exit, Reason::BadLink);
        }
        if exit_of.is_some() {
            return;
        }
        if new.trigger == Trigger::None {
            self.activate(new.order);
        } else {
            self.stop(new.order);
        }
        self.settle();
    }

    /// Why the order is refused, or else its price.
    fn refuses(&self, new: &NewOrder) -> Result<Price, Reason> {
        let market = new.order_type == OrderType::Market;
        let immediate = !market && matches!(new.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let fok = !market && new.time_in_force == TimeInForce::Fok;
        let triggered = new.trigger != Trigger::None;
        let exit = self.exit_of(new).is_some();
        let post_only = new.post_only != PostOnly::No;
        let iceberg = new.display != 0;
        let minimum = new.minimum != 0;

        // 1. Phase
        match self.phase {
            Phase::Delisted => return Err(Reason::Delisted),
            Phase::Halt | Phase::Closed | Phase::CancelOnly => return Err(Reason::WrongPhase),
            Phase::Continuous => {}
            Phase::PreOpen | Phase::OpeningAuction | Phase::VolatilityAuction | Phase::ClosingAuction => {
                if !triggered && !exit && (market || immediate || post_only) {
                    return Err(Reason::WrongPhase);
                }
            }
        }
        // 2. Quantity
        self.check_quantity(new.quantity)?;
        // 3. Combination
        let contradicts = (market && (iceberg || new.all_or_none || minimum || post_only))
            || (new.budget != 0 && !(market && new.side == Side::Buy))
            || (post_only && (triggered || immediate || new.all_or_none || minimum))
            || (iceberg && (immediate || new.all_or_none || minimum))
            || (new.all_or_none && minimum)
            || (fok && (new.all_or_none || minimum))
            || matches!(new.trigger, Trigger::Stop(0) | Trigger::Trailing(0))
            || new.minimum > new.quantity;
        if contradicts {
            return Err(Reason::BadCombination);
        }
        // 4. Iceberg
        if iceberg && !new.display.is_multiple_of(self.definition.lot) {
            return Err(Reason::NotALot);
        }
        self.check_display(new.display, new.quantity)?;
        // 5. Price
        if !(market && new.price == 0) {
            self.check_price(new.price)?;
        }
        match new.trigger {
            Trigger::None => {}
            Trigger::Stop(stop) => self.check_price(stop)?,
            Trigger::Trailing(distance) if distance > MAX_PRICE => return Err(Reason::PriceTooLarge),
            Trigger::Trailing(_) => {}
        }
        // 6. Notional
        self.check_notional(new.price, new.quantity)?;
        // 7. End
        if matches!(new.time_in_force, TimeInForce::Gtd(end) if end <= self.now) {
            return Err(Reason::AlreadyExpired);
        }
        // 8. Nobody there
        if market && !triggered && !exit && self.first(new.side.opposite()).is_none() {
            return Err(Reason::NoOppositeQuote);
        }
        // 9. Sums
        self.check_room(new.side, new.quantity)?;
        // 10. Identity
        if self.find(new.order).is_some() {
            return Err(Reason::DuplicateOrder);
        }
        // 11. Link
        let fits = match new.link {
            Link::None => true,
            Link::Other(id) => self.find(id).is_some_and(|other| {
                other.new.user == new.user
                    && other.new.side == new.side
                    && other.partner.is_none()
                    && self.exits(id, |_| true).is_empty()
            }),
            Link::ExitOf(id) => {
                id != new.order && self.find(id).is_none() && self.exits(id, |_| true).is_empty()
            }
        };
        if !fits || (new.link != Link::None && !self.exits(new.order, |_| true).is_empty()) {
            return Err(Reason::BadLink);
        }
        // 12. Limits
        let limits = &self.definition.limits;
        if self.live.len() >= limits.orders as usize {
            return Err(Reason::TooManyOrders);
        }
        let of_account = self.live.iter().filter(|order| order.new.user == new.user).count();
        if of_account >= limits.orders_per_account as usize {
            return Err(Reason::TooManyAccountOrders);
        }
        if matches!(new.trigger, Trigger::Trailing(_)) {
            let trailing = self.live.iter().filter(|order| {
                matches!(order.trigger, Trigger::Trailing(_))
                    && matches!(order.place, Place::Stopped | Place::Held)
            });
            if trailing.count() >= limits.watched as usize {
                return Err(Reason::TooManyWatched);
            }
        }
        if (new.all_or_none || minimum) && !immediate {
            let waiting = self.live.iter().filter(|order| {
                order.needs() > 0 && !order.is(TimeInForce::Ioc) && order.place != Place::Resting
            });
            if waiting.count() >= limits.watched as usize {
                return Err(Reason::TooManyWatched);
            }
        }
        // 13. Post-only
        if exit { Ok(new.price) } else { self.check_post_only(new, new.price, new.quantity) }
    }

    /// The id of the entry that this would be an exit of.
    fn exit_of(&self, new: &NewOrder) -> Option<OrderId> {
        match new.link {
            Link::None => None,
            Link::ExitOf(entry) => Some(entry),
            Link::Other(other) => {
                self.find(other).filter(|other| other.place == Place::Held).and_then(|other| other.entry)
            }
        }
    }

    fn check_quantity(&self, quantity: Quantity) -> Result<(), Reason> {
        match &self.definition {
            _ if quantity == 0 => Err(Reason::ZeroQuantity),
            rules if quantity > rules.max_quantity => Err(Reason::QuantityTooLarge),
            rules if quantity < rules.min_quantity => Err(Reason::QuantityTooSmall),
            rules if !quantity.is_multiple_of(rules.lot) => Err(Reason::NotALot),
            _ => Ok(()),
        }
    }

    fn check_display(&self, display: Quantity, quantity: Quantity) -> Result<(), Reason> {
        let slices = u128::from(display) * u128::from(MAX_SLICES);
        if display != 0 && u128::from(quantity) > slices { Err(Reason::DisplayTooSmall) } else { Ok(()) }
    }

    fn check_price(&self, price: Price) -> Result<(), Reason> {
        match self.definition.band {
            _ if price == 0 => Err(Reason::ZeroPrice),
            _ if price > MAX_PRICE => Err(Reason::PriceTooLarge),
            _ if !price.is_multiple_of(self.tick(price)) => Err(Reason::NotATick),
            (low, high) if price < low || price > high => Err(Reason::OutsideBand),
            _ => Ok(()),
        }
    }

    fn check_notional(&self, price: Price, quantity: Quantity) -> Result<(), Reason> {
        let notional = u128::from(price) * u128::from(quantity);
        if notional > u128::from(self.definition.max_notional) {
            Err(Reason::NotionalTooLarge)
        } else {
            Ok(())
        }
    }

    fn check_room(&self, side: Side, quantity: Quantity) -> Result<(), Reason> {
        let open =
            self.live.iter().filter(|order| order.new.side == side).map(|order| u128::from(order.open));
        if open.sum::<u128>() + u128::from(quantity) > u128::from(u64::MAX) {
            Err(Reason::BookFull)
        } else {
            Ok(())
        }
    }

    /// §2.13: the price at which an order enters the book without taking.
    fn check_post_only(&self, new: &NewOrder, price: Price, open: Quantity) -> Result<Price, Reason> {
        if new.post_only == PostOnly::No || self.phase != Phase::Continuous {
            return Ok(price);
        }
        let Some(best) = self.first(new.side.opposite()).map(|best| best.price) else { return Ok(price) };
        let takes = if new.side == Side::Buy { price >= best } else { price <= best };
        match new.post_only {
            _ if !takes => Ok(price),
            PostOnly::Reprice => {
                let moved = if new.side == Side::Buy { self.below(best) } else { self.above(best) };
                let (low, high) = self.definition.band;
                let moved = moved.filter(|moved| (low..=high).contains(moved)).ok_or(Reason::WouldTake)?;
                self.check_notional(moved, open).map(|()| moved)
            }
            _ => Err(Reason::WouldTake),
        }
    }

    fn tick(&self, price: Price) -> Price {
        let mut tick = 1;
        for row in self.definition.ticks.rows() {
            if row.from <= price {
                tick = row.tick;
            }
        }
        tick
    }

    /// The nearest valid price below, if there is one.
    fn below(&self, price: Price) -> Option<Price> {
        let mut at = price - 1;
        at -= at % self.tick(at);
        if at == 0 { None } else { Some(at) }
    }

    /// The nearest valid price above, if there is one.
    fn above(&self, price: Price) -> Option<Price> {
        let tick = self.tick(price);
        let at = (u128::from(price) / u128::from(tick) + 1) * u128::from(tick);
        if at > u128::from(MAX_PRICE) { None } else { Some(at as Price) }
    }

    fn day_end(&self) -> Millis {
        let day = (self.now / 1000 + self.day_offset_s) / DAY_S;
        ((day + 1) * DAY_S - self.day_offset_s).saturating_mul(1000)
    }

    /// Puts an order with a stop where it belongs: among the stopped, or into the queue if the last trade says so.
    fn stop(&mut self, id: OrderId) {
        let (last, continuous) = (self.last, self.phase == Phase::Continuous);
        let order = self.order(id);
        order.mark = last;
        if continuous && last.is_some_and(|last| order.satisfied(last)) {
            order.place = Place::Moving;
            self.queue.push((id, Why::Stop));
        } else {
            order.place = Place::Stopped;
        }
    }

    // §3

    fn activate(&mut self, id: OrderId) {
        let arrival = self.next_arrival();
        let order = self.order(id);
        order.arrival = arrival;
        order.place = Place::Moving;
        order.trigger = Trigger::None;
        let order = order.clone();
        if self.phase != Phase::Continuous {
            if !order.can_rest() {
                let volatility = self.phase == Phase::VolatilityAuction;
                self.cancel(id, if volatility { Reason::Volatility } else { Reason::WrongPhase });
            } else if order.needs() > 0 {
                self.order(id).place = Place::Waiting;
            } else {
                self.rest(id);
            }
        } else if order.is(TimeInForce::Fok) && self.reach(&order) < order.open {
            self.cancel(id, Reason::Fok);
        } else if order.needs() > 0 && self.reach(&order) < order.needs() {
            if order.is(TimeInForce::Ioc) {
                self.cancel(id, Reason::MinimumQuantity);
            } else {
                self.order(id).place = Place::Waiting;
            }
        } else {
            let stopped = self.take(id);
            self.leave_or_rest(id, &order, stopped);
        }
        self.end_pass();
    }

    /// What becomes of an order after it has matched.
    fn leave_or_rest(&mut self, id: OrderId, before: &Live, stopped: Option<Stopped>) {
        if self.order(id).filled > before.filled {
            self.cancel_partner(id);
        }
        let Some(stopped) = stopped else {
            let filled = self.remove(id);
            return self.gone(&filled);
        };
        match stopped {
            Stopped::SelfTrade => return self.cancel(id, Reason::SelfTrade),
            Stopped::Volatility => {
                let until = self.now.saturating_add(self.definition.volatility_auction_ms);
                self.events.push(Event::PhaseChanged {
                    from: self.phase,
                    to: Phase::VolatilityAuction,
                    until,
                });
                self.phase = Phase::VolatilityAuction;
                self.until = until;
            }
            Stopped::NobodyLeft | Stopped::Price | Stopped::Budget => {}
        }
        if before.can_rest() {
            return self.rest(id);
        }
        let reason = match stopped {
            Stopped::Volatility => Reason::Volatility,
            Stopped::Budget => Reason::Budget,
            Stopped::NobodyLeft if before.is_market() => Reason::NoOppositeQuote,
            _ if before.is_market() => Reason::Protection,
            _ => Reason::Ioc,
        };
        self.cancel(id, reason);
    }

    fn rest(&mut self, id: OrderId) {
        let order = self.order(id);
        order.place = Place::Resting;
        order.shown = order.shows_of(order.open);
        order.whole = false;
        order.minimum = 0;
    }

    /// Matches the order. None when it is filled.
    fn take(&mut self, id: OrderId) -> Option<Stopped> {
        loop {
            let taker = self.order(id).clone();
            if taker.open == 0 {
                return None;
            }
            let Some(maker) = self.first(taker.new.side.opposite()).cloned() else {
                return Some(Stopped::NobodyLeft);
            };
            if !self.acceptable(&taker, maker.price) {
                return Some(Stopped::Price);
            }
            let most = if taker.new.budget == 0 {
                taker.open
            } else {
                let lot = u128::from(self.definition.lot);
                let lots = u128::from(taker.budget) / (u128::from(maker.price) * lot);
                (lots * lot).min(u128::from(taker.open)) as Quantity
            };
            if most == 0 {
                return Some(Stopped::Budget);
            }
            if !self.inside_corridors(maker.price) {
                return Some(Stopped::Volatility);
            }
            if taker.new.self_trade != SelfTrade::Allow && taker.is_own(&maker) {
                match taker.new.self_trade {
                    SelfTrade::Allow => unreachable!(),
                    SelfTrade::CancelNewest => return Some(Stopped::SelfTrade),
                    SelfTrade::CancelOldest => self.cancel(maker.id(), Reason::SelfTrade),
                    SelfTrade::CancelBoth => {
                        self.cancel(maker.id(), Reason::SelfTrade);
                        return Some(Stopped::SelfTrade);
                    }
                    SelfTrade::Decrement => {
                        let by = taker.open.min(maker.open);
                        if by == maker.open {
                            self.cancel(maker.id(), Reason::SelfTrade);
                        } else {
                            self.reduce(maker.id(), by, Reason::SelfTrade);
                        }
                        if by == taker.open {
                            return Some(Stopped::SelfTrade);
                        }
                        self.reduce(id, by, Reason::SelfTrade);
                    }
                }
                continue;
            }
            self.fill(maker.id(), id, maker.price, most.min(maker.shown), false);
            self.cancel_partner(maker.id());
            self.end_if_filled(maker.id());
        }
    }

    /// Whether the order may trade at this price.
    fn acceptable(&self, order: &Live, price: Price) -> bool {
        let (low, high) = self.definition.band;
        let limit = match order.new.side {
            _ if !order.is_market() || order.price > 0 => order.price,
            Side::Buy => high,
            Side::Sell => low,
        };
        if order.new.side == Side::Buy { price <= limit } else { price >= limit }
    }

    fn inside_corridors(&self, price: Price) -> bool {
        let inside = |reference: Price, width: u32| {
            let reach = u128::from(reference) * u128::from(width) / 10_000;
            reference == 0 || width == 0 || u128::from(price.abs_diff(reference)) <= reach
        };
        inside(self.last_auction.unwrap_or(self.definition.reference), self.definition.static_band)
            && inside(self.last.unwrap_or(0), self.definition.dynamic_band)
    }

    /// How much of the order the other side would fill.
    fn reach(&self, order: &Live) -> Quantity {
        let own = |maker: &Live| order.new.self_trade != SelfTrade::Allow && order.is_own(maker);
        let passes_over = order.new.self_trade == SelfTrade::CancelOldest;
        let makers = self.side(order.new.side.opposite());
        let mut sum: u128 = 0;
        // The first fill of a maker takes out what it is linked to.
        let mut gone: Vec<OrderId> = vec![];
        for maker in &makers {
            if !self.acceptable(order, maker.price) || !self.inside_corridors(maker.price) {
                break;
            }
            if gone.contains(&maker.new.order) {
                continue;
            }
            if own(maker) {
                if passes_over {
                    gone.extend(maker.partner);
                    continue;
                }
                break;
            }
            // The hidden parts of a level come after everything that is displayed there, an own order included.
            let ends_here =
                !passes_over && makers.iter().any(|other| other.price == maker.price && own(other));
            sum += u128::from(if ends_here { maker.shown } else { maker.open });
            gone.extend(maker.partner);
        }
        sum.min(u128::from(order.open)) as Quantity
    }

    /// One fill. The maker's queue place is looked after, its end is not.
    fn fill(&mut self, maker: OrderId, taker: OrderId, price: Price, quantity: Quantity, auction: bool) {
        let arrival = self.arrivals + 1;
        for id in [maker, taker] {
            let order = self.order(id);
            order.open -= quantity;
            order.filled += quantity;
            if order.new.budget != 0 {
                order.budget -= price * quantity;
            }
        }
        let order = self.order(maker);
        if auction {
            order.shown = order.shown.min(order.open);
        } else {
            order.shown -= quantity;
            if order.shown == 0 && order.open > 0 {
                order.shown = order.shows_of(order.open);
                order.arrival = arrival;
                self.arrivals = arrival;
            }
        }
        if auction {
            let order = self.order(taker);
            order.shown = order.shown.min(order.open);
        }
        let (maker, taker) = (self.order(maker).clone(), self.order(taker).clone());
        self.trades.push(price);
        self.events.push(Event::Filled(Fill {
            maker: maker.party(),
            taker: taker.party(),
            taker_side: taker.new.side,
            auction,
            price,
            quantity,
        }));
    }

    fn end_if_filled(&mut self, id: OrderId) {
        if self.order(id).open == 0 {
            let filled = self.remove(id);
            self.gone(&filled);
        }
    }

    /// Takes from what is open, from a hidden part first.
    fn reduce(&mut self, id: OrderId, by: Quantity, reason: Reason) {
        let order = self.order(id);
        order.open -= by;
        order.shown = order.shown.min(order.open);
        order.minimum = order.minimum.min(order.open);
        let now = order.reference();
        self.events.push(Event::Reduced { now, by, reason });
    }

    // §4

    /// The end of a live order without a fill, and what follows from it.
    fn cancel(&mut self, id: OrderId, reason: Reason) {
        let order = self.remove(id);
        self.events.push(Event::Cancelled(order.reference(), reason));
        self.gone(&order);
    }

    /// The end of an order that takes nobody along.
    fn cancel_alone(&mut self, id: OrderId, reason: Reason) {
        let order = self.remove(id);
        self.events.push(Event::Cancelled(order.reference(), reason));
    }

    /// What follows from an order's end. The order is no longer among the live ones.
    fn gone(&mut self, order: &Live) {
        for exit in self.exits(order.id(), |_| true) {
            if order.filled == 0 {
                self.cancel_alone(exit, Reason::Linked);
                continue;
            }
            let open = self.order(exit).open;
            if order.filled < open {
                self.reduce(exit, open - order.filled, Reason::Linked);
            }
            let exit = self.order(exit);
            exit.place = Place::Moving;
            exit.entry = None;
            let id = exit.id();
            self.released.push(id);
        }
        if let Some(partner) = order.partner {
            self.order(partner).partner = None;
            self.cancel(partner, Reason::Linked);
        }
    }

    /// One cancels the other: this is the one.
    fn cancel_partner(&mut self, id: OrderId) {
        if let Some(partner) = self.order(id).partner.take() {
            self.order(partner).partner = None;
            self.cancel(partner, Reason::Linked);
        }
    }

    /// §4.1 and §4.2
    fn end_pass(&mut self) {
        for id in std::mem::take(&mut self.released) {
            self.queue.push((id, Why::Release));
        }
        let trades = std::mem::take(&mut self.trades);
        if let (Some(&first), Some(&last)) = (trades.first(), trades.last()) {
            self.last = Some(last);
            match self.phase {
                Phase::Continuous => self.queue_triggered(&[first, last]),
                // Not an auction's trades: those are made when the phase is another one.
                Phase::VolatilityAuction => {
                    for id in self.triggered(&[first, last]) {
                        self.order(id).due = true;
                    }
                }
                _ => {}
            }
        }
    }

    /// Queues what trades at these prices, one after the other, set off.
    fn queue_triggered(&mut self, prices: &[Price]) {
        for id in self.triggered(prices) {
            self.order(id).place = Place::Moving;
            self.queue.push((id, Why::Stop));
        }
    }

    /// What trades at these prices, one after the other, set off, by arrival; marks follow.
    fn triggered(&mut self, prices: &[Price]) -> Vec<OrderId> {
        let mut triggered: Vec<(u64, OrderId)> = vec![];
        for &price in prices {
            let stopped = |order: &&mut Live| order.place == Place::Stopped && !order.due;
            for order in self.live.iter_mut().filter(stopped) {
                if triggered.contains(&(order.arrival, order.id())) {
                    continue;
                }
                order.mark = Some(match (order.mark, order.new.side) {
                    (None, _) => price,
                    (Some(mark), Side::Buy) => mark.min(price),
                    (Some(mark), Side::Sell) => mark.max(price),
                });
                if order.satisfied(price) {
                    triggered.push((order.arrival, order.id()));
                }
            }
        }
        triggered.sort();
        triggered.into_iter().map(|(_, id)| id).collect()
    }

    /// §4.3: after this nothing is queued.
    fn settle(&mut self) {
        self.end_pass();
        while !self.queue.is_empty() {
            let (id, why) = self.queue.remove(0);
            if self.find(id).is_some() {
                self.start(id, why);
            }
        }
    }

    /// One order of the queue.
    fn start(&mut self, id: OrderId, why: Why) {
        let order = self.order(id).clone();
        if why == Why::Release && order.trigger == Trigger::None {
            match self.check_post_only(&order.new, order.price, order.open) {
                Ok(price) => self.order(id).price = price,
                Err(reason) => {
                    self.cancel(id, reason);
                    return self.end_pass();
                }
            }
        }
        let arrival = self.next_arrival();
        self.order(id).arrival = arrival;
        let now = self.order(id).reference();
        self.events.push(Event::Triggered(now));
        let mut by_stop = why == Why::Stop;
        if why == Why::Release && order.trigger != Trigger::None {
            let last = self.last;
            let order = self.order(id);
            order.mark = last;
            let satisfied = last.is_some_and(|last| order.satisfied(last));
            if self.phase != Phase::Continuous || !satisfied {
                self.order(id).place = Place::Stopped;
                return;
            }
            by_stop = true;
        }
        if by_stop {
            self.cancel_partner(id);
        }
        self.activate(id);
    }

    // §5

    fn try_waiting(&mut self) {
        while self.phase == Phase::Continuous {
            let ready = self
                .live
                .iter()
                .filter(|order| order.place == Place::Waiting && self.reach(order) >= order.needs());
            let Some(id) = ready.min_by_key(|order| order.arrival).map(Live::id) else { return };
            self.order(id).place = Place::Moving;
            self.start(id, Why::Enough);
            self.settle();
        }
    }

    // §6

    fn set_phase(&mut self, to: Phase) {
        if to == self.phase || self.phase == Phase::Delisted || to == Phase::VolatilityAuction {
            self.events.push(Event::CommandRejected(Reason::BadPhase));
        } else {
            self.change_phase(to);
        }
    }

    fn change_phase(&mut self, to: Phase) {
        self.events.push(Event::PhaseChanged { from: self.phase, to, until: 0 });
        self.phase = to;
        if to == Phase::Delisted {
            self.live.sort_by_key(|order| order.arrival);
            for order in std::mem::take(&mut self.live) {
                self.events.push(Event::Cancelled(order.reference(), Reason::Delisted));
            }
        }
        if to == Phase::Continuous {
            let mut due: Vec<(u64, OrderId)> =
                self.live.iter().filter(|order| order.due).map(|order| (order.arrival, order.id())).collect();
            due.sort();
            for (_, id) in due {
                let order = self.order(id);
                (order.place, order.due) = (Place::Moving, false);
                self.queue.push((id, Why::Stop));
            }
        }
        if matches!(to, Phase::Continuous | Phase::Closed) {
            // Once is enough, unless links took orders out of it.
            while self.is_crossed() {
                self.auction();
            }
        }
        if let Some(last) = self.last
            && to == Phase::Continuous
        {
            self.queue_triggered(&[last]);
        }
        self.settle();
    }

    /// Price, volume and surplus of an auction of the book as it stands, if it is crossed.
    fn equilibrium(&self) -> Option<(Price, Quantity, Quantity)> {
        let (buys, sells) = (self.side(Side::Buy), self.side(Side::Sell));
        let (bid, ask) = (buys.first()?.price, sells.first()?.price);
        let reference = self.last.unwrap_or(self.definition.reference);
        let mut candidates: Vec<Price> = buys.iter().chain(&sells).map(|order| order.price).collect();
        if reference != 0 && reference <= MAX_PRICE && reference.is_multiple_of(self.tick(reference)) {
            candidates.push(reference);
        }
        candidates.sort();
        candidates.dedup();
        let mut best: Option<(Price, u128, u128)> = None;
        for price in candidates.into_iter().filter(|price| (ask..=bid).contains(price)) {
            let open = |order: &&Live| u128::from(order.open);
            let demand: u128 = buys.iter().filter(|order| order.price >= price).map(open).sum();
            let supply: u128 = sells.iter().filter(|order| order.price <= price).map(open).sum();
            let (volume, surplus) = (demand.min(supply), demand.abs_diff(supply));
            let distance = |price: Price| if reference == 0 { 0 } else { price.abs_diff(reference) };
            let better = match best {
                None => true,
                Some((_, most, _)) if volume != most => volume > most,
                Some((_, _, least)) if surplus != least => surplus < least,
                Some((at, ..)) if distance(price) != distance(at) => distance(price) < distance(at),
                Some((at, ..)) => price > at,
            };
            if better {
                best = Some((price, volume, surplus));
            }
        }
        best.map(|(price, volume, surplus)| (price, volume as Quantity, surplus as Quantity))
    }

    fn auction(&mut self) {
        let Some((price, volume, surplus)) = self.equilibrium() else { return };
        self.events.push(Event::Auctioned { price, quantity: volume, surplus });
        let mut left = volume;
        while left > 0 {
            let Some(buy) = self.first(Side::Buy).filter(|buy| buy.price >= price).cloned() else { break };
            let Some(sell) = self.first(Side::Sell).filter(|sell| sell.price <= price).cloned() else {
                break;
            };
            let quantity = buy.open.min(sell.open).min(left);
            left -= quantity;
            self.fill(sell.id(), buy.id(), price, quantity, true);
            self.cancel_partner(buy.id());
            self.cancel_partner(sell.id());
            self.end_if_filled(buy.id());
            self.end_if_filled(sell.id());
        }
        self.last_auction = Some(price);
        self.end_pass();
    }

    // §7

    fn may_touch(&self, order: OrderId, user: UserId) -> Result<(), Reason> {
        match self.find(order) {
            None => Err(Reason::UnknownOrder),
            Some(live) if live.new.user != user => Err(Reason::NotOwner),
            Some(_) => Ok(()),
        }
    }

    fn cancel_one(&mut self, order: OrderId, user: UserId) {
        match self.may_touch(order, user) {
            Ok(()) => self.cancel(order, Reason::User),
            Err(reason) => self.events.push(Event::CancelRejected { order, user, reason }),
        }
        self.settle();
    }

    fn replace(&mut self, replace: &Replace) {
        let &Replace { order: id, user, quantity, .. } = replace;
        let price = match self.refuses_replace(replace) {
            Ok(price) => price,
            Err(reason) => return self.events.push(Event::ReplaceRejected { order: id, user, reason }),
        };
        let old = self.order(id).clone();
        let stop = replace.stop.map_or(old.trigger, Trigger::Stop);
        let reduction = self.is_pure_reduction(replace, &old);
        let order = self.order(id);
        order.price = price;
        order.open = quantity;
        order.trigger = stop;
        order.due &= reduction;
        let delta = quantity as i64 - old.open as i64;
        let now = order.reference();
        self.events.push(Event::Replaced { now, delta });
        if reduction {
            let order = self.order(id);
            order.shown = order.shown.min(order.open);
            return;
        }
        let arrival = self.next_arrival();
        self.order(id).arrival = arrival;
        match old.place {
            Place::Resting => self.activate(id),
            Place::Stopped => {
                let (last, continuous) = (self.last, self.phase == Phase::Continuous);
                let order = self.order(id);
                if continuous && last.is_some_and(|last| order.satisfied(last)) {
                    order.place = Place::Moving;
                    self.queue.push((id, Why::Stop));
                }
            }
            Place::Waiting | Place::Held => {}
            Place::Moving => unreachable!(),
        }
        self.settle();
    }

    fn is_pure_reduction(&self, replace: &Replace, old: &Live) -> bool {
        replace.price == old.price
            && replace.quantity <= old.open
            && replace.stop.is_none_or(|stop| old.trigger == Trigger::Stop(stop))
    }

    /// Why the replace is refused, or else the order's new price.
    fn refuses_replace(&self, replace: &Replace) -> Result<Price, Reason> {
        if matches!(self.phase, Phase::Halt | Phase::Closed | Phase::CancelOnly) {
            return Err(Reason::WrongPhase);
        }
        self.may_touch(replace.order, replace.user)?;
        let old = self.find(replace.order).unwrap();
        self.check_quantity(replace.quantity)?;
        if replace.price != old.price || replace.quantity > old.open {
            if !(old.is_market() && replace.price == 0) {
                self.check_price(replace.price)?;
            }
            self.check_notional(replace.price, replace.quantity)?;
        }
        if replace.expected.is_some_and(|expected| expected != (old.price, old.open)) {
            return Err(Reason::StaleOrder);
        }
        if let Some(stop) = replace.stop {
            let waits = matches!(old.place, Place::Stopped | Place::Held);
            if !waits || !matches!(old.trigger, Trigger::Stop(_)) {
                return Err(Reason::BadCombination);
            }
            if old.trigger != Trigger::Stop(stop) {
                self.check_price(stop)?;
            }
        }
        self.check_display(old.new.display, replace.quantity)?;
        if old.minimum > replace.quantity {
            return Err(Reason::BadCombination);
        }
        self.check_room(old.new.side, replace.quantity)?;
        if old.place == Place::Resting && !self.is_pure_reduction(replace, old) {
            self.check_post_only(&old.new, replace.price, replace.quantity)
        } else {
            Ok(replace.price)
        }
    }

    fn mass_cancel(&mut self, mass: &MassCancel) {
        let mut named: Vec<&Live> = self
            .live
            .iter()
            .filter(|order| mass.user.is_none_or(|user| order.new.user == user))
            .filter(|order| mass.side.is_none_or(|side| order.new.side == side))
            .filter(|order| !mass.disconnected || order.new.cancel_on_disconnect)
            .collect();
        named.sort_by_key(|order| order.arrival);
        let named: Vec<OrderId> = named.into_iter().map(Live::id).collect();
        let reason = if mass.disconnected { Reason::Disconnected } else { Reason::MassCancel };
        let mut orders = 0;
        for id in named {
            if self.find(id).is_some() {
                orders += 1;
                self.cancel(id, reason);
            }
        }
        self.events.push(Event::MassCancelled { user: mass.user, orders });
        self.settle();
    }

    fn define(&mut self, definition: &Definition) {
        let other = definition.ticks != self.definition.ticks || definition.lot != self.definition.lot;
        self.events.push(if !definition.is_sound() {
            Event::CommandRejected(Reason::BadDefinition)
        } else if other && !self.live.is_empty() {
            Event::CommandRejected(Reason::NotEmpty)
        } else {
            if definition.reference != self.definition.reference {
                self.last_auction = None;
            }
            self.definition = *definition;
            Event::Defined
        });
    }

    // The vector

    fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    fn find(&self, id: OrderId) -> Option<&Live> {
        self.live.iter().find(|order| order.id() == id)
    }

    /// An order that is known to be live.
    fn order(&mut self, id: OrderId) -> &mut Live {
        self.live.iter_mut().find(|order| order.id() == id).expect("it is live")
    }

    fn remove(&mut self, id: OrderId) -> Live {
        let at = self.live.iter().position(|order| order.id() == id).expect("it is live");
        self.live.remove(at)
    }

    /// The exits held for an entry of this id, lowest arrival first.
    fn exits(&self, entry: OrderId, which: impl Fn(&Live) -> bool) -> Vec<OrderId> {
        let held = |order: &&Live| order.place == Place::Held && order.entry == Some(entry);
        let mut exits: Vec<&Live> = self.live.iter().filter(held).filter(|order| which(order)).collect();
        exits.sort_by_key(|order| order.arrival);
        exits.into_iter().map(Live::id).collect()
    }

    /// Smaller for the order that is filled earlier.
    fn priority(order: &Live) -> (Price, u64) {
        let price = if order.new.side == Side::Buy { Price::MAX - order.price } else { order.price };
        (price, order.arrival)
    }

    fn first(&self, side: Side) -> Option<&Live> {
        let resting = |order: &&Live| order.place == Place::Resting && order.new.side == side;
        self.live.iter().filter(resting).min_by_key(|order| ReferenceMarket::priority(order))
    }

    /// One side of the book in the order in which it would be filled.
    fn side(&self, side: Side) -> Vec<&Live> {
        let resting = |order: &&Live| order.place == Place::Resting && order.new.side == side;
        let mut orders: Vec<&Live> = self.live.iter().filter(resting).collect();
        orders.sort_by_key(|order| ReferenceMarket::priority(order));
        orders
    }
}
