//! Runs the exchange's functions as WebAssembly components.
//!
//! A component is named after its handler, imports no more than the handler's world grants (checked when it is
//! loaded), and meets each event in a fresh instance with limits on time, memory and output. A component that traps
//! or runs over fails that event alone.
//!
//! This crate must not know business rules: it converts, limits and counts.
//!
//! ```no_run
//! # async fn example(backends: edge_host::Backends) -> Result<(), Box<dyn std::error::Error>> {
//! use edge_host::{EdgeHost, Limits, Request};
//!
//! let host = EdgeHost::load("target/components".as_ref(), backends, Limits::default())?;
//! let request = Request {
//!     method: "GET".into(),
//!     path: "/assets".into(),
//!     query: "userId=test-ann&testMode=true".into(),
//!     ..Request::default()
//! };
//! let response = host.http("asset", request).await?;
//! println!("{} {}", response.status, String::from_utf8_lossy(&response.body));
//! # Ok(())
//! # }
//! ```

mod backends;
mod bindings;
mod call;
// Both sides of the boundary convert between the same types.
#[path = "../../component/src/convert.rs"]
mod convert;
mod engine;
mod error;
mod limits;
mod metrics;
mod worlds;

pub use backends::{Backends, SystemBase};
pub use edge_fns::http::{Request, Response};
pub use edge_fns::socket::{Event as SocketEvent, Reply as SocketReply};
pub use edge_fns::stream::{Disposition, Failure, Item};
pub use edge_fns::timer::Timer;
pub use error::{HandlerError, LoadError};
pub use limits::Limits;
pub use metrics::HandlerMetrics;

use bindings::http_function::{HttpFunction, HttpFunctionPre};
use bindings::socket_function::{SocketFunction, SocketFunctionPre};
use bindings::stream_function::{StreamFunction, StreamFunctionPre};
use bindings::timer_function::{TimerFunction, TimerFunctionPre};
use call::{Call, Shared};
use engine::Clock;
use metrics::Counters;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap};
use worlds::{Kind, WORLDS, World};

/// The loaded components. Cheap to clone.
#[derive(Clone)]
pub struct EdgeHost {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    shared: Arc<Shared>,
    handlers: Vec<Handler>,
    room: Semaphore,
}

/// One component, linked and ready to be instantiated.
struct Handler {
    world: &'static World,
    function: Function,
    counters: Counters,
}

enum Function {
    Http(HttpFunctionPre<Call>),
    Socket(SocketFunctionPre<Call>),
    Stream(StreamFunctionPre<Call>),
    Timer(TimerFunctionPre<Call>),
}

impl EdgeHost {
    /// Compiles every `NAME.wasm` of the folder, in parallel, and checks it against its handler's world.
    pub fn load(dir: &Path, backends: Backends, limits: Limits) -> Result<EdgeHost, LoadError> {
        let files = components(dir)?;
        let engine = engine::start(&limits)?;
        let mut linker = Linker::new(&engine);
        bindings::capabilities::EveryCapability::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)
            .map_err(|reason| LoadError::Engine(format!("{reason:#}")))?;
        let linked: Vec<Result<InstancePre<Call>, LoadError>> = std::thread::scope(|threads| {
            let (engine, linker) = (&engine, &linker);
            let running: Vec<_> = files
                .iter()
                .map(|(world, path)| threads.spawn(move || link(world, path, engine, linker)))
                .collect();
            running.into_iter().map(|thread| thread.join().expect("a compiler that does not panic")).collect()
        });
        let clock = Clock::start(&engine)?;
        let room = Semaphore::new(limits.concurrent as usize);
        let shared = Arc::new(Shared { backends, limits, clock });
        let mut handlers = Vec::with_capacity(files.len());
        for ((world, path), linked) in files.iter().zip(linked) {
            handlers.push(Handler::new(world, path, linked?, &shared)?);
        }
        Ok(EdgeHost { inner: Arc::new(Inner { engine, shared, handlers, room }) })
    }

    /// One HTTP request to the handler of this name.
    pub async fn http(&self, handler: &str, request: Request) -> Result<Response, HandlerError> {
        let handler = self.handler(handler)?;
        let Function::Http(function) = &handler.function else { return Err(handler.wrong_kind(Kind::Http)) };
        self.call(handler, async {
            let mut store = self.store(handler);
            let instance = function.instantiate_async(&mut store).await?;
            let exports = instance.supernoba_edge_http_handler();
            Ok(exports.call_handle(&mut store, &request.into()).await?.into())
        })
        .await
    }

    /// One event of a WebSocket connection.
    pub async fn socket(
        &self,
        handler: &str,
        connection: &str,
        event: SocketEvent,
    ) -> Result<SocketReply, HandlerError> {
        let handler = self.handler(handler)?;
        let Function::Socket(function) = &handler.function else {
            return Err(handler.wrong_kind(Kind::Socket));
        };
        self.call(handler, async {
            let mut store = self.store(handler);
            let instance = function.instantiate_async(&mut store).await?;
            let exports = instance.supernoba_edge_socket_handler();
            Ok(exports.call_handle(&mut store, &connection.to_owned(), &event.into()).await?.into())
        })
        .await
    }

    /// A batch of records of one stream, in order; the answer names those that were not processed.
    pub async fn stream(
        &self,
        handler: &str,
        stream: &str,
        items: Vec<Item>,
    ) -> Result<Vec<Failure>, HandlerError> {
        let handler = self.handler(handler)?;
        let Function::Stream(function) = &handler.function else {
            return Err(handler.wrong_kind(Kind::Stream));
        };
        self.call(handler, async {
            let mut store = self.store(handler);
            let instance = function.instantiate_async(&mut store).await?;
            let exports = instance.supernoba_edge_stream_handler();
            Ok(convert::list(exports.call_handle(&mut store, stream, &convert::list(items)).await?))
        })
        .await
    }

    /// A time that has come. The outer error says that the handler did not answer, the inner one is its answer.
    pub async fn timer(
        &self,
        handler: &str,
        timer: &Timer,
    ) -> Result<Result<(), edge_fns::capability::Error>, HandlerError> {
        let handler = self.handler(handler)?;
        let Function::Timer(function) = &handler.function else {
            return Err(handler.wrong_kind(Kind::Timer));
        };
        self.call(handler, async {
            let mut store = self.store(handler);
            let instance = function.instantiate_async(&mut store).await?;
            let exports = instance.supernoba_edge_timer_handler();
            Ok(exports.call_handle(&mut store, &timer.name, timer.due).await?.map_err(convert::convert))
        })
        .await
    }

    /// Names of the loaded handlers.
    pub fn handlers(&self) -> Vec<&'static str> {
        self.inner.handlers.iter().map(|handler| handler.world.handler).collect()
    }

    /// Counters of every loaded handler.
    pub fn metrics(&self) -> Vec<HandlerMetrics> {
        self.inner.handlers.iter().map(|handler| handler.counters.snapshot(handler.world.handler)).collect()
    }

    fn store(&self, handler: &Handler) -> Store<Call> {
        call::store(&self.inner.engine, handler.world.handler, &self.inner.shared)
    }

    /// Runs a call when there is room, within its time, and counts it.
    async fn call<T>(
        &self,
        handler: &Handler,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, HandlerError> {
        let start = Instant::now();
        let result = self.run(handler, call, start).await;
        let counters = &handler.counters;
        counters.calls.fetch_add(1, Relaxed);
        counters.busy_ns.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        match &result {
            Err(HandlerError::Trap { .. }) => counters.traps.fetch_add(1, Relaxed),
            Err(HandlerError::Timeout { .. }) => counters.timeouts.fetch_add(1, Relaxed),
            Err(HandlerError::Unavailable { .. }) => counters.unavailable.fetch_add(1, Relaxed),
            _ => 0,
        };
        result
    }

    async fn run<T>(
        &self,
        handler: &Handler,
        call: impl Future<Output = wasmtime::Result<T>>,
        start: Instant,
    ) -> Result<T, HandlerError> {
        let wall = self.inner.shared.limits.wall;
        let room = timeout(wall, self.inner.room.acquire()).await;
        let left = wall.saturating_sub(start.elapsed());
        let (Ok(Ok(_place)), false) = (room, left.is_zero()) else {
            let reason = format!("{} calls are running", self.inner.shared.limits.concurrent);
            return Err(HandlerError::Unavailable { handler: handler.name(), reason });
        };
        match timeout(left, call).await {
            Ok(result) => result.map_err(|error| handler.failed(&error)),
            Err(_) => Err(HandlerError::Timeout { handler: handler.name() }),
        }
    }

    fn handler(&self, name: &str) -> Result<&Handler, HandlerError> {
        let found = self.inner.handlers.iter().find(|handler| handler.world.handler == name);
        found.ok_or_else(|| HandlerError::NoSuchHandler(name.to_owned()))
    }
}

/// The components of a folder by their worlds.
fn components(dir: &Path) -> Result<Vec<(&'static World, PathBuf)>, LoadError> {
    let unreadable = |source| LoadError::Read { path: dir.to_owned(), source };
    let mut components = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let Some(world) = World::of(&name) else {
                let known = WORLDS.map(|world| world.handler).join(", ");
                return Err(LoadError::UnknownHandler { path, known });
            };
            components.push((world, path));
        }
    }
    if components.is_empty() {
        return Err(LoadError::Empty { path: dir.to_owned() });
    }
    components.sort_by_key(|(world, _)| world.handler);
    Ok(components)
}

/// Compiles a component and connects what its world grants.
fn link(
    world: &World,
    path: &Path,
    engine: &Engine,
    linker: &Linker<Call>,
) -> Result<InstancePre<Call>, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    let component = Component::from_binary(engine, &bytes).map_err(|reason| unfit(path, reason))?;
    let imported = component.component_type();
    match imported.imports(engine).find(|(import, _)| !world.grants(import)) {
        Some((import, _)) => {
            Err(LoadError::NotGranted { handler: world.handler.to_owned(), import: import.to_owned() })
        }
        None => linker.instantiate_pre(&component).map_err(|reason| unfit(path, reason)),
    }
}

fn unfit(path: &Path, reason: wasmtime::Error) -> LoadError {
    LoadError::Compile { path: path.to_owned(), reason: format!("{reason:#}") }
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

impl Handler {
    /// Instantiates the component once, to learn now and not at the first event that it fits.
    fn new(
        world: &'static World,
        path: &Path,
        linked: InstancePre<Call>,
        shared: &Arc<Shared>,
    ) -> Result<Handler, LoadError> {
        let mut store = call::store(linked.engine(), world.handler, shared);
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
        Ok(Handler { world, function, counters: Counters::default() })
    }

    fn wrong_kind(&self, kind: Kind) -> HandlerError {
        HandlerError::WrongKind { handler: self.name(), event: kind.event() }
    }

    fn failed(&self, error: &wasmtime::Error) -> HandlerError {
        let reason = error.root_cause().to_string();
        if error.downcast_ref() == Some(&Trap::Interrupt) {
            HandlerError::Timeout { handler: self.name() }
        } else if error.is::<PoolConcurrencyLimitError>() {
            HandlerError::Unavailable { handler: self.name(), reason }
        } else {
            HandlerError::Trap { handler: self.name(), reason }
        }
    }

    fn name(&self) -> String {
        self.world.handler.to_owned()
    }
}
