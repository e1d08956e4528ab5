//! The exchange's functions as a Cloudflare Worker: the same handlers as everywhere, natively on the `worker` crate.
//!
//! | event | what happens | where |
//! |---|---|---|
//! | `fetch` | REST requests by route; WebSocket handshakes and `/@connections` go to a hub | [`routes`] |
//! | `queue` | a batch goes to the function that the queue is named after | [`queue`] |
//! | `scheduled` | the timers of that cron expression | [`timers`] |
//! | a connection's messages and end | the hub, a Durable Object, runs subscribe and disconnect | [`hub`] |
//!
//! Which capability is where, and why, is in this crate's README.
//!
//! A Worker has one thread. Futures over JavaScript values are not `Send`, while the capability traits ask for it so that
//! natively they can move between threads; [`worker::send::SendFuture`] vouches for them here.

mod capabilities;
mod connections;
mod gateway;
mod hub;
mod platform;
mod queue;
mod routes;
mod timers;

pub use hub::Hub;

use capabilities::Capabilities;
use wasm_bindgen::prelude::*;
use worker::worker_sys;
use worker::{Context, Env, Response, Result, event};

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _context: Context) -> Result<Response> {
    routes::answer(request, env).await
}

/// Fails the invocation, so that the whole batch comes again, only where no function could be asked.
#[wasm_bindgen]
pub async fn queue(
    batch: worker_sys::MessageBatch,
    env: Env,
    _context: JsValue,
) -> core::result::Result<(), JsValue> {
    queue::consume(batch.into(), &env).await.map_err(JsValue::from)
}

/// Fails the invocation where a timer failed, so that the platform counts it as failed.
#[wasm_bindgen]
pub async fn scheduled(
    event: worker_sys::ScheduledEvent,
    env: Env,
    _context: JsValue,
) -> core::result::Result<(), JsValue> {
    timers::run(event.into(), &env).await.map_err(JsValue::from)
}
