//! Timer: takes connections that are no more out of the cache.
//!
//! Usually `$disconnect` does it, or whoever pushes to a connection and learns that it is gone. What both missed is found
//! here: every session and every member of every set of connections is probed, without sending anything. One that has only
//! just connected is left alone.

use crate::audience::{forget, is_young};
use crate::capability::base::Level;
use crate::capability::cache::{Command, Reply};
use crate::capability::{Base, Cache, Connections, Error, Millis};
use crate::connect::Session;
use crate::scan;
use crate::subscribe::{forget_unwatched, members};
use crate::timer::{Timer, turn};
use std::collections::{BTreeMap, BTreeSet};

/// Connections probed in one call, and looked up in one.
const BATCH: usize = 500;
/// No call takes longer; what is left is found the next time.
const BUDGET_MS: Millis = 3_000;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
    pub connections: &'a dyn Connections,
}

pub async fn handle(ports: &Ports<'_>, _timer: Timer) -> Result<(), Error> {
    let started = ports.base.now();
    let end = started.saturating_add(BUDGET_MS);
    let known = known(ports.cache).await?;
    let ids: Vec<&String> = known.keys().collect();
    let batches: Vec<&[&String]> = ids.chunks(BATCH).collect();
    // Where time does not suffice for all, each batch is the first one in its turn.
    let (behind, first) = batches.split_at(turn(started, batches.len() as u64) as usize);
    let mut removed = 0u32;
    for batch in first.iter().chain(behind) {
        for connection in gone(ports, batch).await? {
            remove(ports, connection, &known[connection]).await?;
            removed += 1;
        }
        if ports.base.now() >= end {
            break;
        }
    }
    // What a removal that broke off has left.
    let watched = ports.cache.run(vec![Command::Smembers("subscribed:symbols".into())]).await?;
    forget_unwatched(ports.cache, members(watched.into_iter().next().transpose()?)).await?;
    if removed > 0 {
        ports.base.log(Level::Info, "stale connections removed", &[("count", &removed.to_string())]);
    }
    Ok(())
}

/// Every connection that anything in the cache names, with the sets it stands in. Sets before sessions: a connection comes
/// into both at once, so one that is seen in a set and has no session has lost it.
async fn known(cache: &dyn Cache) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut sets: Vec<String> = vec!["realtime:connections".into()];
    for pattern in ["user:*:connections", "symbol:*:main", "symbol:*:sub", "symbol:*:subscribers"] {
        sets.extend(scan::keys(cache, pattern).await?);
    }
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sets in sets.chunks(BATCH) {
        let lookups = sets.iter().cloned().map(Command::Smembers).collect();
        for (set, reply) in sets.iter().zip(cache.run(lookups).await?) {
            for connection in members(Some(reply?)) {
                known.entry(connection).or_default().insert(set.clone());
            }
        }
    }
    let sessions = scan::keys(cache, "ws:*").await?;
    for connection in sessions.iter().filter_map(|key| key.strip_prefix("ws:")) {
        known.entry(connection.into()).or_default();
    }
    Ok(known)
}

/// Those of the connections that are gone, and not just coming.
async fn gone<'a>(ports: &Ports<'_>, ids: &[&'a String]) -> Result<Vec<&'a String>, Error> {
    let lookup = vec![Command::Mget(ids.iter().map(|id| format!("ws:{id}")).collect())];
    let sessions = match ports.cache.run(lookup).await?.into_iter().next().transpose()? {
        Some(Reply::Values(sessions)) => sessions,
        other => return Err(Error::Internal(format!("sessions were asked for, {other:?} came"))),
    };
    let now = ports.base.now();
    let is_settled = |session: &Option<Vec<u8>>| {
        let session = session.as_deref().and_then(|body| serde_json::from_slice::<Session>(body).ok());
        !session.is_some_and(|session| is_young(&session, now))
    };
    let settled = ids.iter().zip(&sessions).filter(|(_, session)| is_settled(session));
    let settled: Vec<&String> = settled.map(|(id, _)| *id).collect();
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let probed = ports.connections.probe(settled.iter().map(|id| id.to_string()).collect()).await?;
    let mut gone = Vec::new();
    for (id, open) in settled.into_iter().zip(probed) {
        match open {
            Ok(false) => gone.push(id),
            Ok(true) => {}
            Err(error) => {
                let fields = [("connection", id.as_str()), ("error", &error.to_string())];
                ports.base.log(Level::Warn, "connection not probed", &fields);
            }
        }
    }
    Ok(gone)
}

async fn remove(ports: &Ports<'_>, connection: &str, sets: &BTreeSet<String>) -> Result<(), Error> {
    forget(ports.base, ports.cache, connection, None).await?;
    if sets.is_empty() {
        return Ok(());
    }
    // Sets that its own keys no longer told of.
    let leave = |set: &String| Command::Srem(set.clone(), vec![connection.as_bytes().to_vec()]);
    ports.cache.run_atomic(sets.iter().map(leave).collect()).await?;
    let symbol = |set: &String| Some(set.strip_prefix("symbol:")?.rsplit_once(':')?.0.to_string());
    forget_unwatched(ports.cache, sets.iter().filter_map(symbol).collect()).await
}
