//! Fills stream → wallets and orders.
//!
//! Money first, then rows: whoever sees an order filled finds the money there. Every movement is named by the event, so
//! that a batch that is given twice moves money once; a row takes an event only if it is newer than the last one it
//! took. The first item that cannot be finished now ends the batch: it and all after it are asked for again. The events of a
//! row that cannot be read are rejected, all of them until somebody has mended it: given again in their order, they bring it
//! up to date.
//!
//! A batch is gone through in the order in which its events happened, whatever order it came in: where a queue stands in
//! for the stream, a cancellation must not free what a fill of the same batch takes. Across batches a stream keeps the order.

use crate::capability::base::Level;
use crate::capability::documents::{Entry, Expect, Id, Outcome, Write};
use crate::capability::wallet::{Amount, Movement, Party, Posted};
use crate::capability::{Base, Documents, Error, Wallet};
use crate::order::{self, Order, Row, Status, notional, request_hold, row_id};
use crate::stream::{Disposition, Failure, Item};
use engine_core::wire::{EventKind, EventRecord, PartyRecord, fill_id};
use std::collections::BTreeMap;

/// How often rows that others are writing are tried again.
const RACES: u32 = 5;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub documents: &'a dyn Documents,
    pub wallet: &'a dyn Wallet,
}

/// An item that was understood.
struct Event<'a> {
    item: &'a Item,
    record: EventRecord<'a>,
}

pub async fn handle(ports: &Ports<'_>, _stream: &str, items: Vec<Item>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut decoded = Vec::with_capacity(items.len());
    for item in &items {
        match decode(item) {
            Ok(event) => decoded.push(event),
            Err(reason) => failures.push(reject(item, reason)),
        }
    }
    decoded.sort_by(|(a, _), (b, _)| (&a.record.symbol, a.record.seq).cmp(&(&b.record.symbol, b.record.seq)));
    let mut events = Vec::with_capacity(decoded.len());
    let mut movements = Vec::new();
    // How many movements each event has.
    let mut counts = Vec::with_capacity(decoded.len());
    for (event, moves) in decoded {
        counts.push(moves.len());
        movements.extend(moves);
        events.push(event);
    }
    let posted = match movements.is_empty() {
        true => Ok(Vec::new()),
        false => ports.wallet.post(movements).await,
    };
    let mut posted = match posted {
        Ok(posted) => posted.into_iter(),
        Err(error) => {
            ports.base.log(Level::Warn, "money not moved", &[("error", &error.to_string())]);
            failures.extend(events.iter().map(|event| retry(event.item)));
            return failures;
        }
    };

    let mut settled = Vec::with_capacity(events.len());
    let mut events = events.into_iter();
    for (event, count) in events.by_ref().zip(counts) {
        let answers =
            (0..count).map(|_| posted.next().unwrap_or_else(unanswered)).collect::<Result<Vec<_>, _>>();
        match answers {
            Ok(answers) => match answers.iter().find_map(short) {
                None => settled.push(event),
                Some(had) => failures.push(reject(event.item, format!("the hold has only {had}"))),
            },
            // A movement that the wallet can never make; what comes after it was not tried.
            Err(error @ (Error::Invalid(_) | Error::Denied(_))) => {
                failures.push(reject(event.item, error.to_string()));
                break;
            }
            Err(error) => {
                ports.base.log(Level::Warn, "money not moved", &[("error", &error.to_string())]);
                failures.push(retry(event.item));
                break;
            }
        }
    }
    failures.extend(events.map(|event| retry(event.item)));
    failures.extend(update_rows(ports, &settled).await);
    failures
}

fn unanswered() -> Result<Posted, Error> {
    Err(Error::Internal("a movement got no answer".into()))
}

fn short(posted: &Posted) -> Option<Amount> {
    if let Posted::Insufficient(had) = posted { Some(*had) } else { None }
}

fn retry(item: &Item) -> Failure {
    Failure { id: item.id.clone(), disposition: Disposition::Retry }
}

fn reject(item: &Item, reason: String) -> Failure {
    Failure { id: item.id.clone(), disposition: Disposition::Reject(reason) }
}

fn decode(item: &Item) -> Result<(Event<'_>, Vec<Movement>), String> {
    let record: EventRecord<'_> =
        serde_json::from_slice(&item.body).map_err(|error| format!("not an event: {error}"))?;
    let movements = movements(&record).ok_or("an amount does not fit")?;
    Ok((Event { item, record }, movements))
}

/// The money that an event moves; `None` if an amount does not fit.
fn movements(record: &EventRecord<'_>) -> Option<Vec<Movement>> {
    let release = |hold: String| vec![Movement::Release { hold }];
    Some(match &record.event {
        EventKind::Fill { fill_id, price, quantity, buyer, seller, .. } => {
            let cash = notional(*price, *quantity)?;
            // A market order without a protection price has locked nothing beyond the fill.
            let refund = notional(buyer.price.saturating_sub(*price), *quantity)?;
            let party = |of: &PartyRecord<'_>, refund| Party {
                user: of.user_id.to_string(),
                hold: of.order_id.to_string(),
                refund,
            };
            vec![Movement::Settle {
                fill: fill_id.to_string(),
                symbol: record.symbol.to_string(),
                cash,
                quantity: *quantity,
                buyer: party(buyer, refund),
                seller: party(seller, 0),
            }]
        }
        EventKind::Cancelled { order_id, .. } | EventKind::Rejected { order_id, .. } => {
            release(order_id.to_string())
        }
        EventKind::Replaced { order_id, side, price, quantity, request_id, .. } => {
            let keep = if side == "BUY" { notional(*price, *quantity)? } else { *quantity };
            vec![Movement::Adjust {
                id: fill_id(&record.symbol, record.seq),
                hold: order_id.to_string(),
                absorb: (!request_id.is_empty()).then(|| request_hold(order_id, request_id)),
                keep,
            }]
        }
        EventKind::ReplaceRejected { order_id, request_id, .. } if !request_id.is_empty() => {
            release(request_hold(order_id, request_id))
        }
        EventKind::ReplaceRejected { .. } | EventKind::Accepted { .. } | EventKind::CancelRejected { .. } => {
            Vec::new()
        }
    })
}

/// User and id of the orders that an event changes.
fn orders<'a>(record: &'a EventRecord<'_>) -> Vec<(&'a str, &'a str)> {
    match &record.event {
        EventKind::Fill { buyer, seller, .. } => {
            vec![(&*buyer.user_id, &*buyer.order_id), (&*seller.user_id, &*seller.order_id)]
        }
        EventKind::Accepted { user_id, order_id, .. }
        | EventKind::Cancelled { user_id, order_id, .. }
        | EventKind::Rejected { user_id, order_id, .. }
        | EventKind::Replaced { user_id, order_id, .. }
        | EventKind::CancelRejected { user_id, order_id, .. }
        | EventKind::ReplaceRejected { user_id, order_id, .. } => vec![(&**user_id, &**order_id)],
    }
}

/// Brings the rows up to these events; answers the items that have to be tried again, and those of rows that cannot be read.
async fn update_rows(ports: &Ports<'_>, events: &[Event<'_>]) -> Vec<Failure> {
    match try_update(ports, events).await {
        Ok(unreadable) => {
            let reason = |event: &Event<'_>| unreadable.get(event.item.id.as_str()).cloned();
            events.iter().filter_map(|event| Some(reject(event.item, reason(event)?))).collect()
        }
        Err(error) => {
            ports.base.log(Level::Warn, "orders not updated", &[("error", &error.to_string())]);
            events.iter().map(|event| retry(event.item)).collect()
        }
    }
}

/// Answers the items whose rows cannot be read, and why; all other rows are up to date then.
async fn try_update<'e>(
    ports: &Ports<'_>,
    events: &'e [Event<'_>],
) -> Result<BTreeMap<&'e str, String>, Error> {
    let mut unreadable = BTreeMap::new();
    let table = order::table(ports.base).await?;
    // The events of each row, in their order.
    let mut waiting: BTreeMap<Id, Vec<&Event<'_>>> = BTreeMap::new();
    for event in events {
        for (user, order) in orders(&event.record) {
            waiting.entry(row_id(&table, user, order)).or_default().push(event);
        }
    }
    if waiting.is_empty() {
        return Ok(unreadable);
    }
    let mut rows: Vec<Option<Entry>> = ports.documents.get(waiting.keys().cloned().collect()).await?;
    for _ in 0..RACES {
        let mut writes = Vec::with_capacity(rows.len());
        let mut leftover = Vec::new();
        for row in rows.iter().flatten() {
            let events = waiting.get(&row.id).map_or(&[][..], Vec::as_slice);
            let Row { version, mut order } = match Row::decode(row) {
                Ok(row) => row,
                Err(error) => {
                    unreadable.extend(events.iter().map(|event| (event.item.id.as_str(), error.to_string())));
                    continue;
                }
            };
            let before = order.clone();
            for event in events {
                apply(&mut order, &event.record);
            }
            if order == before {
                continue;
            }
            if !order.status.is_open()
                && let Some(replacing) = order.replacing.take()
            {
                leftover
                    .push(Movement::Release { hold: request_hold(&order.order_id, &replacing.request_id) });
            }
            writes.push(Write {
                id: row.id.clone(),
                expect: Expect::Version(version),
                body: Some(order.encode()),
            });
        }
        if writes.is_empty() {
            return Ok(unreadable);
        }
        if !leftover.is_empty() {
            ports.wallet.post(leftover).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        // Only the rows that somebody else wrote meanwhile are tried again.
        rows = Vec::new();
        for outcome in ports.documents.put(writes).await? {
            if let Outcome::Stale(entry) = outcome {
                rows.push(entry);
            }
        }
        if rows.is_empty() {
            return Ok(unreadable);
        }
    }
    Err(Error::Throttled(None))
}

/// Applies an event to the row of an order that it is about; older events change nothing.
fn apply(order: &mut Order, record: &EventRecord<'_>) {
    if record.seq <= order.seq {
        return;
    }
    order.seq = record.seq;
    order.updated_at = order.updated_at.max(record.t);
    match &record.event {
        EventKind::Accepted { .. } => order.status = Status::Accepted,
        EventKind::Fill { price, quantity, buyer, seller, .. } => {
            let party = if buyer.order_id == order.order_id { buyer } else { seller };
            order.filled = order.filled.saturating_add(*quantity);
            order.cost = order.cost.saturating_add(price.saturating_mul(*quantity));
            order.remaining = party.remaining;
            order.status = if party.remaining == 0 { Status::Filled } else { Status::PartiallyFilled };
        }
        EventKind::Cancelled { reason, .. } => close(order, Status::Cancelled, reason),
        EventKind::Rejected { reason, .. } => close(order, Status::Rejected, reason),
        EventKind::Replaced { price, quantity, request_id, .. } => {
            order.price = *price;
            order.remaining = *quantity;
            order.quantity = order.filled.saturating_add(*quantity);
            answered(order, request_id);
        }
        EventKind::ReplaceRejected { request_id, .. } => answered(order, request_id),
        EventKind::CancelRejected { .. } => {}
    }
}

fn close(order: &mut Order, status: Status, reason: &str) {
    order.status = status;
    order.reason = Some(reason.to_owned());
    order.remaining = 0;
}

/// The engine has answered a replacement.
fn answered(order: &mut Order, request_id: &str) {
    if order.replacing.as_ref().is_some_and(|replacing| replacing.request_id == request_id) {
        order.replacing = None;
    }
}
