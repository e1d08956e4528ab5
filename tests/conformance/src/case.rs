//! What a case file says: what is there, what happens, what fails, and what must come of it.
//!
//! `cases/HANDLER.json` is a list of cases. Everything in it is checked: a field that is not known, a fault that never comes
//! about, or a name that is given twice is an error, and not a case that tests nothing.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use edge_fns::capability::Error;
use edge_fns::remote::Call;
use edge_host::{Item, Request, SocketEvent};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub const HANDLERS: [&str; 16] = [
    "order-router",
    "orders",
    "asset",
    "admin",
    "chart-data",
    "connect",
    "subscribe",
    "disconnect",
    "fill-processor",
    "history-saver",
    "notifier",
    "user-notify",
    "stale-connections",
    "trades-backup",
    "aggregator",
    "sweeper",
];
/// What every case's stream is called.
pub const STREAM: &str = "supernoba-fills";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(skip)]
    pub handler: String,
    pub name: String,
    /// Why the answer is the right one, where the name does not say it.
    #[serde(default, rename = "why")]
    _why: Option<String>,
    /// The state that it begins with; see [`crate::state`].
    #[serde(default)]
    pub given: Value,
    pub steps: Vec<Step>,
    /// What must be there in the end.
    #[serde(default)]
    pub after: Value,
}

/// One event, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The time from this step on, in milliseconds since the epoch.
    #[serde(default)]
    pub now: Option<u64>,
    pub event: Event,
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// See [`crate::expected`].
    pub answer: Value,
    /// Every call of a capability, in order, as the remote protocol writes it. `--record` fills it in, but leaves out the
    /// arguments of very long ones.
    #[serde(default)]
    pub calls: Vec<Value>,
}

/// What happens to one call, or to all from one on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The function's `nth` call (from 1), or the step's call `at` this place (from 1).
    #[serde(default)]
    call: Option<String>,
    #[serde(default)]
    nth: Option<usize>,
    #[serde(default)]
    at: Option<usize>,
    /// And all that come after.
    #[serde(default)]
    every: bool,
    /// It does not take effect, and this is the answer.
    #[serde(default)]
    pub error: Option<Error>,
    /// It takes effect, and this is the answer all the same.
    #[serde(default)]
    pub lost: Option<Error>,
    /// It does not take effect, and answers this.
    #[serde(default)]
    pub answer: Option<Value>,
    /// What somebody else does just before.
    #[serde(default)]
    pub race: Vec<Call>,
}

impl Fault {
    pub fn is_at(&self, name: &str, nth: usize, at: usize, used: u32) -> bool {
        let (reached, exact) = match (&self.call, self.at) {
            (Some(call), _) => {
                let wanted = self.nth.unwrap_or(1);
                (call == name && nth >= wanted, nth == wanted)
            }
            (None, Some(wanted)) => (!name.starts_with("base.") && at >= wanted, at == wanted),
            (None, None) => (false, false),
        };
        reached && (self.every || (exact && used == 0))
    }

    fn check(&self) -> Result<()> {
        ensure!(self.call.is_some() != self.at.is_some(), "a fault is at one place: call or at");
        let answers = [self.error.is_some(), self.lost.is_some(), self.answer.is_some()]
            .iter()
            .filter(|is| **is)
            .count();
        ensure!(answers <= 1, "a call has one answer: error, lost or answer");
        ensure!(answers == 1 || !self.race.is_empty(), "a fault that does nothing");
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Event {
    Http(Http),
    Socket(Socket),
    /// Records of the stream, in its order.
    Stream(Vec<Record>),
    /// A time that has come; it was set for the step's time if it does not say for when.
    Timer(Timer),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A test user who asks.
    #[serde(default)]
    user: Option<String>,
    /// A token, as the in-memory identity knows them: `user:NAME`, `admin:NAME`, `expired`, …
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    body: Body,
}

/// JSON; or text as it is; or `{"bytes": BASE64}`; or `{"filled": LENGTH}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Body(Option<Value>);

impl Body {
    pub fn bytes(&self) -> Vec<u8> {
        let Some(value) = &self.0 else { return Vec::new() };
        if let Some(text) = value.as_str() {
            return text.into();
        }
        match value.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next()) {
            Some((name, Value::String(text))) if name == "bytes" => {
                BASE64_STANDARD.decode(text).expect("a case's bytes are base64")
            }
            Some((name, Value::Number(length))) if name == "filled" => {
                vec![b'x'; length.as_u64().unwrap_or(0) as usize]
            }
            _ => value.to_string().into_bytes(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    pub connection: String,
    pub event: SocketKind,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum SocketKind {
    Opened(Handshake),
    Message(Body),
    Closed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    id: String,
    #[serde(default)]
    partition: Option<String>,
    body: Body,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    #[serde(default)]
    pub due: Option<u64>,
}

impl Http {
    pub fn request(&self) -> Request {
        let body = self.body.bytes();
        let mut headers: Vec<(String, String)> = self.headers.clone().into_iter().collect();
        if !body.is_empty() && !self.headers.contains_key("content-type") {
            headers.push(("content-type".into(), "application/json".into()));
        }
        if let Some(token) = &self.token {
            headers.push(("authorization".into(), format!("Bearer {token}")));
        }
        let user = self.user.as_ref().map(|user| format!("userId={user}&testMode=true"));
        let parts: Vec<String> =
            user.into_iter().chain((!self.query.is_empty()).then(|| self.query.clone())).collect();
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            query: parts.join("&"),
            headers,
            body,
        }
    }
}

impl Socket {
    pub fn event(&self) -> SocketEvent {
        match &self.event {
            SocketKind::Opened(Handshake { query, headers }) => {
                let query = query.iter().map(|(name, value)| (format!("query:{name}"), value.clone()));
                let headers = headers.iter().map(|(name, value)| (format!("header:{name}"), value.clone()));
                SocketEvent::Opened(query.chain(headers).collect())
            }
            SocketKind::Message(body) => SocketEvent::Message(body.bytes()),
            SocketKind::Closed => SocketEvent::Closed,
        }
    }
}

impl Record {
    pub fn item(&self, now: u64) -> Item {
        Item {
            id: self.id.clone(),
            partition: self.partition.clone().unwrap_or_else(|| "TEST".into()),
            arrived: now,
            body: self.body.bytes(),
        }
    }
}

/// A file's cases, and as they are written.
pub struct File {
    pub cases: Vec<Case>,
    pub written: Vec<Value>,
}

impl File {
    pub fn read(folder: &Path, handler: &str) -> Result<File> {
        let path = folder.join(format!("{handler}.json"));
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let written: Vec<Value> =
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let mut names = BTreeSet::new();
        let mut cases = Vec::with_capacity(written.len());
        for value in &written {
            let about = || format!("{}: {}", path.display(), value["name"]);
            let mut case = Case::deserialize(value).with_context(about)?;
            case.handler = handler.to_owned();
            ensure!(!case.steps.is_empty(), "{}: nothing happens", about());
            for step in &case.steps {
                step.faults.iter().try_for_each(Fault::check).with_context(about)?;
            }
            if !names.insert(case.name.clone()) {
                bail!("{}: two cases of this name", about());
            }
            cases.push(case);
        }
        Ok(File { cases, written })
    }
}
