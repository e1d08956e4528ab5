//! Workers that share a stream: shares, take-over, and a stream that is split and merged meanwhile.

use crate::stand_ins::{active, clients, fresh, kinesis, ministack, stream};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, Result};
use engine_host::backends::aws::kinesis::aggregate::messages;
use engine_host::backends::aws::kinesis::consumer::Options;
use engine_host::backends::aws::kinesis::leases::ENDED;
use engine_host::backends::aws::kinesis::reader::{KinesisRecord, Mode};
use engine_host::backends::aws::kinesis::{Consumer, Leases, Processor, Producer, producer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What has arrived, by partition; every other batch fails at first.
#[derive(Default)]
struct Sink {
    seen: Mutex<BTreeMap<String, Vec<String>>>,
    fences: Mutex<BTreeMap<String, u64>>,
    batches: Mutex<u64>,
    ended: Mutex<Vec<String>>,
}

#[async_trait]
impl Processor for Sink {
    async fn process(&self, shard: &str, fence: u64, records: Vec<KinesisRecord>) -> Result<()> {
        {
            let mut batches = self.batches.lock().unwrap();
            *batches += 1;
            if *batches % 2 == 1 {
                return Err(Error::Unavailable("as told".into()));
            }
        }
        let mut fences = self.fences.lock().unwrap();
        let newest = fences.entry(shard.into()).or_default();
        if fence < *newest {
            // As a store does that knows a newer owner.
            return Err(Error::Denied("fenced off".into()));
        }
        *newest = fence;
        let mut seen = self.seen.lock().unwrap();
        for record in records {
            for (partition, body) in messages(&record.partition, record.data) {
                let of = seen.entry(partition).or_default();
                let body = String::from_utf8(body).unwrap();
                // Again after a take-over: receivers drop what they have seen.
                if !of.contains(&body) {
                    of.push(body);
                }
            }
        }
        Ok(())
    }

    async fn ended(&self, shard: &str, _fence: u64) -> Result<()> {
        self.ended.lock().unwrap().push(shard.into());
        Ok(())
    }
}

struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Setting {
    streams: SdkConfig,
    tables: SdkConfig,
    stream: String,
    table: String,
    sink: Arc<Sink>,
}

impl Setting {
    fn leases(&self) -> Leases {
        Leases::new(&self.tables, &self.table)
    }

    fn worker(&self, name: &str, mode: Mode) -> Worker {
        let options = Options { lease_time: Duration::from_millis(1500), mode, ..Options::new(name) };
        let consumer = Consumer::new(&self.streams, &self.stream, self.leases(), self.sink.clone(), options);
        let (stop, stopping) = watch::channel(false);
        Worker { stop, task: tokio::spawn(consumer.run(stopping)) }
    }

    async fn append(&self, from: usize, to: usize) {
        let producer =
            Producer::start(Client::new(&self.streams), &self.stream, producer::Options::default());
        for n in from..to {
            let all = (0..12)
                .map(|p| Message { partition: format!("S{p}"), body: format!("{n}").into() })
                .collect();
            assert!(producer.append(all).await.unwrap().iter().all(Result::is_ok));
        }
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        for _ in 0..600 {
            if done().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}: {:?}, {:?}", self.leases().all().await, self.sink.seen.lock().unwrap());
    }

    /// Waits until everything is there, in order.
    async fn arrived(&self, count: usize) {
        let expected: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        self.until("not everything has arrived", async || {
            let seen = self.sink.seen.lock().unwrap();
            seen.len() == 12 && seen.values().all(|of| of.len() == count)
        })
        .await;
        for (partition, of) in self.sink.seen.lock().unwrap().iter() {
            assert_eq!(*of, expected, "{partition}");
        }
    }

    /// How many leases of shards that are not read through each worker holds.
    async fn shares(&self) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for lease in
            self.leases().all().await.unwrap().into_values().filter(|lease| lease.checkpoint != ENDED)
        {
            *shares.entry(lease.owner.unwrap_or_default()).or_default() += 1;
        }
        shares
    }

    async fn reshard(&self) {
        let client = Client::new(&self.streams);
        let hash = |key: u128| key.to_string();
        let split = client.split_shard().stream_name(&self.stream).shard_to_split("shardId-000000000000");
        split.new_starting_hash_key(hash(1 << 120)).send().await.unwrap();
        active(&client, &self.stream).await;
        // The rest of the first and the second are neighbours.
        let merge = client.merge_shards().stream_name(&self.stream);
        let merge =
            merge.shard_to_merge("shardId-000000000005").adjacent_shard_to_merge("shardId-000000000001");
        merge.send().await.unwrap();
        active(&client, &self.stream).await;
    }
}

macro_rules! setting {
    () => {{
        let (Some(server), Some(tables)) = (kinesis().await, ministack().await) else { return };
        let (streams, tables_config) = (clients(&server.url).await, clients(&tables.url).await);
        let stream = stream(&streams, 4).await;
        let setting =
            Setting { streams, tables: tables_config, stream, table: fresh("leases"), sink: Arc::default() };
        setting.leases().create().await.unwrap();
        (setting, server, tables)
    }};
}

#[tokio::test]
async fn workers_share_and_take_over() {
    let (setting, _server, _tables) = setting!();
    setting.append(0, 5).await;
    let poll = || Mode::Poll(Duration::from_millis(50));
    let one = setting.worker("one", poll());
    setting.arrived(5).await;
    let two = setting.worker("two", poll());
    let shares =
        |of: &[(&str, usize)]| of.iter().map(|(n, c)| (n.to_string(), *c)).collect::<BTreeMap<_, _>>();
    setting
        .until("no even shares", async || setting.shares().await == shares(&[("one", 2), ("two", 2)]))
        .await;
    setting.append(5, 10).await;
    setting.arrived(10).await;
    // One breaks off without a word.
    one.task.abort();
    setting.append(10, 15).await;
    setting.until("no take-over", async || setting.shares().await == shares(&[("two", 4)])).await;
    setting.arrived(15).await;
    // The other one ends in order, and leaves its leases.
    two.stop.send_replace(true);
    two.task.await.unwrap();
    assert_eq!(setting.shares().await, shares(&[("", 4)]));
}

#[tokio::test]
async fn who_was_paused_is_fenced_off() {
    let (setting, _server, _tables) = setting!();
    let leases = setting.leases();
    let client = Client::new(&setting.streams);
    let shard = engine_host::backends::aws::kinesis::shards::list(&client, &setting.stream).await.unwrap();
    let shard = shard.values().next().unwrap();
    leases.add(shard).await.unwrap();
    leases.add(shard).await.unwrap();
    let free = leases.all().await.unwrap()[&shard.id].clone();
    let paused = leases.take(&free, "one", 0).await.unwrap().unwrap();
    assert_eq!(leases.take(&free, "two", 0).await.unwrap(), None, "it was seen as it no longer is");
    assert!(leases.checkpoint(&paused, "7").await.unwrap());
    let seen = leases.all().await.unwrap()[&shard.id].clone();
    let taken = leases.take(&seen, "two", 0).await.unwrap().unwrap();
    assert!(taken.fence > paused.fence);
    assert_eq!(taken.checkpoint, "7");
    assert!(!leases.renew(&paused).await.unwrap());
    assert!(!leases.checkpoint(&paused, "8").await.unwrap());
    assert!(!leases.release(&paused).await.unwrap());
    // Even if it comes back under the same name.
    let again =
        leases.take(&leases.all().await.unwrap()[&shard.id].clone(), "one", 0).await.unwrap().unwrap();
    assert!(!leases.renew(&paused).await.unwrap());
    assert!(leases.renew(&again).await.unwrap());
    assert_eq!(leases.all().await.unwrap()[&shard.id].checkpoint, "7");
}

async fn resharded(setting: &Setting, mode: Mode) {
    setting.append(0, 5).await;
    let worker = setting.worker("one", mode.clone());
    setting.append(5, 8).await;
    setting.reshard().await;
    setting.append(8, 15).await;
    let other = setting.worker("two", mode);
    setting.append(15, 20).await;
    setting.arrived(20).await;
    setting
        .until("a parent was not read through", async || {
            let leases = setting.leases().all().await.unwrap();
            let ended =
                |n: u32| leases.get(&format!("shardId-{n:012}")).is_some_and(|l| l.checkpoint == ENDED);
            [0, 1, 5].into_iter().all(ended)
        })
        .await;
    for worker in [worker, other] {
        worker.stop.send_replace(true);
        worker.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_split_and_merged() {
    let (setting, _server, _tables) = setting!();
    resharded(&setting, Mode::Poll(Duration::from_millis(50))).await;
}

#[tokio::test]
async fn enhanced_fan_out() {
    let (setting, _server, _tables) = setting!();
    let client = Client::new(&setting.streams);
    let summary = client.describe_stream_summary().stream_name(&setting.stream).send().await.unwrap();
    let arn = summary.stream_description_summary.unwrap().stream_arn;
    let registered =
        client.register_stream_consumer().stream_arn(arn).consumer_name("engine").send().await.unwrap();
    let consumer_arn = registered.consumer.unwrap().consumer_arn;
    tokio::time::sleep(Duration::from_millis(500)).await;
    setting.append(0, 5).await;
    let worker = setting.worker("one", Mode::FanOut { consumer_arn });
    setting.append(5, 10).await;
    setting.arrived(10).await;
    worker.stop.send_replace(true);
    worker.task.await.unwrap();
}
