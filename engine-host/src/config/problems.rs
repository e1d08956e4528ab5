//! What cannot be right, said before anything is connected to.

use super::Config;
use std::fmt;

/// A process that the settings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    Engine,
    Gateway,
    Streamer,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As it was given: by its variable, or its place in the file.
    pub key: String,
    pub says: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.says)
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Config {
    /// All that is wrong; with a role, also what that one needs and has not got.
    pub fn problems(&self, role: Option<Role>) -> Vec<Problem> {
        let mut found = Found { config: self, problems: Vec::new() };
        found.general();
        match role {
            Some(Role::Engine) => found.engine(),
            Some(Role::Gateway) => found.gateway(),
            Some(Role::Streamer) => found.streamer(),
            None => {}
        }
        found.problems
    }
}

struct Found<'c> {
    config: &'c Config,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, key: &str, says: impl Into<String>) {
        self.problems.push(Problem { key: self.config.name(key), says: says.into() });
    }

    fn check(&mut self, holds: bool, key: &str, says: &str) {
        if !holds {
            self.add(key, says);
        }
    }

    fn general(&mut self) {
        let config = self.config;
        let is_name = |name: &str| {
            (3..=128).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        for (key, name) in [
            ("streams.orders", &config.streams.orders),
            ("streams.fills", &config.streams.fills),
            ("tables.orders", &config.tables.orders),
            ("tables.candles", &config.tables.candles),
            ("tables.state", &config.tables.state),
            ("tables.leases", &config.tables.leases),
            ("tables.consumers", &config.tables.consumers),
            ("buckets.backups", &config.buckets.backups),
        ] {
            self.check(is_name(name), key, "a name has 3 to 128 letters, digits, '-', '_' and '.'");
        }
        self.check(
            config.streams.orders != config.streams.fills,
            "streams.fills",
            "orders and fills need a stream each",
        );
        self.check(!config.aws.region.is_empty(), "aws.region", "a region is needed");
        let level = config.log.level.to_lowercase();
        self.check(
            LEVELS.contains(&level.as_str()),
            "log.level",
            "one of off, error, warn, info, debug, trace",
        );
        self.check(config.market.day_offset_s < 86_400, "market.day_offset_s", "less than a day (86400)");
        self.check((20..=10_000).contains(&config.streams.poll_ms), "streams.poll_ms", "20 to 10000");
        for (section, cache) in [("depth_cache", &config.depth_cache), ("backup_cache", &config.backup_cache)]
        {
            self.check(!cache.host.is_empty(), &format!("{section}.host"), "a host is needed");
            self.check(cache.port != 0, &format!("{section}.port"), "1 to 65535");
            self.check(
                cache.tls || cache.ca_file.is_none(),
                &format!("{section}.ca_file"),
                "an authority is of no use without tls = true",
            );
        }
        self.check((1..=200).contains(&config.history.connections), "history.connections", "1 to 200");
        let port = config.history.endpoint.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        self.check(!matches!(port, Some(Err(_) | Ok(0))), "history.endpoint", "HOST or HOST:PORT");
        self.url("supabase.url", &config.supabase.url, &["https", "http"]);
        self.url("websocket.endpoint", &config.websocket.endpoint, &["https", "http", "wss", "ws"]);
        self.url("gateway.address", &config.gateway.address, &["https", "http"]);
        let engine = &config.engine;
        self.check((1..=100_000).contains(&engine.batch), "engine.batch", "1 to 100000");
        self.check((300..=600_000).contains(&engine.lease_ms), "engine.lease_ms", "300 to 600000");
        self.check(engine.snapshot_seconds > 0, "engine.snapshot_seconds", "at least 1");
        self.check(engine.snapshot_records > 0, "engine.snapshot_records", "at least 1");
        let gateway = &config.gateway;
        for (key, seconds) in [
            ("gateway.sweep_seconds", gateway.sweep_seconds),
            ("gateway.aggregate_seconds", gateway.aggregate_seconds),
            ("gateway.backup_seconds", gateway.backup_seconds),
            ("gateway.stale_seconds", gateway.stale_seconds),
        ] {
            self.check(seconds > 0, key, "at least 1");
        }
        self.check((10..=10_000).contains(&config.streamer.fast_ms), "streamer.fast_ms", "10 to 10000");
    }

    fn url(&mut self, key: &str, url: &str, schemes: &[&str]) {
        if url.is_empty() {
            return;
        }
        let rest = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
        let is_host = |rest: &str| !rest.is_empty() && !rest.starts_with('/') && !rest.contains([' ', '@']);
        self.check(
            rest.is_some_and(is_host),
            key,
            &format!("an address that begins with {}://", schemes.join(":// or ")),
        );
    }

    fn pushes(&mut self) {
        let config = self.config;
        if config.websocket.endpoint.is_empty() && config.secrets.capabilities_token.is_none() {
            self.add(
                "CAPABILITIES_TOKEN",
                "is needed for pushes by our own gateways (or WEBSOCKET_ENDPOINT for API Gateway's)",
            );
        }
    }

    fn engine(&mut self) {
        self.pushes();
        let config = self.config;
        // Otherwise whoever can connect may have shards taken up anew.
        if !config.engine.bind.is_loopback()
            && !config.websocket.endpoint.is_empty()
            && config.secrets.capabilities_token.is_none()
        {
            self.add(
                "CAPABILITIES_TOKEN",
                "is needed for the engine's gRPC service beyond this machine (engine.bind)",
            );
        }
    }

    fn streamer(&mut self) {
        self.pushes();
    }

    fn gateway(&mut self) {
        self.pushes();
        let config = self.config;
        self.check(
            !config.supabase.url.is_empty(),
            "supabase.url",
            "is needed for wallets and accounts (SUPABASE_URL)",
        );
        let secrets = &config.secrets;
        self.check(
            secrets.supabase_service_key.is_some(),
            "SUPABASE_SERVICE_ROLE_KEY",
            "is needed for wallets",
        );
        self.check(secrets.supabase_anon_key.is_some(), "SUPABASE_ANON_KEY", "is needed for accounts");
        self.check(
            !config.history.endpoint.is_empty(),
            "history.endpoint",
            "is needed for the trade history (RDS_ENDPOINT)",
        );
        let has_login = secrets.database_user.is_some() && secrets.database_password.is_some();
        self.check(
            !config.history.secret.is_empty() || has_login,
            "history.secret",
            "is needed to log in to the trade history (DB_SECRET_ARN, or DB_USER and DB_PASSWORD)",
        );
        let is_loopback = config.gateway.bind.is_loopback();
        self.check(
            !config.gateway.test_mode || is_loopback,
            "gateway.test_mode",
            "anybody could act as a test user: only on 127.0.0.1",
        );
        self.check(
            !config.gateway.serve_capabilities || secrets.capabilities_token.is_some(),
            "CAPABILITIES_TOKEN",
            "is needed to serve the back ends (gateway.serve_capabilities)",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, variables: &[(&str, &str)], role: Option<Role>) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let config = Config::of(text, variables).unwrap();
        config.problems(role).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn defaults_are_well_and_each_role_says_what_it_needs() {
        assert_eq!(problems("", &[], None), Vec::<String>::new());
        let pushes = "CAPABILITIES_TOKEN: is needed for pushes by our own gateways (or WEBSOCKET_ENDPOINT for API Gateway's)";
        assert_eq!(problems("", &[], Some(Role::Streamer)), [pushes]);
        let endpoint = [("WEBSOCKET_ENDPOINT", "https://x.example/live")];
        assert_eq!(problems("", &endpoint, Some(Role::Engine)), Vec::<String>::new());
        let needed = problems("", &endpoint, Some(Role::Gateway));
        let keys: Vec<&str> = needed.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(
            keys,
            [
                "supabase.url",
                "SUPABASE_SERVICE_ROLE_KEY",
                "SUPABASE_ANON_KEY",
                "history.endpoint",
                "history.secret"
            ]
        );
    }

    #[test]
    fn every_problem_is_said_at_once_by_the_name_it_was_given() {
        let variables =
            [("LOG_LEVEL", "loud"), ("SUPABASE_URL", "abc.supabase.co"), ("RDS_ENDPOINT", "db:x")];
        let text = "[engine]\nlease_ms = 5\n[streams]\nfills = \"supernoba-orders\"\n";
        assert_eq!(
            problems(text, &variables, None),
            [
                "streams.fills: orders and fills need a stream each",
                "LOG_LEVEL (log.level): one of off, error, warn, info, debug, trace",
                "RDS_ENDPOINT (history.endpoint): HOST or HOST:PORT",
                "SUPABASE_URL (supabase.url): an address that begins with https:// or http://",
                "engine.lease_ms: 300 to 600000",
            ]
        );
    }
}
