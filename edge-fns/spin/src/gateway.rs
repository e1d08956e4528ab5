//! The exchange's capability server, over Spin's outbound HTTP.

use crate::platform::setting;
use async_trait::async_trait;
use bytes::Bytes;
use edge_fns::capability::{Error, Result};
use edge_fns::remote::{BODY_LIMIT, Post, accept, patience_ms};
use futures_util::future::{Either, select};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use send_wrapper::SendWrapper;
use spin_sdk::http::send;
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http::types::ErrorCode;
use std::pin::pin;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Gateway {
    url: Uri,
    authorization: Option<HeaderValue>,
    /// A call that is not answered by then counts as lost.
    patience: Duration,
}

impl Gateway {
    /// `capabilities_url`, and the secret `capabilities_token`. Plain HTTP is for this machine only: the token opens
    /// everything.
    pub async fn connect() -> Result<Gateway> {
        let wrong = |why: &str| Error::Invalid(format!("capabilities_url {why}"));
        let url = setting("capabilities_url").await?.ok_or_else(|| wrong("is not set"))?;
        let url: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let local = matches!(url.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme_str() != Some("https") && !(url.scheme_str() == Some("http") && local) {
            return Err(wrong("must be an https URL"));
        }
        let token = setting("capabilities_token").await?;
        let header = |token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| Error::Invalid("capabilities_token is no header's value".into()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        let patience = patience_ms(setting("capabilities_patience_ms").await?.as_deref())
            .map_err(|wrong| Error::Invalid(format!("capabilities_patience_ms: {wrong}")))?;
        let patience = Duration::from_millis(patience.into());
        Ok(Gateway { url, authorization: token.map(header).transpose()?, patience })
    }

    async fn ask(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let mut request = Request::post(&self.url)
            .header("content-type", "application/json")
            // Known beforehand: the body need not be sent in chunks.
            .header("content-length", body.len());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| Error::Invalid(error.to_string()))?;
        let answer = async {
            let response = send(request).await.map_err(failed)?;
            let status = response.status().as_u16();
            // Whether it broke off before or after it was carried out, nobody knows.
            let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await;
            accept(status, body.map_err(|_| Error::Timeout)?.to_bytes().into())
        };
        match select(pin!(answer), pin!(sleep(self.patience))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Error::Timeout),
        }
    }
}

#[async_trait]
impl Post for Gateway {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        SendWrapper::new(self.ask(body)).await
    }
}

/// A call whose answer did not come. What is not known to have failed before it was sent may have been carried out.
fn failed(code: ErrorCode) -> Error {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Error::Denied("the capability server is not among the component's allowed_outbound_hosts".into())
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError => Error::Unavailable(format!("the capability server: {code}")),
        _ => Error::Timeout,
    }
}
