//! One symbol: its book, its candle of the minute, its day, and the numbers of its events.

use crate::book::OrderBook;
use crate::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S, Seconds};
use crate::command::Command;
use crate::event::Event;
use crate::ticker::Day;
use crate::types::{Millis, Sequence};
use alloc::vec::Vec;

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
    pub fn new(day_offset_s: u64) -> Market {
        Market::of(OrderBook::new(), 0, 0, None, None, day_offset_s)
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

    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// Number of the last event. The events of the next command are numbered from the one after it.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub fn time(&self) -> Millis {
        self.time
    }

    /// The candle of the current minute.
    pub fn candle(&self) -> Option<&Candle> {
        self.candle.as_ref()
    }

    pub fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }

    /// Applies one command at `time` (an earlier time than the last command's counts as that one) and appends what
    /// happened to `events`, numbered on from [`Market::sequence`].
    pub fn apply(&mut self, time: Millis, command: &Command, events: &mut Vec<Event>) {
        self.time = self.time.max(time);
        if self.time >= self.minute.ends {
            self.minute = Span::of(Interval::M1, self.time, 0);
            if self.time >= self.today.ends {
                self.today = Span::of(Interval::D1, self.time, self.day_offset_s);
            }
        }
        let first = events.len();
        self.close_candle(events);
        match command {
            Command::Add(order) => self.book.add(order, events),
            Command::Cancel { order, user } => self.book.cancel(*order, *user, events),
            Command::Replace(replace) => self.book.replace(replace, events),
            Command::Tick => {}
        }
        let happened = &events[first..];
        self.sequence += happened.len() as u64;
        for event in happened {
            if let Event::Filled(fill) = event {
                match &mut self.candle {
                    Some(candle) => candle.add(fill.price, fill.quantity),
                    None => self.candle = Some(Candle::first(self.minute.start, fill.price, fill.quantity)),
                }
                match &mut self.day {
                    Some(day) => day.add(self.time, self.today.start, fill.price, fill.quantity),
                    None => {
                        self.day = Some(Day::first(self.time, self.today.start, fill.price, fill.quantity));
                    }
                }
            }
        }
    }

    fn close_candle(&mut self, events: &mut Vec<Event>) {
        if self.candle.is_some_and(|candle| candle.time < self.minute.start)
            && let Some(candle) = self.candle.take()
        {
            events.push(Event::CandleClosed(candle));
        }
    }
}
