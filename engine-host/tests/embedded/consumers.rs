//! The consumers of the fills stream, with the real `history-saver` over the in-memory capabilities: every record is
//! done with once, in spite of a store that refuses and forgets to answer; what makes no sense is put aside and the shard
//! goes on; a restart goes on from the checkpoint.
//!
//! Needs the built component (`cargo xtask components`); without it, it says so and passes. Functions that trap are left
//! to the tests of `edge-fns/host` and to the system tests.

use crate::support::{Letters, TestLog, until};
use async_trait::async_trait;
use edge_fns::capability::sql::{Rows, Value};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, LogStreams, Result, Sql};
use edge_fns::testing::{Fault, Memory};
use edge_host::{EdgeHost, Limits};
use engine_host::backends::embedded::hub::Hub;
use engine_host::backends::embedded::streams::EmbeddedStreams;
use engine_host::event_sources::{Backends, EventSources, sequence};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::tempdir;
use tokio::sync::watch;

const FILLS: &str = "supernoba-fills";
const FUNCTION: &str = "history-saver";

/// Memory's statements, and the names of the fills that came.
struct Seen {
    memory: Arc<Memory>,
    fills: Mutex<Vec<String>>,
}

#[async_trait]
impl Sql for Seen {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows> {
        self.memory.query(statement, params).await
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        let named =
            |row: &Vec<Value>| if let Value::Text(name) = &row[0] { name.clone() } else { panic!("{row:?}") };
        self.fills.lock().unwrap().extend(params.iter().map(named));
        self.memory.execute(statement, params).await
    }
}

fn fill(symbol: &str, seq: u64) -> Vec<u8> {
    let party = r#"{"order_id":"o","user_id":"u","price":150,"remaining":0}"#;
    format!(
        r#"{{"event":"FILL","symbol":"{symbol}","seq":{seq},"fill_id":"{symbol}-{seq}","t":1,"price":150,"quantity":1,"taker":"BUY","buyer":{party},"seller":{party}}}"#
    )
    .into_bytes()
}

async fn append(log: &TestLog, symbol: &str, body: Vec<u8>) {
    let message = Message { partition: symbol.into(), body };
    log.append(FILLS, vec![message]).await.unwrap().remove(0).unwrap();
}

/// Runs the consumers until they have done with everything.
async fn run(backends: &Backends) {
    let (stop, stopping) = watch::channel(false);
    let sources = EventSources::start(backends, FILLS, &[FUNCTION], &[], &stopping).unwrap();
    let readings = sources.readings();
    let positions = move || -> Vec<(String, u32, u64)> {
        let (consumers, _) = readings();
        let at = |at: Option<String>| sequence(at.as_deref()).unwrap();
        consumers.into_iter().map(|r| (r.consumer, r.shard, at(r.checkpoint))).collect()
    };
    let mut last = Vec::new();
    for shard in 0..2 {
        last.push((FUNCTION.to_string(), shard, backends.log.last(FILLS, shard).await.unwrap()));
    }
    until(|| positions() == last).await;
    stop.send_replace(true);
    sources.stopped().await;
    for (_, shard, last) in last {
        assert_eq!(backends.checkpoints.get(FUNCTION, FILLS, shard).await.unwrap(), last);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_done_with_once() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components/history-saver.wasm");
    if !built.exists() {
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{} is not built", built.display());
        println!("skipped: there is no {}; `cargo xtask components` builds it", built.display());
        return;
    }
    let (components, checkpoints) = (tempdir().unwrap(), tempdir().unwrap());
    std::fs::copy(&built, components.path().join("history-saver.wasm")).unwrap();
    let memory = Arc::new(Memory::default());
    let sql = Arc::new(Seen { memory: memory.clone(), fills: Mutex::default() });
    let functions = edge_host::Backends {
        base: memory.clone(),
        identity: memory.clone(),
        cache: memory.clone(),
        documents: memory.clone(),
        streams: memory.clone(),
        sql: sql.clone(),
        wallet: memory.clone(),
        connections: Arc::new(Hub::default()),
        blobs: memory.clone(),
    };
    let log = Arc::new(TestLog::new(&[(FILLS, 2)]));
    let letters = Arc::new(Letters::default());
    let backends = Backends {
        log: log.clone(),
        checkpoints: Arc::new(EmbeddedStreams::open(checkpoints.path()).unwrap()),
        dead_letters: letters.clone(),
        functions: EdgeHost::load(components.path(), functions, Limits::default()).unwrap(),
        now: Arc::new(|| 0),
    };

    // More records than one batch takes.
    let symbols = ["A", "B", "C"];
    let (mut expected, mut senseless) = (BTreeSet::new(), 0);
    for seq in 1..=700 {
        for symbol in symbols {
            append(&log, symbol, fill(symbol, seq)).await;
            expected.insert(format!("{symbol}-{seq}"));
            if seq % 100 == 7 {
                append(&log, symbol, b"{not an event".to_vec()).await;
                senseless += 1;
            }
        }
    }
    for call in 0..3 {
        memory.fail(call, Fault::Before(Error::Unavailable("as told".into())));
    }
    memory.fail(3, Fault::After);
    run(&backends).await;
    let stored = || memory.state().rows["insert_trade"].keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(stored(), expected);
    let buried = letters.0.lock().unwrap().clone();
    let names: BTreeSet<_> = buried.iter().map(|(_, _, shard, sequence, _)| (*shard, *sequence)).collect();
    assert_eq!((buried.len(), names.len()), (senseless, senseless), "each once");
    for (consumer, stream, shard, sequence, reason) in &buried {
        assert_eq!((consumer.as_str(), stream.as_str()), (FUNCTION, FILLS));
        assert!(reason.starts_with("not an event"), "{reason}");
        assert_eq!(log.records(FILLS, *shard)[*sequence as usize - 1].body, b"{not an event");
    }

    // The next start takes up where this one ended.
    sql.fills.lock().unwrap().clear();
    append(&log, "A", fill("A", 701)).await;
    run(&backends).await;
    assert_eq!(*sql.fills.lock().unwrap(), ["A-701"]);
    assert_eq!(letters.0.lock().unwrap().len(), senseless);
}
