//! The folder of the components: what is loaded from it at the start, and again when it changes.
//!
//! A changed component is compiled and checked beside the one that serves, and takes its place in one step: a call that
//! has started finishes with the old one, the next starts with the new one. What cannot be served is refused with its
//! reason and changes nothing, and so does a file that is gone: a build may be about to write it anew.
//!
//! The folder is looked at now and then rather than watched through the system's notices: it holds some twenty files, so
//! a look costs microseconds, and it works alike on every file system, in containers, and for files that are replaced by
//! others of their name. A change is taken once two looks have seen the same, so that no file is read while it is being
//! written.

use crate::call::Call;
use crate::handler::{Mark, Marks, Version, link, not_known, read, unfit};
use crate::sources::{stopped, waited};
use crate::worlds::World;
use crate::{EdgeHost, LoadError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use wasmtime::component::{Component, InstancePre};

/// What a reload did.
#[derive(Debug, Default)]
pub struct Reload {
    /// Handlers that a new component serves now.
    pub taken: Vec<&'static str>,
    /// Files that were refused; what served before them goes on.
    pub refused: Vec<(PathBuf, LoadError)>,
}

/// When the components were written, and their sizes.
pub(crate) type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The folder that a host serves.
pub(crate) struct Loaded {
    dir: PathBuf,
    marks: Marks,
    /// How the folder looked when it was loaded last.
    taken: Mutex<Stamps>,
}

impl Loaded {
    pub(crate) fn new(dir: &Path) -> Result<Loaded, LoadError> {
        Ok(Loaded { dir: dir.to_owned(), marks: Marks::default(), taken: Mutex::new(stamps(dir)?) })
    }
}

/// A component's file.
struct File {
    world: &'static World,
    path: PathBuf,
}

/// The components of a folder, in the order of their handlers' names, and files that are named after none.
fn files(dir: &Path) -> Result<(Vec<File>, Vec<PathBuf>), LoadError> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for path in stamps(dir)?.into_keys() {
        match World::of(&path.file_stem().unwrap_or_default().to_string_lossy()) {
            Some(world) => known.push(File { world, path }),
            None => unknown.push(path),
        }
    }
    known.sort_by_key(|file| file.world.handler);
    Ok((known, unknown))
}

/// The components of a folder that holds some, and nothing else that looks like one.
fn components(dir: &Path) -> Result<Vec<File>, LoadError> {
    let (files, unknown) = files(dir)?;
    match unknown.into_iter().next() {
        Some(path) => Err(not_known(path)),
        None if files.is_empty() => Err(LoadError::Empty { path: dir.to_owned() }),
        None => Ok(files),
    }
}

/// The same for others: handler and file.
pub(crate) fn handlers(dir: &Path) -> Result<Vec<(&'static str, PathBuf)>, LoadError> {
    Ok(components(dir)?.into_iter().map(|file| (file.world.handler, file.path)).collect())
}

fn stamps(dir: &Path) -> Result<Stamps, LoadError> {
    let unreadable = |source| LoadError::Read { path: dir.to_owned(), source };
    let mut stamps = Stamps::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            // One that is gone by now shows as such at the next look.
            let about = std::fs::metadata(&path).ok();
            let written = about.as_ref().and_then(|about| about.modified().ok());
            stamps.insert(path, (written, about.map_or(0, |about| about.len())));
        }
    }
    Ok(stamps)
}

impl EdgeHost {
    /// Loads every component of the folder; the first that cannot be served is the error.
    pub(crate) fn fill(&self) -> Result<(), LoadError> {
        let Some(folder) = &self.inner.folder else { return Ok(()) };
        let files = components(&folder.dir)?;
        let linked: Vec<Result<Linked, LoadError>> = std::thread::scope(|threads| {
            let running: Vec<_> =
                files.iter().map(|file| threads.spawn(|| self.link(file, folder))).collect();
            running.into_iter().map(|thread| thread.join().expect("a compiler that does not panic")).collect()
        });
        for (file, linked) in files.iter().zip(linked) {
            self.take(file, linked?)?;
        }
        Ok(())
    }

    /// Takes every component that has changed since it was loaded. This compiles: it takes its time, and a thread where
    /// that may be.
    pub fn reload_now(&self) -> Result<Reload, LoadError> {
        let Some(folder) = &self.inner.folder else { return Ok(Reload::default()) };
        // One at a time, so that an older look never replaces a newer one.
        let mut taken = folder.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&folder.dir)?;
        let (files, unknown) = files(&folder.dir)?;
        let mut reload = Reload::default();
        reload.refused.extend(unknown.into_iter().map(|path| (path.clone(), not_known(path))));
        for file in files {
            match self.renew(&file, folder) {
                Ok(true) => reload.taken.push(file.world.handler),
                Ok(false) => {}
                Err(reason) => {
                    if let Some(handler) = self.slot(file.world.handler) {
                        handler.counters.reloads_refused.fetch_add(1, Relaxed);
                    }
                    reload.refused.push((file.path, reason));
                }
            }
        }
        *taken = now;
        for handler in &reload.taken {
            tracing::info!(handler, "a changed component serves now");
        }
        for (path, reason) in &reload.refused {
            tracing::error!(path = %path.display(), %reason, "a changed component is refused; the one before it goes on");
        }
        Ok(reload)
    }

    /// The same from async code.
    pub async fn reload(&self) -> Result<Reload, LoadError> {
        let host = self.clone();
        let reloaded = tokio::task::spawn_blocking(move || host.reload_now()).await;
        reloaded.map_err(|error| LoadError::Engine(error.to_string()))?
    }

    /// Looks for changed components every `period` and takes them, until told to stop.
    pub async fn watch(self, period: Duration, stop: watch::Receiver<bool>) {
        let Some(folder) = &self.inner.folder else { return };
        let mut looks = Looks::default();
        while !stopped(&stop) && !waited(period, &stop).await {
            let seen = match stamps(&folder.dir) {
                Ok(seen) => seen,
                Err(error) => {
                    tracing::warn!(%error, "the components cannot be looked at");
                    continue;
                }
            };
            let taken = folder.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if looks.settled(seen, &taken)
                && let Err(error) = self.reload().await
            {
                tracing::warn!(%error, "the components cannot be loaded anew");
            }
        }
    }

    fn link(&self, file: &File, folder: &Loaded) -> Result<Linked, LoadError> {
        let bytes = read(&file.path)?;
        Ok(Linked { linked: self.compile(file, &bytes)?, mark: folder.marks.of(&bytes) })
    }

    fn compile(&self, file: &File, bytes: &[u8]) -> Result<InstancePre<Call>, LoadError> {
        let (engine, linker) = (&self.inner.engine, &self.inner.linker);
        let component = Component::from_binary(engine, bytes).map_err(|reason| unfit(&file.path, reason))?;
        link(file.world, &file.path, &component, engine, linker)
    }

    fn take(&self, file: &File, linked: Linked) -> Result<(), LoadError> {
        let version =
            Version::new(file.world, &file.path, linked.linked, Some(linked.mark), &self.inner.shared)?;
        if let Some(handler) = self.slot(file.world.handler) {
            handler.replace(version);
        }
        Ok(())
    }

    /// Takes this component if it is another one than serves now.
    fn renew(&self, file: &File, folder: &Loaded) -> Result<bool, LoadError> {
        let bytes = read(&file.path)?;
        let mark = folder.marks.of(&bytes);
        let Some(handler) = self.slot(file.world.handler) else { return Ok(false) };
        if handler.mark() == Some(mark) {
            return Ok(false);
        }
        let linked = self.compile(file, &bytes)?;
        self.take(file, Linked { linked, mark })?;
        handler.counters.reloads.fetch_add(1, Relaxed);
        Ok(true)
    }
}

struct Linked {
    linked: InstancePre<Call>,
    mark: Mark,
}

/// Tells a change that is complete from one that is being made.
#[derive(Default)]
struct Looks {
    last: Option<Stamps>,
}

impl Looks {
    /// Whether what is seen differs from what was taken, and was seen before.
    fn settled(&mut self, seen: Stamps, taken: &Stamps) -> bool {
        let settled = seen != *taken && self.last.as_ref() == Some(&seen);
        self.last = Some(seen);
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_when_it_has_settled() {
        let stamps = |size| Stamps::from([(PathBuf::from("asset.wasm"), (None, size))]);
        let mut looks = Looks::default();
        assert!(!looks.settled(stamps(1), &stamps(1)));
        assert!(!looks.settled(stamps(1), &stamps(1)));
        assert!(!looks.settled(stamps(2), &stamps(1)));
        assert!(!looks.settled(stamps(3), &stamps(1)), "still being written");
        assert!(looks.settled(stamps(3), &stamps(1)));
        assert!(!looks.settled(stamps(3), &stamps(3)), "taken");
        assert!(!looks.settled(Stamps::new(), &stamps(3)));
        assert!(looks.settled(Stamps::new(), &stamps(3)), "a file is gone");
    }
}
