//! A WebSocket client says what it wants to see: one main symbol (everything about it), a board of others (their
//! tickers). A new subscription replaces the old one. The streamer reads what this writes.

use crate::capability::cache::{Command, Reply as Answer, SetOptions};
use crate::capability::{Base, Cache, Error};
use crate::connect::SESSION_MS;
use crate::fields::Fields;
use crate::http::Refusal;
use crate::socket::{Event, Reply};
use serde::Serialize;
use std::collections::BTreeSet;

/// Symbols on one connection's board at most.
const BOARD: usize = 200;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub cache: &'a dyn Cache,
}

pub async fn handle(ports: &Ports<'_>, connection: &str, event: Event) -> Reply {
    let Event::Message(message) = event else { return Reply::accept() };
    match hear(ports, connection, &message).await {
        Ok(body) => Reply::message(body),
        Err(refusal) => {
            #[derive(Serialize)]
            struct Refused<'a> {
                e: &'a str,
                code: &'a str,
                message: &'a str,
            }
            let body = Refused { e: "error", code: refusal.code, message: &refusal.message };
            Reply::message(serde_json::to_vec(&body).unwrap_or_default())
        }
    }
}

async fn hear(ports: &Ports<'_>, connection: &str, message: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut fields = Fields::parse(message)?;
    match fields.required_text("action")?.as_str() {
        "ping" => {
            fields.finish()?;
            Ok(format!(r#"{{"e":"pong","t":{}}}"#, ports.base.now()).into_bytes())
        }
        "subscribe" => {
            let main = fields.text("main")?;
            let board = fields.texts("sub")?.unwrap_or_default();
            fields.finish()?;
            subscribe(ports.cache, connection, main, board).await
        }
        action => Err(Refusal::bad("bad_field", format!("action must be subscribe or ping, not {action:?}"))),
    }
}

async fn subscribe(
    cache: &dyn Cache,
    connection: &str,
    main: Option<String>,
    board: Vec<String>,
) -> Result<Vec<u8>, Refusal> {
    #[derive(Serialize)]
    struct Subscribed<'a> {
        e: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        main: Option<&'a str>,
        sub: &'a BTreeSet<String>,
    }
    if board.len() > BOARD {
        return Err(Refusal::bad("bad_field", format!("sub has at most {BOARD} symbols")));
    }
    let board: BTreeSet<String> = board.into_iter().collect();
    let wanted = Subscription { main, board };
    refuse_unknown(cache, &wanted.symbols()).await?;
    let had = Subscription::read(cache, connection).await?;
    wanted.write(cache, connection, &had).await?;
    let left: BTreeSet<String> = had.symbols().difference(&wanted.symbols()).cloned().collect();
    forget_unwatched(cache, left).await?;
    let body = Subscribed { e: "subscribed", main: wanted.main.as_deref(), sub: &wanted.board };
    Ok(serde_json::to_vec(&body).unwrap_or_default())
}

async fn refuse_unknown(cache: &dyn Cache, symbols: &BTreeSet<String>) -> Result<(), Refusal> {
    if symbols.is_empty() {
        return Ok(());
    }
    let known = |symbol: &String| Command::Sismember("active:symbols".into(), symbol.clone().into_bytes());
    let replies = cache.run(symbols.iter().map(known).collect()).await?;
    for (symbol, reply) in symbols.iter().zip(replies) {
        if reply? != Answer::Integer(1) {
            return Err(Refusal::new(404, "unknown_symbol", format!("{symbol} is not traded here")));
        }
    }
    Ok(())
}

/// What one connection watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub main: Option<String>,
    pub board: BTreeSet<String>,
}

impl Subscription {
    pub(crate) async fn read(cache: &dyn Cache, connection: &str) -> Result<Subscription, Error> {
        let lookups = vec![
            Command::Get(format!("conn:{connection}:main")),
            Command::Smembers(format!("conn:{connection}:sub")),
        ];
        let mut replies = cache.run(lookups).await?.into_iter();
        let main = match replies.next().transpose()? {
            Some(Answer::Bytes(symbol)) => String::from_utf8(symbol).ok(),
            _ => None,
        };
        Ok(Subscription { main, board: members(replies.next().transpose()?) })
    }

    pub(crate) fn symbols(&self) -> BTreeSet<String> {
        self.main.iter().chain(&self.board).cloned().collect()
    }

    /// Puts this in the place of what the connection had.
    async fn write(&self, cache: &dyn Cache, connection: &str, had: &Subscription) -> Result<(), Error> {
        let id = || vec![connection.as_bytes().to_vec()];
        let mut commands = had.removals(connection);
        commands
            .push(Command::Del(vec![format!("conn:{connection}:main"), format!("conn:{connection}:sub")]));
        if let Some(main) = &self.main {
            let expiring = SetOptions { px: Some(SESSION_MS), only_if_absent: false };
            commands.push(Command::Set(
                format!("conn:{connection}:main"),
                main.clone().into_bytes(),
                expiring,
            ));
            commands.push(Command::Sadd(format!("symbol:{main}:main"), id()));
        }
        if !self.board.is_empty() {
            let board = self.board.iter().map(|symbol| symbol.clone().into_bytes()).collect();
            commands.push(Command::Sadd(format!("conn:{connection}:sub"), board));
            commands.push(Command::Expire(format!("conn:{connection}:sub"), SESSION_MS));
        }
        commands.extend(self.board.iter().map(|symbol| Command::Sadd(format!("symbol:{symbol}:sub"), id())));
        let symbols = self.symbols();
        commands
            .extend(symbols.iter().map(|symbol| Command::Sadd(format!("symbol:{symbol}:subscribers"), id())));
        if !symbols.is_empty() {
            let symbols = symbols.into_iter().map(String::into_bytes).collect();
            commands.push(Command::Sadd("subscribed:symbols".into(), symbols));
        }
        cache.run_atomic(commands).await.map(|_| ())
    }

    /// The commands that take the connection out of its symbols' sets.
    pub(crate) fn removals(&self, connection: &str) -> Vec<Command> {
        let id = || vec![connection.as_bytes().to_vec()];
        let of = |symbol: &String, kind: &str| Command::Srem(format!("symbol:{symbol}:{kind}"), id());
        let main = self.main.iter().map(|symbol| of(symbol, "main"));
        let board = self.board.iter().map(|symbol| of(symbol, "sub"));
        let symbols = self.symbols();
        main.chain(board).chain(symbols.iter().map(|symbol| of(symbol, "subscribers"))).collect()
    }
}

/// Takes symbols that nobody watches any more out of `subscribed:symbols`.
///
/// Somebody may subscribe between the look and the removal, so it looks once more afterwards and puts back what is
/// watched after all; a subscription after that second look adds the symbol itself.
pub(crate) async fn forget_unwatched(cache: &dyn Cache, symbols: BTreeSet<String>) -> Result<(), Error> {
    let unwatched = unwatched(cache, symbols).await?;
    if unwatched.is_empty() {
        return Ok(());
    }
    let bytes =
        |symbols: &BTreeSet<String>| symbols.iter().map(|symbol| symbol.clone().into_bytes()).collect();
    let key = || "subscribed:symbols".to_string();
    cache.run_atomic(vec![Command::Srem(key(), bytes(&unwatched))]).await?;
    let still = self::unwatched(cache, unwatched.clone()).await?;
    let back: BTreeSet<String> = unwatched.difference(&still).cloned().collect();
    if !back.is_empty() {
        cache.run_atomic(vec![Command::Sadd(key(), bytes(&back))]).await?;
    }
    Ok(())
}

async fn unwatched(cache: &dyn Cache, symbols: BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    if symbols.is_empty() {
        return Ok(symbols);
    }
    let lookups =
        symbols.iter().map(|symbol| Command::Smembers(format!("symbol:{symbol}:subscribers"))).collect();
    let replies = cache.run(lookups).await?;
    let mut unwatched = BTreeSet::new();
    for (symbol, reply) in symbols.into_iter().zip(replies) {
        if members(Some(reply?)).is_empty() {
            unwatched.insert(symbol);
        }
    }
    Ok(unwatched)
}

pub(crate) fn members(reply: Option<Answer>) -> BTreeSet<String> {
    match reply {
        Some(Answer::Values(values)) => {
            values.into_iter().flatten().filter_map(|v| String::from_utf8(v).ok()).collect()
        }
        _ => BTreeSet::new(),
    }
}
