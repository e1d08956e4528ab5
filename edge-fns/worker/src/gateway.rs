//! The exchange's capability server, over `fetch`.

use crate::platform::setting;
use async_trait::async_trait;
use edge_fns::capability::{Error, Result};
use edge_fns::remote::{BODY_LIMIT, Post, accept};
use futures_util::future::{Either, select};
use js_sys::Uint8Array;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use worker::send::{SendFuture, SendWrapper};
use worker::{AbortController, Delay, Env, Fetch, Fetcher, Headers, Method, Request, RequestInit};

/// A call that is not answered by then counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The binding of a Worker that is asked in place of the network: one beside this, or a way into a private network.
const BINDING: &str = "CAPABILITIES";

#[derive(Clone, Debug)]
pub struct Gateway {
    url: String,
    // A Worker has one thread: the binding is never used from another.
    service: Option<Arc<SendWrapper<Fetcher>>>,
    authorization: Option<String>,
}

impl Gateway {
    /// `CAPABILITIES_URL`, and the secret `CAPABILITIES_TOKEN`. Plain HTTP is for this machine only: the token opens
    /// everything.
    pub fn of(env: &Env) -> worker::Result<Gateway> {
        let wrong = |why: &str| worker::Error::RustError(format!("CAPABILITIES_URL {why}"));
        let url = setting(env, "CAPABILITIES_URL").ok_or_else(|| wrong("is not set"))?;
        let parsed = worker::Url::parse(&url).map_err(|_| wrong("is no URL"))?;
        let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if parsed.scheme() != "https" && !(parsed.scheme() == "http" && local) {
            return Err(wrong("must be an https URL"));
        }
        let token = env.secret("CAPABILITIES_TOKEN").ok().map(|token| token.to_string());
        let authorization = token.filter(|token| !token.is_empty()).map(|token| format!("Bearer {token}"));
        let service = env.service(BINDING).ok().map(|service| Arc::new(SendWrapper::new(service)));
        Ok(Gateway { url, service, authorization })
    }

    async fn send(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let unsent = |error: worker::Error| Error::Unavailable(format!("the capability server: {error}"));
        let abort = AbortController::default();
        let signal = abort.signal();
        let request = self.request(&body).map_err(unsent)?;
        let answer = async {
            // Whether it broke off before or after it was carried out, nobody knows.
            let answered = match &self.service {
                Some(service) => service.fetch_request(request).await,
                None => Fetch::Request(request).send_with_signal(&signal).await,
            };
            let mut response = answered.map_err(|_| Error::Timeout)?;
            let announced = response.headers().get("content-length").ok().flatten();
            if announced.is_some_and(|length| length.parse::<usize>().is_ok_and(|len| len > BODY_LIMIT)) {
                return Err(Error::Internal(format!("an answer has at most {BODY_LIMIT} bytes")));
            }
            let body = response.bytes().await.map_err(|_| Error::Timeout)?;
            accept(response.status_code(), body)
        };
        match select(pin!(answer), pin!(Delay::from(PATIENCE))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                abort.abort();
                Err(Error::Timeout)
            }
        }
    }

    fn request(&self, body: &[u8]) -> worker::Result<Request> {
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        if let Some(authorization) = &self.authorization {
            headers.set("authorization", authorization)?;
        }
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(Uint8Array::from(body).into()));
        Request::new_with_init(&self.url, &init)
    }
}

#[async_trait]
impl Post for Gateway {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        // A Worker has one thread: nothing is ever sent to another.
        SendFuture::new(self.send(body)).await
    }
}
