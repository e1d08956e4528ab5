//! The HTTP client of back ends that are reached by HTTP and have none of their own: TLS by rustls, connections kept, every call with a time limit.

use crate::backends::tls;
use edge_fns::capability::{Error, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::path::Path;
use std::time::Duration;

/// The largest answer that is read.
const LARGEST: usize = 16 << 20;

#[derive(Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

pub struct Answer {
    pub status: StatusCode,
    /// Its `content-type`.
    pub media: Option<HeaderValue>,
    pub body: Bytes,
}

impl Http {
    pub fn new(ca_file: Option<&Path>, timeout: Duration) -> Result<Http> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(ca_file)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Http { client: Client::builder(TokioExecutor::new()).build(connector), timeout })
    }

    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let uri: Uri = url.parse().map_err(|_| Error::Invalid(format!("{url:?} is no URL")))?;
        let mut request = Request::builder().method(method).uri(uri);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|error| Error::Invalid(error.to_string()))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| match error.is_connect() {
                true => Error::Unavailable(format!("{url} cannot be reached: {}", chain(&error))),
                // Something was sent: nobody knows what was done.
                false => Error::Timeout,
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Error::Timeout)?;
            let media = parts.headers.get(CONTENT_TYPE).cloned();
            Ok(Answer { status: parts.status, media, body: body.to_bytes() })
        };
        tokio::time::timeout(self.timeout, exchange).await.map_err(|_| Error::Timeout)?
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}
