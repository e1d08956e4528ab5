//! The slow, obvious reference book: a vector of orders, searched from end to end at every step.
#![allow(dead_code)]

use engine_core::command::{Command, MAX_NOTIONAL, MAX_PRICE, MAX_QUANTITY, NewOrder, Replace};
use engine_core::event::{Event, Fill, OrderRef, Party, Reason};
use engine_core::types::{OrderId, OrderType, Price, Quantity, Side, TimeInForce, UserId};

#[derive(Clone, Copy, Debug)]
pub struct Resting {
    pub order: OrderId,
    pub user: UserId,
    pub side: Side,
    pub price: Price,
    pub open: Quantity,
    /// Earlier is better at the same price.
    pub arrival: u64,
}

#[derive(Default)]
pub struct ReferenceBook {
    pub resting: Vec<Resting>,
    arrivals: u64,
}

impl ReferenceBook {
    pub fn apply(&mut self, command: &Command) -> Vec<Event> {
        match command {
            Command::Add(new) => self.add(new),
            Command::Cancel { order, user } => match self.find(*order, *user) {
                Ok(at) => {
                    let gone = self.resting.remove(at);
                    vec![Event::Cancelled(reference(&gone, gone.price, gone.open), Reason::User)]
                }
                Err(reason) => vec![Event::CancelRejected { order: *order, user: *user, reason }],
            },
            Command::Replace(replace) => self.replace(replace),
            Command::Tick => vec![],
        }
    }

    /// Price, quantity and orders of each level, best first.
    pub fn depth(&self, side: Side) -> Vec<(Price, Quantity, u32)> {
        let mut levels: Vec<(Price, Quantity, u32)> = vec![];
        for order in self.queue(side) {
            match levels.last_mut() {
                Some(level) if level.0 == order.price => {
                    level.1 += order.open;
                    level.2 += 1;
                }
                _ => levels.push((order.price, order.open, 1)),
            }
        }
        levels
    }

    /// One side in the order in which it would be filled.
    pub fn queue(&self, side: Side) -> Vec<Resting> {
        let mut orders: Vec<_> = self.resting.iter().filter(|o| o.side == side).copied().collect();
        orders.sort_by_key(|o| (if side == Side::Buy { u64::MAX - o.price } else { o.price }, o.arrival));
        orders
    }

    fn find(&self, order: OrderId, user: UserId) -> Result<usize, Reason> {
        let at = self.resting.iter().position(|o| o.order == order).ok_or(Reason::UnknownOrder)?;
        if self.resting[at].user == user { Ok(at) } else { Err(Reason::NotOwner) }
    }

    fn bad_terms(price: Price, quantity: Quantity, priced: bool) -> Option<Reason> {
        match () {
            () if quantity == 0 => Some(Reason::ZeroQuantity),
            () if quantity > MAX_QUANTITY => Some(Reason::QuantityTooLarge),
            () if price == 0 && priced => Some(Reason::ZeroPrice),
            () if price > MAX_PRICE => Some(Reason::PriceTooLarge),
            () if u128::from(price) * u128::from(quantity) > MAX_NOTIONAL => Some(Reason::NotionalTooLarge),
            () => None,
        }
    }

    fn add(&mut self, new: &NewOrder) -> Vec<Event> {
        let market = new.order_type == OrderType::Market;
        let asked = OrderRef {
            order: new.order,
            user: new.user,
            side: new.side,
            price: new.price,
            quantity: new.quantity,
        };
        let nobody = self.queue(new.side.opposite()).is_empty();
        let refused = Self::bad_terms(new.price, new.quantity, !market)
            .or((market && nobody).then_some(Reason::NoOppositeQuote))
            .or(self.resting.iter().any(|o| o.order == new.order).then_some(Reason::DuplicateOrder));
        if let Some(reason) = refused {
            return vec![Event::Rejected(asked, reason)];
        }
        let mut events = vec![Event::Accepted(asked)];
        let acceptable = |price: Price| match new.side {
            _ if market && new.price == 0 => true,
            Side::Buy => price <= new.price,
            Side::Sell => price >= new.price,
        };
        let reachable: Quantity =
            self.queue(new.side.opposite()).iter().filter(|o| acceptable(o.price)).map(|o| o.open).sum();
        if !market && new.time_in_force == TimeInForce::Fok && reachable < new.quantity {
            events.push(Event::Cancelled(asked, Reason::Fok));
            return events;
        }
        let open = self.take(new.order, new.user, new.side, new.price, new.quantity, acceptable, &mut events);
        let rest = OrderRef { quantity: open, ..asked };
        if open == 0 {
        } else if market {
            let nobody = self.queue(new.side.opposite()).is_empty();
            let reason = if nobody { Reason::NoOppositeQuote } else { Reason::Protection };
            events.push(Event::Cancelled(rest, reason));
        } else if new.time_in_force == TimeInForce::Ioc {
            events.push(Event::Cancelled(rest, Reason::Ioc));
        } else {
            self.rest(new.order, new.user, new.side, new.price, open);
        }
        events
    }

    fn replace(&mut self, replace: &Replace) -> Vec<Event> {
        let &Replace { order, user, price, quantity, expected } = replace;
        let refused = |reason| vec![Event::ReplaceRejected { order, user, reason }];
        let at = match self.find(order, user) {
            Ok(at) => at,
            Err(reason) => return refused(reason),
        };
        if let Some(reason) = Self::bad_terms(price, quantity, true) {
            return refused(reason);
        }
        let old = self.resting[at];
        if expected.is_some_and(|expected| expected != (old.price, old.open)) {
            return refused(Reason::StaleOrder);
        }
        let now = reference(&old, price, quantity);
        let mut events = vec![Event::Replaced { now, delta: i128::from(quantity) - i128::from(old.open) }];
        if price == old.price && quantity <= old.open {
            self.resting[at].open = quantity;
            return events;
        }
        self.resting.remove(at);
        let acceptable = |other: Price| if old.side == Side::Buy { other <= price } else { other >= price };
        let open = self.take(order, user, old.side, price, quantity, acceptable, &mut events);
        if open > 0 {
            self.rest(order, user, old.side, price, open);
        }
        events
    }

    #[allow(clippy::too_many_arguments)]
    fn take(
        &mut self,
        order: OrderId,
        user: UserId,
        side: Side,
        price: Price,
        mut open: Quantity,
        acceptable: impl Fn(Price) -> bool,
        events: &mut Vec<Event>,
    ) -> Quantity {
        for maker in self.queue(side.opposite()) {
            if open == 0 || !acceptable(maker.price) {
                break;
            }
            let quantity = open.min(maker.open);
            open -= quantity;
            let remaining = maker.open - quantity;
            if remaining == 0 {
                self.resting.retain(|o| o.order != maker.order);
            } else {
                self.resting.iter_mut().filter(|o| o.order == maker.order).for_each(|o| o.open = remaining);
            }
            events.push(Event::Filled(Fill {
                maker: Party { order: maker.order, user: maker.user, price: maker.price, remaining },
                taker: Party { order, user, price, remaining: open },
                taker_side: side,
                price: maker.price,
                quantity,
            }));
        }
        open
    }

    fn rest(&mut self, order: OrderId, user: UserId, side: Side, price: Price, open: Quantity) {
        self.arrivals += 1;
        self.resting.push(Resting { order, user, side, price, open, arrival: self.arrivals });
    }
}

fn reference(order: &Resting, price: Price, quantity: Quantity) -> OrderRef {
    OrderRef { order: order.order, user: order.user, side: order.side, price, quantity }
}
