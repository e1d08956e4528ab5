//! The wallet, in memory: what the trait's documentation says, in the plainest way.

use super::Memory;
use crate::capability::wallet::{Amount, Asset, Balance, Movement, Party, Posted};
use crate::capability::{Error, Result, Wallet};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub struct Money {
    /// Available and locked.
    pub accounts: BTreeMap<(String, Asset), (Amount, Amount)>,
    pub holds: BTreeMap<String, (String, Asset, Amount)>,
    pub deposited: BTreeMap<Asset, Amount>,
    done: BTreeSet<String>,
}

impl Money {
    /// What does not add up: nothing, always.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut sums: BTreeMap<&Asset, Amount> = BTreeMap::new();
        for ((user, asset), (available, locked)) in &self.accounts {
            *sums.entry(asset).or_default() += available + locked;
            let held = self.holds.values().filter(|(of, what, _)| of == user && what == asset);
            let held: Amount = held.map(|(.., amount)| amount).sum();
            if held != *locked {
                wrong.push(format!("{user} has {locked} of {asset:?} locked, the holds say {held}"));
            }
        }
        for (asset, deposited) in &self.deposited {
            let sum = sums.get(asset).copied().unwrap_or(0);
            if sum != *deposited {
                wrong.push(format!("{deposited} of {asset:?} came in, {sum} is there"));
            }
        }
        wrong
    }

    /// A name that has been used.
    fn is_done(&self, name: &str) -> bool {
        self.done.contains(name)
    }

    fn shift(&mut self, user: &str, asset: &Asset, available: i128, locked: i128) {
        let account = self.accounts.entry((user.into(), asset.clone())).or_default();
        let plus = |amount: Amount, change: i128| (i128::from(amount) + change) as Amount;
        *account = (plus(account.0, available), plus(account.1, locked));
    }

    fn hold(&self, name: &str) -> Result<(String, Asset, Amount)> {
        self.holds.get(name).cloned().ok_or_else(|| Error::Invalid(format!("there is no hold {name:?}")))
    }

    fn pays(&self, party: &Party, asset: &Asset, amount: Amount) -> Result<Option<Amount>> {
        let (user, held, left) = self.hold(&party.hold)?;
        if (&user, &held) != (&party.user, asset) {
            return Err(Error::Invalid(format!(
                "hold {:?} is not {asset:?} of {:?}",
                party.hold, party.user
            )));
        }
        Ok((amount + party.refund > left).then_some(left))
    }

    fn pay(&mut self, party: &Party, asset: &Asset, amount: Amount) {
        let taken = amount + party.refund;
        if let Some((.., left)) = self.holds.get_mut(&party.hold) {
            *left -= taken;
        }
        self.shift(&party.user, asset, party.refund.into(), -i128::from(taken));
    }

    fn post(&mut self, movement: Movement) -> Result<Posted> {
        match movement {
            Movement::Reserve { hold, user, asset, amount } => {
                if self.holds.contains_key(&hold) {
                    return Ok(Posted::Repeated);
                }
                let (available, _) =
                    self.accounts.get(&(user.clone(), asset.clone())).copied().unwrap_or_default();
                if available < amount {
                    return Ok(Posted::Insufficient(available));
                }
                self.shift(&user, &asset, -i128::from(amount), amount.into());
                self.holds.insert(hold, (user, asset, amount));
            }
            Movement::Release { hold } => {
                let Some((user, asset, left)) = self.holds.get_mut(&hold) else {
                    self.holds.insert(hold, (String::new(), Asset::Cash, 0));
                    return Ok(Posted::Done);
                };
                let (user, asset, amount) = (user.clone(), asset.clone(), core::mem::take(left));
                if amount == 0 {
                    return Ok(Posted::Repeated);
                }
                self.shift(&user, &asset, amount.into(), -i128::from(amount));
            }
            Movement::Adjust { id, hold, absorb, keep } => {
                let name = format!("adjust/{id}");
                if self.is_done(&name) {
                    return Ok(Posted::Repeated);
                }
                let (user, asset, mut amount) = self.hold(&hold)?;
                if let Some((.., more)) = absorb.and_then(|absorbed| self.holds.get_mut(&absorbed)) {
                    amount += core::mem::take(more);
                }
                let back = amount.saturating_sub(keep);
                self.shift(&user, &asset, back.into(), -i128::from(back));
                self.holds.insert(hold, (user, asset, amount - back));
                self.done.insert(name);
            }
            Movement::Settle { fill, symbol, cash, quantity, buyer, seller } => {
                let name = format!("settle/{fill}");
                if self.is_done(&name) {
                    return Ok(Posted::Repeated);
                }
                let stock = Asset::Stock(symbol);
                let short = match self.pays(&buyer, &Asset::Cash, cash)? {
                    Some(left) => Some(left),
                    None => self.pays(&seller, &stock, quantity)?,
                };
                if let Some(left) = short {
                    return Ok(Posted::Insufficient(left));
                }
                self.pay(&buyer, &Asset::Cash, cash);
                self.pay(&seller, &stock, quantity);
                self.shift(&buyer.user, &stock, quantity.into(), 0);
                self.shift(&seller.user, &Asset::Cash, cash.into(), 0);
                self.done.insert(name);
            }
            Movement::Deposit { id, user, asset, amount } => {
                let name = format!("deposit/{id}");
                if self.is_done(&name) {
                    return Ok(Posted::Repeated);
                }
                self.shift(&user, &asset, amount.into(), 0);
                *self.deposited.entry(asset).or_default() += amount;
                self.done.insert(name);
            }
            Movement::Withdraw { id, user, asset, amount } => {
                let name = format!("withdraw/{id}");
                if self.is_done(&name) {
                    return Ok(Posted::Repeated);
                }
                let (available, _) =
                    self.accounts.get(&(user.clone(), asset.clone())).copied().unwrap_or_default();
                if available < amount {
                    return Ok(Posted::Insufficient(available));
                }
                self.shift(&user, &asset, -i128::from(amount), 0);
                *self.deposited.entry(asset).or_default() -= amount;
                self.done.insert(name);
            }
        }
        Ok(Posted::Done)
    }
}

#[async_trait]
impl Wallet for Memory {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        self.call(|state| {
            let mut refused = false;
            let post = |movement| {
                if refused {
                    return Err(Error::Unavailable("an earlier movement of this call was refused".into()));
                }
                let posted = state.money.post(movement);
                refused = posted.is_err();
                posted
            };
            Ok(movements.into_iter().map(post).collect())
        })
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        self.call(|state| {
            let own = state.money.accounts.iter().filter(|((of, _), _)| of == user);
            let balance = |((_, asset), (available, locked)): (&(String, Asset), &(Amount, Amount))| {
                Balance { asset: asset.clone(), available: *available, locked: *locked }
            };
            Ok(own.map(balance).collect())
        })
    }
}
