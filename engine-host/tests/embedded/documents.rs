//! The documents against the plain ones of `edge_fns::testing`: any writes, any searches, the same answers, also after
//! the file has been closed and opened.

use crate::support::block_on;
use edge_fns::capability::Documents;
use edge_fns::capability::documents::{Expect, Id, Query, Write};
use edge_fns::testing::Memory;
use engine_host::backends::embedded::store::Store;
use proptest::prelude::*;
use tempfile::tempdir;

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<Write>),
    PutAll(Vec<Write>),
    Search(Query),
    Reopen,
}

fn sort() -> impl Strategy<Value = String> {
    // Keys whose order differs between bytes, letters and numbers.
    let odd = ["", "\0", "Z", "a", "é", "\u{10FFFF}", "1", "10", "2"].map(String::from);
    prop_oneof![proptest::sample::select(odd.to_vec()), "[a-c]{0,3}"]
}

fn write() -> impl Strategy<Value = Write> {
    let expect =
        prop_oneof![Just(Expect::Absent), Just(Expect::Anything), (1..5u64).prop_map(Expect::Version)];
    let body = proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..8));
    ("[tu]", "[p-q]", sort(), expect, body).prop_map(|(table, partition, sort, expect, body)| Write {
        id: Id { table, partition, sort },
        expect,
        body,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let writes = || proptest::collection::vec(write(), 1..6);
    let bound = || proptest::option::of(sort());
    let query = ("[tu]", "[p-q]", bound(), bound(), 1..5u32, any::<bool>(), bound()).prop_map(
        |(table, partition, lower, upper, limit, descending, cursor)| Query {
            table,
            partition,
            lower,
            upper,
            limit,
            descending,
            cursor,
        },
    );
    prop_oneof![
        4 => writes().prop_map(Step::Put),
        3 => writes().prop_map(Step::PutAll),
        5 => query.prop_map(Step::Search),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn they_are_the_plain_ones(steps in proptest::collection::vec(step(), 1..25)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("exchange.db");
        block_on(async {
            let model = Memory::default();
            let mut store = Store::open(&path).unwrap();
            for step in steps {
                match step {
                    Step::Put(writes) => {
                        let ids: Vec<Id> = writes.iter().map(|write| write.id.clone()).collect();
                        assert_eq!(store.put(writes.clone()).await, model.put(writes).await);
                        assert_eq!(store.get(ids.clone()).await, model.get(ids).await);
                    }
                    Step::PutAll(writes) => assert_eq!(store.put_all(writes.clone()).await, model.put_all(writes).await),
                    Step::Search(query) => assert_eq!(store.search(query.clone()).await, model.search(query).await),
                    Step::Reopen => {
                        drop(store);
                        store = Store::open(&path).unwrap();
                    }
                }
            }
        });
    }
}

/// A file that a later program has written is left alone, and says so.
#[test]
fn a_later_schema_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("exchange.db");
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Store::open(&path).err().unwrap().to_string();
    assert!(refused.contains("later version (99)"), "{refused}");
}
