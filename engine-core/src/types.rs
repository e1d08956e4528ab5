//! The words every module uses. All amounts are integers: prices in the symbol's price unit, quantities in its quantity
//! unit; a [`Definition`](crate::definition::Definition) says which of them are ticks and lots.

/// In the symbol's price unit.
pub type Price = u64;
/// In the symbol's quantity unit.
pub type Quantity = u64;
/// Milliseconds since the Unix epoch. The time of a command is a field of the command; nothing here reads a clock.
pub type Millis = u64;
/// Number of an event within its symbol, from 1 on, without gaps.
pub type Sequence = u64;

/// The end of what has none.
pub const NO_END: Millis = Millis::MAX;

/// An order, unique within its symbol for as long as anything may still refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// The account an order belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }

    /// Whether an order of this side with this limit takes `price`.
    #[inline]
    pub const fn accepts(self, limit: Price, price: Price) -> bool {
        match self {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        }
    }
}

/// How long an order lives. A market order is always immediate-or-cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Good till cancelled: what does not match at once rests in the book.
    #[default]
    Gtc,
    /// Immediate or cancel: what does not match at once is cancelled.
    Ioc,
    /// Fill or kill: matches wholly at once or not at all.
    Fok,
    /// Until the exchange's day ends.
    Day,
    /// Good till this time; it is gone at that millisecond.
    Gtd(Millis),
}

impl TimeInForce {
    /// Whether nothing of the order can rest.
    pub const fn is_immediate(self) -> bool {
        matches!(self, TimeInForce::Ioc | TimeInForce::Fok)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderType {
    #[default]
    Limit,
    /// Takes any price, or any up to its protection price where it has one.
    Market,
}

/// What an order waits for before it is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    #[default]
    None,
    /// A trade at this price or beyond it: at or above for a buy, at or below for a sell.
    Stop(Price),
    /// A stop that follows the market at this distance: below the highest trade since entry for a sell, above the lowest
    /// for a buy. It never moves back.
    Trailing(Price),
}

/// What becomes of an order that must not take, but would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PostOnly {
    /// It may take.
    #[default]
    No,
    /// It is refused.
    Reject,
    /// It is moved to the nearest price at which it does not take.
    Reprice,
}

/// What happens when an order would trade with one of the same account or group. The incoming order's rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// The rest of the incoming order is cancelled.
    CancelNewest,
    /// The resting order is cancelled.
    CancelOldest,
    /// Both are cancelled.
    CancelBoth,
    /// Both are reduced by the smaller one's open quantity, without a trade; what reaches zero is cancelled.
    Decrement,
}

/// How an order hangs together with another one of the same account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    #[default]
    None,
    /// One cancels the other: as soon as one of the two trades, triggers or ends, the other is cancelled. The other order
    /// must be live and of the same side.
    Other(OrderId),
    /// An exit of an entry order that is still to come: it is held until the entry ends, and then entered for as much
    /// as the entry was filled. A bracket is two exits, the second one linked to the first, and then the entry.
    ExitOf(OrderId),
}

/// What a market does with orders. See `RULES.md` for what each phase takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Orders are collected for the opening auction.
    PreOpen,
    OpeningAuction,
    #[default]
    Continuous,
    /// A call auction that a trade outside its price band set off. It ends by time.
    VolatilityAuction,
    /// Nothing trades and nothing is entered; orders may be cancelled.
    Halt,
    ClosingAuction,
    Closed,
    /// Orders may only be cancelled, until the market is opened again.
    CancelOnly,
    /// For good: every order has been cancelled.
    Delisted,
}

impl Phase {
    /// Orders are collected without matching, and the book may be crossed.
    pub const fn is_call(self) -> bool {
        matches!(
            self,
            Phase::PreOpen | Phase::OpeningAuction | Phase::VolatilityAuction | Phase::ClosingAuction
        )
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::PreOpen => "pre_open",
            Phase::OpeningAuction => "opening_auction",
            Phase::Continuous => "continuous",
            Phase::VolatilityAuction => "volatility_auction",
            Phase::Halt => "halt",
            Phase::ClosingAuction => "closing_auction",
            Phase::Closed => "closed",
            Phase::CancelOnly => "cancel_only",
            Phase::Delisted => "delisted",
        }
    }
}
