//! `GET` and `DELETE /orders`, and `GET`, `DELETE`, `PATCH /orders/{id}`: a user's own orders.
//!
//! Cancelling and replacing go to the engine over the orders stream; what comes of them, the user is told by a
//! notification. A mass cancel is a cancellation of each order that it finds open: it is bounded, and says where the next one
//! goes on. How a replacement is carried through stands in [`crate::replacement`].

use crate::auth;
use crate::capability::documents::Query;
use crate::capability::{Base, Cache, Documents, Error, Identity, LogStreams, Wallet};
use crate::fields::{Fields, check_symbol};
use crate::http::{Refusal, Request, Response};
use crate::ids;
use crate::order::{self, Order, Replacing, Row, Side, Status};
use crate::order_router;
use crate::placement::{self, Placement, append, unknown_order};
use crate::replacement;
use engine_core::wire::{Action, TypeName};
use serde::Serialize;

const LIMIT: u64 = 500;
const DEFAULT_LIMIT: u64 = 100;
/// Rows read for one page at most; where the filter lets few through, the cursor leads on.
const SCAN: u32 = 5000;
const PAGE: u32 = 500;
/// Orders not placed yet that one mass cancel carries through at most. Where others write their rows at the same time each takes
/// nine calls, and a request has 256.
const PENDING: usize = 25;

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
        ["orders"] => (None, &["GET", "DELETE"]),
        ["orders", id] => (Some(id), &["GET", "DELETE", "PATCH"]),
        _ => return Err(Refusal::not_found()),
    };
    if !known.contains(&request.method.as_str()) {
        return Err(Refusal::method_not_allowed(&request.method));
    }
    let user = auth::caller(ports.base, ports.identity, request).await?.user;
    let table = order::table(ports.base).await?;
    let Some(id) = id else {
        return match request.method.as_str() {
            "DELETE" => cancel_all(ports, request, &table, &user).await,
            _ => list(ports, request, &table, &user).await,
        };
    };
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

/// Which of a user's orders are asked for.
struct Filter {
    symbol: Option<String>,
    side: Option<Side>,
    only_open: bool,
    limit: usize,
    /// The last order of the page before.
    cursor: Option<String>,
}

impl Filter {
    fn of(request: &Request) -> Result<Filter, Refusal> {
        let given = |name: &str| request.parameter(name).filter(|value| !value.is_empty());
        let symbol = given("symbol");
        symbol.as_deref().map(check_symbol).transpose()?;
        let side = match given("side").as_deref() {
            None => None,
            Some("BUY") => Some(Side::Buy),
            Some("SELL") => Some(Side::Sell),
            Some(_) => return Err(Refusal::bad("bad_side", "side must be BUY or SELL")),
        };
        let cursor = given("cursor");
        if cursor.as_deref().is_some_and(|cursor| !ids::is_order_id(cursor)) {
            return Err(Refusal::bad("bad_cursor", "the cursor must be the one of an earlier answer"));
        }
        Ok(Filter { symbol, side, only_open: false, limit: LIMIT as usize, cursor })
    }

    fn wants(&self, order: &Order) -> bool {
        self.symbol.as_deref().is_none_or(|symbol| symbol == order.symbol)
            && self.side.is_none_or(|side| side == order.side)
            && (!self.only_open || order.status.is_open())
    }
}

/// The orders of a page, newest first, and where the next one goes on, if there may be more.
async fn page(
    ports: &Ports<'_>,
    filter: &Filter,
    table: &str,
    user: &str,
) -> Result<(Vec<Row>, Option<String>), Refusal> {
    let mut cursor = filter.cursor.clone();
    let mut rows: Vec<Row> = Vec::new();
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
            let row = Row::decode(entry)?;
            if !filter.wants(&row.order) {
                continue;
            }
            if rows.len() == filter.limit {
                // There is one more: the next page starts behind the last of this one.
                let cursor = rows.last().map(|last| last.order.order_id.clone());
                return Ok((rows, cursor));
            }
            rows.push(row);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok((rows, cursor))
}

async fn list(ports: &Ports<'_>, request: &Request, table: &str, user: &str) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Listed {
        orders: Vec<Order>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
    let mut filter = Filter::of(request)?;
    filter.only_open = match request.parameter("status").as_deref() {
        None | Some("" | "all") => false,
        Some("open") => true,
        Some(_) => return Err(Refusal::bad("bad_field", "status must be open or all")),
    };
    filter.limit = match request.parameter("limit").map(|limit| limit.parse::<u64>()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit @ 1..=LIMIT)) => limit,
        Some(_) => return Err(Refusal::bad("bad_limit", format!("limit must be 1 to {LIMIT}"))),
    } as usize;
    let (rows, cursor) = page(ports, &filter, table, user).await?;
    let orders = rows.into_iter().map(|row| row.order).collect();
    Ok(Response::json(200, &Listed { orders, cursor }))
}

/// Asks for the cancellation of all open orders that the filter lets through, up to a bound. Asked again, it asks for
/// those once more that the engine has not answered yet, which changes nothing.
async fn cancel_all(
    ports: &Ports<'_>,
    request: &Request,
    table: &str,
    user: &str,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Cancelling<'a> {
        request_id: &'a str,
        /// The orders whose cancellation is on its way.
        order_ids: Vec<String>,
        /// Those that could not be asked for: ask again.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failed: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    }
    let filter = Filter { only_open: true, ..Filter::of(request)? };
    let (mut rows, mut cursor) = page(ports, &filter, table, user).await?;
    // Orders that are not placed yet take several steps each: few of them at a time.
    let mut pending = rows.iter().enumerate().filter(|(_, row)| row.order.status == Status::Pending);
    if let Some((end, _)) = pending.nth(PENDING) {
        rows.truncate(end);
        cursor = rows.last().map(|last| last.order.order_id.clone());
    }
    let request_id = ids::request_id(ports.base);
    let message = |order: &Order| {
        let mut record = order.record(Action::Cancel);
        record.request_id = Some(request_id.as_str().into());
        placement::message(&record)
    };
    let (mut order_ids, mut failed, mut refused) = (Vec::new(), Vec::new(), None);
    let mut open = Vec::with_capacity(rows.len());
    for row in rows {
        if row.order.status != Status::Pending {
            open.push(row.order);
            continue;
        }
        // One that broke off must be carried through, or it might be entered after its cancellation.
        let (id, cancellation) = (row.order.order_id.clone(), message(&row.order));
        match placement(ports, table).resume(row, Some(cancellation)).await {
            Ok(row) if row.order.status == Status::Pending => order_ids.push(id),
            Ok(row) if row.order.status.is_open() => open.push(row.order),
            Ok(_) => {}
            // It is no more, or cannot become one.
            Err(refusal) if refusal.status < 429 => {}
            Err(refusal) => {
                failed.push(id);
                refused = Some(refusal);
            }
        }
    }
    if !open.is_empty() {
        match append(ports.base, ports.streams, open.iter().map(message).collect()).await {
            Ok(answers) => {
                for (order, answer) in open.into_iter().zip(answers) {
                    match answer {
                        Ok(_) => order_ids.push(order.order_id),
                        Err(error) => {
                            failed.push(order.order_id);
                            refused = Some(error.into());
                        }
                    }
                }
            }
            Err(error) => {
                failed.extend(open.into_iter().map(|order| order.order_id));
                refused = Some(error.into());
            }
        }
    }
    if let (true, Some(refusal)) = (order_ids.is_empty(), refused) {
        return Err(refusal);
    }
    Ok(Response::json(202, &Cancelling { request_id: &request_id, order_ids, failed, cursor }))
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
        return Err(replacement::busy(&placement(ports, table), &row, &replacing).await);
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
    // Whoever may not place an order must not move one to a price where it trades either.
    order_router::traded(ports.cache, &row.order.symbol, Vec::new()).await?;
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
    let placement = placement(ports, table);
    let row = replacement::announce(&placement, &row, announced).await?.ok_or_else(replacement::stale)?;
    replacement::place(&placement, &row, &replacing).await?;
    Ok(requested(&row.order, &replacing.request_id))
}
