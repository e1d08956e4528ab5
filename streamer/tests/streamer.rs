//! The streamer over an in-memory cache and connections that write down what they are sent, on a clock that the test
//! moves round by round: who gets what, when, how often, in the formats of `docs/api.md`.
//!
//! Connections come and go through the real functions (`connect`, `subscribe`, `disconnect`), so what these write and what
//! the streamer reads is the same thing. Every test runs twice: with a cache that tells which keys change, and without.

use async_trait::async_trait;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Cache, Connections, Error, Result};
use edge_fns::socket::Event;
use edge_fns::testing::{Fault, Memory};
use edge_fns::{connect, disconnect, subscribe};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use streamer::{Options, Streamer};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

const ROUND: Duration = Duration::from_millis(50);
const SLOW: u32 = 10;
const SYNC: u32 = 100;

/// The in-memory cache, which tells the names of the keys that are written.
struct Told {
    memory: Memory,
    changes: broadcast::Sender<Arc<str>>,
}

#[async_trait]
impl Cache for Told {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.tell(&commands);
        self.memory.run(commands).await
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        self.tell(&commands);
        self.memory.run_atomic(commands).await
    }
}

impl Told {
    fn tell(&self, commands: &[Command]) {
        for command in commands {
            let keys = match command {
                Command::Del(keys) => keys.clone(),
                Command::Set(key, ..) | Command::Sadd(key, _) | Command::Srem(key, _) => vec![key.clone()],
                _ => Vec::new(),
            };
            for key in keys {
                // Without a watcher there is nobody to tell.
                let _ = self.changes.send(key.into());
            }
        }
    }
}

/// What was sent, connection by connection, and how many messages came in one post.
#[derive(Default)]
struct Recorder {
    sent: Mutex<BTreeMap<String, Vec<String>>>,
    gone: Mutex<BTreeSet<String>>,
    attempts: Mutex<Vec<String>>,
    /// They take nothing now.
    busy: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Connections for Recorder {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let gone = self.gone.lock().unwrap();
        let mut sent = self.sent.lock().unwrap();
        let mut deliver = |id: String, body: &[u8]| {
            self.attempts.lock().unwrap().push(id.clone());
            if gone.contains(&id) {
                return Ok(Delivery::Gone);
            }
            if id.starts_with("broken") || self.busy.lock().unwrap().contains(&id) {
                return Err(Error::Throttled(None));
            }
            sent.entry(id).or_default().push(String::from_utf8(body.to_vec()).unwrap());
            Ok(Delivery::Sent)
        };
        Ok(pushes
            .into_iter()
            .map(|Push { to, body }| to.into_iter().map(|id| deliver(id, &body)).collect())
            .collect())
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let gone = self.gone.lock().unwrap();
        Ok(ids.iter().map(|id| Ok(!gone.contains(id))).collect())
    }

    async fn close(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

struct World {
    cache: Arc<Told>,
    connections: Arc<Recorder>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl World {
    /// A streamer that has served its round 0. From then on, time stands in the middle between two rounds.
    async fn start(told: bool) -> World {
        let memory = Memory::exchange(&["A", "B", "C"]);
        let cache = Arc::new(Told { memory, changes: broadcast::Sender::new(8) });
        let connections = Arc::new(Recorder::default());
        let (stop, stopping) = watch::channel(false);
        let options = Options { fast: ROUND, slow_rounds: SLOW, sync_rounds: SYNC };
        let changes = told.then(|| cache.changes.subscribe());
        let streamer = Streamer::new(cache.clone(), connections.clone(), changes, options);
        let task = tokio::spawn(streamer.run(stopping));
        let world = World { cache, connections, stop, task };
        tokio::time::sleep(ROUND / 2).await;
        world
    }

    async fn rounds(&self, count: u32) {
        tokio::time::sleep(ROUND * count).await;
    }

    /// Connects; a user's name makes it a logged-in one.
    async fn connect(&self, id: &str, user: Option<&str>) {
        let about =
            user.map(|user| ("query:token".to_string(), format!("user:{user}"))).into_iter().collect();
        let memory = &self.cache.memory;
        let ports = connect::Ports { base: memory, identity: memory, cache: self.cache.as_ref() };
        assert!(connect::handle(&ports, id, Event::Opened(about)).await.accept);
    }

    async fn subscribe(&self, id: &str, message: &str) {
        let ports = subscribe::Ports { base: &self.cache.memory, cache: self.cache.as_ref() };
        let message = format!(r#"{{"action":"subscribe",{message}}}"#);
        let reply = subscribe::handle(&ports, id, Event::Message(message.into())).await;
        let body = String::from_utf8(reply.body.unwrap()).unwrap();
        assert!(body.contains(r#""e":"subscribed""#), "{body}");
    }

    async fn disconnect(&self, id: &str) {
        let ports = disconnect::Ports { base: &self.cache.memory, cache: self.cache.as_ref() };
        disconnect::handle(&ports, id, Event::Closed).await;
    }

    /// What a connection has been sent since the last time it was asked.
    fn sent(&self, id: &str) -> Vec<String> {
        self.connections.sent.lock().unwrap().remove(id).unwrap_or_default()
    }

    fn depth(&self, symbol: &str, n: u64) -> String {
        let message =
            format!(r#"{{"e":"d","s":"{symbol}","t":1733896438267,"n":{n},"b":[[150,30]],"a":[[151,30]]}}"#);
        self.cache.memory.state().strings.insert(format!("depth:{symbol}"), message.clone().into());
        message
    }

    fn ticker(&self, symbol: &str, price: u64) -> String {
        let message =
            format!(r#"{{"e":"t","s":"{symbol}","t":1733896438267,"p":{price},"c":2.5,"yc":-1.2}}"#);
        self.cache.memory.state().strings.insert(format!("ticker:{symbol}"), message.clone().into());
        message
    }

    /// The open candle as the engine writes it; answers the message it makes.
    fn candle(&self, symbol: &str, close: u64, minute: u64) -> String {
        let fields = fields(close, minute).map(|(name, value)| (name.to_string(), value.into_bytes()));
        self.cache.memory.state().hashes.insert(format!("candle:1m:{symbol}"), fields.into());
        candle_message("candle", symbol, close, minute)
    }

    /// The candle closes: it goes to the list, and none is open.
    fn close_candle(&self, symbol: &str, close: u64, minute: u64) -> String {
        let pairs = fields(close, minute).map(|(name, value)| format!(r#""{name}":"{value}""#));
        let json = format!("{{{}}}", pairs.join(","));
        let mut state = self.cache.memory.state();
        state.hashes.remove(&format!("candle:1m:{symbol}"));
        state.lists.entry(format!("candle:closed:1m:{symbol}")).or_default().push_front(json.into());
        candle_message("candle_close", symbol, close, minute)
    }

    fn trade(&self, symbol: &str, n: u64) -> String {
        let message =
            format!(r#"{{"e":"x","s":"{symbol}","t":1733896438267,"n":{n},"p":150,"q":10,"b":true}}"#);
        let mut state = self.cache.memory.state();
        let trades = state.lists.entry(format!("trades:{symbol}")).or_default();
        trades.push_front(message.clone().into());
        trades.truncate(50);
        message
    }

    fn members(&self, key: &str) -> BTreeSet<String> {
        let state = self.cache.memory.state();
        let set = state.sets.get(key).into_iter().flatten();
        set.map(|member| String::from_utf8(member.clone()).unwrap()).collect()
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

fn fields(close: u64, minute: u64) -> [(&'static str, String); 7] {
    [
        ("o", "1000".into()),
        ("h", "1050".into()),
        ("l", "980".into()),
        ("c", close.to_string()),
        ("v", "100".into()),
        ("t", format!("2025121614{minute:02}")),
        ("t_epoch", (1_765_894_800 + 60 * minute).to_string()),
    ]
}

fn candle_message(event: &str, symbol: &str, close: u64, minute: u64) -> String {
    format!(
        r#"{{"e":"{event}","s":"{symbol}","o":"1000","h":"1050","l":"980","c":"{close}","v":"100","t":"2025121614{minute:02}"}}"#
    )
}

const NOTHING: [&str; 0] = [];

#[tokio::test(start_paused = true)]
async fn a_new_subscriber_gets_the_state_at_once() {
    for told in [true, false] {
        let world = World::start(told).await;
        let (depth, ticker, candle) =
            (world.depth("A", 1), world.ticker("A", 150), world.candle("A", 1020, 20));
        let trades = [world.trade("A", 1), world.trade("A", 2)];
        let board = world.ticker("B", 90);
        world.depth("B", 1);
        world.depth("C", 1);
        world.connect("fast", Some("ann")).await;
        world.connect("slow", None).await;
        // One round, and not one in which anonymous users are served.
        for id in ["fast", "slow"] {
            world.subscribe(id, r#""main":"A","sub":["B"]"#).await;
        }
        world.rounds(1).await;
        let mut expected = vec![depth.clone(), candle.clone(), ticker.clone()];
        expected.extend(trades.clone());
        expected.push(board.clone());
        assert_eq!(world.sent("fast"), expected, "told: {told}");
        assert_eq!(world.sent("slow"), expected, "told: {told}");
        // Who comes later gets it too, and nobody else does once more.
        world.rounds(3).await;
        world.connect("late", None).await;
        world.subscribe("late", r#""main":"A""#).await;
        world.rounds(1).await;
        assert_eq!(world.sent("late"), expected[..5]);
        assert_eq!((world.sent("fast"), world.sent("slow")), (vec![], vec![]));
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_sent_again() {
    for told in [true, false] {
        let world = World::start(told).await;
        for symbol in ["A", "B"] {
            world.depth(symbol, 1);
            world.ticker(symbol, 150);
            world.candle(symbol, 1020, 20);
            world.trade(symbol, 1);
            world.close_candle(symbol, 1000, 19);
            world.candle(symbol, 1020, 20);
        }
        for (id, user) in [("fast", Some("ann")), ("slow", None)] {
            world.connect(id, user).await;
            world.subscribe(id, r#""main":"A","sub":["B"]"#).await;
        }
        world.rounds(1).await;
        assert_eq!((world.sent("fast").len(), world.sent("slow").len()), (5, 5));
        // Past several slow rounds and a sync.
        world.rounds(2 * SYNC + 5).await;
        assert_eq!((world.sent("fast"), world.sent("slow")), (vec![], vec![]));
        // Written anew with the same content is no change either.
        world.depth("A", 1);
        world.rounds(SLOW).await;
        assert_eq!((world.sent("fast"), world.sent("slow")), (vec![], vec![]));
        // One thing changes: just that is sent.
        let depth = world.depth("A", 2);
        world.rounds(SLOW).await;
        assert_eq!(world.sent("fast"), std::slice::from_ref(&depth));
        assert_eq!(world.sent("slow"), [depth]);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn anonymous_users_are_served_every_tenth_round() {
    for told in [true, false] {
        let world = World::start(told).await;
        world.connect("fast", Some("ann")).await;
        world.connect("slow", None).await;
        world.subscribe("fast", r#""main":"A""#).await;
        world.subscribe("slow", r#""main":"A""#).await;
        world.depth("A", 0);
        world.rounds(SLOW).await;
        world.sent("fast");
        world.sent("slow");
        let mut served = 0;
        for n in 1..=u64::from(3 * SLOW) {
            let depth = world.depth("A", n);
            world.rounds(1).await;
            assert_eq!(world.sent("fast"), std::slice::from_ref(&depth), "every round");
            let slow = world.sent("slow");
            if n % u64::from(SLOW) == 0 {
                served += 1;
                assert_eq!(slow, [depth], "the newest, and it alone");
            } else {
                assert_eq!(slow, NOTHING, "round {n}");
            }
        }
        assert_eq!(served, 3);
        world.end().await;
    }
}

/// Events come all and in order, also to who is served rarely; of states only the newest does.
#[tokio::test(start_paused = true)]
async fn closed_candles_and_trades_are_all_sent() {
    for told in [true, false] {
        let world = World::start(told).await;
        for (id, user) in [("fast", Some("ann")), ("slow", None)] {
            world.connect(id, user).await;
            world.subscribe(id, r#""main":"A""#).await;
        }
        world.connect("board", Some("ben")).await;
        world.subscribe("board", r#""sub":["A"]"#).await;
        world.candle("A", 1000, 20);
        world.rounds(SLOW).await;
        assert_eq!(world.sent("fast"), [candle_message("candle", "A", 1000, 20)]);
        world.sent("slow");
        let trade = world.trade("A", 5);
        let closed = world.close_candle("A", 1005, 20);
        world.rounds(1).await;
        assert_eq!(world.sent("fast"), [closed.clone(), trade.clone()]);
        let candle = world.candle("A", 1010, 21);
        let later = [world.trade("A", 6), world.trade("A", 9)];
        world.rounds(SLOW - 1).await;
        assert_eq!(world.sent("fast"), [later[0].clone(), later[1].clone(), candle.clone()]);
        assert_eq!(world.sent("slow"), [closed, trade, later[0].clone(), later[1].clone(), candle]);
        assert_eq!(world.sent("board"), NOTHING, "a board shows tickers");
        let ticker = world.ticker("A", 151);
        world.rounds(1).await;
        assert_eq!((world.sent("board"), world.sent("fast")), (vec![ticker.clone()], vec![ticker]));
        world.end().await;
    }
}

/// What a newcomer was given with the state does not come once more in the next round of the class.
#[tokio::test(start_paused = true)]
async fn a_newcomer_is_told_nothing_twice() {
    for told in [true, false] {
        let world = World::start(told).await;
        world.connect("early", None).await;
        world.subscribe("early", r#""main":"A","sub":["B"]"#).await;
        world.depth("A", 1);
        world.rounds(SLOW).await;
        world.sent("early");
        // Between two slow rounds: something happens, somebody comes, something else happens.
        let (depth, trade, closed) =
            (world.depth("A", 2), world.trade("A", 2), world.close_candle("A", 1000, 20));
        let board = world.ticker("B", 1);
        world.rounds(2).await;
        world.connect("new", None).await;
        world.subscribe("new", r#""main":"A","sub":["B"]"#).await;
        world.rounds(2).await;
        assert_eq!(world.sent("new"), [depth.clone(), trade.clone(), board.clone()]);
        let later = world.trade("A", 3);
        world.rounds(SLOW - 4).await;
        assert_eq!(world.sent("new"), std::slice::from_ref(&later));
        let mut early = world.sent("early");
        early.sort();
        let mut all = vec![closed, trade, later, depth, board];
        all.sort();
        assert_eq!(early, all);
        // From the next one on they are served together.
        let depth = world.depth("A", 4);
        world.rounds(SLOW).await;
        assert_eq!((world.sent("new"), world.sent("early")), (vec![depth.clone()], vec![depth]));
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_replaced_and_ended() {
    for told in [true, false] {
        let world = World::start(told).await;
        let (a, b) = (world.ticker("A", 1), world.ticker("B", 1));
        world.connect("c", Some("ann")).await;
        // As main and on the board: once.
        world.subscribe("c", r#""main":"A","sub":["A","B"]"#).await;
        world.rounds(1).await;
        assert_eq!(world.sent("c"), [a, b.clone()]);
        let a = world.ticker("A", 2);
        world.rounds(1).await;
        assert_eq!(world.sent("c"), [a]);
        world.subscribe("c", r#""main":"B""#).await;
        world.depth("A", 1);
        let depth = world.depth("B", 1);
        world.rounds(1).await;
        assert_eq!(world.sent("c"), [depth, b], "the new main's state, of the old one nothing");
        world.ticker("A", 3);
        world.rounds(SLOW).await;
        assert_eq!(world.sent("c"), NOTHING);
        // Back again: what has happened meanwhile comes with the state.
        world.subscribe("c", r#""main":"A""#).await;
        world.rounds(1).await;
        assert_eq!(world.sent("c").len(), 2);
        world.disconnect("c").await;
        world.ticker("A", 4);
        world.rounds(SLOW).await;
        assert_eq!(world.sent("c"), NOTHING);
        assert_eq!(world.members("subscribed:symbols"), BTreeSet::new());
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_forgotten() {
    for told in [true, false] {
        let world = World::start(told).await;
        world.depth("A", 1);
        for (id, user) in
            [("dead", Some("ann")), ("alive", Some("ann")), ("dead2", None), ("broken", Some("ben"))]
        {
            world.connect(id, user).await;
            world.subscribe(id, r#""main":"A","sub":["B"]"#).await;
        }
        world.rounds(1).await;
        world.connections.gone.lock().unwrap().extend(["dead".into(), "dead2".into()]);
        world.depth("A", 2);
        world.rounds(SLOW + 1).await;
        let all = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<BTreeSet<_>>();
        // One that could not be reached this time is not gone.
        let left = all(&["alive", "broken"]);
        for key in ["realtime:connections", "symbol:A:main", "symbol:A:subscribers", "symbol:B:sub"] {
            assert_eq!(world.members(key), left, "{key}, told: {told}");
        }
        assert_eq!(world.members("user:ann:connections"), all(&["alive"]));
        {
            let state = world.cache.memory.state();
            assert!(state.strings.keys().chain(state.sets.keys()).all(|key| !key.contains("dead")));
            assert!(state.strings.contains_key("ws:alive") && state.strings.contains_key("conn:alive:main"));
        }
        world.connections.attempts.lock().unwrap().clear();
        world.depth("A", 3);
        world.rounds(SYNC + SLOW).await;
        assert!(
            world.connections.attempts.lock().unwrap().iter().all(|id| !id.starts_with("dead")),
            "nobody pushes to them"
        );
        assert_eq!(world.sent("alive").len(), 3);
        world.end().await;
    }
}

/// A subscription of which the streamer was not told is found with the next sync; one that is lost in a flood at once.
#[tokio::test(start_paused = true)]
async fn subscriptions_are_read_anew() {
    let world = World::start(true).await;
    world.depth("A", 1);
    // Past the cache that tells.
    let memory = &world.cache.memory;
    let ports = subscribe::Ports { base: memory, cache: memory };
    let message = br#"{"action":"subscribe","main":"A"}"#;
    subscribe::handle(&ports, "untold", Event::Message(message.to_vec())).await;
    world.rounds(SYNC - 1).await;
    assert_eq!(world.sent("untold"), NOTHING);
    world.rounds(1).await;
    assert_eq!(world.sent("untold").len(), 1);
    subscribe::handle(&ports, "flooded", Event::Message(message.to_vec())).await;
    for n in 0..100 {
        world.cache.changes.send(format!("depth:{n}").into()).unwrap();
    }
    world.rounds(1).await;
    assert_eq!(world.sent("flooded").len(), 1);
    world.end().await;
}

/// A round that the cache fails is made up for by the next one: nothing is lost, nothing doubled.
#[tokio::test(start_paused = true)]
async fn a_failed_round_is_made_up_for() {
    for told in [true, false] {
        let world = World::start(told).await;
        world.connect("c", Some("ann")).await;
        world.subscribe("c", r#""main":"A""#).await;
        world.depth("A", 1);
        world.rounds(1).await;
        assert_eq!(world.sent("c").len(), 1);
        let (trade, depth) = (world.trade("A", 1), world.depth("A", 2));
        world.cache.memory.fail(0, Fault::Before(Error::Unavailable("as told".into())));
        world.rounds(1).await;
        assert_eq!(world.sent("c"), NOTHING);
        world.rounds(1).await;
        assert_eq!(world.sent("c"), [trade, depth]);
        world.end().await;
    }
}

/// Who could not be pushed to is given the whole state as soon as it can, whether anything has changed or not.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_pushed_comes_later() {
    for told in [true, false] {
        let world = World::start(told).await;
        world.depth("A", 1);
        for id in ["c", "other"] {
            world.connect(id, Some("ann")).await;
        }
        world.connections.busy.lock().unwrap().insert("c".into());
        for id in ["c", "other"] {
            world.subscribe(id, r#""main":"A""#).await;
        }
        world.rounds(3).await;
        assert_eq!((world.sent("c").len(), world.sent("other").len()), (0, 1), "{told}");
        world.connections.busy.lock().unwrap().clear();
        world.rounds(1).await;
        assert_eq!((world.sent("c").len(), world.sent("other").len()), (1, 0), "{told}");
        world.rounds(3).await;
        assert_eq!((world.sent("c").len(), world.sent("other").len()), (0, 0), "{told}");
        world.end().await;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Depth,
    Ticker,
    Candle,
    CloseCandle,
    Trade,
    Join { logged_in: bool },
    Rounds(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Depth),
        2 => Just(Step::Ticker),
        2 => Just(Step::Candle),
        1 => Just(Step::CloseCandle),
        4 => Just(Step::Trade),
        1 => any::<bool>().prop_map(|logged_in| Step::Join { logged_in }),
        6 => (1..4u32).prop_map(Step::Rounds),
        1 => Just(Step::Rounds(SLOW)),
    ]
}

proptest! {
    /// Whatever happens in whatever order: every subscriber ends up with the newest states, has had each trade since it came
    /// exactly once and in order, each candle that closed since then once, and never the same state twice in a row.
    #[test]
    fn everybody_ends_up_with_the_same(steps in proptest::collection::vec(step(), 0..60), told in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::start(told).await;
            let (mut number, mut minute) = (0, 0);
            let mut now: BTreeMap<&str, String> = BTreeMap::new();
            let (mut trades, mut closed) = (Vec::new(), Vec::new());
            // How many trades and closed candles there were when somebody came.
            let mut people: Vec<(String, usize)> = Vec::new();
            let mut closed_since_sync = 0;
            for step in steps {
                number += 1;
                match step {
                    Step::Depth => drop(now.insert("d", world.depth("A", number))),
                    Step::Ticker => drop(now.insert("t", world.ticker("A", number))),
                    Step::Candle => drop(now.insert("candle", world.candle("A", number, minute))),
                    // The streamer looks at the last three only: a minute takes longer than a round.
                    Step::CloseCandle if closed_since_sync < 3 => {
                        closed.push(world.close_candle("A", number, minute));
                        now.remove("candle");
                        minute += 1;
                        closed_since_sync += 1;
                    }
                    Step::CloseCandle => {}
                    Step::Trade => trades.push(world.trade("A", number)),
                    Step::Join { logged_in } => {
                        let id = format!("c{number}");
                        world.connect(&id, logged_in.then_some("ann")).await;
                        world.subscribe(&id, r#""main":"A""#).await;
                        world.rounds(1).await;
                        people.push((id, closed.len()));
                    }
                    Step::Rounds(count) => {
                        world.rounds(count).await;
                        closed_since_sync = if count == SLOW { 0 } else { closed_since_sync };
                    }
                }
            }
            world.rounds(SLOW).await;
            for (id, closed_before) in people {
                let sent = world.sent(&id);
                let of = |kind: &str| -> Vec<String> {
                    let is = |message: &&String| serde_json::from_str::<Value>(message).unwrap()["e"] == kind;
                    sent.iter().filter(is).cloned().collect()
                };
                for kind in ["d", "t", "candle"] {
                    let states = of(kind);
                    assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "{id} got the same {kind} twice");
                    if let Some(newest) = now.get(kind) {
                        assert_eq!(states.last(), Some(newest), "{id}");
                    }
                }
                assert_eq!(of("x"), trades, "{id}");
                assert_eq!(of("candle_close"), closed[closed_before..], "{id}");
            }
            world.end().await;
        });
    }
}
