//! Fills stream → every fill to the connections of its two users.
//!
//! Where an order's status says how the order stands, this says what was traded: one message a fill and side, named by the
//! fill. A client keeps the fills it has seen by that name.

use crate::audience::{self, Fill, Letter, Side};
use crate::stream::{Failure, Item};
use serde::Serialize;

pub use crate::audience::Ports;

/// A fill as its user's connections receive it.
#[derive(Serialize)]
struct Told<'a> {
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
    audience::tell(ports, &items, fills).await
}

fn fills(item: usize, fill: &Fill<'_>) -> Vec<Letter> {
    let letter = |Side { name, took, party }: Side<'_>| {
        let told = Told {
            e: "fill",
            s: &fill.symbol,
            n: fill.seq,
            t: fill.t,
            f: &fill.fill_id,
            id: &party.order_id,
            sd: name,
            r: party.remaining,
            p: fill.price,
            q: fill.quantity,
            tk: took,
        };
        // A struct of numbers and strings cannot fail to serialise.
        let body = serde_json::to_vec(&told).unwrap_or_default();
        Letter { item, user: party.user_id.to_string(), body }
    };
    fill.sides().into_iter().map(letter).collect()
}
