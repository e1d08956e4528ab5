//! State to bytes and back: versioned, compact, checksummed, and the same bytes for the same state.
//!
//! Layout: 4 bytes magic, the version and every number after it in LEB128, strings and byte strings with their length
//! before them, and a CRC-32 (IEEE) of all that in the last 4 bytes, little-endian. The checksum is verified before
//! anything is built, so a truncated or altered snapshot is refused whole.

use crate::book::{OrderBook, RestingOrder};
use crate::candle::Candle;
use crate::market::Market;
use crate::ticker::Day;
use crate::types::{OrderId, Side, UserId};
use alloc::string::String;
use alloc::vec::Vec;

const MARKET_MAGIC: [u8; 4] = *b"SNMK";
const MARKET_VERSION: u64 = 1;

/// Why a snapshot was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    Truncated,
    /// These bytes are not a snapshot of this kind.
    WrongMagic,
    WrongChecksum,
    UnknownVersion(u64),
    /// The checksum holds but the content breaks a rule of the state.
    Impossible(&'static str),
}

impl core::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SnapshotError::Truncated => f.write_str("the snapshot is truncated"),
            SnapshotError::WrongMagic => f.write_str("not a snapshot of this kind"),
            SnapshotError::WrongChecksum => f.write_str("the snapshot's checksum does not match its content"),
            SnapshotError::UnknownVersion(version) => write!(f, "snapshot version {version} is not known"),
            SnapshotError::Impossible(what) => write!(f, "the snapshot holds an impossible state: {what}"),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// A market's state as bytes.
pub fn encode_market(market: &Market) -> Vec<u8> {
    let mut writer = Writer::new(MARKET_MAGIC, MARKET_VERSION);
    writer.number(market.sequence);
    writer.number(market.time);
    writer.number(market.day_offset_s);
    write_option(&mut writer, market.candle.as_ref(), write_candle);
    write_option(&mut writer, market.day.as_ref(), |writer, day| {
        write_candle(writer, &day.today);
        write_option(writer, day.previous_close.as_ref(), |writer, price| writer.number(*price));
        writer.signed(day.previous_change);
        writer.number(day.time);
    });
    for side in [Side::Buy, Side::Sell] {
        writer.number(market.book.queue(side).count() as u64);
        for order in market.book.queue(side) {
            writer.number(order.order.0);
            writer.number(order.user.0);
            writer.number(order.price);
            writer.number(order.open);
        }
    }
    writer.finish()
}

/// The market that [`encode_market`] wrote.
pub fn decode_market(bytes: &[u8]) -> Result<Market, SnapshotError> {
    let (mut reader, version) = Reader::open(bytes, MARKET_MAGIC)?;
    if version != MARKET_VERSION {
        return Err(SnapshotError::UnknownVersion(version));
    }
    let sequence = reader.number()?;
    let time = reader.number()?;
    let day_offset_s = reader.number()?;
    let candle = read_option(&mut reader, read_candle)?;
    let day = read_option(&mut reader, |reader| {
        Ok(Day {
            today: read_candle(reader)?,
            previous_close: read_option(reader, Reader::number)?,
            previous_change: reader.signed()?,
            time: reader.number()?,
        })
    })?;
    let mut book = OrderBook::new();
    for side in [Side::Buy, Side::Sell] {
        for _ in 0..reader.number()? {
            let order = RestingOrder {
                order: OrderId(reader.number()?),
                user: UserId(reader.number()?),
                side,
                price: reader.number()?,
                open: reader.number()?,
            };
            book.restore(order).map_err(|reason| SnapshotError::Impossible(reason.as_str()))?;
        }
    }
    if let (Some(bid), Some(ask)) = (book.best(Side::Buy), book.best(Side::Sell))
        && bid >= ask
    {
        return Err(SnapshotError::Impossible("crossed book"));
    }
    reader.finish()?;
    Ok(Market::of(book, sequence, time, candle, day, day_offset_s))
}

fn write_candle(writer: &mut Writer, candle: &Candle) {
    for number in [candle.time, candle.open, candle.high, candle.low, candle.close, candle.volume] {
        writer.number(number);
    }
}

fn read_candle(reader: &mut Reader<'_>) -> Result<Candle, SnapshotError> {
    Ok(Candle {
        time: reader.number()?,
        open: reader.number()?,
        high: reader.number()?,
        low: reader.number()?,
        close: reader.number()?,
        volume: reader.number()?,
    })
}

fn write_option<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    writer.number(u64::from(value.is_some()));
    if let Some(value) = value {
        write(writer, value);
    }
}

fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, SnapshotError>,
) -> Result<Option<T>, SnapshotError> {
    match reader.number()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(SnapshotError::Impossible("neither absent nor present")),
    }
}

/// Writes the layout that the module describes.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(magic: [u8; 4], version: u64) -> Writer {
        let mut writer = Writer { bytes: magic.to_vec() };
        writer.number(version);
        writer
    }

    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Zigzag, so that small negative numbers are short too.
    pub(crate) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let checksum = crc32(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        self.bytes
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The content and its version, once magic and checksum hold.
    pub(crate) fn open(bytes: &'a [u8], magic: [u8; 4]) -> Result<(Reader<'a>, u64), SnapshotError> {
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
        let mut reader = Reader { bytes: &content[4..] };
        let version = reader.number()?;
        Ok((reader, version))
    }

    pub(crate) fn number(&mut self) -> Result<u64, SnapshotError> {
        let mut value = 0;
        for (n, &byte) in self.bytes.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7F);
            if n == 9 && bits > 1 {
                return Err(SnapshotError::Impossible("a number over 64 bits"));
            }
            value |= bits << (7 * n);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[n + 1..];
                return Ok(value);
            }
        }
        Err(SnapshotError::Truncated)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, SnapshotError> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let length = usize::try_from(self.number()?).map_err(|_| SnapshotError::Truncated)?;
        if length > self.bytes.len() {
            return Err(SnapshotError::Truncated);
        }
        let (bytes, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        Ok(bytes)
    }

    pub(crate) fn string(&mut self) -> Result<String, SnapshotError> {
        let bytes = self.bytes()?;
        core::str::from_utf8(bytes)
            .map(String::from)
            .map_err(|_| SnapshotError::Impossible("text is not UTF-8"))
    }

    pub(crate) fn finish(self) -> Result<(), SnapshotError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(SnapshotError::Impossible("bytes after the end")) }
    }
}

/// CRC-32 as in IEEE 802.3, eight bytes at a step.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let low = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) ^ crc;
        crc = CRC[7][(low & 0xFF) as usize]
            ^ CRC[6][(low >> 8 & 0xFF) as usize]
            ^ CRC[5][(low >> 16 & 0xFF) as usize]
            ^ CRC[4][(low >> 24) as usize]
            ^ CRC[3][word[4] as usize]
            ^ CRC[2][word[5] as usize]
            ^ CRC[1][word[6] as usize]
            ^ CRC[0][word[7] as usize];
    }
    for &byte in words.remainder() {
        crc = CRC[0][((crc ^ u32::from(byte)) & 0xFF) as usize] ^ crc >> 8;
    }
    !crc
}

/// `CRC[k][b]`: the checksum of byte b followed by k zero bytes.
static CRC: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xFF) as usize] ^ before >> 8;
            byte += 1;
        }
        table += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn numbers_round_trip_at_their_edges() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let mut writer = Writer::new(*b"TEST", 3);
        for number in numbers {
            writer.number(number);
            writer.signed(number as i64);
        }
        let bytes = writer.finish();
        let (mut reader, version) = Reader::open(&bytes, *b"TEST").unwrap();
        assert_eq!(version, 3);
        for number in numbers {
            assert_eq!(reader.number(), Ok(number));
            assert_eq!(reader.signed(), Ok(number as i64));
        }
        reader.finish().unwrap();
    }
}
