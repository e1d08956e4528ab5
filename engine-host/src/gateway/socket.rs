//! WebSocket connections, with API Gateway's limits: frames of 32 KB, messages of 128 KB, ten minutes without a word, two
//! hours in all.

use super::{Gateway, refusal};
use crate::backends::embedded::hub::{Info, MAX_MESSAGE, Mailbox};
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use edge_host::sources::routes::SOCKET;
use edge_host::{SocketEvent, SocketReply};
use futures_util::SinkExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

const MAX_FRAME: usize = 32 * 1024;
const IDLE: Duration = Duration::from_secs(10 * 60);
const LIFE: Duration = Duration::from_secs(2 * 3600);

pub(super) async fn connect(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return refusal(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this is a WebSocket endpoint");
    };
    let Ok(Query(query)) = query else {
        return refusal(StatusCode::BAD_REQUEST, "bad_field", "the query cannot be read");
    };
    let Some(id) = gateway.node.connection() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "no randomness for an id");
    };
    if let Some(presence) = &gateway.presence
        && let Err(error) = presence.tell().await
    {
        tracing::warn!(%error, "nobody could find the connection's gateway");
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "cannot connect now");
    }
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((format!("header:{name}"), value.to_str().ok()?.to_string()))
    };
    let named = query.into_iter().map(|(name, value)| (format!("query:{name}"), value));
    let about = named.chain(headers.iter().filter_map(header)).collect();
    // In a task of its own: a client that hangs up does not break the function off, nor leave anything behind.
    let agent = headers.get(axum::http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let info = info(peer, agent.unwrap_or_default());
    let connecting = tokio::spawn(async move {
        let mut opened = Opened::new(gateway, id, info);
        let opening = opened.gateway.functions.socket(SOCKET.connect, &opened.id, SocketEvent::Opened(about));
        let reply = opening.await;
        opened.accepted = reply.as_ref().is_ok_and(|reply| reply.accept);
        (opened, reply)
    });
    match connecting.await {
        Ok((opened, Ok(SocketReply { accept: true, body, .. }))) => {
            if let Some(body) = body {
                opened.mailbox.put(body.into());
            }
            // One byte over the limits is taken in and answered with the close code that says so.
            // Whoever is to post to this connection learns its name from the handshake.
            let name = [("x-connection-id", opened.id.clone())];
            let upgrade = upgrade
                .protocols(["bearer"])
                .max_frame_size(MAX_FRAME)
                .max_message_size(MAX_MESSAGE)
                .on_upgrade(move |socket| serve(opened, socket));
            (name, upgrade).into_response()
        }
        Ok((_, Ok(SocketReply { status, body, .. }))) => {
            let status =
                status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::FORBIDDEN);
            let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
            (status, json, body.unwrap_or_default()).into_response()
        }
        Ok((_, Err(error))) => {
            tracing::warn!(%error, "the connect function did not answer");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "cannot connect now")
        }
        Err(error) => {
            tracing::error!(%error, "connecting broke off");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "cannot connect now")
        }
    }
}

fn info(peer: SocketAddr, user_agent: &str) -> Info {
    let now = now();
    // What a client says of itself may be as long as a header can be.
    let user_agent = user_agent.chars().take(256).collect();
    Info { connected_at: now, last_active_at: now, source: peer.ip().to_string(), user_agent }
}

/// A connection in the hub. However it ends, the hub forgets it, and the disconnect function hears of one that was accepted.
struct Opened {
    gateway: Gateway,
    id: String,
    mailbox: Arc<Mailbox>,
    accepted: bool,
}

impl Opened {
    /// In the hub first: what the connect function's keys attract must find it.
    fn new(gateway: Gateway, id: String, info: Info) -> Opened {
        let mailbox = gateway.hub.open(&id, info);
        Opened { gateway, id, mailbox, accepted: false }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.gateway.hub.remove(&self.id);
        // Without a runtime the process ends; stale connections are looked for after the next start.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.accepted {
            runtime.spawn(disconnect(self.gateway.clone(), std::mem::take(&mut self.id)));
        }
    }
}

async fn disconnect(gateway: Gateway, id: String) {
    if let Err(error) = gateway.functions.socket(SOCKET.disconnect, &id, SocketEvent::Closed).await {
        tracing::warn!(%error, connection = id, "the disconnect function did not answer");
    }
}

async fn serve(opened: Opened, mut socket: WebSocket) {
    let end = converse(&opened.gateway, &opened.id, &opened.mailbox, &mut socket).await;
    drop(opened);
    if let Some((code, reason)) = end {
        // The client may be gone already: then there is nobody to tell.
        let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    }
}

/// Talks until one side ends it; the answer is what to tell the client, if it is still there.
async fn converse(
    gateway: &Gateway,
    id: &str,
    mailbox: &Mailbox,
    socket: &mut WebSocket,
) -> Option<(u16, &'static str)> {
    let last = Instant::now() + LIFE;
    let mut idle = Instant::now() + IDLE;
    loop {
        tokio::select! {
            waiting = mailbox.take() => {
                let Some(waiting) = waiting else { return Some((close_code::AWAY, "closed by the server")) };
                for body in waiting {
                    // What the exchange sends is JSON, and so UTF-8; anything else goes as bytes.
                    let message = match std::str::from_utf8(&body) {
                        Ok(text) => Message::Text(text.into()),
                        Err(_) => Message::Binary(body.to_vec().into()),
                    };
                    socket.feed(message).await.ok()?;
                }
                socket.flush().await.ok()?;
            }
            received = socket.recv() => {
                idle = Instant::now() + IDLE;
                mailbox.active(now());
                match received {
                    Some(Ok(Message::Text(text))) => hear(gateway, id, mailbox, text.as_bytes()).await,
                    Some(Ok(Message::Binary(bytes))) => hear(gateway, id, mailbox, &bytes).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_))) | None => return None,
                    Some(Err(error)) => {
                        let too_big = error.to_string().contains("too long");
                        return too_big.then_some((close_code::SIZE, "messages have at most 128 KB, frames 32 KB"));
                    }
                }
            }
            () = sleep_until(idle) => return Some((close_code::AWAY, "idle for ten minutes")),
            () = sleep_until(last) => return Some((close_code::AWAY, "connected for two hours: connect again")),
        }
    }
}

async fn hear(gateway: &Gateway, id: &str, mailbox: &Mailbox, message: &[u8]) {
    let handler = SOCKET.message(message);
    let body = match gateway.functions.socket(handler, id, SocketEvent::Message(message.into())).await {
        Ok(reply) => reply.body,
        Err(error) => {
            tracing::warn!(handler, %error, connection = id, "a function did not answer a message");
            Some(br#"{"e":"error","code":"unavailable","message":"try again"}"#.to_vec())
        }
    };
    if let Some(body) = body {
        mailbox.put(body.into());
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
