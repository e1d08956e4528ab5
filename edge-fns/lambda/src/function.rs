//! One Lambda function: a handler, and what is done with each event that comes.

use crate::http::{self, Payload};
use crate::records::{self, Batch, DeadLetters};
use crate::{Capabilities, Environment, Failure, SetupError, capabilities, schedule, socket};
use edge_fns::capability::Error;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::remote::RemoteBase;
use edge_host::{Backends, EdgeHost, HandlerError, Item, Limits, LoadError, SocketEvent};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::timeout_at;

/// Kept of an invocation's time, to say that it ran out before Lambda ends the process without a word.
const RESERVE: Duration = Duration::from_millis(200);

/// A record at which the function fails so often, on its own, is put aside.
const ATTEMPTS: u32 = 3;

/// Lambda gives each process one event at a time, and less of a processor the less memory the function has. An answer has
/// at most 6 MB as JSON, in which a byte of a handler's answer takes two at worst.
const LIMITS: Limits = Limits {
    wall: Duration::from_secs(900),
    cpu: Duration::from_secs(5),
    memory_bytes: 32 << 20,
    output_bytes: 3 << 20,
    host_calls: 256,
    batch_host_calls: 20_000,
    log_lines: 1_000,
    concurrent: 1,
};

pub struct Function {
    host: EdgeHost,
    handler: String,
    backends: Backends,
    session: Option<Arc<RemoteBase<crate::Gateway>>>,
    dead_letters: Option<String>,
    base_path: String,
    /// Replies to messages go by the connection, and not as the route's response.
    push_replies: bool,
}

/// Why the process cannot take events.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl StartError {
    /// The `errorType` that Lambda is told.
    pub fn error_type(&self) -> String {
        match self {
            StartError::Setup(_) => "Supernoba.Init.setup".into(),
            StartError::Load(error) => format!("Supernoba.Init.{}", error.code()),
        }
    }
}

impl Function {
    /// Loads the handler that the environment names from the folder of the archive.
    pub fn start(environment: &Environment, archive: &Path) -> Result<Function, StartError> {
        let handler = match environment.get("SUPERNOBA_HANDLER") {
            Some(handler) => handler,
            None => environment.get("_HANDLER").ok_or(SetupError::Missing("SUPERNOBA_HANDLER"))?,
        };
        let push_replies = match environment.get("SOCKET_REPLIES") {
            None | Some("response") => false,
            Some("push") => true,
            Some(other) => {
                return Err(capabilities::bad("SOCKET_REPLIES", other, "known are: response, push").into());
            }
        };
        let Capabilities { backends, session } = Capabilities::from(environment)?;
        let host = EdgeHost::load_precompiled(archive, &[handler], backends.clone(), LIMITS)?;
        Ok(Function {
            host,
            handler: handler.to_owned(),
            backends,
            session,
            dead_letters: environment.get("DEAD_LETTER_STREAM").map(str::to_owned),
            base_path: environment.get("BASE_PATH").unwrap_or_default().to_owned(),
            push_replies,
        })
    }

    /// Answers one event, before its deadline (in milliseconds since the epoch).
    pub async fn answer(&self, event: Value, deadline: u64) -> Result<Value, Failure> {
        let deadline = instant(deadline);
        if let Some(session) = &self.session {
            let opened = self.until(deadline, async { Ok(session.open().await) }).await?;
            opened.map_err(|error| Failure::Unavailable(error.to_string()))?;
        }
        match kind(&event).ok_or(Failure::UnknownEvent)? {
            Kind::Http(payload) => self.http(event, payload, deadline).await,
            Kind::Socket => self.socket(event, deadline).await,
            Kind::Records => self.records(event, deadline).await,
            Kind::Schedule => self.schedule(event, deadline).await,
        }
    }

    async fn http(&self, event: Value, payload: Payload, deadline: Instant) -> Result<Value, Failure> {
        let request = http::request(event, payload, &self.base_path)?;
        let response = self.until(deadline, self.host.http(&self.handler, request)).await?;
        Ok(http::answer(response, payload))
    }

    async fn socket(&self, event: Value, deadline: Instant) -> Result<Value, Failure> {
        let incoming = socket::incoming(event)?;
        let call = self.host.socket(&self.handler, &incoming.connection, incoming.event.clone());
        let mut reply = self.until(deadline, call).await?;
        if let SocketEvent::Message(_) = incoming.event {
            if self.push_replies
                && let Some(body) = reply.body.take()
            {
                self.push(&incoming.connection, body).await;
            }
            if !reply.accept
                && let Err(error) = self.backends.connections.close(&incoming.connection).await
            {
                tracing::warn!(%error, connection = incoming.connection, "not closed");
            }
        }
        Ok(incoming.answer(reply))
    }

    async fn push(&self, connection: &str, body: Vec<u8>) {
        let push = Push { to: vec![connection.to_owned()], body };
        match self.backends.connections.post(vec![push]).await {
            Ok(deliveries) => {
                // Of one that is gone, nobody waits for it.
                for error in deliveries.into_iter().flatten().filter_map(Result::<Delivery, Error>::err) {
                    tracing::warn!(%error, connection, "a reply was not delivered");
                }
            }
            Err(error) => tracing::warn!(%error, connection, "a reply was not delivered"),
        }
    }

    async fn schedule(&self, event: Value, deadline: Instant) -> Result<Value, Failure> {
        let timer = schedule::timer(event)?;
        let done = self.until(deadline, self.host.timer(&self.handler, &timer)).await?;
        done.map(|()| Value::Null).map_err(Failure::NotDone)
    }

    /// The answer says how far the batch was done.
    async fn records(&self, event: Value, deadline: Instant) -> Result<Value, Failure> {
        let Batch { stream, items } = records::batch(event)?;
        let undone = match self.hand_over(&stream, &items, deadline).await {
            Ok(undone) => undone,
            Err(failure @ (Failure::WrongEvent(_) | Failure::Unavailable(_) | Failure::Rejected(_))) => {
                return Err(failure);
            }
            Err(failure) => {
                self.report(&failure, &stream, &items);
                match failure {
                    Failure::Trap(_) | Failure::OverLimit(_) => {
                        self.one_by_one(&stream, &items, deadline).await?
                    }
                    // Back ends that do not answer: nothing is known of any record, and none is to blame.
                    _ => items.first().map(|item| item.id.as_str()),
                }
            }
        };
        Ok(records::answer(undone))
    }

    /// Finds the records that the function fails at, and puts them aside with the reason; answers the first that is not done.
    ///
    /// # Errors
    /// If that is the first of all and there is no stream for it: Lambda halves a batch for a call that fails, and so puts
    /// aside that record and not all that came with it.
    async fn one_by_one<'i>(
        &self,
        stream: &str,
        items: &'i [Item],
        deadline: Instant,
    ) -> Result<Option<&'i str>, Failure> {
        for (place, item) in items.iter().enumerate() {
            let mut attempts = 0;
            let failure = loop {
                attempts += 1;
                match self.hand_over(stream, std::slice::from_ref(item), deadline).await {
                    Ok(None) => break None,
                    Ok(Some(undone)) => return Ok(Some(undone)),
                    Err(failure @ (Failure::Trap(_) | Failure::OverLimit(_))) if attempts == ATTEMPTS => {
                        break Some(failure);
                    }
                    Err(failure @ (Failure::Trap(_) | Failure::OverLimit(_))) => {
                        self.report(&failure, stream, std::slice::from_ref(item));
                    }
                    Err(failure @ Failure::Rejected(_)) if place == 0 => return Err(failure),
                    Err(failure) => {
                        self.report(&failure, stream, std::slice::from_ref(item));
                        return Ok(Some(&item.id));
                    }
                }
            };
            let Some(failure) = failure else { continue };
            let reason = format!("after {ATTEMPTS} attempts: {failure}");
            if self.letters().bury(&self.handler, stream, item, &reason).await {
                continue;
            }
            let has_stream = self.dead_letters.is_some();
            return if place == 0 && !has_stream { Err(failure) } else { Ok(Some(&item.id)) };
        }
        Ok(None)
    }

    fn letters(&self) -> DeadLetters<'_> {
        DeadLetters { stream: self.dead_letters.as_deref(), log: self.backends.streams.as_ref() }
    }

    async fn hand_over<'i>(
        &self,
        stream: &str,
        items: &'i [Item],
        deadline: Instant,
    ) -> Result<Option<&'i str>, Failure> {
        let undone = self.until(deadline, self.host.stream(&self.handler, stream, items.to_vec())).await?;
        self.letters().settle(&self.handler, stream, items, &undone).await
    }

    fn report(&self, failure: &Failure, stream: &str, items: &[Item]) {
        let first = items.first().map(|item| item.id.as_str()).unwrap_or_default();
        let error_type = failure.error_type();
        tracing::error!(error_type, %failure, stream, first, records = items.len(), "records failed");
    }

    /// Ends a call shortly before Lambda would end the process.
    async fn until<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, HandlerError>>,
    ) -> Result<T, Failure> {
        match timeout_at((deadline - RESERVE).into(), call).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(HandlerError::Timeout { handler: self.handler.clone(), computing: false }.into()),
        }
    }
}

/// The moment of a time since the epoch, by the clock that waiting goes by.
fn instant(deadline_ms: u64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(now).max(RESERVE);
    // No invocation has more than fifteen minutes.
    Instant::now() + left.min(LIMITS.wall)
}

enum Kind {
    Http(Payload),
    Socket,
    Records,
    Schedule,
}

/// What an event is, by the marks that its documentation gives it.
fn kind(event: &Value) -> Option<Kind> {
    let context = &event["requestContext"];
    if context["connectionId"].is_string() {
        Some(Kind::Socket)
    } else if event["version"] == "2.0" && context["http"].is_object() {
        Some(Kind::Http(Payload::V2))
    } else if event["httpMethod"].is_string() {
        Some(Kind::Http(Payload::V1))
    } else if event["Records"][0]["eventSource"] == "aws:kinesis" {
        Some(Kind::Records)
    } else if event["detail-type"] == "Scheduled Event" {
        Some(Kind::Schedule)
    } else {
        None
    }
}
