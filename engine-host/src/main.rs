//! `supernoba`: the exchange and its tools.

use anyhow::Result;
use clap::{Parser, Subcommand};
use engine_host::{replay, up};
use tracing_subscriber::EnvFilter;

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
        }
    })
}
