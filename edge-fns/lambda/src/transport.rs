//! Carries capability calls over HTTPS, on connections that outlive an invocation.

use crate::SetupError;
use crate::capabilities::bad;
use async_trait::async_trait;
use edge_fns::capability::{Error, Result};
use edge_fns::remote::{BODY_LIMIT, Post, accept};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use tokio::time::timeout;

/// An idle connection older than this was likely dropped while Lambda kept the process frozen.
const IDLE: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(3);

/// The exchange's capability server.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    authorization: Option<HeaderValue>,
    /// A call that is not answered by then counts as lost.
    patience: Duration,
}

impl Gateway {
    /// Plain HTTP is for this machine only: the token opens everything.
    pub fn new(
        url: &str,
        token: Option<&str>,
        patience: Duration,
    ) -> std::result::Result<Gateway, SetupError> {
        let refused = |reason: &str| bad("CAPABILITIES_URL", url, reason);
        let uri: Uri = url.parse().map_err(|_| refused("it must be an https URL"))?;
        let local = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if local => {}
            _ => return Err(refused("it must be an https URL")),
        }
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| bad("CAPABILITIES_TOKEN", "…", "it is no header's value"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| refused(&error.to_string()))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Gateway { client, url: uri, authorization: authorization.transpose()?, patience })
    }
}

#[async_trait]
impl Post for Gateway {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        match timeout(self.patience, self.ask(body)).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(
                    patience_ms = self.patience.as_millis() as u64,
                    "a capability call was given up"
                );
                Err(Error::Timeout)
            }
        }
    }
}

impl Gateway {
    async fn ask(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::from(body)).map_err(|error| Error::Invalid(error.to_string()))?;
        let response = match self.client.request(request).await {
            Ok(response) => response,
            // Nothing was sent yet.
            Err(error) if error.is_connect() => {
                return Err(Error::Unavailable(format!("the capability server: {error}")));
            }
            Err(error) => {
                tracing::warn!(%error, "a capability call broke off");
                return Err(Error::Timeout);
            }
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), BODY_LIMIT).collect().await {
            Ok(body) => accept(status, body.to_bytes().into()),
            Err(error) => {
                tracing::warn!(%error, "the answer to a capability call broke off");
                Err(Error::Timeout)
            }
        }
    }
}
