//! The demo balance of `up`: every account that is new to the wallets gets it once.
//!
//! A wallet in front of the wallet: whoever is seen for the first time is given cash, and stock of each tradable symbol,
//! by deposits whose names make them happen once, however often they are tried.

use async_trait::async_trait;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::wallet::{Amount, Asset, Balance, Movement, Posted};
use edge_fns::capability::{Cache, Result, Wallet};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

pub struct DemoGrant {
    wallet: Arc<dyn Wallet>,
    cache: Arc<dyn Cache>,
    cash: Amount,
    stock: Amount,
    /// Grants that this process knows to be done: user and asset.
    granted: Mutex<HashSet<(String, Asset)>>,
}

impl DemoGrant {
    pub fn new(wallet: Arc<dyn Wallet>, cache: Arc<dyn Cache>, cash: Amount, stock: Amount) -> DemoGrant {
        DemoGrant { wallet, cache, cash, stock, granted: Mutex::default() }
    }

    async fn grant(&self, user: &str, assets: Vec<Asset>) -> Result<()> {
        let missing: Vec<_> = {
            let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
            assets.into_iter().filter(|asset| !granted.contains(&(user.to_string(), asset.clone()))).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let deposit = |asset: &Asset| {
            let (name, amount) = match asset {
                Asset::Cash => ("CASH", self.cash),
                Asset::Stock(symbol) => (symbol.as_str(), self.stock),
            };
            Movement::Deposit {
                id: format!("demo/{user}/{name}"),
                user: user.into(),
                asset: asset.clone(),
                amount,
            }
        };
        for posted in self.wallet.post(missing.iter().map(deposit).collect()).await? {
            posted?;
        }
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.extend(missing.into_iter().map(|asset| (user.to_string(), asset)));
        Ok(())
    }

    async fn stocks(&self) -> Result<Vec<Asset>> {
        let replies = self.cache.run(vec![Command::Smembers("active:symbols".into())]).await?;
        let Some(Ok(Reply::Values(symbols))) = replies.into_iter().next() else { return Ok(Vec::new()) };
        Ok(symbols
            .into_iter()
            .flatten()
            .filter_map(|s| String::from_utf8(s).ok())
            .map(Asset::Stock)
            .collect())
    }
}

#[async_trait]
impl Wallet for DemoGrant {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        for movement in &movements {
            // Only who spends has to have been given before; a fill's other half has spent before it.
            if let Movement::Reserve { user, asset, .. } = movement {
                self.grant(user, vec![asset.clone()]).await?;
            }
        }
        self.wallet.post(movements).await
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        let mut assets = vec![Asset::Cash];
        assets.extend(self.stocks().await?);
        self.grant(user, assets).await?;
        self.wallet.balances(user).await
    }
}
