//! In-memory capabilities that can be told to fail: for the tests of this crate and of the shells.
//!
//! [`Memory`] implements every capability over plain maps, by the letter of the traits. [`Memory::fail`] makes a coming
//! call fail, before or after it has taken effect, and [`Memory::crash_after`] all that follow, so that tests can break a
//! function off between any two steps.

mod blobs;
mod cache;
mod connections;
mod money;

use crate::capability::base::Level;
use crate::capability::documents::{Entry, Expect, Id, Outcome, Page, Query, Write};
use crate::capability::identity::{Claims, Refusal};
use crate::capability::sql::{Rows, Value};
use crate::capability::streams::Message;
use crate::capability::{Base, Documents, Error, Identity, LogStreams, Millis, Result, Sql};
use crate::remote::{Served, Session, Sessions, drawn};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use money::Money;

/// Every capability, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub now: Millis,
    pub config: BTreeMap<String, String>,
    pub log: Vec<String>,
    pub strings: BTreeMap<String, Vec<u8>>,
    pub sets: BTreeMap<String, BTreeSet<Vec<u8>>>,
    pub hashes: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub lists: BTreeMap<String, VecDeque<Vec<u8>>>,
    pub documents: BTreeMap<Id, Entry>,
    pub streams: BTreeMap<String, Vec<Message>>,
    /// Rows by the statement that wrote them, and within it by their first value.
    pub rows: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
    pub money: Money,
    /// Objects with the time they were written.
    pub blobs: BTreeMap<String, (Vec<u8>, Millis)>,
    /// The connections that are there, and what each was sent.
    pub online: BTreeSet<String>,
    pub sent: BTreeMap<String, Vec<Vec<u8>>>,
    random: u64,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// The call from which on nobody is there to make one.
    crash: Option<u64>,
}

/// How a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, and the caller is told so.
    Before(Error),
    /// It takes effect, but the caller is told that nobody knows.
    After,
}

/// The same state, going its own way from here.
impl Clone for Memory {
    fn clone(&self) -> Memory {
        Memory { state: Mutex::new(self.state().clone()) }
    }
}

impl Memory {
    /// An exchange of these symbols where test users may trade.
    pub fn exchange(symbols: &[&str]) -> Memory {
        let memory = Memory::default();
        let mut state = memory.state();
        state.now = 1_765_894_800_000;
        state.config.insert("ALLOW_TEST_MODE".into(), "true".into());
        let symbols = symbols.iter().map(|symbol| symbol.as_bytes().to_vec()).collect();
        state.sets.insert("active:symbols".into(), symbols);
        drop(state);
        memory
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the call after the next `skip` calls to any back end fail.
    pub fn fail(&self, skip: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.calls + skip;
        state.faults.insert(at, fault);
    }

    /// Serves all of it to functions that run elsewhere.
    pub fn served(&self) -> Served<'_> {
        Served::by(self)
    }

    pub fn forget_faults(&self) {
        self.state().faults.clear();
    }

    /// The process ends after so many more calls: the last of them has taken effect, and none after it does.
    pub fn crash_after(&self, calls: u64) {
        let mut state = self.state();
        state.crash = Some(state.calls + calls);
    }

    /// Whether the process has ended and somebody wanted to make a call all the same.
    pub fn has_crashed(&self) -> bool {
        let state = self.state();
        state.crash.is_some_and(|crash| state.calls > crash)
    }

    /// A new process is there.
    pub fn restart(&self) {
        self.state().crash = None;
    }

    /// Calls made so far, to all back ends.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Runs one call, or makes it fail.
    fn call<T>(&self, run: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        let number = state.calls;
        state.calls += 1;
        if state.crash.is_some_and(|crash| number >= crash) {
            return Err(Error::Unavailable("the process has ended".into()));
        }
        match state.faults.remove(&number) {
            None => run(&mut state),
            Some(Fault::Before(error)) => Err(error),
            Some(Fault::After) => run(&mut state).and(Err(Error::Timeout)),
        }
    }
}

#[async_trait]
impl Base for Memory {
    fn now(&self) -> Millis {
        self.state().now
    }

    /// Numbers that never repeat; the same in every run.
    fn random(&self, len: u32) -> Vec<u8> {
        let mut state = self.state();
        state.random += 1;
        drawn(state.random, len)
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.state().log.push(format!("{level:?} {message} {fields:?}"));
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        Ok(self.state().config.get(name).cloned())
    }
}

/// Numbers that one event may draw.
const DRAWS: u64 = 1 << 16;

/// Each event draws numbers of its own, wherever its function runs.
impl Sessions for Memory {
    fn open(&self) -> Session {
        let mut state = self.state();
        state.random = (state.random / DRAWS + 1) * DRAWS;
        Session { now: Some(state.now), random: Some(state.random) }
    }
}

/// Tokens are `user:NAME`, `admin:NAME`, `expired`, `forged` and `elsewhere`; any other is malformed.
#[async_trait]
impl Identity for Memory {
    async fn verify(&self, token: &str) -> Result<core::result::Result<Claims, Refusal>> {
        self.call(|state| {
            let claims = |user: &str, role: &str| Claims {
                user: user.into(),
                role: role.into(),
                expires: state.now + 3_600_000,
            };
            // With a full stop where a token has to be a WebSocket subprotocol, which has no colons.
            Ok(match token.split_once([':', '.']) {
                Some(("user", user)) => Ok(claims(user, "authenticated")),
                Some(("admin", user)) => Ok(claims(user, "service_role")),
                _ => Err(match token {
                    "expired" => Refusal::Expired,
                    "forged" => Refusal::BadSignature,
                    "elsewhere" => Refusal::WrongAudience,
                    _ => Refusal::Malformed,
                }),
            })
        })
    }
}

impl State {
    fn stale(&self, write: &Write) -> Option<Outcome> {
        let now = self.documents.get(&write.id);
        let expected = match write.expect {
            Expect::Anything => true,
            Expect::Absent => now.is_none(),
            Expect::Version(version) => now.is_some_and(|entry| entry.version == version),
        };
        (!expected).then(|| Outcome::Stale(now.cloned()))
    }

    fn write(&mut self, write: Write) -> Outcome {
        let Some(body) = write.body else {
            self.documents.remove(&write.id);
            return Outcome::Written(0);
        };
        let version = self.documents.get(&write.id).map_or(0, |entry| entry.version) + 1;
        self.documents.insert(write.id.clone(), Entry { id: write.id, version, body });
        Outcome::Written(version)
    }
}

#[async_trait]
impl Documents for Memory {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        self.call(|state| Ok(ids.iter().map(|id| state.documents.get(id).cloned()).collect()))
    }

    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.call(|state| {
            let put = |write: Write| state.stale(&write).unwrap_or_else(|| state.write(write));
            Ok(writes.into_iter().map(put).collect())
        })
    }

    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome> {
        self.call(|state| {
            if let Some(stale) = writes.iter().find_map(|write| state.stale(write)) {
                return Ok(stale);
            }
            let outcomes: Vec<Outcome> = writes.into_iter().map(|write| state.write(write)).collect();
            outcomes.into_iter().next_back().ok_or_else(|| Error::Invalid("nothing to write".into()))
        })
    }

    async fn search(&self, query: Query) -> Result<Page> {
        self.call(|state| {
            let wanted = |entry: &&Entry| {
                let sort = &entry.id.sort;
                let past = |cursor: &String| if query.descending { sort < cursor } else { sort > cursor };
                entry.id.table == query.table
                    && entry.id.partition == query.partition
                    && query.lower.as_ref().is_none_or(|lower| sort >= lower)
                    && query.upper.as_ref().is_none_or(|upper| sort <= upper)
                    && query.cursor.as_ref().is_none_or(past)
            };
            let mut entries: Vec<Entry> = state.documents.values().filter(wanted).cloned().collect();
            if query.descending {
                entries.reverse();
            }
            let more = entries.len() > query.limit as usize;
            entries.truncate(query.limit as usize);
            let cursor = entries.last().filter(|_| more).map(|entry| entry.id.sort.clone());
            Ok(Page { entries, cursor })
        })
    }
}

#[async_trait]
impl LogStreams for Memory {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.call(|state| {
            let log = state.streams.entry(stream.into()).or_default();
            let append = |message| {
                log.push(message);
                Ok(log.len().to_string())
            };
            Ok(messages.into_iter().map(append).collect())
        })
    }
}

#[async_trait]
impl Sql for Memory {
    async fn query(&self, statement: &str, _params: Vec<Value>) -> Result<Rows> {
        self.call(|state| {
            let rows =
                state.rows.get(statement).map(|rows| rows.values().cloned().collect()).unwrap_or_default();
            Ok(Rows { columns: Vec::new(), rows })
        })
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        self.call(|state| {
            let rows = state.rows.entry(statement.into()).or_default();
            let before = rows.len();
            for row in params {
                let Some(Value::Text(key)) = row.first().cloned() else {
                    return Err(Error::Invalid("a row is named by its first value".into()));
                };
                rows.entry(key).or_insert(row);
            }
            Ok((rows.len() - before) as u64)
        })
    }
}
