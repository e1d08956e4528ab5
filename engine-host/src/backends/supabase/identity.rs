//! Who a token speaks for, by the project's public keys.
//!
//! Keys are fetched when they are first needed and kept; a key that is not among them makes them fetched anew, but not more
//! often than [`REFETCH`] allows, so that forged tokens cannot make this a flood. When they cannot be fetched, those at hand
//! go on.

use crate::backends::http::Http;
use async_trait::async_trait;
use edge_fns::capability::identity::{Claims, Refusal};
use edge_fns::capability::{Error, Identity, Millis, Result};
use hyper::Method;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Keys are taken anew after this time, so that one that was withdrawn is no longer taken.
const LIFETIME: Duration = Duration::from_secs(600);
/// The shortest time between two fetches.
const REFETCH: Duration = Duration::from_secs(10);
/// What clocks may differ by.
const LEEWAY_S: u64 = 5;
const AUDIENCE: &str = "authenticated";
const SERVICE: &str = "service_role";
/// The issuer of the older API keys, which are tokens without audience or user.
const OLD_KEYS_ISSUER: &str = "supabase";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
/// Later than any token expires.
const NEVER_MS: Millis = 253_402_300_799_000;

#[derive(Clone)]
pub struct IdentityOptions {
    /// The project's.
    pub url: String,
    /// Who must have issued a token; by default the project's `/auth/v1`.
    pub issuer: Option<String>,
    pub audience: Option<String>,
    /// The older, shared secret. Without it, tokens that it signed are not taken.
    pub jwt_secret: Option<String>,
    /// The secret API key: who has it is an administrator.
    pub service_key: Option<String>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone)]
pub struct SupabaseIdentity {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    jwks_url: String,
    issuer: String,
    audience: String,
    secret: Option<DecodingKey>,
    service_key: Option<[u8; 32]>,
    keys: RwLock<Keys>,
    /// One fetch at a time.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, (Algorithm, DecodingKey)>,
    fetched: Option<Instant>,
    /// The last attempt, whatever came of it.
    tried: Option<Instant>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    role: Option<String>,
    exp: u64,
}

impl SupabaseIdentity {
    pub fn new(options: &IdentityOptions) -> Result<SupabaseIdentity> {
        let auth = format!("{}/auth/v1", options.url.trim_end_matches('/'));
        let secret = options.jwt_secret.as_ref();
        let inner = Inner {
            http: Http::new(options.ca_file.as_deref(), TIMEOUT)?,
            jwks_url: format!("{auth}/.well-known/jwks.json"),
            issuer: options.issuer.clone().unwrap_or(auth),
            audience: options.audience.clone().unwrap_or_else(|| AUDIENCE.into()),
            secret: secret.map(|secret| DecodingKey::from_secret(secret.as_bytes())),
            service_key: options.service_key.as_ref().map(|key| digest(key)),
            keys: RwLock::default(),
            fetching: Mutex::new(()),
        };
        Ok(SupabaseIdentity { inner: Arc::new(inner) })
    }

    /// Fetches the keys now and answers their ids.
    pub async fn fetch(&self) -> Result<Vec<String>> {
        self.inner.fetch().await?;
        let keys = self.inner.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<String> = keys.by_id.keys().cloned().collect();
        ids.sort();
        Ok(ids)
    }
}

#[async_trait]
impl Identity for SupabaseIdentity {
    async fn verify(&self, token: &str) -> Result<std::result::Result<Claims, Refusal>> {
        let inner = &*self.inner;
        // Of digests the time to compare tells nothing.
        if inner.service_key.is_some_and(|key| key == digest(token)) {
            return Ok(Ok(Claims { user: NOBODY.into(), role: SERVICE.into(), expires: NEVER_MS }));
        }
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(Err(Refusal::Malformed)) };
        match header.alg {
            Algorithm::ES256 | Algorithm::RS256 => inner.by_public_key(token, &header).await,
            Algorithm::HS256 => Ok(inner.by_secret(token)),
            _ => Ok(Err(Refusal::BadSignature)),
        }
    }
}

impl Inner {
    async fn by_public_key(
        &self,
        token: &str,
        header: &Header,
    ) -> Result<std::result::Result<Claims, Refusal>> {
        let Some(id) = &header.kid else { return Ok(Err(Refusal::BadSignature)) };
        let mut found = self.known(id);
        if found.is_none() || self.is_stale() {
            match self.refresh(id).await {
                Ok(()) => found = self.known(id),
                // The keys at hand go on.
                Err(error) if found.is_some() => {
                    tracing::warn!(%error, "the public keys cannot be fetched; those at hand go on");
                }
                Err(error) => return Err(error),
            }
        }
        // The token does not choose how it is verified: a key is for one algorithm.
        let Some((_, key)) = found.filter(|(algorithm, _)| *algorithm == header.alg) else {
            return Ok(Err(Refusal::BadSignature));
        };
        Ok(self.claims(token, &key, header.alg))
    }

    fn by_secret(&self, token: &str) -> std::result::Result<Claims, Refusal> {
        let Some(secret) = &self.secret else { return Err(Refusal::BadSignature) };
        let claims = self.claims(token, secret, Algorithm::HS256);
        if claims.is_ok() {
            return claims;
        }
        // One of the older API keys: a token without audience, of which only the service's has a use here.
        let mut validation = validation(Algorithm::HS256);
        validation.validate_aud = false;
        validation.set_issuer(&[OLD_KEYS_ISSUER]);
        match jsonwebtoken::decode::<Token>(token, secret, &validation) {
            Ok(data) if data.claims.role.as_deref() == Some(SERVICE) => {
                Ok(Claims { user: NOBODY.into(), role: SERVICE.into(), expires: expiry(&data.claims) })
            }
            _ => claims,
        }
    }

    fn claims(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> std::result::Result<Claims, Refusal> {
        let mut validation = validation(algorithm);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        match jsonwebtoken::decode::<Token>(token, key, &validation) {
            Ok(data) => {
                let expires = expiry(&data.claims);
                let role = data.claims.role.unwrap_or_default();
                let user = match data.claims.sub {
                    Some(user) if !user.is_empty() => user,
                    _ if role == SERVICE => NOBODY.into(),
                    _ => return Err(Refusal::Malformed),
                };
                Ok(Claims { user, role, expires })
            }
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Refusal::Expired,
                ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::InvalidIssuer => {
                    Refusal::BadSignature
                }
                ErrorKind::InvalidAudience => Refusal::WrongAudience,
                _ => Refusal::Malformed,
            }),
        }
    }

    fn known(&self, id: &str) -> Option<(Algorithm, DecodingKey)> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    fn is_stale(&self) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.fetched.is_none_or(|at| at.elapsed() >= LIFETIME)
    }

    /// Fetches the keys, unless somebody just has. For an id that is not known.
    async fn refresh(&self, id: &str) -> Result<()> {
        let _one = self.fetching.lock().await;
        let (tried, fetched) = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            (keys.tried.is_some_and(|at| at.elapsed() < REFETCH), keys.fetched.is_some())
        };
        if self.known(id).is_some() && !self.is_stale() {
            return Ok(());
        }
        match (tried, fetched) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::Unavailable("the public keys could not be fetched just now".into())),
            (false, _) => self.fetch().await,
        }
    }

    async fn fetch(&self) -> Result<()> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).tried = Some(Instant::now());
        let answer = self.http.send(Method::GET, &self.jwks_url, &[], None).await?;
        if !answer.status.is_success() {
            return Err(Error::Unavailable(format!("{} answered {}", self.jwks_url, answer.status)));
        }
        let set: JwkSet = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Unavailable(format!("{} holds no keys: {error}", self.jwks_url)))?;
        let mut by_id = HashMap::new();
        for jwk in &set.keys {
            let algorithm = match &jwk.algorithm {
                AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                    Algorithm::ES256
                }
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                // A shared secret is never published, and other curves are not used.
                _ => continue,
            };
            if let (Some(id), Ok(key)) = (&jwk.common.key_id, DecodingKey::from_jwk(jwk)) {
                by_id.insert(id.clone(), (algorithm, key));
            }
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.by_id = by_id;
        keys.fetched = Some(Instant::now());
        Ok(())
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation
}

fn expiry(token: &Token) -> Millis {
    token.exp.saturating_mul(1000)
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
