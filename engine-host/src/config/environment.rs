//! The environment's part of the settings.

use anyhow::bail;
use std::collections::BTreeMap;
use std::fmt;

/// How the text of a variable is read.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
}
use Kind::{Flag, Number, Text};

/// The variables of the system's contract, and what they set.
const VARIABLES: [(&str, &str, Kind); 20] = [
    ("AWS_REGION", "aws.region", Text),
    ("LOG_LEVEL", "log.level", Text),
    ("DAY_OFFSET_S", "market.day_offset_s", Number),
    ("KINESIS_ORDERS_STREAM", "streams.orders", Text),
    ("KINESIS_FILLS_STREAM", "streams.fills", Text),
    ("ORDERS_TABLE", "tables.orders", Text),
    ("REDIS_HOST", "backup_cache.host", Text),
    ("REDIS_PORT", "backup_cache.port", Number),
    ("DEPTH_CACHE_HOST", "depth_cache.host", Text),
    ("DEPTH_CACHE_PORT", "depth_cache.port", Number),
    // What the streamer calls the same cache.
    ("VALKEY_HOST", "depth_cache.host", Text),
    ("VALKEY_PORT", "depth_cache.port", Number),
    ("RDS_ENDPOINT", "history.endpoint", Text),
    ("DB_NAME", "history.database", Text),
    ("DB_SECRET_ARN", "history.secret", Text),
    ("SUPABASE_URL", "supabase.url", Text),
    ("WEBSOCKET_ENDPOINT", "websocket.endpoint", Text),
    ("GRPC_PORT", "engine.grpc_port", Number),
    ("ALLOW_TEST_MODE", "gateway.test_mode", Flag),
    ("DEBUG_MODE", "streamer.debug", Flag),
];

/// Before any other key: `SUPERNOBA_DEPTH_CACHE__TLS` is `depth_cache.tls`.
const PREFIX: &str = "SUPERNOBA_";

/// Sets in the table what the variables say; answers which key came from which.
pub fn apply(
    table: &mut toml::Table,
    variables: &BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut origins: BTreeMap<String, String> = BTreeMap::new();
    let mut texts: BTreeMap<String, &str> = BTreeMap::new();
    let named = VARIABLES.iter().filter_map(|(variable, key, kind)| {
        Some(((*variable).to_owned(), (*key).to_owned(), Some(*kind), variables.get(*variable)?.as_str()))
    });
    let prefixed = variables.iter().filter_map(|(variable, text)| {
        let key = variable.strip_prefix(PREFIX)?;
        let (section, name) = key.split_once("__")?;
        let key = format!("{}.{}", section.to_lowercase(), name.to_lowercase());
        Some((variable.clone(), key, None, text.as_str()))
    });
    for (variable, key, kind, text) in named.chain(prefixed) {
        if let Some(other) = origins.get(&key) {
            if texts.get(&key) != Some(&text) {
                bail!("{other} and {variable} both set {key}, and do not say the same");
            }
            continue;
        }
        let value = match kind {
            Some(Text) => toml::Value::String(text.to_owned()),
            Some(Number) => match text.trim().parse() {
                Ok(number) => toml::Value::Integer(number),
                Err(_) => bail!("{variable} ({key}): {text:?} is no whole number"),
            },
            Some(Flag) => match text.to_lowercase().as_str() {
                "true" | "1" => toml::Value::Boolean(true),
                "false" | "0" => toml::Value::Boolean(false),
                _ => bail!("{variable} ({key}): {text:?} is neither true nor false"),
            },
            // A number or a flag as such, and everything else as text.
            None => text
                .parse()
                .ok()
                .filter(|value| !matches!(value, toml::Value::String(_)))
                .unwrap_or_else(|| toml::Value::String(text.to_owned())),
        };
        set(table, &key, value);
        texts.insert(key.clone(), text);
        origins.insert(key, variable);
    }
    Ok(origins)
}

/// What is no table where one is needed is left for the reader to refuse.
fn set(table: &mut toml::Table, key: &str, value: toml::Value) {
    let Some((section, name)) = key.split_once('.') else { return };
    let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
}

/// A text that gets into no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What only the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// `CACHE_PASSWORD`, of both caches.
    pub cache_password: Option<Secret>,
    /// `SUPABASE_SERVICE_ROLE_KEY`.
    pub supabase_service_key: Option<Secret>,
    /// `SUPABASE_ANON_KEY`.
    pub supabase_anon_key: Option<Secret>,
    /// `SUPABASE_JWT_SECRET`: the older, shared secret of tokens.
    pub supabase_jwt_secret: Option<Secret>,
    /// `CAPABILITIES_TOKEN`: opens `/capabilities` and `/@connections` of our own gateways.
    pub capabilities_token: Option<Secret>,
    /// `DB_USER` and `DB_PASSWORD`, where no secret's ARN is given.
    pub database_user: Option<Secret>,
    pub database_password: Option<Secret>,
}

impl Secrets {
    pub fn of(variables: &BTreeMap<String, String>) -> Secrets {
        let secret = |name: &str| variables.get(name).cloned().map(Secret);
        Secrets {
            cache_password: secret("CACHE_PASSWORD"),
            supabase_service_key: secret("SUPABASE_SERVICE_ROLE_KEY"),
            supabase_anon_key: secret("SUPABASE_ANON_KEY"),
            supabase_jwt_secret: secret("SUPABASE_JWT_SECRET"),
            capabilities_token: secret("CAPABILITIES_TOKEN"),
            database_user: secret("DB_USER"),
            database_password: secret("DB_PASSWORD"),
        }
    }
}
