//! New orders: what refuses them, and how they become active (`RULES.md` §2 and §3).

use super::OrderBook;
use super::matching::Taker;
use super::store::{Extra, Manner, Order, Place};
use crate::command::{MAX_PRICE, MAX_SLICES, NewOrder};
use crate::event::{Event, OrderRef, Reason};
use crate::feed::Sink;
use crate::ladder::NONE;
use crate::types::{
    Link, Millis, NO_END, OrderType, Phase, PostOnly, Price, Quantity, Side, TimeInForce, Trigger,
};

/// The two kinds of watched orders.
pub(super) const TRAILING: usize = 0;
pub(super) const WITH_MINIMUM: usize = 1;

impl NewOrder {
    /// Whether nothing about it outlasts its entry but price, quantity and self-trade rule.
    #[inline]
    fn is_plain(&self) -> bool {
        // One branch for what is nearly always so.
        let special = self.display | self.minimum | u64::from(self.all_or_none);
        special == 0
            && matches!(self.trigger, Trigger::None)
            && matches!(self.link, Link::None)
            && matches!(self.time_in_force, TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok)
    }

    fn is_market(&self) -> bool {
        self.order_type == OrderType::Market
    }

    fn is_fok(&self) -> bool {
        !self.is_market() && self.time_in_force == TimeInForce::Fok
    }

    #[inline]
    fn is_immediate(&self) -> bool {
        self.is_market() || self.time_in_force.is_immediate()
    }

    fn has_minimum(&self) -> bool {
        self.minimum > 0 || self.all_or_none
    }

    /// Two terms that exclude each other.
    fn contradicts_itself(&self) -> bool {
        let no_price = matches!(self.trigger, Trigger::Stop(0) | Trigger::Trailing(0));
        let triggered = self.trigger != Trigger::None;
        let iceberg = self.display > 0;
        let post_only = self.post_only != PostOnly::No;
        (self.is_market() && (iceberg || self.has_minimum() || post_only))
            || (self.budget > 0 && !(self.is_market() && self.side == Side::Buy))
            || (post_only && (triggered || self.is_immediate() || self.has_minimum()))
            || (iceberg && (self.is_immediate() || self.has_minimum()))
            || (self.all_or_none && self.minimum > 0)
            || (self.is_fok() && self.has_minimum())
            || no_price
            || self.minimum > self.quantity
    }
}

impl OrderBook {
    /// A new order: accepted and entered, or rejected, and then nothing changed.
    #[inline]
    pub(crate) fn add<S: Sink>(&mut self, new: &NewOrder, sink: &mut S) {
        let account = self.account(new.user);
        let plain = new.is_plain()
            && self.phase == Phase::Continuous
            && (self.exits.is_empty() || self.exits_for(new.order) == NONE);
        let checked =
            if plain { self.check_new::<true>(new, account) } else { self.check_new::<false>(new, account) };
        match checked {
            Ok(price) => {
                sink.event(Event::Accepted(asked(new, price, new.quantity)));
                if plain {
                    self.enter_plain(new, price, account, sink);
                } else {
                    self.enter_special(new, price, account, sink);
                }
            }
            Err(reason) => {
                sink.event(Event::Rejected(asked(new, new.price, new.quantity), reason));
                if !self.exits.is_empty() {
                    self.drop_exits(new, sink);
                }
            }
        }
    }

    /// The order's price, moved if it is post-only and would take; or why it is refused.
    #[inline]
    fn check_new<const PLAIN: bool>(&self, new: &NewOrder, account: u32) -> Result<Price, Reason> {
        if !PLAIN && self.phase != Phase::Continuous {
            self.check_phase(new)?;
        }
        refuse(self.definition.refuses_quantity(new.quantity))?;
        if (!PLAIN || new.budget > 0 || new.post_only != PostOnly::No) && new.contradicts_itself() {
            return Err(Reason::BadCombination);
        }
        if !PLAIN {
            self.check_display(new.display, new.quantity)?;
        }
        self.check_price(new.order_type, new.price)?;
        if !PLAIN {
            match new.trigger {
                Trigger::None => {}
                Trigger::Stop(price) => refuse(self.definition.refuses_price(price))?,
                Trigger::Trailing(distance) if distance > MAX_PRICE => return Err(Reason::PriceTooLarge),
                Trigger::Trailing(_) => {}
            }
        }
        refuse(self.definition.refuses_notional(new.price, new.quantity))?;
        if !PLAIN && matches!(new.time_in_force, TimeInForce::Gtd(end) if end <= self.time) {
            return Err(Reason::AlreadyExpired);
        }
        let exit = !PLAIN && self.is_exit(new.link);
        if new.is_market()
            && new.trigger == Trigger::None
            && !exit
            && self.ladder(new.side.opposite()).best() == NONE
        {
            return Err(Reason::NoOppositeQuote);
        }
        if self.live[new.side as usize].checked_add(new.quantity).is_none() {
            return Err(Reason::BookFull);
        }
        if self.find(new.order) != NONE {
            return Err(Reason::DuplicateOrder);
        }
        if !PLAIN {
            self.check_link(new)?;
        }
        let limits = &self.definition.limits;
        if self.index.len() >= limits.orders as usize {
            return Err(Reason::TooManyOrders);
        }
        let of_account = if account == NONE { 0 } else { self.accounts[account].orders };
        if of_account >= limits.orders_per_account {
            return Err(Reason::TooManyAccountOrders);
        }
        if !PLAIN {
            let trailing = matches!(new.trigger, Trigger::Trailing(_));
            let minimum = new.has_minimum() && !new.is_immediate();
            if (trailing && self.watched[TRAILING] >= limits.watched)
                || (minimum && self.watched[WITH_MINIMUM] >= limits.watched)
            {
                return Err(Reason::TooManyWatched);
            }
        }
        if new.post_only == PostOnly::No || exit {
            return Ok(new.price);
        }
        self.post(new.side, new.post_only, new.price, new.quantity)
    }

    fn check_phase(&self, new: &NewOrder) -> Result<(), Reason> {
        match self.phase {
            Phase::Delisted => Err(Reason::Delisted),
            Phase::Halt | Phase::Closed | Phase::CancelOnly => Err(Reason::WrongPhase),
            _ if new.trigger == Trigger::None
                && !self.is_exit(new.link)
                && (new.is_immediate() || new.post_only != PostOnly::No) =>
            {
                Err(Reason::WrongPhase)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_display(&self, display: Quantity, quantity: Quantity) -> Result<(), Reason> {
        if !display.is_multiple_of(self.definition.lot) {
            return Err(Reason::NotALot);
        }
        // More than MAX_SLICES parts, where one that is not full counts as well.
        if display > 0 && quantity.div_ceil(MAX_SLICES) > display {
            return Err(Reason::DisplayTooSmall);
        }
        Ok(())
    }

    /// A limit, or a protection price where there is one.
    #[inline]
    pub(super) fn check_price(&self, order_type: OrderType, price: Price) -> Result<(), Reason> {
        if order_type == OrderType::Market && price == 0 {
            return Ok(());
        }
        refuse(self.definition.refuses_price(price))
    }

    /// Whether an order with this link is held until an entry ends.
    fn is_exit(&self, link: Link) -> bool {
        match link {
            Link::None => false,
            Link::ExitOf(_) => true,
            Link::Other(other) => {
                let slot = self.find(other);
                slot != NONE && self.orders[slot].place == Place::Held
            }
        }
    }

    fn check_link(&self, new: &NewOrder) -> Result<(), Reason> {
        let fits = match new.link {
            Link::None => return Ok(()),
            Link::Other(other) => {
                let slot = self.find(other);
                slot != NONE && {
                    let (order, extra) = (&self.orders[slot], self.extra(slot));
                    order.side == new.side
                        && self.accounts[order.account].user == new.user
                        && extra.peer == NONE
                        && extra.exit == NONE
                }
            }
            Link::ExitOf(entry) => {
                entry != new.order && self.find(entry) == NONE && self.exits_for(entry) == NONE
            }
        };
        if fits && self.exits_for(new.order) == NONE { Ok(()) } else { Err(Reason::BadLink) }
    }

    /// The price at which a post-only order does not take, if it may be moved there.
    pub(super) fn post(
        &self,
        side: Side,
        rule: PostOnly,
        price: Price,
        quantity: Quantity,
    ) -> Result<Price, Reason> {
        let other = self.ladder(side.opposite()).best();
        if rule == PostOnly::No || self.phase != Phase::Continuous || other == NONE {
            return Ok(price);
        }
        let best = self.levels[other].price;
        if !side.accepts(price, best) {
            return Ok(price);
        }
        let moved = match (rule, side) {
            (PostOnly::Reprice, Side::Buy) => self.definition.ticks.below(best),
            (PostOnly::Reprice, Side::Sell) => self.definition.ticks.above(best),
            _ => None,
        };
        let (low, high) = self.definition.band;
        let moved = moved.filter(|price| (low..=high).contains(price)).ok_or(Reason::WouldTake)?;
        // A sell order moves up.
        refuse(self.definition.refuses_notional(moved, quantity))?;
        Ok(moved)
    }

    /// The worst price that an order takes.
    #[inline]
    pub(super) fn worst_price(&self, side: Side, order_type: OrderType, price: Price) -> Price {
        match (order_type, price, side) {
            (OrderType::Market, 0, Side::Buy) => self.definition.band.1,
            (OrderType::Market, 0, Side::Sell) => self.definition.band.0,
            _ => price,
        }
    }

    /// An order that is matched at once and of which nothing but a plain resting order can be left.
    #[inline]
    fn enter_plain<S: Sink>(&mut self, new: &NewOrder, price: Price, account: u32, sink: &mut S) {
        let limit = self.worst_price(new.side, new.order_type, price);
        let best = self.ladder(new.side.opposite()).best();
        if best != NONE && new.side.accepts(limit, self.levels[best].price) {
            self.take_plain(new, price, limit, account, sink);
        } else if !new.is_immediate() {
            self.rest_plain(new, price, new.quantity, account, sink);
        } else {
            let reason = match (new.order_type, new.time_in_force) {
                // There is somebody on the other side, or it would have been refused.
                (OrderType::Market, _) => Reason::Protection,
                (_, TimeInForce::Fok) => Reason::Fok,
                _ => Reason::Ioc,
            };
            sink.event(Event::Cancelled(asked(new, price, new.quantity), reason));
        }
    }

    #[inline]
    fn take_plain<S: Sink>(
        &mut self,
        new: &NewOrder,
        price: Price,
        limit: Price,
        account: u32,
        sink: &mut S,
    ) {
        let mut taker = Taker {
            order: new.order,
            user: new.user,
            account,
            group: new.group,
            self_trade: new.self_trade,
            side: new.side,
            price,
            limit,
            open: new.quantity,
            reduced: 0,
            budget: if new.budget == 0 { u64::MAX } else { new.budget },
            first: 0,
            last: 0,
            stopped: None,
        };
        if new.is_fok() && !self.reaches(&taker, new.quantity) {
            sink.event(Event::Cancelled(asked(new, price, new.quantity), Reason::Fok));
            return;
        }
        self.take(&mut taker, sink);
        if taker.stopped == Some(Reason::Volatility) {
            self.interrupt(sink);
        }
        if taker.open > 0 {
            if !new.is_immediate() && matches!(taker.stopped, None | Some(Reason::Volatility)) {
                // The account is gone if the taker ended its last order.
                let gone = account == NONE || self.accounts[account].orders == 0;
                self.rest_plain(new, price, taker.open, if gone { NONE } else { account }, sink);
            } else {
                let reason = self.reason_for_rest(&taker, new.order_type);
                sink.event(Event::Cancelled(asked(new, price, taker.open), reason));
            }
        }
        self.after_pass(taker.first, taker.last);
    }

    #[inline]
    fn rest_plain<S: Sink>(
        &mut self,
        new: &NewOrder,
        price: Price,
        open: Quantity,
        account: u32,
        sink: &mut S,
    ) {
        let arrival = self.next_arrival();
        let order = Order {
            id: new.order,
            open,
            arrival,
            previous: NONE,
            next: NONE,
            level: NONE,
            extra: NONE,
            account,
            account_previous: NONE,
            account_next: NONE,
            group: new.group,
            side: new.side,
            place: Place::None,
            self_trade: new.self_trade,
            manner: Manner { post_only: new.post_only, cancel_on_disconnect: new.cancel_on_disconnect },
        };
        self.live[new.side as usize] += open;
        let slot = self.admit(new.user, account, order);
        self.link(slot, price, sink);
    }

    /// Why what is left of a taker cannot rest.
    fn reason_for_rest(&self, taker: &Taker, order_type: OrderType) -> Reason {
        match (taker.stopped, order_type) {
            (Some(reason), _) => reason,
            (None, OrderType::Limit) => Reason::Ioc,
            (None, OrderType::Market) if self.ladder(taker.side.opposite()).best() == NONE => {
                Reason::NoOppositeQuote
            }
            (None, OrderType::Market) => Reason::Protection,
        }
    }

    /// Any other order: it has its slot from now on.
    #[inline(never)]
    fn enter_special<S: Sink>(&mut self, new: &NewOrder, price: Price, account: u32, sink: &mut S) {
        let arrival = self.next_arrival();
        let expires = match new.time_in_force {
            TimeInForce::Day => self.day_ends,
            TimeInForce::Gtd(end) => end,
            _ => NO_END,
        };
        let extra = Extra {
            price,
            order_type: new.order_type,
            time_in_force: new.time_in_force,
            trigger: new.trigger,
            display: new.display,
            minimum: if new.all_or_none { new.quantity } else { new.minimum },
            all_or_none: new.all_or_none,
            budget: new.budget,
            expires,
            ..Extra::PLAIN
        };
        let order = Order {
            id: new.order,
            open: new.quantity,
            arrival,
            previous: NONE,
            next: NONE,
            level: NONE,
            extra: self.extras.put(extra),
            account,
            account_previous: NONE,
            account_next: NONE,
            group: new.group,
            side: new.side,
            place: Place::None,
            self_trade: new.self_trade,
            manner: Manner { post_only: new.post_only, cancel_on_disconnect: new.cancel_on_disconnect },
        };
        let slot = self.admit(new.user, account, order);
        self.live[new.side as usize] += new.quantity;
        self.watch(slot, 1);
        if expires != NO_END {
            self.schedule(slot, expires);
        }
        let held = self.make_link(slot, new.link);
        if !self.exits.is_empty() {
            self.take_exits(slot, sink);
        }
        if held {
            self.orders[slot].place = Place::Held;
        } else if new.trigger != Trigger::None {
            self.stop(slot);
        } else {
            self.activate(slot, sink);
        }
    }

    /// Counts an order that is watched in or out.
    pub(super) fn watch(&mut self, slot: u32, by: i32) {
        let extra = self.extra(slot);
        let trailing = matches!(extra.trigger, Trigger::Trailing(_));
        let minimum = extra.minimum > 0 && !extra.is_immediate();
        for (kind, counts) in [(TRAILING, trailing), (WITH_MINIMUM, minimum)] {
            if counts {
                self.watched[kind] = self.watched[kind].wrapping_add_signed(by);
            }
        }
    }

    /// The incoming half of a match that an order in a slot is.
    pub(super) fn taker(&self, slot: u32, price: Price) -> Taker {
        let (order, extra) = (&self.orders[slot], self.extra(slot));
        Taker {
            order: order.id,
            user: self.accounts[order.account].user,
            account: order.account,
            group: order.group,
            self_trade: order.self_trade,
            side: order.side,
            price,
            limit: self.worst_price(order.side, extra.order_type, price),
            open: self.total(slot),
            reduced: 0,
            budget: if extra.budget == 0 { u64::MAX } else { extra.budget },
            first: 0,
            last: 0,
            stopped: None,
        }
    }

    /// An order that is in no place becomes active: `RULES.md` §3.
    pub(super) fn activate<S: Sink>(&mut self, slot: u32, sink: &mut S) {
        let extra = *self.extra(slot);
        self.activate_at(slot, extra.price, sink);
    }

    pub(super) fn activate_at<S: Sink>(&mut self, slot: u32, price: Price, sink: &mut S) {
        if self.phase != Phase::Continuous {
            let extra = self.extra(slot);
            if extra.is_immediate() {
                let volatility = self.phase == Phase::VolatilityAuction;
                self.end(slot, if volatility { Reason::Volatility } else { Reason::WrongPhase }, sink);
            } else if extra.minimum > 0 {
                self.wait(slot);
            } else {
                self.rest(slot, price, sink);
            }
            return;
        }
        let taker = self.taker(slot, price);
        let extra = self.extra(slot);
        let (immediate, minimum) = (extra.is_immediate(), extra.minimum);
        if extra.order_type == OrderType::Limit && extra.time_in_force == TimeInForce::Fok {
            if !self.reaches(&taker, taker.open) {
                self.end(slot, Reason::Fok, sink);
                return;
            }
        } else if minimum > 0 && !self.reaches(&taker, minimum) {
            if immediate {
                self.end(slot, Reason::MinimumQuantity, sink);
            } else {
                self.wait(slot);
            }
            return;
        }
        self.match_slot(slot, taker, sink);
    }

    fn match_slot<S: Sink>(&mut self, slot: u32, mut taker: Taker, sink: &mut S) {
        let before = taker.open;
        let side = taker.side as usize;
        self.take(&mut taker, sink);
        let filled = before - taker.open - taker.reduced;
        self.live[side] -= before - taker.open;
        self.orders[slot].open = taker.open;
        if self.orders[slot].extra != NONE {
            self.watch(slot, -1);
            let extra = self.extra_mut(slot);
            extra.trigger = Trigger::None;
            extra.minimum = 0;
            extra.all_or_none = false;
            extra.hidden = 0;
            extra.filled = extra.filled.saturating_add(filled);
            if filled > 0 {
                self.cancel_peer(slot, sink);
            }
        }
        if taker.stopped == Some(Reason::Volatility) {
            self.interrupt(sink);
        }
        if taker.open == 0 {
            self.close(slot, sink);
        } else if !self.extra(slot).is_immediate() && matches!(taker.stopped, None | Some(Reason::Volatility))
        {
            self.rest(slot, taker.price, sink);
        } else {
            let reason = self.reason_for_rest(&taker, self.extra(slot).order_type);
            self.end(slot, reason, sink);
        }
        self.after_pass(taker.first, taker.last);
    }

    /// What is left of an order goes to the end of its price's queue.
    pub(super) fn rest<S: Sink>(&mut self, slot: u32, price: Price, sink: &mut S) {
        if self.orders[slot].extra != NONE {
            let open = self.orders[slot].open;
            let extra = self.extra_mut(slot);
            extra.price = price;
            if extra.display > 0 && extra.display < open {
                extra.hidden = open - extra.display;
                self.orders[slot].open = extra.display;
            }
            self.simplify(slot);
        }
        self.link(slot, price, sink);
    }

    fn schedule(&mut self, slot: u32, expires: Millis) {
        let extra = self.orders[slot].extra;
        self.expiries.insert(&mut self.extras, extra, slot, expires);
    }
}

#[inline]
fn asked(new: &NewOrder, price: Price, quantity: Quantity) -> OrderRef {
    OrderRef { order: new.order, user: new.user, side: new.side, price, quantity }
}

#[inline]
pub(super) fn refuse(reason: Option<Reason>) -> Result<(), Reason> {
    reason.map_or(Ok(()), Err)
}
