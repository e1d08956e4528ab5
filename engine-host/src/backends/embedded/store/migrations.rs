//! The schema, step by step; a file says how far it has come in `user_version`.

use super::broken;
use edge_fns::capability::{Error, Result};
use rusqlite::Connection;

/// Each step runs once, in its own transaction. Steps are only ever added.
const STEPS: [&str; 2] = ["
    CREATE TABLE documents (
        tbl TEXT NOT NULL, part TEXT NOT NULL, sort TEXT NOT NULL,
        version INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (tbl, part, sort)
    ) WITHOUT ROWID;

    -- Balances. Amounts are in the asset's smallest unit; neither may go below zero.
    CREATE TABLE accounts (
        user TEXT NOT NULL, asset TEXT NOT NULL,
        available INTEGER NOT NULL CHECK (available >= 0),
        locked INTEGER NOT NULL CHECK (locked >= 0),
        PRIMARY KEY (user, asset)
    ) WITHOUT ROWID;

    -- What of `locked` belongs to which order. A closed hold stays, so that its reserve is known to have been.
    CREATE TABLE holds (
        hold TEXT NOT NULL PRIMARY KEY,
        user TEXT NOT NULL, asset TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    ) WITHOUT ROWID;

    -- The other side of deposits and withdrawals: what came in less what went out.
    CREATE TABLE outside (asset TEXT NOT NULL PRIMARY KEY, deposited INTEGER NOT NULL) WITHOUT ROWID;

    -- Every movement that took effect, by its name, with its legs as JSON: [[user, asset, available, locked], …].
    CREATE TABLE journal (name TEXT NOT NULL PRIMARY KEY, legs TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE trade_history (
        fill_id TEXT NOT NULL PRIMARY KEY,
        symbol TEXT NOT NULL, seq INTEGER NOT NULL, executed_at INTEGER NOT NULL,
        price INTEGER NOT NULL, quantity INTEGER NOT NULL, taker TEXT NOT NULL,
        buyer_order TEXT NOT NULL, buyer_user TEXT NOT NULL,
        seller_order TEXT NOT NULL, seller_user TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX trade_history_by_time ON trade_history (symbol, executed_at, seq);

    CREATE TABLE dead_letters (
        consumer TEXT NOT NULL, stream TEXT NOT NULL, shard INTEGER NOT NULL, sequence INTEGER NOT NULL,
        arrived INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (consumer, stream, shard, sequence)
    ) WITHOUT ROWID;
", "
    -- A user's own fills, newest first.
    CREATE INDEX trade_history_of_buyer ON trade_history (buyer_user, executed_at, seq, symbol);
    CREATE INDEX trade_history_of_seller ON trade_history (seller_user, executed_at, seq, symbol);
"];

pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let done: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(broken)?;
    if done as usize > STEPS.len() {
        return Err(Error::Invalid(format!(
            "the store is of a later version ({done}) than this program knows ({}): use the newer program",
            STEPS.len()
        )));
    }
    for (number, step) in STEPS.iter().enumerate().skip(done as usize) {
        let transaction = connection.transaction().map_err(broken)?;
        transaction.execute_batch(step).map_err(broken)?;
        transaction.pragma_update(None, "user_version", (number + 1) as u32).map_err(broken)?;
        transaction.commit().map_err(broken)?;
    }
    Ok(())
}
