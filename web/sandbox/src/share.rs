//! A session as a link or as a file: the flow, the user's commands, and the place, with the hash of the state there.
//!
//! A link holds a generated flow by its parameters alone; its commands are packed, deflated where that helps, and written in the
//! letters of base64url. A file holds the steps of any flow. Both come from strangers: whatever is wrong with one is a
//! [`ShareError`], and no length in it is believed.

use crate::flow::{Flow, put, take};
use crate::generate::{Kind, Parameters};
use crate::protocol::{Bookmark, MAX_BOOKMARKS, MAX_LABEL};
use crate::session::OwnCommand;
use engine_core::codec::{decode_command, encode_command};
use engine_core::command::TimedCommand;
use engine_core::digest::Digest;
use engine_core::snapshot::{decode_market, encode_market};
use engine_core::wire::is_symbol;

/// How a file begins; the last byte is the version.
pub const MAGIC: [u8; 8] = *b"\x94SNSHAR\x01";
/// The longest fragment that is read, and written: what browsers and chat programs pass on.
pub const MAX_FRAGMENT: usize = 32_000;
/// What a fragment may hold when it is unpacked.
const MAX_UNPACKED: usize = 1 << 20;
const VERSION: u8 = 1;
/// The most own commands that are read.
pub const MAX_COMMANDS: u64 = 10_000;

/// Why something shared cannot be opened, or not be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareError {
    /// A letter that base64url does not have.
    NotBase64,
    /// Longer than a link may be.
    TooLong,
    /// It ends before it is whole, or goes on after it.
    Cut,
    /// Some letter is another one than was written.
    WrongChecksum,
    /// A newer page wrote it.
    UnknownVersion(u8),
    /// Its parts cannot be read.
    Malformed,
    /// No flow is made of such parameters.
    Parameters(&'static str),
    /// The commands are not ones that the user could have given to this flow.
    Impossible,
    /// A flow from a file does not fit a link.
    NeedsFile,
    /// There is nothing to share.
    NoFlow,
}

impl ShareError {
    pub const fn code(self) -> &'static str {
        match self {
            ShareError::NotBase64 => "share_not_base64",
            ShareError::TooLong => "share_too_long",
            ShareError::Cut => "share_cut",
            ShareError::WrongChecksum => "share_wrong_checksum",
            ShareError::UnknownVersion(_) => "share_unknown_version",
            ShareError::Malformed => "share_malformed",
            ShareError::Parameters(_) => "share_bad_parameters",
            ShareError::Impossible => "share_impossible",
            ShareError::NeedsFile => "share_needs_file",
            ShareError::NoFlow => "sandbox_no_flow",
        }
    }
}

impl std::fmt::Display for ShareError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ShareError::NotBase64 => f.write_str("a letter that no link has"),
            ShareError::TooLong => write!(f, "longer than {MAX_FRAGMENT} letters"),
            ShareError::Cut => f.write_str("cut off, or something follows it"),
            ShareError::WrongChecksum => f.write_str("the checksum does not match"),
            ShareError::UnknownVersion(version) => write!(f, "version {version} is not known"),
            ShareError::Malformed => f.write_str("parts of it cannot be read"),
            ShareError::Parameters(why) => f.write_str(why),
            ShareError::Impossible => f.write_str("its commands do not belong to its flow"),
            ShareError::NeedsFile => f.write_str("a flow from a file does not fit a link"),
            ShareError::NoFlow => f.write_str("there is no flow"),
        }
    }
}

impl std::error::Error for ShareError {}

/// What is shared beside the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    pub commands: Vec<OwnCommand>,
    pub bookmarks: Vec<Bookmark>,
    /// Steps before the place.
    pub position: u64,
    /// Of the state there.
    pub hash: u128,
}

// ---- links ----

/// A session on a generated flow as the letters of a link.
pub fn to_fragment(parameters: &Parameters, shared: &Shared) -> Result<String, ShareError> {
    let mut body = Vec::new();
    body.push(parameters.kind as u8);
    for number in
        [parameters.seed, u64::from(parameters.steps), parameters.price, u64::from(parameters.gap_us)]
    {
        put(&mut body, number);
    }
    write_shared(shared, &mut body);
    let deflated = miniz_oxide::deflate::compress_to_vec(&body, 9);
    let packed = deflated.len() < body.len();
    let mut bytes = vec![VERSION, u8::from(packed)];
    bytes.extend_from_slice(if packed { &deflated } else { &body });
    let check = checksum(&bytes);
    bytes.extend_from_slice(&check);
    let text = to_base64(&bytes);
    if text.len() > MAX_FRAGMENT { Err(ShareError::TooLong) } else { Ok(text) }
}

pub fn from_fragment(text: &str) -> Result<(Parameters, Shared), ShareError> {
    if text.len() > MAX_FRAGMENT {
        return Err(ShareError::TooLong);
    }
    let bytes = from_base64(text).ok_or(ShareError::NotBase64)?;
    let (content, check) = bytes.split_last_chunk::<4>().ok_or(ShareError::Cut)?;
    let (&version, rest) = content.split_first().ok_or(ShareError::Cut)?;
    if version != VERSION {
        return Err(ShareError::UnknownVersion(version));
    }
    if checksum(content) != *check {
        return Err(ShareError::WrongChecksum);
    }
    let (&packed, rest) = rest.split_first().ok_or(ShareError::Cut)?;
    let body = match packed {
        0 => rest.to_vec(),
        1 => miniz_oxide::inflate::decompress_to_vec_with_limit(rest, MAX_UNPACKED)
            .map_err(|_| ShareError::Malformed)?,
        _ => return Err(ShareError::Malformed),
    };
    let (&kind, _) = body.split_first().ok_or(ShareError::Cut)?;
    let mut at = 1;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(ShareError::Malformed)?;
    let seed = number(&body, &mut at)?;
    let steps = u32::try_from(number(&body, &mut at)?).map_err(|_| ShareError::Malformed)?;
    let price = number(&body, &mut at)?;
    let gap_us = u32::try_from(number(&body, &mut at)?).map_err(|_| ShareError::Malformed)?;
    let parameters = Parameters { kind, seed, steps, price, gap_us };
    parameters.check().map_err(ShareError::Parameters)?;
    let shared = read_shared(&body, &mut at)?;
    if at == body.len() { Ok((parameters, shared)) } else { Err(ShareError::Cut) }
}

// ---- files ----

/// A session on any flow as a file.
pub fn to_file(flow: &Flow, shared: &Shared) -> Vec<u8> {
    let mut head = Vec::new();
    put(&mut head, flow.symbol.len() as u64);
    head.extend_from_slice(flow.symbol.as_bytes());
    let opening = encode_market(&flow.opening);
    put(&mut head, opening.len() as u64);
    head.extend_from_slice(&opening);
    write_shared(shared, &mut head);
    put(&mut head, flow.len());
    let (first, _) = flow.span();
    put(&mut head, first);

    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&(head.len() as u64).to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(flow.packed());
    let check = checksum(&out);
    out.extend_from_slice(&check);
    out
}

/// Whether these are the first bytes of such a file.
pub fn is_file(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MAGIC[0])
}

/// Reads the steps of a file, a slice at a time.
#[derive(Debug)]
pub struct FileReader {
    bytes: Vec<u8>,
    flow: Flow,
    shared: Shared,
    /// What is left to read, and where.
    left: u64,
    at: usize,
    end: usize,
    time: u64,
}

impl FileReader {
    pub fn new(bytes: Vec<u8>) -> Result<FileReader, ShareError> {
        let (content, check) = bytes.split_last_chunk::<4>().ok_or(ShareError::Cut)?;
        let magic = content.get(..MAGIC.len()).ok_or(ShareError::Cut)?;
        if magic[..MAGIC.len() - 1] != MAGIC[..MAGIC.len() - 1] {
            return Err(ShareError::Malformed);
        }
        if magic != MAGIC {
            return Err(ShareError::UnknownVersion(magic[MAGIC.len() - 1]));
        }
        if checksum(content) != *check {
            return Err(ShareError::WrongChecksum);
        }
        let head = content.get(MAGIC.len()..MAGIC.len() + 8).ok_or(ShareError::Cut)?;
        let length = u64::from_le_bytes(head.try_into().map_err(|_| ShareError::Cut)?);
        let start = MAGIC.len() + 8;
        let steps_at = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let steps_at = steps_at.filter(|at| *at <= content.len()).ok_or(ShareError::Cut)?;
        let head = &content[start..steps_at];
        let mut at = 0;
        let symbol = part(head, &mut at)?;
        let symbol = core::str::from_utf8(symbol).map_err(|_| ShareError::Malformed)?;
        let opening = decode_market(part(head, &mut at)?).map_err(|_| ShareError::Malformed)?;
        let shared = read_shared(head, &mut at)?;
        let left = number(head, &mut at)?;
        let time = number(head, &mut at)?;
        if at != head.len() {
            return Err(ShareError::Cut);
        }
        let symbol = if is_symbol(symbol) { symbol } else { "REPLAY" };
        let flow = Flow::new(symbol, opening);
        let end = content.len();
        Ok(FileReader { flow, shared, left, at: steps_at, end, time, bytes })
    }

    /// How many steps are there, and how many there should be.
    pub fn made(&self) -> (u64, u64) {
        (self.flow.len(), self.flow.len() + self.left)
    }

    /// Reads at most so many steps; answers whether all are there.
    pub fn run(&mut self, budget: u64) -> Result<bool, ShareError> {
        for _ in 0..budget.min(self.left) {
            let (since, step) =
                Flow::unpack(&self.bytes[..self.end], &mut self.at).ok_or(ShareError::Malformed)?;
            self.time = self.time.checked_add(since).ok_or(ShareError::Malformed)?;
            self.flow.push(self.time, &step).map_err(|_| ShareError::Malformed)?;
            self.left -= 1;
        }
        match self.left {
            0 if self.at == self.end => Ok(true),
            0 => Err(ShareError::Cut),
            _ => Ok(false),
        }
    }

    pub fn finish(self) -> (Flow, Shared) {
        (self.flow, self.shared)
    }
}

// ---- what both hold ----

fn write_shared(shared: &Shared, out: &mut Vec<u8>) {
    put(out, shared.position);
    out.extend_from_slice(&shared.hash.to_le_bytes());
    put(out, shared.commands.len() as u64);
    let (mut after, mut time) = (0, 0);
    let mut one = Vec::new();
    for own in &shared.commands {
        one.clear();
        put(out, own.after.saturating_sub(after));
        let since = own.time.saturating_sub(time);
        encode_command(&TimedCommand { time: since, command: own.command.clone() }, &mut one);
        put(out, one.len() as u64);
        out.extend_from_slice(&one);
        (after, time) = (own.after, own.time);
    }
    put(out, shared.bookmarks.len() as u64);
    for mark in &shared.bookmarks {
        put(out, mark.position);
        put(out, mark.clock);
        put(out, mark.label.len() as u64);
        out.extend_from_slice(mark.label.as_bytes());
    }
}

fn read_shared(bytes: &[u8], at: &mut usize) -> Result<Shared, ShareError> {
    let position = number(bytes, at)?;
    let hash = bytes.get(*at..*at + 16).and_then(|hash| hash.try_into().ok()).ok_or(ShareError::Cut)?;
    *at += 16;
    let count = number(bytes, at)?;
    if count > MAX_COMMANDS {
        return Err(ShareError::Malformed);
    }
    let mut commands = Vec::new();
    let (mut after, mut time) = (0u64, 0u64);
    for _ in 0..count {
        after = after.checked_add(number(bytes, at)?).ok_or(ShareError::Malformed)?;
        let timed = decode_command(part(bytes, at)?).map_err(|_| ShareError::Malformed)?;
        time = time.checked_add(timed.time).ok_or(ShareError::Malformed)?;
        commands.push(OwnCommand { after, time, command: timed.command });
    }
    let count = number(bytes, at)?;
    if count > MAX_BOOKMARKS as u64 {
        return Err(ShareError::Malformed);
    }
    let mut bookmarks = Vec::new();
    for n in 0..count {
        let (position, clock) = (number(bytes, at)?, number(bytes, at)?);
        let label = core::str::from_utf8(part(bytes, at)?).map_err(|_| ShareError::Malformed)?;
        if label.chars().count() > MAX_LABEL {
            return Err(ShareError::Malformed);
        }
        bookmarks.push(Bookmark { number: n as u32 + 1, position, clock, label: label.into() });
    }
    Ok(Shared { commands, bookmarks, position, hash: u128::from_le_bytes(hash) })
}

fn number(bytes: &[u8], at: &mut usize) -> Result<u64, ShareError> {
    take(bytes, at).ok_or(ShareError::Cut)
}

/// Bytes after their length.
fn part<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], ShareError> {
    let length = usize::try_from(number(bytes, at)?).map_err(|_| ShareError::Cut)?;
    let end = at.checked_add(length).ok_or(ShareError::Cut)?;
    let part = bytes.get(*at..end).ok_or(ShareError::Cut)?;
    *at = end;
    Ok(part)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut digest = Digest::default();
    digest.bytes(bytes);
    (digest.value() as u32).to_le_bytes()
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0u32, |bits, (n, byte)| bits | u32::from(*byte) << (16 - 8 * n));
        for n in 0..=group.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * n) & 63) as usize]));
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for (n, letter) in group.iter().enumerate() {
            let value = LETTERS.iter().position(|known| known == letter)? as u32;
            bits |= value << (18 - 6 * n);
        }
        if group.len() == 1 {
            return None;
        }
        bytes.extend((0..group.len() - 1).map(|n| (bits >> (16 - 8 * n)) as u8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn letters_come_back_as_bytes(bytes: Vec<u8>) {
            prop_assert_eq!(from_base64(&to_base64(&bytes)), Some(bytes));
        }

        /// Whatever a link or a file says, it is refused or read: never a panic, never without end.
        #[test]
        fn what_strangers_write_is_refused_by_name(mut bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0u8..3) {
            let _ = from_fragment(&to_base64(&bytes));
            let check = checksum(&bytes);
            let mut sealed = vec![VERSION, version];
            sealed.append(&mut bytes.clone());
            let seal = checksum(&sealed);
            sealed.extend_from_slice(&seal);
            let _ = from_fragment(&to_base64(&sealed));
            bytes.extend_from_slice(&check);
            let mut file = MAGIC.to_vec();
            file.extend_from_slice(&bytes);
            let seal = checksum(&file);
            file.extend_from_slice(&seal);
            if let Ok(mut reader) = FileReader::new(file) {
                while let Ok(false) = reader.run(1_000) {}
            }
        }
    }

    #[test]
    fn each_fault_of_a_link_has_its_name() {
        let parameters = Parameters::default();
        let good = to_fragment(&parameters, &Shared::default()).unwrap();
        assert_eq!(from_fragment(&good), Ok((parameters, Shared::default())));
        let fault = |text: &str| from_fragment(text).unwrap_err();
        assert_eq!(fault("a b"), ShareError::NotBase64);
        assert_eq!(fault("é"), ShareError::NotBase64);
        assert_eq!(fault(""), ShareError::Cut);
        assert_eq!(fault(&good[..good.len() - 4]), ShareError::WrongChecksum);
        assert_eq!(fault(&format!("C{}", &good[1..])), ShareError::UnknownVersion(9));
        assert_eq!(fault(&"A".repeat(MAX_FRAGMENT + 1)), ShareError::TooLong);
        let senseless = to_fragment(&Parameters { steps: 0, ..parameters }, &Shared::default()).unwrap();
        assert!(matches!(fault(&senseless), ShareError::Parameters(_)));
        // A bomb: a megabyte and more of zeros in a thousand bytes.
        let mut bomb = vec![VERSION, 1];
        bomb.extend(miniz_oxide::deflate::compress_to_vec(&vec![0; 8 << 20], 9));
        let seal = checksum(&bomb);
        bomb.extend_from_slice(&seal);
        assert_eq!(fault(&to_base64(&bomb)), ShareError::Malformed);
    }
}
