//! The processes of an exchange on many machines: engines, gateways, streamers. They share nothing but what the settings name,
//! and any number of each may run.

mod engine;
mod gateway;
mod health;
mod init;
mod streamer;
mod symbols;

pub use init::init;

use crate::config::{Config, Role};
use crate::links::Links;
use anyhow::bail;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Runs one of them until it is interrupted.
///
/// # Errors
/// If the settings are wrong, or what it needs cannot be reached at the start.
pub async fn run(role: Role, file: Option<&Path>) -> anyhow::Result<()> {
    let config = Arc::new(settings(role, file)?);
    let links = Links::new(config.clone()).await;
    let (stop, stopping) = watch::channel(false);
    let running = async {
        match role {
            Role::Engine => engine::run(&config, &links, stopping).await,
            Role::Gateway => gateway::run(&config, &links, stopping).await,
            Role::Streamer => streamer::run(&config, &links, stopping).await,
        }
    };
    tokio::pin!(running);
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    tokio::select! {
        over = &mut running => return over,
        caught = &mut interrupted => caught?,
    }
    println!("stopping …");
    stop.send_replace(true);
    running.await
}

fn settings(role: Role, file: Option<&Path>) -> anyhow::Result<Config> {
    let config = Config::load(file)?;
    let problems = config.problems(Some(role));
    if !problems.is_empty() {
        let all: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        bail!("the settings cannot be used:{}", all.concat());
    }
    Ok(config)
}

async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt?),
        _ = terminate.recv() => Ok(()),
    }
}

/// A process' name among its like: no two have the same.
fn own_name(given: &str) -> anyhow::Result<String> {
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness for a name: {error}"))?;
    Ok(format!("{}-{}-{:08x}", host.trim(), std::process::id(), u32::from_be_bytes(bytes)))
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
