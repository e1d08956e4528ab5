//! `POST /orders`: check, create the row, lock the balance, append to the orders stream.
//!
//! Four round trips on the usual way: one to the cache, one to the documents, one to the wallet, one to the stream.
//! What a crash or a fault between two of them leaves behind, [`crate::placement`] mends.

use crate::auth;
use crate::capability::cache::{Command, Reply};
use crate::capability::documents::{Entry, Expect, Id, Outcome, Write};
use crate::capability::{Base, Cache, Documents, Error, Identity, LogStreams, Wallet};
use crate::fields::{Fields, check_symbol};
use crate::http::{Refusal, Request, Response};
use crate::ids;
use crate::order::{self, Order, Row, Side, Status, notional, row_id};
use crate::placement::{Attempt, Placement};
use crate::sweeper;
use engine_core::wire::{TifName, TypeName};
use serde::{Deserialize, Serialize};

/// How far above the best ask, or above its stop, a market order may buy, in percent: what it locks for.
const PROTECTION_PERCENT: u64 = 10;
const MAX_CLIENT_ID: usize = 64;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
    pub wallet: &'a dyn Wallet,
    pub streams: &'a dyn LogStreams,
}

/// What a client asks for, checked as far as it can be without looking anywhere.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    symbol: String,
    side: Side,
    kind: TypeName,
    tif: TifName,
    /// `None` for a market order.
    price: Option<u64>,
    quantity: u64,
    stop: Option<u64>,
    display: Option<u64>,
    post_only: bool,
    client_order_id: Option<String>,
}

pub async fn handle(ports: &Ports<'_>, request: Request) -> Response {
    place(ports, &request).await.into()
}

async fn place(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::method_not_allowed(&request.method));
    }
    let user = auth::caller(ports.base, ports.identity, request).await?.user;
    let asked = Asked::parse(request.json_body()?)?;
    let table = order::table(ports.base).await?;
    let placement = Placement {
        base: ports.base,
        documents: ports.documents,
        wallet: ports.wallet,
        streams: ports.streams,
        table: &table,
    };
    let (price, protection) = match quote(ports.cache, &asked).await {
        Ok(price) => price,
        // An order that exists is answered as it stands, whatever has become of its market.
        Err(refusal) => match &asked.client_order_id {
            None => return Err(refusal),
            Some(client_id) => match find(ports.documents, &table, &user, client_id).await? {
                None => return Err(refusal),
                Some(row) => return again(&placement, row).await,
            },
        },
    };
    let order = asked.into_order(ports.base, user, price, protection);
    match create(ports.documents, &table, &order).await? {
        Created::New => {
            let row = Row { version: 1, order };
            placement.carry_through(&row, Attempt::First, None).await?;
            let Order { order_id, symbol, .. } = &row.order;
            Ok(Response::json(202, &Placed { order_id, status: Status::Pending, symbol }))
        }
        Created::Before(entry) => {
            let index: ClientIndex = serde_json::from_slice(&entry.body).map_err(|error| {
                Error::Internal(format!("client order id entry is not readable: {error}"))
            })?;
            let row = order::read(ports.documents, &table, &order.user_id, &index.order_id).await?;
            // Both were written together.
            let row = row.ok_or_else(|| Error::Internal(format!("order {} has no row", index.order_id)))?;
            again(&placement, row).await
        }
    }
}

/// The same client order id again.
async fn again(placement: &Placement<'_>, row: Row) -> Result<Response, Refusal> {
    let row = placement.resume(row, None).await?;
    Ok(Response::json(200, &row.order))
}

#[derive(Serialize)]
struct Placed<'a> {
    order_id: &'a str,
    status: Status,
    symbol: &'a str,
}

/// The document under a user's client order id.
#[derive(Serialize, Deserialize)]
struct ClientIndex {
    order_id: String,
}

fn index_id(table: &str, user: &str, client_id: &str) -> Id {
    Id { table: table.into(), partition: format!("client#{user}"), sort: client_id.into() }
}

async fn find(
    documents: &dyn Documents,
    table: &str,
    user: &str,
    client_id: &str,
) -> Result<Option<Row>, Error> {
    let entries = documents.get(vec![index_id(table, user, client_id)]).await?;
    let Some(entry) = entries.into_iter().next().flatten() else { return Ok(None) };
    let index: ClientIndex = serde_json::from_slice(&entry.body)
        .map_err(|error| Error::Internal(format!("client order id entry is not readable: {error}")))?;
    order::read(documents, table, user, &index.order_id).await
}

enum Created {
    New,
    /// The client order id was used before.
    Before(Entry),
}

/// Writes the row, and with it the entry of the client order id and what leads the sweeper to it.
async fn create(documents: &dyn Documents, table: &str, order: &Order) -> Result<Created, Refusal> {
    let absent = |id, body| Write { id, expect: Expect::Absent, body: Some(body) };
    let mut writes = Vec::with_capacity(3);
    if let Some(client_id) = &order.client_order_id {
        let index = ClientIndex { order_id: order.order_id.clone() };
        let body = serde_json::to_vec(&index).unwrap_or_default();
        writes.push(absent(index_id(table, &order.user_id, client_id), body));
    }
    writes.push(absent(row_id(table, &order.user_id, &order.order_id), order.encode()));
    writes.push(sweeper::reminder(table, order, &order.order_id));
    match documents.put_all(writes).await? {
        Outcome::Written(_) => Ok(Created::New),
        Outcome::Stale(Some(entry)) if entry.id.partition.starts_with("client#") => {
            Ok(Created::Before(entry))
        }
        Outcome::Stale(_) => Err(Error::Internal(format!("order id {} is taken", order.order_id)).into()),
    }
}

/// Refuses symbols that are not traded; of others the replies to what else is asked of the cache.
pub async fn traded(
    cache: &dyn Cache,
    symbol: &str,
    more: Vec<Command>,
) -> Result<Vec<Result<Reply, Error>>, Refusal> {
    let mut commands = vec![Command::Sismember("active:symbols".into(), symbol.into())];
    commands.extend(more);
    let mut replies = cache.run(commands).await?.into_iter();
    match replies.next() {
        Some(Ok(Reply::Integer(1))) => Ok(replies.collect()),
        Some(Err(error)) => Err(error.into()),
        _ => Err(Refusal::new(404, "unknown_symbol", format!("{symbol} is not traded here"))),
    }
}

/// The price to lock for and whether it is a protection price; refuses symbols that are not traded.
async fn quote(cache: &dyn Cache, asked: &Asked) -> Result<(u64, bool), Refusal> {
    let mut more = Vec::new();
    if asked.price.is_none() && asked.stop.is_none() {
        more.push(Command::Get(format!("depth:{}", asked.symbol)));
    }
    let mut replies = traded(cache, &asked.symbol, more).await?.into_iter();
    // What a waiting market order will find on the other side nobody knows yet: its stop stands for the best price there.
    if let (None, Some(stop)) = (asked.price, asked.stop) {
        let price = if asked.side == Side::Buy { protected(stop) } else { 0 };
        if notional(price, asked.quantity).is_none() {
            return Err(too_large());
        }
        return Ok((price, true));
    }
    let Some(price) = asked.price else {
        let depth = match replies.next() {
            Some(Ok(Reply::Bytes(depth))) => Some(depth),
            Some(Err(error)) => return Err(error.into()),
            _ => None,
        };
        let price = protection_price(depth.as_deref(), asked.side).ok_or_else(|| {
            Refusal::new(
                409,
                "no_opposite_quote",
                "nobody is on the other side of the book for a market order",
            )
        })?;
        if asked.side == Side::Buy && notional(price, asked.quantity).is_none() {
            return Err(too_large());
        }
        return Ok((price, true));
    };
    Ok((price, false))
}

/// A buyer's: somewhat above the best ask. A seller's: 0, none. `None` if the other side is empty.
fn protection_price(depth: Option<&[u8]>, side: Side) -> Option<u64> {
    #[derive(Deserialize)]
    struct Depth {
        b: Vec<(u64, u64)>,
        a: Vec<(u64, u64)>,
    }
    let depth: Depth = serde_json::from_slice(depth?).ok()?;
    match side {
        Side::Sell => depth.b.first().map(|_| 0),
        Side::Buy => Some(protected(depth.a.first()?.0)),
    }
}

/// Somewhat above a price: what a market order may buy at.
fn protected(price: u64) -> u64 {
    let price = (u128::from(price) * u128::from(100 + PROTECTION_PERCENT)).div_ceil(100);
    price.min(u128::from(crate::fields::MAX_INTEGER)) as u64
}

fn too_large() -> Refusal {
    Refusal::bad("notional_too_large", "price × quantity does not fit an amount of money")
}

impl Asked {
    fn parse(body: &[u8]) -> Result<Asked, Refusal> {
        let mut fields = Fields::parse(body)?;
        let symbol = fields.required_text("symbol")?;
        check_symbol(&symbol)?;
        let side = match fields.required_text("side")?.as_str() {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Refusal::bad("bad_side", "side must be BUY or SELL")),
        };
        let kind = match fields.text("type")?.as_deref() {
            None | Some("LIMIT") => TypeName::Limit,
            Some("MARKET") => TypeName::Market,
            Some(_) => return Err(Refusal::bad("bad_type", "type must be LIMIT or MARKET")),
        };
        let tif = match fields.text("tif")?.as_deref() {
            // Market orders are immediate-or-cancel, whatever they ask for.
            None | Some("GTC" | "IOC" | "FOK") if kind == TypeName::Market => TifName::Ioc,
            None | Some("GTC") => TifName::Gtc,
            Some("IOC") => TifName::Ioc,
            Some("FOK") => TifName::Fok,
            Some(_) => return Err(Refusal::bad("bad_tif", "tif must be GTC, IOC or FOK")),
        };
        let price = match (kind, fields.integer("price")?) {
            (TypeName::Market, None) => None,
            (TypeName::Market, Some(_)) => {
                return Err(Refusal::bad("bad_price", "a market order has no price"));
            }
            (TypeName::Limit, None) => return Err(crate::fields::missing("price")),
            (TypeName::Limit, Some(0)) => return Err(Refusal::bad("bad_price", "price must be at least 1")),
            (TypeName::Limit, price) => price,
        };
        let quantity = match (fields.integer("quantity")?, fields.integer("qty")?) {
            (Some(_), Some(_)) => return Err(Refusal::bad("bad_field", "give quantity or qty, not both")),
            (None, None) => return Err(crate::fields::missing("quantity")),
            (Some(0), None) | (None, Some(0)) => {
                return Err(Refusal::bad("bad_quantity", "quantity must be at least 1"));
            }
            (Some(quantity), None) | (None, Some(quantity)) => quantity,
        };
        let stop = match fields.integer("stop")? {
            Some(0) => return Err(Refusal::bad("bad_stop", "stop must be at least 1")),
            stop => stop,
        };
        let rests = kind == TypeName::Limit && tif == TifName::Gtc;
        let post_only = fields.boolean("post_only")?.unwrap_or(false);
        if post_only && (!rests || stop.is_some()) {
            return Err(Refusal::bad(
                "bad_post_only",
                "only a limit order that rests at once can be post_only",
            ));
        }
        let display = match fields.integer("display")? {
            None => None,
            Some(display) if rests && (1..=quantity).contains(&display) => Some(display),
            Some(_) => {
                let message = "display must be from 1 to the quantity, of a limit order that may rest";
                return Err(Refusal::bad("bad_display", message));
            }
        };
        let client_order_id = fields.text("client_order_id")?;
        if client_order_id.as_deref().is_some_and(|id| !is_client_id(id)) {
            let message = format!("client_order_id must be 1 to {MAX_CLIENT_ID} visible ASCII characters");
            return Err(Refusal::bad("bad_field", message));
        }
        fields.finish()?;
        if price.is_some_and(|price| notional(price, quantity).is_none()) {
            return Err(too_large());
        }
        Ok(Asked { symbol, side, kind, tif, price, quantity, stop, display, post_only, client_order_id })
    }

    fn into_order(self, base: &dyn Base, user_id: String, price: u64, protection: bool) -> Order {
        let now = base.now();
        Order {
            order_id: ids::order_id(base),
            user_id,
            symbol: self.symbol,
            side: self.side,
            kind: self.kind,
            tif: self.tif,
            price,
            quantity: self.quantity,
            filled: 0,
            remaining: self.quantity,
            cost: 0,
            status: Status::Pending,
            reason: None,
            client_order_id: self.client_order_id,
            stop: self.stop,
            display: self.display,
            post_only: self.post_only,
            protection,
            replacing: None,
            seq: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

fn is_client_id(text: &str) -> bool {
    (1..=MAX_CLIENT_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
