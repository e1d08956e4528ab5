//! Every implementation runs the suites of the traits that it has: the embedded back ends, the in-memory capabilities of
//! `edge_fns::testing`, and the stand-ins of these tests, so that what they stand in for is the same thing.

use crate::conformance::{blobs, cache, documents, host, sql, streams, wallet};
use crate::support::{TestLog, TestSnapshots};
use edge_fns::capability::Blobs;
use edge_fns::testing::Memory;
use engine_host::backends::embedded::blobs::EmbeddedBlobs;
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::backends::embedded::store::Store;
use engine_host::backends::embedded::streams::EmbeddedStreams;
use tempfile::tempdir;

const ORDERS: &str = "supernoba-orders";
const FILLS: &str = "supernoba-fills";

#[tokio::test]
async fn the_embedded_cache() {
    let folder = tempdir().unwrap();
    for embedded in
        [EmbeddedCache::in_memory(), EmbeddedCache::open(&folder.path().join("cache.log")).unwrap()]
    {
        cache::suite(&embedded).await;
        cache::as_valkey(&embedded).await;
    }
}

#[tokio::test]
async fn the_store() {
    let folder = tempdir().unwrap();
    let store = Store::open(&folder.path().join("exchange.db")).unwrap();
    documents::suite(&store).await;
    wallet::suite(&store).await;
    wallet::guarded(&store).await;
    assert_eq!(store.verify().await.unwrap(), [""; 0]);
    sql::suite(&store).await;
    sql::trade_history(&store).await;
    assert_eq!(store.dead_letters().await.unwrap(), 0);
    host::dead_letters(&store).await;
    assert_eq!(store.dead_letters().await.unwrap(), 2);
}

#[tokio::test]
async fn the_embedded_streams() {
    let folder = tempdir().unwrap();
    let log = EmbeddedStreams::open(folder.path()).unwrap();
    host::log(&log, ORDERS).await;
    host::log(&log, FILLS).await;
    streams::suite(&log, FILLS).await;
    host::checkpoints(&log).await;
    host::snapshots(&log).await;
}

#[tokio::test]
async fn the_embedded_blobs() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("blobs");
    let opened = EmbeddedBlobs::open(&path).unwrap();
    blobs::suite(&opened).await;
    // The same objects after a restart, with the same etags, and nothing of a write that a crash broke off.
    let query = || edge_fns::capability::blobs::Query { prefix: String::new(), limit: 1000, cursor: None };
    let before = opened.search(query()).await.unwrap();
    drop(opened);
    std::fs::write(path.join("%work").join("next"), b"half").unwrap();
    let again = EmbeddedBlobs::open(&path).unwrap();
    let after = again.search(query()).await.unwrap();
    let names = |page: &edge_fns::capability::blobs::Page| {
        page.entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.etag.clone(), entry.size))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&before));
}

#[tokio::test]
async fn memory() {
    let memory = Memory::default();
    cache::suite(&memory).await;
    documents::suite(&memory).await;
    wallet::suite(&memory).await;
    assert_eq!(memory.state().money.wrong(), [""; 0]);
    sql::suite(&memory).await;
    streams::suite(&memory, FILLS).await;
    blobs::suite(&memory).await;
}

#[tokio::test]
async fn the_stand_ins_of_these_tests() {
    let log = TestLog::new(&[(ORDERS, 4)]);
    host::log(&log, ORDERS).await;
    streams::suite(&log, ORDERS).await;
    host::snapshots(&TestSnapshots::default()).await;
}
