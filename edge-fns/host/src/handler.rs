//! One handler: the component that serves it now, and what is counted of it.

use crate::bindings::http_function::{HttpFunction, HttpFunctionPre};
use crate::bindings::socket_function::{SocketFunction, SocketFunctionPre};
use crate::bindings::stream_function::{StreamFunction, StreamFunctionPre};
use crate::bindings::timer_function::{TimerFunction, TimerFunctionPre};
use crate::call::{self, Call, Shared};
use crate::limits::Limit;
use crate::metrics::Counters;
use crate::worlds::{Kind, WORLDS, World};
use crate::{HandlerError, HandlerMetrics, LoadError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::task::{Context, Poll, Waker};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError, Trap};

/// A world's place in the host, with or without a component.
pub struct Handler {
    pub world: &'static World,
    pub counters: Arc<Counters>,
    /// A call keeps the version that it started with, so that a new one never takes it away.
    current: RwLock<Option<Arc<Version>>>,
    replaced: Mutex<Vec<Weak<Version>>>,
}

/// One component, linked and ready to be instantiated.
pub struct Version {
    pub function: Function,
    /// None where there was no file to tell from another. Only a host that compiles asks for it.
    #[cfg_attr(not(feature = "compiler"), allow(dead_code))]
    mark: Option<Mark>,
}

pub enum Function {
    Http(HttpFunctionPre<Call>),
    Socket(SocketFunctionPre<Call>),
    Stream(StreamFunctionPre<Call>),
    Timer(TimerFunctionPre<Call>),
}

/// Tells a component's file from another: its length, and a hash under a key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize, u64);

/// Makes marks that can be compared.
#[cfg(feature = "compiler")]
#[derive(Default)]
pub struct Marks(std::hash::RandomState);

#[cfg(feature = "compiler")]
impl Marks {
    pub fn of(&self, bytes: &[u8]) -> Mark {
        use std::hash::BuildHasher;
        Mark(bytes.len(), self.0.hash_one(bytes))
    }
}

impl Handler {
    pub fn new(world: &'static World) -> Handler {
        Handler { world, counters: Arc::default(), current: RwLock::default(), replaced: Mutex::default() }
    }

    pub fn current(&self) -> Option<Arc<Version>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "compiler")]
    pub fn mark(&self) -> Option<Mark> {
        self.current().and_then(|version| version.mark)
    }

    /// From here on calls start with this version; those under way finish with theirs.
    pub fn replace(&self, version: Version) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = current.replace(Arc::new(version)) {
            let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
            replaced.retain(|version| version.strong_count() > 0);
            replaced.push(Arc::downgrade(&old));
        }
    }

    pub fn metrics(&self) -> HandlerMetrics {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let draining = replaced.iter().filter(|version| version.strong_count() > 0).count();
        self.counters.snapshot(self.world.handler, draining as u64)
    }

    pub fn wrong_kind(&self, kind: Kind) -> HandlerError {
        HandlerError::WrongKind { handler: self.name(), event: kind.event() }
    }

    pub fn failed(&self, error: &wasmtime::Error) -> HandlerError {
        failed(self.name(), error)
    }

    pub fn name(&self) -> String {
        self.world.handler.to_owned()
    }
}

/// What an error of the engine means for the call that it ended.
pub fn failed(handler: String, error: &wasmtime::Error) -> HandlerError {
    let reason = error.root_cause().to_string();
    if error.downcast_ref() == Some(&Trap::Interrupt) {
        HandlerError::Timeout { handler, computing: true }
    } else if error.is::<PoolConcurrencyLimitError>() {
        HandlerError::Unavailable { handler, reason }
    } else if let Some(limit) = Limit::of(error) {
        HandlerError::OverLimit { handler, limit, reason }
    } else {
        HandlerError::Trap { handler, reason }
    }
}

/// Connects a component with what its world grants.
pub fn link(
    world: &World,
    path: &Path,
    component: &Component,
    engine: &Engine,
    linker: &Linker<Call>,
) -> Result<InstancePre<Call>, LoadError> {
    let imported = component.component_type();
    match imported.imports(engine).find(|(import, _)| !world.grants(import)) {
        Some((import, _)) => {
            Err(LoadError::NotGranted { handler: world.handler.to_owned(), import: import.to_owned() })
        }
        None => linker.instantiate_pre(component).map_err(|reason| unfit(path, reason)),
    }
}

pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

pub fn not_known(path: PathBuf) -> LoadError {
    LoadError::UnknownHandler { path, known: WORLDS.each_ref().map(|world| world.handler).join(", ") }
}

pub fn unfit(path: &Path, reason: wasmtime::Error) -> LoadError {
    LoadError::Compile { path: path.to_owned(), reason: format!("{reason:#}") }
}

impl Version {
    /// Instantiates the component once, to learn now and not at the first event that it fits.
    pub fn new(
        world: &'static World,
        path: &Path,
        linked: InstancePre<Call>,
        mark: Option<Mark>,
        shared: &Arc<Shared>,
    ) -> Result<Version, LoadError> {
        // What a component needs that is never taken is not counted.
        let mut store = call::store(linked.engine(), world, &Arc::default(), shared);
        let instance =
            to_its_end(linked.instantiate_async(&mut store)).map_err(|reason| unfit(path, reason))?;
        let function = match world.kind {
            Kind::Http => HttpFunction::new(&mut store, &instance)
                .and_then(|_| HttpFunctionPre::new(linked))
                .map(Function::Http),
            Kind::Socket => SocketFunction::new(&mut store, &instance)
                .and_then(|_| SocketFunctionPre::new(linked))
                .map(Function::Socket),
            Kind::Stream => StreamFunction::new(&mut store, &instance)
                .and_then(|_| StreamFunctionPre::new(linked))
                .map(Function::Stream),
            Kind::Timer => TimerFunction::new(&mut store, &instance)
                .and_then(|_| TimerFunctionPre::new(linked))
                .map(Function::Timer),
        };
        let export = world.kind.export();
        let function =
            function.map_err(|_| LoadError::WrongExport { handler: world.handler.to_owned(), export })?;
        Ok(Version { function, mark })
    }
}

/// Runs what waits for nobody. It gives way at every tick, of which a slow machine sees some before it is through, and
/// is ended by its limit of them.
fn to_its_end<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}
