//! What a cache must do: Valkey's commands as the exchange uses them.

use edge_fns::capability::cache::{Command, Reply, SetOptions, Value};
use edge_fns::capability::{Cache, Error, Result};

fn key(name: &str) -> String {
    format!("conformance:{name}")
}

fn bytes(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| value.as_bytes().to_vec()).collect()
}

fn some(values: &[&str]) -> Reply {
    Reply::Values(bytes(values).into_iter().map(Some).collect())
}

fn text(value: &str) -> Reply {
    Reply::Bytes(value.into())
}

fn set(name: &str, value: &str) -> Command {
    Command::Set(key(name), value.into(), SetOptions::default())
}

fn get(name: &str) -> Command {
    Command::Get(key(name))
}

fn expiring(name: &str, px: u32) -> Command {
    Command::Set(key(name), "x".into(), SetOptions { px: Some(px), only_if_absent: false })
}

async fn one(cache: &dyn Cache, command: Command) -> Result<Reply> {
    let mut replies = cache.run(vec![command]).await.expect("the cache answers");
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

/// The part that every implementation has.
pub async fn suite(cache: &dyn Cache) {
    strings(cache).await;
    sets(cache).await;
    hashes(cache).await;
    lists(cache).await;
    oldest(cache).await;
    together(cache).await;
}

async fn strings(cache: &dyn Cache) {
    let absent = SetOptions { px: None, only_if_absent: true };
    let replies = cache
        .run(vec![
            get("a"),
            set("a", "1"),
            get("a"),
            Command::Set(key("a"), "2".into(), absent.clone()),
            Command::Set(key("b"), "3".into(), absent),
            Command::Mget(vec![key("b"), key("none"), key("a")]),
            Command::Del(vec![key("a"), key("none")]),
            get("a"),
            get("b"),
        ])
        .await
        .unwrap();
    let expected = [
        Reply::Nil,
        Reply::Done,
        text("1"),
        Reply::Nil,
        Reply::Done,
        Reply::Values(vec![Some("3".into()), None, Some("1".into())]),
        Reply::Integer(1),
        Reply::Nil,
        text("3"),
    ];
    assert_eq!(replies, expected.map(Ok), "in order, one reply a command");
    assert_eq!(cache.run(Vec::new()).await.unwrap(), Vec::new());

    // Values are bytes, whatever they hold.
    let any: Value = (0..=255).collect();
    assert_eq!(one(cache, Command::Set(key("a"), any.clone(), SetOptions::default())).await, Ok(Reply::Done));
    assert_eq!(one(cache, get("a")).await, Ok(Reply::Bytes(any)));

    // A time to live far away changes nothing; 0 removes at once.
    assert_eq!(one(cache, expiring("far", 3_600_000)).await, Ok(Reply::Done));
    assert_eq!(one(cache, Command::Expire(key("far"), 3_600_000)).await, Ok(Reply::Integer(1)));
    assert_eq!(one(cache, get("far")).await, Ok(text("x")));
    assert_eq!(one(cache, Command::Expire(key("far"), 0)).await, Ok(Reply::Integer(1)));
    assert_eq!(one(cache, get("far")).await, Ok(Reply::Nil));
}

async fn sets(cache: &dyn Cache) {
    let k = || key("set");
    let is = |member: &str| Command::Sismember(key("set"), member.into());
    let replies = cache
        .run(vec![
            Command::Smembers(k()),
            Command::Sadd(k(), bytes(&["b", "a", "b"])),
            Command::Sadd(k(), bytes(&["a", "c"])),
            is("c"),
            is("d"),
            Command::Srem(k(), bytes(&["a", "d"])),
            is("a"),
        ])
        .await
        .unwrap();
    let expected = [
        some(&[]),
        Reply::Integer(2),
        Reply::Integer(1),
        Reply::Integer(1),
        Reply::Integer(0),
        Reply::Integer(1),
        Reply::Integer(0),
    ];
    assert_eq!(replies, expected.map(Ok));
    let Ok(Reply::Values(mut members)) = one(cache, Command::Smembers(k())).await else {
        panic!("no members")
    };
    members.sort();
    assert_eq!(Reply::Values(members), some(&["b", "c"]), "in any order");
    // A set that has lost its last member is no key any more.
    assert_eq!(one(cache, Command::Srem(k(), bytes(&["b", "c"]))).await, Ok(Reply::Integer(2)));
    assert_eq!(one(cache, Command::Srem(k(), bytes(&["b"]))).await, Ok(Reply::Integer(0)));
    assert_eq!(one(cache, Command::Del(vec![k()])).await, Ok(Reply::Integer(0)));
}

async fn hashes(cache: &dyn Cache) {
    let k = || key("hash");
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, Value)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    assert_eq!(one(cache, Command::Hgetall(k())).await, Ok(Reply::Pairs(Vec::new())));
    one(cache, Command::Hset(k(), pairs(&[("o", "1"), ("h", "2")]))).await.unwrap();
    one(cache, Command::Hset(k(), pairs(&[("h", "3"), ("l", "4")]))).await.unwrap();
    let Ok(Reply::Pairs(mut fields)) = one(cache, Command::Hgetall(k())).await else { panic!("no fields") };
    fields.sort();
    assert_eq!(fields, pairs(&[("h", "3"), ("l", "4"), ("o", "1")]), "in any order, others stay");
    assert_eq!(one(cache, Command::Del(vec![k()])).await, Ok(Reply::Integer(1)));
    assert_eq!(one(cache, Command::Hgetall(k())).await, Ok(Reply::Pairs(Vec::new())));
}

async fn lists(cache: &dyn Cache) {
    let range = |start, stop| Command::Lrange(key("list"), start, stop);
    assert_eq!(one(cache, range(0, -1)).await, Ok(some(&[])));
    assert_eq!(one(cache, Command::Lpush(key("list"), bytes(&["a", "b"]))).await, Ok(Reply::Integer(2)));
    assert_eq!(one(cache, Command::Lpush(key("list"), bytes(&["c", "d"]))).await, Ok(Reply::Integer(4)));
    for (start, stop, expected) in [
        (0, -1, &["d", "c", "b", "a"][..]),
        (0, 0, &["d"]),
        (1, 2, &["c", "b"]),
        (-2, -1, &["b", "a"]),
        (-99, 1, &["d", "c"]),
        (2, 99, &["b", "a"]),
        (3, 1, &[]),
        (4, 9, &[]),
        (0, -5, &[]),
        (0, -4, &["d"]),
        (i64::MIN, i64::MAX, &["d", "c", "b", "a"]),
    ] {
        assert_eq!(one(cache, range(start, stop)).await, Ok(some(expected)), "{start} to {stop}");
    }
    assert_eq!(one(cache, Command::Ltrim(key("list"), 1, 2)).await, Ok(Reply::Done));
    assert_eq!(one(cache, range(0, -1)).await, Ok(some(&["c", "b"])));
    assert_eq!(one(cache, Command::Ltrim(key("list"), 5, 9)).await, Ok(Reply::Done));
    assert_eq!(one(cache, range(0, -1)).await, Ok(some(&[])));
}

/// The script that the functions need.
async fn oldest(cache: &dyn Cache) {
    let drop = |expected: &[&str]| Command::Eval {
        name: edge_fns::scripts::DROP_OLDEST.into(),
        keys: vec![key("oldest")],
        args: bytes(expected),
    };
    let all = || Command::Lrange(key("oldest"), 0, -1);
    assert_eq!(one(cache, drop(&["a"])).await, Ok(Reply::Integer(0)), "there is no list");
    one(cache, Command::Lpush(key("oldest"), bytes(&["a", "b", "c", "d", "e"]))).await.unwrap();
    for (expected, taken, left) in [
        (&["b"][..], 0, &["e", "d", "c", "b", "a"][..]),
        (&[], 0, &["e", "d", "c", "b", "a"]),
        (&["a", "b"], 2, &["e", "d", "c"]),
        (&["a", "b"], 0, &["e", "d", "c"]),
        (&["c", "x", "d"], 1, &["e", "d"]),
        (&["d", "e", "f"], 2, &[]),
        (&["d"], 0, &[]),
    ] {
        assert_eq!(one(cache, drop(expected)).await, Ok(Reply::Integer(taken)), "{expected:?}");
        assert_eq!(one(cache, all()).await, Ok(some(left)), "after {expected:?}");
    }
}

async fn together(cache: &dyn Cache) {
    let replies = cache
        .run_atomic(vec![set("t1", "1"), get("t1"), Command::Sadd(key("t2"), bytes(&["m"]))])
        .await
        .unwrap();
    assert_eq!(replies, [Reply::Done, text("1"), Reply::Integer(1)]);
    assert_eq!(cache.run_atomic(Vec::new()).await.unwrap(), Vec::new());
}

/// The part that needs Valkey's kinds, expiry and patterns.
pub async fn as_valkey(cache: &dyn Cache) {
    kinds(cache).await;
    all_or_none(cache).await;
    expiry(cache).await;
    scan(cache).await;
}

async fn kinds(cache: &dyn Cache) {
    let invalid = |reply: Result<Reply>| assert!(matches!(reply, Err(Error::Invalid(_))), "{reply:?}");
    one(cache, Command::Sadd(key("k"), bytes(&["m"]))).await.unwrap();
    for command in [
        get("k"),
        Command::Hgetall(key("k")),
        Command::Hset(key("k"), vec![("f".into(), "v".into())]),
        Command::Lpush(key("k"), bytes(&["v"])),
        Command::Lrange(key("k"), 0, -1),
        Command::Ltrim(key("k"), 0, 0),
    ] {
        invalid(one(cache, command).await);
    }
    assert_eq!(one(cache, Command::Mget(vec![key("k")])).await, Ok(Reply::Values(vec![None])));
    assert_eq!(one(cache, Command::Smembers(key("k"))).await, Ok(some(&["m"])), "nothing has changed");
    // SET replaces whatever is there.
    assert_eq!(one(cache, set("k", "v")).await, Ok(Reply::Done));
    invalid(one(cache, Command::Sadd(key("k"), bytes(&["m"]))).await);
    invalid(one(cache, Command::Srem(key("k"), bytes(&["m"]))).await);
    invalid(one(cache, Command::Smembers(key("k"))).await);
    assert_eq!(
        one(cache, Command::Hset(key("h"), vec![("f".into(), "v".into())])).await,
        Ok(Reply::Integer(1))
    );
    assert_eq!(
        one(cache, Command::Hset(key("h"), vec![("f".into(), "w".into())])).await,
        Ok(Reply::Integer(0))
    );
    assert_eq!(one(cache, Command::Expire(key("none"), 10)).await, Ok(Reply::Integer(0)));
    assert_eq!(one(cache, Command::Expire(key("none"), 0)).await, Ok(Reply::Integer(0)));
    let unknown = Command::Eval { name: "no such script".into(), keys: Vec::new(), args: Vec::new() };
    assert!(one(cache, unknown).await.is_err(), "callers cannot bring their own script");
}

async fn all_or_none(cache: &dyn Cache) {
    one(cache, Command::Sadd(key("all set"), bytes(&["m"]))).await.unwrap();
    one(cache, set("all old", "before")).await.unwrap();
    let refused = cache
        .run_atomic(vec![
            set("all new", "1"),
            set("all old", "after"),
            Command::Del(vec![key("all set")]),
            Command::Sadd(key("all set"), bytes(&["other"])),
            Command::Lpush(key("all old"), bytes(&["not a list"])),
            set("all late", "1"),
        ])
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let names = ["all new", "all old", "all late"].map(key);
    let expected = Reply::Values(vec![None, Some("before".into()), None]);
    assert_eq!(one(cache, Command::Mget(names.into())).await, Ok(expected));
    assert_eq!(one(cache, Command::Smembers(key("all set"))).await, Ok(some(&["m"])));
}

/// Expiry is proved by order: a key that was given its time later marks that the time of the earlier ones is over.
async fn expiry(cache: &dyn Cache) {
    one(cache, expiring("short", 5)).await.unwrap();
    one(cache, Command::Sadd(key("short set"), bytes(&["m"]))).await.unwrap();
    one(cache, Command::Expire(key("short set"), 5)).await.unwrap();
    one(cache, expiring("kept", 5)).await.unwrap();
    one(cache, set("kept", "for good")).await.unwrap();
    one(cache, expiring("longer", 5)).await.unwrap();
    one(cache, Command::Expire(key("longer"), 3_600_000)).await.unwrap();
    one(cache, Command::Hset(key("changed"), vec![("f".into(), "v".into())])).await.unwrap();
    one(cache, Command::Expire(key("changed"), 5)).await.unwrap();
    let _ = one(cache, Command::Hset(key("changed"), vec![("g".into(), "v".into())])).await;
    one(cache, expiring("mark", 20)).await.unwrap();
    while one(cache, get("mark")).await.unwrap() != Reply::Nil {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(one(cache, get("short")).await, Ok(Reply::Nil));
    assert_eq!(one(cache, Command::Smembers(key("short set"))).await, Ok(some(&[])));
    assert_eq!(one(cache, Command::Del(vec![key("short")])).await, Ok(Reply::Integer(0)));
    assert_eq!(one(cache, get("kept")).await, Ok(text("for good")), "SET takes the time to live away");
    assert_eq!(one(cache, get("longer")).await, Ok(text("x")), "EXPIRE sets it anew");
    assert_eq!(
        one(cache, Command::Hgetall(key("changed"))).await,
        Ok(Reply::Pairs(Vec::new())),
        "HSET keeps it"
    );
    // What comes after an expired key is new.
    let absent = SetOptions { px: None, only_if_absent: true };
    assert_eq!(one(cache, Command::Set(key("short"), "y".into(), absent)).await, Ok(Reply::Done));
    assert_eq!(one(cache, Command::Sadd(key("short set"), bytes(&["n"]))).await, Ok(Reply::Integer(1)));
    assert_eq!(one(cache, Command::Smembers(key("short set"))).await, Ok(some(&["n"])));
}

async fn scan(cache: &dyn Cache) {
    let names: Vec<String> = (0..25).map(|n| key(&format!("scan:{n}:x"))).collect();
    for name in &names {
        one(cache, Command::Set(name.clone(), "1".into(), SetOptions::default())).await.unwrap();
    }
    for (pattern, count, expected) in [
        ("scan:*", 7, 25),
        ("scan:*:x", 1, 25),
        ("scan:?:x", 100, 10),
        ("scan:1*:?", 10, 11),
        ("scan:1", 10, 0),
        (r"scan:\*:x", 10, 0),
    ] {
        let mut found = Vec::new();
        let mut cursor = 0;
        loop {
            let page = Command::Scan { cursor, pattern: key(pattern), count };
            let Ok(Reply::Page(next, keys)) = one(cache, page).await else { panic!("no page") };
            found.extend(keys);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        // Valkey may name a key twice.
        found.sort();
        found.dedup();
        assert_eq!(found.len(), expected, "{pattern}");
        assert!(found.iter().all(|name| names.contains(name)));
    }
}
