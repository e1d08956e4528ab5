//! The hub of connections: what a reader finds, however it and the writers take turns. Events come all and in order; of a
//! state, the last one put is the last one read.

use crate::support::block_on;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Error};
use engine_host::backends::embedded::hub::{Hub, Info, MAX_MESSAGE};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn info() -> Info {
    Info { connected_at: 1, last_active_at: 1, source: "test".into(), user_agent: String::new() }
}

fn push(to: &[&str], body: &[u8]) -> Push {
    Push { to: to.iter().map(|id| id.to_string()).collect(), body: body.to_vec() }
}

#[derive(Clone, Debug)]
enum Step {
    /// Kind and symbol; the number makes each message another one.
    Put(usize, usize),
    Take,
}

const STATES: [&str; 3] = ["d", "t", "candle"];
const EVENTS: [&str; 4] = ["x", "order", "candle_close", "subscribed"];
const SYMBOLS: [&str; 3] = ["A", "AA", "B"];

fn step() -> impl Strategy<Value = Step> {
    let kinds = STATES.len() + EVENTS.len();
    prop_oneof![8 => (0..kinds, 0..SYMBOLS.len()).prop_map(|(kind, symbol)| Step::Put(kind, symbol)), 1 => Just(Step::Take)]
}

proptest! {
    #[test]
    fn states_conflate_and_events_keep_their_order(steps in proptest::collection::vec(step(), 0..120)) {
        let hub = Hub::default();
        let mailbox = hub.open("c", info());
        let (mut events, mut states) = (Vec::new(), BTreeMap::new());
        let (mut events_read, mut states_read) = (Vec::new(), BTreeMap::new());
        let mut waiting = 0;
        let mut read = |messages: Vec<Arc<[u8]>>| {
            let mut kinds = Vec::new();
            for message in messages {
                let text = String::from_utf8(message.to_vec()).unwrap();
                let kind = text.split(",\"n\"").next().unwrap().to_string();
                if STATES.iter().any(|state| kind.starts_with(&format!("{{\"e\":\"{state}\","))) {
                    assert!(!kinds.contains(&kind), "two of {kind} waited");
                    kinds.push(kind.clone());
                    states_read.insert(kind, text);
                } else {
                    events_read.push(text);
                }
            }
        };
        block_on(async {
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put(kind, symbol) => {
                        let name = STATES.iter().chain(&EVENTS).nth(kind).unwrap();
                        let head = format!(r#"{{"e":"{name}","s":"{}""#, SYMBOLS[symbol]);
                        let message = format!(r#"{head},"n":{n}}}"#);
                        let answers = hub.post(vec![push(&["c"], message.as_bytes())]).await.unwrap();
                        assert_eq!(answers, [[Ok(Delivery::Sent)]]);
                        if kind < STATES.len() { drop(states.insert(head, message)) } else { events.push(message) }
                        waiting += 1;
                    }
                    Step::Take if waiting > 0 => {
                        waiting = 0;
                        read(mailbox.take().await.unwrap());
                    }
                    Step::Take => {}
                }
            }
            hub.remove("c");
            // What waits is still delivered, then it is over.
            while let Some(messages) = mailbox.take().await {
                read(messages);
            }
        });
        prop_assert_eq!(events_read, events);
        prop_assert_eq!(states_read, states);
    }
}

#[tokio::test]
async fn answers_are_in_the_order_of_the_addressees() {
    let hub = Hub::default();
    let (one, two) = (hub.open("1", info()), hub.open("2", info()));
    let huge = vec![b'x'; MAX_MESSAGE + 1];
    let pushes = vec![
        push(&["2", "none", "1"], b"a"),
        push(&["1", "2"], &huge),
        push(&[], b"b"),
        push(&["2"], &huge[1..]),
    ];
    let answers = hub.post(pushes).await.unwrap();
    assert_eq!(answers[0], [Ok(Delivery::Sent), Ok(Delivery::Gone), Ok(Delivery::Sent)]);
    assert!(matches!(answers[1][..], [Err(Error::Invalid(_)), Err(Error::Invalid(_))]));
    assert_eq!((&answers[2][..], &answers[3][..]), (&[][..], &[Ok(Delivery::Sent)][..]));
    assert_eq!(one.take().await.unwrap().len(), 1, "the one that was too large did not come");
    assert_eq!(two.take().await.unwrap().len(), 2);
    one.active(77);
    assert_eq!(hub.info("1").unwrap().last_active_at, 77);
    hub.close("1").await.unwrap();
    hub.close("none").await.unwrap();
    assert_eq!((hub.len(), one.take().await), (1, None));
    hub.close_all();
    assert!(hub.is_empty());
    assert_eq!(two.take().await, None);
}

/// A reader that waits is woken by a message and by the end; nothing is lost between threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_threads() {
    const WRITERS: usize = 4;
    const EACH: usize = 1000;
    let hub = Arc::new(Hub::default());
    let mailbox = hub.open("c", info());
    let reader = tokio::spawn(async move {
        let mut read = 0;
        while let Some(messages) = mailbox.take().await {
            read += messages.len();
        }
        read
    });
    let writers = (0..WRITERS).map(|writer| {
        let hub = hub.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                let body = format!(r#"{{"e":"order","n":{writer}/{n}}}"#);
                assert_eq!(
                    hub.post(vec![push(&["c"], body.as_bytes())]).await.unwrap(),
                    [[Ok(Delivery::Sent)]]
                );
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    hub.remove("c");
    assert_eq!(reader.await.unwrap(), WRITERS * EACH);
}
