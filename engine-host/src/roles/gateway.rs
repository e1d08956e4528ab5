//! A gateway: the doors, the functions behind them, and those that follow the fills stream and the clock.

use super::{now_ms, own_name, symbols};
use crate::backends::Log;
use crate::backends::aws::kinesis::{KinesisLog, worker};
use crate::backends::embedded::hub::Hub;
use crate::backends::gateways::{Node, Presence};
use crate::backends::records::Records;
use crate::config::{self, Config};
use crate::demo_grant::DemoGrant;
use crate::event_sources::{self, CONSUMERS, EventSources, LeasedSources, every};
use crate::gateway::{Accounts, Gateway, Page, Project, Settings};
use crate::links::Links;
use anyhow::Context;
use edge_fns::capability::Wallet;
use edge_host::sources::stream::Reading;
use edge_host::sources::timer::Schedule;
use edge_host::{EdgeHost, Limits, SystemBase};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A consumer's shards are taken over after this time: what came meanwhile waits in the stream.
const CONSUMER_LEASE: Duration = Duration::from_secs(10);
/// Look so often for changed components.
const RELOAD: Duration = Duration::from_secs(1);

fn timers(options: &config::Gateway) -> [(&'static str, Schedule); 4] {
    let timer = |function, seconds| every(function, Duration::from_secs(seconds));
    [
        timer("sweeper", options.sweep_seconds),
        timer("aggregator", options.aggregate_seconds),
        timer("trades-backup", options.backup_seconds),
        timer("stale-connections", options.stale_seconds),
    ]
}

/// What functions may read; which of them which, is theirs to be granted.
fn configuration(config: &Config) -> BTreeMap<String, String> {
    // Tables keep their names in functions: what they are called in this deployment is the back end's matter.
    BTreeMap::from([
        ("ALLOW_TEST_MODE".to_owned(), config.gateway.test_mode.to_string()),
        ("DAY_OFFSET_S".to_owned(), config.market.day_offset_s.to_string()),
        ("KINESIS_ORDERS_STREAM".to_owned(), config.streams.orders.clone()),
        ("KINESIS_FILLS_STREAM".to_owned(), config.streams.fills.clone()),
    ])
}

pub async fn run(config: &Config, links: &Links, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    let options = &config.gateway;
    let listener = TcpListener::bind((options.bind, options.port)).await;
    let listener = listener.with_context(|| format!("cannot listen on {}:{}", options.bind, options.port))?;
    let address = listener.local_addr()?;

    let log = links.log().await.context("the streams cannot be looked at")?;
    let cache = Arc::new(links.depth_cache().await.context("the depth cache cannot be reached")?);
    let history = links.history().await.context("the trade history cannot be opened")?;
    let state = links.state();
    let wallet = links.wallet()?;
    let identity = Arc::new(links.identity()?);
    let hub = Arc::new(Hub::default());
    let node = Node::new().context("no randomness for the gateway's number")?;
    let connections = links.connections(cache.clone(), Some((node, hub.clone())))?;
    let own_clients = config.websocket.endpoint.is_empty();
    let presence = own_clients.then(|| {
        let at = if options.address.is_empty() { reached(address) } else { options.address.clone() };
        Arc::new(Presence::new(cache.clone(), node, at, hub.clone()))
    });
    let keeping = presence.clone().map(|presence| {
        let stop = stop.clone();
        tokio::spawn(async move { presence.keep(stop).await })
    });

    let spending: Arc<dyn Wallet> = match (options.demo_cash, options.demo_stock) {
        (0, 0) => Arc::new(wallet.clone()),
        (cash, stock) => Arc::new(DemoGrant::new(Arc::new(wallet.clone()), cache.clone(), cash, stock)),
    };
    let backends = edge_host::Backends {
        base: Arc::new(SystemBase::new(configuration(config))),
        identity: identity.clone(),
        cache: cache.clone(),
        documents: Arc::new(links.documents()),
        streams: Arc::new(log.clone()),
        sql: Arc::new(history.clone()),
        wallet: spending,
        connections,
        blobs: Arc::new(links.blobs()),
    };
    let symbols = tokio::spawn(symbols::keep(cache.clone(), Arc::new(links.blobs()), stop.clone()));
    let functions = EdgeHost::load(&options.components, backends.clone(), Limits::default())?;
    tokio::spawn(functions.clone().watch(RELOAD, stop.clone()));

    let followed = event_sources::Backends {
        log: Arc::new(log.clone()),
        checkpoints: Arc::new(state.clone()),
        dead_letters: Arc::new(state.clone()),
        functions: functions.clone(),
        now: Arc::new(now_ms),
    };
    let sources = if options.run_functions {
        event_sources::begin_at_the_end(&log, &state, &config.streams.fills).await?;
        let consumers = CONSUMERS.map(|consumer| (consumer, links.consumer_leases(consumer)));
        let worker = worker::Options { name: own_name("")?, lease_time: CONSUMER_LEASE };
        let fills = &config.streams.fills;
        let leased = LeasedSources::start(links.aws(), &log, &followed, fills, &consumers, &worker, &stop);
        Some((leased, EventSources::start(&followed, fills, &[], &timers(options), &stop)?))
    } else {
        None
    };
    let streams = sources.as_ref().map(|(leased, _)| leased.readings());
    let timed = sources.as_ref().map(|(_, timed)| timed.readings());
    let readings = move || {
        let streams = streams.as_ref().map(|read| read()).unwrap_or_default();
        (streams, timed.as_ref().map(|read| read().1).unwrap_or_default())
    };

    let page = Page::load(&options.web).unwrap_or_else(|error| {
        tracing::warn!(folder = %options.web.display(), %error, "the page is not served");
        Page::default()
    });
    let secret = |secret: &Option<config::Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
    let anon_key = secret(&config.secrets.supabase_anon_key).unwrap_or_default();
    let supabase = &config.supabase;
    let project = Project::new(&supabase.url, &anon_key, supabase.ca_file.as_deref())?;
    let fills = config.streams.fills.clone();
    let stop_backup = stop.clone();
    let gateway = Gateway {
        functions,
        capabilities: options.serve_capabilities.then_some(backends),
        identity,
        accounts: Accounts::Supabase(Arc::new(project)),
        token: secret(&config.secrets.capabilities_token).map(Arc::from),
        node,
        presence,
        hub,
        records: Records {
            history: Arc::new(history.clone()),
            ledger: Arc::new(wallet),
            letters: Arc::new(state),
        },
        page: Arc::new(page),
        settings: Arc::new(Settings {
            test_mode: options.test_mode,
            demo_cash: options.demo_cash,
            demo_stock: options.demo_stock,
            day_offset_s: config.market.day_offset_s,
            version: env!("CARGO_PKG_VERSION"),
        }),
        counters: None,
        readings: Arc::new(readings),
        lag: Arc::new(move |reading| Box::pin(lag(log.clone(), fills.clone(), reading))),
        started,
        stop: stop.clone(),
    };
    let partitions = tokio::spawn(history.keep_partitions());
    let backup = tokio::spawn(links.backup()?.keep_up(Arc::new(now_ms), stop_backup));
    println!("Supernoba's gateway is on http://{address}");
    let served = gateway.serve(listener).await;
    partitions.abort();
    // A day that is half written is written anew by whoever looks next.
    backup.abort();
    if let Some((leased, timed)) = sources {
        leased.stopped().await;
        timed.stopped().await;
    }
    symbols.await?;
    if let Some(keeping) = keeping {
        keeping.await?;
    }
    Ok(served?)
}

/// Records of the shard that this consumer has not done with; of a stream that does not answer, none are known.
async fn lag(log: KinesisLog, stream: String, reading: Reading) -> u64 {
    let last = log.last(&stream, reading.shard).await.unwrap_or_default();
    let at = event_sources::sequence(reading.checkpoint.as_deref()).unwrap_or_default();
    last.saturating_sub(at)
}

/// Where other processes of this machine reach what is bound so.
fn reached(bound: SocketAddr) -> String {
    match bound.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}", bound.port()),
        false => format!("http://{bound}"),
    }
}
