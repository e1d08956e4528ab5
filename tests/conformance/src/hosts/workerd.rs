//! The Worker shell, and the unmodified components, both in the real workerd, over the remote protocol.
//!
//! The Worker meets REST requests at its routes, connections as WebSockets at a hub, batches as a queue's and timers as
//! cron triggers; each connection gets its name from the hub, in place of the case's. The components meet requests at the
//! same routes, and every other event as JSON.

use super::invoke::bytes_json;
use super::{Given, Host, Renamed, invoke, request, serve};
use crate::backend::Scripted;
use crate::case::{Case, Event, STREAM};
use crate::expected::Answer;
use anyhow::{Context, Result, anyhow, ensure};
use async_trait::async_trait;
use edge_fns::testing::Memory;
use edge_host::{Item, SocketEvent, SocketReply};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Upgraded};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// No answer takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a call that was not expected has time to come, where nobody says that all is done.
const SETTLE: Duration = Duration::from_millis(30);

#[derive(Clone, Debug, Deserialize)]
struct Addresses {
    worker: String,
    components: String,
    driver: String,
}

/// The program that holds both: they end with it, and it ends with its input.
struct Launcher {
    _input: ChildStdin,
    _process: Child,
}

/// The Worker and the components.
pub async fn start(root: &Path) -> Result<(Worker, Components)> {
    let (own, other) = (Arc::<Scripted>::default(), Arc::<Scripted>::default());
    let urls = [serve(own.clone()).await?, serve(other.clone()).await?];
    let mut process = Command::new("node")
        .arg(root.join("tests/conformance/workerd.mjs"))
        .args(&urls)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node does not run")?;
    let input = process.stdin.take().context("no input")?;
    let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
    let mut addresses = Vec::new();
    for _ in &urls {
        let line = timeout(PATIENCE, lines.next_line()).await.context("workerd does not start")??;
        let line = line.context("workerd does not start; `cargo xtask worker` builds what it runs")?;
        addresses.push(serde_json::from_str::<Addresses>(&line)?);
    }
    let launcher = Arc::new(Launcher { _input: input, _process: process });
    let client = Client::builder().timeout(PATIENCE).build()?;
    let worker = Worker {
        backend: own,
        at: addresses.remove(0),
        client: client.clone(),
        clients: Vec::new(),
        renamed: None,
        letters: 0,
        _launcher: launcher.clone(),
    };
    let components = Components { backend: other, at: addresses.remove(0), client, _launcher: launcher };
    Ok((worker, components))
}

async fn post(client: &Client, url: &str, body: &Value) -> Result<Value> {
    let answer = client.post(url).body(body.to_string()).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    serde_json::from_str(&text).with_context(|| format!("{url} answered {text:?}"))
}

// ---- the Worker shell

pub struct Worker {
    backend: Arc<Scripted>,
    at: Addresses,
    client: Client,
    /// Connections stay open to the end: what a hub does when they close must not come into another case.
    clients: Vec<WebSocketStream<Upgraded>>,
    renamed: Option<Renamed>,
    /// Dead letters that were read.
    letters: usize,
    _launcher: Arc<Launcher>,
}

/// How a handshake went.
enum Handshake {
    Open(String, Box<WebSocketStream<Upgraded>>),
    Refused(u16, Vec<u8>),
}

async fn handshake(client: &Client, base: &str, about: &[(String, String)]) -> Result<Handshake> {
    let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let query = about.iter().filter_map(|(name, value)| {
        Some(format!("{}={}", encode(name.strip_prefix("query:")?), encode(value)))
    });
    let query = query.collect::<Vec<_>>().join("&");
    let mut request = client.get(format!("{}/ws?{query}", base));
    for (name, value) in about.iter().filter_map(|(name, v)| Some((name.strip_prefix("header:")?, v))) {
        request = request.header(name, value);
    }
    let answer = request
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "c2FtcGxlIG5vbmNlIQ==")
        .send()
        .await?;
    let status = answer.status().as_u16();
    if status != 101 {
        return Ok(Handshake::Refused(status, answer.bytes().await?.to_vec()));
    }
    let id = answer.headers().get("x-connection-id").context("a connection without a name")?;
    let id = id.to_str()?.to_owned();
    let socket = WebSocketStream::from_raw_socket(answer.upgrade().await?, Role::Client, None).await;
    Ok(Handshake::Open(id, Box::new(socket)))
}

impl Worker {
    async fn connect(&mut self, connection: &str, about: &[(String, String)]) -> Result<SocketReply> {
        match handshake(&self.client, &self.at.worker, about).await? {
            Handshake::Open(host, socket) => {
                self.clients.push(*socket);
                self.renamed = Some(Renamed { case: connection.to_owned(), host });
                Ok(SocketReply::accept())
            }
            Handshake::Refused(status, body) => {
                // Of one that is refused, only what was called tells the name.
                let call = self.backend.call_with("\"ws:");
                let host = call.as_deref().and_then(|call| call.split_once("\"ws:")?.1.split_once('"'));
                let renamed =
                    |(host, _): (&str, &str)| Renamed { case: connection.into(), host: host.into() };
                self.renamed = host.map(renamed);
                Ok(SocketReply { accept: false, status: Some(status), body: Some(body) })
            }
        }
    }

    async fn socket(&mut self, connection: &str, event: &SocketEvent, calls: usize) -> Result<SocketReply> {
        let message = match event {
            SocketEvent::Opened(about) => return self.connect(connection, about).await,
            SocketEvent::Message(message) => message,
            SocketEvent::Closed => {
                let mut socket = self.clients.pop().context("no connection")?;
                socket.close(None).await?;
                // The hub tells nobody when it is done.
                let all = async {
                    while self.backend.called() < calls {
                        sleep(Duration::from_millis(2)).await;
                    }
                };
                // Where it does less than it should, the calls say so.
                let _ = timeout(Duration::from_secs(5), all).await;
                sleep(SETTLE).await;
                return Ok(SocketReply::accept());
            }
        };
        let socket = self.clients.last_mut().context("no connection")?;
        let message = match std::str::from_utf8(message) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(message.clone()),
        };
        socket.send(message).await?;
        match timeout(PATIENCE, socket.next())
            .await
            .context("no reply")?
            .context("the connection ended")??
        {
            Message::Text(text) => Ok(SocketReply::message(text.as_bytes().to_vec())),
            Message::Binary(bytes) => Ok(SocketReply::message(bytes.to_vec())),
            other => Err(anyhow!("a reply was expected, {other:?} came")),
        }
    }

    async fn queue(&mut self, handler: &str, items: &[Item]) -> Result<Answer> {
        let message = |item: &Item| {
            let body = json!({"partition": item.partition, "body": bytes_json(&item.body)});
            json!({"id": item.id, "timestamp": item.arrived, "body": body})
        };
        let messages: Vec<Value> = items.iter().map(message).collect();
        let batch = json!({"name": format!("{STREAM}-{handler}"), "messages": messages});
        let done = post(&self.client, &format!("{}/queue", self.at.driver), &batch).await?;
        ensure!(done["outcome"] == "ok", "the queue's batch ended with {done}");
        let ids = |name: &str, id: &str| -> Vec<String> {
            let list = done[name].as_array().into_iter().flatten();
            list.filter_map(|entry| entry[id].as_str().or(entry.as_str()).map(str::to_owned)).collect()
        };
        let (again, done) = (ids("retryMessages", "msgId"), ids("explicitAcks", "id"));
        let first = items.iter().position(|item| again.contains(&item.id)).unwrap_or(items.len());
        for (n, item) in items.iter().enumerate() {
            let (retried, acknowledged) = (again.contains(&item.id), done.contains(&item.id));
            ensure!(
                retried == (n >= first) && acknowledged != retried,
                "of records from {first} on to come again, {} did not",
                item.id
            );
        }
        let text = self.client.get(format!("{}/letters", self.at.driver)).send().await?.text().await?;
        let letters: Vec<String> = serde_json::from_str(&text)?;
        let mut rejected = Vec::new();
        for letter in &letters[self.letters..] {
            let letter: Value = serde_json::from_str(letter)?;
            let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
            rejected.push((text("id"), text("reason")));
        }
        self.letters = letters.len();
        Ok(Answer::Settled { rejected, again: items.get(first).map(|item| item.id.clone()) })
    }
}

#[async_trait]
impl Host for Worker {
    fn name(&self) -> &'static str {
        "worker"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.backend
    }

    async fn prepare(&mut self, case: &Case) -> Result<Option<Renamed>> {
        self.renamed = None;
        let Event::Socket(first) = &case.steps[0].event else { return Ok(None) };
        if case.handler == "connect" {
            return Ok(None);
        }
        // A connection has to be there before it says anything.
        self.backend.load(&Memory::exchange(&[]));
        let Handshake::Open(host, socket) = handshake(&self.client, &self.at.worker, &[]).await? else {
            return Err(anyhow!("an anonymous connection was refused"));
        };
        self.clients.push(*socket);
        self.renamed = Some(Renamed { case: first.connection.clone(), host });
        Ok(self.renamed.clone())
    }

    async fn give(&mut self, handler: &str, event: &Given, calls: usize) -> Result<Answer> {
        Ok(match event {
            Given::Http(asked) => Answer::Http(request(&self.client, &self.at.worker, asked).await?),
            Given::Socket { connection, event } => {
                Answer::Socket(self.socket(connection, event, calls).await?)
            }
            Given::Stream(items) => self.queue(handler, items).await?,
            Given::Timer(timer) => {
                let cron = json!({"cron": handler, "scheduledTime": timer.due});
                let done = post(&self.client, &format!("{}/scheduled", self.at.driver), &cron).await?;
                Answer::TimerDone(done["outcome"] == "ok")
            }
        })
    }

    fn renamed(&self) -> Option<Renamed> {
        self.renamed.clone()
    }
}

// ---- the components

pub struct Components {
    backend: Arc<Scripted>,
    at: Addresses,
    client: Client,
    _launcher: Arc<Launcher>,
}

#[async_trait]
impl Host for Components {
    fn name(&self) -> &'static str {
        "jco"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.backend
    }

    async fn give(&mut self, handler: &str, given: &Given, _calls: usize) -> Result<Answer> {
        if let Given::Http(asked) = given {
            return Ok(Answer::Http(request(&self.client, &self.at.components, asked).await?));
        }
        let url = format!("{}/@invoke/{handler}", self.at.components);
        let said = post(&self.client, &url, &invoke::event(given)?).await?;
        match said.get("error") {
            Some(error) => Ok(Answer::Timer(Err(invoke::error(error)?))),
            None => invoke::answer(given, &said),
        }
    }
}
