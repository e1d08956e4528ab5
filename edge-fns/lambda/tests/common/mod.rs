//! A Lambda in small: the runtime API that AWS describes, a capability server over memory, and the bootstrap between them.
#![allow(dead_code)] // Each test file uses a part of this.

pub mod mapping;
pub mod trapping;

use axum::body::Bytes;
use axum::extract::{Path as Param, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge_fns::testing::Memory;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// No answer of a test takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "capability-token";

/// What the archive holds, if `cargo xtask lambda` built it.
pub fn archive() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/aws-lambda/files");
    let there = folder.join("functions.json").exists();
    if !there {
        let missing = format!("{} is not built; `cargo xtask lambda` builds it", folder.display());
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{missing}");
        println!("skipped: {missing}");
    }
    there.then_some(folder)
}

pub fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/events/{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

/// How an invocation ended.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Answer(Value),
    /// The `errorType` of the header and the body, which are equal, and the message.
    Error(String, String),
}

impl Outcome {
    #[track_caller]
    pub fn answer(self) -> Value {
        match self {
            Outcome::Answer(answer) => answer,
            error => panic!("{error:?}"),
        }
    }
}

struct Invocation {
    event: Value,
    deadline_ms: u64,
    done: oneshot::Sender<Outcome>,
}

/// `/2018-06-01/runtime`, as the bootstrap sees it. Several processes may ask it for events, as Lambda has them.
pub struct RuntimeApi {
    pub address: String,
    invoker: Invoker,
    running: Running,
    polled: mpsc::UnboundedReceiver<Instant>,
    init_errors: mpsc::UnboundedReceiver<Outcome>,
    server: JoinHandle<()>,
}

/// Invocations that a process has and has not answered yet.
type Running = Arc<Mutex<BTreeMap<String, oneshot::Sender<Outcome>>>>;

/// Hands events to whichever process asks for one.
#[derive(Clone)]
pub struct Invoker(mpsc::UnboundedSender<Invocation>);

impl Invoker {
    /// Hands an event over and waits for how it ends.
    pub async fn invoke_within(&self, event: Value, time: Duration) -> Outcome {
        let (done, ended) = oneshot::channel();
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        let deadline_ms = deadline.as_millis() as u64;
        assert!(self.0.send(Invocation { event, deadline_ms, done }).is_ok(), "the runtime API is there");
        timeout(PATIENCE, ended).await.expect("the bootstrap answers").expect("the bootstrap lives")
    }
}

#[derive(Clone)]
struct Api {
    waiting: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    running: Running,
    polled: mpsc::UnboundedSender<Instant>,
    init_errors: mpsc::UnboundedSender<Outcome>,
}

impl RuntimeApi {
    pub async fn start() -> RuntimeApi {
        let (next, waiting) = mpsc::unbounded_channel();
        let (polls, polled) = mpsc::unbounded_channel();
        let (told, init_errors) = mpsc::unbounded_channel();
        let running = Running::default();
        let api = Api {
            waiting: Arc::new(tokio::sync::Mutex::new(waiting)),
            running: running.clone(),
            polled: polls,
            init_errors: told,
        };
        let runtime = Router::new()
            .route("/invocation/next", get(poll))
            .route("/invocation/{id}/response", post(respond))
            .route("/invocation/{id}/error", post(fail))
            .route("/init/error", post(init_error))
            .with_state(api);
        let (address, server) = serve(Router::new().nest("/2018-06-01/runtime", runtime)).await;
        RuntimeApi { address, invoker: Invoker(next), running, polled, init_errors, server }
    }

    /// Hands an event over and waits for how it ends.
    pub async fn invoke_within(&self, event: Value, time: Duration) -> Outcome {
        self.invoker.invoke_within(event, time).await
    }

    /// Ends what a process had that is no more, as Lambda does.
    fn lose_running(&self) {
        let lost = std::mem::take(&mut *self.running.lock().unwrap());
        for done in lost.into_values() {
            let _ = done.send(Outcome::Error("Runtime.ExitError".into(), "the process ended".into()));
        }
    }

    /// When the bootstrap first asked for an event.
    pub async fn first_poll(&mut self) -> Instant {
        timeout(PATIENCE, self.polled.recv()).await.expect("the bootstrap polls").unwrap()
    }

    pub async fn init_error(&mut self) -> Outcome {
        timeout(PATIENCE, self.init_errors.recv()).await.expect("the bootstrap gives up").unwrap()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn poll(State(api): State<Api>) -> Response {
    let _ = api.polled.send(Instant::now());
    let Some(Invocation { event, deadline_ms, done }) = api.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let id = format!("8476a536-e9f4-11e8-9739-{:012}", NUMBER.fetch_add(1, Relaxed));
    api.running.lock().unwrap().insert(id.clone(), done);
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ap-northeast-2:123456789012:function:f".into(),
        ),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into()),
    ];
    (headers, Json(event)).into_response()
}

async fn respond(State(api): State<Api>, Param(id): Param<String>, body: Bytes) -> StatusCode {
    end(&api, &id, Outcome::Answer(serde_json::from_slice(&body).expect("an answer is JSON")))
}

async fn fail(
    State(api): State<Api>,
    Param(id): Param<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    end(&api, &id, error(&headers, &body))
}

fn end(api: &Api, id: &str, outcome: Outcome) -> StatusCode {
    match api.running.lock().unwrap().remove(id) {
        Some(done) => {
            let _ = done.send(outcome);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}

async fn init_error(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let _ = api.init_errors.send(error(&headers, &body));
    StatusCode::ACCEPTED
}

fn error(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let body: Value = serde_json::from_slice(body).expect("an error is JSON");
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let header = headers.get("lambda-runtime-function-error-type").map(|value| value.to_str().unwrap());
    if let Some(header) = header.filter(|header| header.starts_with("Supernoba.")) {
        assert_eq!(header, text("errorType"));
    }
    Outcome::Error(text("errorType"), text("errorMessage"))
}

/// Serves the capabilities of a [`Memory`].
pub struct Server {
    pub memory: Arc<Memory>,
    url: String,
    server: JoinHandle<()>,
    /// What is done before each call is answered.
    before: Arc<Mutex<Before>>,
}

/// Looks at a call before it is answered: `Some` answers in the server's place, after waiting.
type Before = Box<dyn FnMut(&str) -> Option<(Duration, StatusCode)> + Send>;

impl Server {
    pub async fn start(memory: Memory) -> Server {
        let memory = Arc::new(memory);
        let before: Arc<Mutex<Before>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let router = Router::new()
            .route("/capabilities", post(capability))
            .with_state((memory.clone(), before.clone()));
        let (address, server) = serve(router).await;
        Server { memory, url: format!("http://{address}/capabilities"), server, before }
    }

    pub fn before(&self, look: impl FnMut(&str) -> Option<(Duration, StatusCode)> + Send + 'static) {
        *self.before.lock().unwrap() = Box::new(look);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Serving = (Arc<Memory>, Arc<Mutex<Before>>);

async fn capability(State((memory, before)): State<Serving>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let instead = (before.lock().unwrap())(std::str::from_utf8(&body).unwrap());
    if let Some((pause, status)) = instead {
        tokio::time::sleep(pause).await;
        if status != StatusCode::OK {
            return status.into_response();
        }
    }
    memory.served().answer(&body).await.into_response()
}

async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (address, server)
}

/// A running bootstrap with what is around it.
pub struct Lambda {
    pub api: RuntimeApi,
    pub server: Server,
    pub started: Instant,
    command: Command,
    processes: Vec<Child>,
}

impl Lambda {
    /// The function over this memory; `None` where nothing is built.
    pub async fn start(handler: &str, memory: Memory, variables: &[(&str, &str)]) -> Option<Lambda> {
        Some(Lambda::of(&archive()?, env!("CARGO_BIN_EXE_bootstrap"), handler, memory, variables).await)
    }

    /// Another archive, or another bootstrap.
    pub async fn of(
        archive: &Path,
        bootstrap: impl AsRef<Path>,
        handler: &str,
        memory: Memory,
        variables: &[(&str, &str)],
    ) -> Lambda {
        let api = RuntimeApi::start().await;
        let server = Server::start(memory).await;
        let mut command = Command::new(bootstrap.as_ref());
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", handler)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("AWS_REGION", "ap-northeast-2")
            .env("LAMBDA_TASK_ROOT", archive)
            .env("_HANDLER", handler)
            .env("CAPABILITIES_URL", &server.url)
            .env("CAPABILITIES_TOKEN", TOKEN)
            .env("CAPABILITIES_SESSION", "server")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let process = command.spawn().unwrap();
        Lambda { api, server, started, command, processes: vec![process] }
    }

    pub async fn invoke(&self, event: Value) -> Outcome {
        self.api.invoke_within(event, Duration::from_secs(20)).await
    }

    pub fn invoker(&self) -> Invoker {
        self.api.invoker.clone()
    }

    /// So many processes in all, each with one event at a time.
    pub fn scale(&mut self, processes: usize) {
        while self.processes.len() < processes {
            self.processes.push(self.command.spawn().unwrap());
        }
    }

    /// The processes end at once, whatever they are doing, and another one is there.
    pub async fn kill(&mut self) {
        for mut process in std::mem::take(&mut self.processes) {
            process.kill().await.unwrap();
        }
        self.api.lose_running();
        self.scale(1);
    }

    /// How the process ends by itself.
    pub async fn exit(&mut self) -> std::process::ExitStatus {
        timeout(PATIENCE, self.processes[0].wait()).await.expect("the bootstrap ends").unwrap()
    }
}
