//! Requests: to the functions by route, and to the hubs.

use crate::Capabilities;
use crate::connections::{Hubs, new_id};
use crate::hub::SHOWN;
use crate::platform;
use edge_fns::capability::base::Level;
use edge_fns::http::{self, BODY_LIMIT, Refusal};
use edge_fns::{auth, dispatch, routes};
use web_sys::Request;
use worker::{Env, Headers, Method, Response, ResponseBody, Result, Url};

/// The largest message to a connection.
const MAX_MESSAGE: usize = 128 << 10;

pub async fn answer(request: Request, env: Env) -> Result<Response> {
    match route(request, &env).await {
        Ok(response) => Ok(response),
        Err(error) => {
            platform::log(Level::Error, "a request failed", &[("error", &error.to_string())]);
            refuse(Refusal::new(500, "internal", "something went wrong here; it was logged"))
        }
    }
}

async fn route(request: Request, env: &Env) -> Result<Response> {
    let url = Url::parse(&request.url())?;
    let path = url.path();
    match path.split('/').nth(1).unwrap_or_default() {
        "ws" if path == "/ws" => connect(request, env).await,
        "@connections" => manage(request, &url, env).await,
        // Of tests: whether a Worker that panicked takes its next request.
        "@panic" if platform::setting(env, "ALLOW_PANIC").as_deref() == Some("true") => {
            panic!("as it was asked to")
        }
        _ => match routes::http(&request.method(), path) {
            Some(name) => function(name, request, &url, env).await,
            None => refuse(Refusal::not_found()),
        },
    }
}

async fn function(name: &str, request: Request, url: &Url, env: &Env) -> Result<Response> {
    let request = match read(request, url, BODY_LIMIT).await? {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let own = Capabilities::of(env).await?;
    let answer = dispatch::http(own.ports(), name, request).await;
    respond(answer.unwrap_or_else(|| Refusal::not_found().into()))
}

/// A WebSocket handshake goes to a hub as it came, with the id that the connection will have.
async fn connect(request: Request, env: &Env) -> Result<Response> {
    let upgrade = request.headers().get("upgrade")?.unwrap_or_default();
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return refuse(Refusal::new(426, "upgrade_required", "this is a WebSocket endpoint"));
    }
    let id = new_id(env);
    let mut request = worker::Request::from(request).clone_mut()?;
    request.headers_mut()?.set("x-connection-id", &id)?;
    match Hubs::of(env).stub(&id) {
        Some(hub) => hub?.fetch_with_request(request).await,
        None => refuse(Refusal::new(503, "unavailable", "cannot connect now")),
    }
}

/// `/@connections/{id}` as API Gateway's management API has it, for administrators: this is where the engine's notifier
/// and the streamer push to.
async fn manage(request: Request, url: &Url, env: &Env) -> Result<Response> {
    let request = match read(request, url, MAX_MESSAGE).await? {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let Capabilities { base, gateway, connections } = Capabilities::of(env).await?;
    if let Err(refusal) = auth::administrator(base.as_ref(), &gateway, &request).await {
        return refuse(refusal);
    }
    let segments = request.segments();
    let [_, id] = segments.as_slice() else { return refuse(gone()) };
    use edge_fns::capability::connections::{Delivery, Push};
    let done = match request.method.as_str() {
        "POST" => {
            let push = Push { to: vec![id.clone()], body: request.body };
            let answers = connections.post(vec![push]).await;
            answers.and_then(|answers| answers.into_iter().flatten().next().transpose()).map(|delivery| {
                match delivery {
                    Some(Delivery::Sent) => Ok(200),
                    _ => Err(gone()),
                }
            })
        }
        "GET" => return shown(id, env).await,
        "DELETE" => {
            let there = connections.probe(vec![id.clone()]).await;
            match there.and_then(|answers| answers.into_iter().next().transpose()) {
                Ok(Some(true)) => connections.close(id).await.map(|()| Ok(204)),
                Ok(_) => Ok(Err(gone())),
                Err(error) => Err(error),
            }
        }
        method => Ok(Err(Refusal::method_not_allowed(method))),
    };
    match done {
        Ok(Ok(status)) => Ok(Response::empty()?.with_status(status)),
        Ok(Err(refusal)) => refuse(refusal),
        Err(error) => refuse(error.into()),
    }
}

/// When a connection came, and from where: its hub knows.
async fn shown(id: &str, env: &Env) -> Result<Response> {
    let Some(hub) = Hubs::of(env).stub(id) else { return refuse(gone()) };
    let mut request = worker::Request::new(&format!("https://hub{SHOWN}"), Method::Get)?;
    request.headers_mut()?.set("x-connection-id", id)?;
    hub?.fetch_with_request(request).await
}

pub fn gone() -> Refusal {
    Refusal::new(410, "gone", "there is no such connection any more")
}

/// The request as functions take it, or the refusal of one whose body is too large. Read of the platform's own request:
/// the crate's asks for more than is needed here when it is made.
async fn read(
    request: Request,
    url: &Url,
    limit: usize,
) -> Result<core::result::Result<http::Request, Refusal>> {
    let too_large =
        || Ok(Err(Refusal::new(413, "body_too_large", format!("a body has at most {limit} bytes"))));
    let headers: Vec<(String, String)> = Headers(request.headers()).entries().collect();
    let announced = headers.iter().find(|(name, _)| name == "content-length");
    if announced.is_some_and(|(_, length)| length.parse::<usize>().is_ok_and(|length| length > limit)) {
        return too_large();
    }
    let method = request.method();
    let body = match method.as_str() {
        "GET" | "HEAD" => Vec::new(),
        _ => platform::bytes(request.array_buffer()).await?,
    };
    if body.len() > limit {
        return too_large();
    }
    Ok(Ok(http::Request {
        method,
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        body,
    }))
}

pub fn refuse(refusal: Refusal) -> Result<Response> {
    respond(refusal.into())
}

pub fn respond(answer: http::Response) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.append(name, value)?;
    }
    headers.set("x-content-type-options", "nosniff")?;
    let response = Response::from_body(ResponseBody::Body(answer.body))?;
    Ok(response.with_status(answer.status).with_headers(headers))
}
