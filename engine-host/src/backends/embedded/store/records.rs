//! What the exchange's own pages show of the books: a user's fills, everybody's balances, the dead letters.

use super::{Store, broken};
use crate::backends::records::{
    Account, DeadLetter, Fill, FillPlace, History, LONGEST_BODY, Ledger, Letters, Total,
};
use async_trait::async_trait;
use edge_fns::capability::Result;
use rusqlite::Row;

/// Both sides are read along an index of their own, and no more of either than the page needs.
const FILLS: &str = "
    SELECT executed_at, seq, symbol, side, fill_id, order_id, price, quantity, took FROM (
        SELECT * FROM (
            SELECT executed_at, seq, symbol, 'BUY' AS side, fill_id, buyer_order AS order_id, price, quantity,
                   taker = 'BUY' AS took
            FROM trade_history
            WHERE buyer_user = ?1 AND (?2 = '' OR symbol = ?2) AND (executed_at, seq, symbol) <= (?3, ?4, ?5)
              AND NOT ((executed_at, seq, symbol) = (?3, ?4, ?5) AND 'BUY' >= ?6)
            ORDER BY executed_at DESC, seq DESC, symbol DESC LIMIT ?7)
        UNION ALL
        SELECT * FROM (
            SELECT executed_at, seq, symbol, 'SELL' AS side, fill_id, seller_order AS order_id, price, quantity,
                   taker = 'SELL' AS took
            FROM trade_history
            WHERE seller_user = ?1 AND (?2 = '' OR symbol = ?2) AND (executed_at, seq, symbol) <= (?3, ?4, ?5)
              AND NOT ((executed_at, seq, symbol) = (?3, ?4, ?5) AND 'SELL' >= ?6)
            ORDER BY executed_at DESC, seq DESC, symbol DESC LIMIT ?7))
    ORDER BY executed_at DESC, seq DESC, symbol DESC, side DESC LIMIT ?7";

const ACCOUNTS: &str = "
    SELECT user, asset, available, locked FROM accounts
    WHERE (user, asset) > (?1, ?2) AND instr(user, ?3) > 0 ORDER BY user, asset LIMIT ?4";

const DEAD_LETTERS: &str = "
    SELECT consumer, stream, shard, sequence, arrived, reason, body FROM dead_letters
    ORDER BY arrived DESC, consumer, stream, shard, sequence DESC LIMIT ?1";

#[async_trait]
impl History for Store {
    async fn fills(
        &self,
        user: &str,
        symbol: Option<&str>,
        behind: Option<FillPlace>,
        limit: u32,
    ) -> Result<Vec<Fill>> {
        let (user, symbol) = (user.to_owned(), symbol.unwrap_or_default().to_owned());
        let FillPlace { t, seq, side, symbol: last } = behind.unwrap_or_else(FillPlace::start);
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(FILLS).map_err(broken)?;
            let rows = statement.query_map((user, symbol, t, seq, last, side, limit), |row: &Row<'_>| {
                Ok(Fill {
                    t: row.get(0)?,
                    seq: row.get(1)?,
                    symbol: row.get(2)?,
                    side: row.get(3)?,
                    fill_id: row.get(4)?,
                    order_id: row.get(5)?,
                    price: row.get(6)?,
                    quantity: row.get(7)?,
                    taker: row.get(8)?,
                })
            });
            rows.map_err(broken)?.collect::<rusqlite::Result<_>>().map_err(broken)
        })
        .await
    }
}

#[async_trait]
impl Ledger for Store {
    async fn accounts(
        &self,
        containing: &str,
        behind: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Account>> {
        let (user, asset) = behind.unwrap_or_default();
        let containing = containing.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(ACCOUNTS).map_err(broken)?;
            let rows = statement.query_map((user, asset, containing, limit), |row: &Row<'_>| {
                Ok(Account {
                    user_id: row.get(0)?,
                    asset: row.get(1)?,
                    available: row.get(2)?,
                    locked: row.get(3)?,
                })
            });
            rows.map_err(broken)?.collect::<rusqlite::Result<_>>().map_err(broken)
        })
        .await
    }

    async fn totals(&self) -> Result<Vec<Total>> {
        Store::totals(self).await
    }

    async fn verify(&self) -> Result<Vec<String>> {
        Store::verify(self).await
    }
}

#[async_trait]
impl Letters for Store {
    async fn newest_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(DEAD_LETTERS).map_err(broken)?;
            let rows = statement.query_map((limit,), |row: &Row<'_>| {
                let mut body: Vec<u8> = row.get(6)?;
                body.truncate(LONGEST_BODY);
                Ok(DeadLetter {
                    consumer: row.get(0)?,
                    stream: row.get(1)?,
                    shard: row.get(2)?,
                    sequence: row.get(3)?,
                    arrived: row.get(4)?,
                    reason: row.get(5)?,
                    body: String::from_utf8_lossy(&body).into_owned(),
                })
            });
            rows.map_err(broken)?.collect::<rusqlite::Result<_>>().map_err(broken)
        })
        .await
    }

    async fn dead_letters(&self) -> Result<u64> {
        Store::dead_letters(self).await
    }
}
