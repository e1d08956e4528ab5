//! Events for which Spin has no trigger, as requests of whoever has them: batches of a stream, timers, and events of
//! connections that are held elsewhere.
//!
//! ```text
//! POST /@invoke/FUNCTION
//! authorization: Bearer INVOKE_TOKEN
//!
//! {"stream":{"stream":"supernoba-fills","items":[{"id":"1","partition":"TEST","arrived":1765894800000,"body":"…"}]}}
//! {"timer":{"name":"sweeper","due":1765894800000}}
//! {"socket":{"id":"abc=","event":{"tag":"message","val":"{\"action\":\"subscribe\"}"}}}
//! ```
//!
//! The answer is `{"answer":…}`: what of the batch was not done (`[{"id":"1","disposition":{"tag":"retry"}}]`, or
//! `{"tag":"reject","val":"why"}`), nothing, or the reply (`{"accept":true,"body":"…"}`). A timer that failed answers 500
//! with the error. Where the variable `invoke_token` is not set, there is nothing at this path.

use crate::Capabilities;
use crate::platform::setting;
use edge_fns::capability::{Error, Result};
use edge_fns::dispatch;
use edge_fns::http::{Refusal, Request, Response};
use edge_fns::socket::{Event, Reply};
use edge_fns::stream::{Disposition, Failure, Item};
use edge_fns::timer::Timer;
use serde::{Deserialize, Serialize};

/// As much as a call of a capability: a batch is some megabytes at most.
pub const BODY_LIMIT: usize = edge_fns::remote::BODY_LIMIT;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Invocation {
    Stream {
        stream: String,
        items: Vec<Item>,
    },
    Timer {
        name: String,
        #[serde(with = "edge_fns::json")]
        due: u64,
    },
    Socket {
        id: String,
        event: SocketEvent,
    },
}

#[derive(Deserialize)]
#[serde(tag = "tag", content = "val", rename_all = "snake_case")]
enum SocketEvent {
    Opened(Vec<(String, String)>),
    Message(#[serde(with = "edge_fns::json")] Vec<u8>),
    Closed,
}

impl From<SocketEvent> for Event {
    fn from(event: SocketEvent) -> Event {
        match event {
            SocketEvent::Opened(about) => Event::Opened(about),
            SocketEvent::Message(message) => Event::Message(message),
            SocketEvent::Closed => Event::Closed,
        }
    }
}

#[derive(Serialize)]
struct Answer<T> {
    answer: T,
}

#[derive(Serialize)]
struct Undone {
    id: String,
    disposition: Tagged,
}

#[derive(Serialize)]
#[serde(tag = "tag", content = "val", rename_all = "snake_case")]
enum Tagged {
    Retry,
    Reject(String),
}

#[derive(Serialize)]
struct Said {
    accept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none", with = "edge_fns::json")]
    body: Option<Vec<u8>>,
}

/// Answers a request to `/@invoke/FUNCTION`.
pub async fn answer(request: Request) -> Result<Response> {
    if let Err(refusal) = allow(&request).await? {
        return Ok(refusal.into());
    }
    let segments = request.segments();
    let [_, function] = segments.as_slice() else { return Ok(Refusal::not_found().into()) };
    if request.method != "POST" {
        return Ok(Refusal::method_not_allowed(&request.method).into());
    }
    let invocation = match serde_json::from_slice(&request.body) {
        Ok(invocation) => invocation,
        Err(error) => return Ok(Refusal::bad("bad_event", format!("this is no event: {error}")).into()),
    };
    match invocation {
        Invocation::Stream { stream, items } => batch(function, &stream, items).await,
        Invocation::Timer { name, due } => timer(function, Timer { name, due }).await,
        Invocation::Socket { id, event } => socket(function, &id, event.into()).await,
    }
}

/// Whether the request comes from whoever holds the token.
async fn allow(request: &Request) -> Result<core::result::Result<(), Refusal>> {
    let Some(token) = setting("invoke_token").await? else { return Ok(Err(Refusal::not_found())) };
    let given = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    // Takes as long for a token that is nearly right as for any other of its length.
    let equal = given.is_some_and(|given| {
        let differ = given.bytes().zip(token.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
        given.len() == token.len() && differ == 0
    });
    Ok(if equal { Ok(()) } else { Err(Refusal::new(401, "unauthorized", "this needs the invoke token")) })
}

fn unknown(function: &str, event: &str) -> Result<Response> {
    let message = format!("no function {function:?} takes {event} events");
    Ok(Refusal::new(404, "no_such_handler", message).into())
}

async fn batch(function: &str, stream: &str, items: Vec<Item>) -> Result<Response> {
    let own = Capabilities::connect().await?;
    let Some(failures) = dispatch::stream(own.ports(), function, stream, items).await else {
        return unknown(function, "stream");
    };
    let undone = |Failure { id, disposition }| Undone {
        id,
        disposition: match disposition {
            Disposition::Retry => Tagged::Retry,
            Disposition::Reject(reason) => Tagged::Reject(reason),
        },
    };
    let answer: Vec<Undone> = failures.into_iter().map(undone).collect();
    Ok(Response::json(200, &Answer { answer }))
}

async fn timer(function: &str, timer: Timer) -> Result<Response> {
    let own = Capabilities::connect().await?;
    Ok(match dispatch::timer(own.ports(), function, timer).await {
        None => return unknown(function, "timer"),
        Some(Ok(())) => Response::json(200, &Answer { answer: () }),
        Some(Err(cause)) => not_done(cause),
    })
}

/// Whoever asks holds the token, and may learn what went wrong.
fn not_done(cause: Error) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: Detail,
    }
    #[derive(Serialize)]
    struct Detail {
        code: &'static str,
        message: String,
        cause: Error,
    }
    let error = Detail { code: "timer_failed", message: cause.to_string(), cause };
    Response::json(500, &Body { error })
}

async fn socket(function: &str, id: &str, event: Event) -> Result<Response> {
    let own = Capabilities::connect().await?;
    let Some(reply) = dispatch::socket(own.ports(), function, id, event).await else {
        return unknown(function, "socket");
    };
    let Reply { accept, status, body } = reply;
    Ok(Response::json(200, &Answer { answer: Said { accept, status, body } }))
}
