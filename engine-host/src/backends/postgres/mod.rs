//! The trade history and the dead letters on PostgreSQL (Aurora, RDS, any PostgreSQL from 13 on).
//!
//! A few connections are kept; each call takes one. What to log in with comes from a [`Credentials`], which is asked again
//! when a login is refused: so a password that Secrets Manager has rotated is taken without a stop.

mod migrations;
mod partitions;
mod records;
mod sql;
mod time;
mod tls;

use async_trait::async_trait;
use edge_fns::capability::{Error, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// How long a connection attempt may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server may work on one statement.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=15000 -c idle_in_transaction_session_timeout=15000";

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

/// Where logins come from.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// What to log in with. `refused` is the login that the server has just refused: where it was kept, it is to be read
    /// anew.
    async fn login(&self, refused: Option<&Login>) -> Result<Login>;
}

#[async_trait]
impl Credentials for Login {
    async fn login(&self, _refused: Option<&Login>) -> Result<Login> {
        Ok(self.clone())
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub tls: bool,
    /// The authority that signed the server's certificate, where the public ones did not.
    pub ca_file: Option<PathBuf>,
    pub connections: usize,
}

impl Options {
    pub fn new(host: &str, port: u16, database: &str) -> Options {
        Options {
            host: host.into(),
            port,
            database: database.into(),
            tls: true,
            ca_file: None,
            connections: 8,
        }
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub version: String,
    /// Its clock, in epoch milliseconds.
    pub time: u64,
    /// It takes writes, and this user may make tables.
    pub writable: bool,
    /// Migrations that have been applied, and how many this program knows.
    pub migrations: (u32, u32),
}

#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    credentials: Arc<dyn Credentials>,
    tls: Option<tls::Tls>,
    idle: Mutex<Vec<Client>>,
    room: Semaphore,
}

/// A connection that goes back where it came from.
struct Lease<'a> {
    client: Option<Client>,
    inner: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl std::ops::Deref for Lease<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client.as_ref().expect("held until it is dropped")
    }
}

impl std::ops::DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("held until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|client| !client.is_closed()) {
            self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}

impl Postgres {
    /// Connects, brings the schema up to this version, and makes the partitions of this month and the next.
    pub async fn open(options: Options, credentials: Arc<dyn Credentials>) -> Result<Postgres> {
        let postgres = Postgres::connect(options, credentials)?;
        postgres.migrate().await?;
        postgres.ensure_partitions(time::now()).await?;
        Ok(postgres)
    }

    /// The same without changing anything there; connects when it is first used.
    pub fn connect(options: Options, credentials: Arc<dyn Credentials>) -> Result<Postgres> {
        let tls = options.tls.then(|| tls::Tls::new(options.ca_file.as_deref())).transpose()?;
        let room = Semaphore::new(options.connections.max(1));
        Ok(Postgres { inner: Arc::new(Inner { options, credentials, tls, idle: Mutex::default(), room }) })
    }

    async fn lease(&self) -> Result<Lease<'_>> {
        let inner = &*self.inner;
        let permit = inner.room.acquire().await.map_err(|_| Error::Unavailable("closed".into()))?;
        let idle = || inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(client) = idle() {
            if !client.is_closed() {
                return Ok(Lease { client: Some(client), inner, _permit: permit });
            }
        }
        let client = inner.log_in().await?;
        Ok(Lease { client: Some(client), inner, _permit: permit })
    }

    pub async fn server(&self) -> Result<ServerInfo> {
        let client = self.lease().await?;
        let row = client
            .query_one(
                "SELECT current_setting('server_version'), clock_timestamp(),
                        NOT pg_is_in_recovery() AND has_schema_privilege(current_schema(), 'CREATE')",
                &[],
            )
            .await
            .map_err(failure)?;
        let time: time::Instant = row.get(1);
        let writable: Option<bool> = row.get(2);
        let migrations = migrations::applied(&client).await?;
        Ok(ServerInfo {
            version: row.get(0),
            time: time.0,
            writable: writable.unwrap_or_default(),
            migrations: (migrations, migrations::known()),
        })
    }

    async fn migrate(&self) -> Result<()> {
        migrations::migrate(&mut *self.lease().await?).await
    }
}

impl Inner {
    async fn log_in(&self) -> Result<Client> {
        let login = self.credentials.login(None).await?;
        match self.log_in_as(&login).await {
            Err(Error::Denied(why)) => {
                // It may have been changed since it was read.
                let again = self.credentials.login(Some(&login)).await?;
                if again == login { Err(Error::Denied(why)) } else { self.log_in_as(&again).await }
            }
            answered => answered,
        }
    }

    async fn log_in_as(&self, login: &Login) -> Result<Client> {
        let options = &self.options;
        let mut config = Config::new();
        config
            .host(&options.host)
            .port(options.port)
            .dbname(&options.database)
            .user(&login.username)
            .password(&login.password)
            .application_name("supernoba")
            .options(STATEMENT_TIMEOUT)
            .connect_timeout(CONNECT);
        let connect = async {
            match &self.tls {
                Some(tls) => {
                    config.ssl_mode(tokio_postgres::config::SslMode::Require);
                    let (client, connection) = config.connect(tls.clone()).await?;
                    tokio::spawn(drive(connection));
                    Ok(client)
                }
                None => {
                    config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                    let (client, connection) = config.connect(NoTls).await?;
                    tokio::spawn(drive(connection));
                    Ok(client)
                }
            }
        };
        match tokio::time::timeout(CONNECT, connect).await {
            Ok(connected) => connected.map_err(failure),
            Err(_) => Err(Error::Unavailable(format!("{}:{} does not answer", options.host, options.port))),
        }
    }
}

/// Carries a connection's messages until it ends.
async fn drive(connection: impl Future<Output = std::result::Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to PostgreSQL ended");
    }
}

/// The server's failures in the capability's words.
fn failure(error: tokio_postgres::Error) -> Error {
    let Some(database) = error.as_db_error() else {
        // Refused before anything was sent, or broken off: then nobody knows what was done.
        let words = chain(&error);
        return if error.is_closed() { Error::Timeout } else { Error::Unavailable(words) };
    };
    let words = || format!("{} ({})", database.message(), database.code().code());
    match database.code() {
        code if *code == SqlState::QUERY_CANCELED => Error::Timeout,
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => Error::Denied(words()),
        code => match &code.code()[..2] {
            "22" | "23" => Error::Invalid(words()),
            "28" => Error::Denied(words()),
            "40" | "55" | "57" | "08" => Error::Unavailable(words()),
            "53" => Error::Throttled(None),
            _ => Error::Internal(words()),
        },
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}
