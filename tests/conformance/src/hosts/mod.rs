//! The hosts: each brings an event to a function as its platform does, and its answer back.
//!
//! Another host is a file here that implements [`Host`], and a line in [`start`].

mod component;
mod invoke;
mod lambda;
mod native;
mod spin;
mod workerd;

use crate::backend::Scripted;
use crate::case::Case;
use crate::expected::Answer;
use anyhow::Result;
use async_trait::async_trait;
use edge_fns::remote::BODY_LIMIT;
use edge_host::{Item, Request, Response, SocketEvent, Timer};
use reqwest::{Client, Method};
use std::path::Path;
use std::sync::Arc;

/// An event, as a function is given it.
#[derive(Clone, Debug)]
pub enum Given {
    Http(Request),
    Socket { connection: String, event: SocketEvent },
    Stream(Vec<Item>),
    Timer(Timer),
}

impl Given {
    pub fn items(&self) -> &[Item] {
        if let Given::Stream(items) = self { items } else { &[] }
    }
}

/// A connection's name in the case, and the one that the platform gave it.
#[derive(Clone, Debug)]
pub struct Renamed {
    pub case: String,
    pub host: String,
}

#[async_trait]
pub trait Host: Send {
    fn name(&self) -> &'static str;
    fn backend(&self) -> &Arc<Scripted>;

    /// Why this case cannot be put here at all.
    fn cannot(&self, _case: &Case) -> Option<String> {
        None
    }

    /// Brings itself to where the case begins; nothing is recorded meanwhile. Tells how it named the case's connection.
    async fn prepare(&mut self, _case: &Case) -> Result<Option<Renamed>> {
        Ok(None)
    }

    /// Hands the event over and waits for the end of all that it caused. `calls` is how many calls it makes elsewhere, for
    /// hosts that do not tell when they are done.
    async fn give(&mut self, handler: &str, event: &Given, calls: usize) -> Result<Answer>;

    /// How it named the connection of the last event.
    fn renamed(&self) -> Option<Renamed> {
        None
    }
}

/// The one that all others are compared with: the functions themselves.
pub fn native() -> Box<dyn Host> {
    Box::new(native::Native::default())
}

/// Every other host, ready to take events.
pub async fn start(root: &Path) -> Result<Vec<Box<dyn Host>>> {
    let (lambda, spin, workerd) =
        tokio::join!(lambda::Lambda::start(root), spin::Spin::start(root), workerd::start(root));
    let (worker, components) = workerd?;
    Ok(vec![
        Box::new(component::Components::load(root)?),
        Box::new(lambda?),
        Box::new(spin?),
        Box::new(worker),
        Box::new(components),
    ])
}

/// Serves a host's capabilities on loopback, for as long as this program runs; answers the URL.
async fn serve(backend: Arc<Scripted>) -> Result<String> {
    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::{DefaultBodyLimit, State};
    use axum::routing::post;
    async fn answer(State(backend): State<Arc<Scripted>>, body: Bytes) -> Vec<u8> {
        backend.answer(&body).await
    }
    let router = Router::new()
        .route("/capabilities", post(answer))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(backend);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/capabilities", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// One request at a host's route.
async fn request(client: &Client, base: &str, request: &Request) -> Result<Response> {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let method: Method = request.method.parse()?;
    let mut sent = client.request(method, format!("{base}{}{query}", request.path));
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    if !request.body.is_empty() {
        sent = sent.body(request.body.clone());
    }
    let answer = sent.send().await?;
    let headers = (answer.headers().iter())
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(Response { status: answer.status().as_u16(), headers, body: answer.bytes().await?.to_vec() })
}
