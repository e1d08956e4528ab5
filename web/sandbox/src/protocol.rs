//! What a page and the sandbox's worker say to each other. Both are built from these types; there is no other copy of them.
//!
//! The page calls and is answered under its call's number. The worker speaks of itself only to say that there is something new to
//! [look](Request::Look) at: a page looks when it draws its next frame, so what it cannot draw is never made.
//!
//! ```
//! use sandbox::protocol::{Call, Request, decode, encode};
//!
//! let call = Call { id: 7, request: Request::Pause };
//! assert_eq!(decode::<Call>(&encode(&call)).unwrap(), call);
//! assert!(decode::<Call>(b"\xff").is_err());
//! ```

use crate::account::{Funds, OwnFill, Standing, Status};
use crate::checks::Violation;
use crate::generate::Parameters;
use crate::history::{Heat, HeatQuery, LogLine, LogQuery, Trade};
use crate::load::Loading;
use crate::session::{Comparison, Goal, Speed};
use engine_core::types::{Millis, Price, Quantity, Sequence};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A page may keep so many bookmarks.
pub const MAX_BOOKMARKS: usize = 100;
/// The longest name of a bookmark, in characters.
pub const MAX_LABEL: usize = 60;

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: u32,
    pub request: Request,
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    Reply { id: u32, reply: Reply },
    Notice(Notice),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    // ---- the flow ----
    /// Make one.
    Generate(Parameters),
    /// A file comes, in chunks: a recorded run, LOBSTER messages, golden commands, or what [`Request::Save`] wrote.
    Open {
        name: String,
    },
    /// Its next bytes. The answer says how far reading has come: whoever waits for it never fills the worker's memory.
    Chunk(#[serde(with = "serde_bytes_vec")] Vec<u8>),
    /// There are no more.
    Close,
    /// What a page's address carried.
    OpenFragment(String),

    // ---- playing it ----
    Play(Speed),
    Pause,
    /// One thing that happens.
    Step,
    StepBack,
    Seek(Goal),
    /// Remember this place.
    Mark {
        label: String,
    },
    Unmark(u32),

    // ---- trading against it ----
    Place(Ticket),
    Cancel(u64),
    CancelAll,
    Replace {
        order: u64,
        price: Price,
        quantity: Quantity,
    },

    // ---- looking ----
    Look(Box<Wanted>),
    /// Walk the whole book and check it.
    Verify,
    /// An address's fragment that opens here.
    Share,
    /// A file that opens here.
    Save,
}

/// An order of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub buy: bool,
    /// None: at the market's.
    pub price: Option<Price>,
    pub quantity: Quantity,
    pub life: Life,
    pub post_only: bool,
    /// What an iceberg shows; 0: all.
    pub display: Quantity,
    /// It waits for this price.
    pub stop: Option<Price>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    #[default]
    Gtc,
    Ioc,
    Fok,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Done,
    /// The order's number.
    Placed(u64),
    Reading(Loading),
    Seen(Box<Seen>),
    Fragment(String),
    File {
        name: String,
        #[serde(with = "serde_bytes_vec")]
        bytes: Vec<u8>,
    },
    /// Not done; a stable code, and what it is about.
    Refused {
        code: String,
        detail: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// There is something new to look at. Said once until somebody looks.
    Changed,
}

/// What a page shows, and so wants to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Levels a side of the book.
    pub levels: u16,
    /// Trades after this event of the tape.
    pub trades_after: Option<Sequence>,
    /// Minutes from this one on, in seconds.
    pub candles_from: Option<u64>,
    pub account: bool,
    pub queue: Option<QueueWanted>,
    pub heat: Option<HeatQuery>,
    pub log: Option<LogQuery>,
    pub checks: bool,
    pub compare: bool,
    /// The hash of the state takes a walk through the book.
    pub hash: bool,
}

/// The orders of the best levels, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueWanted {
    /// A side.
    pub levels: u16,
    /// A level; the rest is counted.
    pub orders: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub place: Place,
    pub depth: Option<Depth>,
    pub trades: Vec<Trade>,
    pub candles: Option<Vec<Bar>>,
    pub account: Option<AccountSeen>,
    pub queue: Option<[Vec<QueueLevel>; 2]>,
    pub heat: Option<Heat>,
    pub log: Option<Vec<LogLine>>,
    pub checks: Option<ChecksSeen>,
    pub compare: Option<Comparison>,
    /// 32 hexadecimal digits.
    pub hash: Option<String>,
}

/// What the worker is at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// There is no flow.
    #[default]
    Empty,
    Reading(Loading),
    Generating {
        made: u64,
        of: u64,
    },
    /// Playing it through once, for candles, depth over time and keyframes.
    Indexing {
        done: u64,
        of: u64,
    },
    Ready,
}

/// Where playing is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub phase: Phase,
    pub flow: Option<FlowSeen>,
    pub playing: bool,
    /// On its way to another place.
    pub seeking: bool,
    pub at_end: bool,
    /// Steps that have been applied.
    pub position: u64,
    pub clock: Millis,
    /// Event number of the market.
    pub sequence: Sequence,
    /// Goes up when what was shown before is void.
    pub jumps: u64,
    /// Own commands, and how many of them have happened by now.
    pub commands: u64,
    pub applied: u64,
    /// Steps before the first own command.
    pub diverged_after: Option<u64>,
    pub bookmarks: Vec<Bookmark>,
    pub opened: Option<Opened>,
    /// What the worker's module takes, in bytes; 0 where nobody has told.
    pub memory: u64,
}

/// The flow as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowSeen {
    /// Goes up with every flow.
    pub number: u32,
    pub symbol: String,
    pub source: Source,
    pub steps: u64,
    pub first: Millis,
    pub last: Millis,
    pub memory: u64,
    /// Names it by what it holds.
    pub digest: String,
    /// What could not be read.
    pub bad: Loading,
    /// For a record: whether its end was the state that it says. None where it does not say.
    pub as_recorded: Option<bool>,
    /// The hash of the state after all of it, without the user.
    pub end_hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    Generated(Parameters),
    File(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    pub number: u32,
    pub position: u64,
    pub clock: Millis,
    pub label: String,
}

/// What became of something shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opened {
    /// On its way there.
    Going,
    /// There; whether the state is the one that was shared.
    There { expected: String, same: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    pub sequence: Sequence,
    pub time: Millis,
    pub bids: Vec<DepthRow>,
    pub asks: Vec<DepthRow>,
    pub last: Option<Price>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthRow {
    pub price: Price,
    pub quantity: Quantity,
    pub orders: u32,
}

/// A minute; the last one of a list may still be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    pub time: u64,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    pub volume: Quantity,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSeen {
    pub funds: Funds,
    pub opening: (u64, u64),
    /// What it is worth more than it began with at the last price; none before the first trade.
    pub profit: Option<i64>,
    /// Newest first.
    pub orders: Vec<OwnRow>,
    /// Newest first.
    pub fills: Vec<OwnFill>,
    pub fill_count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRow {
    /// From 1 on.
    pub order: u64,
    pub buy: bool,
    pub market: bool,
    pub life: Life,
    pub price: Price,
    pub quantity: Quantity,
    pub open: Quantity,
    pub filled: Quantity,
    /// Sum of price × quantity, as far as it fits.
    pub notional: u64,
    pub status: Status,
    pub reason: Option<String>,
    pub entered: Millis,
    pub updated: Millis,
    pub sequence: Sequence,
    pub standing: Option<Standing>,
    /// Waits for this price.
    pub stop: Option<Price>,
    pub post_only: bool,
    /// What an iceberg shows; 0: all.
    pub display: Quantity,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueLevel {
    pub price: Price,
    pub quantity: Quantity,
    pub orders: u32,
    /// First in the queue first.
    pub first: Vec<QueueOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueOrder {
    /// Its id in the flow; an own one's number.
    pub order: u64,
    pub quantity: Quantity,
    pub own: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksSeen {
    pub commands: u64,
    pub violations: Vec<Violation>,
}

/// Bytes of a message.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Every type here is one that the format has; only a full buffer could fail, and this one grows.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMessage;

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotAMessage> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(NotAMessage),
    }
}

/// Byte by byte would take a call each.
mod serde_bytes_vec {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
