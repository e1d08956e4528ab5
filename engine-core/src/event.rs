//! What a command did: every command is answered by at least one event, every change of an order is an event.

use crate::candle::Candle;
use crate::types::{Millis, OrderId, Phase, Price, Quantity, Side, UserId};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal,)*) => {
        /// Why an order was refused, cancelled or left as it was. Names and numbers are stable: the names are the wire's
        /// reason codes, the numbers those of recorded events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name = $code,)*
        }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => $text,)*
                }
            }

            pub const fn from_code(code: u8) -> Option<Reason> {
                match code {
                    $($code => Some(Reason::$name),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// The owner asked for it.
    User = 0 "user",
    /// The rest of an immediate-or-cancel order.
    Ioc = 1 "ioc",
    /// A fill-or-kill order that the book could not fill wholly.
    Fok = 2 "fok",
    /// A market order found nobody on the other side.
    NoOppositeQuote = 3 "no_opposite_quote",
    /// A market order reached its protection price.
    Protection = 4 "protection",
    ZeroQuantity = 5 "zero_quantity",
    QuantityTooLarge = 6 "quantity_too_large",
    ZeroPrice = 7 "zero_price",
    PriceTooLarge = 8 "price_too_large",
    /// Price × quantity is more than the symbol allows or than fits an amount of money.
    NotionalTooLarge = 9 "notional_too_large",
    /// The side's open quantities would no longer fit 64 bits.
    BookFull = 10 "book_full",
    /// A live order has this id.
    DuplicateOrder = 11 "duplicate_order",
    UnknownOrder = 12 "unknown_order",
    /// The order belongs to somebody else.
    NotOwner = 13 "not_owner",
    /// The order no longer stands as the request expected it.
    StaleOrder = 14 "stale_order",
    QuantityTooSmall = 15 "quantity_too_small",
    /// The quantity is not a multiple of the lot.
    NotALot = 16 "not_a_lot",
    /// The price is not a multiple of its tick.
    NotATick = 17 "not_a_tick",
    /// The price is below limit down or above limit up.
    OutsideBand = 18 "outside_band",
    /// Two of the order's terms exclude each other.
    BadCombination = 19 "bad_combination",
    /// An iceberg would show too small a part of itself.
    DisplayTooSmall = 20 "display_too_small",
    /// The order's end is not in the future.
    AlreadyExpired = 21 "already_expired",
    /// A post-only order would take.
    WouldTake = 22 "would_take",
    /// The book could not fill the minimum quantity at once.
    MinimumQuantity = 23 "minimum_quantity",
    /// A market order's budget does not buy another lot.
    Budget = 24 "budget",
    /// The other side of the trade would have been the same account or group.
    SelfTrade = 25 "self_trade",
    /// The order's time was over.
    Expired = 26 "expired",
    /// The order that it was linked to traded or ended.
    Linked = 27 "linked",
    /// The order that it links to is not there, of another side, or linked already.
    BadLink = 28 "bad_link",
    /// The market does not take this in its current phase.
    WrongPhase = 29 "wrong_phase",
    /// A trade at the next price would have left the price band.
    Volatility = 30 "volatility",
    Delisted = 31 "delisted",
    /// All orders of the user or the symbol were cancelled at once.
    MassCancel = 32 "mass_cancel",
    /// The user's connection is gone.
    Disconnected = 33 "disconnected",
    /// The symbol has as many orders as it may.
    TooManyOrders = 34 "too_many_orders",
    /// The account has as many orders in the symbol as it may.
    TooManyAccountOrders = 35 "too_many_account_orders",
    /// As many trailing stops, or as many orders with a minimum, wait as may.
    TooManyWatched = 36 "too_many_watched",
    /// The definition contradicts itself.
    BadDefinition = 37 "bad_definition",
    /// Ticks and lots can only change while there are no orders.
    NotEmpty = 38 "not_empty",
    /// The market cannot go from its phase to this one.
    BadPhase = 39 "bad_phase",
}

/// One side of a fill after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    pub order: OrderId,
    pub user: UserId,
    /// The order's own limit; a market order's protection price (0: none).
    pub price: Price,
    /// What is still open after this fill, hidden parts included.
    pub remaining: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub maker: Party,
    pub taker: Party,
    pub taker_side: Side,
    /// In an auction nobody makes or takes: all trade at one price, and the buyer stands as the taker.
    pub auction: bool,
    /// The maker's price (price improvement goes to the taker); the auction's price.
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
    /// Its limit; a market order's protection price (0: none).
    pub price: Price,
    /// Accepted, rejected, replaced, reduced, triggered: the open quantity. Cancelled: what had not been filled.
    pub quantity: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// With the price that a post-only order was moved to.
    Accepted(OrderRef),
    Rejected(OrderRef, Reason),
    Filled(Fill),
    /// Also of an order whose time is over.
    Cancelled(OrderRef, Reason),
    /// Less is open, by this much, without a trade.
    Reduced {
        now: OrderRef,
        by: Quantity,
        reason: Reason,
    },
    /// `delta` is the new open quantity less the old one.
    Replaced {
        now: OrderRef,
        delta: i64,
    },
    /// An order that waited (for a stop price, for enough on the other side, for its entry) became active.
    Triggered(OrderRef),
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
    /// A mass cancel is done, and this is how many orders it named.
    MassCancelled {
        user: Option<UserId>,
        orders: u32,
    },
    /// `until`: when the new phase ends by itself, 0 if it does not.
    PhaseChanged {
        from: Phase,
        to: Phase,
        until: Millis,
    },
    /// An auction's outcome, before its fills. Surplus: what the larger side had more at that price.
    Auctioned {
        price: Price,
        quantity: Quantity,
        surplus: Quantity,
    },
    Defined,
    /// A command about the market itself was refused.
    CommandRejected(Reason),
    /// A minute that had fills is over.
    CandleClosed(Candle),
}
