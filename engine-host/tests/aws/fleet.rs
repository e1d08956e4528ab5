//! Engines that share the orders stream: whoever folds a shard, and however often it changes hands, what comes out is what one
//! core makes of the stream.

use crate::stand_ins::{Server, active, clients, fresh, kinesis, ministack, stream};
use crate::suites::state;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Cache, Error, LogStreams, Result};
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::depth_message;
use engine_host::backends::aws::dynamo::DynamoState;
use engine_host::backends::aws::kinesis::leases::ENDED;
use engine_host::backends::aws::kinesis::worker::Options as WorkerOptions;
use engine_host::backends::aws::kinesis::{KinesisLog, Leases, Worker, log, reader};
use engine_host::backends::aws::s3::S3Blobs;
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::backends::embedded::hub::Hub;
use engine_host::backends::{Log, Record, Snapshots};
use engine_host::engine::fleet::{Fleet, Held};
use engine_host::engine::{self, MARKET_DATA_SCRIPT, Notifier, market_data_script};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;

const SYMBOLS: usize = 9;
const LEASE_TIME: Duration = Duration::from_millis(1500);

/// A cache that refuses what an older fence than the newest writes, symbol by symbol, as Valkey's script does.
struct Fenced {
    cache: Arc<EmbeddedCache>,
    newest: Arc<Mutex<BTreeMap<String, u64>>>,
    fence: u64,
}

#[async_trait]
impl Cache for Fenced {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let mut newest = self.newest.lock().unwrap();
        let mut allowed = Vec::new();
        for command in &commands {
            let Command::Eval { keys, .. } = command else {
                let looks = matches!(command, Command::Mget(_) | Command::Get(_) | Command::Lrange(..));
                assert!(looks, "the engine only looks, and runs its script");
                allowed.push(true);
                continue;
            };
            let newest = newest.entry(keys[0].clone()).or_default();
            *newest = self.fence.max(*newest);
            allowed.push(self.fence == *newest);
        }
        let mut replies = Vec::new();
        for (command, allowed) in commands.into_iter().zip(allowed) {
            if !allowed {
                replies.push(Err(Error::Denied("fenced off".into())));
                continue;
            }
            replies.extend(futures_util::FutureExt::now_or_never(self.cache.run(vec![command])).unwrap()?);
        }
        Ok(replies)
    }

    async fn run_atomic(&self, _commands: Vec<Command>) -> Result<Vec<Reply>> {
        panic!("the engine only runs its script");
    }
}

struct Setting {
    streams: SdkConfig,
    orders: String,
    fills: String,
    leases: Leases,
    state: Arc<DynamoState>,
    snapshots: Arc<S3Blobs>,
    cache: Arc<EmbeddedCache>,
    newest: Arc<Mutex<BTreeMap<String, u64>>>,
    placed: Mutex<usize>,
    /// What the test itself appends and reads by.
    reader: OnceCell<KinesisLog>,
    _folder: tempfile::TempDir,
    _servers: (Server, Server),
}

struct Engine {
    stop: watch::Sender<bool>,
    held: Arc<Held>,
    task: JoinHandle<()>,
}

impl Engine {
    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

impl Setting {
    async fn new() -> Option<Setting> {
        let (server, tables) = (kinesis().await?, ministack().await?);
        let (streams, config) = (clients(&server.url).await, clients(&tables.url).await);
        let (orders, fills) = (stream(&streams, 3).await, stream(&streams, 1).await);
        let leases = Leases::new(&config, &fresh("leases"));
        leases.create().await.unwrap();
        let bucket = fresh("snapshots");
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
        );
        use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::ApNortheast2)
            .build();
        s3.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache = EmbeddedCache::open(&folder.path().join("cache.log")).unwrap();
        cache.register(MARKET_DATA_SCRIPT, market_data_script);
        Some(Setting {
            state: Arc::new(state(&config).await),
            snapshots: Arc::new(S3Blobs::new(&config, &bucket, "", true)),
            streams,
            orders,
            fills,
            leases,
            cache: Arc::new(cache),
            newest: Arc::default(),
            placed: Mutex::default(),
            reader: OnceCell::new(),
            _folder: folder,
            _servers: (server, tables),
        })
    }

    async fn log(&self) -> KinesisLog {
        let mode = reader::Mode::Poll(Duration::from_millis(50));
        let options = log::Options { mode, ..log::Options::default() };
        let streams = [&*self.orders, &*self.fills];
        KinesisLog::connect(&self.streams, self.state.clone(), &streams, options).await.unwrap()
    }

    async fn reader(&self) -> &KinesisLog {
        self.reader.get_or_init(|| self.log()).await
    }

    async fn engine(&self, name: &str) -> Engine {
        let log = self.log().await;
        let (cache, newest, held) = (self.cache.clone(), self.newest.clone(), Arc::<Held>::default());
        let fleet = Fleet {
            orders: log.clone(),
            leases: self.leases.clone(),
            backends: engine::Backends {
                log: Arc::new(log),
                snapshots: self.snapshots.clone(),
                cache: self.cache.clone(),
                backup: self.cache.clone(),
                dead_letters: self.state.clone(),
                flush_cache: Arc::new(|| Ok(())),
                // No minute is ever over by the clock: what it would put on the stream is of no symbol, and the reference
                // looks at symbols alone.
                now: Arc::new(|| 0),
            },
            fenced: Arc::new(move |fence| {
                Arc::new(Fenced { cache: cache.clone(), newest: newest.clone(), fence })
            }),
            notifier: Notifier::start(self.cache.clone(), Arc::new(Hub::default())),
            options: engine::Options {
                orders_stream: self.orders.clone(),
                fills_stream: self.fills.clone(),
                snapshot_every: Duration::from_millis(700),
                ..engine::Options::default()
            },
            counters: Arc::default(),
            held: held.clone(),
        };
        let options = WorkerOptions { name: name.into(), lease_time: LEASE_TIME };
        let worker = Worker::new(&self.streams, &self.orders, self.leases.clone(), Arc::new(fleet), options);
        let (stop, stopping) = watch::channel(false);
        Engine { stop, held, task: tokio::spawn(worker.run(stopping)) }
    }

    /// Orders that cross now and then, in every symbol alike.
    async fn place(&self, rounds: usize) {
        let log = self.reader().await;
        let from = {
            let mut placed = self.placed.lock().unwrap();
            *placed += rounds;
            *placed - rounds
        };
        for n in from..from + rounds {
            let order = |symbol: usize| {
                let (name, is_buy) = (format!("S{symbol}"), (n + symbol).is_multiple_of(2));
                let (price, quantity) = (100 + (n * 7 + symbol) % 5, 1 + n % 4);
                let body = format!(
                    r#"{{"action":"ADD","symbol":"{name}","order_id":"{name}-{n}","user_id":"u{}","is_buy":{is_buy},"price":{price},"quantity":{quantity}}}"#,
                    n % 3
                );
                Message { partition: name, body: body.into_bytes() }
            };
            let answers = log.append(&self.orders, (0..SYMBOLS).map(order).collect()).await.unwrap();
            assert!(answers.iter().all(Result::is_ok));
        }
    }

    /// All records of a stream, shard by shard, parents first.
    async fn records(&self, stream: &str) -> Vec<Record> {
        let log = self.reader().await;
        // The stream may have been cut anew.
        log.refresh(stream).await.unwrap();
        let mut all = Vec::new();
        for shard in 0..log.shards(stream).unwrap() {
            let mut after = 0;
            loop {
                let records = log.read(stream, shard, after, 10_000).await.unwrap();
                let Some(last) = records.last() else { break };
                after = last.sequence;
                all.extend(records);
            }
        }
        all
    }

    /// Waits until what has come out is what one core makes of the stream.
    async fn settled(&self) {
        let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        let mut depths = BTreeMap::new();
        let orders = self.records(&self.orders).await;
        for symbol in (0..SYMBOLS).map(|n| format!("S{n}")) {
            let (mut shard, mut out) = (Shard::new(SEOUL_DAY_OFFSET_S), Output::default());
            let of = orders.iter().filter(|record| record.partition == symbol);
            for (n, record) in of.enumerate() {
                shard.apply(n as u64 + 1, record.arrived, &record.body, &mut out).unwrap();
            }
            assert_eq!(shard.position() as usize, *self.placed.lock().unwrap(), "{symbol}");
            let market = shard.market(&symbol).unwrap();
            depths.insert(
                symbol.clone(),
                depth_message(&symbol, market.time(), market.sequence(), market.book()),
            );
            expected.insert(symbol, out.records.into_iter().map(|record| record.body).collect());
        }
        assert!(expected.values().all(|records| !records.is_empty()));
        let mut differs = String::new();
        for _ in 0..200 {
            differs = self.difference(&expected, &depths).await;
            if differs.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{differs}; {:?}", self.leases.all().await);
    }

    async fn difference(
        &self,
        expected: &BTreeMap<String, Vec<Vec<u8>>>,
        depths: &BTreeMap<String, String>,
    ) -> String {
        let fills = self.records(&self.fills).await;
        for (symbol, expected) in expected {
            // Receivers drop what they have seen.
            let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
            for record in fills.iter().filter(|record| record.partition == *symbol) {
                if seen.insert(&record.body) {
                    found.push(&record.body);
                }
            }
            // As far as they have come they are in order.
            assert!(found.len() <= expected.len(), "{symbol}: {} of {}", found.len(), expected.len());
            assert!(found.iter().zip(expected).all(|(found, expected)| *found == expected), "{symbol}");
            if found.len() < expected.len() {
                return format!("{symbol}: {} of {} records", found.len(), expected.len());
            }
            let get = Command::Get(format!("depth:{symbol}"));
            let reply = self.cache.run(vec![get]).await.unwrap().remove(0).unwrap();
            let Reply::Bytes(depth) = reply else { return format!("{symbol}: no depth") };
            if depth != depths[symbol].as_bytes() {
                return format!("{symbol}: {}, not {}", String::from_utf8_lossy(&depth), depths[symbol]);
            }
        }
        String::new()
    }

    async fn shares(&self) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for lease in self.leases.all().await.unwrap().into_values() {
            if lease.checkpoint != ENDED {
                *shares.entry(lease.owner.unwrap_or_default()).or_default() += 1;
            }
        }
        shares
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        for _ in 0..300 {
            if done().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}: {:?}", self.leases.all().await);
    }
}

fn shares(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_change_hands() {
    let Some(setting) = Setting::new().await else { return };
    let one = setting.engine("one").await;
    setting.place(20).await;
    setting.settled().await;
    let two = setting.engine("two").await;
    setting.place(20).await;
    setting
        .until("no even shares", async || setting.shares().await == shares(&[("one", 2), ("two", 1)]))
        .await;
    setting.place(20).await;
    setting.settled().await;
    // One breaks off without a word, in the middle.
    setting.place(10).await;
    one.task.abort();
    setting.place(10).await;
    setting.until("no take-over", async || setting.shares().await == shares(&[("two", 3)])).await;
    setting.settled().await;
    // The other one ends in order, and gives its leases up; a third one goes on from its snapshots.
    two.stop().await;
    assert_eq!(setting.shares().await, shares(&[("", 3)]));
    setting.place(10).await;
    let three = setting.engine("three").await;
    setting.settled().await;
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_move_when_the_stream_is_cut_anew() {
    let Some(setting) = Setting::new().await else { return };
    let (one, two) = (setting.engine("one").await, setting.engine("two").await);
    setting.place(20).await;
    let client = Client::new(&setting.streams);
    let split = client.split_shard().stream_name(&setting.orders).shard_to_split("shardId-000000000000");
    split.new_starting_hash_key((1u128 << 126).to_string()).send().await.unwrap();
    active(&client, &setting.orders).await;
    setting.place(20).await;
    // The second half of the first and the second are neighbours.
    let merge = client.merge_shards().stream_name(&setting.orders);
    let merge = merge.shard_to_merge("shardId-000000000004").adjacent_shard_to_merge("shardId-000000000001");
    merge.send().await.unwrap();
    active(&client, &setting.orders).await;
    setting.place(20).await;
    setting.settled().await;
    setting
        .until("the parents are not folded to their ends", async || {
            let leases = setting.leases.all().await.unwrap();
            let is_ended = |n: u32| leases[&format!("shardId-{n:012}")].checkpoint == ENDED;
            [0, 1, 4].into_iter().all(is_ended)
        })
        .await;
    let leases = setting.leases.all().await.unwrap();
    let fence = |n: u32| leases[&format!("shardId-{n:012}")].fence;
    assert!(
        fence(3) > fence(0) && fence(5) > fence(4).max(fence(1)),
        "children come after their parents: {leases:?}"
    );
    // All that the last ones know is in their snapshots.
    one.stop().await;
    two.stop().await;
    setting.place(10).await;
    let three = setting.engine("three").await;
    setting.settled().await;
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_paused_does_no_harm() {
    let Some(setting) = Setting::new().await else { return };
    let one = setting.engine("one").await;
    setting.place(20).await;
    setting.settled().await;
    // Others see its leases stand still, and it does not know: its table is out of its reach, its streams are not.
    let leases = setting.leases.all().await.unwrap();
    for shard in leases.keys() {
        // As one does that has waited for the lease time; its owner may just have renewed it.
        loop {
            let seen = setting.leases.all().await.unwrap().remove(shard).unwrap();
            if setting.leases.take(&seen, "two", 0).await.unwrap().is_some() {
                break;
            }
        }
    }
    let newer = leases.values().map(|lease| lease.fence + 1).max().unwrap();
    setting.newest.lock().unwrap().values_mut().for_each(|fence| *fence = newer);
    setting.place(10).await;
    // It finds out, and lets go; nobody else renews these, and then they are its own again.
    setting
        .until("not taken again", async || {
            let leases = setting.leases.all().await.unwrap();
            leases.values().all(|lease| lease.owner.as_deref() == Some("one") && lease.fence > newer)
        })
        .await;
    setting.settled().await;
    one.stop().await;
}

/// Snapshots on demand, and shards that are taken up anew from them while orders come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_ask_for_snapshots() {
    use engine_host::grpc::{Service, serve, wire};
    use tonic::{Code, Request};
    use wire::engine_client::EngineClient;

    let Some(setting) = Setting::new().await else { return };
    let one = setting.engine("one").await;
    setting.place(20).await;
    setting.settled().await;
    let service = Service {
        held: one.held.clone(),
        leases: setting.leases.clone(),
        backup: setting.cache.clone(),
        token: Some("let me in".into()),
    };
    let (_stop, stopping) = watch::channel(false);
    let place = (std::net::Ipv4Addr::LOCALHOST.into(), 0);
    let address = serve(place, service, stopping).await.unwrap();
    let mut client = EngineClient::connect(format!("http://{address}")).await.unwrap();
    fn signed<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", "Bearer let me in".parse().unwrap());
        request
    }
    let create = |symbol: &str| wire::CreateSnapshotRequest { symbol: symbol.into() };
    let restore = |shard: &str| wire::RestoreSnapshotRequest { shard: shard.into() };

    let refused = client.create_snapshot(create("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = client.create_snapshot(signed(create("NONE"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let refused = client.restore_snapshot(signed(restore("shardId-9"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    let made = client.create_snapshot(signed(create(""))).await.unwrap().into_inner();
    assert_eq!((made.snapshots.len(), made.books.len()), (3, SYMBOLS));
    let positions: u64 = made.snapshots.iter().map(|snapshot| snapshot.position).sum();
    assert!(positions >= (20 * SYMBOLS) as u64, "{made:?}");
    for book in &made.books {
        let kept = setting.cache.run(vec![Command::Get(book.key.clone())]).await.unwrap().remove(0).unwrap();
        let Reply::Bytes(kept) = kept else { panic!("{kept:?}") };
        let shard = Shard::restore(&kept).unwrap();
        let market = shard.market(&book.symbol).unwrap();
        assert_eq!((market.sequence(), kept.len() as u64), (book.sequence, book.bytes));
        assert_eq!(shard.markets().count(), 1);
    }
    let one_book = client.create_snapshot(signed(create("S3"))).await.unwrap().into_inner();
    assert_eq!((one_book.snapshots.len(), one_book.books[0].symbol.as_str()), (1, "S3"));
    let listed = client.list_snapshots(signed(wire::ListSnapshotsRequest {})).await.unwrap().into_inner();
    assert_eq!((listed.leases.len(), listed.symbols.len()), (3, SYMBOLS));
    for lease in &listed.leases {
        assert!(lease.owner == "one" && !lease.snapshot.is_empty(), "{lease:?}");
    }

    // In the middle of what comes.
    for snapshot in &made.snapshots {
        setting.place(10).await;
        let taken = client.restore_snapshot(signed(restore(&snapshot.shard))).await.unwrap().into_inner();
        let taken = taken.snapshot.unwrap();
        assert!(taken.name == snapshot.name && taken.position >= snapshot.position, "{taken:?}");
        setting.place(10).await;
    }
    setting.settled().await;
    // Another engine's first snapshot takes the place of the last one's.
    one.stop().await;
    let before = setting.leases.all().await.unwrap();
    let two = setting.engine("two").await;
    setting.place(10).await;
    setting.settled().await;
    two.stop().await;
    let mut moved = 0;
    for (shard, lease) in setting.leases.all().await.unwrap() {
        // A shard to which no symbol leads stays where it was.
        if lease.checkpoint == before[&shard].checkpoint {
            continue;
        }
        moved += 1;
        let (old, new) = (before[&shard].snapshot.clone().unwrap(), lease.snapshot.unwrap());
        assert_ne!(old, new);
        assert!(Snapshots::get(setting.snapshots.as_ref(), &new).await.unwrap().is_some());
        assert!(Snapshots::get(setting.snapshots.as_ref(), &old).await.unwrap().is_none());
    }
    assert!(moved > 0, "the symbols lead somewhere");
}
