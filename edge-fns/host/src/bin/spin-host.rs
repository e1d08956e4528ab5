//! Serves a Spin application: `spin-host --manifest spin.toml --variable NAME=VALUE`. Prints its address as the first line.

use clap::Parser;
use edge_host::Limits;
use edge_host::spin::{Application, serve, to_tracing};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{copy, sink, stdin};
use tokio::net::TcpListener;

/// Serves a Spin application on this project's component host.
#[derive(Parser)]
struct Arguments {
    /// The application's manifest.
    #[arg(long, short = 'f', default_value = "spin.toml")]
    manifest: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,
    /// A variable of the application. Also taken: SPIN_VARIABLE_NAME from the environment, where secrets belong.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// How long a request may take in all.
    #[arg(long, default_value_t = 30_000)]
    wall_ms: u64,
    /// How long of that a component may compute.
    #[arg(long, default_value_t = 2_000)]
    cpu_ms: u64,
    /// End when standard input does, as for whoever started this and is gone.
    #[arg(long)]
    until_eof: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let level = tracing_subscriber::EnvFilter::try_from_default_env();
    // What components say goes to standard error, the address to standard output.
    tracing_subscriber::fmt()
        .with_env_filter(level.unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let variables = variables(&arguments.variables)?;
    let limits = Limits {
        wall: Duration::from_millis(arguments.wall_ms),
        cpu: Duration::from_millis(arguments.cpu_ms),
        // A batch of records or a timer may take as many calls as it does elsewhere: here they are requests.
        host_calls: Limits::default().batch_host_calls,
        ..Limits::default()
    };
    let application = Application::load(&arguments.manifest, &variables, limits, to_tracing())?;
    let listener = TcpListener::bind(&arguments.listen).await?;
    println!("http://{}", listener.local_addr()?);
    let ended = async {
        match arguments.until_eof {
            true => copy(&mut stdin(), &mut sink()).await.map(|_| ()),
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        served = serve(application.clone(), listener) => served?,
        ended = ended => ended?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    for metrics in application.metrics() {
        tracing::info!(?metrics, "served");
    }
    // A read of standard input cannot be broken off, so nothing is waited for.
    std::process::exit(0)
}

/// Those of the environment, and over them those of the command line.
fn variables(given: &[String]) -> Result<BTreeMap<String, String>, String> {
    let prefixed = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix("SPIN_VARIABLE_")?.to_ascii_lowercase(), value)));
    let mut variables: BTreeMap<String, String> = prefixed.collect();
    for text in given {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(variables)
}
