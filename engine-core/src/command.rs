//! What can be asked of a market.

use crate::definition::Definition;
use crate::types::{
    Link, Millis, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce,
    Trigger, UserId,
};
use alloc::boxed::Box;

/// The largest price and the largest quantity of one order: what a JavaScript number holds exactly.
pub const MAX_PRICE: Price = (1 << 53) - 1;
/// See [`MAX_PRICE`]; in the symbol's quantity unit.
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
    /// Chosen by the host, and free: no live order of the symbol may have it. See [`OrderId`] for how to choose.
    pub order: OrderId,
    /// The account that owns the order, and alone may cancel or replace it.
    pub user: UserId,
    /// Orders of one group do not trade with each other where `self_trade` forbids it. 0: no group.
    pub group: u32,
    /// Buy or sell.
    pub side: Side,
    /// With a limit, or at the market's price.
    pub order_type: OrderType,
    /// Ignored for market orders, which are always immediate-or-cancel.
    pub time_in_force: TimeInForce,
    /// A limit order's limit; a market order's protection price, 0 for none.
    pub price: Price,
    /// How much to trade, hidden part included; a multiple of the definition's lot.
    pub quantity: Quantity,
    /// What it waits for before it is active; nothing for most orders.
    pub trigger: Trigger,
    /// An iceberg's visible part; 0 shows all of it.
    pub display: Quantity,
    /// Its first execution fills at least this much at once; 0 for any.
    pub minimum: Quantity,
    /// It is filled wholly at once, whenever that becomes possible.
    pub all_or_none: bool,
    /// What becomes of it if it would take.
    pub post_only: PostOnly,
    /// What happens if it would trade with its own account or group.
    pub self_trade: SelfTrade,
    /// The most money that a market buy spends, in price × quantity; 0 for no limit.
    pub budget: u64,
    /// The order of the same account that ends this one, or that it waits for.
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

/// Changes a live order. A pure reduction (same price, same stop, no more than is open) keeps the place in the queue;
/// anything else goes to the end of it. Answered by `Replaced` or `ReplaceRejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    /// The order to change.
    pub order: OrderId,
    /// Must own it: `NotOwner` otherwise.
    pub user: UserId,
    /// New limit or protection price; the same one leaves it as it is.
    pub price: Price,
    /// New open quantity, hidden parts included.
    pub quantity: Quantity,
    /// New stop price of an order that waits for one; none leaves it as it is.
    pub stop: Option<Price>,
    /// Takes effect only if the order stands at this price with this much open.
    pub expected: Option<(Price, Quantity)>,
}

/// Cancels every live order that matches, wherever it is, in the order in which they came. Possible in every phase.
///
/// ```
/// use engine_core::command::{Command, MassCancel, NewOrder};
/// use engine_core::event::{Event, Reason};
/// use engine_core::market::Market;
/// use engine_core::types::{OrderId, Side, UserId};
///
/// let mut market = Market::default();
/// let mut events = Vec::new();
/// let ann = UserId(1);
/// let patient = NewOrder::limit(OrderId(1), ann, Side::Buy, 99, 10);
/// let while_here = NewOrder { cancel_on_disconnect: true, ..NewOrder::limit(OrderId(2), ann, Side::Buy, 98, 10) };
/// let other = NewOrder::limit(OrderId(3), UserId(2), Side::Buy, 97, 10);
/// for order in [patient, while_here, other] {
///     market.apply(0, &Command::Add(order), &mut events);
/// }
///
/// // Ann's connection is lost: only what she wants to be watched goes.
/// events.clear();
/// let gone = MassCancel { user: Some(ann), disconnected: true, ..MassCancel::default() };
/// market.apply(0, &Command::MassCancel(gone), &mut events);
/// assert!(matches!(events[..], [
///     Event::Cancelled(order, Reason::Disconnected),
///     Event::MassCancelled { orders: 1, .. },
/// ] if order.order == OrderId(2)));
///
/// // The operator empties the symbol.
/// market.apply(0, &Command::MassCancel(MassCancel::default()), &mut events);
/// assert!(market.book().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MassCancel {
    /// Of this account; none for all of the symbol's.
    pub user: Option<UserId>,
    /// Of this side; none for both.
    pub side: Option<Side>,
    /// The account's connection is gone: only orders that asked to be cancelled then.
    pub disconnected: bool,
}

/// One thing to do. Whoever feeds the market sends them: orders and cancels come from accounts, the others from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Enters an order: `Accepted` or `Rejected`.
    Add(NewOrder),
    /// Takes a live order out: `Cancelled`, or `CancelRejected` (`UnknownOrder`, `NotOwner`).
    Cancel {
        /// The order to take out.
        order: OrderId,
        /// Must own it.
        user: UserId,
    },
    /// Changes a live order: `Replaced` or `ReplaceRejected`.
    Replace(Replace),
    /// Takes many orders out: `Cancelled` for each, then `MassCancelled`, also if there were none.
    MassCancel(MassCancel),
    /// Sets the phase, by the exchange's calendar or its operator: `PhaseChanged`, or `CommandRejected` (`BadPhase`). Leaving a
    /// call for continuous trading or the close holds the auction.
    SetPhase(Phase),
    /// Sets the symbol's rules: `Defined`, or `CommandRejected` (`BadDefinition`, `NotEmpty`). Orders that live stay as they are.
    Define(Box<Definition>),
    /// The host's clock: ends what is over by now (candles, orders with an end, volatility auctions).
    Tick,
}

/// A command at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedCommand {
    /// When; an earlier time than the last command's counts as that one.
    pub time: Millis,
    /// What.
    pub command: Command,
}
