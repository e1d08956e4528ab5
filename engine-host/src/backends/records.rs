//! What is on record, as the exchange's own pages show it: no function has these.

use async_trait::async_trait;
use edge_fns::capability::Result;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The longest body of a dead letter that is shown, in bytes.
pub const LONGEST_BODY: usize = 4096;

/// One side of a fill, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fill {
    pub fill_id: String,
    pub order_id: String,
    pub symbol: String,
    pub seq: i64,
    pub side: String,
    pub price: i64,
    pub quantity: i64,
    /// The user's order was the one that took.
    pub taker: bool,
    /// Epoch milliseconds.
    pub t: i64,
}

/// A fill as the history has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub fill_id: String,
    pub symbol: String,
    pub seq: i64,
    /// Epoch milliseconds.
    pub executed_at: i64,
    pub price: i64,
    pub quantity: i64,
    pub buyer_order: String,
    pub buyer_user: String,
    pub seller_order: String,
    pub seller_user: String,
    /// `BUY` or `SELL`
    pub taker: String,
}

/// Where a page of fills ends: a user who traded with himself has both sides of one fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillPlace {
    pub t: i64,
    pub seq: i64,
    pub side: String,
    pub symbol: String,
}

impl FillPlace {
    /// Before the newest.
    pub(crate) fn start() -> FillPlace {
        FillPlace { t: i64::MAX, seq: i64::MAX, side: String::new(), symbol: String::new() }
    }

    pub fn encode(&self) -> String {
        format!("{}-{}-{}-{}", self.t, self.seq, self.side, self.symbol)
    }

    pub fn decode(text: &str) -> Option<FillPlace> {
        let mut parts = text.splitn(4, '-');
        let (t, seq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let side = parts.next().filter(|side| matches!(*side, "BUY" | "SELL"))?;
        let symbol = parts.next().filter(|symbol| engine_core::wire::is_symbol(symbol))?;
        Some(FillPlace { t, seq, side: side.into(), symbol: symbol.into() })
    }
}

/// One asset of one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    pub user_id: String,
    pub asset: String,
    pub available: i64,
    pub locked: i64,
}

/// A record that no retry could process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    pub consumer: String,
    pub stream: String,
    pub shard: u32,
    pub sequence: i64,
    /// Epoch milliseconds.
    pub arrived: i64,
    pub reason: String,
    /// As text; what is none of it is replaced, and a long one is cut.
    pub body: String,
}

/// Sums of one asset over all users. `available + locked` is `deposited`, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    pub asset: String,
    pub available: i64,
    pub locked: i64,
    /// What came from outside less what went there.
    pub deposited: i64,
}

/// The trade history, by user.
#[async_trait]
pub trait History: Send + Sync {
    /// A user's fills behind a place, newest first, of one symbol or all.
    async fn fills(
        &self,
        user: &str,
        symbol: Option<&str>,
        behind: Option<FillPlace>,
        limit: u32,
    ) -> Result<Vec<Fill>>;
}

/// The wallets of all users.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Balances of the users whose ids contain a text, behind one of them, by user and asset.
    async fn accounts(
        &self,
        containing: &str,
        behind: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Account>>;
    /// Sums over all users, by asset.
    async fn totals(&self) -> Result<Vec<Total>>;
    /// Recomputes every balance from the journal and every lock from the holds; answers what does not agree.
    async fn verify(&self) -> Result<Vec<String>>;
}

/// The dead letters, read.
#[async_trait]
pub trait Letters: Send + Sync {
    /// The newest of the records that no retry could process.
    async fn newest_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>>;
    /// How many there are.
    async fn dead_letters(&self) -> Result<u64>;
}

/// Everything on record, wherever each part of it lies.
#[derive(Clone)]
pub struct Records {
    pub history: Arc<dyn History>,
    pub ledger: Arc<dyn Ledger>,
    pub letters: Arc<dyn Letters>,
}

impl Records {
    /// All of it in one place.
    pub fn of<T: History + Ledger + Letters + Clone + 'static>(store: &T) -> Records {
        Records {
            history: Arc::new(store.clone()),
            ledger: Arc::new(store.clone()),
            letters: Arc::new(store.clone()),
        }
    }
}
