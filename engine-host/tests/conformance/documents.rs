//! What versioned documents must do.

use edge_fns::capability::documents::{Entry, Expect, Id, Outcome, Page, Query, Write};
use edge_fns::capability::{Documents, Error};

fn id(partition: &str, sort: &str) -> Id {
    Id { table: "conformance".into(), partition: partition.into(), sort: sort.into() }
}

fn write(id: Id, expect: Expect, body: Option<&str>) -> Write {
    Write { id, expect, body: body.map(Into::into) }
}

fn entry(id: Id, version: u64, body: &str) -> Entry {
    Entry { id, version, body: body.into() }
}

pub async fn suite(documents: &dyn Documents) {
    single_writes(documents).await;
    all_or_none(documents).await;
}

/// Without transactions of several documents.
pub async fn single_writes(documents: &dyn Documents) {
    conditions(documents).await;
    races(documents).await;
    pages(documents).await;
}

async fn conditions(documents: &dyn Documents) {
    let (a, b) = (|| id("p", "a"), || id("p", "b"));
    assert_eq!(documents.get(vec![a(), b()]).await.unwrap(), [None, None]);
    let outcomes = documents
        .put(vec![
            write(a(), Expect::Version(1), Some("never")),
            write(a(), Expect::Absent, Some("1")),
            write(a(), Expect::Absent, Some("2")),
            write(a(), Expect::Version(1), Some("3")),
            write(a(), Expect::Version(1), Some("4")),
            write(a(), Expect::Anything, Some("5")),
            write(b(), Expect::Anything, Some("6")),
        ])
        .await
        .unwrap();
    let expected = [
        Outcome::Stale(None),
        Outcome::Written(1),
        Outcome::Stale(Some(entry(a(), 1, "1"))),
        Outcome::Written(2),
        Outcome::Stale(Some(entry(a(), 2, "3"))),
        Outcome::Written(3),
        Outcome::Written(1),
    ];
    assert_eq!(outcomes, expected, "each write stands alone");
    assert_eq!(
        documents.get(vec![b(), id("p", "none"), a()]).await.unwrap(),
        [Some(entry(b(), 1, "6")), None, Some(entry(a(), 3, "5"))]
    );
    // A deletion is conditional too; what comes after it starts anew.
    let gone = documents.put(vec![write(a(), Expect::Version(2), None)]).await.unwrap();
    assert_eq!(gone, [Outcome::Stale(Some(entry(a(), 3, "5")))]);
    let gone = documents.put(vec![write(a(), Expect::Version(3), None)]).await.unwrap();
    assert!(matches!(gone[..], [Outcome::Written(_)]));
    assert_eq!(documents.get(vec![a()]).await.unwrap(), [None]);
    let anew = documents.put(vec![write(a(), Expect::Absent, Some("7"))]).await.unwrap();
    assert_eq!(anew, [Outcome::Written(1)]);
}

async fn all_or_none(documents: &dyn Documents) {
    let (a, b, c) = (|| id("all", "a"), || id("all", "b"), || id("all", "c"));
    let both = vec![write(a(), Expect::Absent, Some("1")), write(b(), Expect::Absent, Some("1"))];
    assert_eq!(documents.put_all(both).await.unwrap(), Outcome::Written(1));
    let stale = documents
        .put_all(vec![
            write(c(), Expect::Absent, Some("2")),
            write(a(), Expect::Version(1), Some("2")),
            write(b(), Expect::Version(7), Some("2")),
            write(a(), Expect::Absent, None),
        ])
        .await
        .unwrap();
    assert_eq!(stale, Outcome::Stale(Some(entry(b(), 1, "1"))), "the first stale entry is reported");
    assert_eq!(
        documents.get(vec![a(), b(), c()]).await.unwrap(),
        [Some(entry(a(), 1, "1")), Some(entry(b(), 1, "1")), None]
    );
    assert!(matches!(documents.put_all(Vec::new()).await, Err(Error::Invalid(_))));
}

/// Of many writers that expect the same version, one wins.
async fn races(documents: &dyn Documents) {
    let id = || id("race", "r");
    documents.put(vec![write(id(), Expect::Absent, Some("0"))]).await.unwrap();
    for version in 1..=5 {
        let attempts = (0..8).map(|n| {
            let body = format!("{version}-{n}");
            async move {
                documents.put_all(vec![write(id(), Expect::Version(version), Some(&body))]).await.unwrap()
            }
        });
        let outcomes = futures_util::future::join_all(attempts).await;
        let written = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Written(_))).count();
        assert_eq!(written, 1, "{outcomes:?}");
    }
}

async fn pages(documents: &dyn Documents) {
    let sorts: Vec<String> = (0..30).map(|n| format!("ORDER#{n:02}")).collect();
    let writes = sorts.iter().map(|sort| write(id("pages", sort), Expect::Absent, Some(sort))).collect();
    documents.put(writes).await.unwrap();
    // Neighbours in the key space that must not be seen.
    documents.put(vec![write(id("page", "ORDER#00"), Expect::Absent, Some("x"))]).await.unwrap();
    documents.put(vec![write(id("pages2", "ORDER#00"), Expect::Absent, Some("x"))]).await.unwrap();
    let query = |lower: Option<&str>, upper: Option<&str>, limit, descending| Query {
        table: "conformance".into(),
        partition: "pages".into(),
        lower: lower.map(Into::into),
        upper: upper.map(Into::into),
        limit,
        descending,
        cursor: None,
    };
    for (lower, upper, limit, descending) in [
        (None, None, 7, false),
        (None, None, 7, true),
        (Some("ORDER#05"), Some("ORDER#11"), 3, false),
        (Some("ORDER#05"), Some("ORDER#11"), 7, true),
        (Some("ORDER#2"), None, 100, false),
        (None, Some("ORDER#2"), 100, true),
        (Some("ORDER#9"), None, 10, false),
        (Some("ORDER#11"), Some("ORDER#05"), 10, false),
    ] {
        let inside = |sort: &&String| {
            lower.is_none_or(|l| sort.as_str() >= l) && upper.is_none_or(|u| sort.as_str() <= u)
        };
        let mut expected: Vec<String> = sorts.iter().filter(inside).cloned().collect();
        if descending {
            expected.reverse();
        }
        let mut asked = query(lower, upper, limit, descending);
        let mut found = Vec::new();
        loop {
            let Page { entries, cursor } = documents.search(asked.clone()).await.unwrap();
            assert!(entries.len() <= limit as usize);
            assert!(cursor.is_none() || !entries.is_empty(), "a page that goes on holds something");
            found.extend(entries.into_iter().map(|entry| {
                assert_eq!((entry.version, entry.body), (1, entry.id.sort.clone().into_bytes()));
                entry.id.sort
            }));
            asked.cursor = cursor;
            if asked.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{lower:?} to {upper:?}, {limit} a page, descending: {descending}");
    }
}
