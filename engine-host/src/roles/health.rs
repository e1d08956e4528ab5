//! `/healthz` and `/metrics` of a process that serves nothing else.

use axum::Router;
use axum::http::header;
use axum::response::Json;
use axum::routing::get;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Writes metrics in Prometheus' text format.
pub type Metrics = Arc<dyn Fn(&mut String) + Send + Sync>;

/// Serves until told to stop; answers the address, which is another one where port 0 was asked for.
pub async fn serve(
    (bind, port): (IpAddr, u16),
    role: &'static str,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((bind, port)).await;
    let listener = listener.map_err(|error| anyhow::anyhow!("cannot listen on {bind}:{port}: {error}"))?;
    let address = listener.local_addr()?;
    let started = Instant::now();
    let health = move || async move {
        Json(serde_json::json!({
            "status": "ok",
            "role": role,
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": started.elapsed().as_secs(),
        }))
    };
    let text = move || async move {
        let mut out = String::new();
        metrics(&mut out);
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
    };
    let router = Router::new().route("/healthz", get(health)).route("/metrics", get(text));
    tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "health is served no more");
        }
    });
    Ok(address)
}
