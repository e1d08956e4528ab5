//! Commands and events as bytes, for recorded logs.
//!
//! Every record is a kind (one byte) and then its fields in the order in which they are declared: numbers in LEB128,
//! signed ones in zigzag, choices as one byte each, options as a byte 0 or 1 before the value. [`decode_command`] and
//! [`decode_event`] take exactly what [`encode_command`] and [`encode_event`] give; anything else is refused with a reason, so
//! that bytes from anywhere are safe to decode. Bytes of kinds and choices are only ever added to, so old records stay readable.
//!
//! A record does not say how long it is: whoever stores many of them puts a length before each.
//!
//! ```
//! use engine_core::codec::{CodecError, decode_command, encode_command};
//! use engine_core::command::{Command, TimedCommand};
//! use engine_core::types::{OrderId, UserId};
//!
//! let command = TimedCommand { time: 300, command: Command::Cancel { order: OrderId(7), user: UserId(1) } };
//! let mut bytes = Vec::new();
//! encode_command(&command, &mut bytes);
//! // The time in LEB128, the kind, the order, the account.
//! assert_eq!(bytes, [0xAC, 0x02, 2, 7, 1]);
//! assert_eq!(decode_command(&bytes), Ok(command));
//!
//! // Every byte counts, and there is one way to write each record.
//! assert_eq!(decode_command(&bytes[..4]), Err(CodecError::Truncated));
//! assert_eq!(decode_command(&[0xAC, 0x02, 2, 7, 1, 0]), Err(CodecError::Trailing));
//! assert_eq!(decode_command(&[0xAC, 0x02, 9]), Err(CodecError::UnknownKind(9)));
//! ```

use crate::bytes::{Reader, Writer};
use crate::candle::Candle;
use crate::command::{Command, MassCancel, NewOrder, Replace, TimedCommand};
use crate::definition::{Definition, Limits, MAX_TICK_ROWS, TickRow, TickTable};
use crate::event::{Event, Fill, OrderRef, Party, Reason};
use crate::types::{
    Link, OrderId, OrderType, Phase, PostOnly, SelfTrade, Side, TimeInForce, Trigger, UserId,
};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end within a field.
    Truncated,
    /// A number of more than 64 bits, or of more bytes than it needs.
    BadNumber,
    /// A first byte that names no kind of command or event: a newer program wrote it, or it is no record.
    UnknownKind(u8),
    /// A byte that names none of the choices of this field.
    UnknownChoice(&'static str, u8),
    /// A number that does not fit this field.
    TooLarge(&'static str),
    /// Rows that [`TickTable::new`] refuses, or too many of them.
    BadTickTable,
    /// A string that is not UTF-8. Only snapshots of the feature `wire` have strings.
    NotText,
    /// Bytes after the end of the record.
    Trailing,
}

impl core::fmt::Display for CodecError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the record is truncated"),
            CodecError::BadNumber => f.write_str("a number is longer than it may be"),
            CodecError::UnknownKind(kind) => write!(f, "record kind {kind} is not known"),
            CodecError::UnknownChoice(what, byte) => write!(f, "{byte} is no {what}"),
            CodecError::TooLarge(what) => write!(f, "{what} is too large"),
            CodecError::BadTickTable => f.write_str("the tick table contradicts itself"),
            CodecError::NotText => f.write_str("text is not UTF-8"),
            CodecError::Trailing => f.write_str("bytes after the end of the record"),
        }
    }
}

impl core::error::Error for CodecError {}

/// A type of one byte each.
pub(crate) trait Choice: Copy + 'static {
    const NAME: &'static str;
    /// By their bytes, from 0 on. Only ever added to at the end.
    const ALL: &'static [Self];

    fn is(self, other: Self) -> bool;

    fn byte(self) -> u8 {
        Self::ALL.iter().position(|&choice| choice.is(self)).unwrap_or(0) as u8
    }

    fn from_byte(byte: u8) -> Result<Self, CodecError> {
        Self::ALL.get(usize::from(byte)).copied().ok_or(CodecError::UnknownChoice(Self::NAME, byte))
    }
}

macro_rules! choices {
    ($($name:ident $text:literal: $($variant:ident),*;)*) => {
        $(impl Choice for $name {
            const NAME: &'static str = $text;
            const ALL: &'static [Self] = &[$($name::$variant),*];

            fn is(self, other: Self) -> bool {
                self == other
            }
        })*
    };
}

choices! {
    Side "side": Buy, Sell;
    OrderType "order type": Limit, Market;
    PostOnly "post-only rule": No, Reject, Reprice;
    SelfTrade "self-trade rule": Allow, CancelNewest, CancelOldest, CancelBoth, Decrement;
    Phase "phase": PreOpen, OpeningAuction, Continuous, VolatilityAuction, Halt, ClosingAuction, Closed, CancelOnly, Delisted;
}

/// What can be written as a field and read back.
pub(crate) trait Field: Sized {
    fn put(&self, to: &mut Writer);
    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError>;
}

impl Field for u64 {
    fn put(&self, to: &mut Writer) {
        to.number(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        from.number()
    }
}

impl Field for u32 {
    fn put(&self, to: &mut Writer) {
        to.number(u64::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        u32::try_from(u64::take(from)?).map_err(|_| CodecError::TooLarge("a 32-bit number"))
    }
}

impl Field for i64 {
    fn put(&self, to: &mut Writer) {
        to.signed(*self);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        from.signed()
    }
}

impl Field for bool {
    fn put(&self, to: &mut Writer) {
        to.byte(u8::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(CodecError::UnknownChoice("yes or no", byte)),
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, to: &mut Writer) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        if bool::take(from)? { T::take(from).map(Some) } else { Ok(None) }
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

macro_rules! choice_fields {
    ($($name:ident),*) => {
        $(impl Field for $name {
            fn put(&self, to: &mut Writer) {
                to.byte(self.byte());
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                Self::from_byte(from.byte()?)
            }
        })*
    };
}

choice_fields!(Side, OrderType, PostOnly, SelfTrade, Phase);

/// Structs field by field.
macro_rules! struct_fields {
    ($($name:ident { $($field:ident),* })*) => {
        $(impl Field for $name {
            fn put(&self, to: &mut Writer) {
                $(self.$field.put(to);)*
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok($name { $($field: Field::take(from)?),* })
            }
        })*
    };
}

impl Field for OrderId {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        u64::take(from).map(OrderId)
    }
}

impl Field for UserId {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        u64::take(from).map(UserId)
    }
}

impl Field for Reason {
    fn put(&self, to: &mut Writer) {
        to.byte(*self as u8);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let byte = from.byte()?;
        Reason::from_code(byte).ok_or(CodecError::UnknownChoice("reason", byte))
    }
}

/// Enums whose variants are nothing or one number: a byte, and the number.
macro_rules! tagged_fields {
    ($($name:ident $text:literal { $($byte:literal = $variant:ident $(($inner:ident))?),* })*) => {
        $(impl Field for $name {
            fn put(&self, to: &mut Writer) {
                match self {
                    $($name::$variant $(($inner))? => {
                        to.byte($byte);
                        $($inner.put(to);)?
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                match from.byte()? {
                    $($byte => Ok($name::$variant $(({
                        let $inner = Field::take(from)?;
                        $inner
                    }))?),)*
                    byte => Err(CodecError::UnknownChoice($text, byte)),
                }
            }
        })*
    };
}

tagged_fields! {
    TimeInForce "time in force" { 0 = Gtc, 1 = Ioc, 2 = Fok, 3 = Day, 4 = Gtd(end) }
    Trigger "trigger" { 0 = None, 1 = Stop(price), 2 = Trailing(distance) }
    Link "link" { 0 = None, 1 = Other(order), 2 = ExitOf(order) }
}

struct_fields! {
    NewOrder {
        order, user, group, side, order_type, time_in_force, price, quantity, trigger, display, minimum, all_or_none,
        post_only, self_trade, budget, link, cancel_on_disconnect
    }
    Replace { order, user, price, quantity, stop, expected }
    MassCancel { user, side, disconnected }
    TickRow { from, tick }
    Limits { orders, orders_per_account, watched }
    Definition {
        ticks, lot, min_quantity, max_quantity, max_notional, band, static_band, dynamic_band, volatility_auction_ms,
        reference, fee_schedule, limits
    }
    OrderRef { order, user, side, price, quantity }
    Party { order, user, price, remaining }
    Fill { maker, taker, taker_side, auction, price, quantity }
    Candle { time, open, high, low, close, volume }
}

impl Field for TickTable {
    fn put(&self, to: &mut Writer) {
        to.byte(self.rows().len() as u8);
        self.rows().iter().for_each(|row| row.put(to));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let len = usize::from(from.byte()?);
        if len > MAX_TICK_ROWS {
            return Err(CodecError::BadTickTable);
        }
        let mut rows = [TickRow::default(); MAX_TICK_ROWS];
        for row in &mut rows[..len] {
            *row = TickRow::take(from)?;
        }
        TickTable::new(&rows[..len]).ok_or(CodecError::BadTickTable)
    }
}

impl Field for Box<Definition> {
    fn put(&self, to: &mut Writer) {
        self.as_ref().put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Definition::take(from).map(Box::new)
    }
}

/// Records: a kind and its fields.
macro_rules! records {
    ($($name:ident { $($byte:literal = $variant:ident $(($($inner:ident),*))? $({$($field:ident),*})?),* $(,)? })*) => {
        $(impl Field for $name {
            fn put(&self, to: &mut Writer) {
                match self {
                    $($name::$variant $(($($inner),*))? $({$($field),*})? => {
                        to.byte($byte);
                        $($($inner.put(to);)*)?
                        $($($field.put(to);)*)?
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                match from.byte()? {
                    $($byte => {
                        $($(let $inner = Field::take(from)?;)*)?
                        $($(let $field = Field::take(from)?;)*)?
                        Ok($name::$variant $(($($inner),*))? $({$($field),*})?)
                    })*
                    kind => Err(CodecError::UnknownKind(kind)),
                }
            }
        })*
    };
}

records! {
    Command {
        0 = Tick,
        1 = Add(order),
        2 = Cancel { order, user },
        3 = Replace(replace),
        4 = MassCancel(mass),
        5 = SetPhase(phase),
        6 = Define(definition),
    }
    Event {
        0 = Accepted(order),
        1 = Rejected(order, reason),
        2 = Filled(fill),
        3 = Cancelled(order, reason),
        4 = Reduced { now, by, reason },
        5 = Replaced { now, delta },
        6 = Triggered(order),
        7 = CancelRejected { order, user, reason },
        8 = ReplaceRejected { order, user, reason },
        9 = MassCancelled { user, orders },
        10 = PhaseChanged { from, to, until },
        11 = Auctioned { price, quantity, surplus },
        12 = Defined,
        13 = CommandRejected(reason),
        14 = CandleClosed(candle),
    }
}

/// Appends a command, its time first, to what is in `out`.
pub fn encode_command(command: &TimedCommand, out: &mut Vec<u8>) {
    append(out, |to| {
        command.time.put(to);
        command.command.put(to);
    });
}

/// The command that these bytes are, all of them. Whether a market takes it is the market's to say: a definition that contradicts
/// itself is decoded, and refused there.
pub fn decode_command(bytes: &[u8]) -> Result<TimedCommand, CodecError> {
    whole(bytes, |from| Ok(TimedCommand { time: Field::take(from)?, command: Field::take(from)? }))
}

/// Appends an event to what is in `out`.
pub fn encode_event(event: &Event, out: &mut Vec<u8>) {
    append(out, |to| event.put(to));
}

/// The event that these bytes are, all of them.
pub fn decode_event(bytes: &[u8]) -> Result<Event, CodecError> {
    whole(bytes, Event::take)
}

fn append(out: &mut Vec<u8>, put: impl FnOnce(&mut Writer)) {
    let mut writer = Writer::onto(core::mem::take(out));
    put(&mut writer);
    *out = writer.into_bytes();
}

fn whole<T>(
    bytes: &[u8],
    take: impl FnOnce(&mut Reader<'_>) -> Result<T, CodecError>,
) -> Result<T, CodecError> {
    let mut reader = Reader::new(bytes);
    let value = take(&mut reader)?;
    if reader.is_empty() { Ok(value) } else { Err(CodecError::Trailing) }
}
