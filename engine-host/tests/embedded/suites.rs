//! Every implementation runs the suites of the traits that it has: the embedded back ends, the in-memory capabilities of
//! `edge_fns::testing`, and the stand-ins of these tests, so that what they stand in for is the same thing.

use crate::conformance::{blobs, cache, documents, host, sql, streams, wallet};
use crate::support::{TestLog, TestSnapshots};
use edge_fns::capability::sql::Value;
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Blobs, Sql, Wallet};
use edge_fns::testing::Memory;
use engine_host::backends::embedded::blobs::EmbeddedBlobs;
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::backends::embedded::store::{FillPlace, Store};
use engine_host::backends::embedded::streams::EmbeddedStreams;
use engine_host::backends::records::{History, Ledger, Letters};
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
    let letters = store.newest_dead_letters(1).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(!letters[0].reason.is_empty());
}

#[tokio::test]
async fn what_is_on_record() {
    let folder = tempdir().unwrap();
    let store = Store::open(&folder.path().join("exchange.db")).unwrap();
    // Three fills of u1 with u2 at two times, one of u1 with himself, one of others.
    let own = |mut row: Vec<Value>, buyer: &str, seller: &str| {
        (row[7], row[9]) = (Value::Text(buyer.into()), Value::Text(seller.into()));
        row
    };
    let rows = vec![
        own(sql::trade("AAA", 1, 1000), "u1", "u2"),
        own(sql::trade("AAA", 2, 1000), "u2", "u1"),
        own(sql::trade("BBB", 1, 1000), "u1", "u2"),
        own(sql::trade("AAA", 3, 2000), "u1", "u1"),
        own(sql::trade("AAA", 4, 2000), "u2", "u3"),
    ];
    assert_eq!(store.execute("insert_trade", rows).await.unwrap(), 5);
    let expected =
        [("AAA-3", "SELL"), ("AAA-3", "BUY"), ("AAA-2", "SELL"), ("BBB-1", "BUY"), ("AAA-1", "BUY")];
    for limit in 1..=6 {
        // Page by page, the fills are there once each, whatever the page holds.
        let (mut seen, mut behind) = (Vec::new(), None);
        loop {
            let page = store.fills("u1", None, behind, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            let (side, symbol) = (last.side.clone(), last.symbol.clone());
            let place = FillPlace { t: last.t, seq: last.seq, side, symbol };
            assert_eq!(FillPlace::decode(&place.encode()), Some(place.clone()));
            behind = Some(place);
            seen.extend(page);
        }
        let seen: Vec<_> = seen.iter().map(|fill| (fill.fill_id.as_str(), fill.side.as_str())).collect();
        assert_eq!(seen, expected, "{limit} a page");
    }
    let of_symbol = store.fills("u1", Some("BBB"), None, 10).await.unwrap();
    assert_eq!(of_symbol.len(), 1);
    assert_eq!((of_symbol[0].order_id.as_str(), of_symbol[0].taker), ("o1", true));
    assert_eq!(store.fills("nobody", None, None, 10).await.unwrap(), []);
    for text in ["", "1-2-BUY", "1-2-buy-AAA", "x-2-BUY-AAA", "1-2-BUY-", "1-2-BUY-?"] {
        assert_eq!(FillPlace::decode(text), None, "{text}");
    }

    for (id, user, asset) in
        [("1", "ann", Asset::Cash), ("2", "anna", Asset::Stock("AAA".into())), ("3", "bob", Asset::Cash)]
    {
        let movement = Movement::Deposit { id: id.into(), user: user.into(), asset, amount: 5 };
        store.post(vec![movement]).await.unwrap().remove(0).unwrap();
    }
    let users = async |containing: &str, behind: Option<(&str, &str)>| -> Vec<String> {
        let behind = behind.map(|(user, asset)| (user.to_owned(), asset.to_owned()));
        let found = store.accounts(containing, behind, 10).await.unwrap();
        found
            .into_iter()
            .map(|account| format!("{} {} {}", account.user_id, account.asset, account.available))
            .collect()
    };
    assert_eq!(users("", None).await, ["ann CASH 5", "anna AAA 5", "bob CASH 5"]);
    assert_eq!(users("nn", Some(("ann", "CASH"))).await, ["anna AAA 5"]);
    assert_eq!(users("%", None).await, [""; 0]);
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
