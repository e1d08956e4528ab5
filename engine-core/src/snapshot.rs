//! State to bytes and back: versioned, compact, checksummed, and the same bytes for the same state.
//!
//! Layout: 4 bytes magic, the version and every number after it in LEB128, strings and byte strings with their length
//! before them, and a CRC-32 (IEEE) of all that in the last 4 bytes, little-endian. The checksum is verified before
//! anything is built, and what is built is checked before it is given out, so a truncated or altered snapshot is refused whole.
//!
//! | version | |
//! |---|---|
//! | 1 | plain limit orders |
//! | 2 | definition, phase, every kind of order, feeds' counters; prices and arrivals as differences |
//! | 3 | orders that the pass before a volatility auction has triggered |
//!
//! ```
//! use engine_core::command::{Command, NewOrder};
//! use engine_core::market::Market;
//! use engine_core::snapshot::{SnapshotError, decode_market, encode_market};
//! use engine_core::types::{OrderId, Side, UserId};
//!
//! let mut market = Market::default();
//! let order = NewOrder::limit(OrderId(1), UserId(7), Side::Buy, 100, 5);
//! market.apply(1_000, &Command::Add(order), &mut Vec::new());
//!
//! let bytes = encode_market(&market);
//! let mut restored = decode_market(&bytes).unwrap();
//! assert_eq!(encode_market(&restored), bytes);
//!
//! // Both go on alike, to the number of the next event.
//! let cancel = Command::Cancel { order: OrderId(1), user: UserId(7) };
//! let (mut here, mut there) = (Vec::new(), Vec::new());
//! market.apply(2_000, &cancel, &mut here);
//! restored.apply(2_000, &cancel, &mut there);
//! assert_eq!((here, market.sequence()), (there, restored.sequence()));
//!
//! // One bit is enough to be refused, and so is a missing end.
//! let mut altered = bytes.clone();
//! altered[10] ^= 1;
//! assert_eq!(decode_market(&altered).unwrap_err(), SnapshotError::WrongChecksum);
//! assert_eq!(decode_market(&bytes[..8]).unwrap_err(), SnapshotError::Truncated);
//! ```

use crate::book::{MAX_COUNT, OrderBook, Parts, SavedExtra, SavedOrder, SavedPlace};
use crate::bytes::{Reader, Writer, crc32};
use crate::candle::Candle;
use crate::codec::{Choice, CodecError, Field};
use crate::definition::Definition;
use crate::market::{MAX_DAY_OFFSET_S, Market};
use crate::ticker::Day;
use crate::types::{NO_END, OrderId, Phase, PostOnly, Price, SelfTrade, Side, UserId};
use alloc::vec::Vec;

const MARKET_MAGIC: [u8; 4] = *b"SNMK";
/// What [`encode_market`] writes; [`decode_market`] takes this and every earlier version.
pub const MARKET_VERSION: u64 = 3;

/// Why a snapshot was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// The bytes end too early, or are fewer than they say.
    Truncated,
    /// These bytes are not a snapshot of this kind.
    WrongMagic,
    /// Some byte is another one than was written.
    WrongChecksum,
    /// A newer program wrote it; nothing was read.
    UnknownVersion(u64),
    /// The checksum holds but a field cannot be read.
    Malformed(CodecError),
    /// The checksum holds but the content breaks a rule of the state.
    Impossible(&'static str),
}

impl From<CodecError> for SnapshotError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Truncated => SnapshotError::Truncated,
            error => SnapshotError::Malformed(error),
        }
    }
}

impl core::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SnapshotError::Truncated => f.write_str("the snapshot is truncated"),
            SnapshotError::WrongMagic => f.write_str("not a snapshot of this kind"),
            SnapshotError::WrongChecksum => f.write_str("the snapshot's checksum does not match its content"),
            SnapshotError::UnknownVersion(version) => write!(f, "snapshot version {version} is not known"),
            SnapshotError::Malformed(error) => write!(f, "the snapshot cannot be read: {error}"),
            SnapshotError::Impossible(what) => write!(f, "the snapshot holds an impossible state: {what}"),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// Magic and version before, the checksum after.
pub(crate) fn seal(magic: [u8; 4], version: u64, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::onto(magic.to_vec());
    writer.number(version);
    write(&mut writer);
    let mut bytes = writer.into_bytes();
    let checksum = crc32(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The content and its version, once magic and checksum hold.
pub(crate) fn open(bytes: &[u8], magic: [u8; 4]) -> Result<(Reader<'_>, u64), SnapshotError> {
    if bytes.len() < 9 {
        return Err(SnapshotError::Truncated);
    }
    if bytes[..4] != magic {
        return Err(SnapshotError::WrongMagic);
    }
    let (content, checksum) = bytes.split_at(bytes.len() - 4);
    if crc32(content).to_le_bytes() != checksum {
        return Err(SnapshotError::WrongChecksum);
    }
    let mut reader = Reader::new(&content[4..]);
    let version = reader.number()?;
    Ok((reader, version))
}

/// A market's state as bytes, in version [`MARKET_VERSION`]. Equal states give equal bytes, whatever way they were reached.
pub fn encode_market(market: &Market) -> Vec<u8> {
    seal(MARKET_MAGIC, MARKET_VERSION, |to| {
        market.sequence.put(to);
        market.time.put(to);
        market.day_offset_s.put(to);
        market.candle.put(to);
        market.day.put(to);
        let book = &market.book;
        book.parts().put(to);
        to.number(book.len() as u64);
        let mut last = Before::default();
        for side in Side::BOTH {
            to.number(book.depth(side).count() as u64);
            for (price, orders, queue) in book.saved_levels(side) {
                to.signed(price as i64 - last.price as i64);
                last.price = price;
                orders.put(to);
                queue.for_each(|order| put_order(&order, &mut last, to));
            }
        }
        let others = book.saved_off_book();
        to.number(others.len() as u64);
        for order in &others {
            to.byte(order.place as u8);
            order.side.put(to);
            order.price.put(to);
            put_order(order, &mut last, to);
        }
    })
}

/// The market that [`encode_market`] wrote, in this version or an earlier one.
pub fn decode_market(bytes: &[u8]) -> Result<Market, SnapshotError> {
    let (mut from, version) = open(bytes, MARKET_MAGIC)?;
    let from = &mut from;
    if version == 0 || version > MARKET_VERSION {
        return Err(SnapshotError::UnknownVersion(version));
    }
    let sequence = from.number()?;
    let time = from.number()?;
    let day_offset_s = from.number()?;
    if sequence > MAX_COUNT {
        return Err(SnapshotError::Impossible("a counter beyond what can have been counted"));
    }
    if day_offset_s > MAX_DAY_OFFSET_S {
        return Err(SnapshotError::Impossible("a time zone more than a day ahead"));
    }
    let candle = Field::take(from)?;
    let day = Field::take(from)?;
    let book = match version {
        1 => take_book_1(from, time)?,
        _ => take_book(from, version, time)?,
    };
    if !from.is_empty() {
        return Err(SnapshotError::Malformed(CodecError::Trailing));
    }
    Ok(Market::of(book, sequence, time, candle, day, day_offset_s))
}

fn take_book(from: &mut Reader<'_>, version: u64, time: u64) -> Result<OrderBook, SnapshotError> {
    let mut book = OrderBook::from_parts(&Parts::take(from)?, time).map_err(SnapshotError::Impossible)?;
    let count = from.number()?;
    // No order is shorter than five bytes: a lie about their number cannot make room for more than there can be.
    if count > from.left() as u64 / 5 {
        return Err(SnapshotError::Truncated);
    }
    book.reserve(count as usize);
    let mut last = Before::default();
    let mut special = Vec::new();
    let mut add = |book: &mut OrderBook, order: SavedOrder| {
        book.restore(&order).map_err(SnapshotError::Impossible)?;
        if order.extra.is_some_and(|extra| extra.peer.is_some() || extra.entry.is_some()) {
            special.push(order);
        }
        Ok::<(), SnapshotError>(())
    };
    for side in Side::BOTH {
        let mut edge: Option<Price> = None;
        for _ in 0..from.number()? {
            let price =
                (last.price as i64).checked_add(from.signed()?).and_then(|price| u64::try_from(price).ok());
            let Some(price) = price else { return Err(SnapshotError::Impossible("a negative price")) };
            if edge.is_some_and(|edge| edge == price || !side.opposite().accepts(price, edge)) {
                return Err(SnapshotError::Impossible("levels out of order"));
            }
            edge = Some(price);
            last.price = price;
            let orders = u32::take(from)?;
            if orders == 0 {
                return Err(SnapshotError::Impossible("an empty level"));
            }
            for _ in 0..orders {
                let order = take_order(SavedPlace::Resting, side, price, &mut last, from)?;
                add(&mut book, order)?;
            }
        }
    }
    let mut arrival = 0;
    for _ in 0..from.number()? {
        let place = match from.byte()? {
            1 => SavedPlace::Stopped,
            2 => SavedPlace::Waiting,
            3 => SavedPlace::Held,
            4 if version > 2 => SavedPlace::Due,
            byte => return Err(SnapshotError::Malformed(CodecError::UnknownChoice("place", byte))),
        };
        let (side, price) = (Side::take(from)?, from.number()?);
        let order = take_order(place, side, price, &mut last, from)?;
        if order.arrival <= arrival {
            return Err(SnapshotError::Impossible("orders out of order"));
        }
        arrival = order.arrival;
        add(&mut book, order)?;
    }
    if book.len() as u64 != count {
        return Err(SnapshotError::Impossible("another number of orders than it says"));
    }
    for order in &special {
        book.restore_links(order).map_err(SnapshotError::Impossible)?;
    }
    book.finish_restoring().map_err(SnapshotError::Impossible)?;
    Ok(book)
}

/// Version 1: both sides as queues of plain orders, which get new arrivals.
fn take_book_1(from: &mut Reader<'_>, time: u64) -> Result<OrderBook, SnapshotError> {
    let mut parts = OrderBook::default().parts();
    parts.arrivals = from.left() as u64;
    let mut book = OrderBook::from_parts(&parts, time).map_err(SnapshotError::Impossible)?;
    let mut arrival = 0;
    for side in Side::BOTH {
        for _ in 0..from.number()? {
            arrival += 1;
            let order = SavedOrder {
                order: OrderId(from.number()?),
                user: UserId(from.number()?),
                group: 0,
                side,
                price: from.number()?,
                open: from.number()?,
                arrival,
                self_trade: SelfTrade::Allow,
                post_only: PostOnly::No,
                cancel_on_disconnect: false,
                place: SavedPlace::Resting,
                extra: None,
            };
            book.restore(&order).map_err(SnapshotError::Impossible)?;
        }
    }
    book.finish_restoring().map_err(SnapshotError::Impossible)?;
    Ok(book)
}

/// What the order before had: numbers are written as differences.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    price: Price,
    arrival: u64,
}

/// Bits of an order's first byte; the self-trade rule is above them.
const HAS_EXTRA: u8 = 1;
const HAS_GROUP: u8 = 1 << 1;
const ON_DISCONNECT: u8 = 1 << 2;
const POST_ONLY_SHIFT: u8 = 3;
const SELF_TRADE_SHIFT: u8 = 5;

fn put_order(order: &SavedOrder, last: &mut Before, to: &mut Writer) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    to.byte(
        flag(order.extra.is_some(), HAS_EXTRA)
            | flag(order.group != 0, HAS_GROUP)
            | flag(order.cancel_on_disconnect, ON_DISCONNECT)
            | order.post_only.byte() << POST_ONLY_SHIFT
            | order.self_trade.byte() << SELF_TRADE_SHIFT,
    );
    to.number(order.order.0);
    to.number(order.user.0);
    to.number(order.open);
    to.signed(order.arrival.wrapping_sub(last.arrival) as i64);
    last.arrival = order.arrival;
    if order.group != 0 {
        order.group.put(to);
    }
    if let Some(extra) = &order.extra {
        extra.put(to);
    }
}

fn take_order(
    place: SavedPlace,
    side: Side,
    price: Price,
    last: &mut Before,
    from: &mut Reader<'_>,
) -> Result<SavedOrder, SnapshotError> {
    let flags = from.byte()?;
    let (order, user, open) = (OrderId(from.number()?), UserId(from.number()?), from.number()?);
    let arrival = last.arrival.wrapping_add(from.signed()? as u64);
    last.arrival = arrival;
    let group = if flags & HAS_GROUP == 0 { 0 } else { u32::take(from)? };
    if flags & HAS_GROUP != 0 && group == 0 {
        return Err(SnapshotError::Impossible("a group that is none"));
    }
    Ok(SavedOrder {
        order,
        user,
        group,
        side,
        price,
        open,
        arrival,
        self_trade: SelfTrade::from_byte(flags >> SELF_TRADE_SHIFT)?,
        post_only: PostOnly::from_byte(flags >> POST_ONLY_SHIFT & 3)?,
        cancel_on_disconnect: flags & ON_DISCONNECT != 0,
        place,
        extra: if flags & HAS_EXTRA == 0 { None } else { Some(SavedExtra::take(from)?) },
    })
}

impl Field for SavedExtra {
    fn put(&self, to: &mut Writer) {
        self.order_type.put(to);
        self.time_in_force.put(to);
        self.trigger.put(to);
        self.mark.put(to);
        self.display.put(to);
        self.hidden.put(to);
        self.minimum.put(to);
        self.all_or_none.put(to);
        self.budget.put(to);
        (self.expires != NO_END).then_some(self.expires).put(to);
        self.peer.put(to);
        self.entry.put(to);
        self.filled.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(SavedExtra {
            order_type: Field::take(from)?,
            time_in_force: Field::take(from)?,
            trigger: Field::take(from)?,
            mark: Field::take(from)?,
            display: Field::take(from)?,
            hidden: Field::take(from)?,
            minimum: Field::take(from)?,
            all_or_none: Field::take(from)?,
            budget: Field::take(from)?,
            expires: <Option<u64> as Field>::take(from)?.unwrap_or(NO_END),
            peer: Field::take(from)?,
            entry: Field::take(from)?,
            filled: Field::take(from)?,
        })
    }
}

impl Field for Parts {
    fn put(&self, to: &mut Writer) {
        self.definition.put(to);
        self.phase.put(to);
        self.until.put(to);
        self.last.put(to);
        self.auctioned.put(to);
        self.arrivals.put(to);
        self.depth_sequence.put(to);
        self.order_sequence.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Parts {
            definition: Definition::take(from)?,
            phase: Phase::take(from)?,
            until: Field::take(from)?,
            last: Field::take(from)?,
            auctioned: Field::take(from)?,
            arrivals: Field::take(from)?,
            depth_sequence: Field::take(from)?,
            order_sequence: Field::take(from)?,
        })
    }
}

impl Field for Day {
    fn put(&self, to: &mut Writer) {
        self.today.put(to);
        self.previous_close.put(to);
        self.previous_change.put(to);
        self.time.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Day {
            today: Candle::take(from)?,
            previous_close: Field::take(from)?,
            previous_change: Field::take(from)?,
            time: Field::take(from)?,
        })
    }
}
