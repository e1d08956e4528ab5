//! The partitions of the trade history: a month each, made ahead, and on demand for a fill of any other month.

use super::time::{Instant, Month};
use super::{Postgres, failure};
use edge_fns::capability::{Error, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many months after this one have their partition made.
const AHEAD: usize = 2;
const AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Of the advisory lock under which partitions are made, one after the other.
const LOCK: i64 = 0x7375_7065_726e_6f01;

impl Postgres {
    /// Makes the partitions of the month of `now` and of those after it.
    pub(super) async fn ensure_partitions(&self, now: Instant) -> Result<()> {
        let month = Month::of(now).ok_or_else(|| Error::Invalid("the clock is past the year 9999".into()))?;
        let months = std::iter::successors(Some(month), |month| Some(month.next())).take(AHEAD + 1);
        self.make_partitions(months.collect()).await
    }

    /// Makes the partitions of these fills.
    pub(super) async fn make_partitions_of(&self, times: &[Instant]) -> Result<()> {
        let month = |time: &Instant| {
            Month::of(*time).ok_or_else(|| Error::Invalid("a fill is of a year past 9999".into()))
        };
        self.make_partitions(times.iter().map(month).collect::<Result<_>>()?).await
    }

    async fn make_partitions(&self, months: BTreeSet<Month>) -> Result<()> {
        let mut client = self.lease().await?;
        for month in months {
            let name = format!("trade_history_{:04}_{:02}", month.year, month.month);
            let transaction = client.transaction().await.map_err(failure)?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failure)?;
            let there = "SELECT to_regclass($1) IS NOT NULL";
            if transaction.query_one(there, &[&name]).await.map_err(failure)?.get(0) {
                continue;
            }
            // Made apart and then attached: readers and writers of the history go on meanwhile.
            let (from, to) = (month.start(), month.next().start());
            transaction
                .batch_execute(&format!(
                    "SET LOCAL lock_timeout = '10s';
                     CREATE TABLE {name} (LIKE trade_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
                     ALTER TABLE trade_history ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');"
                ))
                .await
                .map_err(failure)?;
            transaction.commit().await.map_err(failure)?;
            tracing::info!(partition = name, "partition of the trade history made");
        }
        Ok(())
    }

    /// Keeps partitions made ahead, for as long as the caller runs it.
    pub async fn keep_partitions(self) {
        loop {
            tokio::time::sleep(AGAIN).await;
            if let Err(error) = self.ensure_partitions(super::time::now()).await {
                tracing::warn!(%error, "partitions were not made ahead; a fill that needs one makes it");
            }
        }
    }
}
