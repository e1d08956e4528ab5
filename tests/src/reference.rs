//! What one core, that nothing happens to, makes of all that the orders stream holds.

use crate::books::Fill;
use crate::production::Production;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::{EventKind, EventRecord};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The fills of all symbols, in their order.
pub async fn fills(production: &Production, stream: &str) -> Vec<Fill> {
    let mut folded: BTreeMap<String, Shard> = BTreeMap::new();
    let mut fills = Vec::new();
    // Children have higher names than their parents.
    for listed in shards(production, stream).await {
        let (first, last) = hash_keys(&listed);
        let parents = ["ParentShardId", "AdjacentParentShardId"].map(|parent| listed[parent].as_str());
        let parents = parents.into_iter().flatten().filter_map(|parent| folded.get(parent));
        let takes = |symbol: &str| (first..=last).contains(&hash_key(symbol));
        let parts: Vec<Shard> = parents.map(|parent| parent.part(takes)).collect();
        let mut shard = if parts.is_empty() {
            Shard::new(SEOUL_DAY_OFFSET_S)
        } else {
            Shard::join(&parts).expect("symbols have one shard each")
        };
        for record in records(production, stream, &listed["ShardId"]).await {
            let data =
                BASE64_STANDARD.decode(record["Data"].as_str().expect("what was appended")).expect("base64");
            let arrived = millis(record["ApproximateArrivalTimestamp"].as_f64().expect("when it arrived"));
            for body in messages(&data) {
                let mut output = Output::default();
                // What cannot be read changes nothing, and is the engine's to put aside.
                let _ = shard.apply(shard.position() + 1, arrived, body, &mut output);
                fills.extend(output.records.iter().filter_map(|record| fill(&record.body)));
            }
        }
        folded.insert(listed["ShardId"].as_str().expect("a name").to_owned(), shard);
    }
    fills.sort_by(|a: &Fill, b| (&a.symbol, a.seq).cmp(&(&b.symbol, b.seq)));
    fills
}

/// Of seconds whole milliseconds, as those read them who take the fraction for nanoseconds first.
fn millis(seconds: f64) -> u64 {
    let nanoseconds = (seconds.fract() * 1e9).round() as u64;
    seconds.trunc() as u64 * 1000 + nanoseconds / 1_000_000
}

/// The messages of a record, which may be several in the form of Amazon's producer library: a mark, a Protocol Buffers message whose
/// field 3 has a field 3 with the body, and its MD5.
fn messages(data: &[u8]) -> Vec<&[u8]> {
    let whole = || vec![data];
    let Some(rest) = data.strip_prefix(&[0xf3, 0x89, 0x9a, 0xc2]) else { return whole() };
    let Some((all, digest)) = rest.split_last_chunk::<16>() else { return whole() };
    if Md5::digest(all).as_slice() != digest {
        return whole();
    }
    fields(all, 3).into_iter().flat_map(|record| fields(record, 3)).collect()
}

/// What the fields of this number hold, of those that have a length.
fn fields(mut message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = varint(&mut message);
        if key & 7 == 2 {
            let (body, rest) = message.split_at(value as usize);
            message = rest;
            if key >> 3 == wanted {
                found.push(body);
            }
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = message.split_first().expect("a whole number");
        *message = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The hash keys that lead to a shard, inclusive.
pub fn hash_keys(shard: &Value) -> (u128, u128) {
    let number = |key: &Value| key.as_str().and_then(|key| key.parse().ok()).expect("a hash key");
    let range = &shard["HashKeyRange"];
    (number(&range["StartingHashKey"]), number(&range["EndingHashKey"]))
}

/// The service's own hash of a partition key.
fn hash_key(partition: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition).into())
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
