//! Connections that are no more leave the cache, wherever they stand in it and wherever the work breaks off; the others,
//! and those that are only just coming, stay.

use edge_fns::capability::Error;
use edge_fns::connect::{self, Session};
use edge_fns::executor::ready;
use edge_fns::socket::Event;
use edge_fns::testing::{Fault, Memory};
use edge_fns::timer::Timer;
use edge_fns::{stale_connections, subscribe};

fn clean(memory: &Memory) -> Result<(), Error> {
    let ports = stale_connections::Ports { base: memory, cache: memory, connections: memory };
    let due = memory.state().now;
    ready(stale_connections::handle(&ports, Timer { name: "stale-connections".into(), due })).unwrap()
}

fn open(memory: &Memory, connection: &str, user: Option<&str>) {
    let about = user.map(|user| {
        vec![("query:userId".into(), user.to_owned()), ("query:testMode".into(), "true".to_owned())]
    });
    let ports = connect::Ports { base: memory, identity: memory, cache: memory };
    let event = Event::Opened(about.unwrap_or_default());
    assert!(ready(connect::handle(&ports, connection, event)).unwrap().accept);
}

fn watch(memory: &Memory, connection: &str, message: &str) {
    let ports = subscribe::Ports { base: memory, cache: memory };
    let reply = ready(subscribe::handle(&ports, connection, Event::Message(message.into()))).unwrap();
    assert!(String::from_utf8(reply.body.unwrap()).unwrap().contains("subscribed"));
}

/// Living and dead connections of every sort; the dead ones' names begin with `dead`.
fn world() -> Memory {
    let memory = Memory::exchange(&["AAA", "BBB", "CCC"]);
    for (connection, user) in [
        ("live-1", Some("test-ann")),
        ("live-2", None),
        ("dead-1", Some("test-ann")),
        ("dead-2", None),
        ("dead-3", Some("test-ben")),
        ("dead-expired", Some("test-ben")),
    ] {
        open(&memory, connection, user);
    }
    watch(&memory, "live-1", r#"{"action":"subscribe","main":"AAA","sub":["BBB"]}"#);
    watch(&memory, "dead-1", r#"{"action":"subscribe","main":"AAA","sub":["CCC"]}"#);
    watch(&memory, "dead-2", r#"{"action":"subscribe","main":"CCC"}"#);
    watch(&memory, "dead-expired", r#"{"action":"subscribe","main":"CCC","sub":["BBB"]}"#);
    let mut state = memory.state();
    // Its own keys have expired; it still stands in the sets.
    for key in ["ws:dead-expired", "conn:dead-expired:main"] {
        state.strings.remove(key);
    }
    state.sets.remove("conn:dead-expired:sub");
    state.online.extend(["live-1".to_owned(), "live-2".to_owned()]);
    state.now += 100_000;
    drop(state);
    // Accepted a moment ago, and not to be pushed to yet.
    open(&memory, "coming", Some("test-cho"));
    memory
}

fn check(memory: &Memory) {
    let state = memory.state();
    for (set, members) in &state.sets {
        assert!(!members.iter().any(|member| member.starts_with(b"dead")), "{set}: {members:?}");
    }
    assert!(state.strings.keys().all(|key| !key.contains("dead")), "{:?}", state.strings.keys());
    for connection in ["live-1", "live-2", "coming"] {
        let session: Session = serde_json::from_slice(&state.strings[&format!("ws:{connection}")]).unwrap();
        if session.is_logged_in {
            let own = &state.sets[&format!("user:{}:connections", session.user_id)];
            assert!(own.contains(connection.as_bytes()));
            assert!(state.sets["realtime:connections"].contains(connection.as_bytes()));
        }
    }
    let watched: Vec<&[u8]> = state.sets["subscribed:symbols"].iter().map(Vec::as_slice).collect();
    assert_eq!(watched, [b"AAA", b"BBB"], "nobody watches CCC any more");
    assert!(state.sent.is_empty(), "nobody was sent anything");
}

#[test]
fn the_dead_leave_and_the_others_stay() {
    let memory = world();
    clean(&memory).unwrap();
    check(&memory);
    clean(&memory).unwrap();
    check(&memory);
    // Once its time of grace is over, one that never came is as dead as any.
    memory.state().now += 100_000;
    clean(&memory).unwrap();
    assert!(!memory.state().strings.contains_key("ws:coming"));
}

#[test]
fn it_may_end_after_any_call() {
    let before = world();
    let straight = before.clone();
    let first = straight.calls();
    clean(&straight).unwrap();
    let calls = straight.calls() - first;
    assert!(calls > 10, "{calls}");
    for call in 0..calls {
        for fault in [None, Some(Fault::After), Some(Fault::Before(Error::Throttled(None)))] {
            let broken = before.clone();
            match fault.clone() {
                None => broken.crash_after(call),
                Some(fault) => broken.fail(call, fault),
            }
            assert!(clean(&broken).is_err(), "{fault:?} at {call} is said");
            broken.restart();
            clean(&broken).unwrap();
            check(&broken);
        }
    }
}
