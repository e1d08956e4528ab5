//! Serves an application over HTTP/1.1.

use super::{Application, HttpRequest};
use bytes::Bytes;
use edge_fns::http::Refusal;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// The largest body of a request.
const BODY: usize = 16 << 20;
/// A client that has not said its headers by then is not waited for.
const HEADERS: Duration = Duration::from_secs(10);

/// Answers requests for as long as it is polled.
pub async fn serve(application: Application, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                // Out of descriptors, most likely: some will be free in a moment.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let application = application.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&application, request, client));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, %client, "a connection broke off");
            }
        });
    }
}

async fn answer(
    application: &Application,
    request: Request<Incoming>,
    client: SocketAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(refuse(Refusal::new(
                413,
                "body_too_large",
                format!("a body has at most {BODY} bytes"),
            )));
        }
        Err(_) => return Ok(refuse(Refusal::bad("body_incomplete", "the body broke off"))),
    };
    let request: HttpRequest = Request::from_parts(parts, body);
    Ok(match application.handle(request, Some(client)).await {
        Ok(response) => response.map(Full::new),
        Err(error) => {
            tracing::error!(code = error.code(), %error, "a request failed");
            let status = match error.code() {
                "no_such_handler" => 404,
                "timeout" => 504,
                "unavailable" => 503,
                _ => 500,
            };
            refuse(Refusal::new(status, error.code(), "the component did not answer this request"))
        }
    })
}

fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    let answer = edge_fns::http::Response::from(refusal);
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
