//! Carrying a replacement of an order through: announce it in the row, lock what it needs besides, append.
//!
//! A replacement that needs more than the order has locked locks the difference first, under a hold of its own, which the
//! engine's answer merges or releases. The row names the replacement that is under way, so that one that broke off is carried
//! through, or given up for good, by whoever comes next: the user, or the sweeper.

use crate::capability::Error;
use crate::capability::documents::{Expect, Outcome, Write};
use crate::capability::wallet::{Movement, Posted};
use crate::http::Refusal;
use crate::order::{self, Order, Replacing, Row, request_hold, row_id};
use crate::placement::{self, ATTEMPT_LIMIT_MS, Placement, RACES, append, is_effect_unknown, post};
use crate::sweeper;
use engine_core::wire::Action;

pub fn stale() -> Refusal {
    Refusal::new(409, "stale_order", "the order has just changed; look at it and try again")
}

/// Writes the row with its replacement, and what leads the sweeper to it; `None` if somebody else has written the row.
pub async fn announce(placement: &Placement<'_>, row: &Row, announced: Order) -> Result<Option<Row>, Error> {
    let mut writes = vec![row_write(placement, row, &announced)];
    if let Some(replacing) = &announced.replacing {
        writes.push(sweeper::reminder(placement.table, &announced, &replacing.request_id));
    }
    match placement.documents.put_all(writes).await? {
        // The answer is that of the last write; the row's version grows by one.
        Outcome::Written(_) => Ok(Some(Row { version: row.version + 1, order: announced })),
        Outcome::Stale(_) => Ok(None),
    }
}

/// Locks and appends what the row announces; what can certainly not be done is withdrawn.
pub async fn place(placement: &Placement<'_>, row: &Row, replacing: &Replacing) -> Result<(), Refusal> {
    match carry_through(placement, &row.order, replacing).await {
        Ok(()) => Ok(()),
        Err(Failed { refusal, certainly: true }) => match withdraw(placement, row, replacing).await {
            Ok(true) => Err(refusal),
            // The row still announces it, and the sweeper may carry it through.
            Ok(false) => Err(under_way(refusal)),
            Err(error) => Err(under_way(error.into())),
        },
        Err(Failed { refusal, certainly: false }) => Err(under_way(refusal)),
    }
}

/// A refusal after which the replacement may happen all the same.
fn under_way(refusal: Refusal) -> Refusal {
    let message = format!(
        "{}; the replacement is under way: wait for its outcome, or cancel the order",
        refusal.message
    );
    Refusal { message, ..refusal }
}

/// A replacement is under way already. One that seems to have broken off is carried through, or given up for good.
pub async fn busy(placement: &Placement<'_>, row: &Row, replacing: &Replacing) -> Refusal {
    match finish(placement, row, replacing).await {
        Ok(Finished::Withdrawn) => stale(),
        Ok(Finished::UnderWay) => Refusal::new(
            409,
            "stale_order",
            "an earlier replacement of this order is under way; wait for its outcome",
        ),
        Err(refusal) => refusal,
    }
}

pub enum Finished {
    /// It was given up; nothing of it is left.
    Withdrawn,
    /// It is on its way to the engine, or somebody may still be carrying it there.
    UnderWay,
}

/// Carries through what seems to have broken off; finishes what was given up.
pub async fn finish(
    placement: &Placement<'_>,
    row: &Row,
    replacing: &Replacing,
) -> Result<Finished, Refusal> {
    if replacing.withdrawn {
        clear(placement, row, replacing).await?;
        return Ok(Finished::Withdrawn);
    }
    let now = placement.base.now();
    if now.saturating_sub(replacing.requested_at) <= ATTEMPT_LIMIT_MS {
        return Ok(Finished::UnderWay);
    }
    // Whoever writes this goes on alone: two at once could lock, and release what the other has locked, in any order.
    let claimed = Replacing { requested_at: now, ..replacing.clone() };
    let order = Order { replacing: Some(claimed.clone()), ..row.order.clone() };
    let Some(row) = write(placement, row, order).await? else { return Ok(Finished::UnderWay) };
    if let Err(failed) = carry_through(placement, &row.order, &claimed).await {
        // The lock comes before the append: where even now it cannot be had, nothing was ever appended.
        if failed.refusal.code == "insufficient_balance" {
            withdraw(placement, &row, &claimed).await?;
        }
        return Err(failed.refusal);
    }
    Ok(Finished::UnderWay)
}

/// Gives up a replacement that was never appended. The row says so first, so that nobody appends it once its lock is
/// gone; where a later step fails, whoever comes next finishes it. `false` if somebody else has it in hand by now.
async fn withdraw(placement: &Placement<'_>, row: &Row, replacing: &Replacing) -> Result<bool, Error> {
    let given_up = Replacing { withdrawn: true, ..replacing.clone() };
    let mut row = row.clone();
    for _ in 0..RACES {
        let order = Order { replacing: Some(given_up.clone()), ..row.order.clone() };
        if let Some(row) = write(placement, &row, order).await? {
            clear(placement, &row, replacing).await?;
            return Ok(true);
        }
        // A fill may have come in between, and left it as it was.
        let (user, id) = (&row.order.user_id, &row.order.order_id);
        match order::read(placement.documents, placement.table, user, id).await? {
            Some(now) if now.order.replacing.as_ref() == Some(replacing) => row = now,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Releases what was locked for a replacement that was given up, and takes it out of the row.
async fn clear(placement: &Placement<'_>, row: &Row, replacing: &Replacing) -> Result<(), Error> {
    let hold = request_hold(&row.order.order_id, &replacing.request_id);
    post(placement.wallet, Movement::Release { hold }).await?;
    let order = Order { replacing: None, ..row.order.clone() };
    write(placement, row, order).await.map(|_| ())
}

struct Failed {
    refusal: Refusal,
    /// The replacement will not happen.
    certainly: bool,
}

/// Locks the difference and appends; both may be repeated.
async fn carry_through(
    placement: &Placement<'_>,
    order: &Order,
    replacing: &Replacing,
) -> Result<(), Failed> {
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
        if let Posted::Insufficient(available) = post(placement.wallet, movement).await.map_err(failed)? {
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
    let messages = vec![placement::message(&record)];
    let appended = append(placement.base, placement.streams, messages).await.map_err(failed)?;
    let answer = appended.into_iter().next();
    let answer = answer.unwrap_or_else(|| Err(Error::Internal("a message got no answer".into())));
    answer.map(|_| ()).map_err(failed)
}

fn row_write(placement: &Placement<'_>, row: &Row, order: &Order) -> Write {
    let id = row_id(placement.table, &order.user_id, &order.order_id);
    Write { id, expect: Expect::Version(row.version), body: Some(order.encode()) }
}

/// Writes the row if nobody else has; `None` if somebody has.
async fn write(placement: &Placement<'_>, row: &Row, order: Order) -> Result<Option<Row>, Error> {
    match placement.documents.put(vec![row_write(placement, row, &order)]).await?.into_iter().next() {
        Some(Outcome::Written(version)) => Ok(Some(Row { version, order })),
        Some(Outcome::Stale(_)) => Ok(None),
        None => Err(Error::Internal("a write got no outcome".into())),
    }
}
