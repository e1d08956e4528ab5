//! Applications to test, requests to them, and servers that they ask.
#![allow(dead_code)] // Each test file uses a part of this.

use bytes::Bytes;
use edge_fns::testing::Memory;
use edge_host::Limits;
use edge_host::spin::{Application, HttpResponse, Log};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// The manifest of this folder, if `cargo xtask` built its component.
pub fn built(folder: &str, component: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let component = root.join("target/spin").join(component);
    if component.exists() {
        return Some(root.join(folder).join("spin.toml"));
    }
    let missing = format!("{} is not there; `cargo xtask test` builds it", component.display());
    assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{missing}");
    println!("skipped: {missing}");
    None
}

/// Lines that components wrote.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn log(&self) -> Log {
        let lines = self.0.clone();
        Arc::new(move |component, line| lines.lock().unwrap().push(format!("{component}: {line}")))
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub fn load(manifest: &Path, variables: &[(&str, &str)], limits: Limits, log: Log) -> Application {
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Application::load(manifest, &variables, limits, log).unwrap()
}

/// Limits that no test waits long for.
pub fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(30),
        cpu: Duration::from_secs(2),
        memory_bytes: 16 << 20,
        output_bytes: 1 << 20,
        host_calls: 100,
        ..Limits::default()
    }
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> http::Request<Bytes> {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "exchange.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// Status and text of an answer.
pub fn told(response: HttpResponse) -> (u16, String) {
    (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Answers every POST with what `answer` makes of its body, on loopback; gives its origin.
pub async fn serve<F>(answer: impl Fn(String, Bytes) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = (u16, Vec<u8>)> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let answer = answer.clone();
                    async move {
                        let (parts, body) = request.into_parts();
                        let authorization = parts.headers.get("authorization");
                        let said = authorization.map(|value| value.to_str().unwrap().to_owned());
                        let body = body.collect().await?.to_bytes();
                        let (status, body) = answer(said.unwrap_or_default(), body).await;
                        let mut response = Response::new(Full::new(Bytes::from(body)));
                        *response.status_mut() = status.try_into().unwrap();
                        Ok::<_, hyper::Error>(response)
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    origin
}

/// The exchange's capability server with everything in memory.
pub async fn capability_server(memory: Arc<Memory>, token: &'static str) -> String {
    serve(move |authorization, body| {
        let memory = memory.clone();
        async move {
            if authorization != format!("Bearer {token}") {
                return (401, Vec::new());
            }
            (200, memory.served().answer(&body).await)
        }
    })
    .await
}
