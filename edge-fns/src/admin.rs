//! `/admin`: which symbols are traded, and deposits.
//!
//! Everybody may read which symbols there are; all else needs an administrator's token. A symbol that is removed takes no
//! new orders; those that rest can be cancelled.

use crate::auth;
use crate::capability::cache::{Command, Reply};
use crate::capability::wallet::{Asset, Movement, Posted};
use crate::capability::{Base, Cache, Error, Identity, Wallet};
use crate::fields::{Fields, missing};
use crate::http::{Refusal, Request, Response};
use crate::placement::post;
use engine_core::wire::{MAX_NAME, is_symbol};
use serde::Serialize;

const SYMBOLS: &str = "active:symbols";
/// What the wallets call money; no symbol may be named so.
const CASH: &str = "CASH";
const MAX_DEPOSIT_ID: usize = 64;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub cache: &'a dyn Cache,
    pub wallet: &'a dyn Wallet,
}

pub async fn handle(ports: &Ports<'_>, request: Request) -> Response {
    route(ports, &request).await.into()
}

async fn route(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["admin"]) => list(ports).await,
        ("POST", ["admin"]) => add(ports, request).await,
        ("POST", ["admin", "deposits"]) => deposit(ports, request).await,
        ("GET", ["admin", symbol]) if is_symbol(symbol) => read(ports, symbol).await,
        ("DELETE", ["admin", symbol]) => remove(ports, request, symbol).await,
        (method, ["admin"] | ["admin", _]) => Err(Refusal::method_not_allowed(method)),
        _ => Err(Refusal::not_found()),
    }
}

#[derive(Serialize)]
struct Symbol {
    symbol: String,
}

async fn list(ports: &Ports<'_>) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Symbols {
        symbols: Vec<Symbol>,
    }
    let Reply::Values(values) = one(ports.cache, Command::Smembers(SYMBOLS.into())).await? else {
        return Ok(Response::json(200, &Symbols { symbols: Vec::new() }));
    };
    let mut names: Vec<String> =
        values.into_iter().flatten().filter_map(|name| String::from_utf8(name).ok()).collect();
    names.sort();
    let symbols = names.into_iter().map(|symbol| Symbol { symbol }).collect();
    Ok(Response::json(200, &Symbols { symbols }))
}

async fn add(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    auth::administrator(ports.base, ports.identity, request).await?;
    let mut fields = Fields::parse(request.json_body()?)?;
    let symbol = fields.required_text("symbol")?;
    fields.finish()?;
    if !is_symbol(&symbol) || symbol == CASH {
        let message = "a symbol is 1 to 16 of A-Z 0-9 . _ - , starts with A-Z or 0-9, and is not CASH";
        return Err(Refusal::bad("bad_symbol", message));
    }
    let added = one(ports.cache, Command::Sadd(SYMBOLS.into(), vec![symbol.clone().into_bytes()])).await?;
    let status = if added == Reply::Integer(1) { 201 } else { 200 };
    Ok(Response::json(status, &Symbol { symbol }))
}

async fn read(ports: &Ports<'_>, symbol: &str) -> Result<Response, Refusal> {
    let lookup = Command::Sismember(SYMBOLS.into(), symbol.as_bytes().to_vec());
    match one(ports.cache, lookup).await? {
        Reply::Integer(1) => Ok(Response::json(200, &Symbol { symbol: symbol.to_owned() })),
        _ => Err(unknown(symbol)),
    }
}

fn unknown(symbol: &str) -> Refusal {
    Refusal::new(404, "unknown_symbol", format!("{symbol} is not traded here"))
}

async fn remove(ports: &Ports<'_>, request: &Request, symbol: &str) -> Result<Response, Refusal> {
    auth::administrator(ports.base, ports.identity, request).await?;
    let removed = one(ports.cache, Command::Srem(SYMBOLS.into(), vec![symbol.as_bytes().to_vec()])).await?;
    if removed != Reply::Integer(1) {
        return Err(unknown(symbol));
    }
    Ok(Response::json(200, &Symbol { symbol: symbol.to_owned() }))
}

async fn deposit(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Answer {
        posted: &'static str,
    }
    auth::administrator(ports.base, ports.identity, request).await?;
    let mut fields = Fields::parse(request.json_body()?)?;
    let id = fields.required_text("id")?;
    let user = fields.required_text("user_id")?;
    let asset = fields.required_text("asset")?;
    let amount = fields.integer("amount")?.ok_or_else(|| missing("amount"))?;
    fields.finish()?;
    if !(1..=MAX_DEPOSIT_ID).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refusal::bad(
            "bad_field",
            format!("id must be 1 to {MAX_DEPOSIT_ID} visible ASCII characters"),
        ));
    }
    if !(1..=MAX_NAME).contains(&user.len()) {
        return Err(Refusal::bad("bad_field", format!("user_id must be 1 to {MAX_NAME} bytes")));
    }
    let asset = match asset.as_str() {
        CASH => Asset::Cash,
        symbol if is_symbol(symbol) => Asset::Stock(symbol.to_owned()),
        _ => return Err(Refusal::bad("bad_symbol", "asset must be CASH or a symbol")),
    };
    if amount == 0 {
        return Err(Refusal::bad("bad_field", "amount must be at least 1"));
    }
    // Named apart from deposits that others make.
    let movement = Movement::Deposit { id: format!("admin/{id}"), user, asset, amount };
    match post(ports.wallet, movement).await {
        Ok(Posted::Repeated) => Ok(Response::json(200, &Answer { posted: "REPEATED" })),
        Ok(_) => Ok(Response::json(200, &Answer { posted: "DONE" })),
        Err(Error::Invalid(why)) => Err(Refusal::bad("bad_field", why)),
        Err(error) => Err(error.into()),
    }
}

async fn one(cache: &dyn Cache, command: Command) -> Result<Reply, Refusal> {
    let reply = cache.run(vec![command]).await?.into_iter().next();
    Ok(reply.unwrap_or_else(|| Err(Error::Internal("a command got no reply".into())))?)
}
