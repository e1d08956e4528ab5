//! Everything in one process, in one folder: the embedded mode.

use crate::auth::{self, Auth};
use crate::backends::embedded::blobs::EmbeddedBlobs;
use crate::backends::embedded::cache::EmbeddedCache;
use crate::backends::embedded::hub::Hub;
use crate::backends::embedded::store::Store;
use crate::backends::embedded::streams::EmbeddedStreams;
use crate::backends::gateways::Node;
use crate::backends::records::Records;
use crate::demo_grant::DemoGrant;
use crate::engine::{self, Engine, MARKET_DATA_SCRIPT, Notifier, market_data_script};
use crate::event_sources::{self, CONSUMERS, EventSources, FILLS};
use crate::gateway::{Accounts, Gateway, Page, Settings};
use anyhow::{Context, bail};
use edge_fns::capability::cache::Command;
use edge_fns::capability::{Cache, Wallet};
use edge_host::sources::stream::Reading;
use edge_host::sources::timer::Schedule;
use edge_host::{EdgeHost, Limits, SystemBase};
use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use streamer::Streamer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Port to listen on; 0 takes a free one and prints it
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
    /// Folder that holds everything: streams, wallets, accounts, keys
    #[arg(long, default_value = "data")]
    pub data: PathBuf,
    /// Folder of the function components
    #[arg(long, default_value = "target/components")]
    pub components: PathBuf,
    /// Look so often (ms) for changed components and take them without a stop; 0: only when sent SIGHUP
    #[arg(long, default_value_t = 1000)]
    pub reload_ms: u64,
    /// Folder of the built page
    #[arg(long, default_value = "web/dist")]
    pub web: PathBuf,
    /// Remove the data folder first
    #[arg(long)]
    pub fresh: bool,
    /// Run a market maker and noise traders, so that the market lives
    #[arg(long)]
    pub demo: bool,
    /// Symbols that are tradable from the start
    #[arg(long, value_delimiter = ',', default_value = "TEST,NOBA,KIMCHI")]
    pub symbols: Vec<String>,
    /// Cash that a new account starts with
    #[arg(long, default_value_t = 100_000_000)]
    pub demo_cash: u64,
    /// Stock of each symbol that a new account starts with
    #[arg(long, default_value_t = 10_000)]
    pub demo_stock: u64,
    /// Seconds between two looks for orders that broke off
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    pub sweep_every: u64,
    /// Seconds between two aggregations of closed candles
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub aggregate_every: u64,
    /// Seconds between two backups of closed candles
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub backup_every: u64,
    /// Seconds between two looks for connections that are no more
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub stale_every: u64,
    /// Refuse test users (`?userId=test-NAME&testMode=true`)
    #[arg(long)]
    pub no_test_mode: bool,
    /// Serve the back ends at `/capabilities` to functions that run elsewhere and have the administrator's token
    #[arg(long)]
    pub serve_capabilities: bool,
}

impl Options {
    fn timers(&self) -> [(&'static str, Schedule); 4] {
        let timer = |function, seconds| event_sources::every(function, Duration::from_secs(seconds));
        [
            timer("sweeper", self.sweep_every),
            timer("aggregator", self.aggregate_every),
            timer("trades-backup", self.backup_every),
            timer("stale-connections", self.stale_every),
        ]
    }
}

/// A running exchange.
pub struct Exchange {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    gateway: JoinHandle<std::io::Result<()>>,
    engine: Engine,
    sources: EventSources,
    functions: EdgeHost,
    streamer: JoinHandle<()>,
    cache: Arc<EmbeddedCache>,
    /// Held as long as the process uses the folder.
    _lock: std::fs::File,
}

impl Exchange {
    pub async fn start(options: &Options) -> anyhow::Result<Exchange> {
        let started = Instant::now();
        let lock = claim(&options.data, options.fresh)?;
        let listener = TcpListener::bind((options.bind, options.port)).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {}:{}", options.bind, options.port))?;
        let address = listener.local_addr()?;

        let streams = Arc::new(EmbeddedStreams::open(&options.data.join("streams"))?);
        let store = Store::open(&options.data.join("exchange.db"))?;
        let cache = Arc::new(EmbeddedCache::open(&options.data.join("cache.log"))?);
        cache.register(MARKET_DATA_SCRIPT, market_data_script);
        let hub = Arc::new(Hub::default());
        let auth = Auth::open(&options.data.join("auth"))?;
        auth::write_secret(&options.data.join("admin.token"), auth::service_token(&auth.keys)?.as_bytes())?;
        list_symbols(cache.as_ref(), &options.symbols).await?;

        let wallet =
            DemoGrant::new(Arc::new(store.clone()), cache.clone(), options.demo_cash, options.demo_stock);
        let wallet: Arc<dyn Wallet> = Arc::new(wallet);
        let test_mode = !options.no_test_mode;
        let config = BTreeMap::from([("ALLOW_TEST_MODE".to_string(), test_mode.to_string())]);
        let backends = edge_host::Backends {
            base: Arc::new(SystemBase::new(config)),
            identity: Arc::new(auth.clone()),
            cache: cache.clone(),
            documents: Arc::new(store.clone()),
            streams: streams.clone(),
            sql: Arc::new(store.clone()),
            wallet,
            connections: hub.clone(),
            blobs: Arc::new(EmbeddedBlobs::open(&options.data.join("blobs"))?),
        };
        let functions = EdgeHost::load(&options.components, backends.clone(), Limits::default())?;

        let (stop, stopping) = watch::channel(false);
        let notifier = Notifier::start(cache.clone(), hub.clone());
        let flushed = cache.clone();
        let engine = Engine::start(
            engine::Backends {
                log: streams.clone(),
                snapshots: streams.clone(),
                cache: cache.clone(),
                backup: cache.clone(),
                dead_letters: Arc::new(store.clone()),
                flush_cache: Arc::new(move || flushed.flush()),
                now: Arc::new(now_ms),
            },
            notifier,
            engine::Options::default(),
        )
        .await?;
        event_sources::begin_at_the_end(streams.as_ref(), streams.as_ref(), FILLS).await?;
        let sources = EventSources::start(
            &event_sources::Backends {
                log: streams.clone(),
                checkpoints: streams.clone(),
                dead_letters: Arc::new(store.clone()),
                functions: functions.clone(),
                now: Arc::new(now_ms),
            },
            FILLS,
            &CONSUMERS,
            &options.timers(),
            &stopping,
        )?;
        if options.reload_ms > 0 {
            let period = Duration::from_millis(options.reload_ms);
            tokio::spawn(functions.clone().watch(period, stopping.clone()));
        }
        let streamer =
            Streamer::new(cache.clone(), hub.clone(), Some(cache.watch()), streamer::Options::default());
        let streamer = tokio::spawn(streamer.run(stopping.clone()));

        let readings = sources.readings();
        let page = match Page::load(&options.web) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(folder = %options.web.display(), %error, "the page is not built: `cargo xtask web`");
                Page::default()
            }
        };
        let gateway = Gateway {
            functions: functions.clone(),
            capabilities: options.serve_capabilities.then_some(backends),
            identity: Arc::new(auth.clone()),
            accounts: Accounts::Own(auth),
            token: None,
            node: Node::new().context("no randomness for the gateway's number")?,
            presence: None,
            hub,
            records: Records::of(&store),
            page: Arc::new(page),
            settings: Arc::new(Settings {
                test_mode,
                demo_cash: options.demo_cash,
                demo_stock: options.demo_stock,
                day_offset_s: engine_core::candle::SEOUL_DAY_OFFSET_S,
                version: env!("CARGO_PKG_VERSION"),
            }),
            counters: Some(engine.counters.clone()),
            readings: Arc::new(readings),
            lag: Arc::new(move |reading: Reading| Box::pin(ready(lag(streams.as_ref(), &reading)))),
            started,
            stop: stopping,
        };
        let gateway = tokio::spawn(gateway.serve(listener));
        Ok(Exchange { address, stop, gateway, engine, sources, functions, streamer, cache, _lock: lock })
    }

    /// Stops in the order of the flow, so that what was accepted is carried through.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.gateway.await??;
        self.engine.stop().await;
        self.sources.stopped().await;
        self.streamer.await?;
        self.cache.flush()?;
        Ok(())
    }
}

/// Runs until interrupted.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let exchange = Exchange::start(&options).await?;
    println!("Supernoba is trading on http://{}", exchange.address);
    println!("  page      http://{}/", exchange.address);
    println!("  API       http://{}/openapi.json", exchange.address);
    println!("  metrics   http://{}/metrics", exchange.address);
    println!(
        "  data      {}  (administrator's token: {})",
        options.data.display(),
        options.data.join("admin.token").display()
    );
    println!(
        "  new accounts start with {} cash and {} of each symbol",
        options.demo_cash, options.demo_stock
    );
    println!("Ctrl-C stops it.");
    let demo = if options.demo { Some(crate::demo::start(exchange.address, &options.symbols)) } else { None };
    interrupted(&exchange.functions).await?;
    println!("stopping …");
    if let Some(demo) = demo {
        demo.abort();
    }
    exchange.stop().await
}

/// Waits for the end; at SIGHUP the components are loaded anew.
async fn interrupted(functions: &EdgeHost) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    loop {
        tokio::select! {
            interrupt = tokio::signal::ctrl_c() => return Ok(interrupt?),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => {
                if let Err(error) = functions.reload().await {
                    tracing::error!(%error, "the components cannot be loaded anew");
                }
            }
        }
    }
}

/// Makes the folder this process' own.
pub(crate) fn claim(data: &Path, fresh: bool) -> anyhow::Result<std::fs::File> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
    let lock = std::fs::File::create(data.join("lock"))?;
    if let Err(error) = lock.try_lock() {
        bail!("{} is in use by another process ({error}); choose another --data", data.display());
    }
    if fresh {
        // Only what this program made is removed, whatever else the folder holds.
        for name in ["streams", "auth", "blobs"] {
            remove(std::fs::remove_dir_all(data.join(name)))?;
        }
        for name in ["exchange.db", "exchange.db-wal", "exchange.db-shm", "cache.log", "admin.token"] {
            remove(std::fs::remove_file(data.join(name)))?;
        }
    }
    Ok(lock)
}

fn remove(removed: std::io::Result<()>) -> std::io::Result<()> {
    removed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Adds the symbols of the command line where there are none yet.
async fn list_symbols(cache: &dyn Cache, symbols: &[String]) -> anyhow::Result<()> {
    if let Some(bad) = symbols.iter().find(|symbol| !engine_core::wire::is_symbol(symbol)) {
        bail!("{bad:?} is no symbol: 1 to 16 of A-Z, 0-9, '.', '_' and '-'");
    }
    let key = "active:symbols".to_string();
    let known = cache.run(vec![Command::Smembers(key.clone())]).await?;
    let none = matches!(known.first(), Some(Ok(edge_fns::capability::cache::Reply::Values(known))) if known.is_empty());
    if none && !symbols.is_empty() {
        let members = symbols.iter().map(|symbol| symbol.clone().into_bytes()).collect();
        for reply in cache.run(vec![Command::Sadd(key, members)]).await? {
            reply?;
        }
    }
    Ok(())
}

/// Records of the shard that this consumer has not done with.
fn lag(log: &EmbeddedStreams, reading: &Reading) -> u64 {
    let last = log.last_now(FILLS, reading.shard).unwrap_or_default();
    let at = event_sources::sequence(reading.checkpoint.as_deref()).unwrap_or_default();
    last.saturating_sub(at)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
