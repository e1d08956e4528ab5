//! An order as the orders table keeps it and as clients see it: one JSON document.

use crate::capability::documents::{Entry, Id};
use crate::capability::wallet::{Amount, Asset};
use crate::capability::{Base, Documents, Error, Millis, Result};
use engine_core::wire::{Action, OrderRecord, TifName, TypeName};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Created; the engine has not answered yet.
    Pending,
    Accepted,
    PartiallyFilled,
    Filled,
    Cancelled,
    Rejected,
}

impl Status {
    pub fn is_open(self) -> bool {
        matches!(self, Status::Pending | Status::Accepted | Status::PartiallyFilled)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub order_id: String,
    pub user_id: String,
    pub symbol: String,
    pub side: Side,
    #[serde(rename = "type")]
    pub kind: TypeName,
    pub tif: TifName,
    /// A market order's protection price; 0: none.
    pub price: u64,
    /// Filled and open together.
    pub quantity: u64,
    pub filled: u64,
    pub remaining: u64,
    /// Sum of price × quantity over the fills.
    pub cost: u64,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// It waits for a trade at this price or beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<u64>,
    /// An iceberg's visible part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<u64>,
    /// It is refused if it would take.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub post_only: bool,
    /// The price is a protection price.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub protection: bool,
    /// The replacement that the engine has not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacing: Option<Replacing>,
    /// The symbol's sequence number of the last event applied to this row; 0: none yet.
    pub seq: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A replacement under way: all it takes to carry it through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacing {
    pub request_id: String,
    pub price: u64,
    /// The new open quantity.
    pub quantity: u64,
    pub expected_price: u64,
    pub expected_quantity: u64,
    pub requested_at: Millis,
    /// Given up before it was appended; what was locked for it has to be released.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub withdrawn: bool,
}

impl Order {
    pub fn encode(&self) -> Vec<u8> {
        // A struct of numbers and strings cannot fail to serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn decode(entry: &Entry) -> Result<Order> {
        serde_json::from_slice(&entry.body)
            .map_err(|error| Error::Internal(format!("order row {} is not readable: {error}", entry.id.sort)))
    }

    /// What must be locked for `quantity` at `price`: cash for a buyer, the stock for a seller. `None` where the
    /// amount does not fit.
    pub fn need(&self, price: u64, quantity: u64) -> Option<(Asset, Amount)> {
        match self.side {
            Side::Buy => notional(price, quantity).map(|amount| (Asset::Cash, amount)),
            Side::Sell => Some((Asset::Stock(self.symbol.clone()), quantity)),
        }
    }

    /// The record that enters this order into the engine; may be appended twice.
    pub fn add_record(&self) -> OrderRecord<'_> {
        OrderRecord {
            is_buy: Some(self.side == Side::Buy),
            price: Some(self.price),
            quantity: Some(self.quantity),
            order_type: Some(self.kind),
            tif: Some(self.tif),
            stop: self.stop,
            display: self.display,
            post_only: self.post_only,
            ..self.record(Action::Add)
        }
    }

    /// A record about this order.
    pub fn record(&self, action: Action) -> OrderRecord<'_> {
        OrderRecord {
            action,
            symbol: self.symbol.as_str().into(),
            order_id: self.order_id.as_str().into(),
            user_id: self.user_id.as_str().into(),
            is_buy: None,
            price: None,
            quantity: None,
            order_type: None,
            tif: None,
            stop: None,
            display: None,
            post_only: false,
            request_id: None,
            expected_price: None,
            expected_quantity: None,
        }
    }
}

/// price × quantity, where it fits an amount of money.
pub fn notional(price: u64, quantity: u64) -> Option<Amount> {
    price.checked_mul(quantity).filter(|amount| *amount <= i64::MAX as u64)
}

/// The hold of the extra amount that a replace needs until the engine has answered it.
pub fn request_hold(order_id: &str, request_id: &str) -> String {
    format!("{order_id}/{request_id}")
}

/// The name of the orders table.
pub async fn table(base: &dyn Base) -> Result<String> {
    Ok(base.config("ORDERS_TABLE").await?.unwrap_or_else(|| "supernoba-orders".into()))
}

/// Where an order's row is.
pub fn row_id(table: &str, user: &str, order: &str) -> Id {
    Id { table: table.into(), partition: user.into(), sort: order.into() }
}

/// An order with the version of its row.
#[derive(Clone, Debug)]
pub struct Row {
    pub version: u64,
    pub order: Order,
}

impl Row {
    pub fn decode(entry: &Entry) -> Result<Row> {
        Ok(Row { version: entry.version, order: Order::decode(entry)? })
    }
}

/// One row, read.
pub async fn read(documents: &dyn Documents, table: &str, user: &str, order: &str) -> Result<Option<Row>> {
    let entries = documents.get(vec![row_id(table, user, order)]).await?;
    entries.into_iter().next().flatten().as_ref().map(Row::decode).transpose()
}
