//! The doors of the exchange: REST, WebSocket, `@connections`, accounts, the page, health and metrics.
//!
//! Requests are handed to the functions as they are; what a function answers is what the client gets. The gateway itself
//! only limits sizes and times, and answers where no function does.

mod accounts;
mod capabilities;
mod connections;
mod functions;
mod metrics;
mod page;
mod records;
mod socket;

pub use accounts::{Accounts, Project};
pub use metrics::engine as engine_metrics;
pub use page::Page;

use crate::backends::embedded::hub::Hub;
use crate::backends::gateways::{Node, Presence};
use crate::backends::records::Records;
use crate::engine::Counters;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use edge_fns::capability::Identity;
use edge_host::sources::{routes, stream, timer};
use edge_host::{EdgeHost, SystemBase};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many records of its shard a consumer has not done with.
pub type Lag = Arc<dyn Fn(stream::Reading) -> BoxFuture<'static, u64> + Send + Sync>;

/// Everything the doors lead to.
#[derive(Clone)]
pub struct Gateway {
    pub functions: EdgeHost,
    /// For functions that run elsewhere, where the exchange is to serve them.
    pub capabilities: Option<edge_host::Backends>,
    pub identity: Arc<dyn Identity>,
    pub accounts: Accounts,
    /// What other parts of the exchange say to be let in to back ends and connections, besides administrators.
    pub token: Option<Arc<str>>,
    pub node: Node,
    /// Where other processes push to this one's connections.
    pub presence: Option<Arc<Presence>>,
    pub hub: Arc<Hub>,
    pub records: Records,
    pub page: Arc<Page>,
    pub settings: Arc<Settings>,
    /// Of an engine in this process.
    pub counters: Option<Arc<Counters>>,
    pub readings: Arc<dyn Fn() -> (Vec<stream::Reading>, Vec<timer::Reading>) + Send + Sync>,
    pub lag: Lag,
    pub started: Instant,
    /// Turns true when the process stops: open connections are closed then.
    pub stop: watch::Receiver<bool>,
}

/// What the page has to know before anybody signs in.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub test_mode: bool,
    /// Cash and stock of each symbol that a new account starts with; 0 outside `up`.
    pub demo_cash: u64,
    pub demo_stock: u64,
    /// How far the exchange's day is ahead of UTC, in seconds.
    pub day_offset_s: u64,
    pub version: &'static str,
}

const OPENAPI: &str = include_str!("openapi.json");

/// What the page may load: its own files, WebAssembly, nothing from elsewhere. The one style by its hash is the sheet that the
/// chart library writes for its logo. `web/static/index.html` says the same, for where other servers hand it out.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY='; img-src 'self' data: blob:; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; font-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Gateway {
    pub fn router(self) -> Router {
        let accounts = self.accounts.routes();
        // Which function answers is for the table to say; here only the paths are made known, each once.
        let mut functions = Router::new();
        let mut known = std::collections::BTreeSet::new();
        for route in routes::HTTP.iter().filter(|route| known.insert(route.path)) {
            functions = functions.route(route.path, any(functions::call));
        }
        functions
            .route("/admin/totals", get(functions::totals).fallback(method_not_allowed))
            .route("/admin/verify", get(functions::verify).fallback(method_not_allowed))
            .route("/admin/accounts", get(records::accounts).fallback(method_not_allowed))
            .route("/admin/dead-letters", get(records::dead_letters).fallback(method_not_allowed))
            .route("/fills", get(records::fills).fallback(method_not_allowed))
            .route("/ws", any(socket::connect))
            .route("/@connections", any(capabilities::connections))
            .route("/@connections/{id}", any(connections::manage))
            .route("/capabilities", any(capabilities::answer))
            .route("/healthz", get(health).fallback(method_not_allowed))
            .route("/metrics", get(metrics::metrics).fallback(method_not_allowed))
            .route("/openapi.json", get(openapi).fallback(method_not_allowed))
            .route("/config.json", get(config).fallback(method_not_allowed))
            .fallback(page::serve)
            .with_state(self.clone())
            .merge(accounts)
            .layer(middleware::from_fn(harden))
    }

    /// Serves until told to stop, then lets the requests in flight finish.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let mut stop = self.stop.clone();
        let hub = self.hub.clone();
        let stopped = async move {
            // An error says that the sender is gone, which is a stop too.
            let _ = stop.wait_for(|stop| *stop).await;
            hub.close_all();
        };
        // Answers are small and waited for: none is held back to be sent with the next.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay");
            }
        });
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(stopped).await
    }
}

/// A refusal by the gateway itself, in the API's form.
pub(crate) fn refusal(status: StatusCode, code: &str, message: impl AsRef<str>) -> Response {
    let body = serde_json::json!({"error": {"code": code, "message": message.as_ref()}});
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

pub(crate) async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

pub(crate) async fn method_not_allowed(method: Method) -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("{method} is not possible here"))
}

/// Refuses everyone but administrators, in the functions' own words.
pub(crate) async fn administrator(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credentials = value.map(|value| ("authorization".to_string(), value.to_string()));
    let request = edge_host::Request { headers: credentials.into_iter().collect(), ..Default::default() };
    let base = SystemBase::default();
    match edge_fns::auth::administrator(&base, gateway.identity.as_ref(), &request).await {
        Ok(_) => Ok(()),
        Err(refused) => Err(Box::new(functions::response(refused.into()))),
    }
}

/// Refuses everyone but administrators and the exchange's own parts.
pub(crate) async fn insider(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Of digests the time to compare tells nothing.
    let digest = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
    match (given, &gateway.token) {
        (Some(given), Some(token)) if digest(given) == digest(token) => Ok(()),
        _ => administrator(gateway, headers).await,
    }
}

async fn health(State(gateway): State<Gateway>) -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "status": "ok",
        "version": gateway.settings.version,
        "uptime_s": gateway.started.elapsed().as_secs(),
        "connections": gateway.hub.len(),
    }))
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn config(State(gateway): State<Gateway>) -> Response {
    let symbols = functions::symbols(&gateway).await;
    match serde_json::to_value(gateway.settings.as_ref()) {
        Ok(mut settings) => {
            settings["symbols"] = symbols.into();
            ([(header::CACHE_CONTROL, "no-store")], Json(settings)).into_response()
        }
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    }
}

/// Headers that every answer carries.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let unread = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
    let headers = response.headers_mut();
    if unread {
        // The rest of the body stays on the connection: the client must not send its next request behind it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
