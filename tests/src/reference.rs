//! What one core, that nothing happens to, makes of all that the orders stream holds.

use crate::books::Fill;
use crate::production::Production;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::{EventKind, EventRecord};
use serde_json::{Value, json};

/// The fills of all symbols, in their order.
pub async fn fills(production: &Production, stream: &str) -> Vec<Fill> {
    let mut shard = Shard::new(SEOUL_DAY_OFFSET_S);
    let mut fills = Vec::new();
    let mut position = 0;
    // Children have higher names than their parents, so that each symbol's records come in their order.
    for name in shards(production, stream).await.iter().map(|shard| &shard["ShardId"]) {
        for record in records(production, stream, name).await {
            position += 1;
            let mut output = Output::default();
            let body = record["Data"].as_str().expect("what was appended");
            let body = BASE64_STANDARD.decode(body).expect("base64");
            let arrived = record["ApproximateArrivalTimestamp"].as_f64().expect("when it arrived");
            // What cannot be read changes nothing, and is the engine's to put aside.
            let _ = shard.apply(position, (arrived * 1000.0).round() as u64, &body, &mut output);
            fills.extend(output.records.iter().filter_map(|record| fill(&record.body)));
        }
    }
    fills.sort_by(|a: &Fill, b| (&a.symbol, a.seq).cmp(&(&b.symbol, b.seq)));
    fills
}

/// The shards of a stream as the service lists them, in the order of their names.
pub async fn shards(production: &Production, stream: &str) -> Vec<Value> {
    let listed = production.streams("ListShards", json!({"StreamName": stream})).await;
    let mut shards = listed["Shards"].as_array().expect("a list").clone();
    shards.sort_by(|a, b| a["ShardId"].as_str().cmp(&b["ShardId"].as_str()));
    shards
}

/// All records of a shard, from its first one on.
async fn records(production: &Production, stream: &str, shard: &Value) -> Vec<Value> {
    let from = json!({"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let mut next = production.streams("GetShardIterator", from).await["ShardIterator"].clone();
    let mut all = Vec::new();
    while next.is_string() {
        let page = production.streams("GetRecords", json!({"ShardIterator": next, "Limit": 10_000})).await;
        let records = page["Records"].as_array().expect("a list");
        if records.is_empty() && page["MillisBehindLatest"] == 0 {
            break;
        }
        all.extend(records.iter().cloned());
        next = page["NextShardIterator"].clone();
    }
    all
}

fn fill(body: &[u8]) -> Option<Fill> {
    let record: EventRecord<'_> = serde_json::from_slice(body).expect("what happened");
    let EventKind::Fill { fill_id, price, quantity, buyer, seller, .. } = record.event else { return None };
    Some(Fill {
        id: fill_id.into(),
        symbol: record.symbol.into(),
        seq: record.seq,
        time: record.t,
        price,
        quantity,
        buyer: buyer.user_id.into(),
        buyer_order: buyer.order_id.into(),
        seller: seller.user_id.into(),
        seller_order: seller.order_id.into(),
    })
}
