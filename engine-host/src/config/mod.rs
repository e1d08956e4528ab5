//! The settings of a process: one TOML file, and the environment before it.
//!
//! Every key may be left out. Where a key has a variable of the system's contract (`REDIS_HOST`), that variable goes before the
//! file; any key may also be given as `SUPERNOBA_SECTION__KEY`. Secrets come by the environment alone, so that the file may
//! lie open. What is wrong is said by the name under which it was given.

mod environment;
mod problems;

pub use environment::{Secret, Secrets};
pub use problems::{Problem, Role};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub aws: Aws,
    pub log: Log,
    pub market: Market,
    pub streams: Streams,
    pub tables: Tables,
    pub buckets: Buckets,
    /// Live market data and connections.
    pub depth_cache: Cache,
    /// Books and the day before.
    pub backup_cache: Cache,
    pub history: History,
    pub supabase: Supabase,
    pub websocket: WebSocket,
    pub engine: Engine,
    pub gateway: Gateway,
    pub streamer: Streamer,
    #[serde(skip)]
    pub secrets: Secrets,
    /// Which variable a key came from.
    #[serde(skip)]
    origins: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, in any case.
    pub level: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Market {
    /// How far the exchange's day is ahead of UTC, in seconds.
    pub day_offset_s: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    pub orders: String,
    pub fills: String,
    /// ARN of a registered consumer, to be pushed records by enhanced fan-out; empty: they are asked for.
    pub fan_out: String,
    /// Pause between two questions for records, in milliseconds.
    pub poll_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    pub orders: String,
    pub candles: String,
    /// Checkpoints, dead letters, places in streams.
    pub state: String,
    /// Who holds which shard of the orders stream.
    pub leases: String,
    /// Who holds which shard of the fills stream, for each consumer: with `-CONSUMER` behind it.
    pub consumers: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buckets {
    /// Snapshots, candles and trades.
    pub backups: String,
    /// The bucket's name is in the path of an address, as servers other than AWS' want it.
    pub path_style: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// The authority that signed the server's certificate, where the system does not know it.
    pub ca_file: Option<PathBuf>,
    pub cluster: bool,
    pub username: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// `HOST` or `HOST:PORT`.
    pub endpoint: String,
    pub database: String,
    /// ARN of the secret that holds user and password; empty: `DB_USER` and `DB_PASSWORD` say them.
    pub secret: String,
    pub tls: bool,
    pub ca_file: Option<PathBuf>,
    pub connections: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supabase {
    pub url: String,
    /// Who must have issued a token, where it is not the project's `/auth/v1`.
    pub issuer: Option<String>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// The stage of an API Gateway whose connections are pushed to; empty: clients connect to our own gateways.
    pub endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// No other engine's; empty: made of host and process.
    pub name: String,
    /// Records applied in one batch at most.
    pub batch: usize,
    /// A shard whose owner has said nothing for so long is taken over.
    pub lease_ms: u64,
    pub snapshot_seconds: u64,
    pub snapshot_records: u64,
    pub grpc_port: u16,
    /// Health and metrics.
    pub http_port: u16,
    pub bind: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    pub bind: IpAddr,
    pub port: u16,
    /// Where other processes reach this gateway, for pushes to its connections: `http://10.0.0.7:8080`. Empty: by `bind` and `port`.
    pub address: String,
    pub components: PathBuf,
    pub web: PathBuf,
    /// Take test users (`?userId=test-NAME&testMode=true`).
    pub test_mode: bool,
    /// Run the functions that follow the fills stream and the clock here; off where AWS Lambda does.
    pub run_functions: bool,
    /// Serve the back ends at `/capabilities` to functions that run elsewhere.
    pub serve_capabilities: bool,
    /// Cash, and stock of each symbol, that whoever is new to the wallets gets: for trials, 0 otherwise.
    pub demo_cash: u64,
    pub demo_stock: u64,
    pub sweep_seconds: u64,
    pub aggregate_seconds: u64,
    pub backup_seconds: u64,
    pub stale_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streamer {
    pub debug: bool,
    /// How often logged-in users are served.
    pub fast_ms: u64,
    pub http_port: u16,
    pub bind: IpAddr,
}

impl Default for Aws {
    fn default() -> Aws {
        Aws { region: "ap-northeast-2".into() }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".into() }
    }
}

impl Default for Market {
    fn default() -> Market {
        Market { day_offset_s: engine_core::candle::SEOUL_DAY_OFFSET_S }
    }
}

impl Default for Streams {
    fn default() -> Streams {
        Streams {
            orders: "supernoba-orders".into(),
            fills: "supernoba-fills".into(),
            fan_out: String::new(),
            poll_ms: 200,
        }
    }
}

impl Default for Tables {
    fn default() -> Tables {
        Tables {
            orders: "supernoba-orders".into(),
            candles: "candle_history".into(),
            state: "supernoba-state".into(),
            leases: "supernoba-engine-leases".into(),
            consumers: "supernoba-leases".into(),
        }
    }
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets { backups: "supernoba-backups".into(), path_style: false }
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache {
            host: "127.0.0.1".into(),
            port: 6379,
            tls: false,
            ca_file: None,
            cluster: false,
            username: None,
        }
    }
}

impl Default for History {
    fn default() -> History {
        History {
            endpoint: String::new(),
            database: "postgres".into(),
            secret: String::new(),
            tls: true,
            ca_file: None,
            connections: 8,
        }
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine {
            name: String::new(),
            batch: 1024,
            lease_ms: 3_000,
            snapshot_seconds: 30,
            snapshot_records: 200_000,
            grpc_port: 50051,
            http_port: 9090,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl Default for Gateway {
    fn default() -> Gateway {
        Gateway {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            address: String::new(),
            components: "target/components".into(),
            web: "web/dist".into(),
            test_mode: false,
            run_functions: true,
            serve_capabilities: false,
            demo_cash: 0,
            demo_stock: 0,
            sweep_seconds: 15,
            aggregate_seconds: 60,
            backup_seconds: 600,
            stale_seconds: 300,
        }
    }
}

impl Default for Streamer {
    fn default() -> Streamer {
        Streamer { debug: false, fast_ms: 50, http_port: 9091, bind: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}

impl Config {
    /// Reads the file, if one is named, and this process' environment.
    ///
    /// # Errors
    /// If the file cannot be read or is no TOML, or if a key has no such name or not such a value.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("the configuration {} cannot be read", path.display()))?,
            None => String::new(),
        };
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Config::of(&text, variables).with_context(|| match file {
            Some(path) => {
                format!("the configuration ({} and the environment) cannot be used", path.display())
            }
            None => "the configuration (of the environment) cannot be used".into(),
        })
    }

    /// Of the file's text and these variables; one that is empty counts as not set.
    pub fn of(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Config> {
        let mut table: toml::Table = text.parse()?;
        let variables: BTreeMap<String, String> =
            variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let origins = environment::apply(&mut table, &variables)?;
        let read: Result<Config, _> = serde_path_to_error::deserialize(toml::Value::Table(table));
        let config = read.map_err(|error| {
            let key = error.path().to_string();
            let name =
                origins.get(&key).map_or_else(|| key.clone(), |variable| format!("{variable} ({key})"));
            // What toml adds of its own is where the key is, once more.
            let reason = error.inner().to_string();
            anyhow::anyhow!("{name}: {}", reason.lines().next().unwrap_or_default())
        })?;
        Ok(Config { secrets: Secrets::of(&variables), origins, ..config })
    }

    /// The key as it was given.
    fn name(&self, key: &str) -> String {
        match self.origins.get(key) {
            Some(variable) => format!("{variable} ({key})"),
            None => key.to_owned(),
        }
    }

    /// Every setting, as it would be written into the file: no secrets.
    pub fn shown(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::of(text, variables.iter().map(|(name, value)| (name.to_string(), value.to_string())))
    }

    fn refused(text: &str, variables: &[(&str, &str)]) -> String {
        format!("{:#}", of(text, variables).unwrap_err())
    }

    #[test]
    fn nothing_given_is_the_contracts_defaults() {
        let config = of("", &[]).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(
            (config.streams.orders.as_str(), config.streams.fills.as_str()),
            ("supernoba-orders", "supernoba-fills")
        );
        assert_eq!((config.aws.region.as_str(), config.engine.grpc_port), ("ap-northeast-2", 50051));
        assert_eq!((config.depth_cache.port, config.backup_cache.port), (6379, 6379));
        assert_eq!(
            (config.tables.orders.as_str(), config.history.database.as_str()),
            ("supernoba-orders", "postgres")
        );
    }

    #[test]
    fn the_file_of_the_deployment_is_well() {
        let config = of(include_str!("../../../deploy/config/supernoba.toml"), &[]).unwrap();
        assert_eq!(config.problems(None), []);
        assert!(
            config.gateway.bind.is_unspecified() && config.depth_cache.tls && !config.gateway.run_functions
        );
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let file = "[depth_cache]\nhost = \"file\"\nport = 1\n[streams]\norders = \"o\"\n";
        let variables = [
            ("DEPTH_CACHE_HOST", "variable"),
            ("SUPERNOBA_DEPTH_CACHE__TLS", "true"),
            ("SUPERNOBA_ENGINE__NAME", "e1"),
            ("ALLOW_TEST_MODE", "true"),
            ("GRPC_PORT", ""),
        ];
        let config = of(file, &variables).unwrap();
        assert_eq!(
            (config.depth_cache.host.as_str(), config.depth_cache.port, config.depth_cache.tls),
            ("variable", 1, true)
        );
        assert_eq!((config.streams.orders.as_str(), config.engine.name.as_str()), ("o", "e1"));
        assert!(config.gateway.test_mode);
        assert_eq!(config.engine.grpc_port, 50051, "an empty variable is none");
    }

    #[test]
    fn what_is_wrong_is_named_as_it_was_given() {
        assert_eq!(
            refused("", &[("REDIS_PORT", "many")]),
            "REDIS_PORT (backup_cache.port): \"many\" is no whole number"
        );
        assert_eq!(
            refused("", &[("REDIS_PORT", "65536")]),
            "REDIS_PORT (backup_cache.port): invalid value: integer `65536`, expected u16"
        );
        assert_eq!(
            refused("", &[("ALLOW_TEST_MODE", "yes")]),
            "ALLOW_TEST_MODE (gateway.test_mode): \"yes\" is neither true nor false"
        );
        let text = "[engine]\nlease = 5\n";
        assert!(
            refused(text, &[]).starts_with("engine.lease: unknown field `lease`, expected one of"),
            "{}",
            refused(text, &[])
        );
        assert!(refused("[engine]\nlease_ms = \"x\"\n", &[]).starts_with("engine.lease_ms: invalid type"));
        assert!(
            refused("", &[("SUPERNOBA_ENGINE__LEASE", "5")])
                .starts_with("SUPERNOBA_ENGINE__LEASE (engine.lease): unknown field")
        );
        assert!(refused("[engine", &[]).contains("line 1"));
    }

    #[test]
    fn two_names_of_one_key_may_not_disagree() {
        let both = [("DEPTH_CACHE_HOST", "a"), ("VALKEY_HOST", "b")];
        assert_eq!(
            refused("", &both),
            "DEPTH_CACHE_HOST and VALKEY_HOST both set depth_cache.host, and do not say the same"
        );
        assert_eq!(of("", &[("DEPTH_CACHE_HOST", "a"), ("VALKEY_HOST", "a")]).unwrap().depth_cache.host, "a");
    }

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same_and_no_secret() {
        let variables =
            [("CACHE_PASSWORD", "hidden"), ("SUPABASE_SERVICE_ROLE_KEY", "hidden"), ("DB_NAME", "d")];
        let config = of("", &variables).unwrap();
        let shown = config.shown();
        assert!(!shown.contains("hidden") && !format!("{config:?}").contains("hidden"), "{shown}");
        let again = of(&shown, &[]).unwrap();
        assert_eq!(again.history.database, "d");
        assert_eq!(Config { secrets: Secrets::default(), origins: BTreeMap::new(), ..config }, again);
        assert!(refused("[secrets]\ncache_password = \"x\"\n", &[]).contains("unknown field `secrets`"));
    }
}
