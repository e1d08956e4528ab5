//! The back ends that the settings name.

use crate::backends::aws;
use crate::backends::aws::connections::ApiGateway;
use crate::backends::aws::dynamo::{self, DynamoDocuments, DynamoState};
use crate::backends::aws::kinesis::{KinesisLog, Leases, log, reader};
use crate::backends::aws::s3::S3Blobs;
use crate::backends::aws::secrets::Secret;
use crate::backends::embedded::hub::Hub;
use crate::backends::gateways::{Gateways, Node};
use crate::backends::postgres::{self, Credentials, Login, Postgres};
use crate::backends::supabase::{IdentityOptions, SupabaseIdentity, SupabaseWallet};
use crate::backends::valkey::{self, ValkeyCache};
use crate::backup::Backup;
use crate::config::{self, Config};
use aws_config::SdkConfig;
use edge_fns::capability::{Cache, Connections, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SNAPSHOTS: &str = "snapshots/";
const POSTGRES_PORT: u16 = 5432;

/// Opens back ends. Nothing is connected to before it is asked for.
pub struct Links {
    config: Arc<Config>,
    aws: SdkConfig,
}

impl Links {
    pub async fn new(config: Arc<Config>) -> Links {
        let aws = aws::load(&config.aws.region).await;
        Links { config, aws }
    }

    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    pub fn state(&self) -> DynamoState {
        DynamoState::new(&self.aws, &self.config.tables.state)
    }

    /// Both streams; they must be there.
    pub async fn log(&self) -> Result<KinesisLog> {
        let streams = &self.config.streams;
        let mode = match streams.fan_out.as_str() {
            "" => reader::Mode::Poll(Duration::from_millis(streams.poll_ms)),
            consumer_arn => reader::Mode::FanOut { consumer_arn: consumer_arn.to_owned() },
        };
        let options = log::Options { mode, ..log::Options::default() };
        let names = [streams.orders.as_str(), streams.fills.as_str()];
        KinesisLog::connect(&self.aws, Arc::new(self.state()), &names, options).await
    }

    /// Who holds which shard of the orders stream.
    pub fn engine_leases(&self) -> Leases {
        Leases::new(&self.aws, &self.config.tables.leases)
    }

    /// Who holds which shard of the fills stream for this consumer.
    pub fn consumer_leases(&self, consumer: &str) -> Leases {
        Leases::new(&self.aws, &format!("{}-{consumer}", self.config.tables.consumers))
    }

    fn cache_options(&self, cache: &config::Cache) -> valkey::Options {
        valkey::Options {
            cluster: cache.cluster,
            tls: cache.tls,
            ca_file: cache.ca_file.clone(),
            username: cache.username.clone(),
            password: self.config.secrets.cache_password.as_ref().map(|secret| secret.reveal().to_owned()),
            ..valkey::Options::new(&cache.host, cache.port)
        }
    }

    pub async fn depth_cache(&self) -> Result<ValkeyCache> {
        ValkeyCache::connect(self.cache_options(&self.config.depth_cache)).await
    }

    pub async fn backup_cache(&self) -> Result<ValkeyCache> {
        ValkeyCache::connect(self.cache_options(&self.config.backup_cache)).await
    }

    fn bucket(&self, prefix: &str) -> S3Blobs {
        S3Blobs::new(&self.aws, &self.config.buckets.backups, prefix, self.config.buckets.path_style)
    }

    pub fn snapshots(&self) -> S3Blobs {
        self.bucket(SNAPSHOTS)
    }

    pub fn blobs(&self) -> S3Blobs {
        self.bucket("")
    }

    pub fn documents(&self) -> DynamoDocuments {
        let tables = &self.config.tables;
        let names = [("supernoba-orders", &tables.orders), ("candle_history", &tables.candles)];
        let names = names.map(|(known, name)| (known.to_owned(), name.clone()));
        let options = dynamo::Options { names: BTreeMap::from(names), kept_for: BTreeMap::new() };
        DynamoDocuments::new(&self.aws, options)
    }

    /// The trade history. Its tables are made where they are missing.
    pub async fn history(&self) -> Result<Postgres> {
        let (options, credentials) = self.history_options();
        Postgres::open(options, credentials).await
    }

    /// The trade history as it is.
    pub fn history_as_it_is(&self) -> Result<Postgres> {
        let (options, credentials) = self.history_options();
        Postgres::connect(options, credentials)
    }

    fn history_options(&self) -> (postgres::Options, Arc<dyn Credentials>) {
        let history = &self.config.history;
        let (host, port) = match history.endpoint.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(POSTGRES_PORT)),
            None => (history.endpoint.as_str(), POSTGRES_PORT),
        };
        let options = postgres::Options {
            tls: history.tls,
            ca_file: history.ca_file.clone(),
            connections: history.connections,
            ..postgres::Options::new(host, port, &history.database)
        };
        let credentials: Arc<dyn Credentials> = if history.secret.is_empty() {
            let word = |secret: &Option<config::Secret>| {
                secret.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default()
            };
            let secrets = &self.config.secrets;
            Arc::new(Login {
                username: word(&secrets.database_user),
                password: word(&secrets.database_password),
            })
        } else {
            Arc::new(Secret::new(&self.aws, &history.secret))
        };
        (options, credentials)
    }

    pub fn backup(&self) -> anyhow::Result<Backup> {
        Ok(Backup {
            history: self.history_as_it_is()?,
            documents: Arc::new(self.documents()),
            blobs: Arc::new(self.blobs()),
            day_offset_s: self.config.market.day_offset_s,
        })
    }

    pub fn wallet(&self) -> Result<SupabaseWallet> {
        let supabase = &self.config.supabase;
        let key = self.config.secrets.supabase_service_key.as_ref().map_or("", |key| key.reveal());
        SupabaseWallet::new(&supabase.url, key, supabase.ca_file.as_deref())
    }

    pub fn identity(&self) -> Result<SupabaseIdentity> {
        let supabase = &self.config.supabase;
        let word = |secret: &Option<config::Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
        SupabaseIdentity::new(&IdentityOptions {
            url: supabase.url.clone(),
            issuer: supabase.issuer.clone(),
            audience: None,
            jwt_secret: word(&self.config.secrets.supabase_jwt_secret),
            service_key: word(&self.config.secrets.supabase_service_key),
            ca_file: supabase.ca_file.clone(),
        })
    }

    /// The clients' connections: API Gateway's, where an endpoint is given, or those of our own gateways.
    pub fn connections(
        &self,
        cache: Arc<dyn Cache>,
        own: Option<(Node, Arc<Hub>)>,
    ) -> Result<Arc<dyn Connections>> {
        let endpoint = &self.config.websocket.endpoint;
        if !endpoint.is_empty() {
            return Ok(Arc::new(ApiGateway::new(&self.aws, endpoint)));
        }
        let token = self.config.secrets.capabilities_token.as_ref().map_or("", |token| token.reveal());
        Ok(Arc::new(Gateways::new(cache, token, own)?))
    }
}
