//! `supernoba bench`: what the exchange does on this machine, each figure a line of JSON.
//!
//! Figures: the core's time a command, natively and as WebAssembly in the same run; orders a second through the front
//! door of an exchange that this program starts in a process of its own; and the time from `POST /orders` to the
//! notification of the fill on the user's WebSocket. The load comes from this process, on the same machine, and costs what
//! it costs.

use crate::client::Client;
use anyhow::{Context, bail, ensure};
use clap::Args;
use engine_core::command::Command;
use engine_core::event::Event;
use engine_core::flow::{GOLDEN_HEADER, parse_golden};
use engine_core::market::Market;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Enough cash for every order of a run, and still a number that a request may hold.
const CASH: u64 = 1 << 52;
const STOCK: u64 = 1 << 40;
/// The first millisecond of the core's flow; each command comes one later.
const START: u64 = 1_765_894_800_000;

#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Golden command file that the core runs
    #[arg(long, default_value = "engine-core/tests/golden/own.csv.gz")]
    pub flow: PathBuf,
    /// The core as a WebAssembly module (`cargo xtask bench` builds it); without it only the native core is measured
    #[arg(long)]
    pub core_wasm: Option<PathBuf>,
    /// Folder of the function components
    #[arg(long, default_value = "target/components")]
    pub components: PathBuf,
    /// Orders of one round under full load
    #[arg(long, default_value_t = 20_000)]
    pub orders: usize,
    /// Clients that send side by side, each waiting for its answer before it sends again
    #[arg(long, default_value_t = 48)]
    pub clients: usize,
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    core(&options)?;
    let exchange = Started::start(&options.components).await?;
    let outcome = end_to_end(&options, &exchange).await;
    exchange.stop().await?;
    outcome
}

/// Prints a figure: the median with the range around it.
fn figure(name: &str, unit: &str, values: &[f64]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return };
    let median = sorted[sorted.len() / 2];
    println!("{}", json!({"name": name, "unit": unit, "median": median, "min": min, "max": max}));
}

fn core(options: &Options) -> anyhow::Result<()> {
    let text = read(&options.flow)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty() && line.trim_end() != GOLDEN_HEADER);
    let commands = lines.map(parse_golden).collect::<Result<Vec<_>, _>>()?;
    ensure!(!commands.is_empty(), "{} holds no commands", options.flow.display());
    let count = commands.len();
    // A short flow is run often enough that a round takes some milliseconds.
    let repeats = (400_000 / count).max(1);
    let module =
        options.core_wasm.as_deref().map(|path| WasmCore::load(path, text.as_bytes(), count)).transpose()?;
    let Some(mut module) = module else {
        let times: Vec<f64> = (0..15)
            .map(|_| {
                time(repeats * count, || {
                    std::hint::black_box(native(&commands, repeats));
                })
            })
            .collect();
        figure("core, native", "ns/command", &times);
        return Ok(());
    };
    let (mut here, mut there, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..15 {
        let mut fills = (0, 0);
        let a = time(repeats * count, || fills.0 = native(&commands, repeats));
        let mut outcome = Ok(0);
        let b = time(repeats * count, || outcome = module.run(repeats));
        fills.1 = outcome?;
        ensure!(
            fills.0 == fills.1,
            "the native core makes {} fills, the WebAssembly one {}",
            fills.0,
            fills.1
        );
        here.push(a);
        there.push(b);
        ratios.push(b / a);
    }
    figure("core, native", "ns/command", &here);
    figure("core, WebAssembly in wasmtime", "ns/command", &there);
    figure("core, WebAssembly / native", "ratio", &ratios);
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?;
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Nanoseconds a command.
fn time(commands: usize, run: impl FnOnce()) -> f64 {
    let started = Instant::now();
    run();
    started.elapsed().as_nanos() as f64 / commands as f64
}

fn native(commands: &[Command], repeats: usize) -> u64 {
    let mut all = 0;
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    for _ in 0..repeats {
        let mut market = Market::default();
        for (time, command) in (START..).zip(commands) {
            events.clear();
            market.apply(time, std::hint::black_box(command), &mut events);
            all += events.iter().filter(|event| matches!(event, Event::Filled(_))).count() as u64;
        }
    }
    all
}

/// The core in an instance of its own, with the flow loaded.
struct WasmCore {
    store: wasmtime::Store<()>,
    run: wasmtime::TypedFunc<(), u64>,
}

impl WasmCore {
    fn load(path: &Path, flow: &[u8], count: usize) -> anyhow::Result<WasmCore> {
        let wasm = |error: wasmtime::Error| anyhow::anyhow!("{}: {error:#}", path.display());
        let engine = wasmtime::Engine::default();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(wasm)?;
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).map_err(wasm)?;
        let room = instance.get_typed_func::<u32, u32>(&mut store, "room").map_err(wasm)?;
        let load = instance.get_typed_func::<(), u32>(&mut store, "load").map_err(wasm)?;
        let run = instance.get_typed_func::<(), u64>(&mut store, "run").map_err(wasm)?;
        let memory = instance.get_memory(&mut store, "memory").context("the module exports no memory")?;
        let at = room.call(&mut store, u32::try_from(flow.len())?).map_err(wasm)?;
        memory.write(&mut store, at as usize, flow)?;
        let loaded = load.call(&mut store, ()).map_err(wasm)?;
        ensure!(loaded as usize == count, "the module has read {loaded} of {count} commands");
        Ok(WasmCore { store, run })
    }

    fn run(&mut self, repeats: usize) -> anyhow::Result<u64> {
        let mut fills = 0;
        for _ in 0..repeats {
            fills += self.run.call(&mut self.store, ()).map_err(|error| anyhow::anyhow!("{error:#}"))?;
        }
        Ok(fills)
    }
}

/// An exchange in a process and a folder of its own.
struct Started {
    process: tokio::process::Child,
    folder: PathBuf,
    url: String,
    address: String,
}

impl Started {
    async fn start(components: &Path) -> anyhow::Result<Started> {
        let folder = std::env::temp_dir().join(format!("supernoba-bench-{}", std::process::id()));
        let mut process = tokio::process::Command::new(std::env::current_exe()?)
            .args(["up", "--port", "0", "--symbols", "BENCH", "--web", "web/dist", "--data"])
            .arg(&folder)
            .arg("--components")
            .arg(components)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("the exchange has no output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, url)) = line.split_once("trading on ") {
                let url = url.trim().to_string();
                let address = url.trim_start_matches("http://").to_string();
                // What it prints later must find a reader.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Started { process, folder, url, address });
            }
        }
        bail!("the exchange did not start")
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        std::fs::remove_dir_all(&self.folder).context("the bench's folder stays")
    }
}

/// When each order was sent, and how long its fill took to come back.
#[derive(Default)]
struct Times {
    sent: HashMap<String, Instant>,
    /// Notifications that came before the answer to the request.
    early: HashMap<String, Instant>,
    fill_ms: Vec<f64>,
}

async fn end_to_end(options: &Options, exchange: &Started) -> anyhow::Result<()> {
    let client = Client::new(&exchange.url)?;
    let administrator = client.administrator(&exchange.folder.join("admin.token"))?;
    let clients = options.clients.max(2);
    for n in 0..clients {
        for (asset, amount) in [("CASH", CASH), ("BENCH", STOCK)] {
            let user = format!("test-bench-{n}");
            let body = json!({"id": format!("bench/{n}/{asset}"), "user_id": user, "asset": asset, "amount": amount});
            let answer = administrator.post("/admin/deposits", body).await?;
            ensure!(answer.is_ok(), "no balance for the bench: {}", answer.body);
        }
    }
    let times: Arc<Mutex<Times>> = Arc::default();
    for n in 0..clients {
        listen(client.test_user(&format!("bench-{n}")).socket_url(), times.clone()).await?;
    }
    let (mut rates, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms everything up.
    for round in 0..=options.rounds {
        let outcome = one_round(exchange, &times, clients, options.orders, None).await?;
        if round > 0 {
            rates.push(outcome.rate);
            p50.push(outcome.p50);
            p99.push(outcome.p99);
        }
    }
    figure("orders end to end, full load", "orders/s", &rates);
    figure("POST to fill notification, full load, p50", "ms", &p50);
    figure("POST to fill notification, full load, p99", "ms", &p99);
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let outcome = one_round(exchange, &times, clients, 3000, Some(1000.0)).await?;
        p50.push(outcome.p50);
        p99.push(outcome.p99);
    }
    figure("POST to fill notification, 1000 orders/s, p50", "ms", &p50);
    figure("POST to fill notification, 1000 orders/s, p99", "ms", &p99);

    let verified = administrator.get("/admin/verify").await?;
    ensure!(verified.body["balanced"] == Value::Bool(true), "the wallets do not balance: {}", verified.body);
    Ok(())
}

/// Takes a user's notifications: the fill of an order ends its time.
async fn listen(url: String, times: Arc<Mutex<Times>>) -> anyhow::Result<()> {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let now = Instant::now();
            let Ok(text) = message.into_text() else { continue };
            // Most messages are not waited for, and need not be read.
            if !text.contains("\"FILLED\"") {
                continue;
            }
            let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
            if message["e"] == "order" && message["st"] == "FILLED" {
                let id = message["id"].as_str().unwrap_or_default().to_string();
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                match times.sent.remove(&id) {
                    Some(sent) => times.fill_ms.push((now - sent).as_secs_f64() * 1e3),
                    // The message may come twice: the first one counts.
                    None => {
                        times.early.entry(id).or_insert(now);
                    }
                }
            }
        }
    });
    Ok(())
}

struct Outcome {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Half of the clients rest sell orders, the others buy them. Only takers' times count: a maker waits for its taker.
async fn one_round(
    exchange: &Started,
    times: &Arc<Mutex<Times>>,
    clients: usize,
    orders: usize,
    rate: Option<f64>,
) -> anyhow::Result<Outcome> {
    {
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        *times = Times::default();
    }
    let each = orders / clients;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..clients {
        let (address, times) = (exchange.address.clone(), times.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            for k in 0..each {
                if let Some(rate) = rate {
                    let due = Duration::from_secs_f64((k * clients + n) as f64 / rate);
                    tokio::time::sleep_until((started + due).into()).await;
                }
                // Makers and takers in turn, so that nearly every taker finds its maker.
                let taker = (n + k) % 2 == 1;
                let side = if taker { "BUY" } else { "SELL" };
                let body = format!(r#"{{"symbol":"BENCH","side":"{side}","price":1000,"quantity":10}}"#);
                let sent = Instant::now();
                let id = connection.place(&address, n, &body).await?;
                if taker {
                    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                    match times.early.remove(&id) {
                        Some(told) => {
                            times.fill_ms.push(told.saturating_duration_since(sent).as_secs_f64() * 1e3)
                        }
                        None => drop(times.sent.insert(id, sent)),
                    }
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let seconds = started.elapsed().as_secs_f64();
    // The last fills are still on their way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sorted = std::mem::take(&mut times.fill_ms);
    sorted.sort_by(f64::total_cmp);
    ensure!(sorted.len() > orders / 4, "only {} of {orders} orders were filled and told of", sorted.len());
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    Ok(Outcome { rate: (each * clients) as f64 / seconds, p50: at(0.5), p99: at(0.99) })
}

/// HTTP with as little work as it can be had for, so that the load generator leaves the machine to the exchange.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Places an order and answers its id.
    async fn place(&mut self, address: &str, user: usize, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "POST /orders?userId=test-bench-{user}&testMode=true HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the exchange hung up");
            let text = std::str::from_utf8(&self.buffer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("an answer without a length")?.parse()?;
            if body.len() < length {
                continue;
            }
            ensure!(head.starts_with("HTTP/1.1 202"), "an order was refused: {body}");
            let (_, rest) = body.split_once(r#""order_id":""#).context("an answer without an id")?;
            return Ok(rest.split('"').next().unwrap_or_default().to_string());
        }
    }
}
