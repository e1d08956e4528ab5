//! The WebSocket clients of our own gateways, whichever of them holds the connection.
//!
//! A connection's id begins with the number of its gateway ([`Node`]), and each gateway writes now and then into the cache
//! where it is reached: `gateway:NODE`. So nothing is shared but the cache, and who pushes needs to know no gateway. One
//! that the cache has lost is asked at its last address for a while; one that nobody knows is gone, and its connections with it.

use crate::backends::embedded::hub::Hub;
use crate::backends::http::Http;
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Cache, Connections, Error, Result};
use edge_fns::remote::{Post, Remote, accept};
use futures_util::future::join_all;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderValue};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// An id's bytes: written as API Gateway writes its ids, fifteen characters and an equals sign.
const ID_BYTES: usize = 11;
const NODE_BYTES: usize = 4;
/// How often a gateway says where it is, and for how long that holds.
const SAY_EVERY: Duration = Duration::from_secs(5);
const HOLDS_MS: u32 = 30_000;
/// How long an address is used without asking the cache again.
const FRESH: Duration = Duration::from_secs(5);
/// How long one is used that the cache has lost.
const LAST_KNOWN: Duration = Duration::from_secs(60);
/// No answer of a gateway takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A gateway's number. Each has its own from its start on: connections do not outlive the process that holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node([u8; NODE_BYTES]);

impl Node {
    /// `None` where the operating system gives no randomness.
    pub fn new() -> Option<Node> {
        let mut bytes = [0; NODE_BYTES];
        getrandom::fill(&mut bytes).ok()?;
        Some(Node(bytes))
    }

    /// A new connection's id.
    pub fn connection(self) -> Option<String> {
        let mut bytes = [0; ID_BYTES];
        bytes[..NODE_BYTES].copy_from_slice(&self.0);
        getrandom::fill(&mut bytes[NODE_BYTES..]).ok()?;
        Some(BASE64_URL_SAFE.encode(bytes))
    }

    /// The gateway of a connection; `None` for what no gateway has given out.
    pub fn of(connection: &str) -> Option<Node> {
        let bytes = BASE64_URL_SAFE.decode(connection).ok().filter(|bytes| bytes.len() == ID_BYTES)?;
        Some(Node(bytes[..NODE_BYTES].try_into().ok()?))
    }

    fn key(self) -> String {
        format!("gateway:{:08x}", u32::from_be_bytes(self.0))
    }
}

/// What the cache tells the others of a gateway.
pub struct Presence {
    cache: Arc<dyn Cache>,
    node: Node,
    address: String,
    hub: Arc<Hub>,
    /// Whether the cache has been told before.
    is_told: AtomicBool,
}

impl Presence {
    pub fn new(cache: Arc<dyn Cache>, node: Node, address: String, hub: Arc<Hub>) -> Presence {
        Presence { cache, node, address, hub, is_told: AtomicBool::new(false) }
    }

    /// Says where the gateway is reached. To be done before a connection's keys are written: whoever finds those keys finds
    /// the gateway too, however new the cache is.
    ///
    /// A cache that knew it and does not know it now has lost its keys, and those of the connections with them. Nobody would
    /// push to these again: they are closed, so that their clients come back and ask for what they want.
    pub async fn tell(&self) -> Result<()> {
        let options = SetOptions { px: Some(HOLDS_MS), only_if_absent: false };
        let key = self.node.key();
        let told =
            vec![Command::Get(key.clone()), Command::Set(key, self.address.clone().into_bytes(), options)];
        let mut replies = self.cache.run(told).await?.into_iter();
        let mut reply =
            || replies.next().unwrap_or_else(|| Err(Error::Internal("a command got no reply".into())));
        let before = reply()?;
        reply()?;
        if self.is_told.swap(true, Ordering::AcqRel) && before == Reply::Nil && !self.hub.is_empty() {
            tracing::warn!(
                connections = self.hub.len(),
                "the cache has lost the connections; they are closed"
            );
            self.hub.close_all();
        }
        Ok(())
    }

    /// Tells the cache again and again, until told to stop; then that the gateway is no more.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.tell().await {
                tracing::warn!(%error, "the cache cannot be told where this gateway is");
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = sleep(SAY_EVERY) => {}
            }
        }
        // What is left goes by itself after a while.
        let _ = one(self.cache.as_ref(), Command::Del(vec![self.node.key()])).await;
    }
}

async fn one(cache: &dyn Cache, command: Command) -> Result<Reply> {
    let reply = cache.run(vec![command]).await?.into_iter().next();
    reply.unwrap_or_else(|| Err(Error::Internal("a command got no reply".into())))
}

/// The connections of all gateways.
#[derive(Clone)]
pub struct Gateways {
    cache: Arc<dyn Cache>,
    http: Http,
    authorization: HeaderValue,
    /// This process' own connections, where it is a gateway.
    own: Option<(Node, Arc<Hub>)>,
    known: Arc<Mutex<BTreeMap<Node, Known>>>,
}

#[derive(Clone)]
struct Known {
    address: String,
    /// When the cache last said so, and when it was last asked.
    said: Instant,
    asked: Instant,
}

impl Gateways {
    /// `token` opens `/@connections` of every gateway (`CAPABILITIES_TOKEN`).
    pub fn new(cache: Arc<dyn Cache>, token: &str, own: Option<(Node, Arc<Hub>)>) -> Result<Gateways> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::Invalid("CAPABILITIES_TOKEN cannot stand in a header".into()))?;
        authorization.set_sensitive(true);
        let http = Http::new(None, PATIENCE)?;
        Ok(Gateways { cache, http, authorization, own, known: Arc::default() })
    }

    /// Where a gateway is reached; `None` if there is none of this number.
    async fn address(&self, node: Node) -> Result<Option<String>> {
        let known = self.known().get(&node).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.asked.elapsed() < FRESH) {
            return Ok(Some(known.address.clone()));
        }
        let now = Instant::now();
        match one(self.cache.as_ref(), Command::Get(node.key())).await? {
            Reply::Bytes(address) => {
                let address = String::from_utf8_lossy(&address).into_owned();
                self.known().insert(node, Known { address: address.clone(), said: now, asked: now });
                Ok(Some(address))
            }
            // The cache may have lost it; the gateway says it again.
            _ => match known.filter(|known| known.said.elapsed() < LAST_KNOWN) {
                Some(known) => {
                    let address = known.address.clone();
                    self.known().insert(node, Known { asked: now, ..known });
                    Ok(Some(address))
                }
                None => {
                    tracing::debug!(gateway = node.key(), "no gateway is known by this number");
                    self.known().remove(&node);
                    Ok(None)
                }
            },
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<Node, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What answers for the connections of a gateway; `None` if it is no more.
    async fn holder(&self, node: Node) -> Result<Option<Arc<dyn Connections>>> {
        if let Some((own, hub)) = &self.own
            && *own == node
        {
            return Ok(Some(hub.clone()));
        }
        let Some(address) = self.address(node).await? else { return Ok(None) };
        let url = format!("{}/@connections", address.trim_end_matches('/'));
        let post = GatewayPost { http: self.http.clone(), url, authorization: self.authorization.clone() };
        Ok(Some(Arc::new(Remote(post))))
    }
}

/// Carries calls to a gateway.
struct GatewayPost {
    http: Http,
    url: String,
    authorization: HeaderValue,
}

#[async_trait]
impl Post for GatewayPost {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let headers = [(AUTHORIZATION, self.authorization.clone())];
        let answer = self.http.send(Method::POST, &self.url, &headers, Some(body)).await?;
        accept(answer.status.as_u16(), answer.body.to_vec())
    }
}

/// What goes to one gateway, and where each answer belongs.
struct Share<T, P> {
    asked: Vec<T>,
    places: Vec<P>,
}

impl<T, P> Default for Share<T, P> {
    fn default() -> Self {
        Share { asked: Vec::new(), places: Vec::new() }
    }
}

#[async_trait]
impl Connections for Gateways {
    /// One call a gateway, all at the same time, with the pushes to its connections in their order.
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let mut answers: Vec<Vec<Result<Delivery>>> =
            pushes.iter().map(|push| vec![Ok(Delivery::Gone); push.to.len()]).collect();
        // The place in what is asked, and the place in the answer.
        let mut shares: BTreeMap<Node, Share<Push, [usize; 4]>> = BTreeMap::new();
        for (n, push) in pushes.iter().enumerate() {
            let mut to: BTreeMap<Node, Vec<usize>> = BTreeMap::new();
            for (m, id) in push.to.iter().enumerate() {
                if let Some(node) = Node::of(id) {
                    to.entry(node).or_default().push(m);
                }
            }
            for (node, places) in to {
                let share = shares.entry(node).or_default();
                let asked = share.asked.len();
                share.places.extend(places.iter().enumerate().map(|(at, m)| [asked, at, n, *m]));
                let to = places.iter().map(|m| push.to[*m].clone()).collect();
                share.asked.push(Push { to, body: push.body.clone() });
            }
        }
        let calls = shares.into_iter().map(|(node, share)| async move {
            let posted = match self.holder(node).await {
                Ok(Some(holder)) => holder.post(share.asked).await.map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            (share.places, posted)
        });
        for (places, posted) in join_all(calls).await {
            for [asked, at, n, m] in places {
                let answer = match &posted {
                    Ok(Some(posted)) => {
                        let answer = posted.get(asked).and_then(|answers| answers.get(at)).cloned();
                        answer.unwrap_or_else(|| Err(Error::Internal("a gateway gave no answer".into())))
                    }
                    Ok(None) => Ok(Delivery::Gone),
                    Err(error) => Err(error.clone()),
                };
                answers[n][m] = answer;
            }
        }
        Ok(answers)
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let mut answers = vec![Ok(false); ids.len()];
        let mut shares: BTreeMap<Node, Share<String, usize>> = BTreeMap::new();
        for (n, id) in ids.into_iter().enumerate() {
            if let Some(node) = Node::of(&id) {
                let share = shares.entry(node).or_default();
                share.asked.push(id);
                share.places.push(n);
            }
        }
        let calls = shares.into_iter().map(|(node, share)| async move {
            let probed = match self.holder(node).await {
                Ok(Some(holder)) => holder.probe(share.asked).await,
                Ok(None) => Ok(vec![Ok(false); share.asked.len()]),
                Err(error) => Err(error),
            };
            (share.places, probed)
        });
        for (places, probed) in join_all(calls).await {
            for (at, n) in places.into_iter().enumerate() {
                answers[n] = match &probed {
                    Ok(probed) => probed.get(at).cloned().unwrap_or(Ok(false)),
                    Err(error) => Err(error.clone()),
                };
            }
        }
        Ok(answers)
    }

    async fn close(&self, id: &str) -> Result<()> {
        let Some(node) = Node::of(id) else { return Ok(()) };
        match self.holder(node).await? {
            Some(holder) => holder.close(id).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::embedded::cache::EmbeddedCache;
    use crate::backends::embedded::hub::Info;

    #[tokio::test]
    async fn connections_that_the_cache_has_lost_are_closed() {
        let (hub, cache) = (Arc::new(Hub::default()), Arc::new(EmbeddedCache::in_memory()));
        let node = Node([1, 2, 3, 4]);
        let open = |id: &str| {
            let info =
                Info { connected_at: 1, last_active_at: 1, source: "test".into(), user_agent: String::new() };
            hub.open(id, info)
        };
        let presence = Presence::new(cache.clone(), node, "http://there".into(), hub.clone());
        // Opened while the cache could not be told yet: nothing is lost.
        let first = open("first");
        for _ in 0..3 {
            presence.tell().await.unwrap();
        }
        let gateways = Gateways::new(cache.clone(), "token", None).unwrap();
        assert_eq!(gateways.address(node).await.unwrap().as_deref(), Some("http://there"));
        assert!(first.put(b"x"[..].into()) && hub.len() == 1);

        one(cache.as_ref(), Command::Del(vec![node.key()])).await.unwrap();
        presence.tell().await.unwrap();
        assert!(!first.put(b"x"[..].into()) && hub.is_empty());
        let second = open("second");
        presence.tell().await.unwrap();
        assert!(second.put(b"x"[..].into()));
    }

    #[test]
    fn a_connections_id_names_its_gateway() {
        let (one, other) = (Node([0, 1, 2, 255]), Node([9, 9, 9, 9]));
        let id = one.connection().unwrap();
        assert_eq!((id.len(), id.ends_with('=')), (16, true));
        assert_eq!(Node::of(&id), Some(one));
        assert_ne!(Node::of(&other.connection().unwrap()), Some(one));
        assert_eq!(one.key(), "gateway:000102ff");
        for none in ["", "x", "not base64 at all", "AAAA", "AAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Node::of(none), None, "{none}");
        }
    }
}
