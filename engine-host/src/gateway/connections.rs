//! `/@connections/{id}` as API Gateway's management API has it: post to, look at, and close a WebSocket connection.

use super::{Gateway, administrator, method_not_allowed, refusal};
use crate::backends::embedded::hub::MAX_MESSAGE;
use axum::body::to_bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use edge_fns::capability::Connections;
use edge_fns::capability::connections::{Delivery, Push};

pub(super) async fn manage(
    State(gateway): State<Gateway>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    let Ok(Path(id)) = id else { return gone() };
    match *request.method() {
        Method::POST => post(&gateway, id, request).await,
        Method::GET => look(&gateway, &id),
        Method::DELETE => close(&gateway, &id).await,
        _ => method_not_allowed(request.method().clone()).await,
    }
}

async fn post(gateway: &Gateway, id: String, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), MAX_MESSAGE).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "a message has at most 128 KB");
    };
    let answers = gateway.hub.post(vec![Push { to: vec![id], body: body.into() }]).await;
    match answers.ok().and_then(|answers| answers.into_iter().flatten().next()) {
        Some(Ok(Delivery::Sent)) => StatusCode::OK.into_response(),
        Some(Ok(Delivery::Gone)) => gone(),
        _ => refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the message was not sent"),
    }
}

fn look(gateway: &Gateway, id: &str) -> Response {
    match gateway.hub.info(id) {
        Some(info) => Json(serde_json::json!({
            "connectedAt": iso(info.connected_at),
            "lastActiveAt": iso(info.last_active_at),
            "identity": {"sourceIp": info.source, "userAgent": info.user_agent},
        }))
        .into_response(),
        None => gone(),
    }
}

async fn close(gateway: &Gateway, id: &str) -> Response {
    if gateway.hub.info(id).is_none() {
        return gone();
    }
    gateway.hub.remove(id);
    StatusCode::NO_CONTENT.into_response()
}

fn gone() -> Response {
    refusal(StatusCode::GONE, "gone", "there is no such connection any more")
}

fn iso(ms: u64) -> String {
    let minute = engine_core::candle::format_minute(ms / 1000);
    let (date, time) = minute.split_at(8);
    let seconds = ms % 60_000;
    format!(
        "{}-{}-{}T{}:{}:{:02}.{:03}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..],
        seconds / 1000,
        seconds % 1000
    )
}
