//! Fills stream → each order's last fill to its user's connections.
//!
//! The engine pushes every status directly, without waiting for a stream. This pushes the one that must not be missed, that
//! an order is filled, once more from the durable stream: byte for byte the message that the engine sends, with the same
//! sequence number, so that it does not matter which of the two arrives, or whether both do.

use crate::audience::{self, Letter};
use crate::stream::{Failure, Item};
use engine_core::wire::{EventKind, EventRecord, OrderStatus, PartyRecord};

pub use crate::audience::Ports;

pub async fn handle(ports: &Ports<'_>, _stream: &str, items: Vec<Item>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut letters = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match serde_json::from_slice::<EventRecord<'_>>(&item.body) {
            Ok(record) => letters.extend(filled(n, &record)),
            Err(error) => failures.push(audience::reject(item, format!("not an event: {error}"))),
        }
    }
    failures.extend(audience::deliver(ports, &items, letters).await);
    failures
}

/// The orders that a fill has finished, the maker first, as the engine tells them.
fn filled(item: usize, record: &EventRecord<'_>) -> Vec<Letter> {
    let EventKind::Fill { price, quantity, taker, buyer, seller, .. } = &record.event else {
        return Vec::new();
    };
    let mut sides = [(buyer, "BUY"), (seller, "SELL")];
    if taker == "BUY" {
        sides.reverse();
    }
    let letter = |(party, side): (&PartyRecord<'_>, &str)| {
        let status = OrderStatus {
            e: "order".into(),
            s: (&*record.symbol).into(),
            n: record.seq,
            t: record.t,
            id: (&*party.order_id).into(),
            st: "FILLED".into(),
            sd: Some(side.into()),
            p: Some(party.price),
            q: None,
            r: Some(party.remaining),
            fp: Some(*price),
            fq: Some(*quantity),
            reason: None,
            rq: None,
        };
        // A struct of numbers and strings cannot fail to serialise.
        let body = serde_json::to_vec(&status).unwrap_or_default();
        Letter { item, user: party.user_id.to_string(), body }
    };
    sides.into_iter().filter(|(party, _)| party.remaining == 0).map(letter).collect()
}
