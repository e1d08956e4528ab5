//! Runs Spin applications: components made with `spin-sdk`, as its documentation has them, from a `spin.toml`.
//!
//! It stands in for Spin's own host, for tests and for trying things: it offers WASI (0.2 and 0.3), `wasi:http@0.3`, and
//! of Spin's interfaces `spin:variables@3.0.0` and `spin:key-value@3.0.0`. A component that imports more is refused when
//! it is loaded, and so is a manifest that asks for more. The rest is as for every component here: each request meets a
//! fresh instance with limits on time, memory, output and calls, a trap fails that request alone, and all of it is counted.
//!
//! What differs from Spin: bodies are read whole before a component sees them and before the client does, a component is
//! not continued once its answer is complete, key-value stores are in memory, and there are no triggers but HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use edge_host::Limits;
//! use edge_host::spin::{Application, serve, to_tracing};
//!
//! let variables = [("capabilities_token".to_owned(), "secret".to_owned())].into();
//! let path = "edge-fns/spin/spin.toml".as_ref();
//! let application = Application::load(path, &variables, Limits::default(), to_tracing())?;
//! serve(application, tokio::net::TcpListener::bind("127.0.0.1:0").await?).await?;
//! # Ok(())
//! # }
//! ```

mod call;
mod manifest;
mod outbound;
mod output;
mod route;
mod server;
mod store;

pub use server::serve;

use crate::engine::{self, Clock};
use crate::handler::failed;
use crate::limits::Overstep;
use crate::metrics::{Counters, Running};
use crate::{HandlerError, HandlerMetrics, Limits, LoadError};
use bytes::Bytes;
use call::{Call, Shared, Watched};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use manifest::Manifest;
use output::Output;
use route::Route;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};
use wasmtime_wasi_http::p3::bindings::ServicePre;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/spin",
        world: "supernoba:spin-host/platform",
        imports: { default: async | store | trappable },
        with: { "spin:key-value/key-value.store": crate::spin::call::OpenStore },
    });
}

/// A request with its whole body.
pub type HttpRequest = Request<Bytes>;
/// An answer with its whole body.
pub type HttpResponse = Response<Bytes>;
/// Takes lines that components write: the component's id and the line.
pub type Log = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Lines of components to this process' log.
pub fn to_tracing() -> Log {
    Arc::new(|component, line| tracing::info!(component, "{line}"))
}

/// Why an application cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SpinError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("spin.toml: {0}")]
    Manifest(String),
    #[error("the variable {name:?}: {reason}")]
    Variable { name: String, reason: &'static str },
    #[error(transparent)]
    Component(#[from] LoadError),
}

/// A loaded application. Cheap to clone.
#[derive(Clone)]
pub struct Application {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    engine: Engine,
    /// Ticks for as long as it lives.
    _clock: Clock,
    limits: Limits,
    room: Semaphore,
    /// The first that takes a path answers it; the index is that of the component.
    routes: Vec<(Route, usize)>,
    components: Vec<Loaded>,
    log: Log,
}

struct Loaded {
    id: &'static str,
    service: ServicePre<Call>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
}

impl Application {
    /// Reads the manifest, and compiles and links its components. `variables` are the application's, in place of their
    /// defaults.
    pub fn load(
        manifest: &Path,
        variables: &BTreeMap<String, String>,
        limits: Limits,
        log: Log,
    ) -> Result<Application, SpinError> {
        let Manifest { name, routes, components } = Manifest::read(manifest, variables)?;
        let engine = engine::start_concurrent(&limits)?;
        let linker = linker(&engine).map_err(|reason| LoadError::Engine(format!("{reason:#}")))?;
        let stores = Arc::default();
        let mut loaded = Vec::new();
        for (id, settings) in components {
            let path = settings.source.clone();
            let bytes =
                std::fs::read(&path).map_err(|source| SpinError::Read { path: path.clone(), source })?;
            let unfit = |reason: wasmtime::Error| LoadError::Compile {
                path: path.clone(),
                reason: format!("{reason:#}"),
            };
            let component = Component::from_binary(&engine, &bytes).map_err(unfit)?;
            let linked = linker.instantiate_pre(&component).map_err(unfit)?;
            let service = ServicePre::new(linked).map_err(unfit)?;
            loaded.push(Loaded {
                // Metrics name it for as long as the process lives; an application is loaded a few times at most.
                id: id.leak(),
                service,
                shared: Arc::new(Shared { settings, stores: Arc::clone(&stores), limits }),
                counters: Arc::default(),
            });
        }
        let place = |id: &String| loaded.iter().position(|loaded| loaded.id == id.as_str());
        let routes = routes.into_iter().filter_map(|(route, id)| Some((route, place(&id)?))).collect();
        let clock = Clock::start(&engine)?;
        let room = Semaphore::new(limits.concurrent as usize);
        let inner = Inner { name, engine, _clock: clock, limits, room, routes, components: loaded, log };
        Ok(Application { inner: Arc::new(inner) })
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Counters of every component, in the order of their ids.
    pub fn metrics(&self) -> Vec<HandlerMetrics> {
        self.inner.components.iter().map(|loaded| loaded.counters.snapshot(loaded.id, 0)).collect()
    }

    /// Answers one request. It has an absolute URI, or a `host` header. Where a component refuses it with a code of
    /// `wasi:http`, as it may, the answer is 500.
    pub async fn handle(
        &self,
        request: HttpRequest,
        client: Option<SocketAddr>,
    ) -> Result<HttpResponse, HandlerError> {
        let path = request.uri().path();
        let taken = self.inner.routes.iter().find_map(|(route, at)| Some((route, route.rest(path)?, *at)));
        let Some((route, rest, at)) = taken else { return Err(HandlerError::NoSuchHandler(path.to_owned())) };
        let (loaded, rest) = (&self.inner.components[at], rest.to_owned());
        let request = dressed(request, route, &rest, client);
        let start = Instant::now();
        let running = Running::start(&loaded.counters);
        let result = self.run(loaded, request, start).await;
        drop(running);
        loaded.counters.ended(start.elapsed());
        if let Err(error) = &result {
            loaded.counters.failed(error);
        }
        result
    }

    /// Runs a call when there is room, within its time.
    async fn run(
        &self,
        loaded: &Loaded,
        request: Request<Bytes>,
        start: Instant,
    ) -> Result<HttpResponse, HandlerError> {
        let Inner { limits, room, .. } = &*self.inner;
        let handler = || loaded.id.to_owned();
        let place = timeout(limits.wall, room.acquire()).await;
        let left = limits.wall.saturating_sub(start.elapsed());
        let (Ok(Ok(_place)), false) = (place, left.is_zero()) else {
            let reason = format!("{} calls are running", limits.concurrent);
            return Err(HandlerError::Unavailable { handler: handler(), reason });
        };
        let output = Output::new(loaded.id, &self.inner.log, limits.log_lines);
        let (store, watch) = call::store(&self.inner.engine, &loaded.shared, &loaded.counters, output);
        // The deadline is outside: inside, nothing is polled while the component computes.
        match timeout(left, Watched::new(call(store, loaded, request, limits.output_bytes), watch)).await {
            Ok(answer) => answer.map_err(|error| failed(handler(), &error)),
            Err(_) => Err(HandlerError::Timeout { handler: handler(), computing: false }),
        }
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::Platform::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?;
    Ok(linker)
}

/// One request in a fresh instance.
async fn call(
    mut store: Store<Call>,
    loaded: &Loaded,
    request: Request<Bytes>,
    output_bytes: usize,
) -> wasmtime::Result<HttpResponse> {
    use wasmtime_wasi_http::WasiHttpView;
    let request = request.map(Full::new);
    let (request, _sent) = wasmtime_wasi_http::p3::Request::from_http(store.data_mut().http().hooks, request);
    let service = loaded.service.instantiate_async(&mut store).await?;
    store
        .run_concurrent(async |accessor| {
            let response = match service.handle(accessor, request).await? {
                Ok(response) => response,
                Err(code) => {
                    tracing::error!(component = loaded.id, ?code, "a component answered with an error");
                    let mut response = Response::new(Bytes::new());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    return Ok(response);
                }
            };
            let response = accessor.with(|access| response.into_http(access, async { Ok(()) }))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, output_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Overstep::Output(format!("more than {output_bytes} bytes")).into()
                } else {
                    wasmtime::Error::msg(format!("the answer broke off: {error}"))
                }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        })
        .await?
}

/// The request as a component of Spin meets it: an absolute URI, and what Spin says of it in headers, which a client
/// cannot say itself.
fn dressed(request: HttpRequest, route: &Route, rest: &str, client: Option<SocketAddr>) -> HttpRequest {
    let (mut parts, body) = request.into_parts();
    let own: Vec<HeaderName> =
        parts.headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in own {
        parts.headers.remove(name);
    }
    let host = parts.uri.authority().map(|authority| authority.to_string());
    let said =
        || parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
    let host = host.or_else(said).unwrap_or_else(|| "localhost".to_owned());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    let full = format!("{scheme}://{host}{path}");
    if let Ok(uri) = full.parse() {
        parts.uri = uri;
    }
    let matched = route.text().trim_end_matches("...").trim_end_matches('/');
    let about = [
        ("spin-full-url", full.as_str()),
        ("spin-path-info", rest),
        ("spin-matched-route", route.text()),
        ("spin-raw-component-route", route.text()),
        ("spin-component-route", matched),
        ("spin-base-path", "/"),
        ("spin-client-addr", &client.map(|client| client.to_string()).unwrap_or_default()),
    ];
    for (name, value) in about {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            parts.headers.insert(HeaderName::from_static(name), value);
        }
    }
    Request::from_parts(parts, body)
}
