//! The schema, step by step; the database keeps which steps it has.

use super::failure;
use edge_fns::capability::{Error, Result};
use sha2::{Digest, Sha256};
use tokio_postgres::Client;

/// Each step runs once, in its own transaction. Steps are only ever added.
const STEPS: [(&str, &str); 2] = [
    ("trade_history", include_str!("migrations/0001_trade_history.sql")),
    ("dead_letters", include_str!("migrations/0002_dead_letters.sql")),
];
/// Of the advisory lock that lets one process migrate at a time.
const LOCK: i64 = 0x7375_7065_726e_6f00;

pub(super) fn known() -> u32 {
    STEPS.len() as u32
}

/// How many steps the database has.
pub(super) async fn applied(client: &Client) -> Result<u32> {
    let there = client.query_one("SELECT to_regclass('supernoba_migrations') IS NOT NULL", &[]).await;
    if !there.map_err(failure)?.get::<_, bool>(0) {
        return Ok(0);
    }
    let row =
        client.query_one("SELECT count(*)::int FROM supernoba_migrations", &[]).await.map_err(failure)?;
    Ok(row.get::<_, i32>(0) as u32)
}

pub(super) async fn migrate(client: &mut Client) -> Result<()> {
    let transaction = client.transaction().await.map_err(failure)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failure)?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS supernoba_migrations (
                 version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
                 applied_at timestamptz NOT NULL DEFAULT now()
             )",
        )
        .await
        .map_err(failure)?;
    let rows =
        transaction.query("SELECT version, sha256 FROM supernoba_migrations ORDER BY version", &[]).await;
    let done: Vec<(i32, String)> =
        rows.map_err(failure)?.iter().map(|row| (row.get(0), row.get(1))).collect();
    if done.len() > STEPS.len() {
        return Err(Error::Invalid(format!(
            "the database is of a later version ({}) than this program knows ({}): use the newer program",
            done.len(),
            STEPS.len()
        )));
    }
    for (n, (name, text)) in STEPS.iter().enumerate() {
        let (version, digest) = (n as i32 + 1, digest(text));
        match done.get(n) {
            Some((_, applied)) if *applied == digest => continue,
            Some(_) => {
                return Err(Error::Invalid(format!(
                    "migration {version} ({name}) was applied with another text"
                )));
            }
            None => {}
        }
        transaction.batch_execute(text).await.map_err(failure)?;
        let note = "INSERT INTO supernoba_migrations (version, name, sha256) VALUES ($1, $2, $3)";
        transaction.execute(note, &[&version, name, &digest]).await.map_err(failure)?;
        tracing::info!(version, name, "migration applied");
    }
    transaction.commit().await.map_err(failure)
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
