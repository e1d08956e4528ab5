//! What the stream holds after refusals: every message that was answered, each partition's in its order.

use crate::stand_ins::{Server, clients, kinesis, stream};
use crate::stream_proxy::{Fault, Proxy};
use aws_sdk_kinesis::Client;
use edge_fns::capability::Error;
use edge_fns::capability::streams::Message;
use engine_host::backends::aws::kinesis::aggregate::messages;
use engine_host::backends::aws::kinesis::producer::Options;
use engine_host::backends::aws::kinesis::reader::{Mode, Place, Reader};
use engine_host::backends::aws::kinesis::{Producer, shards};
use std::collections::BTreeMap;
use std::time::Duration;

struct Setting {
    _server: Server,
    proxy: Proxy,
    client: Client,
    stream: String,
}

async fn setting() -> Option<Setting> {
    let server = kinesis().await?;
    let stream = stream(&clients(&server.url).await, 2).await;
    let proxy = Proxy::start(&server.url).await;
    let client = Client::new(&clients(&proxy.url).await);
    Some(Setting { _server: server, proxy, client, stream })
}

fn message(partition: usize, n: usize) -> Message {
    Message { partition: format!("S{partition}"), body: format!("{partition}/{n}").into_bytes() }
}

impl Setting {
    fn producer(&self, options: Options) -> Producer {
        Producer::start(self.client.clone(), &self.stream, options)
    }

    /// The messages of each partition in the stream, in their order.
    async fn held(&self) -> BTreeMap<String, Vec<String>> {
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for shard in shards::list(&self.client, &self.stream).await.unwrap().into_keys() {
            let mode = Mode::Poll(Duration::from_millis(20));
            let mut reader = Reader::new(self.client.clone(), &self.stream, &shard, Place::Start, mode);
            loop {
                let batch = reader.next().await.unwrap();
                let behind = batch.behind_ms > 0 || !batch.records.is_empty();
                for record in batch.records {
                    for (partition, body) in messages(&record.partition, record.data) {
                        held.entry(partition).or_default().push(String::from_utf8(body).unwrap());
                    }
                }
                if !behind {
                    break;
                }
            }
        }
        held
    }
}

fn expected(partitions: usize, count: usize) -> BTreeMap<String, Vec<String>> {
    (0..partitions).map(|p| (format!("S{p}"), (0..count).map(|n| format!("{p}/{n}")).collect())).collect()
}

#[tokio::test]
async fn refused_records_are_not_overtaken() {
    for aggregate in [false, true] {
        let Some(setting) = setting().await else { return };
        let producer = setting.producer(Options { aggregate, ..Options::default() });
        setting.proxy.next([
            Fault::Part(vec![0, 2]),
            Fault::Throttled,
            Fault::Part(vec![1]),
            Fault::Part(vec![0, 1, 2, 3]),
            Fault::Passed,
            Fault::Part(vec![0]),
        ]);
        let all = (0..30).flat_map(|n| (0..4).map(move |p| message(p, n))).collect();
        let answers = producer.append(all).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(setting.held().await, expected(4, 30));
        for call in setting.proxy.calls() {
            let mut keys = call.clone();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), call.len(), "one record of a partition at a time");
        }
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_calls() {
    let Some(setting) = setting().await else { return };
    let producer = setting.producer(Options { calls: 1, ..Options::default() });
    let writers = (0..40).map(|n| {
        let producer = producer.clone();
        async move { producer.append(vec![message(n, 0)]).await.unwrap().remove(0).unwrap() }
    });
    let mut names = futures_util::future::join_all(writers).await;
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 40, "no name is given twice");
    assert!(setting.proxy.calls().len() < 20, "{} calls", setting.proxy.calls().len());
    assert_eq!(setting.held().await, expected(40, 1));
}

/// What got no answer may be there twice; the order of the first of each is kept.
#[tokio::test]
async fn lost_answers() {
    let Some(setting) = setting().await else { return };
    let producer = setting.producer(Options { aggregate: false, ..Options::default() });
    setting.proxy.next([Fault::Unanswered, Fault::Passed, Fault::Unanswered]);
    let answers = producer.append((0..10).map(|n| message(0, n)).collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let mut held = setting.held().await.remove("S0").unwrap();
    assert_eq!(held.len(), 12);
    held.dedup();
    assert_eq!(held, expected(1, 10)["S0"]);
}

#[tokio::test]
async fn patience_ends() {
    let Some(setting) = setting().await else { return };
    let options = Options { patience: Duration::from_millis(300), aggregate: false, ..Options::default() };
    let producer = setting.producer(options);
    setting.proxy.next([Fault::Passed]);
    setting.proxy.close(true);
    let answers = producer.append((0..5).map(|n| message(0, n)).collect()).await.unwrap();
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|answer| *answer == Err(Error::Throttled(None))), "{answers:?}");
    setting.proxy.close(false);
    // Nothing of what was refused comes later; the caller goes on from there.
    let answers = producer.append((1..5).map(|n| message(0, n)).collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(setting.held().await, expected(1, 5));
}

#[tokio::test]
async fn full_queues_slow_callers_down() {
    let Some(setting) = setting().await else { return };
    let options = Options { waiting: 4, aggregate: false, ..Options::default() };
    let producer = setting.producer(options);
    let writers = (0..10).map(|p| {
        let producer = producer.clone();
        async move { producer.append((0..6).map(|n| message(p, n)).collect()).await.unwrap() }
    });
    for answers in futures_util::future::join_all(writers).await {
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    assert_eq!(setting.held().await, expected(10, 6));
}

#[tokio::test]
async fn what_can_never_be_taken() {
    let Some(setting) = setting().await else { return };
    let producer = setting.producer(Options::default());
    let answers = producer
        .append(vec![
            Message { partition: "x".repeat(257), body: Vec::new() },
            Message { partition: "S0".into(), body: vec![0; (1 << 20) + 1] },
            message(0, 0),
        ])
        .await
        .unwrap();
    assert!(matches!(answers[..], [Err(Error::Invalid(_)), Err(Error::Invalid(_)), Ok(_)]), "{answers:?}");
    let nowhere = Producer::start(setting.client.clone(), "no-such-stream", Options::default());
    let answers = nowhere.append(vec![message(0, 0)]).await.unwrap();
    assert!(matches!(answers[..], [Err(Error::Denied(_))]), "{answers:?}");
}
