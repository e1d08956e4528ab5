//! REST requests to their functions.

use super::{Gateway, administrator, refusal};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use edge_fns::http::BODY_LIMIT;
use edge_host::HandlerError;
use edge_host::sources::routes;

/// A request to whichever function the routes name for it.
pub(super) async fn call(State(gateway): State<Gateway>, request: Request) -> Response {
    let path = request.uri().path();
    match routes::http(request.method().as_str(), path) {
        Some(handler) => answer(&gateway, handler, request).await,
        None => super::not_found().await,
    }
}

/// Sums over all wallets, which no function can ask for.
pub(super) async fn totals(State(gateway): State<Gateway>, request: Request) -> Response {
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    match gateway.records.ledger.totals().await {
        Ok(assets) => Json(serde_json::json!({"assets": assets})).into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Recomputes every wallet from the journal.
pub(super) async fn verify(State(gateway): State<Gateway>, request: Request) -> Response {
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    match gateway.records.ledger.verify().await {
        Ok(wrong) => Json(serde_json::json!({"balanced": wrong.is_empty(), "wrong": wrong})).into_response(),
        Err(error) => unavailable(&error),
    }
}

/// The tradable symbols, as the admin function lists them.
pub(super) async fn symbols(gateway: &Gateway) -> Vec<serde_json::Value> {
    let request = edge_host::Request { method: "GET".into(), path: "/admin".into(), ..Default::default() };
    let answer =
        gateway.functions.http("admin", request).await.map(|response| response.body).unwrap_or_default();
    let list: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
    list["symbols"].as_array().cloned().unwrap_or_default()
}

async fn answer(gateway: &Gateway, handler: &'static str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let text =
        |name: &HeaderName, value: &HeaderValue| Some((name.to_string(), value.to_str().ok()?.to_string()));
    let request = edge_host::Request {
        method: parts.method.to_string(),
        path: parts.uri.path().into(),
        query: parts.uri.query().unwrap_or_default().into(),
        headers: parts.headers.iter().filter_map(|(name, value)| text(name, value)).collect(),
        body,
    };
    // A task of its own: a client that hangs up does not break a function off in the middle of an order.
    let functions = gateway.functions.clone();
    let answered = tokio::spawn(async move { functions.http(handler, request).await }).await;
    match answered {
        Ok(Ok(answer)) => response(answer),
        Err(error) => {
            tracing::error!(handler, %error, "a call panicked");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; it was logged")
        }
        Ok(Err(error)) => {
            tracing::warn!(handler, %error, "a function did not answer");
            match error {
                HandlerError::Timeout { .. } => refusal(
                    StatusCode::GATEWAY_TIMEOUT,
                    "timeout",
                    "no answer in time; the effect is unknown",
                ),
                HandlerError::Unavailable { .. } => {
                    refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "too busy; nothing was done")
                }
                _ => refusal(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something went wrong here; it was logged",
                ),
            }
        }
    }
}

/// The whole body, or the refusal of one that is too large or breaks off.
pub(super) async fn read(headers: &axum::http::HeaderMap, body: Body) -> Result<Vec<u8>, Box<Response>> {
    let too_large = || {
        let message = format!("a body has at most {BODY_LIMIT} bytes");
        Box::new(refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message))
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    match to_bytes(body, BODY_LIMIT).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => {
            let limit =
                std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
            Err(if limit {
                too_large()
            } else {
                Box::new(refusal(StatusCode::BAD_REQUEST, "bad_json", "the body broke off"))
            })
        }
    }
}

pub(super) fn response(answer: edge_host::Response) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

pub(super) fn unavailable(error: &edge_fns::capability::Error) -> Response {
    tracing::error!(%error, "the store did not answer");
    refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the store is not available")
}
