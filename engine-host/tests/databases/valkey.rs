//! The cache: one server and a cluster do what the exchange asks of Valkey; scripts outlive a server that forgets them; a
//! writer that has lost its symbols writes nothing.

use crate::conformance::cache;
use crate::servers::{self, Server};
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::{Cache, Error};
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::backends::valkey::{Options, ValkeyCache};
use engine_host::engine::{MARKET_DATA_SCRIPT, market_data_commands, market_data_script};
use std::time::Duration;

async fn cache_of(server: &Server) -> ValkeyCache {
    ValkeyCache::connect(Options::new("127.0.0.1", server.port)).await.unwrap()
}

#[tokio::test]
async fn one_server() {
    let Some(server) = servers::valkey(&[]) else { return };
    let cache = cache_of(&server).await;
    cache::suite(&cache).await;
    cache::as_valkey(&cache).await;
    let info = cache.server().await.unwrap();
    assert!(info.version.starts_with("valkey 9."), "{info:?}");
    assert_eq!(info.mode, "standalone");
}

#[tokio::test]
async fn a_cluster() {
    let Some(nodes) = servers::valkey_cluster() else { return };
    let options = Options { cluster: true, ..Options::new("127.0.0.1", nodes[0].port) };
    let cache = ValkeyCache::connect(options).await.unwrap();
    cache::suite(&cache).await;
    cache::as_valkey(&cache).await;
    assert_eq!(cache.server().await.unwrap().mode, "cluster");
}

#[tokio::test]
async fn a_password_and_a_wrong_one() {
    let Some(server) = servers::valkey(&["--requirepass", "right"]) else { return };
    let with = |password: Option<&str>| Options {
        password: password.map(Into::into),
        timeout: Duration::from_millis(500),
        ..Options::new("127.0.0.1", server.port)
    };
    let cache = ValkeyCache::connect(with(Some("right"))).await.unwrap();
    assert_eq!(cache.run(vec![Command::Get("x".into())]).await.unwrap(), [Ok(Reply::Nil)]);
    for password in [Some("wrong"), None] {
        let refused = async {
            let cache = ValkeyCache::connect(with(password)).await?;
            cache.run(vec![Command::Get("x".into())]).await?.remove(0)
        };
        assert!(matches!(refused.await, Err(Error::Denied(_))), "{password:?}");
    }
}

fn set(key: &str) -> Command {
    Command::Set(key.into(), b"1".to_vec(), SetOptions::default())
}

/// What is lost comes again, and nothing hangs meanwhile.
#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    let Some(mut server) = servers::valkey(&[]) else { return };
    let options = Options { timeout: Duration::from_millis(300), ..Options::new("127.0.0.1", server.port) };
    let cache = ValkeyCache::connect(options).await.unwrap();
    assert_eq!(cache.run(vec![set("before")]).await.unwrap(), [Ok(Reply::Done)]);
    server.kill();
    let down = cache.run(vec![set("meanwhile")]).await.and_then(|mut replies| replies.remove(0));
    assert!(matches!(down, Err(Error::Unavailable(_) | Error::Timeout)), "{down:?}");
    server.restart();
    let mut tries = 0;
    loop {
        tries += 1;
        match cache.run(vec![Command::Get("before".into())]).await.and_then(|mut replies| replies.remove(0)) {
            Ok(reply) => break assert_eq!(reply, Reply::Nil, "it keeps nothing"),
            Err(error) => assert!(tries < 200, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Folds trades, and what the engine writes of them after each.
fn market() -> Vec<Vec<Command>> {
    let mut shard = Shard::new(SEOUL_DAY_OFFSET_S);
    let mut output = Output::default();
    let order = |id: usize, side: bool, price: u64| {
        format!(
            r#"{{"action":"ADD","symbol":"TEST","order_id":"o{id}","user_id":"u{}","is_buy":{side},"price":{price},"quantity":5}}"#,
            id % 3
        )
    };
    (0..40)
        .map(|n| {
            output.clear();
            let body = order(n, n.is_multiple_of(2), 100 + (n as u64 * 7) % 5);
            let time = 1_765_894_800_000 + n as u64 * 9_000;
            shard.apply(n as u64 + 1, time, body.as_bytes(), &mut output).unwrap();
            market_data_commands(&shard, &output, |_| 0)
        })
        .collect()
}

const READ: [&str; 3] = ["depth:TEST", "ticker:TEST", "ohlc:TEST"];

async fn shown(cache: &dyn Cache) -> Vec<Reply> {
    let mut reads: Vec<Command> = READ.map(|key| Command::Get(key.into())).into();
    reads.push(Command::Hgetall("candle:1m:TEST".into()));
    reads.push(Command::Hgetall("seq:TEST".into()));
    reads.push(Command::Lrange("trades:TEST".into(), 0, -1));
    reads.push(Command::Lrange("candle:closed:1m:TEST".into(), 0, -1));
    let replies = cache.run(reads).await.unwrap().into_iter().map(|reply| match reply.unwrap() {
        Reply::Pairs(mut pairs) => {
            pairs.sort();
            Reply::Pairs(pairs)
        }
        other => other,
    });
    replies.collect()
}

/// The script in Lua and the embedded cache's own do the same, whether it is one server, a cluster, or one that has just lost all scripts.
#[tokio::test]
async fn the_engines_script() {
    let embedded = EmbeddedCache::in_memory();
    embedded.register(MARKET_DATA_SCRIPT, market_data_script);
    let steps = market();
    for commands in &steps {
        embedded.run(commands.clone()).await.unwrap().into_iter().for_each(|reply| drop(reply.unwrap()));
    }
    let expected = shown(&embedded).await;
    assert!(expected.iter().all(|reply| *reply != Reply::Nil), "{expected:?}");

    let Some(server) = servers::valkey(&[]) else { return };
    let cache = cache_of(&server).await;
    for (n, commands) in steps.iter().enumerate() {
        if n == 20 {
            // A server that was started anew knows no script.
            let mut raw = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
            let _: () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut raw).unwrap();
        }
        for reply in cache.run(commands.clone()).await.unwrap() {
            reply.unwrap();
        }
    }
    assert_eq!(shown(&cache).await, expected);
    // What is old changes nothing.
    for commands in &steps[..10] {
        cache.run(commands.clone()).await.unwrap().into_iter().for_each(|reply| drop(reply.unwrap()));
    }
    assert_eq!(shown(&cache).await, expected);

    let Some(nodes) = servers::valkey_cluster() else { return };
    let options = Options { cluster: true, ..Options::new("127.0.0.1", nodes[0].port) };
    let cluster = ValkeyCache::connect(options).await.unwrap();
    for commands in &steps {
        cluster.run(commands.clone()).await.unwrap().into_iter().for_each(|reply| drop(reply.unwrap()));
    }
    assert_eq!(shown(&cluster).await, expected);
}

#[tokio::test]
async fn an_older_fence_writes_nothing() {
    let Some(server) = servers::valkey(&[]) else { return };
    let cache = cache_of(&server).await;
    let steps = market();
    let (first, second) = (cache.fenced(1), cache.fenced(2));
    for commands in &steps[..10] {
        first.run(commands.clone()).await.unwrap().into_iter().for_each(|reply| drop(reply.unwrap()));
    }
    for commands in &steps[10..20] {
        second.run(commands.clone()).await.unwrap().into_iter().for_each(|reply| drop(reply.unwrap()));
    }
    let before = shown(&cache).await;
    for commands in steps[20..].iter().filter(|commands| !commands.is_empty()) {
        let replies = first.run(commands.clone()).await.unwrap();
        assert!(replies.iter().all(|reply| matches!(reply, Err(Error::Denied(_)))), "{replies:?}");
    }
    assert_eq!(shown(&cache).await, before);
}
