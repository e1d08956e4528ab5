//! The embedded cache against a plain model of Valkey's commands: same answers, all-or-nothing, the durable keys and only
//! these after a restart, and a torn end of the file costs only what was torn.

use crate::support::block_on;
use edge_fns::capability::cache::{Command, Reply, SetOptions, Value};
use edge_fns::capability::{Cache, Error};
use engine_host::backends::embedded::cache::EmbeddedCache;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use tempfile::tempdir;

/// The first three survive a restart.
const KEYS: [&str; 6] = ["active:symbols", "candle:closed:1m:A", "prev:A", "depth:A", "x", "x:y"];
const DURABLE: usize = 3;
const FAR: u32 = 3_600_000;

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Text(Value),
    Set(BTreeSet<Value>),
    Hash(BTreeMap<String, Value>),
    List(Vec<Value>),
}

/// What a command answers, or that it does not fit the kind of the key.
type Answer = Result<Reply, ()>;

#[derive(Clone, Debug, Default, PartialEq)]
struct Model(BTreeMap<String, Data>);

impl Model {
    fn run(&mut self, command: Command) -> Answer {
        let number = |n: usize| Ok(Reply::Integer(n as i64));
        let all = |values: Vec<Value>| Ok(Reply::Values(values.into_iter().map(Some).collect()));
        let answer =
            match command {
                Command::Get(key) => match self.0.get(&key) {
                    None => Ok(Reply::Nil),
                    Some(Data::Text(text)) => Ok(Reply::Bytes(text.clone())),
                    Some(_) => Err(()),
                },
                Command::Mget(keys) => Ok(Reply::Values(
                    keys.iter()
                        .map(|key| {
                            if let Some(Data::Text(text)) = self.0.get(key) {
                                Some(text.clone())
                            } else {
                                None
                            }
                        })
                        .collect(),
                )),
                Command::Set(key, _, options) if options.only_if_absent && self.0.contains_key(&key) => {
                    Ok(Reply::Nil)
                }
                Command::Set(key, value, _) => {
                    self.0.insert(key, Data::Text(value));
                    Ok(Reply::Done)
                }
                Command::Del(keys) => number(keys.iter().filter(|key| self.0.remove(*key).is_some()).count()),
                Command::Expire(key, 0) => number(usize::from(self.0.remove(&key).is_some())),
                Command::Expire(key, _) => number(usize::from(self.0.contains_key(&key))),
                Command::Sadd(key, members) => {
                    let set = self.set(key)?;
                    let before = set.len();
                    set.extend(members);
                    number(set.len() - before)
                }
                Command::Srem(key, members) => {
                    let set = self.set(key)?;
                    let before = set.len();
                    set.retain(|member| !members.contains(member));
                    number(before - set.len())
                }
                Command::Sismember(key, member) => number(usize::from(self.set(key)?.contains(&member))),
                Command::Smembers(key) => all(self.set(key)?.iter().cloned().collect()),
                Command::Hgetall(key) => Ok(Reply::Pairs(self.hash(key)?.clone().into_iter().collect())),
                Command::Hset(key, pairs) => {
                    let hash = self.hash(key)?;
                    let before = hash.len();
                    hash.extend(pairs);
                    number(hash.len() - before)
                }
                Command::Lpush(key, values) => {
                    let list = self.list(key)?;
                    values.into_iter().for_each(|value| list.insert(0, value));
                    number(list.len())
                }
                Command::Lrange(key, start, stop) => {
                    let list = self.list(key)?;
                    all(Self::range(list, start, stop))
                }
                Command::Ltrim(key, start, stop) => {
                    let list = self.list(key)?;
                    *list = Self::range(list, start, stop);
                    Ok(Reply::Done)
                }
                Command::Scan { .. } | Command::Eval { .. } => unreachable!("not drawn"),
            };
        self.0.retain(|_, data| match data {
            Data::Text(_) => true,
            Data::Set(set) => !set.is_empty(),
            Data::Hash(hash) => !hash.is_empty(),
            Data::List(list) => !list.is_empty(),
        });
        answer
    }

    fn set(&mut self, key: String) -> Result<&mut BTreeSet<Value>, ()> {
        let data = self.0.entry(key).or_insert_with(|| Data::Set(BTreeSet::new()));
        if let Data::Set(set) = data { Ok(set) } else { Err(()) }
    }

    fn hash(&mut self, key: String) -> Result<&mut BTreeMap<String, Value>, ()> {
        let data = self.0.entry(key).or_insert_with(|| Data::Hash(BTreeMap::new()));
        if let Data::Hash(hash) = data { Ok(hash) } else { Err(()) }
    }

    fn list(&mut self, key: String) -> Result<&mut Vec<Value>, ()> {
        let data = self.0.entry(key).or_insert_with(|| Data::List(Vec::new()));
        if let Data::List(list) = data { Ok(list) } else { Err(()) }
    }

    /// By looking at each place whether it is inside.
    fn range(list: &[Value], start: i64, stop: i64) -> Vec<Value> {
        let length = list.len() as i64;
        let place = |n: i64| if n < 0 { n + length } else { n };
        (0..length)
            .filter(|n| (place(start)..=place(stop)).contains(n))
            .map(|n| list[n as usize].clone())
            .collect()
    }

    fn restart(&mut self) {
        self.0.retain(|key, _| KEYS[..DURABLE].contains(&key.as_str()));
    }
}

fn command(keys: std::ops::Range<usize>) -> impl Strategy<Value = Command> {
    let key = || proptest::sample::select(KEYS[keys.clone()].to_vec()).prop_map(String::from);
    let value = || {
        proptest::sample::select(vec!["", "a", "b", "c", "\0\u{FF}"])
            .prop_map(|text| text.as_bytes().to_vec())
    };
    let values = || proptest::collection::vec(value(), 0..4);
    let place = || -5..5i64;
    let options = (proptest::option::of(Just(FAR)), any::<bool>());
    let options = options.prop_map(|(px, only_if_absent)| SetOptions { px, only_if_absent });
    let pairs = proptest::collection::vec(("[fgh]", value()), 0..4);
    prop_oneof![
        1 => key().prop_map(Command::Get),
        1 => proptest::collection::vec(key(), 0..4).prop_map(Command::Mget),
        1 => (key(), value(), options).prop_map(|(key, value, options)| Command::Set(key, value, options)),
        1 => proptest::collection::vec(key(), 0..3).prop_map(Command::Del),
        1 => (key(), proptest::sample::select(vec![0, FAR])).prop_map(|(key, px)| Command::Expire(key, px)),
        2 => (key(), values()).prop_map(|(key, values)| Command::Sadd(key, values)),
        1 => (key(), values()).prop_map(|(key, values)| Command::Srem(key, values)),
        1 => (key(), value()).prop_map(|(key, value)| Command::Sismember(key, value)),
        1 => key().prop_map(Command::Smembers),
        1 => key().prop_map(Command::Hgetall),
        2 => (key(), pairs).prop_map(|(key, pairs)| Command::Hset(key, pairs)),
        3 => (key(), values()).prop_map(|(key, values)| Command::Lpush(key, values)),
        1 => (key(), place(), place()).prop_map(|(key, start, stop)| Command::Lrange(key, start, stop)),
        1 => (key(), place(), place()).prop_map(|(key, start, stop)| Command::Ltrim(key, start, stop)),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Run(Vec<Command>),
    RunAtomic(Vec<Command>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let commands = || proptest::collection::vec(command(0..KEYS.len()), 1..6);
    prop_oneof![6 => commands().prop_map(Step::Run), 6 => commands().prop_map(Step::RunAtomic), 1 => Just(Step::Restart)]
}

/// Everything the cache holds, read through its own commands.
async fn contents(cache: &EmbeddedCache) -> Model {
    let scan = Command::Scan { cursor: 0, pattern: "*".into(), count: 1000 };
    let Ok(Reply::Page(0, keys)) = cache.run(vec![scan]).await.unwrap().remove(0) else { panic!("no page") };
    let mut model = Model::default();
    for key in keys {
        let k = || key.clone();
        let reads = vec![
            Command::Get(k()),
            Command::Smembers(k()),
            Command::Hgetall(k()),
            Command::Lrange(k(), 0, -1),
        ];
        let replies = cache.run(reads).await.unwrap();
        let [text, set, hash, list] = replies.try_into().unwrap();
        let values =
            |reply| if let Reply::Values(values) = reply { values.into_iter().flatten() } else { panic!() };
        let data = match (text, set, hash, list) {
            (Ok(Reply::Bytes(text)), Err(_), Err(_), Err(_)) => Data::Text(text),
            (Err(_), Ok(set), Err(_), Err(_)) => Data::Set(values(set).collect()),
            (Err(_), Err(_), Ok(Reply::Pairs(pairs)), Err(_)) => Data::Hash(pairs.into_iter().collect()),
            (Err(_), Err(_), Err(_), Ok(list)) => Data::List(values(list).collect()),
            other => panic!("{key} is of no one kind: {other:?}"),
        };
        model.0.insert(key, data);
    }
    model
}

fn answer(reply: Result<Reply, Error>) -> Answer {
    reply.map_err(|error| assert!(matches!(error, Error::Invalid(_)), "{error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_model(steps in proptest::collection::vec(step(), 1..20)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("cache.log");
        block_on(async {
            let mut cache = EmbeddedCache::open(&path).unwrap();
            let mut model = Model::default();
            for step in steps {
                match step.clone() {
                    Step::Run(commands) => {
                        let expected: Vec<Answer> = commands.clone().into_iter().map(|c| model.run(c)).collect();
                        let answers = cache.run(commands).await.unwrap();
                        assert_eq!(answers.into_iter().map(answer).collect::<Vec<_>>(), expected);
                    }
                    Step::RunAtomic(commands) => {
                        let mut after = model.clone();
                        let expected: Result<Vec<Reply>, ()> =
                            commands.clone().into_iter().map(|command| after.run(command)).collect();
                        if expected.is_ok() {
                            model = after;
                        }
                        let answers = cache.run_atomic(commands).await;
                        assert_eq!(answers.map_err(|error| assert!(matches!(error, Error::Invalid(_)))), expected);
                    }
                    Step::Restart => {
                        drop(cache);
                        cache = EmbeddedCache::open(&path).unwrap();
                        model.restart();
                    }
                }
                assert_eq!(contents(&cache).await, model, "after {step:?}");
            }
            drop(cache);
            model.restart();
            assert_eq!(contents(&EmbeddedCache::open(&path).unwrap()).await, model);
        });
    }

    /// Wherever the file is cut off, what is found is the state after some command, the last one that is wholly there;
    /// an atomic call is there wholly or not at all. What is written next is found too.
    #[test]
    fn a_torn_end_costs_only_what_was_torn(
        calls in proptest::collection::vec(proptest::collection::vec(command(0..DURABLE), 1..4), 1..12),
        cut in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("cache.log");
        let length = || std::fs::metadata(&path).unwrap().len();
        block_on(async {
            let cache = EmbeddedCache::open(&path).unwrap();
            let mut states = vec![(length(), Model::default())];
            for call in calls {
                // What a refused call changes is nothing.
                let _ = cache.run_atomic(call).await;
                states.push((length(), contents(&cache).await));
            }
            drop(cache);
            let left = cut.index(length() as usize + 1) as u64;
            let file = OpenOptions::new().append(true).open(&path).unwrap();
            file.set_len(left).unwrap();
            std::io::Write::write_all(&mut &file, &garbage).unwrap();
            let cache = EmbeddedCache::open(&path).unwrap();
            let (_, expected) = states.iter().rev().find(|(end, _)| *end <= left).unwrap();
            // Garbage is not a frame, unless 4 billion to 1 it is.
            assert_eq!(contents(&cache).await, *expected);
            cache.run(vec![Command::Sadd("prev:next".into(), vec!["m".into()])]).await.unwrap();
            drop(cache);
            let mut expected = expected.clone();
            expected.0.insert("prev:next".into(), Data::Set(BTreeSet::from(["m".into()])));
            assert_eq!(contents(&EmbeddedCache::open(&path).unwrap()).await, expected);
        });
    }
}

/// A whole frame that makes no sense is no torn end: it is not thrown away in silence.
#[test]
fn a_file_of_another_program_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.log");
    let mut file = engine_host::backends::embedded::append_file::AppendFile::open(&path, |_| {}).unwrap();
    file.append(b"\x09not ours").unwrap();
    drop(file);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(EmbeddedCache::open(&path), Err(Error::Internal(_))));
    assert_eq!(std::fs::read(&path).unwrap(), before, "and it stays as it is");
}

/// Opening compacts: what was overwritten and removed takes no place any more.
#[tokio::test]
async fn the_file_is_compacted_when_it_is_opened() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.log");
    let cache = EmbeddedCache::open(&path).unwrap();
    for n in 0..200 {
        let set = Command::Set("prev:A".into(), format!("{n}").into(), SetOptions::default());
        let other = Command::Set(format!("prev:{n}"), "x".repeat(100).into(), SetOptions::default());
        cache.run(vec![set, other, Command::Del(vec![format!("prev:{n}")])]).await.unwrap();
    }
    let before = std::fs::metadata(&path).unwrap().len();
    drop(cache);
    let cache = EmbeddedCache::open(&path).unwrap();
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(before > 20_000 && after < 50, "{before} to {after}");
    assert_eq!(contents(&cache).await.0, BTreeMap::from([("prev:A".into(), Data::Text("199".into()))]));
}

/// Watchers are told the names of keys that have changed, and of no others.
#[tokio::test]
async fn watchers_are_told_what_changes() {
    let cache = EmbeddedCache::in_memory();
    let mut watcher = cache.watch();
    let mut told = || {
        let mut names = Vec::new();
        while let Ok(name) = watcher.try_recv() {
            names.push(name.to_string());
        }
        names
    };
    let sadd = |key: &str| Command::Sadd(key.into(), vec!["m".into()]);
    cache.run(vec![sadd("a"), Command::Smembers("a".into()), sadd("b")]).await.unwrap();
    assert_eq!(told(), ["a", "b"]);
    cache.run_atomic(vec![sadd("c"), Command::Del(vec!["a".into(), "none".into()])]).await.unwrap();
    assert_eq!(told(), ["a", "c"]);
    cache.run_atomic(vec![sadd("d"), Command::Get("c".into())]).await.unwrap_err();
    assert_eq!(told(), [""; 0], "what was taken back was no change");
    cache.run(vec![Command::Get("c".into())]).await.unwrap();
    assert_eq!(told(), [""; 0]);
}

/// `set_newer` writes what is newer, and refuses the rest whole.
#[tokio::test]
async fn the_older_value_does_not_overtake() {
    let cache = EmbeddedCache::in_memory();
    let call = |sequence: &str, value: &str| Command::Eval {
        name: "set_newer".into(),
        keys: vec!["depth:A".into(), "seq:A".into()],
        args: vec!["depth".into(), sequence.into(), value.into()],
    };
    for (sequence, value, wrote) in
        [("5", "five", 1), ("5", "again", 0), ("4", "four", 0), ("10", "ten", 1), ("9", "nine", 0)]
    {
        assert_eq!(cache.run(vec![call(sequence, value)]).await.unwrap(), [Ok(Reply::Integer(wrote))]);
    }
    let replies =
        cache.run(vec![Command::Get("depth:A".into()), Command::Hgetall("seq:A".into())]).await.unwrap();
    assert_eq!(
        replies,
        [Ok(Reply::Bytes("ten".into())), Ok(Reply::Pairs(vec![("depth".into(), "10".into())]))]
    );
    assert!(matches!(cache.run(vec![call("x", "y")]).await.unwrap()[..], [Err(Error::Invalid(_))]));
}
