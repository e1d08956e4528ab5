//! A WebSocket client is gone: nothing of it stays in the cache.

use crate::audience::connections_key;
use crate::capability::base::Level;
use crate::capability::cache::{Command, Reply as Answer};
use crate::capability::{Base, Cache, Error};
use crate::connect::Session;
use crate::socket::{Event, Reply};
use crate::subscribe::{Subscription, forget_unwatched};

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
}

pub async fn handle(ports: &Ports<'_>, connection: &str, event: Event) -> Reply {
    if event == Event::Closed
        && let Err(error) = close(ports.cache, connection).await
    {
        // Its keys expire, and whoever pushes to it learns that it is gone.
        let fields = [("connection", connection), ("error", &error.to_string())];
        ports.base.log(Level::Warn, "connection not removed", &fields);
    }
    Reply::accept()
}

async fn close(cache: &dyn Cache, connection: &str) -> Result<(), Error> {
    let session = session(cache, connection).await?;
    remove(cache, connection, session, None).await
}

/// What the cache knows of a connection; `None` if that has expired, or says nothing that can be read.
pub(crate) async fn session(cache: &dyn Cache, connection: &str) -> Result<Option<Session>, Error> {
    let reply = cache.run(vec![Command::Get(format!("ws:{connection}"))]).await?.into_iter().next();
    Ok(match reply.transpose()? {
        Some(Answer::Bytes(session)) => serde_json::from_slice(&session).ok(),
        _ => None,
    })
}

/// Takes a connection out of everything it stands in: its own keys, its symbols' sets, its user's set and `user`'s, in
/// whose set it may stand though its own keys have expired.
pub(crate) async fn remove(
    cache: &dyn Cache,
    connection: &str,
    session: Option<Session>,
    user: Option<&str>,
) -> Result<(), Error> {
    let watched = Subscription::read(cache, connection).await?;
    let id = || vec![connection.as_bytes().to_vec()];
    let mut commands = watched.removals(connection);
    commands.push(Command::Srem("realtime:connections".into(), id()));
    let own = session.filter(|session| session.is_logged_in).map(|session| session.user_id);
    for user in own.iter().map(String::as_str).chain(user.filter(|user| Some(*user) != own.as_deref())) {
        commands.push(Command::Srem(connections_key(user), id()));
    }
    let keys = ["ws:{}", "conn:{}:main", "conn:{}:sub"].map(|key| key.replace("{}", connection));
    commands.push(Command::Del(keys.into()));
    cache.run_atomic(commands).await?;
    forget_unwatched(cache, watched.symbols()).await
}
