//! Users, their passwords and their refresh tokens, in a file of their own.

use super::keys::now_s;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 128;
/// Sign-ins that may fail for one address within [`WINDOW`].
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// A refresh token that nobody has used for this long is no longer taken.
const REFRESH_S: u64 = 30 * 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub email: String,
    /// Seconds since the Unix epoch.
    pub created_at: u64,
}

/// Why an account could not be made or entered.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("this is no e-mail address")]
    BadEmail,
    #[error("a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")]
    WeakPassword,
    #[error("this address has an account")]
    EmailExists,
    #[error("address or password is wrong")]
    InvalidCredentials,
    #[error("this refresh token is unknown or has been used")]
    UnknownRefreshToken,
    #[error("too many failed attempts for this address, try again in a minute")]
    TooMany,
    #[error("the accounts cannot be read or written: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("{0}")]
    Internal(String),
}

pub struct Accounts {
    connection: Mutex<Connection>,
    /// Failed sign-ins by address, since when.
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Accounts {
    pub fn open(path: &Path) -> anyhow::Result<Accounts> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS users (
                 id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
                 created_at INTEGER NOT NULL
             );
             -- Only a hash is kept: whoever reads the file cannot sign in with it.
             CREATE TABLE IF NOT EXISTS refresh_tokens (
                 hash BLOB NOT NULL PRIMARY KEY, user TEXT NOT NULL, created_at INTEGER NOT NULL
             );",
        )?;
        Ok(Accounts { connection: Mutex::new(connection), failures: Mutex::default() })
    }

    /// A new account. Takes as long as the password's hash takes: call it off the async threads.
    pub fn sign_up(&self, email: &str, password: &str) -> Result<User, AccountError> {
        let email = normal(email)?;
        if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&password.chars().count()) {
            return Err(AccountError::WeakPassword);
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        let hash = hash.map_err(|error| AccountError::Internal(error.to_string()))?.to_string();
        let user = User { id: uuid()?, email, created_at: now_s() };
        let added = self.lock().execute(
            "INSERT INTO users (id, email, password, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            (&user.id, &user.email, hash, user.created_at as i64),
        )?;
        if added == 0 { Err(AccountError::EmailExists) } else { Ok(user) }
    }

    /// The user of this address and password. Takes as long as the password's hash takes.
    pub fn sign_in(&self, email: &str, password: &str) -> Result<User, AccountError> {
        let email = normal(email).map_err(|_| AccountError::InvalidCredentials)?;
        self.admit(&email)?;
        let found = self
            .lock()
            .query_row(
                "SELECT id, email, created_at, password FROM users WHERE email = ?1",
                [&email],
                |row| Ok((user(row)?, row.get::<_, String>(3)?)),
            )
            .optional()?;
        let Some((user, stored)) = found else {
            // As much work as for a wrong password, so that the time does not tell which addresses exist.
            let _ = Argon2::default().hash_password(password.as_bytes());
            return Err(self.failed(email));
        };
        let hash = PasswordHash::new(&stored).map_err(|error| AccountError::Internal(error.to_string()))?;
        match Argon2::default().verify_password(password.as_bytes(), &hash) {
            Ok(()) => Ok(user),
            Err(_) => Err(self.failed(email)),
        }
    }

    /// A token that can be exchanged, once, for new ones.
    pub fn refresh_token(&self, user: &str) -> Result<String, AccountError> {
        let token = BASE64.encode(random::<24>()?);
        self.lock().execute(
            "INSERT INTO refresh_tokens (hash, user, created_at) VALUES (?1, ?2, ?3)",
            (digest(&token), user, now_s() as i64),
        )?;
        Ok(token)
    }

    /// The user whose refresh token this was; it is used up.
    pub fn use_refresh_token(&self, token: &str) -> Result<User, AccountError> {
        let connection = self.lock();
        let taken: Option<(String, i64)> = connection
            .query_row(
                "DELETE FROM refresh_tokens WHERE hash = ?1 RETURNING user, created_at",
                [digest(token)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let (id, created_at) = taken.ok_or(AccountError::UnknownRefreshToken)?;
        if now_s().saturating_sub(created_at as u64) > REFRESH_S {
            return Err(AccountError::UnknownRefreshToken);
        }
        find(&connection, &id)?.ok_or(AccountError::UnknownRefreshToken)
    }

    /// Signs the user out everywhere.
    pub fn sign_out(&self, user: &str) -> Result<(), AccountError> {
        self.lock().execute("DELETE FROM refresh_tokens WHERE user = ?1", [user])?;
        Ok(())
    }

    pub fn user(&self, id: &str) -> Result<Option<User>, AccountError> {
        Ok(find(&self.lock(), id)?)
    }

    fn admit(&self, email: &str) -> Result<(), AccountError> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (_, since)| since.elapsed() < WINDOW);
        if failures.get(email).is_some_and(|(count, _)| *count >= FAILURES) {
            return Err(AccountError::TooMany);
        }
        Ok(())
    }

    fn failed(&self, email: String) -> AccountError {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(email).or_insert((0, Instant::now())).0 += 1;
        AccountError::InvalidCredentials
    }

    /// Every use is one statement: a panic in between leaves nothing half-done.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<User>> {
    connection.query_row("SELECT id, email, created_at FROM users WHERE id = ?1", [id], user).optional()
}

fn user(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    Ok(User { id: row.get(0)?, email: row.get(1)?, created_at: row.get::<_, i64>(2)? as u64 })
}

/// Lower case, one `@` with something on both sides, no spaces: the rest is the mail server's to judge.
fn normal(email: &str) -> Result<String, AccountError> {
    let email = email.trim().to_lowercase();
    let plain = email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    match email.split_once('@') {
        Some((name, host)) if plain && !name.is_empty() && host.contains('.') && !host.contains('@') => {
            Ok(email)
        }
        _ => Err(AccountError::BadEmail),
    }
}

fn random<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| AccountError::Internal(error.to_string()))?;
    Ok(bytes)
}

/// A random (version 4) UUID.
fn uuid() -> Result<String, AccountError> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_made_entered_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("auth.db")).unwrap();
        let ann = accounts.sign_up(" Ann@Example.com ", "correct horse").unwrap();
        assert_eq!(ann.email, "ann@example.com");
        assert!(matches!(accounts.sign_up("ann@example.com", "another one"), Err(AccountError::EmailExists)));
        assert!(matches!(accounts.sign_up("b@example.com", "short"), Err(AccountError::WeakPassword)));
        assert!(matches!(accounts.sign_up("no address", "long enough"), Err(AccountError::BadEmail)));
        assert_eq!(accounts.sign_in("ann@example.com", "correct horse").unwrap(), ann);
        let token = accounts.refresh_token(&ann.id).unwrap();
        assert_eq!(accounts.use_refresh_token(&token).unwrap(), ann);
        assert!(matches!(accounts.use_refresh_token(&token), Err(AccountError::UnknownRefreshToken)), "once");
        let token = accounts.refresh_token(&ann.id).unwrap();
        accounts.sign_out(&ann.id).unwrap();
        assert!(accounts.use_refresh_token(&token).is_err());
        for _ in 0..FAILURES {
            assert!(matches!(
                accounts.sign_in("ann@example.com", "wrong"),
                Err(AccountError::InvalidCredentials)
            ));
        }
        assert!(matches!(accounts.sign_in("ann@example.com", "correct horse"), Err(AccountError::TooMany)));
    }
}
