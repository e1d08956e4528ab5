//! The embedded log: order, gap-free sequences, group commit under many writers, and everything there after a restart.

use crate::conformance::host::read_all;
use crate::support::block_on;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, LogStreams};
use engine_host::backends::embedded::streams::{EmbeddedStreams, STREAMS, shard_of};
use engine_host::backends::{Checkpoints, Log, Snapshots};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::tempdir;

const ORDERS: &str = "supernoba-orders";

/// Partition and body.
type Sent = (String, Vec<u8>);

#[derive(Clone, Debug)]
enum Step {
    Append(usize, Vec<Sent>),
    AppendToShard(usize, u32, Vec<u8>),
    Checkpoint(u8, u64),
    Blob(u8, Vec<u8>),
    Read { stream: usize, shard: u32, after: u64, max: usize },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let body = || proptest::collection::vec(any::<u8>(), 0..20);
    let stream = 0..STREAMS.len();
    prop_oneof![
        6 => (stream.clone(), proptest::collection::vec(("[A-E]{0,2}", body()), 0..12))
            .prop_map(|(stream, messages)| Step::Append(stream, messages)),
        2 => (stream.clone(), 0..2u32, body()).prop_map(|(stream, shard, body)| Step::AppendToShard(stream, shard, body)),
        1 => (0..3u8, any::<u64>()).prop_map(|(consumer, sequence)| Step::Checkpoint(consumer, sequence)),
        1 => (0..3u8, body()).prop_map(|(key, body)| Step::Blob(key, body)),
        4 => (stream, 0..2u32, 0..40u64, 0..9usize)
            .prop_map(|(stream, shard, after, max)| Step::Read { stream, shard, after, max }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_vector_a_shard(steps in proptest::collection::vec(step(), 1..20)) {
        let folder = tempdir().unwrap();
        let mut model: BTreeMap<(usize, u32), Vec<Sent>> = BTreeMap::new();
        let (mut checkpoints, mut blobs) = (BTreeMap::new(), BTreeMap::new());
        block_on(async {
            let mut log = EmbeddedStreams::open(folder.path()).unwrap();
            for step in steps {
                match step {
                    Step::Append(stream, messages) => {
                        let (name, shards) = STREAMS[stream];
                        let expected: Vec<_> = messages.iter().map(|(partition, body)| {
                            let shard = shard_of(partition, shards);
                            let records = model.entry((stream, shard)).or_default();
                            records.push((partition.clone(), body.clone()));
                            Ok(format!("{shard}:{}", records.len()))
                        }).collect();
                        let messages = messages.into_iter().map(|(partition, body)| Message { partition, body }).collect();
                        assert_eq!(log.append(name, messages).await.unwrap(), expected);
                    }
                    Step::AppendToShard(stream, shard, body) => {
                        let records = model.entry((stream, shard)).or_default();
                        records.push((String::new(), body.clone()));
                        let sequence = log.append_to_shard(STREAMS[stream].0, shard, body).await.unwrap();
                        assert_eq!(sequence, records.len() as u64);
                    }
                    Step::Checkpoint(consumer, sequence) => {
                        log.set(&consumer.to_string(), ORDERS, 0, sequence).await.unwrap();
                        checkpoints.insert(consumer, sequence);
                    }
                    Step::Blob(key, body) => {
                        log.put(&key.to_string(), body.clone()).await.unwrap();
                        blobs.insert(key, body);
                    }
                    Step::Read { stream, shard, after, max } => {
                        let records = log.read(STREAMS[stream].0, shard, after, max).await.unwrap();
                        let none = Vec::new();
                        let all = model.get(&(stream, shard)).unwrap_or(&none);
                        let expected: Vec<_> = (1u64..).zip(all).skip(after as usize).take(max).collect();
                        assert_eq!(records.len(), expected.len());
                        for (record, (sequence, (partition, body))) in records.into_iter().zip(expected) {
                            assert_eq!((record.sequence, &record.partition, &record.body), (sequence, partition, body));
                        }
                    }
                    Step::Reopen => {
                        drop(log);
                        log = EmbeddedStreams::open(folder.path()).unwrap();
                    }
                }
            }
            drop(log);
            let log = EmbeddedStreams::open(folder.path()).unwrap();
            for (stream, (name, shards)) in STREAMS.into_iter().enumerate() {
                for shard in 0..shards {
                    let records = read_all(&log, name, shard, 5).await.into_iter();
                    let records: Vec<_> = records.map(|record| (record.partition, record.body)).collect();
                    assert_eq!(records, model.remove(&(stream, shard)).unwrap_or_default());
                }
            }
            for (consumer, sequence) in checkpoints {
                assert_eq!(Checkpoints::get(&log, &consumer.to_string(), ORDERS, 0).await.unwrap(), sequence);
            }
            for (key, body) in blobs {
                assert_eq!(Snapshots::get(&log, &key.to_string()).await.unwrap(), Some(body));
            }
        });
    }
}

/// Many writers at once are served in groups; each one's records stay in its order, nothing is lost or doubled, and a
/// reader that follows sees every record once, as soon as it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_and_a_reader() {
    const WRITERS: usize = 32;
    const EACH: usize = 40;
    let folder = tempdir().unwrap();
    let log = Arc::new(EmbeddedStreams::open(folder.path()).unwrap());
    let shards = log.shards(ORDERS).unwrap();
    let readers: Vec<_> = (0..shards)
        .map(|shard| {
            let log = log.clone();
            let expected =
                (0..WRITERS).filter(|n| shard_of(&format!("W{n}"), shards) == shard).count() * EACH;
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < expected {
                    let after = seen.len() as u64;
                    log.wait(ORDERS, shard, after, std::time::Duration::from_secs(3600)).await.unwrap();
                    let records = log.read(ORDERS, shard, after, 7).await.unwrap();
                    assert!(!records.is_empty(), "who was woken finds something");
                    seen.extend(records);
                }
                seen
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for n in 0..EACH {
                    let message =
                        Message { partition: format!("W{writer}"), body: n.to_string().into_bytes() };
                    let answer = log.append(ORDERS, vec![message]).await.unwrap().remove(0).unwrap();
                    let (shard, sequence) = answer.split_once(':').unwrap();
                    let (shard, sequence): (u32, u64) = (shard.parse().unwrap(), sequence.parse().unwrap());
                    assert!(log.last_now(ORDERS, shard).unwrap() >= sequence, "what is answered can be read");
                    numbers.push((shard, sequence));
                }
                numbers
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for (writer, numbers) in futures_util::future::join_all(writers).await.into_iter().enumerate() {
        for (n, (shard, sequence)) in numbers.unwrap().into_iter().enumerate() {
            acknowledged.push((shard, sequence, format!("W{writer}"), n.to_string().into_bytes()));
        }
    }
    acknowledged.sort();
    let mut found = Vec::new();
    for (shard, reader) in (0..).zip(readers) {
        let records = reader.await.unwrap().into_iter();
        found.extend(records.map(|record| (shard, record.sequence, record.partition, record.body)));
    }
    assert_eq!(found, acknowledged);
}

#[tokio::test]
async fn a_partition_key_has_its_limit() {
    let folder = tempdir().unwrap();
    let log = EmbeddedStreams::open(folder.path()).unwrap();
    let of_length = |length: usize| vec![Message { partition: "P".repeat(length), body: Vec::new() }];
    assert!(matches!(log.append(ORDERS, of_length(65_536)).await, Err(Error::Invalid(_))));
    log.append(ORDERS, of_length(65_535)).await.unwrap();
    let mut found = 0;
    for shard in 0..log.shards(ORDERS).unwrap() {
        found += log
            .read(ORDERS, shard, 0, 10)
            .await
            .unwrap()
            .iter()
            .filter(|r| r.partition.len() == 65_535)
            .count();
    }
    assert_eq!(found, 1);
}

/// Shards are part of the stored format: a partition must be found where an older build put it.
#[test]
fn partitions_do_not_move_between_builds() {
    for (partition, of_4, of_1000) in [
        ("", 1, 37),
        ("a", 0, 996),
        ("foobar", 0, 968),
        ("TEST", 1, 389),
        ("NOBA", 3, 59),
        ("KIMCHI", 2, 858),
    ] {
        assert_eq!((shard_of(partition, 4), shard_of(partition, 1000)), (of_4, of_1000), "{partition:?}");
    }
}
