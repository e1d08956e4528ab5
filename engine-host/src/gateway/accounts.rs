//! Accounts: our own in the embedded mode, or those of a Supabase project, which the page reaches through the gateway.

use super::{method_not_allowed, refusal};
use crate::auth::{self, Auth};
use crate::backends::http::Http;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use edge_fns::capability::{Error, Result};
use edge_fns::http::BODY_LIMIT;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What of Supabase Auth is passed on: what the page and programs need, and nothing of administration.
const PASSED_ON: [(&str, &str); 6] = [
    ("POST", "/signup"),
    ("POST", "/token"),
    ("GET", "/user"),
    ("POST", "/logout"),
    ("GET", "/health"),
    ("GET", "/.well-known/jwks.json"),
];
const KEYS: &str = "/.well-known/jwks.json";
/// Hashing a password takes its time there.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub enum Accounts {
    Own(Auth),
    Supabase(Arc<Project>),
}

/// The accounts of a Supabase project.
pub struct Project {
    http: Http,
    /// Its address with `/auth/v1`.
    auth: String,
    anon_key: HeaderValue,
}

impl Project {
    /// # Errors
    /// If the key cannot stand in a header, or the authority cannot be read.
    pub fn new(url: &str, anon_key: &str, ca_file: Option<&Path>) -> Result<Project> {
        let mut anon_key = HeaderValue::try_from(anon_key)
            .map_err(|_| Error::Invalid("SUPABASE_ANON_KEY cannot stand in a header".into()))?;
        anon_key.set_sensitive(true);
        let auth = format!("{}/auth/v1", url.trim_end_matches('/'));
        Ok(Project { http: Http::new(ca_file, PATIENCE)?, auth, anon_key })
    }

    async fn pass_on(&self, path: &str, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let known = PASSED_ON.iter().filter(|(_, known)| *known == path);
        if known.clone().count() == 0 {
            return super::not_found().await;
        }
        if !known.clone().any(|(method, _)| *method == parts.method.as_str()) {
            return method_not_allowed(parts.method).await;
        }
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
            let message = format!("a body has at most {BODY_LIMIT} bytes");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        };
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut headers = vec![(HeaderName::from_static("apikey"), self.anon_key.clone())];
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            headers.push((header::AUTHORIZATION, value.clone()));
        }
        let body = (parts.method != Method::GET).then(|| body.to_vec());
        match self.http.send(parts.method, &format!("{}{path}{query}", self.auth), &headers, body).await {
            Ok(answer) => {
                let media = answer.media.unwrap_or(HeaderValue::from_static("application/json"));
                let no_store = HeaderValue::from_static("no-store");
                let headers = [(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, no_store)];
                (answer.status, headers, answer.body).into_response()
            }
            Err(Error::Timeout) => {
                refusal(StatusCode::GATEWAY_TIMEOUT, "timeout", "accounts do not answer; try again")
            }
            Err(error) => {
                tracing::warn!(%error, "accounts cannot be reached");
                refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "accounts cannot be reached; try again",
                )
            }
        }
    }
}

impl Accounts {
    /// Under `/auth/v1`, and the public keys at the root too.
    pub(super) fn routes(&self) -> Router {
        match self {
            Accounts::Own(own) => {
                let keys = get(auth::jwks).fallback(method_not_allowed);
                let root = Router::new().route(KEYS, keys).with_state(own.clone());
                root.nest("/auth/v1", auth::routes(own.clone()).fallback(super::not_found))
            }
            Accounts::Supabase(project) => {
                let pass_on = async |State(project): State<Arc<Project>>, request: Request| {
                    let path = request.uri().path();
                    let path = path.strip_prefix("/auth/v1").unwrap_or(path).to_owned();
                    project.pass_on(&path, request).await
                };
                Router::new()
                    .route(KEYS, any(pass_on))
                    .route("/auth/v1/{*rest}", any(pass_on))
                    .with_state(project.clone())
            }
        }
    }
}
