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
//!
//! # While it runs
//!
//! [`EdgeHost::reload`] and [`EdgeHost::watch`] take changed components without dropping a call, [`EdgeHost::metrics`]
//! counts, [`sources`] brings events: routes, streams, timers.

mod backends;
mod bindings;
mod call;
mod config;
// Both sides of the boundary convert between the same types; each uses a part of it.
#[allow(dead_code)]
#[path = "../../component/src/convert.rs"]
mod convert;
mod engine;
mod error;
#[cfg(feature = "compiler")]
mod folder;
mod handler;
mod limits;
mod metrics;
pub mod precompiled;
pub mod sources;
#[cfg(feature = "spin")]
pub mod spin;
mod worlds;

pub use backends::{Backends, SystemBase};
pub use edge_fns::http::{Request, Response};
pub use edge_fns::socket::{Event as SocketEvent, Reply as SocketReply};
pub use edge_fns::stream::{Disposition, Failure, Item};
pub use edge_fns::timer::Timer;
pub use error::{HandlerError, LoadError};
#[cfg(feature = "compiler")]
pub use folder::Reload;
pub use limits::{Limit, Limits};
pub use metrics::{HandlerMetrics, TIME_BOUNDS};

use call::{Call, Shared};
use engine::Clock;
use handler::{Function, Handler, Version};
use metrics::Running;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store};
use worlds::{Kind, WORLDS, World};

/// The loaded components. Cheap to clone.
#[derive(Clone)]
pub struct EdgeHost {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    linker: Linker<Call>,
    shared: Arc<Shared>,
    /// One for each world.
    handlers: Vec<Handler>,
    room: Semaphore,
    /// Where the components come from that were compiled here.
    #[cfg(feature = "compiler")]
    folder: Option<folder::Loaded>,
}

impl Inner {
    /// A host without components.
    fn new(backends: Backends, limits: Limits) -> Result<Inner, LoadError> {
        let engine = engine::start(&limits)?;
        let mut linker = Linker::new(&engine);
        bindings::capabilities::EveryCapability::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)
            .map_err(|reason| LoadError::Engine(format!("{reason:#}")))?;
        let clock = Clock::start(&engine)?;
        let room = Semaphore::new(limits.concurrent as usize);
        let shared = Arc::new(Shared { backends, limits, clock });
        let handlers = WORLDS.iter().map(Handler::new).collect();
        Ok(Inner {
            engine,
            linker,
            shared,
            handlers,
            room,
            #[cfg(feature = "compiler")]
            folder: None,
        })
    }
}

impl EdgeHost {
    /// Compiles every `NAME.wasm` of the folder, in parallel, and checks it against its handler's world.
    #[cfg(feature = "compiler")]
    pub fn load(dir: &Path, backends: Backends, limits: Limits) -> Result<EdgeHost, LoadError> {
        // Looked at before it is read: what changes meanwhile is seen as a change.
        let folder = folder::Loaded::new(dir)?;
        let inner = Inner { folder: Some(folder), ..Inner::new(backends, limits)? };
        let host = EdgeHost { inner: Arc::new(inner) };
        host.fill()?;
        Ok(host)
    }

    /// Loads these handlers from a folder that [`precompiled::compile`] filled, and checks them as [`load`](Self::load)
    /// does. Nothing is compiled, and nothing is taken anew.
    pub fn load_precompiled(
        dir: &Path,
        handlers: &[&str],
        backends: Backends,
        limits: Limits,
    ) -> Result<EdgeHost, LoadError> {
        let manifest = precompiled::Manifest::read(dir)?;
        let host = EdgeHost { inner: Arc::new(Inner::new(backends, limits)?) };
        let Inner { engine, linker, shared, .. } = &*host.inner;
        for name in handlers {
            let path = dir.join(precompiled::file_name(name));
            let world = World::of(name).ok_or_else(|| handler::not_known(path.clone()))?;
            let component = manifest.component(name, &path, engine)?;
            let linked = handler::link(world, &path, &component, engine, linker)?;
            let version = Version::new(world, &path, linked, None, shared)?;
            if let Some(handler) = host.slot(name) {
                handler.replace(version);
            }
        }
        Ok(host)
    }

    /// One HTTP request to the handler of this name.
    pub async fn http(&self, handler: &str, request: Request) -> Result<Response, HandlerError> {
        let (handler, version) = self.handler(handler)?;
        let Function::Http(function) = &version.function else { return Err(handler.wrong_kind(Kind::Http)) };
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
        let (handler, version) = self.handler(handler)?;
        let Function::Socket(function) = &version.function else {
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
        let (handler, version) = self.handler(handler)?;
        let Function::Stream(function) = &version.function else {
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
        let (handler, version) = self.handler(handler)?;
        let Function::Timer(function) = &version.function else {
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
        let mut names: Vec<_> = self.loaded().map(|handler| handler.world.handler).collect();
        names.sort_unstable();
        names
    }

    /// Counters of every loaded handler, in the order of their names.
    pub fn metrics(&self) -> Vec<HandlerMetrics> {
        let mut metrics: Vec<_> = self.loaded().map(Handler::metrics).collect();
        metrics.sort_unstable_by_key(|metrics| metrics.handler);
        metrics
    }

    fn loaded(&self) -> impl Iterator<Item = &Handler> {
        self.inner.handlers.iter().filter(|handler| handler.current().is_some())
    }

    fn store(&self, handler: &Handler) -> Store<Call> {
        call::store(&self.inner.engine, handler.world, &handler.counters, &self.inner.shared)
    }

    /// Runs a call when there is room, within its time, and counts it.
    async fn call<T>(
        &self,
        handler: &Handler,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, HandlerError> {
        let start = Instant::now();
        let counters = &handler.counters;
        let running = Running::start(counters);
        let result = self.run(handler, call, start).await;
        drop(running);
        counters.ended(start.elapsed());
        if let Err(error) = &result {
            counters.failed(error);
        }
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
            Err(_) => Err(HandlerError::Timeout { handler: handler.name(), computing: false }),
        }
    }

    fn slot(&self, name: &str) -> Option<&Handler> {
        self.inner.handlers.iter().find(|handler| handler.world.handler == name)
    }

    /// The handler of this name, and the component that a call of it is to start with.
    fn handler(&self, name: &str) -> Result<(&Handler, Arc<Version>), HandlerError> {
        let found = self.slot(name).and_then(|handler| Some((handler, handler.current()?)));
        found.ok_or_else(|| HandlerError::NoSuchHandler(name.to_owned()))
    }
}
