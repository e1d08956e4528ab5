//! `POST /capabilities`: the exchange's back ends for functions that run elsewhere, by the protocol of
//! [`edge_fns::remote`]. Only with `--serve-capabilities`, and only for administrators: it moves money.

use super::{Gateway, administrator, method_not_allowed, not_found, refusal};
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge_fns::remote::BODY_LIMIT;

pub(super) async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    let Some(capabilities) = &gateway.capabilities else { return not_found().await };
    if request.method() != Method::POST {
        return method_not_allowed(request.method().clone()).await;
    }
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    let Ok(body) = to_bytes(request.into_body(), BODY_LIMIT).await else {
        let message = format!("a call has at most {BODY_LIMIT} bytes");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
    };
    // A task of its own: a caller that hangs up does not break a call off in the middle.
    let capabilities = capabilities.clone();
    match tokio::spawn(async move { capabilities.served().answer(&body).await }).await {
        Ok(answer) => {
            let json = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (json, answer).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a capability call panicked");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; it was logged")
        }
    }
}
