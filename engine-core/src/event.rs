//! What a command did: every command is answered by at least one event, every change of an order is an event.

use crate::candle::Candle;
use crate::types::{OrderId, Price, Quantity, Side, UserId};

/// Why an order was refused, cancelled or left as it was. The names are stable: they are the wire's reason codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The owner asked for it.
    User,
    /// The rest of an immediate-or-cancel order.
    Ioc,
    /// A fill-or-kill order that the book could not fill wholly.
    Fok,
    /// A market order found nobody on the other side.
    NoOppositeQuote,
    /// A market order reached its protection price.
    Protection,
    ZeroQuantity,
    QuantityTooLarge,
    ZeroPrice,
    PriceTooLarge,
    /// Price × quantity does not fit an amount of money.
    NotionalTooLarge,
    /// The side's open quantities would no longer fit 64 bits.
    BookFull,
    /// An order of this id is in the book.
    DuplicateOrder,
    UnknownOrder,
    /// The order belongs to somebody else.
    NotOwner,
    /// The order no longer stands as the request expected it.
    StaleOrder,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::User => "user",
            Reason::Ioc => "ioc",
            Reason::Fok => "fok",
            Reason::NoOppositeQuote => "no_opposite_quote",
            Reason::Protection => "protection",
            Reason::ZeroQuantity => "zero_quantity",
            Reason::QuantityTooLarge => "quantity_too_large",
            Reason::ZeroPrice => "zero_price",
            Reason::PriceTooLarge => "price_too_large",
            Reason::NotionalTooLarge => "notional_too_large",
            Reason::BookFull => "book_full",
            Reason::DuplicateOrder => "duplicate_order",
            Reason::UnknownOrder => "unknown_order",
            Reason::NotOwner => "not_owner",
            Reason::StaleOrder => "stale_order",
        }
    }
}

/// One side of a fill after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    pub order: OrderId,
    pub user: UserId,
    /// The order's own limit; a market order's protection price (0: none).
    pub price: Price,
    /// What is still open after this fill.
    pub remaining: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub maker: Party,
    pub taker: Party,
    pub taker_side: Side,
    /// The maker's price: price improvement goes to the taker.
    pub price: Price,
    pub quantity: Quantity,
}

impl Fill {
    pub const fn buyer(&self) -> &Party {
        match self.taker_side {
            Side::Buy => &self.taker,
            Side::Sell => &self.maker,
        }
    }

    pub const fn seller(&self) -> &Party {
        match self.taker_side {
            Side::Buy => &self.maker,
            Side::Sell => &self.taker,
        }
    }
}

/// The order an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRef {
    pub order: OrderId,
    pub user: UserId,
    pub side: Side,
    pub price: Price,
    /// Accepted, rejected, replaced: the open quantity asked for. Cancelled: what had not been filled.
    pub quantity: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Accepted(OrderRef),
    Rejected(OrderRef, Reason),
    Filled(Fill),
    Cancelled(OrderRef, Reason),
    /// `delta` is the new open quantity less the old one.
    Replaced {
        now: OrderRef,
        delta: i128,
    },
    CancelRejected {
        order: OrderId,
        user: UserId,
        reason: Reason,
    },
    ReplaceRejected {
        order: OrderId,
        user: UserId,
        reason: Reason,
    },
    /// A minute that had fills is over.
    CandleClosed(Candle),
}
