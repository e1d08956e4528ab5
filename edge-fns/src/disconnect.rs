//! A WebSocket client is gone: nothing of it stays in the cache.

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
        && let Err(error) = remove(ports.cache, connection).await
    {
        // Its keys expire, and whoever pushes to it learns that it is gone.
        let fields = [("connection", connection), ("error", &error.to_string())];
        ports.base.log(Level::Warn, "connection not removed", &fields);
    }
    Reply::accept()
}

async fn remove(cache: &dyn Cache, connection: &str) -> Result<(), Error> {
    let watched = Subscription::read(cache, connection).await?;
    let session =
        cache.run(vec![Command::Get(format!("ws:{connection}"))]).await?.into_iter().next().transpose()?;
    let id = || vec![connection.as_bytes().to_vec()];
    let mut commands = watched.removals(connection);
    commands.push(Command::Srem("realtime:connections".into(), id()));
    if let Some(Answer::Bytes(session)) = session
        && let Ok(session) = serde_json::from_slice::<Session>(&session)
        && session.is_logged_in
    {
        commands.push(Command::Srem(format!("user:{}:connections", session.user_id), id()));
    }
    let keys = ["ws:{}", "conn:{}:main", "conn:{}:sub"].map(|key| key.replace("{}", connection));
    commands.push(Command::Del(keys.into()));
    cache.run_atomic(commands).await?;
    forget_unwatched(cache, watched.symbols()).await
}
