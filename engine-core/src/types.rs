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
///
/// The host gives ids out, best in a row: neighbours share a line of the cache. They are found by a hash without a secret
/// (every run must be the same), so ids that a client may choose could be chosen to collide and make each look-up slow. A
/// host with names or numbers from outside keeps a table of its own from them to a counter, as `shard` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// The account an order belongs to. Numbered by the host, like [`OrderId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// Which way an order trades. As an index: buys are 0, sells 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Pays money for quantity.
    Buy,
    /// Gives quantity for money.
    Sell,
}

impl Side {
    /// Buys before sells, as books, snapshots and checksums have them.
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    /// The side that it trades with.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// Its name on the wire: `BUY` or `SELL`.
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

/// Whether an order names its worst price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderType {
    /// Trades at its price or a better one, and may rest.
    #[default]
    Limit,
    /// Takes any price, or any up to its protection price where it has one.
    Market,
}

/// What an order waits for before it is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Nothing: it is active at once, or an exit as soon as its entry has ended.
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

/// What happens when an order would trade with one of the same account or group. The incoming order's rule holds, in
/// continuous trading; in auctions everybody trades with everybody.
///
/// ```
/// use engine_core::command::{Command, NewOrder};
/// use engine_core::event::{Event, Reason};
/// use engine_core::market::Market;
/// use engine_core::types::{OrderId, SelfTrade, Side, UserId};
///
/// let mut market = Market::default();
/// let mut events = Vec::new();
/// let (ann, ben) = (UserId(1), UserId(2));
/// // Ann is first in the queue and Ben second. Then Ann buys.
/// for (id, user) in [(1, ann), (2, ben)] {
///     let sell = NewOrder::limit(OrderId(id), user, Side::Sell, 150, 10);
///     market.apply(0, &Command::Add(sell), &mut events);
/// }
/// events.clear();
/// let buy = NewOrder {
///     self_trade: SelfTrade::CancelOldest,
///     ..NewOrder::limit(OrderId(3), ann, Side::Buy, 150, 10)
/// };
/// market.apply(0, &Command::Add(buy), &mut events);
///
/// // Her own resting order makes way, and she trades with Ben.
/// let [Event::Accepted(_), Event::Cancelled(own, Reason::SelfTrade), Event::Filled(fill)] = events[..] else {
///     panic!("{events:?}")
/// };
/// assert_eq!((own.order, fill.maker.order, fill.maker.user), (OrderId(1), OrderId(2), ben));
/// ```
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
///
/// One cancels the other: a profit to take and a loss to stop, for what is held already.
///
/// ```
/// use engine_core::command::{Command, NewOrder};
/// use engine_core::event::{Event, Reason};
/// use engine_core::market::Market;
/// use engine_core::types::{Link, OrderId, Side, Trigger, UserId};
///
/// let mut market = Market::default();
/// let mut events = Vec::new();
/// let ann = UserId(1);
/// let profit = NewOrder::limit(OrderId(1), ann, Side::Sell, 160, 10);
/// let loss = NewOrder {
///     link: Link::Other(OrderId(1)),
///     trigger: Trigger::Stop(145),
///     ..NewOrder::limit(OrderId(2), ann, Side::Sell, 140, 10)
/// };
/// let buyer = NewOrder::limit(OrderId(3), UserId(2), Side::Buy, 160, 4);
/// for order in [profit, loss, buyer] {
///     market.apply(0, &Command::Add(order), &mut events);
/// }
/// // The first fill of the one ends the other.
/// let [.., Event::Filled(fill), Event::Cancelled(other, Reason::Linked)] = events[..] else { panic!("{events:?}") };
/// assert_eq!((fill.maker.order, other.order), (OrderId(1), OrderId(2)));
/// ```
///
/// A bracket: the exits are sent first and held, and the entry's end releases them for what it was filled.
///
/// ```
/// # use engine_core::command::{Command, NewOrder};
/// # use engine_core::event::Event;
/// # use engine_core::market::Market;
/// # use engine_core::types::{Link, OrderId, Side, Trigger, UserId};
/// use engine_core::book::Whereabouts;
/// # let mut market = Market::default();
/// # let mut events = Vec::new();
/// # let ann = UserId(1);
/// let entry = OrderId(12);
/// let profit = NewOrder { link: Link::ExitOf(entry), ..NewOrder::limit(OrderId(10), ann, Side::Sell, 160, 10) };
/// let loss = NewOrder {
///     link: Link::Other(OrderId(10)),
///     trigger: Trigger::Stop(145),
///     ..NewOrder::limit(OrderId(11), ann, Side::Sell, 140, 10)
/// };
/// for order in [profit, loss, NewOrder::limit(entry, ann, Side::Buy, 150, 10)] {
///     market.apply(0, &Command::Add(order), &mut events);
/// }
/// assert_eq!(market.book().locate(OrderId(10)), Some(Whereabouts::Held));
///
/// // Somebody sells to the entry: the profit rests now, and the loss waits for its price.
/// let seller = NewOrder::limit(OrderId(13), UserId(2), Side::Sell, 150, 10);
/// market.apply(0, &Command::Add(seller), &mut events);
/// assert_eq!(market.book().locate(OrderId(10)), Some(Whereabouts::Resting { ahead: 0, orders: 0 }));
/// assert_eq!(market.book().locate(OrderId(11)), Some(Whereabouts::Stopped { at: 145 }));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    /// It stands alone.
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
    /// As pre-open, once the auction's time is known to be near: both collect, and the exchange's calendar tells them apart.
    OpeningAuction,
    /// Orders match as they come. Where a market begins.
    #[default]
    Continuous,
    /// A call auction that a trade outside its price band set off. It ends by time.
    VolatilityAuction,
    /// Nothing trades and nothing is entered; orders may be cancelled.
    Halt,
    /// Orders are collected for the closing auction; the close holds it.
    ClosingAuction,
    /// The day is over; orders may be cancelled until the next one.
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

    /// Its name on the wire: lower case, with underscores.
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
