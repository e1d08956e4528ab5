//! REST requests to the functions of their routes.

use crate::platform::{self, setting};
use crate::{Capabilities, invoke};
use edge_fns::capability::Result;
use edge_fns::capability::base::Level;
use edge_fns::http::{BODY_LIMIT, Refusal, Response};
use edge_fns::{dispatch, routes};
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use spin_sdk::http::Request;

/// Every request has an answer: one that fails is logged, and its client learns no more than that.
pub async fn answer(request: Request) -> Response {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default().to_owned();
    let limit = if first == "@invoke" { invoke::BODY_LIMIT } else { BODY_LIMIT };
    let request = match read(request, limit).await {
        Ok(request) => request,
        Err(refusal) => return refusal.into(),
    };
    let answer = match first.as_str() {
        "@invoke" => invoke::answer(request).await,
        // Of tests: what becomes of a request that panics.
        "@panic" if allows_panic().await => panic!("as it was asked to"),
        _ => function(request).await,
    };
    answer.unwrap_or_else(|error| {
        platform::log(Level::Error, "a request failed", &[("error", &error.to_string())]);
        Refusal::from(error).into()
    })
}

async fn function(request: edge_fns::http::Request) -> Result<Response> {
    let Some(name) = routes::http(&request.method, &request.path) else {
        return Ok(Refusal::not_found().into());
    };
    let own = Capabilities::connect().await?;
    let answer = dispatch::http(own.ports(), name, request).await;
    Ok(answer.unwrap_or_else(|| Refusal::not_found().into()))
}

/// The request as functions take it, or the refusal of one whose body is too large.
async fn read(request: Request, limit: usize) -> core::result::Result<edge_fns::http::Request, Refusal> {
    let too_large = || Refusal::new(413, "body_too_large", format!("a body has at most {limit} bytes"));
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_large()
        } else {
            Refusal::bad("body_incomplete", "the body broke off")
        }
    })?;
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(edge_fns::http::Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.to_bytes().into(),
    })
}

async fn allows_panic() -> bool {
    matches!(setting("allow_panic").await, Ok(Some(allowed)) if allowed == "true")
}
