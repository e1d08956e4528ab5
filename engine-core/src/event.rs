//! What a command did. Every command is answered by at least one event, but for a [`Tick`](crate::command::Command::Tick): it
//! says nothing where nothing was over. Whatever else changes an order's price, its open quantity or its life is an event
//! too; how the book looks after it is told by the [feeds](crate::feed).
//!
//! The answer is not always the first event of its command: what the time has ended (candles, orders with an end, a volatility
//! auction) comes before it, and what follows from it (fills, triggers, links) after it.

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
            /// All of them, by their numbers.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The name on the wire: lower case, with underscores.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => $text,)*
                }
            }

            /// The reason of a number in a record (`Reason::User as u8` and so on); none for a number that is not given out yet.
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
    /// An order or a replace for nothing.
    ZeroQuantity = 5 "zero_quantity",
    /// Above the definition's largest quantity.
    QuantityTooLarge = 6 "quantity_too_large",
    /// A limit order, or a stop, without a price.
    ZeroPrice = 7 "zero_price",
    /// Above [`MAX_PRICE`](crate::command::MAX_PRICE); also a trailing stop's distance.
    PriceTooLarge = 8 "price_too_large",
    /// Price × quantity is more than the symbol allows or than fits an amount of money.
    NotionalTooLarge = 9 "notional_too_large",
    /// The side's open quantities would no longer fit 64 bits.
    BookFull = 10 "book_full",
    /// A live order has this id.
    DuplicateOrder = 11 "duplicate_order",
    /// No live order has this id: it never had, or it is filled or cancelled by now.
    UnknownOrder = 12 "unknown_order",
    /// The order belongs to somebody else.
    NotOwner = 13 "not_owner",
    /// The order no longer stands as the request expected it.
    StaleOrder = 14 "stale_order",
    /// Below the definition's smallest quantity.
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
    /// The symbol is no longer traded, and will not be again.
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
    /// The order that traded.
    pub order: OrderId,
    /// Its account.
    pub user: UserId,
    /// The order's own limit; a market order's protection price (0: none).
    pub price: Price,
    /// What is still open after this fill, hidden parts included.
    pub remaining: Quantity,
}

/// A trade. Both orders are in it, so that a host can settle it without a look at the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order that rested.
    pub maker: Party,
    /// The order that came.
    pub taker: Party,
    /// Whether the taker bought or sold.
    pub taker_side: Side,
    /// In an auction nobody makes or takes: all trade at one price, and the buyer stands as the taker.
    pub auction: bool,
    /// The maker's price (price improvement goes to the taker); the auction's price.
    pub price: Price,
    /// How much changed hands, in the symbol's quantity unit; never 0.
    pub quantity: Quantity,
}

impl Fill {
    /// The side that pays.
    pub const fn buyer(&self) -> &Party {
        match self.taker_side {
            Side::Buy => &self.taker,
            Side::Sell => &self.maker,
        }
    }

    /// The side that delivers.
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
    /// Its id, as it was entered.
    pub order: OrderId,
    /// Its account.
    pub user: UserId,
    /// Buy or sell.
    pub side: Side,
    /// Its limit; a market order's protection price (0: none).
    pub price: Price,
    /// Accepted, rejected, replaced, reduced, triggered: the open quantity. Cancelled: what had not been filled.
    pub quantity: Quantity,
}

/// One thing that happened, in the order in which it did. A market numbers them from 1 on, without gaps.
///
/// Neither this nor [`Reason`] is `non_exhaustive`, on purpose: who settles trades or keeps a copy of the orders must not
/// pass over an event that it has never heard of, and an exhaustive `match` makes the compiler say so. A new variant is
/// therefore a new major version of this crate. Old records stay readable: variants and their numbers are only ever added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// With the price that a post-only order was moved to.
    Accepted(OrderRef),
    /// The order was not taken; `price` and `quantity` are what was asked for.
    Rejected(OrderRef, Reason),
    /// Two orders traded, once for each pair.
    Filled(Fill),
    /// Also of an order whose time is over.
    Cancelled(OrderRef, Reason),
    /// Less is open, by this much, without a trade.
    Reduced {
        /// The order after it.
        now: OrderRef,
        /// How much less; never 0.
        by: Quantity,
        /// `SelfTrade` (decrement) or `Linked` (an exit, to what its entry was filled).
        reason: Reason,
    },
    /// `delta` is the new open quantity less the old one.
    Replaced {
        /// The order after it; a post-only order with the price that it was moved to.
        now: OrderRef,
        /// In the symbol's quantity unit; negative where less is open.
        delta: i64,
    },
    /// An order that waited (for a stop price, for enough on the other side, for its entry) became active.
    Triggered(OrderRef),
    /// The order that a cancel named stays as it was, or is not there.
    CancelRejected {
        /// As the command named it; need not be known.
        order: OrderId,
        /// Who asked.
        user: UserId,
        /// `UnknownOrder` or `NotOwner`.
        reason: Reason,
    },
    /// The order that a replace named stays as it was, or is not there.
    ReplaceRejected {
        /// As the command named it; need not be known.
        order: OrderId,
        /// Who asked.
        user: UserId,
        /// The first rule that was broken, in the order of `RULES.md` §7.
        reason: Reason,
    },
    /// A mass cancel is done, and this is how many orders it named.
    MassCancelled {
        /// Whose orders, as the command had it; none for all accounts.
        user: Option<UserId>,
        /// How many it cancelled itself, without those that fell with them as their links.
        orders: u32,
    },
    /// `until`: when the new phase ends by itself, 0 if it does not.
    PhaseChanged {
        /// The phase that is over.
        from: Phase,
        /// The phase from now on.
        to: Phase,
        /// Milliseconds since the Unix epoch.
        until: Millis,
    },
    /// An auction's outcome, before its fills. Surplus: what the larger side had more at that price.
    Auctioned {
        /// The one price of all its fills.
        price: Price,
        /// How much it means to trade. Less is filled if a link takes an order out in its course.
        quantity: Quantity,
        /// In the symbol's quantity unit.
        surplus: Quantity,
    },
    /// The symbol has the definition that the command brought.
    Defined,
    /// A command about the market itself was refused.
    CommandRejected(Reason),
    /// A minute that had fills is over.
    CandleClosed(Candle),
}
