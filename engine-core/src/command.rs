//! What can be asked of a market.

use crate::definition::Definition;
use crate::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};
use alloc::boxed::Box;

/// The largest price and the largest quantity of one order: what a JavaScript number holds exactly.
pub const MAX_PRICE: Price = (1 << 53) - 1;
pub const MAX_QUANTITY: Quantity = (1 << 53) - 1;
/// The largest price × quantity: what a signed 64-bit amount of money holds.
pub const MAX_NOTIONAL: u64 = i64::MAX as u64;
/// An iceberg shows at least this part of itself, so that one order cannot make fills without end.
pub const MAX_SLICES: u64 = 1_000;

/// An order to enter. [`NewOrder::limit`] and [`NewOrder::market`] make plain ones; the rest is set field by field:
///
/// ```
/// use engine_core::command::NewOrder;
/// use engine_core::types::{OrderId, Side, TimeInForce, Trigger, UserId};
///
/// let plain = NewOrder::limit(OrderId(1), UserId(7), Side::Buy, 15_000, 100);
/// let stop = NewOrder {
///     trigger: Trigger::Stop(14_900),
///     time_in_force: TimeInForce::Day,
///     ..NewOrder::limit(OrderId(2), UserId(7), Side::Sell, 14_850, 100)
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    pub order: OrderId,
    pub user: UserId,
    /// Orders of one group do not trade with each other where `self_trade` forbids it. 0: no group.
    pub group: u32,
    pub side: Side,
    pub order_type: OrderType,
    /// Ignored for market orders, which are always immediate-or-cancel.
    pub time_in_force: TimeInForce,
    /// A limit order's limit; a market order's protection price, 0 for none.
    pub price: Price,
    pub quantity: Quantity,
    pub trigger: Trigger,
    /// An iceberg's visible part; 0 shows all of it.
    pub display: Quantity,
    /// Its first execution fills at least this much at once; 0 for any.
    pub minimum: Quantity,
    /// It is filled wholly at once, whenever that becomes possible.
    pub all_or_none: bool,
    pub post_only: PostOnly,
    pub self_trade: SelfTrade,
    /// The most money that a market buy spends, in price × quantity; 0 for no limit.
    pub budget: u64,
    pub link: Link,
    /// Cancelled by a [`MassCancel`] that says the user is gone.
    pub cancel_on_disconnect: bool,
}

impl NewOrder {
    /// A limit order that is good till cancelled.
    pub const fn limit(
        order: OrderId,
        user: UserId,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> NewOrder {
        NewOrder {
            order,
            user,
            group: 0,
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            quantity,
            trigger: Trigger::None,
            display: 0,
            minimum: 0,
            all_or_none: false,
            post_only: PostOnly::No,
            self_trade: SelfTrade::Allow,
            budget: 0,
            link: Link::None,
            cancel_on_disconnect: false,
        }
    }

    /// A market order without protection.
    pub const fn market(order: OrderId, user: UserId, side: Side, quantity: Quantity) -> NewOrder {
        NewOrder {
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Ioc,
            ..NewOrder::limit(order, user, side, 0, quantity)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    pub order: OrderId,
    pub user: UserId,
    pub price: Price,
    /// New open quantity, hidden parts included.
    pub quantity: Quantity,
    /// New stop price of an order that waits for one; none leaves it as it is.
    pub stop: Option<Price>,
    /// Takes effect only if the order stands at this price with this much open.
    pub expected: Option<(Price, Quantity)>,
}

/// Cancels every order that matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MassCancel {
    /// Of this account; none for all of the symbol's.
    pub user: Option<UserId>,
    /// Of this side; none for both.
    pub side: Option<Side>,
    /// The account's connection is gone: only orders that asked to be cancelled then.
    pub disconnected: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Add(NewOrder),
    Cancel {
        order: OrderId,
        user: UserId,
    },
    Replace(Replace),
    MassCancel(MassCancel),
    SetPhase(Phase),
    Define(Box<Definition>),
    /// The host's clock: ends what is over by now (candles, orders with an end, volatility auctions).
    Tick,
}

/// A command at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedCommand {
    pub time: Millis,
    pub command: Command,
}
