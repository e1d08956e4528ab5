//! The WebSocket connections of this process.
//!
//! A connection has a bounded queue. Messages to its user are never dropped: where the queue is full of them, the
//! connection is closed, and its client reads what it missed when it comes back. Market data conflates: a newer message of
//! a kind and symbol takes the place of the one still waiting.

use async_trait::async_trait;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Error, Millis, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Messages waiting for one connection.
const QUEUE: usize = 4096;

/// The largest message that API Gateway, and so this hub, takes.
pub const MAX_MESSAGE: usize = 128 * 1024;

#[derive(Default)]
pub struct Hub {
    connections: Mutex<HashMap<String, Arc<Mailbox>>>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct Info {
    pub connected_at: Millis,
    pub last_active_at: Millis,
    /// The address it comes from, as far as this machine sees it.
    pub source: String,
    pub user_agent: String,
}

pub struct Mailbox {
    inner: Mutex<Inner>,
    news: Notify,
}

struct Inner {
    waiting: VecDeque<Arc<[u8]>>,
    closed: bool,
    info: Info,
}

impl Hub {
    /// Takes a connection in; its task reads the mailbox.
    pub fn open(&self, id: &str, info: Info) -> Arc<Mailbox> {
        let inner = Inner { waiting: VecDeque::new(), closed: false, info };
        let mailbox = Arc::new(Mailbox { inner: Mutex::new(inner), news: Notify::new() });
        self.lock().insert(id.into(), mailbox.clone());
        mailbox
    }

    /// The connection is over: from now on it is gone for everybody.
    pub fn remove(&self, id: &str) {
        if let Some(mailbox) = self.lock().remove(id) {
            mailbox.close();
        }
    }

    pub fn info(&self, id: &str) -> Option<Info> {
        self.lock().get(id).map(|mailbox| mailbox.lock().info.clone())
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes every connection: the process stops.
    pub fn close_all(&self) {
        self.lock().drain().for_each(|(_, mailbox)| mailbox.close());
    }

    /// A panic under this lock leaves the map whole: every operation is one insert, remove or look-up.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Mailbox>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connections for Hub {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let mut answers = Vec::with_capacity(pushes.len());
        for push in pushes {
            if push.body.len() > MAX_MESSAGE {
                let refused = || Err(Error::Invalid(format!("a message is over {MAX_MESSAGE} bytes")));
                answers.push(push.to.iter().map(|_| refused()).collect());
                continue;
            }
            let body: Arc<[u8]> = push.body.into();
            let to: Vec<_> = {
                let connections = self.lock();
                push.to.iter().map(|id| connections.get(id).cloned()).collect()
            };
            let deliver = |mailbox: Option<Arc<Mailbox>>| match mailbox {
                Some(mailbox) if mailbox.put(body.clone()) => Ok(Delivery::Sent),
                _ => Ok(Delivery::Gone),
            };
            answers.push(to.into_iter().map(deliver).collect());
        }
        Ok(answers)
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let connections = self.lock();
        Ok(ids.iter().map(|id| Ok(connections.contains_key(id))).collect())
    }

    async fn close(&self, id: &str) -> Result<()> {
        self.remove(id);
        Ok(())
    }
}

impl Mailbox {
    /// The next messages in order, at least one; `None` when the connection has been closed and nothing waits.
    pub async fn take(&self) -> Option<Vec<Arc<[u8]>>> {
        loop {
            // Registered before looking, so that news between the look and the wait is not missed.
            let news = self.news.notified();
            {
                let mut inner = self.lock();
                if !inner.waiting.is_empty() {
                    return Some(inner.waiting.drain(..).collect());
                }
                if inner.closed {
                    return None;
                }
            }
            news.await;
        }
    }

    /// The client has shown itself.
    pub fn active(&self, now: Millis) {
        self.lock().info.last_active_at = now;
    }

    /// Whether the message will be sent, as far as this side can say.
    pub fn put(&self, body: Arc<[u8]>) -> bool {
        let mut inner = self.lock();
        if inner.closed {
            return false;
        }
        let kind = conflatable(&body);
        let older =
            kind.and_then(|kind| inner.waiting.iter().position(|waiting| conflatable(waiting) == Some(kind)));
        match older {
            // A waiting message of the same kind is overtaken: only the newest state matters.
            Some(at) => inner.waiting[at] = body,
            None if inner.waiting.len() >= QUEUE => inner.closed = true,
            None => inner.waiting.push_back(body),
        }
        let taken = !inner.closed;
        drop(inner);
        self.news.notify_one();
        taken
    }

    fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message of the streamer shows: its kind and symbol, the bytes up to its third comma-separated field. Candle
/// closes, trades and statuses are events, not states: they do not conflate.
fn conflatable(body: &[u8]) -> Option<&[u8]> {
    let states: [&[u8]; 3] = [br#"{"e":"d","s":""#, br#"{"e":"t","s":""#, br#"{"e":"candle","s":""#];
    let prefix = states.iter().find(|prefix| body.starts_with(prefix))?;
    let symbol = body[prefix.len()..].iter().position(|byte| *byte == b'"')?;
    Some(&body[..prefix.len() + symbol])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> (Hub, Arc<Mailbox>) {
        let hub = Hub::default();
        let mailbox = hub.open(
            "c1",
            Info { connected_at: 1, last_active_at: 1, source: "test".into(), user_agent: String::new() },
        );
        (hub, mailbox)
    }

    async fn post(hub: &Hub, body: &str) -> Delivery {
        let push = Push { to: vec!["c1".into()], body: body.into() };
        *hub.post(vec![push]).await.unwrap()[0][0].as_ref().unwrap()
    }

    #[tokio::test]
    async fn states_conflate_and_events_do_not() {
        let (hub, mailbox) = hub();
        for body in [
            r#"{"e":"d","s":"A","t":1}"#,
            r#"{"e":"order","s":"A","n":1}"#,
            r#"{"e":"d","s":"B","t":1}"#,
            r#"{"e":"order","s":"A","n":2}"#,
            r#"{"e":"d","s":"A","t":2}"#,
        ] {
            assert_eq!(post(&hub, body).await, Delivery::Sent);
        }
        let taken: Vec<_> = mailbox
            .take()
            .await
            .unwrap()
            .iter()
            .map(|body| String::from_utf8(body.to_vec()).unwrap())
            .collect();
        assert_eq!(
            taken,
            [
                r#"{"e":"d","s":"A","t":2}"#,
                r#"{"e":"order","s":"A","n":1}"#,
                r#"{"e":"d","s":"B","t":1}"#,
                r#"{"e":"order","s":"A","n":2}"#
            ]
        );
    }

    #[tokio::test]
    async fn a_reader_that_never_reads_is_closed_and_nothing_is_dropped_before_that() {
        let (hub, mailbox) = hub();
        for n in 0..QUEUE {
            assert_eq!(post(&hub, &format!(r#"{{"e":"order","n":{n}}}"#)).await, Delivery::Sent);
        }
        assert_eq!(post(&hub, r#"{"e":"order","n":-1}"#).await, Delivery::Gone);
        assert_eq!(mailbox.take().await.unwrap().len(), QUEUE);
        assert!(mailbox.take().await.is_none());
    }

    #[tokio::test]
    async fn a_removed_connection_is_gone() {
        let (hub, mailbox) = hub();
        hub.remove("c1");
        assert_eq!(post(&hub, "x").await, Delivery::Gone);
        assert!(mailbox.take().await.is_none());
        assert!(hub.info("c1").is_none());
    }
}
