//! What a blob store must do.

use edge_fns::capability::blobs::{Condition, Outcome, Query, Range, Read, Write};
use edge_fns::capability::{Blobs, Error};

fn write(key: &str, condition: Condition, body: &[u8]) -> Write {
    Write { key: format!("conformance/{key}"), condition, body: body.into() }
}

async fn put(blobs: &dyn Blobs, key: &str, condition: Condition, body: &[u8]) -> Outcome {
    blobs.put(vec![write(key, condition, body)]).await.unwrap().remove(0).unwrap()
}

async fn body(blobs: &dyn Blobs, key: &str, range: Option<Range>) -> Option<(u64, Vec<u8>)> {
    let read = Read { key: format!("conformance/{key}"), range };
    let object = blobs.get(vec![read]).await.unwrap().remove(0).unwrap()?;
    Some((object.size, object.body))
}

fn etag(outcome: Outcome) -> String {
    match outcome {
        Outcome::Written(etag) => etag,
        Outcome::Lost(there) => panic!("not written: {there:?} is there"),
    }
}

pub async fn suite(blobs: &dyn Blobs) {
    conditions(blobs).await;
    ranges(blobs).await;
    races(blobs).await;
    pages(blobs).await;
    keys(blobs).await;
}

async fn conditions(blobs: &dyn Blobs) {
    let matches = |etag: &str| Condition::Matches(etag.into());
    assert_eq!(body(blobs, "a", None).await, None);
    assert_eq!(put(blobs, "a", matches("0"), b"never").await, Outcome::Lost(None));
    let first = etag(put(blobs, "a", Condition::Absent, b"1").await);
    assert_eq!(put(blobs, "a", Condition::Absent, b"2").await, Outcome::Lost(Some(first.clone())));
    assert_eq!(body(blobs, "a", None).await, Some((1, b"1".to_vec())), "a lost condition changes nothing");
    let second = etag(put(blobs, "a", matches(&first), b"22").await);
    assert_ne!(first, second);
    assert_eq!(put(blobs, "a", matches(&first), b"3").await, Outcome::Lost(Some(second.clone())));
    let third = etag(put(blobs, "a", Condition::Anything, b"").await);
    assert_eq!(body(blobs, "a", None).await, Some((0, Vec::new())), "an empty object is an object");
    // What is read carries the etag that a write on it has to name.
    let read = blobs.get(vec![Read::whole("conformance/a")]).await.unwrap().remove(0).unwrap().unwrap();
    assert_eq!(read.etag, third);

    // Each write of a call stands alone, in order.
    let outcomes = blobs
        .put(vec![
            write("b", Condition::Absent, b"1"),
            write("b", Condition::Absent, b"2"),
            write("c", Condition::Absent, b"3"),
        ])
        .await
        .unwrap();
    assert!(matches!(
        outcomes[..],
        [Ok(Outcome::Written(_)), Ok(Outcome::Lost(Some(_))), Ok(Outcome::Written(_))]
    ));
    assert_eq!(blobs.put(Vec::new()).await.unwrap(), Vec::new());

    // After a deletion there is nothing; deleting nothing is done too.
    let keys = || vec!["conformance/a".to_string(), "conformance/none".into()];
    assert_eq!(blobs.delete(keys()).await.unwrap(), [Ok(()), Ok(())]);
    assert_eq!(body(blobs, "a", None).await, None);
    assert_eq!(put(blobs, "a", matches(&third), b"4").await, Outcome::Lost(None));
    etag(put(blobs, "a", Condition::Absent, b"5").await);
}

async fn ranges(blobs: &dyn Blobs) {
    let whole: Vec<u8> = (0..1_000_000u32).map(|n| (n.wrapping_mul(n) >> 5) as u8).collect();
    etag(put(blobs, "large", Condition::Anything, &whole).await);
    let size = whole.len() as u64;
    assert_eq!(body(blobs, "large", None).await, Some((size, whole.clone())));
    for (offset, length) in [
        (0, 0),
        (0, 1),
        (0, size),
        (0, u64::MAX),
        (999_999, 10),
        (size, 1),
        (u64::MAX, u64::MAX),
        (5, 400_000),
    ] {
        let from = offset.min(size);
        let to = from.saturating_add(length).min(size);
        let expected = (size, whole[from as usize..to as usize].to_vec());
        assert_eq!(body(blobs, "large", Some(Range { offset, length })).await, Some(expected));
    }
}

/// Of many writers on the same state, one wins, and what is there is what it wrote.
async fn races(blobs: &dyn Blobs) {
    let mut there = etag(put(blobs, "race", Condition::Absent, b"0").await);
    for round in 0..5 {
        let attempts = (0..8).map(|n| {
            let (condition, text) = (Condition::Matches(there.clone()), format!("{round}-{n}"));
            async move { (put(blobs, "race", condition, text.as_bytes()).await, text) }
        });
        let outcomes = futures_util::future::join_all(attempts).await;
        let mut won = outcomes.into_iter().filter(|(outcome, _)| matches!(outcome, Outcome::Written(_)));
        let (outcome, text) = won.next().expect("one wins");
        assert_eq!(won.next(), None);
        assert_eq!(body(blobs, "race", None).await.unwrap().1, text.into_bytes());
        there = etag(outcome);
    }
}

async fn pages(blobs: &dyn Blobs) {
    // `/` has no meaning of its own in the order, and a key may begin another.
    let mut names: Vec<String> = (0..30).map(|n| format!("list/{n:02}/x")).collect();
    names.extend(
        ["list", "list-", "list/", "list/00", "list/00/x/y", "list0", "lisu", "list/é"].map(String::from),
    );
    let writes = names.iter().map(|name| write(name, Condition::Absent, name.as_bytes())).collect();
    blobs.put(writes).await.unwrap().into_iter().for_each(|outcome| drop(etag(outcome.unwrap())));
    for (prefix, limit) in [("list", 1000), ("list/", 7), ("list/0", 1), ("list/00", 2), ("list/none", 5)] {
        let mut expected: Vec<&String> = names.iter().filter(|name| name.starts_with(prefix)).collect();
        expected.sort();
        let mut found = Vec::new();
        let mut query = Query { prefix: format!("conformance/{prefix}"), limit, cursor: None };
        loop {
            let page = blobs.search(query.clone()).await.unwrap();
            assert!(page.entries.len() <= limit as usize);
            for entry in page.entries {
                let read =
                    blobs.get(vec![Read::whole(&entry.key)]).await.unwrap().remove(0).unwrap().unwrap();
                assert_eq!((entry.etag, entry.size), (read.etag, read.size));
                found.push(entry.key.strip_prefix("conformance/").unwrap().to_string());
            }
            query.cursor = page.cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{prefix} by {limit}");
    }
}

async fn keys(blobs: &dyn Blobs) {
    for bad in [String::new(), "x".repeat(1025)] {
        let refused = blobs
            .put(vec![Write { key: bad.clone(), condition: Condition::Anything, body: Vec::new() }])
            .await
            .and_then(|mut outcomes| outcomes.remove(0));
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let refused = blobs.get(vec![Read::whole(bad)]).await.and_then(|mut objects| objects.remove(0));
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    for strange in ["..", ".", "a/../b", "//", "/", "%", "@", "a@", " ", "\n", "NUL\0", &"é".repeat(480)] {
        etag(put(blobs, strange, Condition::Absent, strange.as_bytes()).await);
        assert_eq!(body(blobs, strange, None).await.unwrap().1, strange.as_bytes(), "{strange:?}");
    }
}
