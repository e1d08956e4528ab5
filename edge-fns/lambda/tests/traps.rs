//! A stream function that traps, or never ends, at some records: Lambda is told how far the batch was done.

mod common;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::trapping::archive;
use common::{Lambda, Outcome, event};
use edge_fns::testing::Memory;
use serde_json::Value;
use std::time::Duration;

/// A batch of records with these bodies.
fn batch(bodies: &[&str]) -> Value {
    let mut batch = event("kinesis-fills");
    let record = batch["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(n, body)| {
        let mut record = record.clone();
        record["kinesis"]["sequenceNumber"] = n.to_string().into();
        record["kinesis"]["data"] = BASE64_STANDARD.encode(body).into();
        record
    });
    batch["Records"] = records.collect();
    batch
}

/// In the place of a record: the call failed.
const HALVED: usize = usize::MAX;

async fn undone(lambda: &Lambda, bodies: &[&str]) -> Option<usize> {
    let outcome = lambda.api.invoke_within(batch(bodies), Duration::from_millis(1_500)).await;
    let answer = match outcome {
        Outcome::Answer(answer) => answer,
        // Nothing is done, and Lambda halves the batch.
        Outcome::Error(kind, _) if kind == "Supernoba.Trap" => return Some(HALVED),
        other => panic!("{other:?}"),
    };
    let failures = answer["batchItemFailures"].as_array().unwrap();
    assert!(failures.len() <= 1, "{answer}");
    failures.first().map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn the_record_that_traps_is_named_and_those_before_it_are_done() {
    let Some(archive) = archive() else { return };
    let bootstrap = env!("CARGO_BIN_EXE_bootstrap");
    let lambda = Lambda::of(archive.path(), bootstrap, "history-saver", Memory::default(), &[]).await;
    assert_eq!(undone(&lambda, &["a", "b", "c"]).await, None);
    assert_eq!(undone(&lambda, &["a", "b", "!", "c"]).await, Some(2));
    assert_eq!(undone(&lambda, &["!", "a"]).await, Some(HALVED));
    assert_eq!(undone(&lambda, &["!"]).await, Some(HALVED));
    assert_eq!(undone(&lambda, &["a", "!", "~"]).await, Some(1));
    // Nobody knows how far it came, and the time is up.
    assert_eq!(undone(&lambda, &["a", "~", "b"]).await, Some(0));
    // The process goes on, in a fresh instance.
    assert_eq!(undone(&lambda, &["a", "b"]).await, None);
}
