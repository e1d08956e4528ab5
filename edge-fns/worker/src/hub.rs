//! A hub: a Durable Object that holds WebSocket connections and runs their functions.
//!
//! Its sockets hibernate: between two events nothing of a connection is in memory, so an object here is made anew for each
//! event and all that lasts is with the socket (its tag, the connection's id, and its attachment). What lasts only while
//! something is being awaited is in [`WAITING`].
//!
//! - A handshake is known to the hub before the connect function runs: what the keys that it writes attract must find the
//!   connection. Pushes that come before the socket is there are kept for it.
//! - The events of one connection are handled one after the other, as they came.
//! - Limits as everywhere: messages of 128 KB, ten minutes without a word, two hours in all. An alarm looks for connections
//!   over theirs once a minute, or as often as their limits ask for, while there are any.

use crate::Capabilities;
use crate::platform::{self, now};
use crate::routes::{gone, refuse, respond};
use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Result};
use edge_fns::dispatch;
use edge_fns::http::{self, Refusal};
use edge_fns::remote::Served;
use edge_fns::routes::SOCKET;
use edge_fns::socket::{Event, Reply};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage, WebSocketPair,
    durable_object,
};

/// Where a hub shows one of its connections.
pub const SHOWN: &str = "/shown";
/// The largest message, as API Gateway has it.
const MAX_MESSAGE: usize = 128 << 10;
const LOOK_EVERY_MS: u64 = 60_000;
/// Pushes kept for a connection whose handshake is not over.
const MAX_EARLY: usize = 1_000;

/// Messages that wait behind the one that is being handled. A hub cannot ask its clients to slow down, so that one who sends
/// faster than it is answered is let go.
const MAX_BEHIND: usize = 100;

const AWAY: u16 = 1001;
const TOO_MANY: u16 = 1008;
const TOO_BIG: u16 = 1009;
/// `WebSocket.readyState` of a socket that can be sent to.
const OPEN: u16 = 1;

/// What lasts for as long as an event is being handled, of all hubs that share this instance. Ids are never repeated.
#[derive(Default)]
struct Waiting {
    /// Handshakes that the connect function has not answered yet, with what was pushed to them.
    early: BTreeMap<String, Vec<Vec<u8>>>,
    /// Events of a connection behind the one that is being handled.
    events: BTreeMap<String, VecDeque<(WebSocket, Event)>>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// How long connections may last: as API Gateway has it, or shorter by the settings `CONNECTION_IDLE_MS` and
/// `CONNECTION_LIFE_MS`.
#[derive(Clone, Copy)]
struct Lifetime {
    idle_ms: u64,
    life_ms: u64,
}

impl Lifetime {
    fn of(env: &Env) -> Lifetime {
        let limit = |name: &'static str, most: u64| {
            platform::setting(env, name).and_then(|ms| ms.parse().ok()).unwrap_or(most).clamp(1, most)
        };
        Lifetime {
            idle_ms: limit("CONNECTION_IDLE_MS", 10 * 60 * 1000),
            life_ms: limit("CONNECTION_LIFE_MS", 2 * 3600 * 1000),
        }
    }

    /// Why a connection has to end now, if it has.
    fn over(self, since: &Attachment, now: f64) -> Option<&'static str> {
        if now - since.connected_at >= self.life_ms as f64 {
            Some("connected for too long: connect again")
        } else if now - since.active_at >= self.idle_ms as f64 {
            Some("idle for too long")
        } else {
            None
        }
    }

    /// Until connections are looked at the next time.
    fn look_in(self) -> i64 {
        LOOK_EVERY_MS.min(self.idle_ms).min(self.life_ms) as i64
    }
}

/// What is kept with a socket.
#[derive(Clone, Serialize, Deserialize)]
struct Attachment {
    connected_at: f64,
    active_at: f64,
    /// The address that the client comes from.
    source: String,
    user_agent: String,
}

impl Attachment {
    fn of(request: &Request) -> worker::Result<Attachment> {
        // An attachment has little room, and a client may say what it likes.
        let header = |name| -> worker::Result<String> {
            Ok(request.headers().get(name)?.unwrap_or_default().chars().take(256).collect())
        };
        let (source, user_agent) = (header("cf-connecting-ip")?, header("user-agent")?);
        let now = now() as f64;
        Ok(Attachment { connected_at: now, active_at: now, source, user_agent })
    }

    /// As API Gateway shows a connection.
    fn shown(&self) -> worker::Result<Response> {
        let iso = |ms: f64| String::from(js_sys::Date::new(&ms.into()).to_iso_string());
        Response::from_json(&serde_json::json!({
            "connectedAt": iso(self.connected_at),
            "lastActiveAt": iso(self.active_at),
            "identity": {"sourceIp": self.source, "userAgent": self.user_agent},
        }))
    }
}

#[durable_object]
pub struct Hub {
    state: State,
    env: Env,
}

impl DurableObject for Hub {
    fn new(state: State, env: Env) -> Self {
        Hub { state, env }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        if request.path() == "/capabilities" {
            let body = request.bytes().await?;
            let sockets = Sockets(&self.state);
            let served = Served { connections: Some(&sockets), ..Served::default() };
            return Response::from_bytes(served.answer(&body).await);
        }
        match request.headers().get("x-connection-id")? {
            Some(id) if request.path() == SHOWN => self.show(&id),
            Some(id) => self.handshake(&id, &request).await,
            None => refuse(Refusal::not_found()),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let lifetime = Lifetime::of(&self.env);
        let now = now() as f64;
        let sockets = self.state.get_websockets();
        for socket in &sockets {
            let Some(since) = socket.deserialize_attachment::<Attachment>()? else { continue };
            if let Some(reason) = lifetime.over(&since, now) {
                close(socket, AWAY, reason);
            }
        }
        if !sockets.is_empty() {
            self.state.storage().set_alarm(lifetime.look_in()).await?;
        }
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> worker::Result<()> {
        let message = match message {
            WebSocketIncomingMessage::String(text) => text.into_bytes(),
            WebSocketIncomingMessage::Binary(bytes) => bytes,
        };
        if message.len() > MAX_MESSAGE {
            close(&socket, TOO_BIG, "messages have at most 128 KB");
            return Ok(());
        }
        if let Some(since) = socket.deserialize_attachment::<Attachment>()? {
            socket.serialize_attachment(Attachment { active_at: now() as f64, ..since })?;
        }
        self.handle(socket, Event::Message(message)).await;
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> worker::Result<()> {
        // Answers the client's close frame, where the runtime has not done so itself.
        close(&socket, 1000, "");
        self.handle(socket, Event::Closed).await;
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: worker::Error) -> worker::Result<()> {
        self.handle(socket, Event::Closed).await;
        Ok(())
    }
}

impl Hub {
    async fn handshake(&self, id: &str, request: &Request) -> worker::Result<Response> {
        let url = request.url()?;
        let query = url.query_pairs().map(|(name, value)| (format!("query:{name}"), value.into_owned()));
        let headers = request.headers().entries().map(|(name, value)| (format!("header:{name}"), value));
        let about: Vec<(String, String)> = query.chain(headers).collect();
        let offered = request.headers().get("sec-websocket-protocol")?.unwrap_or_default();
        let bearer = offered.split(',').any(|offer| offer.trim() == "bearer");

        let _early = Early::enter(id);
        let reply = self.ask(id, about).await?;
        if !reply.accept {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let status = reply.status.unwrap_or(403);
            return respond(http::Response { status, headers, body: reply.body.unwrap_or_default() });
        }
        if self.state.storage().get_alarm().await?.is_none() {
            self.state.storage().set_alarm(Lifetime::of(&self.env).look_in()).await?;
        }
        // From here on nothing waits: no push comes between what was kept and the socket.
        let WebSocketPair { client, server } = WebSocketPair::new()?;
        self.state.accept_websocket_with_tags(&server, &[id]);
        server.serialize_attachment(Attachment::of(request)?)?;
        let kept = WAITING.with_borrow_mut(|waiting| waiting.early.remove(id)).unwrap_or_default();
        for body in reply.body.into_iter().chain(kept) {
            send(&server, &body);
        }
        let response = Response::from_websocket(client)?;
        let headers = response.headers().clone();
        // Whoever is to post to this connection learns its name from the handshake.
        headers.set("x-connection-id", id)?;
        if bearer {
            headers.set("sec-websocket-protocol", "bearer")?;
        }
        Ok(response.with_headers(headers))
    }

    /// A connection that is still there, with when it came and from where.
    fn show(&self, id: &str) -> worker::Result<Response> {
        let socket = Sockets(&self.state).open(id);
        match socket.map(|socket| socket.deserialize_attachment::<Attachment>()).transpose()?.flatten() {
            Some(attachment) => attachment.shown(),
            None => refuse(gone()),
        }
    }

    async fn ask(&self, id: &str, about: Vec<(String, String)>) -> worker::Result<Reply> {
        let own = Capabilities::of(&self.env).await?;
        Ok(dispatched(&own, SOCKET.connect, id, Event::Opened(about)).await)
    }

    /// Handles an event of a connection, and those that come while it does.
    async fn handle(&self, socket: WebSocket, event: Event) {
        let Some(id) = self.state.get_tags(&socket).into_iter().next() else { return };
        let behind = WAITING.with_borrow_mut(|waiting| match waiting.events.get_mut(&id) {
            Some(events) if events.len() >= MAX_BEHIND && event != Event::Closed => {
                close(&socket, TOO_MANY, "too many messages at once");
                true
            }
            Some(events) => {
                events.push_back((socket.clone(), event.clone()));
                true
            }
            None => {
                waiting.events.insert(id.clone(), VecDeque::new());
                false
            }
        });
        if behind {
            return;
        }
        let mut next = Some((socket, event));
        while let Some((socket, event)) = next {
            let function = match &event {
                Event::Message(message) => SOCKET.message(message),
                _ => SOCKET.disconnect,
            };
            let reply = self.run(function, &id, event).await;
            if let Some(body) = &reply.body {
                send(&socket, body);
            }
            if !reply.accept {
                close(&socket, AWAY, "closed by the server");
            }
            next = WAITING.with_borrow_mut(|waiting| {
                let next = waiting.events.get_mut(&id).and_then(VecDeque::pop_front);
                if next.is_none() {
                    waiting.events.remove(&id);
                }
                next
            });
        }
    }

    async fn run(&self, function: &str, id: &str, event: Event) -> Reply {
        match Capabilities::of(&self.env).await {
            Ok(own) => dispatched(&own, function, id, event).await,
            Err(error) => {
                let about = [("connection", id), ("error", &error.to_string())];
                platform::log(Level::Error, "a function could not be asked", &about);
                let body = br#"{"e":"error","code":"unavailable","message":"try again"}"#;
                Reply::message(body.to_vec())
            }
        }
    }
}

/// The function's reply. A table that names one which takes no such event would let nobody in.
async fn dispatched(own: &Capabilities, function: &str, id: &str, event: Event) -> Reply {
    let reply = dispatch::socket(own.ports(), function, id, event).await;
    reply.unwrap_or(Reply { accept: false, status: Some(404), body: None })
}

/// A handshake that is not over: pushes to it are kept, until it is dropped.
struct Early<'a>(&'a str);

impl Early<'_> {
    fn enter(id: &str) -> Early<'_> {
        WAITING.with_borrow_mut(|waiting| waiting.early.insert(id.to_owned(), Vec::new()));
        Early(id)
    }
}

impl Drop for Early<'_> {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.early.remove(self.0));
    }
}

/// The connections of this hub.
struct Sockets<'a>(&'a State);

impl Sockets<'_> {
    fn open(&self, id: &str) -> Option<WebSocket> {
        let mut sockets = self.0.get_websockets_with_tag(id).into_iter();
        sockets.find(|socket| socket.as_ref().ready_state() == OPEN)
    }

    fn push(&self, id: &str, body: &[u8]) -> Delivery {
        let kept = WAITING.with_borrow_mut(|waiting| {
            let early = waiting.early.get_mut(id)?;
            // A client that is not there yet and has so much waiting reads the state anew when it is.
            (early.len() < MAX_EARLY).then(|| early.push(body.to_vec()))
        });
        match (kept, self.open(id)) {
            (Some(()), _) => Delivery::Sent,
            (None, Some(socket)) if send(&socket, body) => Delivery::Sent,
            (None, _) => Delivery::Gone,
        }
    }
}

#[async_trait]
impl Connections for Sockets<'_> {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let all = |push: &Push| push.to.iter().map(|id| Ok(self.push(id, &push.body))).collect();
        Ok(pushes.iter().map(all).collect())
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let early = |id: &String| WAITING.with_borrow(|waiting| waiting.early.contains_key(id));
        Ok(ids.iter().map(|id| Ok(early(id) || self.open(id).is_some())).collect())
    }

    async fn close(&self, id: &str) -> Result<()> {
        if let Some(socket) = self.open(id) {
            close(&socket, AWAY, "closed by the server");
        }
        Ok(())
    }
}

/// What the exchange sends is JSON, and so UTF-8; anything else goes as bytes. Whether it went out.
fn send(socket: &WebSocket, body: &[u8]) -> bool {
    let sent = match std::str::from_utf8(body) {
        Ok(text) => socket.send_with_str(text),
        Err(_) => socket.send_with_bytes(body),
    };
    sent.is_ok()
}

/// Of one that is closed already, nobody has to be told.
fn close(socket: &WebSocket, code: u16, reason: &str) {
    let _ = socket.close(Some(code), Some(reason));
}
