//! Accounts of the embedded mode, with the surface of Supabase Auth, so that the page and the functions have one way
//! everywhere: ES256 tokens, a JWKS, passwords hashed with argon2id, refresh tokens that are used once.

mod accounts;
mod http;
mod keys;

pub use accounts::{Accounts, User};
pub use http::{jwks, routes, service_token};
pub use keys::{Keys, write_secret};

use async_trait::async_trait;
use edge_fns::capability::identity::{Claims, Refusal};
use edge_fns::capability::{Identity, Result};
use std::path::Path;
use std::sync::Arc;

/// Accounts and the keys that sign for them.
#[derive(Clone)]
pub struct Auth {
    pub accounts: Arc<Accounts>,
    pub keys: Arc<Keys>,
}

impl Auth {
    /// Opens or creates both in this folder.
    pub fn open(folder: &Path) -> anyhow::Result<Auth> {
        std::fs::create_dir_all(folder)?;
        let keys = Keys::open(&folder.join("jwt-key.pem"))?;
        let accounts = Accounts::open(&folder.join("auth.db"))?;
        Ok(Auth { accounts: Arc::new(accounts), keys: Arc::new(keys) })
    }
}

#[async_trait]
impl Identity for Auth {
    async fn verify(&self, token: &str) -> Result<std::result::Result<Claims, Refusal>> {
        Ok(self.keys.verify(token))
    }
}
