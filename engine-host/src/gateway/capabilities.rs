//! `POST /capabilities`: the exchange's back ends for functions that run elsewhere, by the protocol of
//! [`edge_fns::remote`]. Only with `--serve-capabilities`, and only for administrators and the exchange's own parts: it moves
//! money.

use super::{Gateway, insider, method_not_allowed, not_found, refusal};
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edge_fns::remote::{BODY_LIMIT, Served};

pub(super) async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    let Some(capabilities) = gateway.capabilities.clone() else { return not_found().await };
    serve(&gateway, request, async move |body| capabilities.served().answer(&body).await).await
}

/// `POST /@connections`: the connections of this gateway alone, for other gateways, engines and streamers.
pub(super) async fn connections(State(gateway): State<Gateway>, request: Request) -> Response {
    let hub = gateway.hub.clone();
    let answer = async move |body: Bytes| {
        let served = Served { connections: Some(hub.as_ref()), ..Served::default() };
        served.answer(&body).await
    };
    serve(&gateway, request, answer).await
}

async fn serve<F>(gateway: &Gateway, request: Request, answer: impl FnOnce(Bytes) -> F) -> Response
where
    F: Future<Output = Vec<u8>> + Send + 'static,
{
    if request.method() != Method::POST {
        return method_not_allowed(request.method().clone()).await;
    }
    if let Err(refused) = insider(gateway, request.headers()).await {
        return *refused;
    }
    let Ok(body) = to_bytes(request.into_body(), BODY_LIMIT).await else {
        let message = format!("a call has at most {BODY_LIMIT} bytes");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
    };
    // A task of its own: a caller that hangs up does not break a call off in the middle.
    match tokio::spawn(answer(body)).await {
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
