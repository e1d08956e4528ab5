//! The words every module uses. All amounts are integers: prices in ticks, quantities in lots.

/// Ticks of the symbol.
pub type Price = u64;
/// Lots of the symbol.
pub type Quantity = u64;
/// Milliseconds since the Unix epoch. The time of a command is a field of the command; nothing here reads a clock.
pub type Millis = u64;
/// Number of an event within its symbol, from 1 on, without gaps.
pub type Sequence = u64;

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
}

/// How long an order lives. A market order is always immediate-or-cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeInForce {
    /// Good till cancelled: what does not match at once rests in the book.
    Gtc,
    /// Immediate or cancel: what does not match at once is cancelled.
    Ioc,
    /// Fill or kill: matches wholly at once or not at all.
    Fok,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderType {
    Limit,
    /// Takes any price, or any up to its protection price where it has one.
    Market,
}
