//! `GET /chart` and `GET /depth`: what a market shows, for whoever opens its page.
//!
//! A chart is made of the open candle, the closed minutes in the cache, and the candle store for what the cache no longer
//! holds. Coarser candles are folded from the cached minutes by the core's own function; older ones come folded from the
//! store. Where the two meet, the minutes that the cache lacks are read from the store, so that the seam does not show.

use crate::candle_store::{self, Stored};
use crate::capability::cache::{Command, Reply};
use crate::capability::{Base, Cache, Documents, Error};
use crate::fields::check_symbol;
use crate::http::{Refusal, Request, Response};
use engine_core::candle::{Candle, Interval, Seconds, aggregate};
use serde::Serialize;

const LIMIT: u64 = 1000;
const DEFAULT_LIMIT: u64 = 100;
/// Closed minutes read from the cache at a time.
const CHUNK: i64 = 4000;
/// Minutes read from the store at a time, where it has no coarser candles yet.
const MINUTES: usize = 4000;

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
    let day_offset_s = candle_store::day_offset(ports.base).await?;
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
    let hot = hot(ports.cache, asked).await?;
    let mut minutes = hot.minutes;
    let candles = fold(asked, &minutes);
    if !hot.all && candles.len() > asked.limit {
        // The oldest span may lack minutes that were not read.
        return Ok(newest(candles, asked.limit));
    }
    // From here back, the store has it: first the minutes of the span in which the cache's begin.
    let mut seam = asked.before;
    if let Some(first) = minutes.first().map(|minute| minute.time) {
        let start = asked.interval.bucket(first, asked.day_offset_s);
        if start < first {
            let mut joined = cold(ports, asked, Interval::M1, start, first, usize::MAX).await?;
            joined.append(&mut minutes);
            minutes = joined;
        }
        seam = seam.min(start);
    }
    let mut candles = fold(asked, &minutes);
    if candles.len() < asked.limit {
        let missing = asked.limit - candles.len();
        let mut all = older(ports, asked, seam, missing).await?;
        all.append(&mut candles);
        candles = all;
    }
    Ok(newest(candles, asked.limit))
}

/// Up to `missing` candles of the store that open before `seam`, ascending. The newest spans, which the aggregator may not
/// have come to yet, are folded from the store's minutes.
async fn older(
    ports: &Ports<'_>,
    asked: &Asked,
    seam: Seconds,
    missing: usize,
) -> Result<Vec<Candle>, Error> {
    let mut all = cold(ports, asked, asked.interval, 0, seam, missing).await?;
    let folded_to = all.last().map_or(0, |last| asked.interval.next_bucket(last.time, asked.day_offset_s));
    if asked.interval == Interval::M1 || folded_to >= seam {
        return Ok(all);
    }
    // To the end of the span in which the newest candle opens, not only to the time that was asked for.
    let mut to = match seam.checked_sub(1) {
        Some(last) => asked.interval.next_bucket(last, asked.day_offset_s),
        None => return Ok(all),
    };
    let mut minutes: Vec<Candle> = Vec::new();
    loop {
        let mut page = cold(ports, asked, Interval::M1, folded_to, to, MINUTES).await?;
        let whole = page.len() < MINUTES;
        page.append(&mut minutes);
        minutes = page;
        let mut candles = aggregate(&minutes, asked.interval, asked.day_offset_s);
        candles.retain(|candle| candle.time < seam);
        if whole || candles.len() > missing {
            all.append(&mut candles);
            return Ok(newest(all, missing));
        }
        to = minutes[0].time;
    }
}

async fn cold(
    ports: &Ports<'_>,
    asked: &Asked,
    interval: Interval,
    from: Seconds,
    to: Seconds,
    limit: usize,
) -> Result<Vec<Candle>, Error> {
    candle_store::read(ports.documents, &asked.symbol, interval, from, to, limit).await
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

struct Hot {
    /// Ascending, the open minute last.
    minutes: Vec<Candle>,
    /// The cache holds no more than these.
    all: bool,
}

/// Minutes from the cache: enough for what was asked, or all there are.
async fn hot(cache: &dyn Cache, asked: &Asked) -> Result<Hot, Refusal> {
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
    Ok(Hot { minutes, all })
}

fn closed(reply: Option<Reply>) -> Result<Vec<Candle>, Error> {
    let Some(Reply::Values(values)) = reply else { return Ok(Vec::new()) };
    values.iter().flatten().map(|value| Stored::candle_of(value)).collect()
}
