//! A recorded flow through the front door of a running exchange.
//!
//! The file is a golden command file, a LOBSTER message file or a recorded run, by its content; `.gz` is unpacked. Each order is placed
//! by one of a few test users, whom the administrator gives what they need. Requests run side by side, but those about
//! one order keep their order: a cancel is sent when its order has been taken.

use crate::client::{Answer, Client, Order};
use anyhow::{Context, bail};
use clap::Args;
use engine_core::command::Command;
use engine_core::flow::LobsterKind;
use engine_core::flow::reader::{BadEntry, Entry, FlowReader};
use engine_core::flow::record::Block;
use engine_core::types::{OrderType, Side, TimeInForce};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

const USERS: u64 = 8;
/// What each user is given: more than any flow can lock.
const CASH: u64 = 1 << 52;
const STOCK: u64 = 1 << 40;

#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Golden command file, LOBSTER message file (.csv or .csv.gz) or recorded run
    pub file: PathBuf,
    /// The exchange
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Symbol to trade; listed if it is not
    #[arg(long, default_value = "REPLAY")]
    pub symbol: String,
    /// Requests a second; 0: as fast as answers come. A flow with times takes `1x`, `10x`, … of its own times too
    #[arg(long, default_value = "0")]
    pub speed: String,
    /// Requests under way at once; 1 keeps the file's order exactly
    #[arg(long, default_value_t = 64)]
    pub window: usize,
    /// Commands to send at most
    #[arg(long)]
    pub limit: Option<usize>,
    /// File of the administrator's token
    #[arg(long, default_value = "data/admin.token")]
    pub admin_token: PathBuf,
    /// Print no progress bar
    #[arg(long)]
    pub quiet: bool,
}

/// One thing to send.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Nanoseconds from the flow's start, where the flow has times.
    at_ns: u64,
    order: u64,
    action: Action,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Place {
        buy: bool,
        market: bool,
        tif: &'static str,
        price: u64,
        quantity: u64,
    },
    Cancel,
    Replace {
        price: u64,
        quantity: u64,
    },
    /// Take this much off the open quantity.
    Reduce {
        price: u64,
        by: u64,
    },
}

/// How fast to go.
enum Pace {
    Free,
    Every(Duration),
    /// Multiples of the flow's own time.
    Times(f64),
}

#[derive(Default)]
struct Tally {
    placed: u64,
    cancels: u64,
    replaces: u64,
    refused: BTreeMap<String, u64>,
    latencies_us: Vec<u64>,
}

/// Names of placed orders and their open quantity as far as the flow knows it.
type Placed = Arc<Mutex<HashMap<u64, (String, u64)>>>;

pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut steps = read(&options.file)?;
    steps.truncate(options.limit.unwrap_or(usize::MAX));
    let pace = parse_speed(&options.speed)?;
    let client = Client::new(&options.url)?;
    client.check().await?;
    prepare(&client, &options).await?;
    let fills_before = metric(&client, "supernoba_fills_total").await;

    let bar = if options.quiet { ProgressBar::hidden() } else { ProgressBar::new(steps.len() as u64) };
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} commands  {per_sec}  {eta} left")?);
    let started = Instant::now();
    let (tally, broken_off) =
        send_all(&client, &options.symbol, &steps, pace, options.window.max(1), &bar).await;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    if let Err(error) = broken_off {
        // Whatever was answered is told all the same: none of it may be lost.
        report(&tally, None, seconds);
        return Err(error.context("the exchange does not answer any more; the replay broke off"));
    }
    settle(&client).await;
    let fills = metric(&client, "supernoba_fills_total").await.saturating_sub(fills_before);
    report(&tally, Some(fills), seconds);
    Ok(())
}

/// The whole flow; what cannot be read ends it, with its line or block.
fn read(path: &Path) -> anyhow::Result<Vec<Step>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut file: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut flow = Reading::default();
    let mut reader = FlowReader::default();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut chunk).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        reader.push(&chunk[..read], &mut |number, entry| flow.take(number, entry));
    }
    reader.finish(&mut |number, entry| flow.take(number, entry));
    if let Some((number, bad)) = flow.bad {
        bail!("{}:{number}: {bad}", path.display());
    }
    if flow.steps.is_empty() {
        bail!("{} holds no commands", path.display());
    }
    Ok(flow.steps)
}

/// A flow on its way from a file.
#[derive(Default)]
struct Reading {
    steps: Vec<Step>,
    first_ns: Option<u64>,
    /// The first line or block that could not be read.
    bad: Option<(u64, BadEntry)>,
}

impl Reading {
    fn take(&mut self, number: u64, entry: Result<Entry, BadEntry>) {
        match entry {
            Err(bad) => {
                self.bad.get_or_insert((number, bad));
            }
            Ok(Entry::Golden(command)) => self.steps.extend(command_step(&command, 0)),
            Ok(Entry::Lobster(message)) => {
                let at_ns = self.since(message.time_ns);
                self.steps.extend(lobster_step(&message, at_ns, number));
            }
            // Where a record's market began with orders in it, commands about these are told as not in the flow.
            Ok(Entry::Block(Block::Commands(commands))) => {
                for timed in commands {
                    let at_ns = self.since(timed.time.saturating_mul(1_000_000));
                    self.steps.extend(command_step(&timed.command, at_ns));
                }
            }
            Ok(Entry::Block(Block::Begin { .. } | Block::End { .. })) => {}
        }
    }

    fn since(&mut self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(*self.first_ns.get_or_insert(time_ns))
    }
}

fn command_step(command: &Command, at_ns: u64) -> Option<Step> {
    let (order, action) = match command {
        Command::Add(new) => {
            let tif = match new.time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
                // The format of these flows has no others, and below no other commands.
                TimeInForce::Day | TimeInForce::Gtd(_) => return None,
            };
            let (buy, market) = (new.side == Side::Buy, new.order_type == OrderType::Market);
            (new.order, Action::Place { buy, market, tif, price: new.price, quantity: new.quantity })
        }
        Command::Cancel { order, .. } => (*order, Action::Cancel),
        Command::Replace(new) => (new.order, Action::Replace { price: new.price, quantity: new.quantity }),
        Command::MassCancel(_) | Command::SetPhase(_) | Command::Define(_) | Command::Tick => return None,
    };
    Some(Step { at_ns, order: order.0, action })
}

/// An execution becomes the order that must have caused it: an immediate one of the other side.
fn lobster_step(message: &engine_core::flow::LobsterMessage, at_ns: u64, line: u64) -> Option<Step> {
    let buy = message.side == Side::Buy;
    let (price, quantity) = (message.price, message.size);
    let (order, action) = match message.kind {
        LobsterKind::New => {
            (message.order.0, Action::Place { buy, market: false, tif: "GTC", price, quantity })
        }
        LobsterKind::PartialCancel => (message.order.0, Action::Reduce { price, by: quantity }),
        LobsterKind::Delete => (message.order.0, Action::Cancel),
        LobsterKind::Execution => {
            // A name of its own: the message's is the resting order's.
            let taker = u64::MAX - line;
            (taker, Action::Place { buy: !buy, market: false, tif: "IOC", price, quantity })
        }
        LobsterKind::HiddenExecution | LobsterKind::CrossTrade | LobsterKind::Halt => return None,
    };
    Some(Step { at_ns, order, action })
}

fn parse_speed(text: &str) -> anyhow::Result<Pace> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    match (text.strip_suffix('x').and_then(number), number(text)) {
        (Some(times), _) if times > 0.0 => Ok(Pace::Times(times)),
        (_, Some(0.0)) => Ok(Pace::Free),
        (_, Some(rate)) => Ok(Pace::Every(Duration::from_secs_f64(1.0 / rate))),
        _ => bail!(
            "{text:?} is no speed: 0, a number of requests a second, or 10x for ten times a flow's own time"
        ),
    }
}

/// Lists the symbol and gives the users what they trade with. Repeating it gives nothing more.
async fn prepare(client: &Client, options: &Options) -> anyhow::Result<()> {
    let administrator = client.administrator(&options.admin_token)?;
    expect(
        administrator.post("/admin", serde_json::json!({"symbol": options.symbol})).await?,
        "list the symbol",
    )?;
    for n in 0..USERS {
        let user = client.test_user(&format!("replay-{n}"));
        for (asset, amount) in [("CASH", CASH), (options.symbol.as_str(), STOCK)] {
            let id = format!("replay/{}/{asset}", user.user());
            let body =
                serde_json::json!({"id": id, "user_id": user.user(), "asset": asset, "amount": amount});
            expect(administrator.post("/admin/deposits", body).await?, "give a replay user its balance")?;
        }
    }
    Ok(())
}

fn expect(answer: Answer, what: &str) -> anyhow::Result<()> {
    if answer.is_ok() { Ok(()) } else { bail!("cannot {what}: {} {}", answer.status, answer.body) }
}

async fn send_all(
    client: &Client,
    symbol: &str,
    steps: &[Step],
    pace: Pace,
    window: usize,
    bar: &ProgressBar,
) -> (Tally, anyhow::Result<()>) {
    let tally: Arc<Mutex<Tally>> = Arc::default();
    let sent = send_in_order(client, symbol, steps, pace, window, bar, &tally).await;
    (std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner)), sent)
}

/// Ends with the first request that gets no answer; those that are under way then are still waited for.
async fn send_in_order(
    client: &Client,
    symbol: &str,
    steps: &[Step],
    pace: Pace,
    window: usize,
    bar: &ProgressBar,
    tally: &Arc<Mutex<Tally>>,
) -> anyhow::Result<()> {
    let users: Vec<Client> = (0..USERS).map(|n| client.test_user(&format!("replay-{n}"))).collect();
    let permits = Arc::new(Semaphore::new(window));
    let placed: Placed = Arc::default();
    // The end of the last request about each order, for the next one about it.
    let mut last: HashMap<u64, oneshot::Receiver<()>> = HashMap::new();
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, step) in steps.iter().copied().enumerate() {
        let due = match pace {
            Pace::Free => Duration::ZERO,
            Pace::Every(gap) => gap * n as u32,
            Pace::Times(times) => Duration::from_nanos((step.at_ns as f64 / times) as u64),
        };
        tokio::time::sleep_until((started + due).into()).await;
        let permit = permits.clone().acquire_owned().await?;
        let (end, ended) = oneshot::channel();
        let before = last.insert(step.order, ended);
        let user = users[(step.order % USERS) as usize].clone();
        let (placed, tally, symbol, bar) = (placed.clone(), tally.clone(), symbol.to_string(), bar.clone());
        tasks.spawn(async move {
            if let Some(before) = before {
                // Its sender is dropped at the end of the request before, whatever came of it.
                let _ = before.await;
            }
            let answer = send(&user, &symbol, &step, &placed, &tally).await;
            bar.inc(1);
            drop((permit, end));
            answer
        });
        let mut outcome = Ok(());
        while let Some(done) = tasks.try_join_next() {
            outcome = outcome.and(done?);
        }
        if outcome.is_err() {
            tasks.join_all().await;
            return outcome;
        }
    }
    tasks.join_all().await.into_iter().collect()
}

async fn send(
    user: &Client,
    symbol: &str,
    step: &Step,
    placed: &Placed,
    tally: &Mutex<Tally>,
) -> anyhow::Result<()> {
    let known = placed.lock().unwrap_or_else(PoisonError::into_inner).get(&step.order).cloned();
    let count = |code: &str| {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.refused.entry(code.into()).or_default() += 1;
    };
    let started = Instant::now();
    let answer = match (step.action, known) {
        (Action::Place { buy, market, tif, price, quantity }, _) => {
            let order_type = if market { "MARKET" } else { "LIMIT" };
            let answer = user.order(&Order { symbol, buy, order_type, tif, price, quantity }).await?;
            if let Some(id) = answer.body["order_id"].as_str() {
                let mut placed = placed.lock().unwrap_or_else(PoisonError::into_inner);
                placed.insert(step.order, (id.into(), quantity));
            }
            answer
        }
        // Its order rested before the flow began, or was refused.
        (_, None) => {
            count("order_not_in_flow");
            return Ok(());
        }
        (Action::Cancel, Some((id, _))) => user.cancel(&id).await?,
        (Action::Replace { price, quantity }, Some((id, _))) => user.replace(&id, price, quantity).await?,
        (Action::Reduce { price, by }, Some((id, open))) => {
            let left = open.saturating_sub(by);
            placed.lock().unwrap_or_else(PoisonError::into_inner).insert(step.order, (id.clone(), left));
            if left == 0 { user.cancel(&id).await? } else { user.replace(&id, price, left).await? }
        }
    };
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.latencies_us.push(started.elapsed().as_micros() as u64);
    match step.action {
        _ if !answer.is_ok() => *tally.refused.entry(answer.code().into()).or_default() += 1,
        Action::Place { .. } => tally.placed += 1,
        Action::Cancel => tally.cancels += 1,
        Action::Replace { .. } | Action::Reduce { .. } => tally.replaces += 1,
    }
    Ok(())
}

/// Waits until everything that was accepted has reached the wallets, as far as a minute goes.
async fn settle(client: &Client) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut calm = 0;
    let mut before = u64::MAX;
    while calm < 3 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let received = metric(client, "supernoba_orders_received_total").await;
        let lag = metric(client, "supernoba_consumer_lag_records").await;
        calm = if lag == 0 && received == before { calm + 1 } else { 0 };
        before = received;
    }
}

/// The sum over all samples of a metric.
async fn metric(client: &Client, name: &str) -> u64 {
    let text = client.text("/metrics").await.unwrap_or_default();
    let samples = text.lines().filter(|line| line.starts_with(name));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn report(tally: &Tally, fills: Option<u64>, seconds: f64) {
    let answered = tally.placed + tally.cancels + tally.replaces;
    let refused: u64 = tally.refused.values().sum();
    println!("orders    {} placed, {} cancels, {} replaces", tally.placed, tally.cancels, tally.replaces);
    if let Some(fills) = fills {
        println!("fills     {fills}");
    }
    println!("refused   {refused}");
    for (code, count) in &tally.refused {
        println!("          {count:>8}  {code}");
    }
    println!("rate      {:.0} requests/s over {seconds:.2} s", (answered + refused) as f64 / seconds);
    let mut sorted = tally.latencies_us.clone();
    sorted.sort_unstable();
    let at = |share: f64| {
        sorted.get(((sorted.len() as f64 - 1.0).max(0.0) * share) as usize).copied().unwrap_or(0)
    };
    println!(
        "answers   p50 {:.2} ms   p90 {:.2} ms   p99 {:.2} ms   max {:.2} ms",
        at(0.5) as f64 / 1e3,
        at(0.9) as f64 / 1e3,
        at(0.99) as f64 / 1e3,
        at(1.0) as f64 / 1e3
    );
}
