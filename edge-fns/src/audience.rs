//! Messages to the connections of users: look up, push, forget who is gone.
//!
//! What was certainly not sent is asked for again, with everything after it, so that a user's messages keep their order.
//! A push whose effect nobody knows is not repeated here: its client reads its orders when it comes back. Messages name
//! their symbol and sequence number, so a client that gets one twice applies it once.

use crate::capability::base::Level;
use crate::capability::cache::Command;
use crate::capability::connections::{Delivery, Push};
use crate::capability::{Base, Cache, Connections, Error, Millis};
use crate::connect::Session;
use crate::disconnect;
use crate::stream::{Disposition, Failure, Item};
use crate::subscribe::members;
use engine_core::wire::PartyRecord;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A connection is not taken for gone so soon after its handshake: it may be in the cache before it can be pushed to.
pub const GRACE_MS: Millis = 60_000;

/// What a notifying function touches.
pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
    pub connections: &'a dyn Connections,
}

/// A message to all connections of one user.
pub struct Letter {
    /// Which item of the batch it comes from.
    pub item: usize,
    pub user: String,
    pub body: Vec<u8>,
}

/// A fill, as far as its users are told. Read without the other events' fields: the components stay small.
#[derive(Deserialize)]
pub struct Fill<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    pub seq: u64,
    pub t: u64,
    #[serde(borrow, default)]
    pub fill_id: Cow<'a, str>,
    #[serde(default)]
    pub price: u64,
    #[serde(default)]
    pub quantity: u64,
    #[serde(borrow, default)]
    taker: Cow<'a, str>,
    #[serde(borrow, default)]
    buyer: Option<PartyRecord<'a>>,
    #[serde(borrow, default)]
    seller: Option<PartyRecord<'a>>,
}

/// One side of a fill.
pub struct Side<'a> {
    pub name: &'static str,
    pub took: bool,
    pub party: &'a PartyRecord<'a>,
}

impl<'a> Fill<'a> {
    /// Both sides, the maker first, as the engine tells them; none for any other event.
    pub fn sides(&'a self) -> Vec<Side<'a>> {
        let (Some(buyer), Some(seller)) = (&self.buyer, &self.seller) else { return Vec::new() };
        if self.event != "FILL" {
            return Vec::new();
        }
        let side = |name, party| Side { name, took: self.taker == name, party };
        let mut sides = vec![side("BUY", buyer), side("SELL", seller)];
        sides.sort_by_key(|side| side.took);
        sides
    }
}

/// Tells each fill's users what `letters` makes of it.
pub async fn tell(
    ports: &Ports<'_>,
    items: &[Item],
    letters: impl Fn(usize, &Fill<'_>) -> Vec<Letter>,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut all = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match serde_json::from_slice::<Fill<'_>>(&item.body) {
            Ok(fill) => all.extend(letters(n, &fill)),
            Err(error) => failures.push(reject(item, format!("not an event: {error}"))),
        }
    }
    failures.extend(deliver(ports, items, all).await);
    failures
}

fn reject(item: &Item, reason: String) -> Failure {
    Failure { id: item.id.clone(), disposition: Disposition::Reject(reason) }
}

/// Delivers the letters, which are in the order of their items; answers the items to be given again.
async fn deliver(ports: &Ports<'_>, items: &[Item], letters: Vec<Letter>) -> Vec<Failure> {
    let Some(first) = letters.first().map(|letter| letter.item) else { return Vec::new() };
    match push(ports, letters).await {
        Ok(None) => Vec::new(),
        Ok(Some(from)) => retry_from(items, from),
        Err(error) => {
            ports.base.log(Level::Warn, "messages not pushed", &[("error", &error.to_string())]);
            retry_from(items, first)
        }
    }
}

fn retry_from(items: &[Item], from: usize) -> Vec<Failure> {
    let retry = |item: &Item| Failure { id: item.id.clone(), disposition: Disposition::Retry };
    items[from..].iter().map(retry).collect()
}

/// Answers the first item of which something was certainly not sent.
async fn push(ports: &Ports<'_>, letters: Vec<Letter>) -> Result<Option<usize>, Error> {
    let audience = audience(ports.cache, &letters).await?;
    let mut pushes = Vec::with_capacity(letters.len());
    // Item and user of each push.
    let mut about = Vec::with_capacity(letters.len());
    for Letter { item, user, body } in letters {
        if let Some(to) = audience.get(&user).filter(|to| !to.is_empty()) {
            pushes.push(Push { to: to.clone(), body });
            about.push((item, user));
        }
    }
    if pushes.is_empty() {
        return Ok(None);
    }
    let mut again = None;
    let mut gone: BTreeMap<String, String> = BTreeMap::new();
    let deliveries = ports.connections.post(pushes).await?;
    for ((item, user), answers) in about.into_iter().zip(deliveries) {
        for (connection, answer) in audience[&user].iter().zip(answers) {
            match answer {
                Ok(Delivery::Sent) => {}
                Ok(Delivery::Gone) => drop(gone.insert(connection.clone(), user.clone())),
                Err(Error::Throttled(_) | Error::Unavailable(_)) => {
                    again = Some(again.map_or(item, |earlier: usize| earlier.min(item)));
                }
                Err(error) => {
                    let fields = [("connection", connection.as_str()), ("error", &error.to_string())];
                    ports.base.log(Level::Warn, "message not pushed", &fields);
                }
            }
        }
    }
    for (connection, user) in gone {
        if let Err(error) = forget(ports.base, ports.cache, &connection, Some(&user)).await {
            // Whoever pushes to it next learns it once more.
            let fields = [("connection", connection.as_str()), ("error", &error.to_string())];
            ports.base.log(Level::Warn, "gone connection not removed", &fields);
        }
    }
    Ok(again)
}

/// The connections of each user, in a fixed order.
async fn audience(cache: &dyn Cache, letters: &[Letter]) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let users: BTreeSet<&String> = letters.iter().map(|letter| &letter.user).collect();
    let lookups = users.iter().map(|user| Command::Smembers(connections_key(user))).collect();
    let mut audience = BTreeMap::new();
    for (user, reply) in users.into_iter().zip(cache.run(lookups).await?) {
        audience.insert(user.clone(), members(Some(reply?)).into_iter().collect());
    }
    Ok(audience)
}

pub fn connections_key(user: &str) -> String {
    format!("user:{user}:connections")
}

/// Takes a connection that is gone out of everything it stands in; `user` is whose set it was found in. One that has only
/// just connected stays.
pub async fn forget(
    base: &dyn Base,
    cache: &dyn Cache,
    connection: &str,
    user: Option<&str>,
) -> Result<(), Error> {
    let session = disconnect::session(cache, connection).await?;
    if session.as_ref().is_some_and(|session| is_young(session, base.now())) {
        return Ok(());
    }
    disconnect::remove(cache, connection, session, user).await
}

pub fn is_young(session: &Session, now: Millis) -> bool {
    now.saturating_sub(session.connected_at) < GRACE_MS
}
