//! The cache in memory, with Valkey's semantics for the commands that the exchange uses.
//!
//! Keys with a durable prefix are also written to an append-only file, one frame a command, and are there after a
//! restart; all others are of the process. The file is compacted when it is opened. Scripts are Rust functions over the
//! [`Keyspace`], registered by name: a caller can run them, not bring its own.

use super::append_file::AppendFile;
use async_trait::async_trait;
use edge_fns::capability::cache::{Command, Reply, SetOptions, Value};
use edge_fns::capability::{Cache, Error, Result};
use edge_fns::scripts::DROP_OLDEST;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// What must survive a restart. All the rest is rebuilt from the engine's state, or dies with its connections.
const DURABLE: [&str; 3] = ["active:symbols", "candle:closed:", "prev:"];

/// Changed keys that a slow watcher may fall behind by; then it must look at everything again.
const WATCH: usize = 8192;

/// A function over the keyspace, run atomically.
pub type Script = fn(&mut Keyspace, keys: &[String], args: &[Value]) -> Result<Reply>;

pub struct EmbeddedCache {
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Arc<str>>,
}

struct Inner {
    keyspace: Keyspace,
    scripts: HashMap<String, Script>,
    file: Option<AppendFile>,
}

/// The keys and their values.
#[derive(Debug, Default)]
pub struct Keyspace {
    entries: HashMap<String, Entry>,
    /// Writes to durable keys since the last frame.
    frame: Vec<u8>,
    changed: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Entry {
    data: Data,
    expires: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Bytes(Value),
    Set(BTreeSet<Value>),
    Hash(BTreeMap<String, Value>),
    List(VecDeque<Value>),
}

impl EmbeddedCache {
    /// A cache of this process alone.
    pub fn in_memory() -> EmbeddedCache {
        EmbeddedCache::with(Keyspace::default(), None)
    }

    /// A cache whose durable keys live in this file.
    pub fn open(path: &Path) -> Result<EmbeddedCache> {
        let mut keyspace = Keyspace::default();
        let mut damaged = false;
        let read = AppendFile::open(path, |frame| damaged |= keyspace.replay(frame).is_none());
        read.map_err(|error| unavailable(path, &error))?;
        if damaged {
            return Err(Error::Internal(format!("{} holds what this program did not write", path.display())));
        }
        keyspace.settle();
        let frames: Vec<Vec<u8>> = keyspace.dump();
        let file = AppendFile::rewrite(path, frames.iter().map(Vec::as_slice));
        Ok(EmbeddedCache::with(keyspace, Some(file.map_err(|error| unavailable(path, &error))?)))
    }

    fn with(keyspace: Keyspace, file: Option<AppendFile>) -> EmbeddedCache {
        let mut scripts: HashMap<String, Script> = HashMap::new();
        scripts.insert("set_newer".into(), set_newer);
        scripts.insert(DROP_OLDEST.into(), drop_oldest);
        let inner = Mutex::new(Inner { keyspace, scripts, file });
        EmbeddedCache { inner, changes: broadcast::Sender::new(WATCH) }
    }

    /// Makes a script callable under this name.
    pub fn register(&self, name: &str, script: Script) {
        self.lock().scripts.insert(name.into(), script);
    }

    /// Names of keys as they change. A watcher that lags is told so by the channel.
    pub fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.subscribe()
    }

    /// Durable keys survive a crash of the machine up to here.
    pub fn flush(&self) -> std::io::Result<()> {
        self.lock().file.as_ref().map_or(Ok(()), AppendFile::sync)
    }

    /// A panic while the lock was held left no half-done command behind that a reader could see as such.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, changed: BTreeSet<Arc<str>>) {
        if self.changes.receiver_count() > 0 {
            for key in changed {
                // Without a watcher there is nobody to tell.
                let _ = self.changes.send(key);
            }
        }
    }
}

#[async_trait]
impl Cache for EmbeddedCache {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let mut changed = BTreeSet::new();
        let replies = {
            let mut inner = self.lock();
            commands.into_iter().map(|command| inner.run_one(command, &mut changed)).collect()
        };
        self.tell(changed);
        Ok(replies)
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        let mut changed = BTreeSet::new();
        let replies = self.lock().run_all(commands, &mut changed)?;
        self.tell(changed);
        Ok(replies)
    }
}

impl Inner {
    fn run_one(&mut self, command: Command, changed: &mut BTreeSet<Arc<str>>) -> Result<Reply> {
        let reply = self.apply(command);
        self.persist()?;
        changed.append(&mut self.keyspace.changed);
        reply
    }

    /// Every command is checked before the first is run, so that all take effect or none.
    fn run_all(&mut self, commands: Vec<Command>, changed: &mut BTreeSet<Arc<str>>) -> Result<Vec<Reply>> {
        let before = |key: &String| (key.clone(), self.keyspace.entries.get(key).cloned());
        let touched: Vec<_> = commands.iter().flat_map(written_keys).map(before).collect();
        let replies: Result<Vec<Reply>> = commands.into_iter().map(|command| self.apply(command)).collect();
        if replies.is_err() {
            for (key, before) in touched {
                match before {
                    Some(entry) => self.keyspace.entries.insert(key, entry),
                    None => self.keyspace.entries.remove(&key),
                };
            }
            self.keyspace.frame.clear();
            self.keyspace.changed.clear();
            return replies;
        }
        self.persist()?;
        changed.append(&mut self.keyspace.changed);
        replies
    }

    fn apply(&mut self, command: Command) -> Result<Reply> {
        if let Command::Eval { name, keys, args } = command {
            let script = self.scripts.get(&name);
            let script = script.ok_or_else(|| Error::Denied(format!("there is no script {name:?}")))?;
            return script(&mut self.keyspace, &keys, &args);
        }
        self.keyspace.apply(command)
    }

    fn persist(&mut self) -> Result<()> {
        if self.keyspace.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.keyspace.frame);
        match &mut self.file {
            Some(file) => {
                file.append(&frame).map_err(|error| Error::Unavailable(format!("the cache's file: {error}")))
            }
            None => Ok(()),
        }
    }
}

/// Keys that a command may write, for taking it back. Scripts take care of themselves: they check before they write.
fn written_keys(command: &Command) -> Vec<&String> {
    match command {
        Command::Del(keys) => keys.iter().collect(),
        Command::Set(key, ..)
        | Command::Expire(key, _)
        | Command::Sadd(key, _)
        | Command::Srem(key, _)
        | Command::Hset(key, _)
        | Command::Lpush(key, _)
        | Command::Ltrim(key, ..) => vec![key],
        Command::Eval { keys, .. } => keys.iter().collect(),
        _ => Vec::new(),
    }
}

impl Keyspace {
    fn apply(&mut self, command: Command) -> Result<Reply> {
        Ok(match command {
            Command::Get(key) => self.get(&key)?.map_or(Reply::Nil, |value| Reply::Bytes(value.clone())),
            Command::Mget(keys) => {
                // A key of another kind reads as missing, as Valkey has it.
                Reply::Values(keys.iter().map(|key| self.get(key).ok().flatten().cloned()).collect())
            }
            Command::Set(key, value, SetOptions { px, only_if_absent }) => {
                if only_if_absent && self.live(&key).is_some() {
                    return Ok(Reply::Nil);
                }
                self.put(&key, Data::Bytes(value), px);
                Reply::Done
            }
            Command::Del(keys) => {
                let mut gone = 0;
                for key in &keys {
                    gone += i64::from(self.live(key).is_some());
                    self.remove(key);
                }
                Reply::Integer(gone)
            }
            Command::Expire(key, ms) => {
                if self.live(&key).is_none() {
                    return Ok(Reply::Integer(0));
                }
                if ms == 0 {
                    self.remove(&key);
                } else if let Some(entry) = self.entries.get_mut(&key) {
                    entry.expires = Some(Instant::now() + Duration::from_millis(ms.into()));
                }
                Reply::Integer(1)
            }
            Command::Sadd(key, members) => {
                let set = self.set_mut(&key)?;
                let added = members.into_iter().filter(|member| set.insert(member.clone())).count();
                self.touch(&key);
                Reply::Integer(added as i64)
            }
            Command::Srem(key, members) => {
                let set = self.set_mut(&key)?;
                let gone = members.iter().filter(|member| set.remove(*member)).count();
                self.touch(&key);
                Reply::Integer(gone as i64)
            }
            Command::Sismember(key, member) => {
                Reply::Integer(i64::from(self.set(&key)?.is_some_and(|set| set.contains(&member))))
            }
            Command::Smembers(key) => {
                Reply::Values(self.set(&key)?.into_iter().flatten().cloned().map(Some).collect())
            }
            Command::Hgetall(key) => {
                Reply::Pairs(self.hash(&key)?.cloned().unwrap_or_default().into_iter().collect())
            }
            Command::Hset(key, pairs) => Reply::Integer(self.hset(&key, pairs)? as i64),
            Command::Lpush(key, values) => Reply::Integer(self.lpush(&key, values)? as i64),
            Command::Lrange(key, start, stop) => {
                let list = self.list(&key)?;
                let range = list.map_or(0..0, |list| bounds(start, stop, list.len()));
                Reply::Values(
                    list.into_iter().flat_map(|list| list.range(range.clone())).cloned().map(Some).collect(),
                )
            }
            Command::Ltrim(key, start, stop) => {
                self.ltrim(&key, start, stop)?;
                Reply::Done
            }
            Command::Scan { cursor, pattern, count } => self.scan(cursor, &pattern, count),
            Command::Eval { .. } => return Err(Error::Invalid("a script within a script".into())),
        })
    }

    pub fn get(&self, key: &str) -> Result<Option<&Value>> {
        match self.live(key) {
            None => Ok(None),
            Some(Data::Bytes(value)) => Ok(Some(value)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    pub fn set(&self, key: &str) -> Result<Option<&BTreeSet<Value>>> {
        match self.live(key) {
            None => Ok(None),
            Some(Data::Set(set)) => Ok(Some(set)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    pub fn hash(&self, key: &str) -> Result<Option<&BTreeMap<String, Value>>> {
        match self.live(key) {
            None => Ok(None),
            Some(Data::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    fn list(&self, key: &str) -> Result<Option<&VecDeque<Value>>> {
        match self.live(key) {
            None => Ok(None),
            Some(Data::List(list)) => Ok(Some(list)),
            Some(_) => Err(wrong_kind(key)),
        }
    }

    /// Replaces whatever the key holds; its time to live too.
    pub fn put_bytes(&mut self, key: &str, value: Value) {
        self.put(key, Data::Bytes(value), None);
    }

    /// Replaces the whole hash.
    pub fn put_hash(&mut self, key: &str, pairs: BTreeMap<String, Value>, px: Option<u32>) {
        self.put(key, Data::Hash(pairs), px);
    }

    pub fn hset(&mut self, key: &str, pairs: Vec<(String, Value)>) -> Result<usize> {
        self.hash(key)?;
        let entry = self.entry(key, || Data::Hash(BTreeMap::new()));
        let Data::Hash(hash) = &mut entry.data else { return Err(wrong_kind(key)) };
        let added = pairs
            .into_iter()
            .filter(|(name, value)| hash.insert(name.clone(), value.clone()).is_none())
            .count();
        self.touch(key);
        Ok(added)
    }

    /// The first of the values ends up behind the others, at the head of the list.
    pub fn lpush(&mut self, key: &str, values: Vec<Value>) -> Result<usize> {
        let length = self.list(key)?.map_or(0, VecDeque::len);
        if values.is_empty() {
            return Ok(length);
        }
        if is_durable(key) {
            // A list grows by what is pushed: the file does too, not by the whole list.
            log_push(&mut self.frame, key, &values);
        }
        let entry = self.entry(key, || Data::List(VecDeque::new()));
        let Data::List(list) = &mut entry.data else { return Err(wrong_kind(key)) };
        values.into_iter().for_each(|value| list.push_front(value));
        let length = list.len();
        self.changed.insert(key.into());
        Ok(length)
    }

    pub fn ltrim(&mut self, key: &str, start: i64, stop: i64) -> Result<()> {
        let Some(length) = self.list(key)?.map(VecDeque::len) else { return Ok(()) };
        let range = bounds(start, stop, length);
        if range == (0..length) {
            return Ok(());
        }
        let entry = self.entry(key, || Data::List(VecDeque::new()));
        if let Data::List(list) = &mut entry.data {
            list.truncate(range.end);
            list.drain(..range.start.min(list.len()));
        }
        self.touch(key);
        Ok(())
    }

    pub fn remove(&mut self, key: &str) {
        if self.entries.remove(key).is_some() {
            self.touch(key);
        }
    }

    fn set_mut(&mut self, key: &str) -> Result<&mut BTreeSet<Value>> {
        self.set(key)?;
        match &mut self.entry(key, || Data::Set(BTreeSet::new())).data {
            Data::Set(set) => Ok(set),
            _ => Err(wrong_kind(key)),
        }
    }

    fn scan(&self, cursor: u64, pattern: &str, count: u32) -> Reply {
        // Keys in order, and the cursor a place in it: what is there from start to end of a scan is found.
        let mut keys: Vec<&String> = self.entries.keys().filter(|key| self.live(key).is_some()).collect();
        keys.sort_unstable();
        let from = usize::try_from(cursor).unwrap_or(usize::MAX).min(keys.len());
        let to = from.saturating_add(count.max(1) as usize).min(keys.len());
        let found = keys[from..to].iter().filter(|key| glob(pattern.as_bytes(), key.as_bytes()));
        Reply::Page(if to == keys.len() { 0 } else { to as u64 }, found.map(|key| (*key).clone()).collect())
    }

    fn live(&self, key: &str) -> Option<&Data> {
        let entry = self.entries.get(key)?;
        entry.expires.is_none_or(|expires| Instant::now() < expires).then_some(&entry.data)
    }

    fn entry(&mut self, key: &str, empty: impl FnOnce() -> Data) -> &mut Entry {
        if self.live(key).is_none() {
            self.entries.remove(key);
        }
        self.entries.entry(key.into()).or_insert_with(|| Entry { data: empty(), expires: None })
    }

    fn put(&mut self, key: &str, data: Data, px: Option<u32>) {
        let expires = px.map(|ms| Instant::now() + Duration::from_millis(ms.into()));
        self.entries.insert(key.into(), Entry { data, expires });
        self.touch(key);
    }

    /// The key has changed: watchers are told, and the file gets the new value of a durable one. Nothing stays empty.
    fn touch(&mut self, key: &str) {
        let empty = match self.entries.get(key).map(|entry| &entry.data) {
            Some(Data::Set(set)) => set.is_empty(),
            Some(Data::Hash(hash)) => hash.is_empty(),
            Some(Data::List(list)) => list.is_empty(),
            Some(Data::Bytes(_)) | None => false,
        };
        if empty {
            self.entries.remove(key);
        }
        if is_durable(key) {
            log_value(&mut self.frame, key, self.entries.get(key).map(|entry| &entry.data));
        }
        self.changed.insert(key.into());
    }

    /// Forgets what replaying has noted down: it is in the file already.
    fn settle(&mut self) {
        self.frame.clear();
        self.changed.clear();
    }

    /// The durable keys as frames, a key each.
    fn dump(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> = self.entries.keys().filter(|key| is_durable(key)).collect();
        keys.sort_unstable();
        let frame = |key: &&String| {
            let mut frame = Vec::new();
            log_value(&mut frame, key, self.entries.get(*key).map(|entry| &entry.data));
            frame
        };
        keys.iter().map(frame).collect()
    }

    /// Applies a frame of the file; `None` where it makes no sense.
    fn replay(&mut self, frame: &[u8]) -> Option<()> {
        let mut at = frame;
        while !at.is_empty() {
            let (kind, key) = (take_byte(&mut at)?, String::from_utf8(take(&mut at)?.to_vec()).ok()?);
            let count = if kind == REMOVED { 0 } else { take_count(&mut at)? };
            let mut parts = Vec::new();
            for _ in 0..count {
                parts.push(take(&mut at)?.to_vec());
            }
            let data = match kind {
                REMOVED => {
                    self.entries.remove(&key);
                    continue;
                }
                PUSHED => {
                    let entry = self.entry(&key, || Data::List(VecDeque::new()));
                    let Data::List(list) = &mut entry.data else { return None };
                    parts.into_iter().for_each(|value| list.push_front(value));
                    continue;
                }
                BYTES => Data::Bytes(parts.pop()?),
                SET => Data::Set(parts.into_iter().collect()),
                LIST => Data::List(parts.into()),
                HASH => {
                    let mut hash = BTreeMap::new();
                    for pair in parts.chunks_exact(2) {
                        hash.insert(String::from_utf8(pair[0].clone()).ok()?, pair[1].clone());
                    }
                    Data::Hash(hash)
                }
                _ => return None,
            };
            self.entries.insert(key, Entry { data, expires: None });
        }
        Some(())
    }
}

/// Writes a value only if its sequence number is above the one that the hash holds for it. Keys: the key, the hash of
/// sequence numbers; arguments: the field, the sequence number, the value. Answers 1 if it wrote, else 0.
fn set_newer(keyspace: &mut Keyspace, keys: &[String], args: &[Value]) -> Result<Reply> {
    let ([key, numbers], [field, sequence, value]) = (keys, args) else {
        return Err(Error::Invalid("set_newer takes 2 keys and 3 arguments".into()));
    };
    let field = String::from_utf8(field.clone()).map_err(|_| Error::Invalid("field is not text".into()))?;
    if parse(sequence)? <= stored(keyspace, numbers, &field)? {
        return Ok(Reply::Integer(0));
    }
    keyspace.hset(numbers, vec![(field, sequence.clone())])?;
    keyspace.put_bytes(key, value.clone());
    Ok(Reply::Integer(1))
}

/// Takes values off the end of a list as long as they are the expected ones: see [`edge_fns::scripts`].
fn drop_oldest(keyspace: &mut Keyspace, keys: &[String], args: &[Value]) -> Result<Reply> {
    let [key] = keys else { return Err(Error::Invalid("drop_oldest takes 1 key".into())) };
    let Some(list) = keyspace.list(key)? else { return Ok(Reply::Integer(0)) };
    let taken = args.iter().zip(list.iter().rev()).take_while(|(expected, value)| expected == value).count();
    if taken > 0 {
        keyspace.ltrim(key, 0, (list.len() - taken) as i64 - 1)?;
    }
    Ok(Reply::Integer(taken as i64))
}

/// A number that a script was given as text.
pub fn parse(value: &[u8]) -> Result<u64> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Error::Invalid("not a number".into()))
}

/// The sequence number that a hash holds for a field; 0 where there is none.
pub fn stored(keyspace: &Keyspace, numbers: &str, field: &str) -> Result<u64> {
    keyspace.hash(numbers)?.and_then(|hash| hash.get(field)).map_or(Ok(0), |value| parse(value))
}

const REMOVED: u8 = 0;
const BYTES: u8 = 1;
const SET: u8 = 2;
const HASH: u8 = 3;
const LIST: u8 = 4;
const PUSHED: u8 = 5;

fn is_durable(key: &str) -> bool {
    DURABLE.iter().any(|prefix| key.starts_with(prefix))
}

fn log_value(frame: &mut Vec<u8>, key: &str, data: Option<&Data>) {
    let (kind, parts): (u8, Vec<&[u8]>) = match data {
        None => (REMOVED, Vec::new()),
        Some(Data::Bytes(value)) => (BYTES, vec![value]),
        Some(Data::Set(set)) => (SET, set.iter().map(Vec::as_slice).collect()),
        Some(Data::List(list)) => (LIST, list.iter().map(Vec::as_slice).collect()),
        Some(Data::Hash(hash)) => {
            (HASH, hash.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]).collect())
        }
    };
    frame.push(kind);
    put(frame, key.as_bytes());
    if kind != REMOVED {
        frame.extend_from_slice(&(parts.len() as u32).to_le_bytes());
        parts.iter().for_each(|part| put(frame, part));
    }
}

fn log_push(frame: &mut Vec<u8>, key: &str, values: &[Value]) {
    frame.push(PUSHED);
    put(frame, key.as_bytes());
    frame.extend_from_slice(&(values.len() as u32).to_le_bytes());
    values.iter().for_each(|value| put(frame, value));
}

fn put(frame: &mut Vec<u8>, bytes: &[u8]) {
    frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    frame.extend_from_slice(bytes);
}

fn take_byte(at: &mut &[u8]) -> Option<u8> {
    let (first, rest) = at.split_first()?;
    *at = rest;
    Some(*first)
}

fn take_count(at: &mut &[u8]) -> Option<u32> {
    let (bytes, rest) = at.split_first_chunk::<4>()?;
    *at = rest;
    Some(u32::from_le_bytes(*bytes))
}

fn take<'a>(at: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_count(at)? as usize;
    let (bytes, rest) = at.split_at_checked(length)?;
    *at = rest;
    Some(bytes)
}

/// Valkey's inclusive bounds, negative from the end, as a range within `length`.
fn bounds(start: i64, stop: i64, length: usize) -> std::ops::Range<usize> {
    let place = |index: i64| if index < 0 { index.saturating_add(length as i64) } else { index };
    let from = usize::try_from(place(start).max(0)).unwrap_or(usize::MAX).min(length);
    let to = usize::try_from(place(stop).saturating_add(1).max(0)).unwrap_or(0).min(length);
    from..to.max(from)
}

/// Valkey's patterns: `*` any run, `?` any one byte, `\` the next byte itself; the exchange uses no classes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let literal = match pattern.get(p) {
            Some(b'\\') => pattern.get(p + 1).map(|byte| (*byte, 2)),
            Some(b'*') => None,
            Some(byte) => Some((*byte, 1)),
            None => None,
        };
        match (pattern.get(p), literal) {
            (Some(b'*'), _) => {
                star = Some((p + 1, t));
                p += 1;
            }
            (Some(b'?'), _) => {
                p += 1;
                t += 1;
            }
            (_, Some((byte, width))) if byte == text[t] => {
                p += width;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn wrong_kind(key: &str) -> Error {
    Error::Invalid(format!("{key:?} holds another kind of value"))
}

fn unavailable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}
