//! Connections over all hubs. A connection's id says which hub holds it, so nothing has to be looked up.

use crate::gateway::patience;
use crate::platform;
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Error, Result};
use edge_fns::remote::{Post, Remote, accept};
use js_sys::Uint8Array;
use std::collections::BTreeMap;
use web_sys::{AbortSignal, Request, RequestInit};
use worker::send::SendFuture;
use worker::{Env, Stub};

/// The binding of the hubs' namespace.
const BINDING: &str = "HUB";
/// How many hubs there are where `HUBS` does not say. One takes some thousand connections.
const HUBS: u8 = 8;
const ID_BYTES: usize = 11;

/// A new connection's id: eleven bytes, of which the first names the hub, written as API Gateway writes its ids (fifteen
/// characters and an equals sign). Ids stay valid when the number of hubs changes.
pub fn new_id(env: &Env) -> String {
    let hubs = platform::setting(env, "HUBS").and_then(|hubs| hubs.parse().ok()).unwrap_or(HUBS).max(1);
    let mut bytes = platform::random(ID_BYTES);
    bytes[0] %= hubs;
    BASE64_URL_SAFE.encode(bytes)
}

/// The hub that an id names; `None` for what no hub has given out.
fn hub_of(id: &str) -> Option<u8> {
    let bytes = BASE64_URL_SAFE.decode(id).ok()?;
    (bytes.len() == ID_BYTES).then(|| bytes[0])
}

#[derive(Clone)]
pub struct Hubs(Env);

impl Hubs {
    pub fn of(env: &Env) -> Hubs {
        Hubs(env.clone())
    }

    /// The hub of a connection.
    pub fn stub(&self, id: &str) -> Option<worker::Result<Stub>> {
        Some(self.numbered(hub_of(id)?))
    }

    fn numbered(&self, hub: u8) -> worker::Result<Stub> {
        self.0.durable_object(BINDING)?.get_by_name(&hub.to_string())
    }

    fn remote(&self, hub: u8) -> Result<Remote<HubPost>> {
        let unavailable = |error: worker::Error| Error::Unavailable(error.to_string());
        let stub = self.numbered(hub).map_err(unavailable)?;
        Ok(Remote(HubPost { stub, patience_ms: patience(&self.0).map_err(unavailable)? }))
    }
}

/// Carries calls to a hub, which answers as the exchange's capability server does.
struct HubPost {
    stub: Stub,
    patience_ms: u32,
}

#[async_trait]
impl Post for HubPost {
    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        // A Worker has one thread: nothing is ever sent to another.
        SendFuture::new(async {
            let init = RequestInit::new();
            init.set_method("POST");
            init.set_body(&Uint8Array::from(body.as_slice()));
            init.set_signal(Some(&AbortSignal::timeout_with_u32(self.patience_ms)));
            let request = Request::new_with_str_and_init("https://hub/capabilities", &init)
                .map_err(|error| Error::Unavailable(worker::Error::from(error).to_string()))?;
            // Whether it broke off before or after it was carried out, nobody knows.
            let response = self.stub.fetch_with_request(request.into()).await.map_err(|_| Error::Timeout)?;
            let status = response.status_code();
            let response: web_sys::Response = response.into();
            accept(status, platform::bytes(response.array_buffer()).await.map_err(|_| Error::Timeout)?)
        })
        .await
    }
}

#[async_trait]
impl Connections for Hubs {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let mut answers: Vec<Vec<Result<Delivery>>> =
            pushes.iter().map(|push| vec![Ok(Delivery::Gone); push.to.len()]).collect();
        // One call a hub, with the pushes to its connections in their order, and where each answer belongs.
        let mut calls: BTreeMap<u8, (Vec<Push>, Vec<(usize, usize)>)> = BTreeMap::new();
        for (n, push) in pushes.iter().enumerate() {
            for (m, id) in push.to.iter().enumerate() {
                let Some(hub) = hub_of(id) else { continue };
                let (pushes, places) = calls.entry(hub).or_default();
                pushes.push(Push { to: vec![id.clone()], body: push.body.clone() });
                places.push((n, m));
            }
        }
        for (hub, (pushes, places)) in calls {
            let answered = match self.remote(hub) {
                Ok(remote) => remote.post(pushes).await,
                Err(error) => Err(error),
            };
            let one = |at: usize| match &answered {
                Ok(answers) => answers[at].first().cloned().unwrap_or(Ok(Delivery::Gone)),
                Err(error) => Err(error.clone()),
            };
            places.iter().enumerate().for_each(|(at, &(n, m))| answers[n][m] = one(at));
        }
        Ok(answers)
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let mut answers = vec![Ok(false); ids.len()];
        let mut calls: BTreeMap<u8, (Vec<String>, Vec<usize>)> = BTreeMap::new();
        for (n, id) in ids.into_iter().enumerate() {
            let Some(hub) = hub_of(&id) else { continue };
            let (ids, places) = calls.entry(hub).or_default();
            ids.push(id);
            places.push(n);
        }
        for (hub, (ids, places)) in calls {
            let answered = match self.remote(hub) {
                Ok(remote) => remote.probe(ids).await,
                Err(error) => Err(error),
            };
            for (at, n) in places.into_iter().enumerate() {
                answers[n] = match &answered {
                    Ok(answers) => answers[at].clone(),
                    Err(error) => Err(error.clone()),
                };
            }
        }
        Ok(answers)
    }

    async fn close(&self, id: &str) -> Result<()> {
        match hub_of(id) {
            Some(hub) => self.remote(hub)?.close(id).await,
            None => Ok(()),
        }
    }
}
