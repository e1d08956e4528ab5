//! Money by double entry.
//!
//! Every movement is a set of legs `(user, asset, available, locked)`; for each asset the legs and the outside's sum to
//! zero. A movement is refused, with nothing written, where a balance would fall below zero or over `i64::MAX`. The
//! journal keeps every movement's legs, so that the balances can be recomputed at any time: [`Store::verify`].

use super::{Store, broken};
use crate::backends::records::Total;
use async_trait::async_trait;
use edge_fns::capability::wallet::{Amount, Asset, Balance, Movement, Party, Posted};
use edge_fns::capability::{Error, Result, Wallet};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

const CASH: &str = "CASH";

/// What a movement does, before anything is written.
#[derive(Default)]
struct Plan {
    /// Changes of available and locked.
    legs: BTreeMap<(String, String), (i64, i64)>,
    /// New contents of holds: user, asset, amount.
    holds: Vec<(String, String, String, i64)>,
    outside: Option<(String, i64)>,
}

type Step<T> = std::result::Result<T, Stop>;

/// Why a movement does not take effect.
enum Stop {
    Posted(Posted),
    Refused(Error),
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Broken(error)
    }
}

#[async_trait]
impl Wallet for Store {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        self.write(move |connection| {
            let mut posted = Vec::with_capacity(movements.len());
            for movement in &movements {
                posted.push(post(connection, movement)?);
                if posted.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            let untried = || Err(Error::Unavailable("an earlier movement of this call was refused".into()));
            posted.resize_with(movements.len(), untried);
            Ok(posted)
        })
        .await
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        let user = user.to_string();
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT asset, available, locked FROM accounts WHERE user = ?1 ORDER BY asset <> 'CASH', asset",
                )
                .map_err(broken)?;
            let balance = |row: &rusqlite::Row<'_>| {
                let asset: String = row.get(0)?;
                Ok(Balance {
                    asset: if asset == CASH { Asset::Cash } else { Asset::Stock(asset) },
                    available: row.get::<_, i64>(1)? as Amount,
                    locked: row.get::<_, i64>(2)? as Amount,
                })
            };
            statement.query_map([user], balance).map_err(broken)?.collect::<rusqlite::Result<_>>().map_err(broken)
        })
        .await
    }
}

impl Store {
    /// Sums over all users, by asset.
    pub async fn totals(&self) -> Result<Vec<Total>> {
        self.read(|connection| totals(connection).map_err(broken)).await
    }

    /// Recomputes every balance from the journal and every lock from the holds; answers what does not agree.
    pub async fn verify(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            // One view for all statements: what others write meanwhile would look wrong.
            let view = connection.unchecked_transaction().map_err(broken)?;
            verify(&view).map_err(broken)
        })
        .await
    }
}

/// One movement. The outer error is the store's; the inner one is this movement's refusal.
fn post(connection: &Connection, movement: &Movement) -> rusqlite::Result<Result<Posted>> {
    let mut plan = Plan::default();
    let planned =
        plan_movement(connection, movement, &mut plan).and_then(|name| write(connection, &name, &plan));
    match planned {
        Ok(()) => Ok(Ok(Posted::Done)),
        Err(Stop::Posted(posted)) => Ok(Ok(posted)),
        Err(Stop::Refused(error)) => Ok(Err(error)),
        Err(Stop::Broken(error)) => Err(error),
    }
}

/// Fills the plan and answers the movement's name in the journal.
fn plan_movement(connection: &Connection, movement: &Movement, plan: &mut Plan) -> Step<String> {
    match movement {
        Movement::Reserve { hold, user, asset, amount } => {
            if read_hold(connection, hold)?.is_some() {
                return Err(Stop::Posted(Posted::Repeated));
            }
            let (asset, amount) = (name_of(asset)?, signed(*amount)?);
            available_at_least(connection, user, &asset, amount)?;
            plan.leg(user, &asset, -amount, amount)?;
            plan.holds.push((hold.clone(), user.clone(), asset, amount));
            Ok(format!("reserve/{hold}"))
        }
        Movement::Release { hold } => {
            let Some((user, asset, amount)) = read_hold(connection, hold)? else {
                // Closed before it was opened: a reserve that comes late must find it spent.
                plan.holds.push((hold.clone(), String::new(), String::new(), 0));
                return Ok(format!("release/{hold}"));
            };
            if is_journaled(connection, &format!("release/{hold}"))? || amount == 0 {
                return Err(Stop::Posted(Posted::Repeated));
            }
            plan.leg(&user, &asset, amount, -amount)?;
            plan.holds.push((hold.clone(), user, asset, 0));
            Ok(format!("release/{hold}"))
        }
        Movement::Adjust { id, hold, absorb, keep } => {
            let name = format!("adjust/{id}");
            refuse_repetition(connection, &name)?;
            let (user, asset, amount) = known_hold(connection, hold)?;
            let mut amount = amount;
            if absorb.as_ref() == Some(hold) {
                return Err(refused(format!("hold {hold:?} cannot absorb itself")));
            }
            if let Some(absorbed) = absorb
                && let Some((of, what, more)) = read_hold(connection, absorbed)?
                && more > 0
            {
                if (&of, &what) != (&user, &asset) {
                    return Err(refused(format!("hold {absorbed:?} is not of the same account as {hold:?}")));
                }
                amount = amount.checked_add(more).ok_or_else(too_large)?;
                plan.holds.push((absorbed.clone(), of, what, 0));
            }
            let back = (amount - signed(*keep)?).max(0);
            plan.leg(&user, &asset, back, -back)?;
            plan.holds.push((hold.clone(), user, asset, amount - back));
            Ok(name)
        }
        Movement::Settle { fill, symbol, cash, quantity, buyer, seller } => {
            let name = format!("settle/{fill}");
            refuse_repetition(connection, &name)?;
            name_of(&Asset::Stock(symbol.clone()))?;
            let (cash, quantity) = (signed(*cash)?, signed(*quantity)?);
            plan_side(connection, plan, buyer, CASH, cash)?;
            plan_side(connection, plan, seller, symbol, quantity)?;
            plan.leg(&buyer.user, symbol, quantity, 0)?;
            plan.leg(&seller.user, CASH, cash, 0)?;
            Ok(name)
        }
        Movement::Deposit { id, user, asset, amount } => {
            let name = format!("deposit/{id}");
            refuse_repetition(connection, &name)?;
            let (asset, amount) = (name_of(asset)?, signed(*amount)?);
            plan.leg(user, &asset, amount, 0)?;
            plan.outside = Some((asset, amount));
            Ok(name)
        }
        Movement::Withdraw { id, user, asset, amount } => {
            let name = format!("withdraw/{id}");
            refuse_repetition(connection, &name)?;
            let (asset, amount) = (name_of(asset)?, signed(*amount)?);
            available_at_least(connection, user, &asset, amount)?;
            plan.leg(user, &asset, -amount, 0)?;
            plan.outside = Some((asset, -amount));
            Ok(name)
        }
    }
}

/// One side of a settlement pays from its hold, and gets its refund from it.
fn plan_side(connection: &Connection, plan: &mut Plan, party: &Party, asset: &str, pays: i64) -> Step<()> {
    let refund = signed(party.refund)?;
    let (user, held, amount) = known_hold(connection, &party.hold)?;
    if user != party.user || held != asset {
        return Err(refused(format!("hold {:?} is not {asset} of {:?}", party.hold, party.user)));
    }
    let taken = pays.checked_add(refund).ok_or_else(too_large)?;
    if taken > amount {
        return Err(Stop::Posted(Posted::Insufficient(amount as Amount)));
    }
    plan.leg(&user, asset, refund, -taken)?;
    plan.holds.push((party.hold.clone(), user, held, amount - taken));
    Ok(())
}

impl Plan {
    fn leg(&mut self, user: &str, asset: &str, available: i64, locked: i64) -> Step<()> {
        let leg = self.legs.entry((user.into(), asset.into())).or_default();
        let sum = |a: i64, b: i64| a.checked_add(b).ok_or_else(too_large);
        *leg = (sum(leg.0, available)?, sum(leg.1, locked)?);
        Ok(())
    }
}

/// Checks every balance, then writes them all.
fn write(connection: &Connection, name: &str, plan: &Plan) -> Step<()> {
    let mut accounts = Vec::with_capacity(plan.legs.len());
    for ((user, asset), (available, locked)) in &plan.legs {
        let (had, held) = read_account(connection, user, asset)?;
        let now = had.checked_add(*available).zip(held.checked_add(*locked)).ok_or_else(too_large)?;
        if now.0 < 0 || now.1 < 0 {
            return Err(Stop::Posted(Posted::Insufficient(had as Amount)));
        }
        accounts.push((user, asset, now.0, now.1));
    }
    if let Some((asset, amount)) = &plan.outside {
        let before: Option<i64> = connection
            .prepare_cached("SELECT deposited FROM outside WHERE asset = ?1")?
            .query_row([asset], |row| row.get(0))
            .optional()?;
        let now = before.unwrap_or(0).checked_add(*amount).ok_or_else(too_large)?;
        connection.prepare_cached("INSERT OR REPLACE INTO outside VALUES (?1, ?2)")?.execute((asset, now))?;
    }
    for account in accounts {
        connection
            .prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3, ?4)")?
            .execute(account)?;
    }
    for hold in &plan.holds {
        connection
            .prepare_cached("INSERT OR REPLACE INTO holds VALUES (?1, ?2, ?3, ?4)")?
            .execute((&hold.0, &hold.1, &hold.2, hold.3))?;
    }
    let legs: Vec<_> = plan.legs.iter().map(|((user, asset), (a, l))| (user, asset, a, l)).collect();
    let legs = serde_json::to_string(&legs).map_err(|error| refused(error.to_string()))?;
    connection.prepare_cached("INSERT INTO journal VALUES (?1, ?2)")?.execute((name, legs))?;
    Ok(())
}

fn read_account(connection: &Connection, user: &str, asset: &str) -> rusqlite::Result<(i64, i64)> {
    let row = connection
        .prepare_cached("SELECT available, locked FROM accounts WHERE user = ?1 AND asset = ?2")?
        .query_row((user, asset), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.unwrap_or((0, 0)))
}

fn read_hold(connection: &Connection, hold: &str) -> rusqlite::Result<Option<(String, String, i64)>> {
    connection
        .prepare_cached("SELECT user, asset, amount FROM holds WHERE hold = ?1")?
        .query_row([hold], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

fn known_hold(connection: &Connection, hold: &str) -> Step<(String, String, i64)> {
    read_hold(connection, hold)?.ok_or_else(|| refused(format!("there is no hold {hold:?}")))
}

fn is_journaled(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM journal WHERE name = ?1")?.exists([name])
}

fn refuse_repetition(connection: &Connection, name: &str) -> Step<()> {
    if is_journaled(connection, name)? { Err(Stop::Posted(Posted::Repeated)) } else { Ok(()) }
}

fn available_at_least(connection: &Connection, user: &str, asset: &str, amount: i64) -> Step<()> {
    let (available, _) = read_account(connection, user, asset)?;
    if available < amount { Err(Stop::Posted(Posted::Insufficient(available as Amount))) } else { Ok(()) }
}

/// An asset's name in the tables. Cash has a name that no stock may take.
fn name_of(asset: &Asset) -> Step<String> {
    match asset {
        Asset::Cash => Ok(CASH.into()),
        Asset::Stock(symbol) if symbol == CASH => Err(refused("CASH is no stock".into())),
        Asset::Stock(symbol) => Ok(symbol.clone()),
    }
}

fn signed(amount: Amount) -> Step<i64> {
    i64::try_from(amount).map_err(|_| too_large())
}

fn too_large() -> Stop {
    refused("an amount is over 9223372036854775807".into())
}

fn refused(why: String) -> Stop {
    Stop::Refused(Error::Invalid(why))
}

fn totals(connection: &Connection) -> rusqlite::Result<Vec<Total>> {
    let mut statement = connection.prepare_cached(
        "SELECT asset, sum(available), sum(locked),
                coalesce((SELECT deposited FROM outside WHERE outside.asset = accounts.asset), 0)
         FROM accounts GROUP BY asset ORDER BY asset <> 'CASH', asset",
    )?;
    let total = |row: &rusqlite::Row<'_>| {
        Ok(Total { asset: row.get(0)?, available: row.get(1)?, locked: row.get(2)?, deposited: row.get(3)? })
    };
    statement.query_map((), total)?.collect()
}

fn verify(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut sums: BTreeMap<(String, String), (i128, i128)> = BTreeMap::new();
    let mut statement = connection.prepare("SELECT name, legs FROM journal")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, legs): (String, String) = (row.get(0)?, row.get(1)?);
        let Ok(legs) = serde_json::from_str::<Vec<(String, String, i64, i64)>>(&legs) else {
            wrong.push(format!("journal entry {name:?} cannot be read"));
            continue;
        };
        let mut by_asset: BTreeMap<String, i128> = BTreeMap::new();
        for (user, asset, available, locked) in legs {
            *by_asset.entry(asset.clone()).or_default() += i128::from(available) + i128::from(locked);
            let sum = sums.entry((user, asset)).or_default();
            *sum = (sum.0 + i128::from(available), sum.1 + i128::from(locked));
        }
        let outside = name.starts_with("deposit/") || name.starts_with("withdraw/");
        if !outside && by_asset.values().any(|sum| *sum != 0) {
            wrong.push(format!("journal entry {name:?} does not sum to zero"));
        }
    }
    let mut statement = connection.prepare(
        "SELECT user, asset, available, locked,
                coalesce((SELECT sum(amount) FROM holds WHERE holds.user = a.user AND holds.asset = a.asset), 0)
         FROM accounts a",
    )?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let account: (String, String) = (row.get(0)?, row.get(1)?);
        let (available, locked, held): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let sum = sums.remove(&account).unwrap_or_default();
        if sum != (available.into(), locked.into()) {
            wrong.push(format!(
                "{account:?} has {available} + {locked}, its journal says {} + {}",
                sum.0, sum.1
            ));
        }
        if locked != held {
            wrong.push(format!("{account:?} has {locked} locked, its holds are {held}"));
        }
    }
    wrong.extend(
        sums.iter().filter(|(_, sum)| **sum != (0, 0)).map(|(account, _)| format!("{account:?} has no row")),
    );
    for total in totals(connection)? {
        if i128::from(total.available) + i128::from(total.locked) != i128::from(total.deposited) {
            wrong.push(format!("{total:?} does not balance"));
        }
    }
    Ok(wrong)
}
