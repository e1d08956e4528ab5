//! Fills stream → each order's last fill to its user's connections.
//!
//! The engine pushes every status directly, without waiting for a stream. This pushes the one that must not be missed, that
//! an order is filled, once more from the durable stream: byte for byte the message that the engine sends, with the same
//! sequence number, so that it does not matter which of the two arrives, or whether both do.

use crate::audience::{self, Fill, Letter, Side};
use crate::stream::{Failure, Item};
use engine_core::wire::OrderStatus;

pub use crate::audience::Ports;

pub async fn handle(ports: &Ports<'_>, _stream: &str, items: Vec<Item>) -> Vec<Failure> {
    audience::tell(ports, &items, filled).await
}

/// The orders that a fill has finished.
fn filled(item: usize, fill: &Fill<'_>) -> Vec<Letter> {
    let letter = |Side { name, party, .. }: Side<'_>| {
        let status = OrderStatus {
            e: "order".into(),
            s: (&*fill.symbol).into(),
            n: fill.seq,
            t: fill.t,
            id: (&*party.order_id).into(),
            st: "FILLED".into(),
            sd: Some(name.into()),
            p: Some(party.price),
            q: None,
            r: Some(party.remaining),
            fp: Some(fill.price),
            fq: Some(fill.quantity),
            reason: None,
            rq: None,
        };
        // A struct of numbers and strings cannot fail to serialise.
        let body = serde_json::to_vec(&status).unwrap_or_default();
        Letter { item, user: party.user_id.to_string(), body }
    };
    fill.sides().into_iter().filter(|side| side.party.remaining == 0).map(letter).collect()
}
