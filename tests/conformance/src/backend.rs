//! The one truth behind every host: the in-memory capabilities, with what each step scripts, and a record of what was called.
//!
//! A host in this process has it directly, the others by the remote protocol on loopback; a call is recorded and scripted
//! where the two meet, as the capability's own types say it.

use crate::case::Fault;
use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::documents::{Entry, Id, Outcome, Page, Query, Write};
use edge_fns::capability::identity::{Claims, Refusal};
use edge_fns::capability::sql::{Rows, Value};
use edge_fns::capability::streams::Message;
use edge_fns::capability::wallet::{Balance, Movement, Posted};
use edge_fns::capability::{
    Base, Blobs, Cache, Connections, Documents, Error, Identity, LogStreams, Millis, Result, Sql, Wallet,
    blobs,
};
use edge_fns::executor::ready;
use edge_fns::remote::{Call, Served, Session, Sessions, drawn};
use edge_fns::testing::{Memory, State};
use edge_host::Backends;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where hosts put records aside that can never be processed. No function appends to it.
pub const DEAD_LETTERS: &str = "conformance-dead-letters";
/// Numbers that one step may draw.
const DRAWS: u64 = 1 << 16;

/// Capabilities that do what a step says.
#[derive(Default)]
pub struct Scripted {
    memory: Memory,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    /// Between cases nothing is recorded and nothing fails: a host may bring itself to where a case begins.
    running: bool,
    now: Millis,
    random: u64,
    faults: Vec<(Fault, u32)>,
    /// How often each function was called.
    counts: BTreeMap<&'static str, usize>,
    calls: Vec<Json>,
    letters: Vec<Json>,
    wrong: Vec<String>,
}

/// What a step made of the capabilities.
#[derive(Default)]
pub struct Trace {
    pub calls: Vec<Json>,
    /// What the host put among the dead letters.
    pub letters: Vec<Json>,
    /// What of the script did not happen.
    pub wrong: Vec<String>,
}

/// What becomes of a call that is not refused.
enum Then {
    Run,
    /// It takes effect, and the answer gets lost.
    Lose(Error),
    Answer(Json),
}

impl Scripted {
    /// Puts a case's state in place of what is there.
    pub fn load(&self, state: &Memory) {
        *self.memory.state() = state.state().clone();
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.memory.state()
    }

    /// The `n`-th step of a case begins.
    pub fn begin(&self, n: usize, now: Option<Millis>, faults: &[Fault]) {
        let mut state = self.memory.state();
        state.now = now.unwrap_or(state.now);
        let faults = faults.iter().map(|fault| (fault.clone(), 0)).collect();
        let random = (n as u64 + 1) * DRAWS;
        *self.script() = Script { running: true, now: state.now, random, faults, ..Script::default() };
    }

    /// Calls that were recorded since the step began.
    pub fn called(&self) -> usize {
        self.script().calls.len()
    }

    /// The recorded call whose JSON has this text in it.
    pub fn call_with(&self, text: &str) -> Option<String> {
        self.script().calls.iter().map(Json::to_string).find(|call| call.contains(text))
    }

    pub fn end(&self) -> Trace {
        let script = std::mem::take(&mut *self.script());
        let Script { faults, calls, letters, mut wrong, .. } = script;
        let unused = faults.iter().filter(|(_, used)| *used == 0);
        wrong.extend(unused.map(|(fault, _)| format!("this never came about: {fault:?}")));
        Trace { calls, letters, wrong }
    }

    pub fn backends(self: &Arc<Self>) -> Backends {
        let all = || self.clone();
        Backends {
            base: all(),
            identity: all(),
            cache: all(),
            documents: all(),
            streams: all(),
            sql: all(),
            wallet: all(),
            connections: all(),
            blobs: all(),
        }
    }

    /// Answers one call of the remote protocol.
    pub async fn answer(&self, body: &[u8]) -> Vec<u8> {
        Served::by(self).answer(body).await
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call and does what is scripted for it.
    fn enter(&self, name: &'static str, call: &Call) -> Result<Then> {
        let mut script = self.script();
        if !script.running {
            return Ok(Then::Run);
        }
        let count = script.counts.entry(name).or_default();
        *count += 1;
        let nth = *count;
        // Reading the configuration is not what a function does; hosts may keep it.
        if !name.starts_with("base.") {
            match serde_json::to_value(call) {
                Ok(call) => script.calls.push(call),
                Err(error) => script.wrong.push(format!("a call is no JSON: {error}")),
            }
        }
        let at = script.calls.len();
        let found = script.faults.iter_mut().find(|(fault, used)| fault.is_at(name, nth, at, *used));
        let Some((fault, used)) = found else { return Ok(Then::Run) };
        *used += 1;
        let fault = fault.clone();
        for call in &fault.race {
            let body = serde_json::to_vec(call).unwrap_or_default();
            let answer = ready(self.memory.served().answer(&body)).unwrap_or_default();
            let text = String::from_utf8_lossy(&answer);
            if !text.starts_with("{\"Ok\"") {
                script.wrong.push(format!("what somebody else did failed: {text}"));
            }
        }
        match (fault.error, fault.lost, fault.answer) {
            (Some(error), ..) => Err(error),
            (_, Some(error), _) => Ok(Then::Lose(error)),
            (.., Some(answer)) => Ok(Then::Answer(answer)),
            _ => Ok(Then::Run),
        }
    }

    fn given<T: DeserializeOwned>(&self, answer: Json) -> Result<T> {
        serde_json::from_value(answer).map_err(|error| {
            self.script().wrong.push(format!("a scripted answer is not of its type: {error}"));
            Error::Internal("no answer".into())
        })
    }
}

/// Makes a call as it is scripted.
macro_rules! scripted {
    ($self:ident, $name:literal, $call:expr, $run:expr) => {
        match $self.enter($name, &$call)? {
            Then::Run => $run.await,
            Then::Lose(error) => $run.await.and(Err(error)),
            Then::Answer(answer) => $self.given(answer),
        }
    };
}

#[async_trait]
impl Base for Scripted {
    fn now(&self) -> Millis {
        self.script().now
    }

    fn random(&self, len: u32) -> Vec<u8> {
        let mut script = self.script();
        script.random += 1;
        drawn(script.random, len)
    }

    /// What a function says is for people.
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}

    async fn config(&self, name: &str) -> Result<Option<String>> {
        scripted!(self, "base.config", Call::Config { name: name.into() }, self.memory.config(name))
    }
}

impl Sessions for Scripted {
    fn open(&self) -> Session {
        let script = self.script();
        Session { now: Some(script.now), random: Some(script.random) }
    }
}

#[async_trait]
impl Identity for Scripted {
    async fn verify(&self, token: &str) -> Result<core::result::Result<Claims, Refusal>> {
        scripted!(self, "identity.verify", Call::Verify { token: token.into() }, self.memory.verify(token))
    }
}

#[async_trait]
impl Cache for Scripted {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let call = Call::CacheRun { commands: commands.clone() };
        scripted!(self, "cache.run", call, self.memory.run(commands))
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        let call = Call::CacheRunAtomic { commands: commands.clone() };
        scripted!(self, "cache.run_atomic", call, self.memory.run_atomic(commands))
    }
}

#[async_trait]
impl Documents for Scripted {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        let call = Call::DocumentsGet { ids: ids.clone() };
        scripted!(self, "documents.get", call, Documents::get(&self.memory, ids))
    }

    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        let call = Call::DocumentsPut { writes: writes.clone() };
        scripted!(self, "documents.put", call, Documents::put(&self.memory, writes))
    }

    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome> {
        let call = Call::DocumentsPutAll { writes: writes.clone() };
        scripted!(self, "documents.put_all", call, self.memory.put_all(writes))
    }

    async fn search(&self, query: Query) -> Result<Page> {
        let call = Call::DocumentsSearch { query: query.clone() };
        scripted!(self, "documents.search", call, Documents::search(&self.memory, query))
    }
}

#[async_trait]
impl LogStreams for Scripted {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        if stream == DEAD_LETTERS {
            let letters = messages.iter().filter_map(|message| serde_json::from_slice(&message.body).ok());
            self.script().letters.extend(letters);
            return self.memory.append(stream, messages).await;
        }
        let call = Call::Append { stream: stream.into(), messages: messages.clone() };
        scripted!(self, "streams.append", call, self.memory.append(stream, messages))
    }
}

#[async_trait]
impl Sql for Scripted {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows> {
        let call = Call::SqlQuery { statement: statement.into(), params: params.clone() };
        scripted!(self, "sql.query", call, self.memory.query(statement, params))
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        let call = Call::SqlExecute { statement: statement.into(), params: params.clone() };
        scripted!(self, "sql.execute", call, self.memory.execute(statement, params))
    }
}

#[async_trait]
impl Wallet for Scripted {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        let call = Call::WalletPost { movements: movements.clone() };
        scripted!(self, "wallet.post", call, Wallet::post(&self.memory, movements))
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        scripted!(self, "wallet.balances", Call::Balances { user: user.into() }, self.memory.balances(user))
    }
}

#[async_trait]
impl Connections for Scripted {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let call = Call::Push { pushes: pushes.clone() };
        scripted!(self, "connections.post", call, Connections::post(&self.memory, pushes))
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let call = Call::Probe { ids: ids.clone() };
        scripted!(self, "connections.probe", call, self.memory.probe(ids))
    }

    async fn close(&self, id: &str) -> Result<()> {
        scripted!(self, "connections.close", Call::Close { id: id.into() }, self.memory.close(id))
    }
}

#[async_trait]
impl Blobs for Scripted {
    async fn put(&self, writes: Vec<blobs::Write>) -> Result<Vec<Result<blobs::Outcome>>> {
        let call = Call::BlobsPut { writes: writes.clone() };
        scripted!(self, "blobs.put", call, Blobs::put(&self.memory, writes))
    }

    async fn get(&self, reads: Vec<blobs::Read>) -> Result<Vec<Result<Option<blobs::Object>>>> {
        let call = Call::BlobsGet { reads: reads.clone() };
        scripted!(self, "blobs.get", call, Blobs::get(&self.memory, reads))
    }

    async fn search(&self, query: blobs::Query) -> Result<blobs::Page> {
        let call = Call::BlobsSearch { query: query.clone() };
        scripted!(self, "blobs.search", call, Blobs::search(&self.memory, query))
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        let call = Call::BlobsDelete { keys: keys.clone() };
        scripted!(self, "blobs.delete", call, Blobs::delete(&self.memory, keys))
    }
}
