//! What was seen on the way: candles, the depth over time, the tape and the event log. All of it is bounded.
//!
//! Candles and columns belong to a place in the flow and are written once, however often a session passes there; what the user's new
//! order makes untrue is cut off. The tape and the log are of the last way that the session took.

use crate::account::USER;
use engine_core::candle::Candle;
use engine_core::event::{Event, Fill, OrderRef};
use engine_core::market::Market;
use engine_core::types::{Millis, OrderId, Price, Quantity, Sequence, Side};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Columns that a flow's time is divided into, about.
pub const COLUMNS: u64 = 1_024;
/// Levels a side that a column has.
pub const COLUMN_LEVELS: usize = 64;
/// Closed minutes that are kept.
pub const MAX_CANDLES: usize = 50_000;
/// Trades on the tape.
pub const TAPE: usize = 64;
/// Events in the log.
pub const LOG: usize = 20_000;
/// The most cells that one heat map has.
pub const MAX_CELLS: usize = 200_000;

/// The book at the end of a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub start: Millis,
    pub quote: (Option<Price>, Option<Price>),
    /// The best prices without the user's orders, if there were any.
    pub plain_quote: Option<(Option<Price>, Option<Price>)>,
    /// Price and displayed quantity, best first: bids, then asks.
    levels: [Vec<(Price, Quantity)>; 2],
}

/// Candles and columns.
#[derive(Clone, Debug)]
pub struct History {
    width: Millis,
    first: Millis,
    candles: Vec<Candle>,
    columns: Vec<Column>,
    /// Start of the column that the last command belongs to.
    open: Millis,
}

impl History {
    /// For a flow from `first` to `last`.
    pub fn new(first: Millis, last: Millis) -> History {
        let width = (last.saturating_sub(first) / COLUMNS).max(1);
        History { width, first, candles: Vec::new(), columns: Vec::new(), open: first }
    }

    /// How long a column is.
    pub fn width(&self) -> Millis {
        self.width
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Before something happens at `time`: a column that is over by then is written.
    pub fn pass(&mut self, time: Millis, market: &Market, plain: Option<&Market>) {
        let end = self.open.saturating_add(self.width);
        if time < end {
            return;
        }
        if self.columns.last().is_none_or(|last| last.start < self.open) {
            let quote = |market: &Market| (market.book().best(Side::Buy), market.book().best(Side::Sell));
            let levels = Side::BOTH.map(|side| {
                let depth = market.book().depth(side).take(COLUMN_LEVELS);
                depth.map(|level| (level.price, level.quantity)).collect()
            });
            self.columns.push(Column {
                start: self.open,
                quote: quote(market),
                plain_quote: plain.map(quote),
                levels,
            });
        }
        self.open = self.column_of(time);
    }

    fn column_of(&self, time: Millis) -> Millis {
        let since = time.saturating_sub(self.first);
        self.first + since - since % self.width
    }

    /// A minute is over.
    pub fn close(&mut self, candle: Candle) {
        if self.candles.last().is_none_or(|last| last.time < candle.time) && self.candles.len() < MAX_CANDLES
        {
            self.candles.push(candle);
        }
    }

    /// The session goes on from here.
    pub fn jump(&mut self, time: Millis) {
        self.open = self.column_of(time);
    }

    /// What lies after `time` will not be so.
    pub fn cut(&mut self, time: Millis) {
        self.columns.retain(|column| column.start + self.width <= time);
        self.candles.retain(|candle| (candle.time + 60) * 1000 <= time);
    }

    /// Minutes that are over in this market, oldest first.
    pub fn candles(&self, market: &Market) -> &[Candle] {
        let seconds = market.time() / 1000;
        let minute = seconds - seconds % 60;
        &self.candles[..self.candles.partition_point(|candle| candle.time < minute)]
    }

    /// Depth over time: columns and prices put together as asked.
    pub fn heat(&self, query: &HeatQuery) -> Heat {
        let step = query.price_step.max(1);
        // Columns after the open one are of a later place, which was seen before.
        let until = query.to.min(self.open);
        let inside = |column: &&Column| column.start + self.width > query.from && column.start < until;
        let shown: Vec<&Column> = self.columns.iter().filter(inside).collect();
        let join = shown.len().div_ceil(usize::from(query.columns.max(1))).max(1);
        let mut heat =
            Heat { width_ms: self.width * join as u64, price_step: step, columns: Vec::new(), cut: false };
        let mut cells = 0;
        for group in shown.chunks(join) {
            let mut sides: [BTreeMap<Price, Quantity>; 2] = Default::default();
            for column in group {
                for (side, levels) in sides.iter_mut().zip(&column.levels) {
                    // A column's sum at each price step, and the largest of the group's.
                    let mut sums: BTreeMap<Price, Quantity> = BTreeMap::new();
                    for &(price, quantity) in levels {
                        let sum = sums.entry(price - price % step).or_default();
                        *sum = sum.saturating_add(quantity);
                    }
                    for (price, sum) in sums {
                        let most = side.entry(price).or_default();
                        *most = (*most).max(sum);
                    }
                }
            }
            cells += sides[0].len() + sides[1].len();
            if cells > MAX_CELLS {
                heat.cut = true;
                break;
            }
            let last = group.last().map(|column| column.quote).unwrap_or_default();
            let plain = group.last().and_then(|column| column.plain_quote).unwrap_or_default();
            let [bids, asks] = sides.map(|side| side.into_iter().collect());
            heat.columns.push(HeatColumn {
                start: group[0].start,
                bid: last.0,
                ask: last.1,
                plain_bid: plain.0,
                plain_ask: plain.1,
                bids,
                asks,
            });
        }
        heat
    }
}

/// Which part of the heat map, and how fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatQuery {
    pub from: Millis,
    pub to: Millis,
    /// Prices are put together to multiples of this.
    pub price_step: u64,
    /// At most so many columns.
    pub columns: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heat {
    pub width_ms: Millis,
    pub price_step: u64,
    pub columns: Vec<HeatColumn>,
    /// There would have been more cells than are given.
    pub cut: bool,
}

/// Prices, rounded down to the step, with the largest sum that was displayed there; ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatColumn {
    pub start: Millis,
    pub bid: Option<Price>,
    pub ask: Option<Price>,
    /// The best prices without the user's orders, where there were any.
    pub plain_bid: Option<Price>,
    pub plain_ask: Option<Price>,
    pub bids: Vec<(Price, Quantity)>,
    pub asks: Vec<(Price, Quantity)>,
}

/// A trade of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    pub sequence: Sequence,
    pub time: Millis,
    pub price: Price,
    pub quantity: Quantity,
    pub bought: bool,
    /// One of the two was the user's.
    pub own: bool,
}

impl Trade {
    pub fn of(sequence: Sequence, time: Millis, fill: &Fill) -> Trade {
        Trade {
            sequence,
            time,
            price: fill.price,
            quantity: fill.quantity,
            bought: fill.taker_side == Side::Buy,
            own: fill.maker.user == USER || fill.taker.user == USER,
        }
    }
}

/// The last so many of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring<T> {
    kept: VecDeque<T>,
    most: usize,
}

impl<T> Ring<T> {
    pub fn new(most: usize) -> Ring<T> {
        Ring { kept: VecDeque::new(), most }
    }

    pub fn push(&mut self, value: T) {
        if self.kept.len() >= self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(value);
    }

    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.kept.iter()
    }
}

/// An event as it was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    pub sequence: Sequence,
    pub time: Millis,
    pub event: Event,
}

/// What the log tells of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    Accepted,
    Rejected,
    Filled,
    Cancelled,
    Reduced,
    Replaced,
    Triggered,
    Refused,
    Market,
}

/// One line of the log. Which fields are there depends on what it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub sequence: Sequence,
    pub time: Millis,
    pub what: What,
    pub own: bool,
    pub order: Option<u64>,
    /// The taker of a fill.
    pub other: Option<u64>,
    pub buy: Option<bool>,
    pub price: Option<Price>,
    pub quantity: Option<Quantity>,
    /// A reason's name on the wire, or the market's new phase.
    pub reason: Option<String>,
}

/// Which lines: all that every given filter lets through, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// None: all.
    pub what: Vec<What>,
    pub own: bool,
    pub order: Option<u64>,
    /// Only older ones: the next page.
    pub before: Option<Sequence>,
    pub limit: u16,
}

/// The lines of the log that a query wants.
pub fn query(log: &Ring<Logged>, query: &LogQuery) -> Vec<LogLine> {
    let lines = log.iter().rev().map(line).filter(|line| {
        (query.what.is_empty() || query.what.contains(&line.what))
            && (!query.own || line.own)
            && query.order.is_none_or(|order| line.order == Some(order) || line.other == Some(order))
            && query.before.is_none_or(|before| line.sequence < before)
    });
    lines.take(usize::from(query.limit)).collect()
}

fn line(logged: &Logged) -> LogLine {
    let blank = |what| LogLine {
        sequence: logged.sequence,
        time: logged.time,
        what,
        own: false,
        order: None,
        other: None,
        buy: None,
        price: None,
        quantity: None,
        reason: None,
    };
    let about = |what, of: &OrderRef, reason: Option<&str>| LogLine {
        own: of.user == USER,
        order: Some(of.order.0),
        buy: Some(of.side == Side::Buy),
        price: Some(of.price),
        quantity: Some(of.quantity),
        reason: reason.map(Into::into),
        ..blank(what)
    };
    let refused = |order: &OrderId, user, reason: &str| LogLine {
        own: user == USER,
        order: Some(order.0),
        reason: Some(reason.into()),
        ..blank(What::Refused)
    };
    match &logged.event {
        Event::Accepted(of) => about(What::Accepted, of, None),
        Event::Rejected(of, reason) => about(What::Rejected, of, Some(reason.as_str())),
        Event::Cancelled(of, reason) => about(What::Cancelled, of, Some(reason.as_str())),
        Event::Reduced { now, reason, .. } => about(What::Reduced, now, Some(reason.as_str())),
        Event::Replaced { now, .. } => about(What::Replaced, now, None),
        Event::Triggered(of) => about(What::Triggered, of, None),
        Event::Filled(fill) => LogLine {
            own: fill.maker.user == USER || fill.taker.user == USER,
            order: Some(fill.maker.order.0),
            other: Some(fill.taker.order.0),
            buy: Some(fill.taker_side == Side::Buy),
            price: Some(fill.price),
            quantity: Some(fill.quantity),
            ..blank(What::Filled)
        },
        Event::CancelRejected { order, user, reason } | Event::ReplaceRejected { order, user, reason } => {
            refused(order, *user, reason.as_str())
        }
        Event::MassCancelled { user, orders } => {
            LogLine { own: *user == Some(USER), quantity: Some(u64::from(*orders)), ..blank(What::Cancelled) }
        }
        Event::PhaseChanged { to, .. } => LogLine { reason: Some(to.as_str().into()), ..blank(What::Market) },
        Event::Auctioned { price, quantity, .. } => {
            LogLine { price: Some(*price), quantity: Some(*quantity), ..blank(What::Market) }
        }
        Event::CommandRejected(reason) => {
            LogLine { reason: Some(reason.as_str().into()), ..blank(What::Refused) }
        }
        Event::CandleClosed(candle) => {
            LogLine { price: Some(candle.close), quantity: Some(candle.volume), ..blank(What::Market) }
        }
        Event::Defined => blank(What::Market),
    }
}
