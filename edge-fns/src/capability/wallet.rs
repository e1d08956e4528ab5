//! Money. Double entry: every movement has two sides that sum to zero, available and locked never go negative,
//! and the sum over all accounts changes only by deposits and withdrawals.
//!
//! Every movement names itself and may be repeated safely: the repetition answers [`Posted::Repeated`] and changes
//! nothing. Movements of one call are applied in order, each of them wholly or not at all; after one that answers an
//! error the rest of the call is not tried and answers `Unavailable`, so that a movement never overtakes an earlier
//! one of the same hold.

use super::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Smallest unit of the asset: the cash unit, or one lot of the stock. At most `i64::MAX` in any one balance.
pub type Amount = u64;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asset {
    Cash,
    Stock(String),
}

/// One side of a fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub user: String,
    /// The hold that pays: the order's id.
    pub hold: String,
    /// Goes back from the hold to available besides what the fill takes: a buyer's price improvement.
    #[serde(with = "crate::json")]
    pub refund: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// available → locked, under a hold of this name. Named by the hold: a hold is opened once.
    Reserve {
        hold: String,
        user: String,
        asset: Asset,
        #[serde(with = "crate::json")]
        amount: Amount,
    },
    /// All that is left in the hold → available. Named by the hold; an unknown hold is opened and closed at once, so
    /// that a reserve that arrives late finds it spent and takes nothing.
    Release { hold: String },
    /// `absorb` (if any) is merged into `hold`, then everything above `keep` → available.
    Adjust {
        id: String,
        hold: String,
        absorb: Option<String>,
        #[serde(with = "crate::json")]
        keep: Amount,
    },
    /// The buyer's hold pays `cash` to the seller, the seller's hold gives `quantity` of the symbol to the buyer,
    /// both get their refunds. Named by the fill.
    Settle {
        fill: String,
        symbol: String,
        #[serde(with = "crate::json")]
        cash: Amount,
        #[serde(with = "crate::json")]
        quantity: Amount,
        buyer: Party,
        seller: Party,
    },
    /// From outside into available.
    Deposit {
        id: String,
        user: String,
        asset: Asset,
        #[serde(with = "crate::json")]
        amount: Amount,
    },
    /// From available to the outside.
    Withdraw {
        id: String,
        user: String,
        asset: Asset,
        #[serde(with = "crate::json")]
        amount: Amount,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posted {
    Done,
    /// This movement took effect before.
    Repeated,
    /// Nothing moved: this much was there (available for a reserve or withdrawal, in the hold for a settlement).
    Insufficient(#[serde(with = "crate::json")] Amount),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub asset: Asset,
    #[serde(with = "crate::json")]
    pub available: Amount,
    #[serde(with = "crate::json")]
    pub locked: Amount,
}

#[async_trait]
pub trait Wallet: Send + Sync {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>>;
    /// Cash first, then stocks by symbol; assets never touched are left out.
    async fn balances(&self, user: &str) -> Result<Vec<Balance>>;
}
