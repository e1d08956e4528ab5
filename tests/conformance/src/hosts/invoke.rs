//! Events as JSON, for hosts whose platform has no door for them: `POST /@invoke/HANDLER`.

use super::Given;
use crate::case::STREAM;
use crate::expected::Answer;
use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use edge_fns::capability::Error;
use edge_host::{Disposition, Failure, Item, SocketEvent, SocketReply};
use serde_json::{Value, json};

pub fn bytes_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({"base64": BASE64_STANDARD.encode(bytes)}),
    }
}

/// What is posted for an event; requests have a door everywhere.
pub fn event(given: &Given) -> Result<Value> {
    Ok(match given {
        Given::Http(request) => return Err(anyhow!("{} {} has a route", request.method, request.path)),
        Given::Socket { connection, event } => {
            let event = match event {
                SocketEvent::Opened(about) => json!({"tag": "opened", "val": about}),
                SocketEvent::Message(message) => json!({"tag": "message", "val": bytes_json(message)}),
                SocketEvent::Closed => json!({"tag": "closed"}),
            };
            json!({"socket": {"id": connection, "event": event}})
        }
        Given::Stream(items) => {
            let item = |item: &Item| {
                let Item { id, partition, arrived, body } = item;
                json!({"id": id, "partition": partition, "arrived": arrived, "body": bytes_json(body)})
            };
            let items: Vec<Value> = items.iter().map(item).collect();
            json!({"stream": {"stream": STREAM, "items": items}})
        }
        Given::Timer(timer) => json!({"timer": {"name": timer.name, "due": timer.due}}),
    })
}

/// What a function said to an event, out of `{"answer":…}`. A timer's error is told by each host in its own way.
pub fn answer(given: &Given, said: &Value) -> Result<Answer> {
    let answer = &said["answer"];
    Ok(match given {
        Given::Socket { .. } => Answer::Socket(SocketReply {
            accept: answer["accept"].as_bool().context("a reply that accepts nothing")?,
            status: answer["status"].as_u64().map(|status| status as u16),
            body: answer["body"].as_str().map(|text| text.as_bytes().to_vec()),
        }),
        Given::Stream(_) => {
            let failures = answer.as_array().context("no list of failures")?.iter();
            Answer::Stream(failures.map(failure).collect::<Result<_>>()?)
        }
        Given::Timer(_) | Given::Http(_) => Answer::Timer(Ok(())),
    })
}

fn failure(answer: &Value) -> Result<Failure> {
    let id = answer["id"].as_str().context("a failure without an id")?.to_owned();
    let reason = answer["disposition"]["val"].as_str();
    let disposition = match (answer["disposition"]["tag"].as_str(), reason) {
        (Some("retry"), None) => Disposition::Retry,
        (Some("reject"), Some(reason)) => Disposition::Reject(reason.to_owned()),
        _ => return Err(anyhow!("a failure of an unknown kind: {answer}")),
    };
    Ok(Failure { id, disposition })
}

/// A component's error, as jco has variants.
pub fn error(answer: &Value) -> Result<Error> {
    let text = || answer["val"].as_str().unwrap_or_default().to_owned();
    Ok(match answer["tag"].as_str() {
        Some("invalid") => Error::Invalid(text()),
        Some("denied") => Error::Denied(text()),
        Some("throttled") => Error::Throttled(answer["val"].as_u64().map(|ms| ms as u32)),
        Some("timeout") => Error::Timeout,
        Some("unavailable") => Error::Unavailable(text()),
        Some("internal") => Error::Internal(text()),
        _ => return Err(anyhow!("an unknown error: {answer}")),
    })
}
