//! The exchange's functions as a Spin application: the same handlers as everywhere, in one component on `spin-sdk`.
//!
//! | event | what happens | where |
//! |---|---|---|
//! | HTTP request | REST requests by route | [`routes`] |
//! | `POST /@invoke/FUNCTION` | stream batches, timers, and events of connections that are held elsewhere | [`invoke`] |
//!
//! Which capability is where, and why there is one trigger, is in this crate's README.
//!
//! A component has one thread. What Spin's interfaces answer later is not `Send`, while the capability traits ask for it
//! so that natively they can move between threads; [`send_wrapper::SendWrapper`] checks here that nothing does.

mod capabilities;
mod gateway;
mod invoke;
mod platform;
mod routes;

use bytes::Bytes;
use capabilities::Capabilities;
use http_body_util::Full;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    platform::log_panics();
    let answer = routes::answer(request).await;
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.header("x-content-type-options", "nosniff").body(Full::new(Bytes::from(answer.body)))
}
