//! The engine's threads against the bare fold of `engine_core`: what they put on the fills stream and into the cache is
//! what the fold says, over restarts with and without a snapshot, and while the streams refuse and forget to answer.

use crate::support::{Fault, Letters, Recorder, TestLog, TestSnapshots, until};
use edge_fns::capability::Cache;
use edge_fns::capability::cache::{Command, Reply, Value};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Connections, LogStreams};
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::{candle_fields, candle_json, depth_message, ohlc_message, ticker_message};
use engine_host::backends::Log;
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::engine::{Backends, Engine, MARKET_DATA_SCRIPT, Notifier, Options, market_data_script};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const ORDERS: &str = "supernoba-orders";
const FILLS: &str = "supernoba-fills";
const SHARDS: u32 = 2;
const SYMBOLS: [&str; 3] = ["A", "B", "C"];
const START: u64 = 1_765_894_800_000;

/// All that outlives an engine, and what it runs on.
struct World {
    _folder: TempDir,
    cache_path: PathBuf,
    cache: Arc<EmbeddedCache>,
    log: Arc<TestLog>,
    snapshots: Arc<TestSnapshots>,
    letters: Arc<Letters>,
    connections: Arc<Recorder>,
    /// The clock that the engine's ticks go by.
    clock: Arc<AtomicU64>,
}

impl World {
    fn new() -> World {
        let folder = tempdir().unwrap();
        let cache_path = folder.path().join("cache.log");
        let log = TestLog::new(&[(ORDERS, SHARDS), (FILLS, 2)]);
        *log.now.lock().unwrap() = START;
        World {
            cache: open(&cache_path),
            _folder: folder,
            cache_path,
            log: Arc::new(log),
            snapshots: Arc::default(),
            letters: Arc::default(),
            connections: Arc::default(),
            clock: Arc::default(),
        }
    }

    /// The process ends and comes back: the cache holds what is durable.
    fn lose_the_cache(&mut self) {
        self.cache = Arc::new(EmbeddedCache::in_memory());
        self.cache = open(&self.cache_path);
    }

    async fn start(&self, batch: usize, snapshot_records: u64) -> Engine {
        let (flushed, clock) = (self.cache.clone(), self.clock.clone());
        let backends = Backends {
            log: self.log.clone(),
            snapshots: self.snapshots.clone(),
            cache: self.cache.clone(),
            backup: self.cache.clone(),
            dead_letters: self.letters.clone(),
            flush_cache: Arc::new(move || flushed.flush()),
            now: Arc::new(move || clock.load(Ordering::Relaxed)),
        };
        let notifier = Notifier::start(self.cache.clone(), self.connections.clone());
        let options = Options {
            batch,
            snapshot_records,
            snapshot_every: Duration::from_secs(3600),
            ..Options::default()
        };
        Engine::start(backends, notifier, options).await.unwrap()
    }

    async fn append(&self, symbol: &str, body: String) {
        let message = Message { partition: symbol.into(), body: body.into_bytes() };
        // Faults are for the engine's own appends.
        let faults = std::mem::take(&mut *self.log.faults.lock().unwrap());
        self.log.append(ORDERS, vec![message]).await.unwrap().remove(0).unwrap();
        *self.log.faults.lock().unwrap() = faults;
    }

    /// Runs an engine until it has applied everything, and stops it.
    async fn run(&self, batch: usize, snapshot_records: u64) {
        let mut left = 0;
        for shard in 0..SHARDS {
            left += self.log.last(ORDERS, shard).await.unwrap() - self.position(shard).await;
        }
        let engine = self.start(batch, snapshot_records).await;
        until(|| engine.counters.received.load(Ordering::Relaxed) >= left).await;
        engine.stop().await;
    }

    /// Where the last snapshot of a shard stands.
    async fn position(&self, shard: u32) -> u64 {
        use engine_host::backends::Snapshots;
        let snapshot = self.snapshots.get(&format!("snapshot/{ORDERS}/{shard}")).await.unwrap();
        snapshot.map_or(0, |bytes| Shard::restore(&bytes).unwrap().position())
    }

    /// What each shard comes to by the core alone, and what it has to tell.
    fn fold(&self) -> Vec<(Shard, Output)> {
        let fold = |shard: u32| {
            let (mut state, mut output) = (Shard::new(SEOUL_DAY_OFFSET_S), Output::default());
            for record in self.log.records(ORDERS, shard) {
                // A record that cannot be applied is passed over here as there.
                let _ = state.apply(record.sequence, record.arrived, &record.body, &mut output);
            }
            (state, output)
        };
        (0..SHARDS).map(fold).collect()
    }

    /// The fills stream by symbol.
    fn fills(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut fills: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for shard in 0..2 {
            for record in self.log.records(FILLS, shard) {
                fills.entry(record.partition).or_default().push(record.body);
            }
        }
        fills
    }

    async fn read(&self, command: Command) -> Reply {
        self.cache.run(vec![command]).await.unwrap().remove(0).unwrap()
    }

    async fn list(&self, key: String) -> Vec<String> {
        let Reply::Values(values) = self.read(Command::Lrange(key, 0, -1)).await else { panic!("no list") };
        values.into_iter().flatten().map(|value| String::from_utf8(value).unwrap()).collect()
    }
}

fn open(path: &std::path::Path) -> Arc<EmbeddedCache> {
    let cache = EmbeddedCache::open(path).unwrap();
    cache.register(MARKET_DATA_SCRIPT, market_data_script);
    Arc::new(cache)
}

/// One record of a flow, and the milliseconds before it.
#[derive(Clone, Debug)]
struct Order {
    symbol: usize,
    body: String,
    pause: u64,
}

fn order() -> impl Strategy<Value = Order> {
    let (id, user) = (0..60u32, 0..3u32);
    let (price, quantity) = (95..106u64, 1..9u64);
    let kind = proptest::sample::select(vec!["LIMIT", "LIMIT", "LIMIT", "MARKET"]);
    let tif = proptest::sample::select(vec!["GTC", "GTC", "GTC", "IOC", "FOK"]);
    let add = (id.clone(), user.clone(), any::<bool>(), price.clone(), quantity.clone(), kind, tif).prop_map(
        |(id, user, buy, price, quantity, kind, tif)| {
            format!(r#""action":"ADD","order_id":"o{id}","user_id":"u{user}","is_buy":{buy},"price":{price},"quantity":{quantity},"type":"{kind}","tif":"{tif}""#)
        },
    );
    let cancel = (id.clone(), user.clone()).prop_map(|(id, user)| {
        format!(r#""action":"CANCEL","order_id":"o{id}","user_id":"u{user}","request_id":"r""#)
    });
    let replace = (id, user, price, quantity).prop_map(|(id, user, price, quantity)| {
        format!(r#""action":"REPLACE","order_id":"o{id}","user_id":"u{user}","request_id":"r","price":{price},"quantity":{quantity}"#)
    });
    let body = prop_oneof![
        12 => add,
        2 => cancel,
        2 => replace,
        1 => Just(r#""action":"TICK""#.to_string()),
        1 => Just(r#""action":"ADD""#.to_string()),
    ];
    let pause = prop_oneof![15 => Just(0u64), 10 => 0..40_000u64, 1 => 0..72_000_000u64];
    (0..SYMBOLS.len(), body, pause).prop_map(|(symbol, body, pause)| Order {
        symbol,
        body: format!(r#"{{"symbol":"{}",{body}}}"#, SYMBOLS[symbol]),
        pause,
    })
}

#[derive(Clone, Debug)]
struct Run {
    orders: Vec<Order>,
    batch: usize,
    snapshot_records: u64,
    faults: Vec<Fault>,
    /// No snapshot of this run is kept, as if it had crashed at its end.
    crashes: bool,
    loses_the_cache: bool,
}

fn run() -> impl Strategy<Value = Run> {
    let fault = proptest::sample::select(vec![Fault::Refused, Fault::Unanswered, Fault::Half]);
    let crash = (proptest::bool::weighted(0.4), proptest::bool::weighted(0.5));
    (
        proptest::collection::vec(order(), 0..80),
        1..40usize,
        1..60u64,
        proptest::collection::vec(fault, 0..3),
        crash,
    )
        .prop_map(|(orders, batch, snapshot_records, faults, (crashes, loses_the_cache))| Run {
            orders,
            batch,
            snapshot_records,
            faults,
            crashes,
            loses_the_cache,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 14, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_fold_whatever_happens(runs in proptest::collection::vec(run(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for run in &runs {
                for order in &run.orders {
                    *world.log.now.lock().unwrap() += order.pause;
                    world.append(SYMBOLS[order.symbol], order.body.clone()).await;
                }
                *world.log.faults.lock().unwrap() = run.faults.clone().into();
                *world.snapshots.closed.lock().unwrap() = run.crashes;
                world.run(run.batch, run.snapshot_records).await;
                if run.loses_the_cache {
                    world.lose_the_cache();
                }
            }
            // A last start shows what it has found.
            *world.log.faults.lock().unwrap() = Default::default();
            world.run(1000, 1000).await;

            let repeats = runs.iter().any(|run| run.crashes || run.faults.contains(&Fault::Unanswered));
            let cache_lost = runs.iter().any(|run| run.loses_the_cache);
            let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
            let folded = world.fold();
            for record in folded.iter().flat_map(|(_, output)| &output.records) {
                expected.entry(record.partition.to_string()).or_default().push(record.body.clone());
            }
            let mut fills = world.fills();
            if repeats {
                // A repetition is byte for byte what was there before: receivers know it by its name.
                for bodies in fills.values_mut() {
                    let mut seen = HashSet::new();
                    bodies.retain(|body| seen.insert(body.clone()));
                }
            }
            assert_eq!(fills, expected);

            for (shard, output) in &folded {
                for (symbol, market) in shard.markets() {
                    check_market(&world, symbol, market, output, cache_lost).await;
                }
            }
            let bad = folded.iter().map(|(_, output)| output.counts.malformed).sum::<u64>();
            let mut letters: Vec<_> = world.letters.0.lock().unwrap().clone();
            letters.sort();
            letters.dedup();
            assert_eq!(letters.len() as u64, bad, "every record that was passed over is put aside");
        });
    }
}

/// The cache shows what the market is.
async fn check_market(
    world: &World,
    symbol: &str,
    market: &engine_core::market::Market,
    output: &Output,
    cache_lost: bool,
) {
    if market.sequence() == 0 {
        return;
    }
    let text = |text: String| Reply::Bytes(text.into_bytes());
    let depth = depth_message(symbol, market.time(), market.sequence(), market.book());
    let shown = world.read(Command::Get(format!("depth:{symbol}"))).await;
    // Commands without an outcome move the time of a market and are not worth a message.
    let untimed = |reply: Reply| {
        let Reply::Bytes(bytes) = reply else { panic!("no depth of {symbol}") };
        let mut depth: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        depth["t"] = 0.into();
        depth
    };
    assert_eq!(untimed(shown), untimed(text(depth)));
    let day = market.day();
    let ticker = world.read(Command::Get(format!("ticker:{symbol}"))).await;
    assert_eq!(ticker, day.map_or(Reply::Nil, |day| text(ticker_message(symbol, day))));
    let ohlc = world.read(Command::Get(format!("ohlc:{symbol}"))).await;
    assert_eq!(ohlc, day.map_or(Reply::Nil, |day| text(ohlc_message(day))));
    let before = output.days.iter().rev().find(|(of, _)| &**of == symbol);
    let prev = world.read(Command::Get(format!("prev:{symbol}"))).await;
    assert_eq!(prev, before.map_or(Reply::Nil, |(_, day)| text(ohlc_message(day))));
    let mut fields: Vec<(String, Value)> = market
        .candle()
        .map(|candle| {
            candle_fields(candle).map(|(name, value)| (name.to_string(), value.into_bytes())).to_vec()
        })
        .unwrap_or_default();
    fields.sort();
    assert_eq!(world.read(Command::Hgetall(format!("candle:1m:{symbol}"))).await, Reply::Pairs(fields));
    let closed = output.closed.iter().rev().filter(|(of, ..)| &**of == symbol);
    let closed: Vec<String> = closed.map(|(.., candle)| candle_json(candle)).collect();
    assert_eq!(world.list(format!("candle:closed:1m:{symbol}")).await, closed, "each closed candle once");
    let trades = output.trades.iter().rev().filter(|trade| &*trade.symbol == symbol).take(50);
    let mut trades: Vec<String> = trades.map(|trade| trade.body.clone()).collect();
    let kept = world.list(format!("trades:{symbol}")).await;
    if cache_lost {
        // Older trades went with the cache, and are shown no more.
        trades.truncate(kept.len());
    }
    assert_eq!(kept, trades);
}

fn add(id: &str, user: &str, buy: bool, price: u64, quantity: u64) -> String {
    format!(
        r#"{{"action":"ADD","symbol":"A","order_id":"{id}","user_id":"{user}","is_buy":{buy},"price":{price},"quantity":{quantity}}}"#
    )
}

/// After a clean stop nothing is replayed: the fills stream grows by what is new, and by nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_restart_repeats_nothing() {
    let world = World::new();
    world.append("A", add("o1", "ann", false, 100, 5)).await;
    world.append("A", add("o2", "ben", true, 100, 3)).await;
    world.run(1000, 1000).await;
    let before = world.fills();
    assert_eq!(before["A"].len(), 3, "two accepted, one fill");
    let engine = world.start(1000, 1000).await;
    engine.stop().await;
    assert_eq!(world.fills(), before);
    // A producer that was unsure and appends its order again does not get it twice, also over a restart.
    world.append("A", add("o2", "ben", true, 100, 3)).await;
    world.append("A", add("o3", "cho", true, 100, 2)).await;
    let engine = world.start(1000, 1000).await;
    until(|| engine.counters.received.load(Ordering::Relaxed) == 2).await;
    assert_eq!(engine.counters.duplicates.load(Ordering::Relaxed), 1);
    engine.stop().await;
    let after = world.fills();
    assert_eq!(after["A"][..3], before["A"][..]);
    assert_eq!(after["A"].len(), 5, "accepted and filled");
    let last: serde_json::Value = serde_json::from_slice(&after["A"][4]).unwrap();
    assert_eq!((&last["fill_id"], &last["seq"], &last["quantity"]), (&"A-5".into(), &5.into(), &2.into()));
}

/// Everything in the cache is lost while the engine runs, and the next order comes before the engine has looked. All closed candles
/// are there again, those too that an earlier engine has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_closed_candle_is_lost_with_the_cache() {
    let world = World::new();
    let trade = async |n: u64| {
        world.append("A", add(&format!("s{n}"), "ann", false, 100 + n, 5)).await;
        world.append("A", add(&format!("b{n}"), "ben", true, 100 + n, 5)).await;
        *world.log.now.lock().unwrap() += 60_000;
    };
    for n in 0..3 {
        trade(n).await;
    }
    world.run(1000, 1000).await;
    let engine = world.start(1000, 1000).await;
    trade(3).await;
    until(|| engine.counters.received.load(Ordering::Relaxed) == 2).await;
    let closed = async || world.list("candle:closed:1m:A".into()).await;
    let before = closed().await;
    assert_eq!(before.len(), 3);
    let prefixes = [
        "depth:",
        "ticker:",
        "ohlc:",
        "candle:1m:",
        "candle:closed:1m:",
        "trades:",
        "seq:",
        "candle:closed:seq:",
    ];
    let keys = prefixes.iter().map(|prefix| format!("{prefix}A")).collect();
    world.read(Command::Del(keys)).await;
    trade(4).await;
    until(|| engine.counters.received.load(Ordering::Relaxed) == 4).await;
    engine.stop().await;
    let after = closed().await;
    assert_eq!((after.len(), &after[1..]), (4, &before[..]));
}

/// The clock closes the candle of a market in which nothing happens, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_markets_candle_is_closed_by_the_clock() {
    let world = World::new();
    world.clock.store(START, Ordering::Relaxed);
    world.append("A", add("o1", "ann", false, 100, 5)).await;
    world.append("A", add("o2", "ben", true, 100, 3)).await;
    let engine = world.start(1000, 1000).await;
    until(|| engine.counters.received.load(Ordering::Relaxed) == 2).await;
    *world.log.now.lock().unwrap() += 60_000;
    world.clock.fetch_add(60_000, Ordering::Relaxed);
    until(|| engine.counters.received.load(Ordering::Relaxed) == 3).await;
    engine.stop().await;
    let closed = world.list("candle:closed:1m:A".into()).await;
    assert_eq!(closed.len(), 1);
    assert!(closed[0].starts_with(r#"{"o":"100","h":"100","l":"100","c":"100","v":"3","t":"#), "{closed:?}");
    assert_eq!(world.read(Command::Hgetall("candle:1m:A".into())).await, Reply::Pairs(Vec::new()));
    // Nothing is open now: time goes on without a record.
    world.clock.fetch_add(600_000, Ordering::Relaxed);
    let engine = world.start(1000, 1000).await;
    engine.stop().await;
    let ticks = (0..SHARDS)
        .flat_map(|shard| world.log.records(ORDERS, shard))
        .filter(|r| r.body == br#"{"action":"TICK"}"#);
    assert_eq!(ticks.count(), 1);
}

/// A snapshot that cannot be read stops the start; the engine does not begin from nothing over a full stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_not_passed_over() {
    use engine_host::backends::Snapshots;
    let world = World::new();
    world.append("A", add("o1", "ann", false, 100, 5)).await;
    world.run(1000, 1000).await;
    let shard = (0..SHARDS).find(|shard| !world.log.records(ORDERS, *shard).is_empty()).unwrap();
    let key = format!("snapshot/{ORDERS}/{shard}");
    let mut snapshot = world.snapshots.get(&key).await.unwrap().unwrap();
    let middle = snapshot.len() / 2;
    snapshot[middle] ^= 1;
    world.snapshots.put(&key, snapshot).await.unwrap();
    let backends = Backends {
        log: world.log.clone(),
        snapshots: world.snapshots.clone(),
        cache: world.cache.clone(),
        backup: world.cache.clone(),
        dead_letters: world.letters.clone(),
        flush_cache: Arc::new(|| Ok(())),
        now: Arc::new(|| 0),
    };
    let notifier = Notifier::start(world.cache.clone(), world.connections.clone());
    assert!(Engine::start(backends, notifier, Options::default()).await.is_err());
}

/// Every status goes to all connections of its user and to nobody else's, in order; who is gone is taken out of the cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_told() {
    let world = World::new();
    let member = |key: &str, ids: &[&str]| {
        Command::Sadd(key.into(), ids.iter().map(|id| id.as_bytes().to_vec()).collect())
    };
    let told = vec![
        member("user:ann:connections", &["a1", "a2", "dead"]),
        member("user:ben:connections", &["b1"]),
        member("realtime:connections", &["a1", "a2", "dead", "b1"]),
    ];
    world.cache.run(told).await.unwrap();
    world.connections.close("dead").await.unwrap();
    const N: usize = 200;
    for n in 0..N {
        world.append("A", add(&format!("s{n}"), "ann", false, 100, 1)).await;
        world
            .append("A", add(&format!("b{n}"), if n % 2 == 0 { "ben" } else { "nobody" }, true, 100, 1))
            .await;
    }
    world.run(7, 1000).await;
    let count = |id: &str| world.connections.sent.lock().unwrap().iter().filter(|(to, _)| to == id).count();
    until(|| count("a2") == 2 * N && count("b1") == N && count("a1") == 2 * N).await;
    assert_eq!(world.connections.sent.lock().unwrap().len(), 5 * N);
    for (id, prefix) in [("a1", "s"), ("a2", "s"), ("b1", "b")] {
        let sent = world.connections.sent.lock().unwrap().clone();
        let statuses: Vec<serde_json::Value> = sent
            .iter()
            .filter(|(to, _)| to == id)
            .map(|(_, body)| serde_json::from_slice(body).unwrap())
            .collect();
        assert!(
            statuses.is_sorted_by(|a, b| a["n"].as_u64() < b["n"].as_u64()),
            "in the order of the market"
        );
        for status in &statuses {
            assert_eq!((&status["e"], &status["s"]), (&"order".into(), &"A".into()));
            assert!(status["id"].as_str().unwrap().starts_with(prefix), "{status} is not of {id}");
        }
        let filled = statuses
            .iter()
            .filter(|status| status["st"] == "FILLED" && status["fp"] == 100 && status["fq"] == 1);
        assert_eq!(filled.count(), statuses.len() / 2);
    }
    // The removal follows the push.
    loop {
        let gone = [("user:ann:connections", 2), ("realtime:connections", 3)];
        let mut left = 0;
        for (key, expected) in gone {
            let Reply::Values(members) = world.read(Command::Smembers(key.into())).await else {
                panic!("no set")
            };
            assert!(members.len() >= expected);
            left += members.len() - expected;
        }
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
