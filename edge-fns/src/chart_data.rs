//! `GET /chart` and `GET /depth`: what a market shows, for whoever opens its page.
//!
//! A chart is made of the open candle, the closed minutes in the cache, and the candle store for what the cache no longer
//! holds. Coarser candles are folded from the cached minutes by the core's own function; older ones come folded from the
//! store. Where the two meet, the minutes that the cache lacks are read from the store, so that the seam does not show.

use crate::capability::cache::{Command, Reply};
use crate::capability::documents::{Entry, Query};
use crate::capability::{Base, Cache, Documents, Error};
use crate::fields::check_symbol;
use crate::http::{Refusal, Request, Response};
use engine_core::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S, Seconds, aggregate, format_minute};
use serde::{Deserialize, Serialize};

const LIMIT: u64 = 1000;
const DEFAULT_LIMIT: u64 = 100;
/// Closed minutes read from the cache at a time.
const CHUNK: i64 = 4000;
/// Candles read from the store at a time.
const PAGE: u32 = 1000;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
}

pub async fn handle(ports: &Ports<'_>, request: Request) -> Response {
    route(ports, &request).await.into()
}

async fn route(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::method_not_allowed(&request.method));
    }
    let symbol = request.parameter("symbol").ok_or_else(|| crate::fields::missing("symbol"))?;
    check_symbol(&symbol)?;
    match request.path.trim_end_matches('/') {
        "/depth" => depth(ports, &symbol).await,
        "/chart" => chart(ports, request, symbol).await,
        _ => Err(Refusal::not_found()),
    }
}

async fn depth(ports: &Ports<'_>, symbol: &str) -> Result<Response, Refusal> {
    let lookups = vec![
        Command::Get(format!("depth:{symbol}")),
        Command::Sismember("active:symbols".into(), symbol.as_bytes().to_vec()),
    ];
    let mut replies = ports.cache.run(lookups).await?.into_iter();
    match (replies.next().transpose()?, replies.next().transpose()?) {
        (Some(Reply::Bytes(depth)), _) => Ok(Response::raw(200, depth)),
        (_, Some(Reply::Integer(1))) => {
            let empty = format!(r#"{{"e":"d","s":"{symbol}","t":{},"n":0,"b":[],"a":[]}}"#, ports.base.now());
            Ok(Response::raw(200, empty.into_bytes()))
        }
        _ => Err(unknown(symbol)),
    }
}

fn unknown(symbol: &str) -> Refusal {
    Refusal::new(404, "unknown_symbol", format!("{symbol} is not traded here"))
}

/// What a client asks for.
struct Asked {
    symbol: String,
    interval: Interval,
    limit: usize,
    /// Only candles that open before this.
    before: Seconds,
    day_offset_s: u64,
}

async fn chart(ports: &Ports<'_>, request: &Request, symbol: String) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Chart<'a> {
        symbol: &'a str,
        interval: &'static str,
        candles: Vec<Shown>,
    }
    #[derive(Serialize)]
    struct Shown {
        t: Seconds,
        o: u64,
        h: u64,
        l: u64,
        c: u64,
        v: u64,
    }
    let interval = request.parameter("interval").unwrap_or_else(|| "1m".into());
    let interval = Interval::parse(&interval)
        .ok_or_else(|| Refusal::bad("bad_interval", "interval must be 1m, 3m, 5m, 15m, 30m, 1h, 4h or 1d"))?;
    let limit = match number(request, "limit")? {
        None => DEFAULT_LIMIT,
        Some(limit @ 1..=LIMIT) => limit,
        Some(_) => return Err(Refusal::bad("bad_limit", format!("limit must be 1 to {LIMIT}"))),
    };
    let before = number(request, "before")?.unwrap_or(Seconds::MAX);
    let day_offset_s = match ports.base.config("DAY_OFFSET_S").await?.map(|offset| offset.parse()) {
        None => SEOUL_DAY_OFFSET_S,
        Some(Ok(offset)) => offset,
        Some(Err(_)) => return Err(Error::Internal("DAY_OFFSET_S is not a number".into()).into()),
    };
    let asked = Asked { symbol, interval, limit: limit as usize, before, day_offset_s };
    let candles = collect(ports, &asked).await?;
    let shown = |c: Candle| Shown { t: c.time, o: c.open, h: c.high, l: c.low, c: c.close, v: c.volume };
    let candles = candles.into_iter().map(shown).collect();
    Ok(Response::json(200, &Chart { symbol: &asked.symbol, interval: interval.as_str(), candles }))
}

fn number(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    let code = if name == "limit" { "bad_limit" } else { "bad_field" };
    request
        .parameter(name)
        .map(|text| text.parse().map_err(|_| Refusal::bad(code, format!("{name} must be a whole number"))))
        .transpose()
}

/// The newest candles that were asked for, ascending.
async fn collect(ports: &Ports<'_>, asked: &Asked) -> Result<Vec<Candle>, Refusal> {
    let minutes = hot(ports.cache, asked).await?;
    let mut candles = fold(asked, &minutes.closed);
    if !minutes.all && candles.len() > asked.limit {
        // The oldest span may lack minutes that were not read.
        return Ok(newest(candles, asked.limit));
    }
    // From here back, the store has it: first the minutes of the span in which the cache's begin.
    let oldest = minutes.closed.first().map_or(Seconds::MAX, |minute| minute.time);
    let mut older_than = asked.before.min(oldest);
    if let Some(first) = minutes.closed.first() {
        let start = asked.interval.bucket(first.time, asked.day_offset_s);
        if start < first.time {
            let mut joined =
                cold(ports.documents, asked, Interval::M1, start, first.time, usize::MAX).await?;
            joined.extend(&minutes.closed);
            candles = fold(asked, &joined);
        }
        older_than = start;
    }
    if candles.len() < asked.limit {
        let missing = asked.limit - candles.len();
        let mut all = cold(ports.documents, asked, asked.interval, 0, older_than, missing).await?;
        all.append(&mut candles);
        candles = all;
    }
    Ok(newest(candles, asked.limit))
}

fn fold(asked: &Asked, minutes: &[Candle]) -> Vec<Candle> {
    let mut candles = aggregate(minutes, asked.interval, asked.day_offset_s);
    candles.retain(|candle| candle.time < asked.before);
    candles
}

fn newest(mut candles: Vec<Candle>, limit: usize) -> Vec<Candle> {
    let surplus = candles.len().saturating_sub(limit);
    candles.drain(..surplus);
    candles
}

struct Minutes {
    /// Ascending, the open minute last.
    closed: Vec<Candle>,
    /// The cache holds no more than these.
    all: bool,
}

/// Minutes from the cache: enough for what was asked, or all there are.
async fn hot(cache: &dyn Cache, asked: &Asked) -> Result<Minutes, Refusal> {
    let symbol = &asked.symbol;
    let list = |from: i64| Command::Lrange(format!("candle:closed:1m:{symbol}"), from, from + CHUNK - 1);
    let lookups = vec![
        Command::Sismember("active:symbols".into(), symbol.clone().into_bytes()),
        Command::Hgetall(format!("candle:1m:{symbol}")),
        list(0),
    ];
    let mut replies = cache.run(lookups).await?.into_iter();
    let is_active = replies.next().transpose()? == Some(Reply::Integer(1));
    let open = match replies.next().transpose()? {
        Some(Reply::Pairs(fields)) => Stored::of_fields(&fields).and_then(|stored| stored.candle()),
        _ => None,
    };
    let mut chunk = closed(replies.next().transpose()?)?;
    if !is_active && open.is_none() && chunk.is_empty() {
        return Err(unknown(symbol));
    }
    // Descending while they are read: the list has the newest first.
    let mut minutes: Vec<Candle> = open.into_iter().collect();
    let mut all = false;
    let mut from = 0;
    loop {
        let read = chunk.len();
        // A candle that closed between two reads has moved the list on.
        let oldest = minutes.last().map_or(Seconds::MAX, |minute| minute.time);
        minutes.extend(chunk.into_iter().filter(|minute| minute.time < oldest));
        all |= (read as i64) < CHUNK;
        let spans = minutes.iter().filter(|minute| minute.time < asked.before);
        let mut spans: Vec<Seconds> =
            spans.map(|minute| asked.interval.bucket(minute.time, asked.day_offset_s)).collect();
        spans.dedup();
        if all || spans.len() > asked.limit {
            break;
        }
        from += CHUNK;
        chunk = closed(cache.run(vec![list(from)]).await?.into_iter().next().transpose()?)?;
    }
    minutes.reverse();
    Ok(Minutes { closed: minutes, all })
}

fn closed(reply: Option<Reply>) -> Result<Vec<Candle>, Error> {
    let Some(Reply::Values(values)) = reply else { return Ok(Vec::new()) };
    values.iter().flatten().map(|value| Stored::candle_of(value)).collect()
}

/// Candles of the store that open in `from..to`, ascending; the newest `limit` of them.
async fn cold(
    documents: &dyn Documents,
    asked: &Asked,
    interval: Interval,
    from: Seconds,
    to: Seconds,
    limit: usize,
) -> Result<Vec<Candle>, Error> {
    let Some(last) = to.checked_sub(1) else { return Ok(Vec::new()) };
    let mut candles: Vec<Candle> = Vec::new();
    let mut cursor = None;
    loop {
        let page = documents
            .search(Query {
                table: "candle_history".into(),
                partition: format!("CANDLE#{}#{}", asked.symbol, interval.as_str()),
                lower: Some(format_minute(from)),
                // A time that has no name is after all that have.
                upper: (last < 250_000_000_000).then(|| format_minute(last)),
                limit: PAGE.min(u32::try_from(limit - candles.len()).unwrap_or(PAGE)),
                descending: true,
                cursor,
            })
            .await?;
        for Entry { body, .. } in &page.entries {
            candles.push(Stored::candle_of(body)?);
        }
        cursor = page.cursor;
        if cursor.is_none() || candles.len() >= limit {
            break;
        }
    }
    candles.reverse();
    Ok(candles)
}

/// A candle as the cache and the store hold it: all text.
#[derive(Deserialize)]
struct Stored<'a> {
    o: &'a str,
    h: &'a str,
    l: &'a str,
    c: &'a str,
    v: &'a str,
    t_epoch: &'a str,
}

impl<'a> Stored<'a> {
    fn of_fields(fields: &'a [(String, Vec<u8>)]) -> Option<Stored<'a>> {
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

    fn candle_of(body: &'a [u8]) -> Result<Candle, Error> {
        let stored: Option<Stored<'a>> = serde_json::from_slice(body).ok();
        stored.and_then(|stored| stored.candle()).ok_or_else(|| {
            Error::Internal(format!(
                "not a candle: {}",
                String::from_utf8_lossy(&body[..body.len().min(200)])
            ))
        })
    }

    fn candle(&self) -> Option<Candle> {
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
