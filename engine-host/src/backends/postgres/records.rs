//! What the exchange's own pages show of the history, and the dead letters.

use super::time::Instant;
use super::{Postgres, failure};
use crate::backends::records::{DeadLetter, Fill, FillPlace, History, LONGEST_BODY, Letters, Trade};
use crate::backends::{DeadLetters, Record};
use async_trait::async_trait;
use edge_fns::capability::{Millis, Result};

/// Both sides are read along an index of their own, and no more of either than the page needs.
const FILLS: &str = "
    SELECT executed_at, seq, symbol, side, fill_id, order_id, price, quantity, took FROM (
        (SELECT executed_at, seq, symbol, 'BUY' AS side, fill_id, buyer_order AS order_id, price, quantity,
                taker = 'BUY' AS took
         FROM trade_history
         WHERE buyer_user = $1 AND ($2::text = '' OR symbol = $2) AND executed_at <= $3
           AND (executed_at, seq, symbol) <= ($3, $4, $5)
           AND NOT ((executed_at, seq, symbol) = ($3, $4, $5) AND 'BUY' >= $6::text)
         ORDER BY executed_at DESC, seq DESC, symbol DESC LIMIT $7)
        UNION ALL
        (SELECT executed_at, seq, symbol, 'SELL' AS side, fill_id, seller_order AS order_id, price, quantity,
                taker = 'SELL' AS took
         FROM trade_history
         WHERE seller_user = $1 AND ($2::text = '' OR symbol = $2) AND executed_at <= $3
           AND (executed_at, seq, symbol) <= ($3, $4, $5)
           AND NOT ((executed_at, seq, symbol) = ($3, $4, $5) AND 'SELL' >= $6::text)
         ORDER BY executed_at DESC, seq DESC, symbol DESC LIMIT $7)) both_sides
    ORDER BY executed_at DESC, seq DESC, symbol DESC, side DESC LIMIT $7";

const BURY: &str = "
    INSERT INTO dead_letters (consumer, stream, shard, sequence, arrived, reason, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (consumer, stream, shard, sequence)
    DO UPDATE SET arrived = EXCLUDED.arrived, reason = EXCLUDED.reason, body = EXCLUDED.body";

const NEWEST: &str = "
    SELECT consumer, stream, shard, sequence, arrived, reason, substr(body, 1, $2) FROM dead_letters
    ORDER BY arrived DESC, consumer, stream, shard, sequence DESC LIMIT $1";

/// A symbol at a time along the index: the next one behind the last, however many rows each has.
const TRADED: &str = "
    WITH RECURSIVE each AS (
        (SELECT symbol FROM trade_history WHERE executed_at >= $1 AND executed_at < $2 ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT symbol FROM trade_history
                WHERE symbol > each.symbol AND executed_at >= $1 AND executed_at < $2 ORDER BY symbol LIMIT 1)
        FROM each WHERE each.symbol IS NOT NULL)
    SELECT symbol FROM each WHERE symbol IS NOT NULL";

const TRADES: &str = "
    SELECT fill_id, symbol, seq, executed_at, price, quantity,
           buyer_order, buyer_user, seller_order, seller_user, taker
    FROM trade_history
    WHERE symbol = $1 AND executed_at >= $2 AND executed_at < $3 AND (executed_at, seq) > ($4, $5)
    ORDER BY executed_at, seq LIMIT $6";

impl Postgres {
    /// Symbols that were traded in `from..to`.
    pub async fn traded(&self, from: Millis, to: Millis) -> Result<Vec<String>> {
        let client = self.lease().await?;
        let rows = client.query(TRADED, &[&Instant(from), &Instant(to)]).await.map_err(failure)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// A symbol's trades in `from..to`, oldest first: a page of them, behind a time and number.
    pub async fn trades(
        &self,
        symbol: &str,
        (from, to): (Millis, Millis),
        behind: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<Trade>> {
        let (time, seq) =
            behind.map_or((Instant(from), -1), |(time, seq)| (Instant(time.max(0) as u64), seq));
        let client = self.lease().await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&symbol, &Instant(from), &Instant(to), &time, &seq, &i64::from(limit)];
        let rows = client.query(TRADES, &parameters).await.map_err(failure)?;
        let trade = |row: &tokio_postgres::Row| Trade {
            fill_id: row.get(0),
            symbol: row.get(1),
            seq: row.get(2),
            executed_at: row.get::<_, Instant>(3).0 as i64,
            price: row.get(4),
            quantity: row.get(5),
            buyer_order: row.get(6),
            buyer_user: row.get(7),
            seller_order: row.get(8),
            seller_user: row.get(9),
            taker: row.get(10),
        };
        Ok(rows.iter().map(trade).collect())
    }
}

#[async_trait]
impl History for Postgres {
    async fn fills(
        &self,
        user: &str,
        symbol: Option<&str>,
        behind: Option<FillPlace>,
        limit: u32,
    ) -> Result<Vec<Fill>> {
        let FillPlace { t, seq, side, symbol: last } = behind.unwrap_or_else(FillPlace::start);
        let (symbol, at) = (symbol.unwrap_or_default(), Instant(t.max(0) as u64));
        let client = self.lease().await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&user, &symbol, &at, &seq, &last, &side, &i64::from(limit)];
        let rows = client.query(FILLS, &parameters).await.map_err(failure)?;
        let fill = |row: &tokio_postgres::Row| Fill {
            t: row.get::<_, Instant>(0).0 as i64,
            seq: row.get(1),
            symbol: row.get(2),
            side: row.get(3),
            fill_id: row.get(4),
            order_id: row.get(5),
            price: row.get(6),
            quantity: row.get(7),
            taker: row.get(8),
        };
        Ok(rows.iter().map(fill).collect())
    }
}

#[async_trait]
impl DeadLetters for Postgres {
    async fn bury(
        &self,
        consumer: &str,
        stream: &str,
        shard: u32,
        record: &Record,
        reason: &str,
    ) -> Result<()> {
        let client = self.lease().await?;
        // PostgreSQL's texts hold every character but this one.
        let reason = reason.replace('\0', "\u{fffd}");
        let (shard, sequence, arrived) = (i64::from(shard), record.sequence as i64, Instant(record.arrived));
        client
            .execute(BURY, &[&consumer, &stream, &shard, &sequence, &arrived, &reason, &record.body])
            .await
            .map(|_| ())
            .map_err(failure)
    }
}

#[async_trait]
impl Letters for Postgres {
    async fn newest_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>> {
        let client = self.lease().await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&i64::from(limit), &(LONGEST_BODY as i32)];
        let rows = client.query(NEWEST, &parameters).await.map_err(failure)?;
        let letter = |row: &tokio_postgres::Row| DeadLetter {
            consumer: row.get(0),
            stream: row.get(1),
            shard: row.get::<_, i64>(2) as u32,
            sequence: row.get(3),
            arrived: row.get::<_, Instant>(4).0 as i64,
            reason: row.get(5),
            body: String::from_utf8_lossy(row.get(6)).into_owned(),
        };
        Ok(rows.iter().map(letter).collect())
    }

    async fn dead_letters(&self) -> Result<u64> {
        let client = self.lease().await?;
        let row = client.query_one("SELECT count(*) FROM dead_letters", &[]).await.map_err(failure)?;
        Ok(row.get::<_, i64>(0) as u64)
    }
}
