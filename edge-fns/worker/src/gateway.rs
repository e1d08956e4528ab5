//! The exchange's capability server, over `fetch`.

use crate::platform::{self, setting};
use async_trait::async_trait;
use edge_fns::capability::{Error, Millis, Result};
use edge_fns::remote::{BODY_LIMIT, PATIENCE, Post, accept, patience_ms};
use js_sys::Uint8Array;
use std::cell::Cell;
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};
use worker::Env;
use worker::send::{SendFuture, SendWrapper};

/// The calls of an event that begin within this share of their patience have one timer: four timers were a twentieth of
/// an order in a profile.
const SHARED: u32 = 10;

/// The binding of a Worker that is asked in place of the network: one beside this, or a way into a private network.
const BINDING: &str = "CAPABILITIES";

// The crate's own `fetch` reads an answer piece by piece over a stream, which takes longer than all the rest of a call.
#[wasm_bindgen]
extern "C" {
    /// The network, or a binding: what has a `fetch`.
    #[derive(Clone, Debug)]
    type Fetches;

    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Fetches, url: &str, init: &RequestInit)
    -> core::result::Result<js_sys::Promise, JsValue>;
}

#[derive(Clone, Debug)]
pub struct Gateway {
    url: String,
    // A Worker has one thread: what is of JavaScript is never used from another.
    parts: Arc<SendWrapper<Parts>>,
}

#[derive(Debug)]
struct Parts {
    fetches: Fetches,
    /// What all calls have in common. `fetch` has read it when it returns, so calls may share one that they complete.
    init: RequestInit,
    /// A call that is not answered by then counts as lost.
    patience_ms: u32,
    /// When the timer was started that `init` has.
    timed: Cell<Option<Millis>>,
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
        let patience_ms = patience(env)?;
        let fetches = match env.service(BINDING) {
            Ok(service) => service.into_rpc(),
            Err(_) => js_sys::global().unchecked_into(),
        };
        let init = request(authorization.as_deref())?;
        let parts = Parts { fetches, init, patience_ms, timed: Cell::new(None) };
        Ok(Gateway { url, parts: Arc::new(SendWrapper::new(parts)) })
    }

    /// Refused at once is what was not sent.
    fn begin(&self, body: &[u8]) -> core::result::Result<js_sys::Promise, JsValue> {
        let Parts { fetches, init, patience_ms, timed } = &**self.parts;
        init.set_body(&Uint8Array::from(body));
        let now = platform::now();
        let shared = Millis::from(patience_ms / SHARED);
        if timed.get().is_none_or(|since| now.saturating_sub(since) >= shared) {
            init.set_signal(Some(&AbortSignal::timeout_with_u32(*patience_ms)));
            timed.set(Some(now));
        }
        fetches.fetch(&self.url, init)
    }

    async fn send(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let fetched = self.begin(&body).map_err(|error| {
            Error::Unavailable(format!("the capability server: {}", worker::Error::from(error)))
        })?;
        // Whether it broke off before or after it was carried out, nobody knows.
        let answered = JsFuture::from(fetched).await.map_err(|_| Error::Timeout)?;
        let response: Response = answered.unchecked_into();
        let announced = response.headers().get("content-length").ok().flatten();
        if announced.is_some_and(|length| length.parse::<usize>().is_ok_and(|len| len > BODY_LIMIT)) {
            return Err(Error::Internal(format!("an answer has at most {BODY_LIMIT} bytes")));
        }
        let status = response.status();
        accept(status, platform::bytes(response.array_buffer()).await.map_err(|_| Error::Timeout)?)
    }
}

/// How long the answer to a call may take.
pub fn patience(env: &Env) -> worker::Result<u32> {
    patience_ms(setting(env, PATIENCE).as_deref())
        .map_err(|wrong| worker::Error::RustError(format!("{PATIENCE}: {wrong}")))
}

fn request(authorization: Option<&str>) -> core::result::Result<RequestInit, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    if let Some(authorization) = authorization {
        headers.set("authorization", authorization)?;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    Ok(init)
}

#[async_trait]
impl Post for Gateway {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        // A Worker has one thread: nothing is ever sent to another.
        SendFuture::new(self.send(body)).await
    }
}
