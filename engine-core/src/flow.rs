//! Recorded order flows as commands: the golden format (`action,order_id,side,type,tif,price,qty`), LOBSTER's
//! message files (`time,type,order_id,size,price,direction`), and this crate's own [`record`].
//!
//! [`reader::FlowReader`] reads all three from chunks of bytes as they come, and tells them apart.

pub mod reader;
pub mod record;

use crate::book::OrderBook;
use crate::command::{Command, NewOrder, Replace};
use crate::event::{Event, Reason};
use crate::hash::BuildIdHasher;
use crate::market::Market;
use crate::types::{OrderId, OrderType, Price, Side, TimeInForce, UserId};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use hashbrown::HashMap;

/// The account of a flow that names none.
pub const ANYBODY: UserId = UserId(0);

/// What a line lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine(pub &'static str);

impl core::fmt::Display for BadLine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for BadLine {}

/// The header of a golden command file.
pub const GOLDEN_HEADER: &str = "action,order_id,side,type,tif,price,qty";

/// One line of a golden command file.
pub fn parse_golden(line: &str) -> Result<Command, BadLine> {
    let mut fields = line.trim_end().split(',');
    let mut field =
        || fields.next().ok_or(BadLine("seven fields are needed: action,order_id,side,type,tif,price,qty"));
    let (action, order, side, order_type, tif, price, quantity) =
        (field()?, field()?, field()?, field()?, field()?, field()?, field()?);
    let order = OrderId(number(order, BadLine("order_id is not a number"))?);
    let price = |needed: bool| match price {
        "" if !needed => Ok(0),
        price => number(price, BadLine("price is not a number")),
    };
    let quantity = || number(quantity, BadLine("qty is not a number"));
    match action {
        "ADD" => {
            let side = match side {
                "B" => Side::Buy,
                "S" => Side::Sell,
                _ => return Err(BadLine("side is neither B nor S")),
            };
            let order_type = match order_type {
                "LIMIT" => OrderType::Limit,
                "MARKET" => OrderType::Market,
                _ => return Err(BadLine("type is neither LIMIT nor MARKET")),
            };
            let time_in_force = match tif {
                "GTC" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                _ => return Err(BadLine("tif is none of GTC, IOC, FOK")),
            };
            let price = price(order_type == OrderType::Limit)?;
            let plain = NewOrder::limit(order, ANYBODY, side, price, quantity()?);
            Ok(Command::Add(NewOrder { order_type, time_in_force, ..plain }))
        }
        "CANCEL" => Ok(Command::Cancel { order, user: ANYBODY }),
        "REPLACE" => Ok(Command::Replace(Replace {
            order,
            user: ANYBODY,
            price: price(true)?,
            quantity: quantity()?,
            stop: None,
            expected: None,
        })),
        _ => Err(BadLine("action is none of ADD, CANCEL, REPLACE")),
    }
}

/// Feeds golden commands to a market and answers as the seed engine did.
///
/// The seed engine (Liquibook) looks an order up, and prices its fills, by the price that the order was *entered*
/// with: its caller never told it of a replaced price. So an order that a replace has moved is matched at its new
/// price in the right order, but its fills are reported at the old price, and a later cancel or replace of it is
/// refused as unknown (unless its search, which starts at the old price and looks at one order too many, happens upon
/// it). Our core does neither: a cancel finds the order, and nobody trades through a limit. This type adds both quirks
/// from outside, for the comparison alone.
#[derive(Clone, Debug, Default)]
pub struct GoldenReplay {
    market: Market,
    /// Orders that a replace has moved, with the price that they were entered with.
    moved: HashMap<OrderId, Price, BuildIdHasher>,
    events: Vec<Event>,
}

impl GoldenReplay {
    /// The market behind it, with our own answers.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Applies one command and returns what happened, with the seed engine's quirks.
    pub fn apply(&mut self, command: &Command) -> &[Event] {
        self.events.clear();
        match *command {
            Command::Cancel { order, user } if self.is_lost(order) => {
                self.events.push(Event::CancelRejected { order, user, reason: Reason::UnknownOrder });
                return &self.events;
            }
            Command::Replace(Replace { order, user, .. }) if self.is_lost(order) => {
                self.events.push(Event::ReplaceRejected { order, user, reason: Reason::UnknownOrder });
                return &self.events;
            }
            Command::Replace(Replace { order, price, .. }) => {
                if let Some(resting) = self.market.book().get(order)
                    && resting.price != price
                {
                    self.moved.entry(order).or_insert(resting.price);
                }
            }
            _ => {}
        }
        self.market.apply(0, command, &mut self.events);
        for event in &mut self.events {
            if let Event::Filled(fill) = event
                && let Some(&entered) = self.moved.get(&fill.maker.order)
            {
                fill.price = entered;
            }
        }
        &self.events
    }

    /// Whether the seed engine no longer finds a resting order: it walks the queue of the price that the order was
    /// entered with, if there is one, and one order further.
    fn is_lost(&self, order: OrderId) -> bool {
        let (Some(&entered), Some(resting)) = (self.moved.get(&order), self.market.book().get(order)) else {
            return false;
        };
        let mut fronts = self.market.book().fronts(resting.side).skip_while(|front| front.price != entered);
        fronts.next().is_none()
            || (resting.price != entered && fronts.next().is_none_or(|front| front.order != order))
    }
}

/// Appends an event's line in the golden format; events that the format does not know add nothing.
pub fn write_golden_event(event: &Event, out: &mut String) {
    let written = match event {
        Event::Accepted(order) => writeln!(out, "ACCEPT,{}", order.order.0),
        Event::Rejected(order, _) => writeln!(out, "REJECT,{}", order.order.0),
        Event::Filled(fill) => {
            writeln!(
                out,
                "FILL,{},{},{},{}",
                fill.maker.order.0, fill.taker.order.0, fill.price, fill.quantity
            )
        }
        Event::Cancelled(order, _) => writeln!(out, "CANCEL,{}", order.order.0),
        Event::CancelRejected { order, .. } => writeln!(out, "CANCEL_REJECT,{}", order.0),
        Event::Replaced { now, delta } => writeln!(out, "REPLACE,{},{},{delta}", now.order.0, now.price),
        Event::ReplaceRejected { order, .. } => writeln!(out, "REPLACE_REJECT,{}", order.0),
        Event::Reduced { .. }
        | Event::Triggered(_)
        | Event::MassCancelled { .. }
        | Event::PhaseChanged { .. }
        | Event::Auctioned { .. }
        | Event::Defined
        | Event::CommandRejected(_)
        | Event::CandleClosed(_) => Ok(()),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

/// Appends the golden format's depth line: `n,B,price:qty:orders,…,S,…`, ten levels.
pub fn write_golden_depth(number: u64, book: &OrderBook, out: &mut String) {
    let mut written = write!(out, "{number}");
    for (name, side) in [("B", Side::Buy), ("S", Side::Sell)] {
        written = written.and(write!(out, ",{name}"));
        for level in book.depth(side).take(10) {
            written = written.and(write!(out, ",{}:{}:{}", level.price, level.quantity, level.orders));
        }
    }
    out.push('\n');
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

/// What a LOBSTER message tells, by its type from 1 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LobsterKind {
    /// 1: a limit order was entered and rests.
    New,
    /// 2: an order rests on with `size` less.
    PartialCancel,
    /// 3: the rest of an order, `size`, was taken out.
    Delete,
    /// 4: `size` of a displayed order was filled.
    Execution,
    /// Execution of an order that never showed in the book.
    HiddenExecution,
    /// 6: an auction traded.
    CrossTrade,
    /// 7: trading was halted or resumed.
    Halt,
}

/// One LOBSTER message. Prices are in 1/10,000 of the currency unit, times in nanoseconds after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LobsterMessage {
    /// Nanoseconds after midnight.
    pub time_ns: u64,
    /// What happened.
    pub kind: LobsterKind,
    /// The order's number; 0 where the message is about none.
    pub order: OrderId,
    /// Shares.
    pub size: u64,
    /// In 1/10,000 of the currency unit; 0 for a halt.
    pub price: u64,
    /// Side of the resting order that the message is about.
    pub side: Side,
}

/// What a flow asks for. A flow that was seen from outside says how much an order lost, not how much was left: that depends on the
/// book, which may hold others' orders too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// As it is.
    Command(Command),
    /// This much is taken off what is open; the order goes when nothing is left. Unknown orders are passed over.
    Reduce {
        /// The order, of [`ANYBODY`].
        order: OrderId,
        /// How much less.
        by: u64,
    },
}

impl Step {
    /// The command that it is on this market; none where there is nothing to do.
    pub fn resolve(&self, market: &Market) -> Option<Command> {
        match *self {
            Step::Command(ref command) => Some(command.clone()),
            Step::Reduce { order, by } => {
                let resting = market.book().get(order)?;
                let (price, user, open) = (resting.price, resting.user, resting.open + resting.hidden);
                Some(if open <= by {
                    Command::Cancel { order, user }
                } else {
                    Command::Replace(Replace {
                        order,
                        user,
                        price,
                        quantity: open - by,
                        stop: None,
                        expected: None,
                    })
                })
            }
        }
    }
}

impl LobsterMessage {
    /// What happened as something to do. An execution becomes the order that must have caused it, an immediate one of the other side
    /// with the id `taker`: the message's own is the resting order's. Hidden executions, auctions and halts leave the visible
    /// book alone and are nothing.
    pub fn step(&self, taker: OrderId) -> Option<Step> {
        match self.kind {
            LobsterKind::New => Some(Step::Command(Command::Add(NewOrder::limit(
                self.order, ANYBODY, self.side, self.price, self.size,
            )))),
            LobsterKind::PartialCancel => Some(Step::Reduce { order: self.order, by: self.size }),
            LobsterKind::Delete => Some(Step::Command(Command::Cancel { order: self.order, user: ANYBODY })),
            LobsterKind::Execution => {
                let plain = NewOrder::limit(taker, ANYBODY, self.side.opposite(), self.price, self.size);
                Some(Step::Command(Command::Add(NewOrder { time_in_force: TimeInForce::Ioc, ..plain })))
            }
            LobsterKind::HiddenExecution | LobsterKind::CrossTrade | LobsterKind::Halt => None,
        }
    }
}

/// One line of a LOBSTER message file.
pub fn parse_lobster(line: &str) -> Result<LobsterMessage, BadLine> {
    let mut fields = line.trim_end().split(',');
    let mut field =
        || fields.next().ok_or(BadLine("six fields are needed: time,type,order_id,size,price,direction"));
    let (time, kind, order, size, price, direction) =
        (field()?, field()?, field()?, field()?, field()?, field()?);
    let kind = match kind {
        "1" => LobsterKind::New,
        "2" => LobsterKind::PartialCancel,
        "3" => LobsterKind::Delete,
        "4" => LobsterKind::Execution,
        "5" => LobsterKind::HiddenExecution,
        "6" => LobsterKind::CrossTrade,
        "7" => LobsterKind::Halt,
        _ => return Err(BadLine("type is not 1 to 7")),
    };
    let side = match direction {
        "1" => Side::Buy,
        "-1" => Side::Sell,
        _ => return Err(BadLine("direction is neither 1 nor -1")),
    };
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    if fraction.len() > 9 {
        return Err(BadLine("time has more than nine decimals"));
    }
    let mut nanos = if fraction.is_empty() { 0 } else { number(fraction, BadLine("time is not a number"))? };
    nanos *= 10u64.pow(9 - fraction.len() as u32);
    let time_ns = number(seconds, BadLine("time is not a number"))?
        .checked_mul(1_000_000_000)
        .and_then(|seconds| seconds.checked_add(nanos))
        .ok_or(BadLine("time is too large"))?;
    // A halt's price is -1, 0 or 1: it says which kind of halt.
    let price = match kind {
        LobsterKind::Halt => 0,
        _ => number(price, BadLine("price is not a number"))?,
    };
    Ok(LobsterMessage {
        time_ns,
        kind,
        order: OrderId(number(order, BadLine("order_id is not a number"))?),
        size: number(size, BadLine("size is not a number"))?,
        price,
        side,
    })
}

fn number(text: &str, otherwise: BadLine) -> Result<u64, BadLine> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| otherwise)
    } else {
        Err(otherwise)
    }
}
