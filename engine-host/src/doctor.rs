//! `supernoba doctor`: reaches every back end that the settings name, and says what is wrong there and what to do about it.
//!
//! It changes nothing.

use crate::config::{Config, Role};
use crate::event_sources::CONSUMERS;
use crate::links::Links;
use aws_sdk_dynamodb::types::TableStatus;
use edge_fns::capability::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that is further off than this confuses candles and leases.
const MOST_SKEW_MS: u64 = 1_000;
/// No check takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Names no connection: whoever is asked for it answers that it is gone.
const NO_CONNECTION: &str = "AAAAAAAAAAAAAAA=";

/// What is well, or what is wrong and what helps.
type Checked = Result<String, Trouble>;

struct Trouble {
    what: String,
    advice: String,
}

fn trouble(what: impl Into<String>, advice: impl Into<String>) -> Trouble {
    Trouble { what: what.into(), advice: advice.into() }
}

/// What helps against most errors of a kind.
fn of(error: &Error, name: &str) -> Trouble {
    let advice = match error {
        Error::Unavailable(_) | Error::Timeout => {
            format!("is {name} up, and does the network let this machine through to it?")
        }
        Error::Denied(_) => {
            "is it there (`supernoba init` makes what is missing), and may these credentials use it?".into()
        }
        Error::Throttled(_) => "it is busy: try again".into(),
        Error::Invalid(_) => "look at the settings: `supernoba config check`".into(),
        Error::Internal(_) => "look at its own log".into(),
    };
    trouble(error.to_string(), advice)
}

/// Whether all is well.
///
/// # Errors
/// If the settings cannot be read.
pub async fn run(file: Option<&Path>, role: Option<Role>) -> anyhow::Result<bool> {
    let config = Arc::new(Config::load(file)?);
    let mut report = Report { well: true };
    let problems = config.problems(role);
    for problem in &problems {
        report
            .line("settings", Err(trouble(problem.to_string(), "correct it in the file or the environment")));
    }
    if problems.is_empty() {
        report.line("settings", Ok("nothing wrong".into()));
    }
    let links = Links::new(config.clone()).await;
    let checks = Checks { config: &config, links: &links };
    let all = role.is_none();
    let (engine, gateway) = (all || role == Some(Role::Engine), all || role == Some(Role::Gateway));
    if engine || gateway {
        for stream in [&config.streams.orders, &config.streams.fills] {
            report.check(&format!("stream {stream}"), checks.stream(stream)).await;
        }
        let mut tables = vec![(config.tables.state.clone(), "pk")];
        if engine {
            tables.push((config.tables.leases.clone(), "leaseKey"));
        }
        if gateway {
            tables.extend([&config.tables.orders, &config.tables.candles].map(|table| (table.clone(), "pk")));
            if config.gateway.run_functions {
                let leases =
                    CONSUMERS.map(|consumer| (format!("{}-{consumer}", config.tables.consumers), "leaseKey"));
                tables.extend(leases);
            }
        }
        for (table, key) in tables {
            report.check(&format!("table {table}"), checks.table(&table, key)).await;
        }
        report.check(&format!("bucket {}", config.buckets.backups), checks.bucket()).await;
    }
    report.check("depth cache", checks.cache(true)).await;
    if engine {
        report.check("backup cache", checks.cache(false)).await;
    }
    if gateway && !config.history.endpoint.is_empty() {
        report.check("trade history", checks.history()).await;
    }
    if gateway && !config.supabase.url.is_empty() {
        report.check("wallets", checks.wallets()).await;
        report.check("accounts", checks.accounts()).await;
    }
    if !config.websocket.endpoint.is_empty() {
        report.check("connections", checks.connections()).await;
    }
    println!("{}", if report.well { "all is well" } else { "something is wrong: see above" });
    Ok(report.well)
}

struct Report {
    well: bool,
}

impl Report {
    async fn check(&mut self, name: &str, check: impl Future<Output = Checked>) {
        let checked = tokio::time::timeout(PATIENCE, check).await;
        let late =
            || Err(trouble("no answer", "is it up, and does the network let this machine through to it?"));
        self.line(name, checked.unwrap_or_else(|_| late()));
    }

    fn line(&mut self, name: &str, checked: Checked) {
        match checked {
            Ok(says) => println!("ok      {name}: {says}"),
            Err(Trouble { what, advice }) => {
                self.well = false;
                println!("WRONG   {name}: {what}\n        {advice}");
            }
        }
    }
}

struct Checks<'a> {
    config: &'a Config,
    links: &'a Links,
}

impl Checks<'_> {
    async fn stream(&self, name: &str) -> Checked {
        let client = aws_sdk_kinesis::Client::new(self.links.aws());
        let described = client.describe_stream_summary().stream_name(name).send().await;
        let described = described.map_err(|error| sdk(&error, "Kinesis"))?;
        let Some(summary) = described.stream_description_summary else {
            return Err(trouble("it says nothing of itself", "look at it in the console"));
        };
        Ok(format!(
            "{}, {} open shards, records kept for {} h",
            summary.stream_status.as_str().to_lowercase(),
            summary.open_shard_count,
            summary.retention_period_hours
        ))
    }

    async fn table(&self, name: &str, key: &str) -> Checked {
        let client = aws_sdk_dynamodb::Client::new(self.links.aws());
        let described = client.describe_table().table_name(name).send().await;
        let described = described.map_err(|error| sdk(&error, "DynamoDB"))?;
        let Some(table) = described.table else {
            return Err(trouble("it says nothing of itself", "look at it in the console"));
        };
        if table.table_status != Some(TableStatus::Active) {
            return Err(trouble("it is not active", "wait, or look at it in the console"));
        }
        let is_key = table.key_schema.unwrap_or_default().iter().any(|part| part.attribute_name == key);
        match is_key {
            true => Ok(format!("active, about {} items", table.item_count.unwrap_or_default())),
            false => Err(trouble(
                format!("its key is not {key}"),
                "it is another table: give it another name in the settings",
            )),
        }
    }

    async fn bucket(&self) -> Checked {
        self.links.blobs().check().await.map(|()| "there".into()).map_err(|error| of(&error, "S3"))
    }

    async fn cache(&self, depth: bool) -> Checked {
        let name = if depth { "the depth cache" } else { "the backup cache" };
        let cache = if depth { self.links.depth_cache().await } else { self.links.backup_cache().await };
        let cache = cache.map_err(|error| of(&error, name))?;
        let server = cache.server().await.map_err(|error| of(&error, name))?;
        let settings = if depth { &self.config.depth_cache } else { &self.config.backup_cache };
        if (server.mode == "cluster") != settings.cluster {
            let section = if depth { "depth_cache" } else { "backup_cache" };
            let advice = format!("set {section}.cluster = {}", server.mode == "cluster");
            return Err(trouble(format!("it runs as {}", server.mode), advice));
        }
        clock(server.time)?;
        if depth && !cache.tells().await {
            return Ok(format!(
                "{}; it does not tell of changed keys: subscriptions are looked at every few seconds",
                server.version
            ));
        }
        Ok(server.version)
    }

    async fn history(&self) -> Checked {
        let name = "the database";
        let history = self.links.history_as_it_is().map_err(|error| of(&error, name))?;
        let server = history.server().await.map_err(|error| of(&error, name))?;
        if !server.writable {
            return Err(trouble(
                "this login may not write there",
                "is it the writer's endpoint, and may the login create tables?",
            ));
        }
        clock(server.time)?;
        let (applied, known) = server.migrations;
        match applied.cmp(&known) {
            std::cmp::Ordering::Less => {
                let what = format!("{applied} of {known} steps of its schema are made");
                Err(trouble(what, "`supernoba init` makes the rest; so does a gateway's start"))
            }
            std::cmp::Ordering::Greater => {
                let what = format!("its schema has {applied} steps, and this program knows {known}");
                Err(trouble(what, "this release is older than the database: use the newer one"))
            }
            std::cmp::Ordering::Equal => {
                Ok(format!("PostgreSQL {}, schema of {applied} steps", server.version))
            }
        }
    }

    async fn wallets(&self) -> Checked {
        let wallet = self.links.wallet().map_err(|error| of(&error, "Supabase"))?;
        let server = wallet.server().await.map_err(|error| match &error {
            Error::Internal(_) => trouble(error.to_string(), "apply the migrations: supabase db push"),
            _ => of(&error, "Supabase"),
        })?;
        clock(server.time)?;
        Ok(format!("PostgreSQL {}, wallets of version {}", server.server, server.version))
    }

    async fn accounts(&self) -> Checked {
        let identity = self.links.identity().map_err(|error| of(&error, "Supabase"))?;
        let keys = identity.fetch().await.map_err(|error| of(&error, "Supabase Auth"))?;
        match (keys.len(), &self.config.secrets.supabase_jwt_secret) {
            (0, None) => Err(trouble(
                "it has no public keys",
                "make signing keys there, or set SUPABASE_JWT_SECRET for tokens of the older kind",
            )),
            (count, _) => Ok(format!("{count} public keys")),
        }
    }

    async fn connections(&self) -> Checked {
        let cache = self.links.depth_cache().await.map_err(|error| of(&error, "the depth cache"))?;
        let connections =
            self.links.connections(Arc::new(cache), None).map_err(|error| of(&error, "API Gateway"))?;
        let probed = connections.probe(vec![NO_CONNECTION.into()]).await;
        let probed = probed.map_err(|error| of(&error, "API Gateway"))?.into_iter().next();
        match probed {
            Some(Ok(false)) => Ok("it answers, and lets this process in".into()),
            Some(Err(error)) => Err(of(&error, "API Gateway")),
            Some(Ok(true)) | None => {
                Err(trouble("it answers what it should not", "is WEBSOCKET_ENDPOINT the stage's address?"))
            }
        }
    }
}

fn clock(theirs: u64) -> Result<(), Trouble> {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let skew = ours.abs_diff(theirs);
    match skew <= MOST_SKEW_MS {
        true => Ok(()),
        false => Err(trouble(
            format!("its clock and this machine's differ by {skew} ms"),
            "let both keep time by NTP (chrony)",
        )),
    }
}

fn sdk<E>(
    error: &aws_sdk_kinesis::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    service: &str,
) -> Trouble
where
    E: std::error::Error + aws_sdk_kinesis::error::ProvideErrorMetadata + 'static,
{
    of(&crate::backends::aws::meaning(error), service)
}
