//! Who wants what, as the subscribe function has written it.

use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::{Cache, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Connections that want one symbol.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Everything about it.
    pub main: BTreeSet<String>,
    /// Its ticker, on their board.
    pub sub: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    by_symbol: BTreeMap<String, Wanted>,
    /// Connections of logged-in users.
    fast: BTreeSet<String>,
}

impl Subscriptions {
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &String> {
        self.by_symbol.keys()
    }

    pub(crate) fn of(&self, symbol: &str) -> Option<&Wanted> {
        self.by_symbol.get(symbol)
    }

    pub(crate) fn is_fast(&self, connection: &str) -> bool {
        self.fast.contains(connection)
    }

    pub(crate) async fn read_all(&mut self, cache: &dyn Cache) -> Result<()> {
        let commands =
            ["subscribed:symbols", "realtime:connections"].map(|key| Command::Smembers(key.into()));
        let mut replies = cache.run(commands.into()).await?.into_iter();
        let symbols = members(replies.next())?;
        self.fast = members(replies.next())?;
        self.by_symbol.retain(|symbol, _| symbols.contains(symbol));
        self.read(cache, &symbols).await
    }

    /// Reads the subscriptions of these symbols anew.
    pub(crate) async fn read(&mut self, cache: &dyn Cache, symbols: &BTreeSet<String>) -> Result<()> {
        let keys = |symbol: &String| {
            ["main", "sub"].map(|kind| Command::Smembers(format!("symbol:{symbol}:{kind}")))
        };
        let mut replies = cache.run(symbols.iter().flat_map(keys).collect()).await?.into_iter();
        for symbol in symbols {
            let wanted = Wanted { main: members(replies.next())?, sub: members(replies.next())? };
            if wanted.main.is_empty() && wanted.sub.is_empty() {
                self.by_symbol.remove(symbol);
            } else {
                self.by_symbol.insert(symbol.clone(), wanted);
            }
        }
        Ok(())
    }

    /// These connections are gone: nobody pushes to them again.
    pub(crate) async fn forget(&mut self, cache: &dyn Cache, gone: &BTreeSet<String>) -> Result<()> {
        let ids: Vec<Vec<u8>> = gone.iter().map(|id| id.clone().into_bytes()).collect();
        let sessions: Vec<&String> = gone.iter().collect();
        let lookups = sessions.iter().map(|id| Command::Get(format!("ws:{id}"))).collect();
        let mut commands = vec![Command::Srem("realtime:connections".into(), ids.clone())];
        for (id, session) in sessions.iter().zip(cache.run(lookups).await?) {
            if let Ok(Reply::Bytes(session)) = session
                && let Ok(session) = serde_json::from_slice::<serde_json::Value>(&session)
                && let Some(user) = session["userId"].as_str().filter(|user| !user.is_empty())
            {
                commands
                    .push(Command::Srem(format!("user:{user}:connections"), vec![id.as_bytes().to_vec()]));
            }
            commands.push(Command::Del(vec![
                format!("ws:{id}"),
                format!("conn:{id}:main"),
                format!("conn:{id}:sub"),
            ]));
        }
        for (symbol, wanted) in &mut self.by_symbol {
            for kind in ["main", "sub", "subscribers"] {
                commands.push(Command::Srem(format!("symbol:{symbol}:{kind}"), ids.clone()));
            }
            wanted.main.retain(|id| !gone.contains(id));
            wanted.sub.retain(|id| !gone.contains(id));
        }
        self.fast.retain(|id| !gone.contains(id));
        cache.run(commands).await?.into_iter().collect::<Result<Vec<_>>>().map(|_| ())
    }
}

fn members(reply: Option<Result<Reply>>) -> Result<BTreeSet<String>> {
    match reply.transpose()? {
        Some(Reply::Values(values)) => {
            Ok(values.into_iter().flatten().filter_map(|value| String::from_utf8(value).ok()).collect())
        }
        _ => Ok(BTreeSet::new()),
    }
}
