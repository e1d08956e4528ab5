//! `GET /orders`, and `GET`, `DELETE`, `PATCH /orders/{id}`: a user's own orders.
//!
//! Cancelling and replacing go to the engine over the orders stream; what comes of them, the user is told by a
//! notification. A replacement that needs more than the order has locked locks the difference first, under a hold of
//! its own, which the engine's answer merges or releases. The row names the replacement that is under way, so that one
//! that broke off is carried through by whoever comes next.

use crate::auth;
use crate::capability::documents::{Expect, Outcome, Query, Write};
use crate::capability::wallet::{Movement, Posted};
use crate::capability::{Base, Cache, Documents, Error, Identity, LogStreams, Wallet};
use crate::fields::{Fields, check_symbol};
use crate::http::{Refusal, Request, Response};
use crate::ids;
use crate::order::{self, Order, Replacing, Row, Status, request_hold, row_id};
use crate::placement::{self, ATTEMPT_LIMIT_MS, Placement, append, is_effect_unknown, post, unknown_order};
use engine_core::wire::{Action, TypeName};
use serde::Serialize;

const LIMIT: u64 = 500;
const DEFAULT_LIMIT: u64 = 100;
/// Rows read for one page at most; where the filter lets few through, the cursor leads on.
const SCAN: u32 = 5000;
const PAGE: u32 = 500;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
    pub wallet: &'a dyn Wallet,
    pub streams: &'a dyn LogStreams,
}

pub async fn handle(ports: &Ports<'_>, request: Request) -> Response {
    route(ports, &request).await.into()
}

async fn route(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (id, known): (Option<&str>, &[&str]) = match path.as_slice() {
        ["orders"] => (None, &["GET"]),
        ["orders", id] => (Some(id), &["GET", "DELETE", "PATCH"]),
        _ => return Err(Refusal::not_found()),
    };
    if !known.contains(&request.method.as_str()) {
        return Err(Refusal::method_not_allowed(&request.method));
    }
    let user = auth::caller(ports.base, ports.identity, request).await?.user;
    let table = order::table(ports.base).await?;
    let Some(id) = id else { return list(ports, request, &table, &user).await };
    let row = match ids::is_order_id(id) {
        true => order::read(ports.documents, &table, &user, id).await?,
        false => None,
    };
    let row = row.ok_or_else(unknown_order)?;
    match request.method.as_str() {
        "DELETE" => cancel(ports, &table, row).await,
        "PATCH" => replace(ports, request, &table, row).await,
        _ => Ok(Response::json(200, &row.order)),
    }
}

async fn list(ports: &Ports<'_>, request: &Request, table: &str, user: &str) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Listed {
        orders: Vec<Order>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
    let symbol = request.parameter("symbol").filter(|symbol| !symbol.is_empty());
    symbol.as_deref().map(check_symbol).transpose()?;
    let only_open = match request.parameter("status").as_deref() {
        None | Some("" | "all") => false,
        Some("open") => true,
        Some(_) => return Err(Refusal::bad("bad_field", "status must be open or all")),
    };
    let limit = match request.parameter("limit").map(|limit| limit.parse::<u64>()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit @ 1..=LIMIT)) => limit,
        Some(_) => return Err(Refusal::bad("bad_limit", format!("limit must be 1 to {LIMIT}"))),
    } as usize;
    let mut cursor = request.parameter("cursor").filter(|cursor| !cursor.is_empty());
    if cursor.as_deref().is_some_and(|cursor| !ids::is_order_id(cursor)) {
        return Err(Refusal::bad("bad_cursor", "the cursor must be the one of an earlier answer"));
    }
    let mut orders = Vec::new();
    for _ in 0..SCAN / PAGE {
        let query = Query {
            table: table.into(),
            partition: user.into(),
            lower: None,
            upper: None,
            limit: PAGE,
            descending: true,
            cursor: cursor.take(),
        };
        let page = ports.documents.search(query).await?;
        for entry in &page.entries {
            let order = Order::decode(entry)?;
            let wanted = symbol.as_deref().is_none_or(|symbol| symbol == order.symbol);
            if !wanted || (only_open && !order.status.is_open()) {
                continue;
            }
            if orders.len() == limit {
                // There is one more: the next page starts behind the last of this one.
                let cursor = orders.last().map(|last: &Order| last.order_id.clone());
                return Ok(Response::json(200, &Listed { orders, cursor }));
            }
            orders.push(order);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(Response::json(200, &Listed { orders, cursor }))
}

#[derive(Serialize)]
struct Requested<'a> {
    order_id: &'a str,
    request_id: &'a str,
}

fn closed(order: &Order) -> Refusal {
    let status = serde_json::to_string(&order.status).unwrap_or_default();
    Refusal::new(
        409,
        "order_closed",
        format!("the order is {} and cannot be changed", status.trim_matches('"')),
    )
}

async fn cancel(ports: &Ports<'_>, table: &str, row: Row) -> Result<Response, Refusal> {
    let request_id = ids::request_id(ports.base);
    let message = |order: &Order| {
        let mut record = order.record(Action::Cancel);
        record.request_id = Some(request_id.as_str().into());
        placement::message(&record)
    };
    let mut row = row;
    if row.order.status == Status::Pending {
        let cancellation = message(&row.order);
        row = placement(ports, table).resume(row, Some(cancellation)).await?;
        if row.order.status == Status::Pending {
            return Ok(requested(&row.order, &request_id));
        }
    }
    if !row.order.status.is_open() {
        return Err(closed(&row.order));
    }
    one(append(ports.base, ports.streams, vec![message(&row.order)]).await?)?;
    Ok(requested(&row.order, &request_id))
}

fn requested(order: &Order, request_id: &str) -> Response {
    Response::json(202, &Requested { order_id: &order.order_id, request_id })
}

fn placement<'a>(ports: &Ports<'a>, table: &'a str) -> Placement<'a> {
    let Ports { base, documents, wallet, streams, .. } = *ports;
    Placement { base, documents, wallet, streams, table }
}

fn one<T>(answers: Vec<Result<T, Error>>) -> Result<T, Error> {
    answers.into_iter().next().unwrap_or_else(|| Err(Error::Internal("a message got no answer".into())))
}

async fn replace(ports: &Ports<'_>, request: &Request, table: &str, row: Row) -> Result<Response, Refusal> {
    let mut fields = Fields::parse(request.json_body()?)?;
    let price = fields.integer("price")?;
    let quantity = fields.integer("quantity")?;
    fields.finish()?;
    let mut row = row;
    if row.order.status == Status::Pending {
        row = placement(ports, table).resume(row, None).await?;
    }
    if !row.order.status.is_open() {
        return Err(closed(&row.order));
    }
    if row.order.kind == TypeName::Market {
        return Err(closed(&row.order));
    }
    if let Some(replacing) = row.order.replacing.clone() {
        return Err(busy(ports, table, row, &replacing).await);
    }
    let (price, quantity) = match (price, quantity) {
        (None, None) => return Err(crate::fields::missing("price")),
        (Some(0), _) => return Err(Refusal::bad("bad_price", "price must be at least 1")),
        (_, Some(0)) => return Err(Refusal::bad("bad_quantity", "quantity must be at least 1")),
        (price, quantity) => (price.unwrap_or(row.order.price), quantity.unwrap_or(row.order.remaining)),
    };
    if order::notional(price, quantity).is_none() {
        return Err(Refusal::bad("notional_too_large", "price × quantity does not fit an amount of money"));
    }
    let replacing = Replacing {
        request_id: ids::request_id(ports.base),
        price,
        quantity,
        expected_price: row.order.price,
        expected_quantity: row.order.remaining,
        requested_at: ports.base.now(),
        withdrawn: false,
    };
    let now = replacing.requested_at.max(row.order.updated_at);
    let announced = Order { replacing: Some(replacing.clone()), updated_at: now, ..row.order.clone() };
    let row = match write(ports, table, &row, announced).await? {
        Some(row) => row,
        None => return Err(stale()),
    };
    match carry_through(ports, &row.order, &replacing).await {
        Ok(()) => Ok(requested(&row.order, &replacing.request_id)),
        Err(Failed { refusal, certainly: true }) => {
            withdraw(ports, table, &row, &replacing).await?;
            Err(refusal)
        }
        Err(Failed { refusal, certainly: false }) => Err(refusal),
    }
}

fn stale() -> Refusal {
    Refusal::new(409, "stale_order", "the order has just changed; look at it and try again")
}

/// Gives up a replacement that was never appended. The row says so first, so that nobody appends it once its lock is
/// gone; where a later step fails, whoever comes next finishes it.
async fn withdraw(ports: &Ports<'_>, table: &str, row: &Row, replacing: &Replacing) -> Result<(), Error> {
    let given_up = Replacing { withdrawn: true, ..replacing.clone() };
    let order = Order { replacing: Some(given_up), ..row.order.clone() };
    match write(ports, table, row, order).await? {
        Some(row) => clear(ports, table, &row, replacing).await,
        None => Ok(()),
    }
}

/// Releases what was locked for a replacement that was given up, and takes it out of the row.
async fn clear(ports: &Ports<'_>, table: &str, row: &Row, replacing: &Replacing) -> Result<(), Error> {
    let hold = request_hold(&row.order.order_id, &replacing.request_id);
    post(ports.wallet, Movement::Release { hold }).await?;
    let order = Order { replacing: None, ..row.order.clone() };
    write(ports, table, row, order).await.map(|_| ())
}

/// A replacement is under way already. One that seems to have broken off is carried through, or given up for good.
async fn busy(ports: &Ports<'_>, table: &str, row: Row, replacing: &Replacing) -> Refusal {
    if replacing.withdrawn {
        return match clear(ports, table, &row, replacing).await {
            Ok(()) => stale(),
            Err(error) => error.into(),
        };
    }
    if ports.base.now().saturating_sub(replacing.requested_at) > ATTEMPT_LIMIT_MS
        && let Err(failed) = carry_through(ports, &row.order, replacing).await
    {
        // The lock comes before the append: where even now it cannot be had, nothing was ever appended.
        if failed.refusal.code == "insufficient_balance"
            && let Err(error) = withdraw(ports, table, &row, replacing).await
        {
            return error.into();
        }
        return failed.refusal;
    }
    Refusal::new(
        409,
        "stale_order",
        "an earlier replacement of this order is under way; wait for its outcome",
    )
}

struct Failed {
    refusal: Refusal,
    /// The replacement will not happen.
    certainly: bool,
}

/// Locks the difference and appends; both may be repeated.
async fn carry_through(ports: &Ports<'_>, order: &Order, replacing: &Replacing) -> Result<(), Failed> {
    let failed = |error: Error| Failed { certainly: !is_effect_unknown(&error), refusal: error.into() };
    let need = |price, quantity| {
        order.need(price, quantity).ok_or_else(|| Error::Internal("an order needs more than fits".into()))
    };
    let (asset, wanted) = need(replacing.price, replacing.quantity).map_err(failed)?;
    let (_, locked) = need(replacing.expected_price, replacing.expected_quantity).map_err(failed)?;
    if wanted > locked {
        let hold = request_hold(&order.order_id, &replacing.request_id);
        let user = order.user_id.clone();
        let movement = Movement::Reserve { hold, user, asset, amount: wanted - locked };
        if let Posted::Insufficient(available) = post(ports.wallet, movement).await.map_err(failed)? {
            let message = format!("the replacement needs more than the {available} that are available");
            let refusal = Refusal::new(422, "insufficient_balance", message);
            return Err(Failed { refusal, certainly: true });
        }
    }
    let mut record = order.record(Action::Replace);
    record.request_id = Some(replacing.request_id.as_str().into());
    record.price = Some(replacing.price);
    record.quantity = Some(replacing.quantity);
    record.expected_price = Some(replacing.expected_price);
    record.expected_quantity = Some(replacing.expected_quantity);
    let appended =
        append(ports.base, ports.streams, vec![placement::message(&record)]).await.map_err(failed)?;
    one(appended).map(|_| ()).map_err(failed)
}

/// Writes the row if nobody else has; `None` if somebody has.
async fn write(ports: &Ports<'_>, table: &str, row: &Row, order: Order) -> Result<Option<Row>, Error> {
    let id = row_id(table, &order.user_id, &order.order_id);
    let write = Write { id, expect: Expect::Version(row.version), body: Some(order.encode()) };
    match ports.documents.put(vec![write]).await?.into_iter().next() {
        Some(Outcome::Written(version)) => Ok(Some(Row { version, order })),
        Some(Outcome::Stale(_)) => Ok(None),
        None => Err(Error::Internal("a write got no outcome".into())),
    }
}
