//! Fills stream → trade history. A fill that is there already stays as it is.

use crate::capability::base::Level;
use crate::capability::sql::Value;
use crate::capability::{Base, Error, Sql};
use crate::stream::{Disposition, Failure, Item};
use engine_core::wire::{EventKind, EventRecord};

/// The statement, with the columns in the order of [`columns`].
const INSERT: &str = "insert_trade";

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub sql: &'a dyn Sql,
}

pub async fn handle(ports: &Ports<'_>, _stream: &str, items: Vec<Item>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut trades: Vec<(&Item, Vec<Value>)> = Vec::new();
    for item in &items {
        match columns(item) {
            Ok(Some(trade)) => trades.push((item, trade)),
            Ok(None) => {}
            Err(reason) => failures.push(reject(item, reason)),
        }
    }
    if trades.is_empty() {
        return failures;
    }
    let all = trades.iter().map(|(_, trade)| trade.clone()).collect();
    match ports.sql.execute(INSERT, all).await {
        Ok(_) => {}
        Err(error) if is_refusal(&error) => failures.extend(one_by_one(ports, trades).await),
        Err(error) => {
            ports.base.log(Level::Warn, "trades not saved", &[("error", &error.to_string())]);
            failures.extend(trades.iter().map(|(item, _)| retry(item)));
        }
    }
    failures
}

/// Finds the row that the store refuses.
async fn one_by_one(ports: &Ports<'_>, trades: Vec<(&Item, Vec<Value>)>) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (item, trade) in trades {
        match ports.sql.execute(INSERT, vec![trade]).await {
            Ok(_) => {}
            Err(error) if is_refusal(&error) => failures.push(reject(item, error.to_string())),
            Err(_) => failures.push(retry(item)),
        }
    }
    failures
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Invalid(_) | Error::Denied(_))
}

fn retry(item: &Item) -> Failure {
    Failure { id: item.id.clone(), disposition: Disposition::Retry }
}

fn reject(item: &Item, reason: String) -> Failure {
    Failure { id: item.id.clone(), disposition: Disposition::Reject(reason) }
}

/// The row of a fill; `None` for any other event.
fn columns(item: &Item) -> Result<Option<Vec<Value>>, String> {
    let record: EventRecord<'_> =
        serde_json::from_slice(&item.body).map_err(|error| format!("not an event: {error}"))?;
    let EventKind::Fill { fill_id, price, quantity, taker, buyer, seller } = record.event else {
        return Ok(None);
    };
    let integer = |value: u64| {
        i64::try_from(value)
            .map(Value::Integer)
            .map_err(|_| format!("{value} does not fit the trade history"))
    };
    let text = |text: &str| Value::Text(text.to_owned());
    Ok(Some(vec![
        text(&fill_id),
        text(&record.symbol),
        integer(record.seq)?,
        Value::Instant(record.t),
        integer(price)?,
        integer(quantity)?,
        text(&buyer.order_id),
        text(&buyer.user_id),
        text(&seller.order_id),
        text(&seller.user_id),
        text(&taker),
    ]))
}
