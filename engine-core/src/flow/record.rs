//! One market's flow as bytes, to be written and read in one pass.
//!
//! A record is [`MAGIC`] (whose last byte is the version) and then blocks: a kind (one byte), the length of what follows the checksum
//! (4 bytes, little-endian), a CRC-32 (IEEE) of kind, length and payload (4 bytes, little-endian), the payload.
//!
//! | kind | payload |
//! |---|---|
//! | 1 | the symbol's length (one byte), the symbol, and the [snapshot](crate::snapshot) of the market before the first command |
//! | 2 | commands as [`encode_command`] writes them, each after its length in LEB128 |
//! | 3 | how many commands there were (8 bytes, little-endian), and the [`state_hash`] after the last one (16 bytes, little-endian) |
//!
//! The first block is of kind 1, the last one of kind 3, and each of them is there once. Kinds are only ever added to.
//!
//! ```
//! use engine_core::command::{Command, NewOrder, TimedCommand};
//! use engine_core::flow::record::{Block, BlockReader, RecordWriter};
//! use engine_core::market::Market;
//! use engine_core::types::{OrderId, Side, UserId};
//!
//! let mut market = Market::default();
//! let mut writer = RecordWriter::new("TEST", &market);
//! let order = NewOrder::limit(OrderId(1), UserId(1), Side::Buy, 100, 5);
//! let timed = TimedCommand { time: 1_000, command: Command::Add(order) };
//! writer.push(&timed);
//! market.apply(timed.time, &timed.command, &mut Vec::new());
//! let bytes = writer.finish(&market);
//!
//! let mut blocks = Vec::new();
//! let mut reader = BlockReader::default();
//! reader.push(&bytes, &mut |_, block| blocks.push(block.unwrap()));
//! reader.finish(&mut |_, block| panic!("{block:?}"));
//! assert!(matches!(&blocks[1], Block::Commands(commands) if commands[..] == [timed]));
//! ```

use crate::bytes::{Crc32, Reader, Writer};
use crate::codec::{CodecError, decode_command, encode_command};
use crate::command::TimedCommand;
use crate::digest::state_hash;
use crate::market::Market;
use crate::snapshot::{SnapshotError, decode_market, encode_market};
use alloc::string::String;
use alloc::vec::Vec;

/// How a record begins. The first byte begins no text, the last one is the version.
pub const MAGIC: [u8; 8] = *b"\x93SNFLOW\x01";
/// Commands are gathered into blocks of about so many bytes.
const BLOCK: usize = 32 << 10;
/// The longest payload that is read; a book of some millions of orders fits.
pub const MAX_BLOCK: usize = 64 << 20;

const BEGIN: u8 = 1;
const COMMANDS: u8 = 2;
const END: u8 = 3;
const HEAD: usize = 9;

/// What a record is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Where it begins.
    Begin {
        /// The symbol, as text from outside: it need not be one.
        symbol: String,
        /// The market before the first command; see [`decode_market`].
        snapshot: Vec<u8>,
    },
    /// Commands in a row.
    Commands(Vec<TimedCommand>),
    /// Where it ends.
    End {
        /// How many commands there were.
        commands: u64,
        /// The [`state_hash`] after them.
        state: u128,
    },
}

/// Why a block was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The first bytes are not [`MAGIC`]. Nothing after them is read.
    WrongMagic,
    /// A newer program wrote it. Nothing after it is read.
    UnknownVersion(u8),
    /// A length that no block has. Nothing after it is read.
    BlockTooLarge,
    /// Some byte is another one than was written.
    WrongChecksum,
    /// A kind that is not known.
    UnknownKind(u8),
    /// A block that cannot be read.
    Malformed(CodecError),
    /// The market that it begins with cannot be read.
    Snapshot(SnapshotError),
    /// No beginning, two of them, or something after the end.
    OutOfPlace,
    /// The end says that there were more commands, or fewer.
    WrongCount,
    /// The bytes end before the record does.
    Truncated,
}

impl core::fmt::Display for RecordError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            RecordError::WrongMagic => f.write_str("this is no record of a flow"),
            RecordError::UnknownVersion(version) => write!(f, "version {version} is not known"),
            RecordError::BlockTooLarge => f.write_str("a block is longer than it may be"),
            RecordError::WrongChecksum => f.write_str("the block's checksum does not match"),
            RecordError::UnknownKind(kind) => write!(f, "block kind {kind} is not known"),
            RecordError::Malformed(error) => error.fmt(f),
            RecordError::Snapshot(error) => error.fmt(f),
            RecordError::OutOfPlace => f.write_str("the block does not belong here"),
            RecordError::WrongCount => f.write_str("commands are missing, or there are too many"),
            RecordError::Truncated => f.write_str("the record is cut off"),
        }
    }
}

impl core::error::Error for RecordError {}

/// Writes a record. What it has written is taken from it now and then, so that nothing grows with the flow.
#[derive(Debug)]
pub struct RecordWriter {
    out: Vec<u8>,
    block: Vec<u8>,
    one: Vec<u8>,
    commands: u64,
}

impl RecordWriter {
    /// Begins with the market as it is before the first command. A symbol is cut off after 255 bytes.
    pub fn new(symbol: &str, market: &Market) -> RecordWriter {
        let mut writer =
            RecordWriter { out: MAGIC.to_vec(), block: Vec::new(), one: Vec::new(), commands: 0 };
        let symbol = &symbol.as_bytes()[..symbol.len().min(255)];
        let mut payload = alloc::vec![symbol.len() as u8];
        payload.extend_from_slice(symbol);
        payload.extend_from_slice(&encode_market(market));
        writer.seal(BEGIN, &payload);
        writer
    }

    /// The next command.
    pub fn push(&mut self, command: &TimedCommand) {
        self.one.clear();
        encode_command(command, &mut self.one);
        let mut block = Writer::onto(core::mem::take(&mut self.block));
        block.bytes(&self.one);
        self.block = block.into_bytes();
        self.commands += 1;
        if self.block.len() >= BLOCK {
            self.flush();
        }
    }

    /// What can be written down by now.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }

    /// How many commands it has taken.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Ends it with the market after the last command; answers what has not been taken yet.
    pub fn finish(mut self, market: &Market) -> Vec<u8> {
        self.flush();
        let mut payload = self.commands.to_le_bytes().to_vec();
        payload.extend_from_slice(&state_hash(market).to_le_bytes());
        self.seal(END, &payload);
        self.out
    }

    fn flush(&mut self) {
        if !self.block.is_empty() {
            let block = core::mem::take(&mut self.block);
            self.seal(COMMANDS, &block);
            self.block = block;
            self.block.clear();
        }
    }

    fn seal(&mut self, kind: u8, payload: &[u8]) {
        let length = (payload.len() as u32).to_le_bytes();
        self.out.push(kind);
        self.out.extend_from_slice(&length);
        self.out.extend_from_slice(&checksum(kind, length, payload).to_le_bytes());
        self.out.extend_from_slice(payload);
    }
}

fn checksum(kind: u8, length: [u8; 4], payload: &[u8]) -> u32 {
    let mut crc = Crc32::default();
    crc.update(&[kind]);
    crc.update(&length);
    crc.update(payload);
    crc.finish()
}

/// Takes blocks with their numbers, from 1 on.
type Each<'a> = dyn FnMut(u64, Result<Block, RecordError>) + 'a;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Magic,
    Begin,
    Commands,
    Ended,
    /// What cannot be read any further.
    Lost,
}

/// Reads a record from chunks of bytes. A damaged block is told and passed over; it is up to the caller what a flow with a hole
/// is worth.
#[derive(Debug, Default)]
pub struct BlockReader {
    carried: Vec<u8>,
    place: Place,
    blocks: u64,
    commands: u64,
}

impl BlockReader {
    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        if self.place == Place::Lost {
            return;
        }
        self.carried.extend_from_slice(bytes);
        let mut carried = core::mem::take(&mut self.carried);
        let mut read = 0;
        while let Some(used) = self.next(&carried[read..], each) {
            read += used;
        }
        if self.place != Place::Lost {
            carried.drain(..read);
            self.carried = carried;
        }
    }

    /// There is no more.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        let ended = self.place == Place::Ended && self.carried.is_empty();
        if !ended && self.place != Place::Lost {
            each(self.blocks + 1, Err(RecordError::Truncated));
        }
        self.place = Place::Lost;
        self.carried = Vec::new();
    }

    /// Reads one block and answers its length, or none if it is not all there.
    fn next(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Option<usize> {
        match self.place {
            Place::Lost => None,
            Place::Magic => {
                let magic = bytes.get(..MAGIC.len())?;
                let (name, version) = magic.split_at(MAGIC.len() - 1);
                self.place = Place::Begin;
                if name != &MAGIC[..MAGIC.len() - 1] {
                    self.lose(RecordError::WrongMagic, each);
                } else if version != &MAGIC[MAGIC.len() - 1..] {
                    self.lose(RecordError::UnknownVersion(version[0]), each);
                }
                Some(MAGIC.len())
            }
            Place::Begin | Place::Commands | Place::Ended => {
                let head = bytes.get(..HEAD)?;
                let kind = head[0];
                let length = [head[1], head[2], head[3], head[4]];
                let crc = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
                let size = u32::from_le_bytes(length) as usize;
                if size > MAX_BLOCK {
                    self.lose(RecordError::BlockTooLarge, each);
                    return None;
                }
                let payload = bytes.get(HEAD..HEAD + size)?;
                self.blocks += 1;
                let block = if checksum(kind, length, payload) == crc {
                    self.read(kind, payload)
                } else {
                    Err(RecordError::WrongChecksum)
                };
                each(self.blocks, block);
                Some(HEAD + size)
            }
        }
    }

    fn lose(&mut self, error: RecordError, each: &mut Each<'_>) {
        self.place = Place::Lost;
        each(self.blocks + 1, Err(error));
    }

    fn read(&mut self, kind: u8, payload: &[u8]) -> Result<Block, RecordError> {
        let truncated = RecordError::Malformed(CodecError::Truncated);
        match (kind, self.place) {
            (BEGIN, Place::Begin) => {
                let (&length, rest) = payload.split_first().ok_or(truncated)?;
                let symbol = rest.get(..usize::from(length)).ok_or(truncated)?;
                let snapshot = rest[usize::from(length)..].to_vec();
                let symbol =
                    core::str::from_utf8(symbol).map_err(|_| RecordError::Malformed(CodecError::NotText))?;
                decode_market(&snapshot).map_err(RecordError::Snapshot)?;
                self.place = Place::Commands;
                Ok(Block::Begin { symbol: symbol.into(), snapshot })
            }
            (COMMANDS, Place::Commands) => {
                let mut commands = Vec::new();
                let mut reader = Reader::new(payload);
                while !reader.is_empty() {
                    let bytes = reader.bytes().map_err(RecordError::Malformed)?;
                    commands.push(decode_command(bytes).map_err(RecordError::Malformed)?);
                }
                self.commands += commands.len() as u64;
                Ok(Block::Commands(commands))
            }
            (END, Place::Commands) => {
                let commands = payload.get(..8).and_then(|bytes| bytes.try_into().ok()).ok_or(truncated)?;
                let state = payload.get(8..).and_then(|bytes| bytes.try_into().ok()).ok_or(truncated)?;
                self.place = Place::Ended;
                let (commands, state) = (u64::from_le_bytes(commands), u128::from_le_bytes(state));
                if commands != self.commands {
                    return Err(RecordError::WrongCount);
                }
                Ok(Block::End { commands, state })
            }
            (BEGIN | COMMANDS | END, _) => Err(RecordError::OutOfPlace),
            (kind, _) => Err(RecordError::UnknownKind(kind)),
        }
    }
}
