//! `supernoba snapshot`: an operator's way to a running engine's gRPC service.

use crate::config::Config;
use crate::grpc::wire;
use anyhow::Context;
use clap::Subcommand;
use std::path::PathBuf;
use tonic::Request;
use wire::engine_client::EngineClient;

#[derive(clap::Args)]
pub struct Options {
    /// The engine's gRPC service; else the one of the settings on this machine
    #[arg(long, value_name = "http://HOST:PORT")]
    engine: Option<String>,
    /// TOML file of settings; the environment goes before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write snapshots now, and books into the backup cache
    Create {
        /// Only of this symbol's shard, and its book
        symbol: Option<String>,
    },
    /// Take a shard up anew from its last snapshot and the stream behind it
    Restore {
        /// As the stream calls it: shardId-000000000000
        shard: String,
    },
    /// Who folds which shard, and which snapshots there are
    List,
}

/// Asks, and prints what comes.
///
/// # Errors
/// If the engine cannot be reached, or refuses.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let config = Config::load(options.config.as_deref())?;
    let engine = options.engine.unwrap_or_else(|| format!("http://127.0.0.1:{}", config.engine.grpc_port));
    let client = EngineClient::connect(engine.clone()).await;
    let mut client = client.with_context(|| format!("{engine} cannot be reached"))?;
    let token = config.secrets.capabilities_token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
    match options.what {
        What::Create { symbol } => {
            let asked = wire::CreateSnapshotRequest { symbol: symbol.unwrap_or_default() };
            let answer = client.create_snapshot(signed(asked, token.as_deref())?).await?.into_inner();
            for snapshot in answer.snapshots {
                println!("{}", shown(&snapshot));
            }
            for book in answer.books {
                println!("{} at event {}: {} bytes in {}", book.symbol, book.sequence, book.bytes, book.key);
            }
        }
        What::Restore { shard } => {
            let asked = wire::RestoreSnapshotRequest { shard };
            let answer = client.restore_snapshot(signed(asked, token.as_deref())?).await?.into_inner();
            println!("{}", answer.snapshot.as_ref().map(shown).unwrap_or_default());
        }
        What::List => {
            let asked = signed(wire::ListSnapshotsRequest {}, token.as_deref())?;
            let answer = client.list_snapshots(asked).await?.into_inner();
            for lease in answer.leases {
                let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
                println!(
                    "{}: {} (fence {}), {} up to {}",
                    lease.shard,
                    or(lease.owner, "nobody"),
                    lease.fence,
                    or(lease.snapshot, "no snapshot"),
                    lease.record
                );
            }
            println!("books in the backup cache: {}", answer.symbols.join(" "));
        }
    }
    Ok(())
}

fn signed<T>(message: T, token: Option<&str>) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let mut value: tonic::metadata::MetadataValue<_> =
            token.parse().context("CAPABILITIES_TOKEN cannot stand in a header")?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
    }
    Ok(request)
}

fn shown(snapshot: &wire::Snapshot) -> String {
    let name = if snapshot.name.is_empty() { "the stream's beginning" } else { &snapshot.name };
    format!("{}: {name}, {} records, {} symbols", snapshot.shard, snapshot.position, snapshot.symbols)
}
