//! Timer: finishes orders and replacements that broke off, or gives them up for good.
//!
//! Whoever creates an order or announces a replacement writes a reminder with it, in the same transaction, under a name that
//! sorts by its time. This takes the reminders that are older than any attempt can last: where the order is still pending or
//! the replacement unanswered, it is carried through again as its user would, by [`crate::placement`] and
//! [`crate::replacement`]; where nothing is left to do, the reminder goes. So an order whose function died between two steps
//! is on its way, or rejected with its balance free again, one period after [`ATTEMPT_LIMIT_MS`], whether its user comes back
//! or not.
//!
//! Carrying through again appends the order again, which the engine ignores as long as it knows the order's id: while it
//! rests, and for its shard's next 65,536 finished orders after that. A pending row of an order that was finished longer ago
//! than that means that the fills stream's consumer is behind by as much; its lag has to be watched.

use crate::capability::base::Level;
use crate::capability::documents::{Entry, Expect, Id, Query, Write};
use crate::capability::{Base, Documents, Error, LogStreams, Millis, Wallet};
use crate::http::Refusal;
use crate::ids;
use crate::order::{self, Order, Row, Status, row_id};
use crate::placement::{ATTEMPT_LIMIT_MS, Placement};
use crate::replacement::{self, Finished};
use crate::timer::Timer;
use serde::{Deserialize, Serialize};

/// Partitions of the reminders: what is written at one time does not all go to one place.
const PARTITIONS: u32 = 8;
/// Reminders read at a time.
const PAGE: u32 = 200;
/// No call takes longer; what is left is found the next time.
const BUDGET_MS: Millis = 3_000;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub documents: &'a dyn Documents,
    pub wallet: &'a dyn Wallet,
    pub streams: &'a dyn LogStreams,
}

/// What a reminder says: where the row is.
#[derive(Serialize, Deserialize)]
struct Reminder {
    user_id: String,
    order_id: String,
}

/// The write that reminds of an order: of the order itself, or of a replacement, by its id. It goes into the same
/// transaction as the row.
pub fn reminder(table: &str, order: &Order, id: &str) -> Write {
    let about = Reminder { user_id: order.user_id.clone(), order_id: order.order_id.clone() };
    // A struct of strings cannot fail to serialise.
    let body = serde_json::to_vec(&about).unwrap_or_default();
    // Ids are a kind and what sorts by time: `ord_01…`, `req_01…`.
    let sort = id.split_once('_').map_or(id, |(_, sortable)| sortable);
    let number = sort.bytes().last().map_or(0, u32::from) % PARTITIONS;
    let id = Id { table: table.into(), partition: partition(number), sort: sort.into() };
    Write { id, expect: Expect::Anything, body: Some(body) }
}

fn partition(number: u32) -> String {
    format!("pending#{number}")
}

pub async fn handle(ports: &Ports<'_>, _timer: Timer) -> Result<(), Error> {
    let table = order::table(ports.base).await?;
    let Ports { base, documents, wallet, streams } = *ports;
    let placement = Placement { base, documents, wallet, streams, table: &table };
    let started = base.now();
    let upper = ids::floor(started.saturating_sub(ATTEMPT_LIMIT_MS));
    for number in 0..PARTITIONS {
        let mut cursor = None;
        loop {
            let query = Query {
                table: table.clone(),
                partition: partition(number),
                lower: None,
                upper: Some(upper.clone()),
                limit: PAGE,
                descending: false,
                cursor,
            };
            let page = documents.search(query).await?;
            sweep(&placement, page.entries).await?;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
            if base.now().saturating_sub(started) > BUDGET_MS {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Goes through reminders; those of what needs nothing more are removed.
async fn sweep(placement: &Placement<'_>, reminders: Vec<Entry>) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(reminders.len());
    for entry in &reminders {
        let about: Reminder = serde_json::from_slice(&entry.body).map_err(|error| {
            Error::Internal(format!("reminder {} is not readable: {error}", entry.id.sort))
        })?;
        rows.push(row_id(placement.table, &about.user_id, &about.order_id));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let rows = placement.documents.get(rows).await?;
    let mut done = Vec::new();
    let mut outcome = Ok(());
    for (entry, row) in reminders.into_iter().zip(rows) {
        let finished = match row {
            // Both were written together: the row has been removed since.
            None => Ok(true),
            Some(row) => finish(placement, Row::decode(&row)?, &entry.id.sort).await,
        };
        match finished {
            Ok(true) => done.push(Write { id: entry.id, expect: Expect::Anything, body: None }),
            Ok(false) => {}
            // A back end that does not answer now will not answer for the next one either.
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    if !done.is_empty() {
        let count = done.len().to_string();
        placement.base.log(Level::Debug, "reminders removed", &[("count", &count)]);
        placement.documents.put(done).await?;
    }
    outcome
}

/// Whether nothing is left to do about the order, or the replacement of this name.
async fn finish(placement: &Placement<'_>, row: Row, sort: &str) -> Result<bool, Error> {
    let is_named = |id: &str| id.ends_with(sort);
    if is_named(&row.order.order_id) {
        return finish_order(placement, row).await;
    }
    let Some(replacing) = row.order.replacing.clone().filter(|replacing| is_named(&replacing.request_id))
    else {
        return Ok(true);
    };
    match replacement::finish(placement, &row, &replacing).await {
        Ok(Finished::Withdrawn) => Ok(true),
        Ok(Finished::UnderWay) => Ok(false),
        Err(refusal) => given_up(placement, &row.order, refusal).map(|()| false),
    }
}

async fn finish_order(placement: &Placement<'_>, row: Row) -> Result<bool, Error> {
    let order = &row.order;
    let age = placement.base.now().saturating_sub(order.updated_at);
    if order.status == Status::Pending && age <= ATTEMPT_LIMIT_MS {
        // Somebody is at it, or was until just now.
        return Ok(false);
    }
    let about = order.clone();
    match placement.resume(row, None).await {
        Ok(row) => Ok(row.order.status != Status::Pending),
        Err(refusal) => given_up(placement, &about, refusal).map(|()| false),
    }
}

/// A refusal that is about the order is an outcome; one that is about a back end ends the sweep.
fn given_up(placement: &Placement<'_>, order: &Order, refusal: Refusal) -> Result<(), Error> {
    if refusal.status < 429 {
        let fields = [("order_id", order.order_id.as_str()), ("code", refusal.code)];
        placement.base.log(Level::Info, "given up", &fields);
        return Ok(());
    }
    Err(match refusal.status {
        429 => Error::Throttled(refusal.retry_after_ms),
        504 => Error::Timeout,
        503 => Error::Unavailable(refusal.message),
        _ => Error::Internal(refusal.message),
    })
}
