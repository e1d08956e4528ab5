//! A WebSocket client asks to connect: who it is goes to the cache, where the notifier and the streamer find it.

use crate::auth::{self, Credentials};
use crate::capability::cache::{Command, SetOptions};
use crate::capability::{Base, Cache, Identity};
use crate::http::{Refusal, Response};
use crate::socket::{Event, Reply};
use serde::{Deserialize, Serialize};

/// A connection lives two hours at most; what a crash leaves of it is gone a little later.
pub const SESSION_MS: u32 = 130 * 60 * 1000;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub cache: &'a dyn Cache,
}

/// The value of `ws:CONNECTION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Empty for an anonymous client.
    pub user_id: String,
    pub is_logged_in: bool,
    /// Epoch milliseconds.
    pub connected_at: u64,
}

pub async fn handle(ports: &Ports<'_>, connection: &str, event: Event) -> Reply {
    let Event::Opened(about) = event else { return Reply::accept() };
    match open(ports, connection, &about).await {
        Ok(()) => Reply::accept(),
        Err(refusal) => {
            let response = Response::from(refusal);
            Reply { accept: false, status: Some(response.status), body: Some(response.body) }
        }
    }
}

async fn open(ports: &Ports<'_>, connection: &str, about: &[(String, String)]) -> Result<(), Refusal> {
    let caller = auth::identify(ports.base, ports.identity, credentials(about)?).await?;
    let session = Session {
        user_id: caller.as_ref().map(|caller| caller.user.clone()).unwrap_or_default(),
        is_logged_in: caller.is_some(),
        connected_at: ports.base.now(),
    };
    let member = || vec![connection.as_bytes().to_vec()];
    let body = serde_json::to_vec(&session).unwrap_or_default();
    let expiring = SetOptions { px: Some(SESSION_MS), only_if_absent: false };
    let mut commands = vec![Command::Set(format!("ws:{connection}"), body, expiring)];
    if session.is_logged_in {
        commands.push(Command::Sadd(format!("user:{}:connections", session.user_id), member()));
        commands.push(Command::Sadd("realtime:connections".into(), member()));
    }
    ports.cache.run_atomic(commands).await?;
    Ok(())
}

/// A token as a header, as the subprotocol after `bearer`, or in the query; or a test user's name in the query.
fn credentials(about: &[(String, String)]) -> Result<Credentials, Refusal> {
    let value = |name: &str| about.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    let header = match value("header:authorization") {
        None => None,
        Some(header) => Some(auth::bearer(header)?),
    };
    let protocol = value("header:sec-websocket-protocol").and_then(|offered| {
        let mut offered = offered.split(',').map(str::trim);
        offered.find(|protocol| *protocol == "bearer")?;
        offered.next()
    });
    let query = value("query:token").filter(|token| !token.is_empty());
    Ok(Credentials {
        token: header.or(protocol).or(query).map(str::to_owned),
        test_mode: value("query:testMode") == Some("true"),
        test_user: value("query:userId").map(str::to_owned),
    })
}
