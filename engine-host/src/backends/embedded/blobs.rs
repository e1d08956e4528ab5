//! The blob store in a folder: a file an object, under names that a person can read.
//!
//! A key's parts between `/` are folders, the last one is the file; what a file name cannot hold is written `%XX`. Of two
//! marks that no part can contain, `@` ends the name of every file, so that `a` and `a/b` may both be objects, and `%+` the
//! name of a part that goes on in the next folder because it is too long for one name.
//!
//! A write goes to a file beside the objects, is synced, and then takes the place of the old one: a crash leaves the old
//! object or the new one. The folder is this process' own; what it holds is indexed when it is opened.

use async_trait::async_trait;
use edge_fns::capability::blobs::{Entry, Object, Outcome, Page, Query, Read, Write, check_key};
use edge_fns::capability::{Blobs, Error, Millis, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of writes in work; no part of a key is encoded to this.
const WORK: &str = "%work";
/// The longest part of a name; with its mark it fits every file system.
const LONGEST: usize = 200;
/// Entries of one page at most.
const PAGE: usize = 1000;

/// Objects in a folder of this machine.
#[derive(Clone)]
pub struct EmbeddedBlobs {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    index: Mutex<BTreeMap<String, Known>>,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug)]
struct Known {
    size: u64,
    modified: Millis,
    /// `None` until somebody asks: it takes reading the whole object.
    etag: Option<String>,
}

impl EmbeddedBlobs {
    /// Opens or creates the folder. What a crash left half-written is removed.
    pub fn open(folder: &Path) -> Result<EmbeddedBlobs> {
        let opened = || -> io::Result<BTreeMap<String, Known>> {
            let work = folder.join(WORK);
            if work.exists() {
                fs::remove_dir_all(&work)?;
            }
            fs::create_dir_all(&work)?;
            let mut index = BTreeMap::new();
            walk(folder, "", &mut index)?;
            Ok(index)
        };
        let index = opened().map_err(|error| broken(folder, &error))?;
        Ok(EmbeddedBlobs { inner: Arc::new(Inner { folder: folder.into(), index: Mutex::new(index) }) })
    }

    /// Runs file work where it may block, one at a time.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &mut BTreeMap<String, Known>) -> T + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let run = move || work(&inner, &mut inner.lock());
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(error.to_string()))
    }
}

#[async_trait]
impl Blobs for EmbeddedBlobs {
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        self.run(|inner, index| writes.into_iter().map(|write| inner.put(index, write)).collect()).await
    }

    async fn get(&self, reads: Vec<Read>) -> Result<Vec<Result<Option<Object>>>> {
        self.run(|inner, index| reads.into_iter().map(|read| inner.get(index, &read)).collect()).await
    }

    async fn search(&self, query: Query) -> Result<Page> {
        self.run(move |inner, index| inner.search(index, &query)).await?
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        self.run(|inner, index| keys.into_iter().map(|key| inner.delete(index, &key)).collect()).await
    }
}

impl Inner {
    /// The index is changed only after the file, by one insert or remove: a panic between leaves it readable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, index: &mut BTreeMap<String, Known>, write: Write) -> Result<Outcome> {
        check_key(&write.key)?;
        let now = self.etag(index, &write.key)?;
        if !write.condition.holds(now.as_deref()) {
            return Ok(Outcome::Lost(now));
        }
        let path = self.path(&write.key);
        self.replace(&path, &write.body).map_err(|error| broken(&path, &error))?;
        let etag = etag(&write.body);
        let known = Known { size: write.body.len() as u64, modified: now_ms(), etag: Some(etag.clone()) };
        index.insert(write.key, known);
        Ok(Outcome::Written(etag))
    }

    fn get(&self, index: &mut BTreeMap<String, Known>, read: &Read) -> Result<Option<Object>> {
        check_key(&read.key)?;
        let Some(etag) = self.etag(index, &read.key)? else { return Ok(None) };
        let path = self.path(&read.key);
        let object = || -> io::Result<Object> {
            let mut file = File::open(&path)?;
            let size = file.metadata()?.len();
            let part = read.range.map_or(0..size, |range| range.within(size));
            file.seek(io::SeekFrom::Start(part.start))?;
            let mut body = Vec::new();
            file.take(part.end - part.start).read_to_end(&mut body)?;
            Ok(Object { etag, size, body })
        };
        object().map(Some).map_err(|error| broken(&path, &error))
    }

    fn search(&self, index: &mut BTreeMap<String, Known>, query: &Query) -> Result<Page> {
        let from = match &query.cursor {
            Some(cursor) if *cursor >= query.prefix => Bound::Excluded(cursor.clone()),
            _ => Bound::Included(query.prefix.clone()),
        };
        let limit = (query.limit as usize).clamp(1, PAGE);
        let within = index.range((from, Bound::Unbounded)).map(|(key, _)| key);
        let mut keys: Vec<String> =
            within.take_while(|key| key.starts_with(&query.prefix)).take(limit + 1).cloned().collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| more).cloned();
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let etag = self.etag(index, &key)?;
            if let (Some(etag), Some(Known { size, modified, .. })) = (etag, index.get(&key)) {
                entries.push(Entry { etag, size: *size, modified: *modified, key });
            }
        }
        Ok(Page { entries, cursor })
    }

    fn delete(&self, index: &mut BTreeMap<String, Known>, key: &str) -> Result<()> {
        check_key(key)?;
        if !index.contains_key(key) {
            return Ok(());
        }
        let path = self.path(key);
        let delete = || -> io::Result<()> {
            fs::remove_file(&path)?;
            let mut folder = path.parent().unwrap_or(&self.folder);
            sync(folder)?;
            // Folders that hold nothing any more go too; one that is not empty stays, and the walk up ends.
            while folder != self.folder && fs::remove_dir(folder).is_ok() {
                folder = folder.parent().unwrap_or(&self.folder);
            }
            Ok(())
        };
        delete().map_err(|error| broken(&path, &error))?;
        index.remove(key);
        Ok(())
    }

    /// The etag of what is there, if there is anything.
    fn etag(&self, index: &mut BTreeMap<String, Known>, key: &str) -> Result<Option<String>> {
        let Some(known) = index.get_mut(key) else { return Ok(None) };
        if known.etag.is_none() {
            let path = self.path(key);
            known.etag = Some(etag(&fs::read(&path).map_err(|error| broken(&path, &error))?));
        }
        Ok(known.etag.clone())
    }

    fn path(&self, key: &str) -> PathBuf {
        names(key).iter().fold(self.folder.clone(), |path, name| path.join(name))
    }

    /// The new content is on the disk before it gets the name, and the name is before anybody is told.
    fn replace(&self, path: &Path, body: &[u8]) -> io::Result<()> {
        let fresh = self.folder.join(WORK).join("next");
        let mut file = File::create(&fresh)?;
        file.write_all(body)?;
        file.sync_all()?;
        let folder = path.parent().unwrap_or(&self.folder);
        make(folder)?;
        fs::rename(&fresh, path)?;
        sync(folder)
    }
}

/// Creates a folder and those above it, each of them known to its parent for good.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make(parent)?;
    fs::create_dir(folder)?;
    sync(parent)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Content that differs has another one.
fn etag(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of a key's folders and, last, of its file.
fn names(key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in key.split('/') {
        let mut rest = encode(part);
        while rest.len() > LONGEST {
            let next = rest.split_off(LONGEST);
            names.push(format!("{rest}%+"));
            rest = next;
        }
        names.push(rest);
    }
    if let Some(file) = names.last_mut() {
        // An empty last part: its name is the mark alone.
        *file = if file == "%" { "@".into() } else { format!("{file}@") };
    }
    names
}

fn encode(part: &str) -> String {
    if part.is_empty() {
        return "%".into();
    }
    // Names that a file system takes for itself.
    let dots = part == "." || part == "..";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && !dots);
    let name = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    part.bytes().map(name).collect()
}

/// The inverse; `None` for a name that this program did not make.
fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(if byte == b'%' { (digit(rest.next())? << 4 | digit(rest.next())?) as u8 } else { byte });
    }
    String::from_utf8(bytes).ok()
}

/// Finds the objects below a folder; `name` is what of their encoded key the folders say.
fn walk(folder: &Path, name: &str, index: &mut BTreeMap<String, Known>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(own) = entry.file_name().into_string() else { continue };
        if own == WORK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            let part = match own.strip_suffix("%+") {
                Some(part) => part.to_string(),
                None if own == "%" => "/".into(),
                None => format!("{own}/"),
            };
            walk(&entry.path(), &format!("{name}{part}"), index)?;
            continue;
        }
        let key = own.strip_suffix('@').and_then(|last| decode(&format!("{name}{last}")));
        let Some(key) = key else {
            tracing::warn!(file = %entry.path().display(), "not an object of the blob store");
            continue;
        };
        let about = entry.metadata()?;
        let modified = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        index.insert(key, Known { size: about.len(), modified: modified as Millis, etag: None });
    }
    Ok(())
}

fn now_ms() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}

fn broken(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the keys, no two share a file, none is in another's way, and a restart finds them all.
        #[test]
        fn every_key_has_its_own_file(
            keys in proptest::collection::btree_set("([a./@%+é ]|%2E|\\.\\.){1,8}|[a/]{200,900}", 1..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let blobs = EmbeddedBlobs::open(folder.path()).unwrap();
            let mut index = blobs.inner.lock();
            for key in &keys {
                let write = Write {
                    key: key.clone(),
                    condition: edge_fns::capability::blobs::Condition::Absent,
                    body: key.clone().into_bytes(),
                };
                let outcome = blobs.inner.put(&mut index, write).unwrap();
                prop_assert!(matches!(outcome, Outcome::Written(_)), "{:?}: {:?}", key, outcome);
            }
            drop(index);
            let again = EmbeddedBlobs::open(folder.path()).unwrap();
            let mut index = again.inner.lock();
            prop_assert_eq!(index.keys().cloned().collect::<Vec<_>>(), keys.iter().cloned().collect::<Vec<_>>());
            for key in &keys {
                let object = again.inner.get(&mut index, &Read::whole(key.clone())).unwrap().unwrap();
                prop_assert_eq!(object.body, key.as_bytes());
                again.inner.delete(&mut index, key).unwrap();
            }
            let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            prop_assert_eq!(left, [WORK], "nothing is left of what was deleted");
        }
    }

    #[test]
    fn a_key_reads_as_it_is() {
        assert_eq!(names("candles/TEST/1m/20251216.json"), ["candles", "TEST", "1m", "20251216.json@"]);
        assert_eq!(names("a//b/"), ["a", "%", "b", "@"]);
        assert_eq!(names("../x"), ["%2E%2E", "x@"]);
    }
}
