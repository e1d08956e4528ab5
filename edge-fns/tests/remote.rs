//! Capabilities over HTTP answer as the capabilities themselves do, and their protocol is what its description says.

use async_trait::async_trait;
use edge_fns::capability::blobs::{Condition, Range, Read};
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::documents::{Entry, Expect, Id, Outcome, Query, Write};
use edge_fns::capability::sql::Value;
use edge_fns::capability::streams::Message;
use edge_fns::capability::wallet::{Asset, Movement, Party, Posted};
use edge_fns::capability::{
    Base, Blobs, Cache, Connections, Documents, Error, Identity, LogStreams, Result, Sql, Wallet, blobs,
};
use edge_fns::executor::ready;
use edge_fns::http::Request;
use edge_fns::order_router::{self, Ports};
use edge_fns::remote::{Post, Remote, RemoteBase, Served, Session, Sessions, accept};
use edge_fns::testing::{Fault, Memory};
use std::sync::{Arc, Mutex};

/// Hands the bodies to the server without a network between, and keeps them.
#[derive(Clone)]
struct Wire {
    memory: Arc<Memory>,
    said: Arc<Mutex<Vec<(String, String)>>>,
}

impl Wire {
    fn to(memory: &Arc<Memory>) -> Wire {
        Wire { memory: memory.clone(), said: Arc::default() }
    }
}

#[async_trait]
impl Post for Wire {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let answer = self.memory.served().answer(&body).await;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("JSON is text");
        self.said.lock().unwrap().push((text(&body), text(&answer)));
        accept(200, answer)
    }
}

/// A server that always says the same.
struct Says(u16, &'static str);

#[async_trait]
impl Post for Says {
    async fn post(&self, _body: Vec<u8>) -> Result<Vec<u8>> {
        accept(self.0, self.1.into())
    }
}

fn now<T>(answer: impl Future<Output = T>) -> T {
    ready(answer).expect("nothing waits here")
}

fn exchange() -> Arc<Memory> {
    let memory = Memory::exchange(&["TEST"]);
    let deposit =
        Movement::Deposit { id: "d".into(), user: "ann".into(), asset: Asset::Cash, amount: 5_000_000 };
    now(Wallet::post(&memory, vec![deposit])).unwrap();
    Arc::new(memory)
}

fn order() -> Request {
    Request {
        method: "POST".into(),
        path: "/orders".into(),
        headers: vec![("authorization".into(), "Bearer user:ann".into())],
        body: br#"{"symbol":"TEST","side":"BUY","price":1000,"quantity":10}"#.to_vec(),
        ..Request::default()
    }
}

#[test]
fn a_function_answers_the_same_over_the_wire() {
    let direct = exchange();
    direct.open();
    let m = direct.as_ref();
    let ports = Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
    let expected = now(order_router::handle(&ports, order()));

    let served = exchange();
    let remote = Remote(Wire::to(&served));
    let base = RemoteBase::new(remote.clone(), Arc::new(Memory::default()));
    now(base.open()).unwrap();
    let r = &remote;
    let ports = Ports { base: &base, identity: r, cache: r, documents: r, wallet: r, streams: r };
    let answer = now(order_router::handle(&ports, order()));

    assert_eq!(expected.status, 202, "{}", String::from_utf8_lossy(&expected.body));
    assert_eq!(answer, expected);
    let (direct, served) = (direct.state(), served.state());
    assert_eq!(served.documents, direct.documents);
    assert_eq!(served.streams, direct.streams);
    assert_eq!(served.money.accounts, direct.money.accounts);
    assert_eq!(served.money.holds, direct.money.holds);
}

#[test]
fn each_event_draws_its_own_numbers() {
    let memory = exchange();
    let base = RemoteBase::new(Remote(Wire::to(&memory)), Arc::new(Memory::default()));
    let mut drawn = Vec::new();
    for _ in 0..3 {
        now(base.open()).unwrap();
        drawn.extend([base.random(10), base.random(10)]);
        assert_eq!(base.now(), memory.now());
    }
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 6);
    // A server that sets nothing leaves clock and randomness to the platform.
    let own = Arc::new(Memory::exchange(&[]));
    let base = RemoteBase::new(Remote(Says(200, r#"{"Ok":{"now":null,"random":null}}"#)), own.clone());
    now(base.open()).unwrap();
    assert_eq!(base.now(), own.now());
    assert_ne!(base.random(8), base.random(8));
}

#[test]
fn the_protocol_is_what_its_description_says() {
    let memory = exchange();
    let wire = Wire::to(&memory);
    let remote = Remote(wire.clone());
    now(async {
        remote.run(vec![Command::Sismember("active:symbols".into(), b"TEST".to_vec())]).await.unwrap();
        let set = Command::Set("k".into(), vec![0xff], SetOptions { px: Some(5), only_if_absent: true });
        remote.run_atomic(vec![set, Command::Lrange("l".into(), 0, -1)]).await.unwrap();
        remote.verify("expired").await.unwrap().unwrap_err();
        let id = Id { table: "t".into(), partition: "p".into(), sort: "s".into() };
        let write = Write { id: id.clone(), expect: Expect::Version(1 << 60), body: Some(b"{}".to_vec()) };
        Documents::put(&remote, vec![write]).await.unwrap();
        let message = Message { partition: "p".into(), body: b"b".to_vec() };
        remote.append("s", vec![message]).await.unwrap();
        remote.execute("insert", vec![vec![Value::Text("1".into()), Value::Instant(3)]]).await.unwrap();
        Wallet::post(&remote, vec![Movement::Release { hold: "h".into() }]).await.unwrap();
        remote.probe(vec!["c".into()]).await.unwrap();
        remote.close("c").await.unwrap();
        let read = Read { key: "k".into(), range: Some(Range { offset: 0, length: 9 }) };
        Blobs::get(&remote, vec![read, Read::whole("")]).await.unwrap();
    });
    let said = wire.said.lock().unwrap();
    let said: Vec<(&str, &str)> =
        said.iter().map(|(call, answer)| (call.as_str(), answer.as_str())).collect();
    let expected = [
        (
            r#"{"call":"cache.run","with":{"commands":[{"sismember":["active:symbols","TEST"]}]}}"#,
            r#"{"Ok":[{"Ok":{"integer":1}}]}"#,
        ),
        (
            r#"{"call":"cache.run_atomic","with":{"commands":[{"set":["k",{"base64":"/w=="},{"px":5,"only_if_absent":true}]},{"lrange":["l",0,-1]}]}}"#,
            r#"{"Ok":["done",{"values":[]}]}"#,
        ),
        (r#"{"call":"identity.verify","with":{"token":"expired"}}"#, r#"{"Ok":{"Err":"expired"}}"#),
        (
            r#"{"call":"documents.put","with":{"writes":[{"id":{"table":"t","partition":"p","sort":"s"},"expect":{"version":"1152921504606846976"},"body":"{}"}]}}"#,
            r#"{"Ok":[{"stale":null}]}"#,
        ),
        (
            r#"{"call":"streams.append","with":{"stream":"s","messages":[{"partition":"p","body":"b"}]}}"#,
            r#"{"Ok":[{"Ok":"1"}]}"#,
        ),
        (
            r#"{"call":"sql.execute","with":{"statement":"insert","params":[[{"text":"1"},{"instant":3}]]}}"#,
            r#"{"Ok":1}"#,
        ),
        (
            r#"{"call":"wallet.post","with":{"movements":[{"release":{"hold":"h"}}]}}"#,
            r#"{"Ok":[{"Ok":"done"}]}"#,
        ),
        (r#"{"call":"connections.probe","with":{"ids":["c"]}}"#, r#"{"Ok":[{"Ok":false}]}"#),
        (r#"{"call":"connections.close","with":{"id":"c"}}"#, r#"{"Ok":null}"#),
        (
            r#"{"call":"blobs.get","with":{"reads":[{"key":"k","range":{"offset":0,"length":9}},{"key":"","range":null}]}}"#,
            r#"{"Ok":[{"Ok":null},{"Err":{"invalid":"a key has 1 to 1024 bytes, not 0"}}]}"#,
        ),
    ];
    assert_eq!(said, expected);
}

#[test]
fn every_call_brings_back_what_the_capability_says() {
    let memory = exchange();
    let remote = Remote(Wire::to(&memory));
    now(async {
        let id = |sort: &str| Id { table: "t".into(), partition: "p".into(), sort: sort.into() };
        let write = |sort: &str, body: &[u8]| Write {
            id: id(sort),
            expect: Expect::Absent,
            body: Some(body.to_vec()),
        };
        assert_eq!(Documents::put(&remote, vec![write("a", b"\xfe")]).await, Ok(vec![Outcome::Written(1)]));
        let entry = Entry { id: id("a"), version: 1, body: b"\xfe".to_vec() };
        let stale = Outcome::Stale(Some(entry.clone()));
        assert_eq!(remote.put_all(vec![write("b", b""), write("a", b"")]).await, Ok(stale));
        assert_eq!(
            Documents::get(&remote, vec![id("a"), id("b")]).await,
            Ok(vec![Some(entry.clone()), None])
        );
        let query = Query {
            table: "t".into(),
            partition: "p".into(),
            lower: Some("a".into()),
            upper: None,
            limit: 1,
            descending: true,
            cursor: None,
        };
        assert_eq!(Documents::search(&remote, query).await.unwrap().entries, [entry]);
        let party = |user: &str, hold: &str| Party { user: user.into(), hold: hold.into(), refund: 1 };
        let movements = vec![
            Movement::Reserve { hold: "h".into(), user: "ann".into(), asset: Asset::Cash, amount: u64::MAX },
            Movement::Settle {
                fill: "f".into(),
                symbol: "TEST".into(),
                cash: 1,
                quantity: 1,
                buyer: party("ann", "none"),
                seller: party("bob", "none"),
            },
            Movement::Adjust { id: "x".into(), hold: "h".into(), absorb: None, keep: 0 },
        ];
        let posted = Wallet::post(&remote, movements.clone()).await.unwrap();
        let direct = Wallet::post(exchange().as_ref(), movements).await.unwrap();
        assert_eq!(posted, direct);
        assert_eq!(posted[0], Ok(Posted::Insufficient(5_000_000)));
        assert!(
            matches!(posted[1], Err(Error::Invalid(_))) && matches!(posted[2], Err(Error::Unavailable(_)))
        );
        assert_eq!(remote.balances("ann").await, memory.balances("ann").await);
        let commands = vec![
            Command::Hset("h".into(), vec![("f".into(), b"v".to_vec())]),
            Command::Hgetall("h".into()),
            Command::Get("none".into()),
            Command::Eval { name: "none".into(), keys: vec![], args: vec![vec![0xff]] },
        ];
        let direct = exchange().run(commands.clone()).await.unwrap();
        let replies = remote.run(commands).await.unwrap();
        assert_eq!(replies[1], Ok(Reply::Pairs(vec![("f".into(), b"v".to_vec())])));
        assert_eq!(replies[2], Ok(Reply::Nil));
        assert!(replies[3].is_err());
        assert_eq!(replies, direct);
        let rows = Sql::query(&remote, "none", vec![Value::Null, Value::Bytes(vec![0])]).await.unwrap();
        assert!(rows.rows.is_empty());
        memory.state().online.insert("c".into());
        let push = Push { to: vec!["c".into(), "d".into()], body: b"hi".to_vec() };
        let delivered = Connections::post(&remote, vec![push]).await;
        assert_eq!(delivered, Ok(vec![vec![Ok(Delivery::Sent), Ok(Delivery::Gone)]]));
        let write = || blobs::Write { key: "k".into(), condition: Condition::Absent, body: vec![0xff; 3] };
        let put = Blobs::put(&remote, vec![write(), write()]).await.unwrap();
        assert!(
            matches!(&put[..], [Ok(blobs::Outcome::Written(new)), Ok(blobs::Outcome::Lost(Some(old)))] if new == old)
        );
        let found = Blobs::get(&remote, vec![Read::whole("k")]).await;
        assert_eq!(found, Blobs::get(memory.as_ref(), vec![Read::whole("k")]).await);
        let query = || blobs::Query { prefix: "k".into(), limit: 5, cursor: None };
        assert_eq!(Blobs::search(&remote, query()).await, Blobs::search(memory.as_ref(), query()).await);
        assert_eq!(remote.delete(vec!["k".into()]).await, Ok(vec![Ok(())]));
        assert_eq!(Blobs::search(&remote, query()).await, Ok(blobs::Page::default()));
        assert_eq!(remote.verify("user:ann").await, memory.verify("user:ann").await);
    });
}

#[test]
fn errors_and_broken_answers_are_told_apart() {
    let memory = exchange();
    let remote = Remote(Wire::to(&memory));
    for error in [
        Error::Invalid("i".into()),
        Error::Denied("d".into()),
        Error::Throttled(None),
        Error::Throttled(Some(7)),
        Error::Timeout,
        Error::Unavailable("u".into()),
        Error::Internal("x".into()),
    ] {
        memory.fail(0, Fault::Before(error.clone()));
        assert_eq!(now(remote.balances("ann")), Err(error));
    }
    let balances = |status, body| now(Remote(Says(status, body)).balances("ann"));
    assert_eq!(balances(504, ""), Err(Error::Timeout));
    assert_eq!(balances(429, ""), Err(Error::Throttled(None)));
    assert!(matches!(balances(403, ""), Err(Error::Denied(_))));
    assert!(matches!(balances(413, ""), Err(Error::Invalid(_))));
    assert!(matches!(balances(503, ""), Err(Error::Unavailable(_))));
    for (status, body) in [(500, ""), (302, ""), (200, ""), (200, r#"{"Ok":7}"#), (200, "<html>")] {
        assert!(matches!(balances(status, body), Err(Error::Internal(_))), "{status} {body}");
    }
    // Fewer answers than questions.
    let run = Remote(Says(200, r#"{"Ok":[]}"#)).run(vec![Command::Get("k".into())]);
    assert!(matches!(now(run), Err(Error::Internal(_))));
}

#[test]
fn what_is_no_call_is_refused_and_what_is_not_served_denied() {
    let memory = exchange();
    let answer = |body: &str| String::from_utf8(now(memory.served().answer(body.as_bytes()))).unwrap();
    for body in [
        "",
        "{}",
        r#"{"call":"cache.flush","with":{}}"#,
        r#"{"call":"wallet.balances","with":{}}"#,
        r#"{"call":"wallet.balances","with":{"user":"a"},"more":1}"#,
        r#"{"call":"wallet.post","with":{"movements":[{"release":{"hold":1}}]}}"#,
    ] {
        assert!(answer(body).starts_with(r#"{"Err":{"invalid":"#), "{body}: {}", answer(body));
    }
    let none = Served::default();
    let said = now(none.answer(br#"{"call":"wallet.balances","with":{"user":"a"}}"#));
    assert_eq!(said, br#"{"Err":{"denied":"wallet is not served here"}}"#);
    let said = now(none.answer(br#"{"call":"base.open","with":{}}"#));
    let session: Result<Session> = serde_json::from_slice(&said).unwrap();
    assert_eq!(session, Ok(Session::default()));
}
