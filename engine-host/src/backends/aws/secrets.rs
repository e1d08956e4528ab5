//! Database credentials from Secrets Manager, as rotation leaves them there.

use super::failure::failed;
use super::{Repeat, repeated};
use crate::backends::postgres::{self, Login};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use edge_fns::capability::{Error, Result};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long credentials are used without asking again. Rotation is seen at the latest then, or as soon as the database
/// refuses the old ones.
const FRESH: Duration = Duration::from_secs(300);
/// The database refusing everybody must not become a storm of questions.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// What a secret of a database holds; what it leaves out, the deployment's variables say (`RDS_ENDPOINT`, `DB_NAME`).
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    pub username: String,
    pub password: String,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub dbname: Option<String>,
    /// Which version of the secret this is.
    #[serde(skip)]
    pub version: String,
}

/// Passwords do not get into logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The credentials of one secret (`DB_SECRET_ARN`).
#[derive(Clone, Debug)]
pub struct Secret {
    client: Client,
    arn: String,
    known: Arc<Mutex<Option<(Instant, Credentials)>>>,
}

impl Secret {
    pub fn new(config: &SdkConfig, arn: &str) -> Secret {
        Secret { client: Client::new(config), arn: arn.into(), known: Arc::default() }
    }

    /// The current credentials. While the service cannot be reached, those that are known go on.
    pub async fn credentials(&self) -> Result<Credentials> {
        self.younger_than(FRESH).await
    }

    /// To be called when the database has refused these: others, if the secret has been rotated since.
    pub async fn after_refusal(&self, refused: &Credentials) -> Result<Credentials> {
        let known = self.younger_than(FRESH).await?;
        if known.version != refused.version { Ok(known) } else { self.younger_than(ASKED_AGAIN).await }
    }

    async fn younger_than(&self, age: Duration) -> Result<Credentials> {
        // One asks, the others wait for its answer.
        let mut known = self.known.lock().await;
        if let Some((asked, credentials)) = known.as_ref()
            && asked.elapsed() < age
        {
            return Ok(credentials.clone());
        }
        match self.ask().await {
            Ok(credentials) => {
                *known = Some((Instant::now(), credentials.clone()));
                Ok(credentials)
            }
            Err(error) => match known.as_ref() {
                Some((_, credentials)) => {
                    tracing::warn!(%error, "the secret cannot be read; going on with what is known");
                    Ok(credentials.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn ask(&self) -> Result<Credentials> {
        let answer = repeated(Repeat::Unanswered, || async {
            self.client.get_secret_value().secret_id(&self.arn).send().await.map_err(failed)
        })
        .await?;
        let text = answer.secret_string().unwrap_or_default();
        // The error would quote the secret.
        let mut credentials: Credentials = serde_json::from_str(text).map_err(|_| {
            Error::Internal(format!("secret {} is not JSON with a username and a password", self.arn))
        })?;
        credentials.version = answer.version_id().unwrap_or_default().into();
        Ok(credentials)
    }
}

#[async_trait]
impl postgres::Credentials for Secret {
    async fn login(&self, refused: Option<&Login>) -> Result<Login> {
        let mut found = self.credentials().await?;
        let is = |refused: &Login| found.username == refused.username && found.password == refused.password;
        if refused.is_some_and(is) {
            found = self.after_refusal(&found).await?;
        }
        Ok(Login { username: found.username, password: found.password })
    }
}
