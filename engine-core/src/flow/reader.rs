//! Flows from chunks of bytes, of whatever length and cut wherever: only the unfinished line or block is kept.
//!
//! ```
//! use engine_core::flow::reader::{Entry, FlowReader};
//!
//! let mut reader = FlowReader::default();
//! let (mut read, mut bad) = (Vec::new(), Vec::new());
//! let mut each = |number, entry| match entry {
//!     Ok(Entry::Golden(command)) => read.push(command),
//!     Ok(_) => {}
//!     Err(reason) => bad.push(format!("{number}: {reason}")),
//! };
//! reader.push(b"ADD,1,B,LIMIT,GTC,100,5\nADD,2,X,LIMIT,GT", &mut each);
//! reader.push(b"C,100,5\nCANCEL,1,,,,,", &mut each);
//! reader.finish(&mut each);
//! assert_eq!(read.len(), 2);
//! assert_eq!(bad, ["2: side is neither B nor S"]);
//! ```

use super::record::{Block, BlockReader, RecordError};
use super::{BadLine, GOLDEN_HEADER, LobsterMessage, parse_golden, parse_lobster};
use crate::command::Command;
use alloc::vec::Vec;

/// The longest line that is read: ten times what any flow needs.
pub const MAX_LINE: usize = 1024;

/// The formats that are told apart by how a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Command files: letters first.
    Golden,
    /// Message files: a time first.
    Lobster,
    /// This crate's own: its magic first.
    Record,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A line of a golden file.
    Golden(Command),
    /// A line of a LOBSTER file.
    Lobster(LobsterMessage),
    /// A block of a record.
    Block(Block),
}

/// Why a line or a block was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEntry {
    /// A line.
    Line(BadLine),
    /// A block.
    Record(RecordError),
}

impl core::fmt::Display for BadEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BadEntry::Line(bad) => bad.fmt(f),
            BadEntry::Record(bad) => bad.fmt(f),
        }
    }
}

impl core::error::Error for BadEntry {}

/// Takes what was read, with the number of its line or block, from 1 on.
pub type Each<'a> = dyn FnMut(u64, Result<Entry, BadEntry>) + 'a;

/// Reads a flow of any format. What cannot be read is told and passed over.
#[derive(Debug, Default)]
pub struct FlowReader {
    format: Option<Format>,
    /// The unfinished line.
    carried: Vec<u8>,
    /// The unfinished line is too long already: the rest of it is dropped.
    skipping: bool,
    lines: u64,
    blocks: BlockReader,
}

impl FlowReader {
    /// As soon as enough has been read to tell.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        if self.format.is_none() && self.lines == 0 && self.carried.is_empty() && !self.skipping {
            // No text begins with the first byte of a record.
            match bytes.first() {
                Some(&first) if first == super::record::MAGIC[0] => self.format = Some(Format::Record),
                _ => {}
            }
        }
        if self.format == Some(Format::Record) {
            return self.blocks.push(bytes, &mut |number, block| {
                each(number, block.map(Entry::Block).map_err(BadEntry::Record));
            });
        }
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if self.carried.is_empty() && !self.skipping {
                self.line(line, each);
            } else {
                self.carry(line);
                let whole = core::mem::take(&mut self.carried);
                self.line(&whole, each);
                self.carried = whole;
                self.carried.clear();
                self.skipping = false;
            }
            rest = after;
        }
        self.carry(rest);
    }

    /// There is no more: a last line without an end, or a record that was cut off.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        if self.format == Some(Format::Record) {
            return self.blocks.finish(&mut |number, block| {
                each(number, block.map(Entry::Block).map_err(BadEntry::Record));
            });
        }
        if !self.carried.is_empty() || self.skipping {
            let whole = core::mem::take(&mut self.carried);
            self.line(&whole, each);
            self.skipping = false;
        }
    }

    fn carry(&mut self, bytes: &[u8]) {
        if self.carried.len() + bytes.len() > MAX_LINE {
            self.skipping = true;
        }
        let room = MAX_LINE - self.carried.len().min(MAX_LINE);
        self.carried.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self, line: &[u8], each: &mut Each<'_>) {
        self.lines += 1;
        let number = self.lines;
        if self.skipping || line.len() > MAX_LINE {
            return each(number, Err(BadEntry::Line(BadLine("the line is longer than 1024 bytes"))));
        }
        let Ok(text) = core::str::from_utf8(line) else {
            return each(number, Err(BadEntry::Line(BadLine("the line is not UTF-8"))));
        };
        // A byte order mark is no part of the first line.
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let format = *self.format.get_or_insert(if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            Format::Golden
        } else {
            Format::Lobster
        });
        let read = match format {
            Format::Golden if text == GOLDEN_HEADER => return,
            Format::Golden => parse_golden(text).map(Entry::Golden),
            Format::Lobster | Format::Record => parse_lobster(text).map(Entry::Lobster),
        };
        each(number, read.map_err(BadEntry::Line));
    }
}
