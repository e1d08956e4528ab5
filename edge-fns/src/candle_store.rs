//! Closed candles: as the cache lists them, as the candle store and the blob store keep them.
//!
//! A document a candle (`candle_history`, `CANDLE#SYMBOL#INTERVAL`, sorted by `YYYYMMDDHHmm`), and an object of lines a
//! symbol, interval and span of days. Both keep of two candles of one time the one with more volume: fills are only ever
//! added to a span, so it is the one that has seen more of them. What is kept therefore does not depend on the order in which
//! candles come, nor on how often, nor on who else keeps them at the same time.

use crate::capability::blobs::{self, Condition, Object, Read};
use crate::capability::cache::{Command, Reply};
use crate::capability::documents::{Expect, Id, Outcome, Query, Write};
use crate::capability::{Base, Blobs, Cache, Documents, Error};
use engine_core::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S, Seconds, format_minute};
use engine_core::wire::candle_json;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Candles read from the store at a time, written in one call, and read from the cache's list at a time.
const PAGE: u32 = 1000;
const WRITES: usize = 500;
const CHUNK: i64 = 2000;
/// How often what others are writing is tried again.
const RACES: u32 = 5;
/// The last second of the year 9999: later ones have no name.
const LAST: Seconds = 253_402_300_799;

const TABLE: &str = "candle_history";
/// The lists of closed candles.
const CLOSED: &str = "candle:closed:1m:";

/// How far the exchange's day is ahead of UTC.
pub async fn day_offset(base: &dyn Base) -> Result<u64, Error> {
    match base.config("DAY_OFFSET_S").await?.map(|offset| offset.parse()) {
        None => Ok(SEOUL_DAY_OFFSET_S),
        Some(Ok(offset)) => Ok(offset),
        Some(Err(_)) => Err(Error::Internal("DAY_OFFSET_S is not a number".into())),
    }
}

/// The symbols that have a list of closed candles.
pub async fn symbols(cache: &dyn Cache) -> Result<Vec<String>, Error> {
    let keys = crate::scan::keys(cache, &format!("{CLOSED}*")).await?;
    Ok(keys.iter().filter_map(|key| key.strip_prefix(CLOSED)).map(str::to_owned).collect())
}

pub fn closed_key(symbol: &str) -> String {
    format!("{CLOSED}{symbol}")
}

/// A symbol's whole list of closed minutes as it stands in the cache, oldest first. It is read from its end, which nobody
/// but the backup moves, so that minutes which close meanwhile shift nothing.
pub async fn closed(cache: &dyn Cache, symbol: &str) -> Result<Vec<Vec<u8>>, Error> {
    let mut values = Vec::new();
    loop {
        let read = values.len() as i64;
        let range = Command::Lrange(closed_key(symbol), -(read + CHUNK), -(read + 1));
        let Some(Reply::Values(chunk)) = cache.run(vec![range]).await?.into_iter().next().transpose()? else {
            return Err(Error::Internal(format!("the list of {symbol} is no list")));
        };
        let whole = chunk.len() as i64 == CHUNK;
        values.extend(chunk.into_iter().flatten().rev());
        if !whole {
            return Ok(values);
        }
    }
}

/// The candles of listed values: by time, and of two of one time the one that has seen more.
pub fn in_order(values: &[Vec<u8>]) -> Result<Vec<Candle>, Error> {
    let mut all = BTreeMap::new();
    for value in values {
        add_to(&mut all, Stored::candle_of(value)?);
    }
    Ok(all.into_values().collect())
}

fn add_to(all: &mut BTreeMap<Seconds, Candle>, candle: Candle) {
    let there = all.entry(candle.time).or_insert(candle);
    if there.volume < candle.volume {
        *there = candle;
    }
}

/// When the oldest minute of the store opens.
pub async fn first_minute(documents: &dyn Documents, symbol: &str) -> Result<Option<Seconds>, Error> {
    let query = Query {
        table: TABLE.into(),
        partition: partition(symbol, Interval::M1),
        lower: None,
        upper: None,
        limit: 1,
        descending: false,
        cursor: None,
    };
    let page = documents.search(query).await?;
    page.entries.first().map(|entry| Ok(Stored::candle_of(&entry.body)?.time)).transpose()
}

/// Candles of the store that open in `from..to`, ascending; the newest `limit` of them.
pub async fn read(
    documents: &dyn Documents,
    symbol: &str,
    interval: Interval,
    from: Seconds,
    to: Seconds,
    limit: usize,
) -> Result<Vec<Candle>, Error> {
    let mut candles: Vec<Candle> =
        entries(documents, symbol, interval, from, to, limit).await?.into_iter().map(|(_, c)| c).collect();
    candles.reverse();
    Ok(candles)
}

/// The same, newest first, each with the version of its document.
async fn entries(
    documents: &dyn Documents,
    symbol: &str,
    interval: Interval,
    from: Seconds,
    to: Seconds,
    limit: usize,
) -> Result<Vec<(u64, Candle)>, Error> {
    let mut found = Vec::new();
    let mut cursor = None;
    let Some(last) = to.checked_sub(1).filter(|last| from <= *last && from <= LAST) else { return Ok(found) };
    while found.len() < limit {
        let query = Query {
            table: TABLE.into(),
            partition: partition(symbol, interval),
            lower: Some(format_minute(from)),
            upper: Some(format_minute(last.min(LAST))),
            limit: PAGE.min(u32::try_from(limit - found.len()).unwrap_or(PAGE)),
            descending: true,
            cursor,
        };
        let page = documents.search(query).await?;
        for entry in &page.entries {
            found.push((entry.version, Stored::candle_of(&entry.body)?));
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn partition(symbol: &str, interval: Interval) -> String {
    format!("CANDLE#{symbol}#{}", interval.as_str())
}

/// Keeps candles, given ascending, in both stores. The blob store comes first: what the candle store holds is in both.
pub async fn keep(
    documents: &dyn Documents,
    blobs: &dyn Blobs,
    symbol: &str,
    interval: Interval,
    candles: &[Candle],
    day_offset_s: u64,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (candles.first(), candles.last()) else { return Ok(()) };
    for _ in 0..RACES {
        let stored =
            entries(documents, symbol, interval, first.time, last.time.saturating_add(1), usize::MAX).await?;
        let stored: BTreeMap<Seconds, (u64, Candle)> =
            stored.into_iter().map(|(version, candle)| (candle.time, (version, candle))).collect();
        let mut news = Vec::new();
        for candle in candles {
            match stored.get(&candle.time) {
                None => news.push((Expect::Absent, *candle)),
                Some((version, known)) if known.volume < candle.volume => {
                    news.push((Expect::Version(*version), *candle));
                }
                Some(_) => {}
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        archive(blobs, symbol, interval, news.iter().map(|(_, candle)| *candle), day_offset_s).await?;
        if store(documents, symbol, interval, news).await? {
            return Ok(());
        }
    }
    Err(Error::Throttled(None))
}

/// Whether every write found what it expected.
async fn store(
    documents: &dyn Documents,
    symbol: &str,
    interval: Interval,
    news: Vec<(Expect, Candle)>,
) -> Result<bool, Error> {
    let mut all = true;
    for news in news.chunks(WRITES) {
        let write = |(expect, candle): &(Expect, Candle)| Write {
            id: Id {
                table: TABLE.into(),
                partition: partition(symbol, interval),
                sort: format_minute(candle.time),
            },
            expect: *expect,
            body: Some(candle_json(candle).into_bytes()),
        };
        let outcomes = documents.put(news.iter().map(write).collect()).await?;
        all &= outcomes.len() == news.len()
            && outcomes.iter().all(|outcome| matches!(outcome, Outcome::Written(_)));
    }
    Ok(all)
}

/// Adds candles to the objects of their days.
async fn archive(
    blobs: &dyn Blobs,
    symbol: &str,
    interval: Interval,
    candles: impl Iterator<Item = Candle>,
    day_offset_s: u64,
) -> Result<(), Error> {
    let mut objects: BTreeMap<String, Vec<Candle>> = BTreeMap::new();
    for candle in candles {
        objects.entry(object_key(symbol, interval, candle.time, day_offset_s)).or_default().push(candle);
    }
    for (key, candles) in objects {
        add(blobs, &key, &candles).await?;
    }
    Ok(())
}

/// `candles/TEST/1m/20251216.jsonl`: a day of the exchange; of hours a month, of days a year.
fn object_key(symbol: &str, interval: Interval, time: Seconds, day_offset_s: u64) -> String {
    let local = format_minute(time.saturating_add(day_offset_s));
    let span = match interval {
        Interval::M1 | Interval::M3 | Interval::M5 | Interval::M15 | Interval::M30 => &local[..8],
        Interval::H1 | Interval::H4 => &local[..6],
        Interval::D1 => &local[..4],
    };
    format!("candles/{symbol}/{}/{span}.jsonl", interval.as_str())
}

async fn add(blobs: &dyn Blobs, key: &str, candles: &[Candle]) -> Result<(), Error> {
    for _ in 0..RACES {
        let object = blobs.get(vec![Read::whole(key)]).await?.into_iter().next();
        let object = object.unwrap_or_else(|| Err(Error::Internal("a read got no answer".into())))?;
        let (before, condition) = match object {
            Some(Object { etag, body, .. }) => (body, Condition::Matches(etag)),
            None => (Vec::new(), Condition::Absent),
        };
        let body = merged(&before, candles)?;
        if body == before {
            return Ok(());
        }
        let write = blobs::Write { key: key.into(), condition, body };
        match blobs.put(vec![write]).await?.into_iter().next() {
            Some(Ok(blobs::Outcome::Written(_))) => return Ok(()),
            Some(Ok(blobs::Outcome::Lost(_))) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(Error::Internal("a write got no answer".into())),
        }
    }
    Err(Error::Throttled(None))
}

/// The lines of an object with these candles among them, by their times.
fn merged(before: &[u8], candles: &[Candle]) -> Result<Vec<u8>, Error> {
    let mut all: BTreeMap<Seconds, Candle> = BTreeMap::new();
    let lines = before.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let known = lines.map(Stored::candle_of).collect::<Result<Vec<_>, _>>()?;
    known.iter().chain(candles).for_each(|candle| add_to(&mut all, *candle));
    Ok(all.values().flat_map(|candle| [candle_json(candle).into_bytes(), b"\n".to_vec()].concat()).collect())
}

/// A candle as the cache and the stores hold it: all text.
#[derive(Deserialize)]
pub struct Stored<'a> {
    o: &'a str,
    h: &'a str,
    l: &'a str,
    c: &'a str,
    v: &'a str,
    t_epoch: &'a str,
}

impl<'a> Stored<'a> {
    /// From the fields of the open candle's hash.
    pub fn of_fields(fields: &'a [(String, Vec<u8>)]) -> Option<Stored<'a>> {
        let text = |name: &str| {
            let (_, value) = fields.iter().find(|(have, _)| have == name)?;
            core::str::from_utf8(value).ok()
        };
        Some(Stored {
            o: text("o")?,
            h: text("h")?,
            l: text("l")?,
            c: text("c")?,
            v: text("v")?,
            t_epoch: text("t_epoch")?,
        })
    }

    pub fn candle_of(body: &'a [u8]) -> Result<Candle, Error> {
        let stored: Option<Stored<'a>> = serde_json::from_slice(body).ok();
        stored.and_then(|stored| stored.candle()).ok_or_else(|| {
            Error::Internal(format!(
                "not a candle: {}",
                String::from_utf8_lossy(&body[..body.len().min(200)])
            ))
        })
    }

    pub fn candle(&self) -> Option<Candle> {
        Some(Candle {
            time: self.t_epoch.parse().ok()?,
            open: self.o.parse().ok()?,
            high: self.h.parse().ok()?,
            low: self.l.parse().ok()?,
            close: self.c.parse().ok()?,
            volume: self.v.parse().ok()?,
        })
    }
}
