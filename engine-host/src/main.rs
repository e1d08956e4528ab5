//! `supernoba`: the exchange and its tools.

use anyhow::Result;
use clap::{Parser, Subcommand};
use engine_host::config::{Config, Role};
use engine_host::{backup, bench, doctor, export, replay, roles, snapshot, up};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Many small objects of many threads: this allocator takes them with fewer waits than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "supernoba", version, about = "The exchange that runs everywhere")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, with nothing installed
    Up(up::Options),
    /// Write a symbol's run, as the embedded exchange recorded it, to a file for the sandbox and for `replay`
    Export(export::Options),
    /// Feed a recorded flow (golden or LOBSTER CSV, or an exported run) through a running exchange's front door
    Replay(replay::Options),
    /// Measure this machine: the core, and orders end to end
    Bench(bench::Options),
    /// Run an engine: it folds the shards of the orders stream whose leases it holds
    Engine(Settings),
    /// Run a gateway: REST, WebSocket, the page, and the functions
    Gateway(Settings),
    /// Run a streamer: market data to the connections that asked for it
    Streamer(Settings),
    /// Make what is missing: streams, tables, the bucket, the schema of the trade history
    Init(Settings),
    /// Have a running engine write snapshots, or take a shard up anew from one
    Snapshot(snapshot::Options),
    /// Back up a day's trades and candles as Parquet, where the gateways have not
    Backup(backup::BackupOptions),
    /// Prove a day's backup; with --write, put back what is missing
    Restore(backup::RestoreOptions),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Reach every back end, and say what is wrong there and what to do about it
    Doctor {
        #[command(flatten)]
        settings: Settings,
        /// Only what this process needs
        #[arg(long)]
        role: Option<Role>,
    },
}

#[derive(clap::Args)]
struct Settings {
    /// TOML file of settings; the environment goes before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with them, and print them all as a file
    Check {
        #[command(flatten)]
        settings: Settings,
        /// Also what this process needs
        #[arg(long)]
        role: Option<Role>,
    },
}

fn main() -> Result<ExitCode> {
    // The contract's LOG_LEVEL, or tracing's own RUST_LOG for more detail.
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "warn,engine_host=info".into());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level.to_lowercase()));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Up(options) => up::run(options).await,
            Command::Export(options) => export::run(options).await,
            Command::Replay(options) => replay::run(options).await,
            Command::Bench(options) => bench::run(options).await,
            Command::Engine(settings) => roles::run(Role::Engine, settings.config.as_deref()).await,
            Command::Gateway(settings) => roles::run(Role::Gateway, settings.config.as_deref()).await,
            Command::Streamer(settings) => roles::run(Role::Streamer, settings.config.as_deref()).await,
            Command::Snapshot(options) => snapshot::run(options).await,
            Command::Backup(options) => backup::backup(options).await,
            Command::Restore(options) => backup::restore(options).await,
            Command::Init(settings) => roles::init(settings.config.as_deref()).await,
            Command::Config(ConfigCommand::Check { settings, role }) => return check(&settings, role),
            Command::Doctor { settings, role } => {
                return Ok(code(doctor::run(settings.config.as_deref(), role).await?));
            }
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

fn check(settings: &Settings, role: Option<Role>) -> Result<ExitCode> {
    let config = Config::load(settings.config.as_deref())?;
    let problems = config.problems(role);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        print!("{}", config.shown());
    }
    Ok(code(problems.is_empty()))
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
