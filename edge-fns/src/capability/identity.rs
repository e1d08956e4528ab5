//! Token verification. It stays in the host: keys and JWKS caches outlive an instance.

use super::{Millis, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub user: String,
    /// `authenticated` for traders, `service_role` for administrators.
    pub role: String,
    #[serde(with = "crate::json")]
    pub expires: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Malformed,
    Expired,
    BadSignature,
    WrongAudience,
}

#[async_trait]
pub trait Identity: Send + Sync {
    async fn verify(&self, token: &str) -> Result<core::result::Result<Claims, Refusal>>;
}
