//! What the host's own back ends must do: the log as its readers see it, checkpoints, snapshots, dead letters.

use edge_fns::capability::Error;
use edge_fns::capability::streams::Message;
use engine_host::backends::{Checkpoints, DeadLetters, Log, Record, Snapshots};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than any test runs.
const NEVER: Duration = Duration::from_secs(3600);

/// The whole of a shard, in pages of `page`; checks that the sequences have no gaps and time does not go back.
pub async fn read_all(log: &dyn Log, stream: &str, shard: u32, page: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map_or(0, |record| record.sequence);
        let more = log.read(stream, shard, after, page).await.unwrap();
        assert!(more.len() <= page);
        if more.is_empty() {
            break;
        }
        records.extend(more);
    }
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record.sequence, n as u64 + 1, "sequences have no gaps");
    }
    assert!(records.is_sorted_by_key(|record| record.arrived), "arrival goes back");
    assert_eq!(log.last(stream, shard).await.unwrap(), records.len() as u64);
    records
}

/// A log whose `stream` is empty.
pub async fn log(log: &dyn Log, stream: &str) {
    let shards = log.shards(stream).unwrap();
    assert!(shards > 0);
    for shard in 0..shards {
        assert_eq!(log.last(stream, shard).await.unwrap(), 0);
        assert_eq!(log.read(stream, shard, 0, 10).await.unwrap(), Vec::new());
        // Time up is no error.
        log.wait(stream, shard, 0, Duration::ZERO).await.unwrap();
    }
    // Every partition keeps its order, and lives in one shard.
    let mut sent: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for batch in 0..10u32 {
        let message = |n: u32| Message {
            partition: format!("S{}", (batch + n) % 7),
            body: format!("{batch}/{n}").into(),
        };
        let messages: Vec<Message> = (0..batch * 3).map(message).collect();
        for message in &messages {
            sent.entry(message.partition.clone()).or_default().push(message.body.clone());
        }
        let answers = log.append(stream, messages).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
    let mut found: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut home: BTreeMap<String, u32> = BTreeMap::new();
    for shard in 0..shards {
        let records = read_all(log, stream, shard, 1000).await;
        assert_eq!(read_all(log, stream, shard, 3).await, records, "pages make no difference");
        for record in records {
            assert_eq!(
                *home.entry(record.partition.clone()).or_insert(shard),
                shard,
                "a partition has moved"
            );
            found.entry(record.partition).or_default().push(record.body);
        }
    }
    assert_eq!(found, sent);

    // A shard is appended to by number, and who waits for the record is woken.
    let shard = shards - 1;
    let before = log.last(stream, shard).await.unwrap();
    let (woken, sequence) = futures_util::future::join(
        log.wait(stream, shard, before, NEVER),
        log.append_to_shard(stream, shard, b"T".into()),
    )
    .await;
    woken.unwrap();
    assert_eq!(sequence.unwrap(), before + 1);
    log.wait(stream, shard, before, NEVER).await.unwrap();
    let tail = log.read(stream, shard, before, 10).await.unwrap();
    assert_eq!((tail.len(), tail[0].sequence, &*tail[0].body), (1, before + 1, &b"T"[..]));
    // Past the end there is nothing, however far.
    assert_eq!(log.read(stream, shard, before + 1, 10).await.unwrap(), Vec::new());
    assert_eq!(log.read(stream, shard, u64::MAX, 10).await.unwrap(), Vec::new());
    assert_eq!(log.read(stream, shard, 0, 0).await.unwrap(), Vec::new());

    for (name, shard) in [("no such stream", 0), (stream, shards)] {
        assert!(matches!(log.read(name, shard, 0, 1).await, Err(Error::Denied(_))));
        assert!(matches!(log.last(name, shard).await, Err(Error::Denied(_))));
        assert!(matches!(log.wait(name, shard, 0, NEVER).await, Err(Error::Denied(_))));
        assert!(matches!(log.append_to_shard(name, shard, Vec::new()).await, Err(Error::Denied(_))));
    }
    assert!(matches!(log.shards("no such stream"), Err(Error::Denied(_))));
    assert!(matches!(log.append("no such stream", Vec::new()).await, Err(Error::Denied(_))));
}

pub async fn checkpoints(checkpoints: &dyn Checkpoints) {
    let places = [("conf-a", "s", 0), ("conf-a", "s", 1), ("conf-a", "t", 0), ("conf-b", "s", 0)];
    for (consumer, stream, shard) in places {
        assert_eq!(checkpoints.get(consumer, stream, shard).await.unwrap(), 0, "nothing was read yet");
    }
    for (n, (consumer, stream, shard)) in places.into_iter().enumerate() {
        checkpoints.set(consumer, stream, shard, 10 + n as u64).await.unwrap();
    }
    checkpoints.set("conf-a", "s", 0, u64::MAX).await.unwrap();
    checkpoints.set("conf-a", "s", 0, 7).await.unwrap();
    for ((consumer, stream, shard), expected) in places.into_iter().zip([7, 11, 12, 13]) {
        assert_eq!(checkpoints.get(consumer, stream, shard).await.unwrap(), expected);
    }
}

pub async fn snapshots(snapshots: &dyn Snapshots) {
    assert_eq!(snapshots.get("conf/a").await.unwrap(), None);
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    for body in [b"one".to_vec(), Vec::new(), large, b"two".to_vec()] {
        snapshots.put("conf/a", body.clone()).await.unwrap();
        assert_eq!(snapshots.get("conf/a").await.unwrap(), Some(body), "replaced whole");
    }
    assert_eq!(snapshots.get("conf/").await.unwrap(), None);
    assert_eq!(snapshots.get("conf/a/b").await.unwrap(), None);
}

/// Buries two records, one of them twice: it is one letter, and leaves two.
pub async fn dead_letters(letters: &dyn DeadLetters) {
    let record = |sequence| Record { sequence, arrived: 5, partition: "P".into(), body: vec![0, 255] };
    for (sequence, reason) in [(1, "first try"), (2, "other"), (1, "second try")] {
        letters.bury("conf", "stream", 0, &record(sequence), reason).await.unwrap();
    }
}
