//! Carrying a created order through: lock the balance, then append to the orders stream.
//!
//! Both steps may be repeated: a hold of one name is opened once, the engine enters an order id once. So whoever finds
//! a row `PENDING` may carry it through again, however far somebody else came with it. Giving up is different: a
//! row may only become `REJECTED` when no other attempt can still append. The first attempt knows this while the row
//! is at the version it was created with, because every later attempt first writes the row; a later attempt knows it
//! when the attempt before it is longer ago than a call can last. The row is rejected before the lock is released, so
//! that nobody appends an order whose lock is gone.

use crate::capability::base::Level;
use crate::capability::documents::{Expect, Outcome, Write};
use crate::capability::streams::Message;
use crate::capability::wallet::{Movement, Posted};
use crate::capability::{Base, Documents, Error, LogStreams, Millis, Wallet};
use crate::http::Refusal;
use crate::order::{Order, Row, Status, row_id};
use engine_core::wire::OrderRecord;

/// Longer than any host lets a call last.
pub const ATTEMPT_LIMIT_MS: Millis = 60_000;
/// How often a row that others are writing is tried again.
pub const RACES: u32 = 5;

/// What placing an order touches.
#[derive(Clone, Copy)]
pub struct Placement<'a> {
    pub base: &'a dyn Base,
    pub documents: &'a dyn Documents,
    pub wallet: &'a dyn Wallet,
    pub streams: &'a dyn LogStreams,
    pub table: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// By whoever created the row.
    First,
    /// By somebody who found the row and has written it; `alone` if all earlier attempts are over.
    Again { alone: bool },
}

impl Placement<'_> {
    /// Locks and appends. `then` goes on the stream right behind the order.
    pub async fn carry_through(
        &self,
        row: &Row,
        attempt: Attempt,
        then: Option<Message>,
    ) -> Result<(), Refusal> {
        let order = &row.order;
        let may_reject = attempt != Attempt::Again { alone: false };
        match self.reserve(order).await {
            Ok(Posted::Done | Posted::Repeated) => {}
            Ok(Posted::Insufficient(available)) => {
                // Nothing is locked. An earlier attempt that is still alive may yet find the balance.
                if may_reject {
                    self.reject(row, "insufficient_balance").await?;
                }
                let message = format!("the order needs more than the {available} that are available");
                return Err(Refusal::new(422, "insufficient_balance", message));
            }
            Err(error) => return Err(self.give_up(row, error, may_reject).await),
        }
        let mut messages = vec![message(&order.add_record())];
        messages.extend(then);
        let mut appended = match append(self.base, self.streams, messages).await {
            Ok(appended) => appended.into_iter(),
            Err(error) => return Err(self.give_up(row, error, may_reject).await),
        };
        if let Some(Err(error)) = appended.next() {
            return Err(self.give_up(row, error, may_reject).await);
        }
        // The order is on its way, whatever became of the message behind it.
        appended.try_for_each(|sequence| sequence.map(|_| ())).map_err(Refusal::from)
    }

    /// An order that somebody asks for again: finishes what is not finished and returns the order as it stands.
    pub async fn resume(&self, mut row: Row, then: Option<Message>) -> Result<Row, Refusal> {
        for _ in 0..RACES {
            let order = &row.order;
            if order.status == Status::Rejected && order.seq == 0 {
                // Rejected before the engine saw it: the release may not have happened.
                self.release(order).await?;
            }
            if order.status != Status::Pending {
                return Ok(row);
            }
            let now = self.base.now();
            let alone = now.saturating_sub(order.updated_at) > ATTEMPT_LIMIT_MS;
            let touched = Order { updated_at: now.max(order.updated_at), ..order.clone() };
            match self.write(&row, touched.clone()).await? {
                Outcome::Written(version) => {
                    let row = Row { version, order: touched };
                    self.carry_through(&row, Attempt::Again { alone }, then).await?;
                    return Ok(row);
                }
                Outcome::Stale(Some(entry)) => row = Row::decode(&entry)?,
                Outcome::Stale(None) => return Err(unknown_order()),
            }
        }
        Err(Refusal::from(Error::Throttled(Some(100))))
    }

    async fn reserve(&self, order: &Order) -> Result<Posted, Error> {
        let (asset, amount) = order
            .need(order.price, order.quantity)
            .ok_or_else(|| Error::Internal(format!("order {} needs more than fits", order.order_id)))?;
        let hold = order.order_id.clone();
        let movement = Movement::Reserve { hold, user: order.user_id.clone(), asset, amount };
        post(self.wallet, movement).await
    }

    async fn release(&self, order: &Order) -> Result<(), Error> {
        post(self.wallet, Movement::Release { hold: order.order_id.clone() }).await.map(|_| ())
    }

    /// The refusal for a step that failed; where the step certainly had no effect, the order is rejected.
    async fn give_up(&self, row: &Row, error: Error, may_reject: bool) -> Refusal {
        let order = &row.order;
        let what = error.to_string();
        self.base.log(
            Level::Warn,
            "order not carried through",
            &[("order_id", &order.order_id), ("error", &what)],
        );
        if is_effect_unknown(&error) || !may_reject {
            return still_pending(error, order);
        }
        let reason = if matches!(error, Error::Throttled(_)) { "throttled" } else { "unavailable" };
        match self.reject(row, reason).await {
            Ok(true) => match self.release(order).await {
                Ok(()) => Refusal::from(error),
                Err(failed) => still_pending(failed, order),
            },
            Ok(false) => still_pending(error, order),
            Err(refusal) => refusal,
        }
    }

    /// Closes a row that nobody else has touched; `false` if somebody has.
    async fn reject(&self, row: &Row, reason: &str) -> Result<bool, Refusal> {
        let rejected = Order {
            status: Status::Rejected,
            reason: Some(reason.to_owned()),
            remaining: 0,
            updated_at: self.base.now(),
            ..row.order.clone()
        };
        match self.write(row, rejected).await {
            Ok(outcome) => Ok(matches!(outcome, Outcome::Written(_))),
            Err(error) => Err(still_pending(error, &row.order)),
        }
    }

    async fn write(&self, row: &Row, order: Order) -> Result<Outcome, Error> {
        let id = row_id(self.table, &order.user_id, &order.order_id);
        let write = Write { id, expect: Expect::Version(row.version), body: Some(order.encode()) };
        let outcomes = self.documents.put(vec![write]).await?;
        outcomes.into_iter().next().ok_or_else(|| Error::Internal("a write got no outcome".into()))
    }
}

/// One movement, posted.
pub async fn post(wallet: &dyn Wallet, movement: Movement) -> Result<Posted, Error> {
    let posted = wallet.post(vec![movement]).await?;
    posted.into_iter().next().unwrap_or_else(|| Err(Error::Internal("a movement got no answer".into())))
}

/// A record as a message of its symbol's partition.
pub fn message(record: &OrderRecord<'_>) -> Message {
    // A struct of numbers and strings cannot fail to serialise.
    Message { partition: record.symbol.to_string(), body: serde_json::to_vec(record).unwrap_or_default() }
}

/// Appends to the orders stream; one answer a message.
pub async fn append(
    base: &dyn Base,
    streams: &dyn LogStreams,
    messages: Vec<Message>,
) -> Result<Vec<Result<String, Error>>, Error> {
    let stream = base.config("KINESIS_ORDERS_STREAM").await?;
    let asked = messages.len();
    let appended = streams.append(stream.as_deref().unwrap_or("supernoba-orders"), messages).await?;
    if appended.len() != asked {
        return Err(Error::Internal(format!("{asked} messages got {} answers", appended.len())));
    }
    Ok(appended)
}

/// Whether the call may have taken effect all the same.
pub fn is_effect_unknown(error: &Error) -> bool {
    matches!(error, Error::Timeout | Error::Internal(_))
}

fn still_pending(error: Error, order: &Order) -> Refusal {
    let mut refusal = Refusal::from(error);
    refusal.message = format!(
        "{}; order {} is pending: ask with the same client_order_id again to finish it, or cancel it",
        refusal.message, order.order_id
    );
    refusal
}

pub fn unknown_order() -> Refusal {
    Refusal::new(404, "unknown_order", "you have no order of this id")
}
