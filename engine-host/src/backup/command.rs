//! `supernoba backup` and `supernoba restore`.

use super::{Backup, Day, Made};
use crate::config::Config;
use crate::links::Links;
use anyhow::{Context, bail, ensure};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(clap::Args)]
pub struct BackupOptions {
    /// TOML file of settings; the environment goes before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A day of the exchange that is over, YYYY-MM-DD; else the last one
    #[arg(long)]
    day: Option<String>,
}

#[derive(clap::Args)]
pub struct RestoreOptions {
    /// TOML file of settings; the environment goes before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A day of the exchange, YYYY-MM-DD
    #[arg(long)]
    day: String,
    /// Only this symbol
    #[arg(long)]
    symbol: Option<String>,
    /// Put what is missing back into trade history and candle store, where nothing is done else
    #[arg(long)]
    write: bool,
}

async fn open(config: Option<PathBuf>) -> anyhow::Result<Backup> {
    let config = Arc::new(Config::load(config.as_deref())?);
    Links::new(config).await.backup()
}

/// Backs a day up, symbol by symbol.
///
/// # Errors
/// If a symbol could not be backed up; the others are.
pub async fn backup(options: BackupOptions) -> anyhow::Result<()> {
    let backup = open(options.config).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let today = Day::of(now, backup.day_offset_s);
    let day = match options.day {
        Some(day) => Day::parse(&day)?,
        None => Day(today.0.saturating_sub(1)),
    };
    ensure!(day < today, "{day} is not over");
    let mut failed = 0;
    for symbol in backup.traded(day).await? {
        match backup.keep(day, &symbol).await {
            Ok(Made::Now) => println!("{symbol}: backed up"),
            Ok(Made::Before) => println!("{symbol}: was backed up before"),
            Err(error) => {
                failed += 1;
                println!("{symbol}: {error:#}");
            }
        }
    }
    ensure!(failed == 0, "{failed} symbols are not backed up");
    Ok(())
}

/// Proves a day's backup, and puts it back if that is asked for.
///
/// # Errors
/// If there is none, or if it cannot be used.
pub async fn restore(options: RestoreOptions) -> anyhow::Result<()> {
    let backup = open(options.config).await?;
    let day = Day::parse(&options.day)?;
    let symbols = match options.symbol {
        Some(symbol) => vec![symbol],
        None => backup.kept(day).await?,
    };
    if symbols.is_empty() {
        bail!("there is no backup of {day}");
    }
    let mut failed = 0;
    for symbol in symbols {
        let restored = backup.restore(day, &symbol, options.write).await;
        match restored.with_context(|| format!("{symbol} cannot be used")) {
            Ok(restored) => {
                let kept = restored.manifest;
                println!("{symbol}: {} trades and {} candles are whole", kept.trades, kept.candles);
                if options.write {
                    println!("{symbol}: {} trades were missing and are back", restored.inserted);
                }
            }
            Err(error) => {
                failed += 1;
                println!("{error:#}");
            }
        }
    }
    ensure!(failed == 0, "{failed} symbols cannot be used");
    Ok(())
}
