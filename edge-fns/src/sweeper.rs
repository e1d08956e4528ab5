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
use crate::timer::{Timer, turn};
use serde::{Deserialize, Serialize};

/// Partitions of the reminders: what is written at one time does not all go to one place.
const PARTITIONS: u32 = 8;
/// Reminders read at a time.
const PAGE: u32 = 200;
/// No order is begun after this time.
const BUDGET_MS: Millis = 3_000;
/// A back end that has failed so often is away, and will not answer for the next one either. One that refuses an order, as a
/// stream does whose shard is busy, must not keep the others waiting.
const MOST_FAILURES: u32 = 8;

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
    let mut sweep = Sweep { placement, started, failures: 0, first: None };
    // Where time or back ends do not suffice for all, each partition is the first one in its turn.
    let first = turn(started, u64::from(PARTITIONS)) as u32;
    for number in (0..PARTITIONS).map(|number| (first + number) % PARTITIONS) {
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
            sweep.go_through(page.entries).await?;
            cursor = page.cursor;
            if sweep.is_over() {
                return sweep.outcome();
            }
            if cursor.is_none() {
                break;
            }
        }
    }
    sweep.outcome()
}

struct Sweep<'a> {
    placement: Placement<'a>,
    started: Millis,
    /// What could not be finished because of a back end.
    failures: u32,
    /// The first of those, or of what cannot be read.
    first: Option<Error>,
}

impl Sweep<'_> {
    /// Whether its time is over, or its back ends seem to be away. What is left is found the next time.
    fn is_over(&self) -> bool {
        self.failures >= MOST_FAILURES || self.placement.base.now().saturating_sub(self.started) > BUDGET_MS
    }

    fn outcome(self) -> Result<(), Error> {
        self.first.map_or(Ok(()), Err)
    }

    /// Somebody has to look at it; what comes after it does not wait for that.
    fn unreadable(&mut self, reminder: &Id, error: Error) {
        let fields = [("reminder", reminder.sort.as_str()), ("error", &error.to_string())];
        self.placement.base.log(Level::Error, "passed over", &fields);
        self.first.get_or_insert(error);
    }

    /// Those of what needs nothing more are removed.
    async fn go_through(&mut self, reminders: Vec<Entry>) -> Result<(), Error> {
        let mut about = Vec::with_capacity(reminders.len());
        let mut rows = Vec::with_capacity(reminders.len());
        for entry in reminders {
            match serde_json::from_slice::<Reminder>(&entry.body) {
                Ok(named) => {
                    rows.push(row_id(self.placement.table, &named.user_id, &named.order_id));
                    about.push(entry.id);
                }
                Err(error) => {
                    let error =
                        Error::Internal(format!("reminder {} is not readable: {error}", entry.id.sort));
                    self.unreadable(&entry.id, error);
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let rows = self.placement.documents.get(rows).await?;
        let mut done = Vec::new();
        for (reminder, row) in about.into_iter().zip(rows) {
            if self.is_over() {
                break;
            }
            let finished = match row.as_ref().map(Row::decode) {
                // Both were written together: the row has been removed since.
                None => Ok(true),
                Some(Ok(row)) => finish(&self.placement, row, &reminder.sort).await,
                Some(Err(error)) => {
                    self.unreadable(&reminder, error);
                    continue;
                }
            };
            match finished {
                Ok(true) => done.push(Write { id: reminder, expect: Expect::Anything, body: None }),
                Ok(false) => {}
                Err(error) => {
                    self.failures += 1;
                    self.first.get_or_insert(error);
                }
            }
        }
        if !done.is_empty() {
            let count = done.len().to_string();
            self.placement.base.log(Level::Debug, "reminders removed", &[("count", &count)]);
            self.placement.documents.put(done).await?;
        }
        Ok(())
    }
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

/// A refusal that is about the order is an outcome; one that is about a back end is a failure.
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
