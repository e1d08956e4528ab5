//! `supernoba`: the exchange and its tools.

use anyhow::Result;
use clap::{Parser, Subcommand};
use engine_host::{bench, replay, up};
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
    /// Feed a recorded flow (golden or LOBSTER CSV) through a running exchange's front door
    Replay(replay::Options),
    /// Measure this machine: the core, and orders end to end
    Bench(bench::Options),
}

fn main() -> Result<()> {
    // The contract's LOG_LEVEL, or tracing's own RUST_LOG for more detail.
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "warn,engine_host=info".into());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level.to_lowercase()));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Up(options) => up::run(options).await,
            Command::Replay(options) => replay::run(options).await,
            Command::Bench(options) => bench::run(options).await,
        }
    })
}
