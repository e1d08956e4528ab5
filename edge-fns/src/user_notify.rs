//! Fills stream → every fill to the connections of its two users.
//!
//! Where an order's status says how the order stands, this says what was traded: one message a fill and side, named by the
//! fill. A client keeps the fills it has seen by that name.

use crate::audience::{self, Letter};
use crate::stream::{Failure, Item};
use engine_core::wire::{EventKind, EventRecord, PartyRecord};
use serde::Serialize;

pub use crate::audience::Ports;

/// A fill as its user's connections receive it.
#[derive(Serialize)]
struct Fill<'a> {
    /// Always `fill`.
    e: &'a str,
    s: &'a str,
    /// The symbol's event sequence number.
    n: u64,
    t: u64,
    /// The fill's name.
    f: &'a str,
    /// The user's order, its side, and what of it is still open.
    id: &'a str,
    sd: &'a str,
    r: u64,
    p: u64,
    q: u64,
    /// Whether the user's order was the one that took.
    tk: bool,
}

pub async fn handle(ports: &Ports<'_>, _stream: &str, items: Vec<Item>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut letters = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match serde_json::from_slice::<EventRecord<'_>>(&item.body) {
            Ok(record) => letters.extend(fills(n, &record)),
            Err(error) => failures.push(audience::reject(item, format!("not an event: {error}"))),
        }
    }
    failures.extend(audience::deliver(ports, &items, letters).await);
    failures
}

fn fills(item: usize, record: &EventRecord<'_>) -> Vec<Letter> {
    let EventKind::Fill { fill_id, price, quantity, taker, buyer, seller } = &record.event else {
        return Vec::new();
    };
    let letter = |party: &PartyRecord<'_>, side: &str| {
        let fill = Fill {
            e: "fill",
            s: &record.symbol,
            n: record.seq,
            t: record.t,
            f: fill_id,
            id: &party.order_id,
            sd: side,
            r: party.remaining,
            p: *price,
            q: *quantity,
            tk: taker == side,
        };
        // A struct of numbers and strings cannot fail to serialise.
        let body = serde_json::to_vec(&fill).unwrap_or_default();
        Letter { item, user: party.user_id.to_string(), body }
    };
    vec![letter(buyer, "BUY"), letter(seller, "SELL")]
}
