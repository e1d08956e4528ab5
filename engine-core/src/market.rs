//! One symbol: its book, its candle of the minute, its day, and the numbers of its events.

use crate::book::{Indicative, OrderBook};
use crate::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S, Seconds};
use crate::command::Command;
use crate::definition::Definition;
use crate::event::{Event, Fill};
use crate::feed::{DepthChange, OrderChange, Sink};
use crate::ticker::Day;
use crate::types::{Millis, Phase, Price, Sequence};
#[cfg(feature = "wire")]
use crate::types::{OrderId, UserId};

/// How far a time zone may be ahead of UTC.
pub const MAX_DAY_OFFSET_S: u64 = 86_400;

/// A market: commands go in, events come out, and the same commands always give the same events.
///
/// ```
/// use engine_core::command::{Command, NewOrder};
/// use engine_core::event::Event;
/// use engine_core::market::Market;
/// use engine_core::types::{OrderId, Side, UserId};
///
/// let mut market = Market::default();
/// let mut events = Vec::new();
/// let time = 1_765_894_800_000;
/// let maker = NewOrder::limit(OrderId(1), UserId(1), Side::Sell, 150, 30);
/// let taker = NewOrder::limit(OrderId(2), UserId(2), Side::Buy, 151, 10);
/// market.apply(time, &Command::Add(maker), &mut events);
/// market.apply(time, &Command::Add(taker), &mut events);
/// let Event::Filled(fill) = events[2] else { panic!("they trade") };
/// assert_eq!((fill.price, fill.quantity, fill.maker.remaining), (150, 10, 20));
/// ```
#[derive(Clone, Debug)]
pub struct Market {
    pub(crate) book: OrderBook,
    /// Number of the last event.
    pub(crate) sequence: Sequence,
    /// Time of the last command; it never goes back.
    pub(crate) time: Millis,
    /// The minute of the last fill, while no later time has been seen.
    pub(crate) candle: Option<Candle>,
    pub(crate) day: Option<Day>,
    /// How far the exchange's time zone is ahead of UTC.
    pub(crate) day_offset_s: u64,
    /// The minute and the day of `time`, worked out anew only when they are over. Not part of the state.
    minute: Span,
    today: Span,
}

/// A span of time that has begun.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: Seconds,
    ends: Millis,
}

impl Span {
    fn of(interval: Interval, time: Millis, day_offset_s: u64) -> Span {
        let seconds = time / 1000;
        let ends = interval.next_bucket(seconds, day_offset_s).saturating_mul(1000);
        Span { start: interval.bucket(seconds, day_offset_s), ends }
    }
}

impl Default for Market {
    fn default() -> Self {
        Market::new(SEOUL_DAY_OFFSET_S)
    }
}

impl Market {
    /// A market with the default definition, in continuous trading. `day_offset_s`: how far the exchange's time zone is
    /// ahead of UTC.
    ///
    /// # Panics
    /// If that is more than a day.
    pub fn new(day_offset_s: u64) -> Market {
        Market::with_definition(day_offset_s, &Definition::default())
    }

    /// A market with this definition, in continuous trading.
    ///
    /// # Panics
    /// If the definition is not [sound](Definition::is_sound), or the time zone more than a day ahead of UTC.
    pub fn with_definition(day_offset_s: u64, definition: &Definition) -> Market {
        assert!(day_offset_s <= MAX_DAY_OFFSET_S, "a time zone is at most a day ahead of UTC");
        Market::of(OrderBook::new(definition), 0, 0, None, None, day_offset_s)
    }

    /// A market in any state.
    pub(crate) fn of(
        book: OrderBook,
        sequence: Sequence,
        time: Millis,
        candle: Option<Candle>,
        day: Option<Day>,
        day_offset_s: u64,
    ) -> Market {
        Market {
            book,
            sequence,
            time,
            candle,
            day,
            day_offset_s,
            minute: Span::default(),
            today: Span::default(),
        }
    }

    /// The same market, its orders and users under other numbers.
    #[cfg(feature = "wire")]
    pub(crate) fn renumbered(
        &self,
        order: impl Fn(OrderId) -> OrderId,
        user: impl Fn(UserId) -> UserId,
    ) -> Result<Market, &'static str> {
        let book = self.book.renumbered(self.time, order, user)?;
        Ok(Market { book, ..self.clone() })
    }

    /// Makes room for so many live orders, so that growing does not happen in the middle of trading.
    pub fn reserve(&mut self, orders: usize) {
        self.book.reserve(orders);
    }

    /// See [`OrderBook::look_ahead`].
    pub fn look_ahead(&self, commands: &[Command]) {
        self.book.look_ahead(commands);
    }

    /// The orders, to be read.
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// The symbol's rules; set by [`Command::Define`].
    pub fn definition(&self) -> &Definition {
        self.book.definition()
    }

    /// What it does with orders now.
    pub fn phase(&self) -> Phase {
        self.book.phase()
    }

    /// Price of the last trade; none before the first.
    pub fn last_price(&self) -> Option<Price> {
        self.book.last_price()
    }

    /// What the auction would give now, while orders are collected for one.
    pub fn indicative(&self) -> Option<Indicative> {
        self.book.indicative()
    }

    /// Number of the last event. The events of the next command are numbered from the one after it.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Number of the last change of a level.
    pub fn depth_sequence(&self) -> Sequence {
        self.book.depth_sequence
    }

    /// Number of the last change of an order in the book.
    pub fn order_sequence(&self) -> Sequence {
        self.book.order_sequence
    }

    /// Time of the last command; it never goes back.
    pub fn time(&self) -> Millis {
        self.time
    }

    /// The candle of the current minute.
    pub fn candle(&self) -> Option<&Candle> {
        self.candle.as_ref()
    }

    /// Open, high, low, close of the last day that had a fill, and its change; none before the first fill.
    pub fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }

    /// Applies one command at `time` (an earlier time than the last command's counts as that one) and tells `sink` what
    /// happened. Events are numbered on from [`Market::sequence`], and the two feeds' changes from their own counters.
    pub fn apply<S: Sink>(&mut self, time: Millis, command: &Command, sink: &mut S) {
        self.time = self.time.max(time);
        if self.time >= self.minute.ends {
            self.minute = Span::of(Interval::M1, self.time, 0);
        }
        // A time zone may be off by less than a minute, so a day may end within one.
        if self.time >= self.today.ends {
            self.today = Span::of(Interval::D1, self.time, self.day_offset_s);
        }
        let mut tape = Tape {
            sink,
            sequence: &mut self.sequence,
            candle: &mut self.candle,
            day: &mut self.day,
            time: self.time,
            minute: self.minute.start,
            today: self.today.start,
        };
        tape.close_candle();
        let book = &mut self.book;
        book.advance(self.time, self.today.ends, &mut tape);
        match command {
            Command::Add(order) => book.add(order, &mut tape),
            Command::Cancel { order, user } => book.cancel(*order, *user, &mut tape),
            Command::Replace(replace) => book.replace(replace, &mut tape),
            Command::MassCancel(mass) => book.mass_cancel(mass, &mut tape),
            Command::SetPhase(phase) => book.set_phase(*phase, &mut tape),
            Command::Define(definition) => book.define(definition, &mut tape),
            Command::Tick => {}
        }
        book.settle(&mut tape);
    }
}

/// Numbers events and keeps candle and day, on the way to the sink.
struct Tape<'a, S> {
    sink: &'a mut S,
    sequence: &'a mut Sequence,
    candle: &'a mut Option<Candle>,
    day: &'a mut Option<Day>,
    time: Millis,
    minute: Seconds,
    today: Seconds,
}

impl<S: Sink> Tape<'_, S> {
    #[inline]
    fn close_candle(&mut self) {
        if self.candle.is_some_and(|candle| candle.time < self.minute)
            && let Some(candle) = self.candle.take()
        {
            self.event(Event::CandleClosed(candle));
        }
    }

    #[inline]
    fn trade(&mut self, fill: &Fill) {
        match self.candle {
            Some(candle) => candle.add(fill.price, fill.quantity),
            None => *self.candle = Some(Candle::first(self.minute, fill.price, fill.quantity)),
        }
        match self.day {
            Some(day) => day.add(self.time, self.today, fill.price, fill.quantity),
            None => *self.day = Some(Day::first(self.time, self.today, fill.price, fill.quantity)),
        }
    }
}

impl<S: Sink> Sink for Tape<'_, S> {
    #[inline]
    fn event(&mut self, event: Event) {
        *self.sequence += 1;
        if let Event::Filled(fill) = &event {
            self.trade(fill);
        }
        self.sink.event(event);
    }

    #[inline]
    fn depth(&mut self, change: DepthChange) {
        self.sink.depth(change);
    }

    #[inline]
    fn order(&mut self, change: OrderChange) {
        self.sink.order(change);
    }
}
