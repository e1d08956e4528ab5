//! The archive for AWS Lambda: a bootstrap process a function, behind a runtime API, over the remote protocol.
//!
//! Requests come as API Gateway hands them over: half of them as a REST API does (payload 1.0), half as an HTTP API
//! (2.0), by their length. Records come as Kinesis', timers as EventBridge's.

use super::{Given, Host, serve};
use crate::backend::{DEAD_LETTERS, Scripted};
use crate::case::{HANDLERS, STREAM};
use crate::expected::Answer;
use anyhow::{Context, Result, anyhow, bail, ensure};
use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{Path as Param, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as Reply};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use edge_fns::http::percent_decode;
use edge_host::{Item, Request, Response, SocketEvent, SocketReply, Timer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

/// No answer takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Lambda {
    backend: Arc<Scripted>,
    functions: BTreeMap<&'static str, Function>,
}

/// One Lambda function: its process, and what hands it events.
struct Function {
    next: mpsc::UnboundedSender<Invocation>,
    _process: Child,
}

struct Invocation {
    event: Value,
    /// The answer, or the error's type and message.
    done: oneshot::Sender<Result<Value, (String, String)>>,
}

impl Lambda {
    pub async fn start(root: &Path) -> Result<Lambda> {
        let archive = root.join("target/aws-lambda/files");
        ensure!(
            archive.join("bootstrap").exists(),
            "{} holds no archive: `cargo xtask lambda` builds it",
            archive.display()
        );
        let backend = Arc::<Scripted>::default();
        let url = serve(backend.clone()).await?;
        let mut functions = BTreeMap::new();
        for handler in HANDLERS {
            functions.insert(handler, Function::start(&archive, handler, &url).await?);
        }
        Ok(Lambda { backend, functions })
    }
}

impl Function {
    async fn start(archive: &Path, handler: &str, capabilities: &str) -> Result<Function> {
        let (next, waiting) = mpsc::unbounded_channel();
        let api = runtime_api(waiting).await?;
        let process = Command::new(archive.join("bootstrap"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", handler)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("AWS_REGION", "ap-northeast-2")
            .env("LAMBDA_TASK_ROOT", archive)
            .env("_HANDLER", handler)
            .env("CAPABILITIES_URL", capabilities)
            .env("CAPABILITIES_SESSION", "server")
            .env("DEAD_LETTER_STREAM", DEAD_LETTERS)
            // What it says of its events is not looked at.
            .env("LOG_LEVEL", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("the bootstrap does not start")?;
        Ok(Function { next, _process: process })
    }

    async fn invoke(&self, event: Value) -> Result<Result<Value, (String, String)>> {
        let (done, ended) = oneshot::channel();
        self.next.send(Invocation { event, done }).map_err(|_| anyhow!("the runtime API has ended"))?;
        Ok(timeout(PATIENCE, ended).await.context("the bootstrap does not answer")??)
    }
}

type Running = Arc<std::sync::Mutex<Option<oneshot::Sender<Result<Value, (String, String)>>>>>;

#[derive(Clone)]
struct Api {
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    running: Running,
}

/// `/2018-06-01/runtime`, as a bootstrap sees it; answers the address.
async fn runtime_api(waiting: mpsc::UnboundedReceiver<Invocation>) -> Result<String> {
    let api = Api { waiting: Arc::new(Mutex::new(waiting)), running: Arc::default() };
    let runtime = Router::new()
        .route("/invocation/next", get(poll))
        .route("/invocation/{id}/response", post(respond))
        .route("/invocation/{id}/error", post(fail))
        .with_state(api);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let router = Router::new().nest("/2018-06-01/runtime", runtime);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn poll(State(api): State<Api>) -> Reply {
    let Some(Invocation { event, done }) = api.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *api.running.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(done);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + PATIENCE;
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ap-northeast-2:123456789012:function:f".into(),
        ),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into()),
    ];
    (headers, Json(event)).into_response()
}

async fn respond(State(api): State<Api>, Param(_): Param<String>, body: Bytes) -> StatusCode {
    end(&api, Ok(serde_json::from_slice(&body).unwrap_or_default()))
}

async fn fail(State(api): State<Api>, Param(_): Param<String>, body: Bytes) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    end(&api, Err((text("errorType"), text("errorMessage"))))
}

fn end(api: &Api, outcome: Result<Value, (String, String)>) -> StatusCode {
    match api.running.lock().unwrap_or_else(|broken| broken.into_inner()).take() {
        Some(done) => {
            // Whoever waited may have given up.
            let _ = done.send(outcome);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}

#[async_trait]
impl Host for Lambda {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.backend
    }

    async fn give(&mut self, handler: &str, event: &Given, _calls: usize) -> Result<Answer> {
        let function = self.functions.get(handler).with_context(|| format!("no function {handler}"))?;
        let written = match event {
            // Half of all requests, with and without a body.
            Given::Http(request) if (request.path.len() + request.body.len()) % 2 == 0 => rest(request),
            Given::Http(request) => http(request),
            Given::Socket { connection, event } => socket(connection, event),
            Given::Stream(items) => kinesis(items),
            Given::Timer(timer) => schedule(handler, timer),
        };
        let answer = function.invoke(written).await?;
        if let Given::Timer(_) = event {
            return match answer {
                Ok(Value::Null) => Ok(Answer::TimerSaid(Ok(()))),
                Ok(other) => bail!("a timer answered {other}"),
                Err((kind, message)) => {
                    let said = message.strip_prefix("the timer's work is not done: ");
                    let said = said.filter(|_| kind == "Supernoba.NotDone");
                    let said = said.with_context(|| format!("{kind}: {message}"))?;
                    Ok(Answer::TimerSaid(Err(said.to_owned())))
                }
            };
        }
        let answer = answer.map_err(|(kind, message)| anyhow!("{kind}: {message}"))?;
        match event {
            Given::Socket { event, .. } => Ok(Answer::Socket(reply(event, &answer)?)),
            Given::Stream(_) => {
                let again = answer["batchItemFailures"][0]["itemIdentifier"].as_str().map(str::to_owned);
                Ok(Answer::Settled { rejected: Vec::new(), again })
            }
            _ => Ok(Answer::Http(response(&answer)?)),
        }
    }
}

/// A REST API's proxy event: query parameters are decoded.
fn rest(request: &Request) -> Value {
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.entry(percent_decode(name)).or_default().push(percent_decode(value));
    }
    let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers.entry(name).or_default().push(value);
    }
    let (body, is_base64) = body(&request.body);
    json!({
        "resource": "/{proxy+}",
        "path": request.path,
        "httpMethod": request.method,
        "multiValueHeaders": headers,
        "multiValueQueryStringParameters": (!query.is_empty()).then_some(query),
        "requestContext": {"stage": "prod", "httpMethod": request.method, "requestId": "r"},
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// An HTTP API's: the stage is in the path, the query is as it came.
fn http(request: &Request) -> Value {
    let headers: Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let path = format!("/prod{}", request.path);
    let (body, is_base64) = body(&request.body);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {"stage": "prod", "http": {"method": request.method, "path": path}},
        "isBase64Encoded": is_base64,
    });
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event
}

fn body(bytes: &[u8]) -> (Option<String>, bool) {
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(BASE64_STANDARD.encode(bytes)), true),
    }
}

fn response(answer: &Value) -> Result<Response> {
    let status = answer["statusCode"].as_u64().context("an answer without a status")? as u16;
    let mut headers = Vec::new();
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten() {
            headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(text)?,
        _ => text.as_bytes().to_vec(),
    };
    Ok(Response { status, headers, body })
}

fn socket(connection: &str, event: &SocketEvent) -> Value {
    let context =
        |kind: &str| json!({"connectionId": connection, "eventType": kind, "stage": "prod", "apiId": "a"});
    match event {
        SocketEvent::Opened(about) => {
            let (mut query, mut headers) = (Map::new(), Map::new());
            for (name, value) in about {
                if let Some(name) = name.strip_prefix("query:") {
                    query.insert(name.into(), json!([value]));
                } else if let Some(name) = name.strip_prefix("header:") {
                    headers.insert(name.into(), json!([value]));
                }
            }
            json!({
                "requestContext": context("CONNECT"),
                "multiValueHeaders": headers,
                "multiValueQueryStringParameters": (!query.is_empty()).then_some(query),
            })
        }
        SocketEvent::Message(message) => {
            let (body, is_base64) = body(message);
            json!({
                "requestContext": context("MESSAGE"),
                "body": body.unwrap_or_default(),
                "isBase64Encoded": is_base64,
            })
        }
        SocketEvent::Closed => json!({"requestContext": context("DISCONNECT")}),
    }
}

fn reply(event: &SocketEvent, answer: &Value) -> Result<SocketReply> {
    let status = answer["statusCode"].as_u64().context("an answer without a status")? as u16;
    let body = answer["body"].as_str().map(|text| text.as_bytes().to_vec());
    let refused = status != 200;
    ensure!(!refused || matches!(event, SocketEvent::Opened(_)), "a connection's event got {status}");
    Ok(SocketReply { accept: !refused, status: refused.then_some(status), body })
}

fn kinesis(items: &[Item]) -> Value {
    let record = |item: &Item| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": item.partition,
                "sequenceNumber": item.id,
                "data": BASE64_STANDARD.encode(&item.body),
                "approximateArrivalTimestamp": item.arrived as f64 / 1000.0,
            },
            "eventSource": "aws:kinesis",
            "eventName": "aws:kinesis:record",
            "eventSourceARN": format!("arn:aws:kinesis:ap-northeast-2:123456789012:stream/{STREAM}"),
        })
    };
    json!({"Records": items.iter().map(record).collect::<Vec<_>>()})
}

fn schedule(handler: &str, timer: &Timer) -> Value {
    json!({
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": time(timer.due),
        "resources": [format!("arn:aws:events:ap-northeast-2:123456789012:rule/{handler}")],
        "detail": {},
    })
}

/// `2025-12-16T14:20:00.000Z`.
fn time(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_eventbridge_does() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_765_894_800_000, "2025-12-16T14:20:00.000Z"),
            (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(time(millis), expected);
        }
    }
}
