//! Events of API Gateway's WebSocket APIs: `$connect`, `$disconnect`, and every other route, which brings a message.

use crate::Failure;
use crate::http::{body, pairs};
use edge_host::{SocketEvent, SocketReply};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a handler is given, and what the answer needs to know of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub connection: String,
    pub event: SocketEvent,
    /// The subprotocol that the client has to hear of, or it hangs up.
    protocol: Option<&'static str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    request_context: Context,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    connection_id: String,
    event_type: EventType,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum EventType {
    Connect,
    Disconnect,
    Message,
}

pub fn incoming(event: Value) -> Result<Incoming, Failure> {
    let event = Event::deserialize(event).map_err(|error| Failure::BadEvent(error.to_string()))?;
    let connection = event.request_context.connection_id;
    let mut protocol = None;
    let event = match event.request_context.event_type {
        EventType::Connect => {
            let queries = pairs(event.multi_value_query_string_parameters, event.query_string_parameters);
            let mut about: Vec<(String, String)> =
                queries.map(|(name, value)| (format!("query:{name}"), value)).collect();
            for (name, value) in pairs(event.multi_value_headers, event.headers) {
                let name = name.to_ascii_lowercase();
                // Whoever sends a token as a subprotocol offers this one with it.
                if name == "sec-websocket-protocol" && value.split(',').any(|offer| offer.trim() == "bearer")
                {
                    protocol = Some("bearer");
                }
                about.push((format!("header:{name}"), value));
            }
            SocketEvent::Opened(about)
        }
        EventType::Message => SocketEvent::Message(body(event.body, event.is_base64_encoded)?),
        EventType::Disconnect => SocketEvent::Closed,
    };
    Ok(Incoming { connection, event, protocol })
}

impl Incoming {
    /// What API Gateway is told. Of a refused connection it passes on the status and nothing else; a message's body
    /// goes to the client where the route has a route response.
    pub fn answer(&self, reply: SocketReply) -> Value {
        let body = reply.body.map(|body| String::from_utf8_lossy(&body).into_owned());
        match self.event {
            SocketEvent::Opened(_) if !reply.accept => json!({
                "statusCode": reply.status.unwrap_or(403),
                "headers": {"content-type": "application/json"},
                "body": body.unwrap_or_default(),
            }),
            SocketEvent::Opened(_) => match self.protocol {
                Some(protocol) => {
                    json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": protocol}})
                }
                None => json!({"statusCode": 200}),
            },
            SocketEvent::Message(_) | SocketEvent::Closed => match body {
                Some(body) => json!({"statusCode": 200, "body": body}),
                None => json!({"statusCode": 200}),
            },
        }
    }
}
