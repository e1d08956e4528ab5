//! The wallet over PostgREST: a call is one transaction of the database.

use crate::backends::http::{Answer, Http};
use crate::backends::records::{Account, Ledger, Total};
use async_trait::async_trait;
use edge_fns::capability::wallet::{Amount, Asset, Balance, Movement, Posted};
use edge_fns::capability::{Error, Result, Wallet};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const CASH: &str = "CASH";
const TIMEOUT: Duration = Duration::from_secs(10);
/// Transactions that ran into each other, and were rolled back, are tried so often.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub struct SupabaseWallet {
    http: Http,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What the database behind it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerInfo {
    /// Of the migrations.
    pub version: u32,
    pub server: String,
    /// Its clock, in epoch milliseconds.
    pub time: u64,
}

impl SupabaseWallet {
    /// `url` is the project's; `key` is its secret key, or the older service role's.
    pub fn new(url: &str, key: &str, ca_file: Option<&Path>) -> Result<SupabaseWallet> {
        let secret = |text: &str| {
            let value = HeaderValue::from_str(text);
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        };
        let bad = |_| Error::Invalid("the service key holds what no key can".into());
        let mut headers = vec![(HeaderName::from_static("apikey"), secret(key).map_err(bad)?)];
        if !key.starts_with("sb_") {
            headers.push((AUTHORIZATION, secret(&format!("Bearer {key}")).map_err(bad)?));
        }
        Ok(SupabaseWallet {
            http: Http::new(ca_file, TIMEOUT)?,
            url: format!("{}/rest/v1/rpc", url.trim_end_matches('/')),
            headers,
        })
    }

    pub async fn server(&self) -> Result<ServerInfo> {
        self.call("wallet_version", &json!({})).await
    }

    async fn call<T: DeserializeOwned>(&self, function: &str, arguments: &Value) -> Result<T> {
        let url = format!("{}/{function}", self.url);
        let body = arguments.to_string().into_bytes();
        let mut pause = PAUSE;
        for tried in 1.. {
            let answer = self.http.send(Method::POST, &url, &self.headers, Some(body.clone())).await?;
            if answer.status.is_success() {
                return serde_json::from_slice(&answer.body).map_err(|error| {
                    Error::Internal(format!("{function} answered what it should not: {error}"))
                });
            }
            let refusal = Refusal::of(&answer);
            // The transaction was rolled back: nothing of it was done.
            if !refusal.is_collision() || tried == TRIES {
                return Err(refusal.error(function, answer.status));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::Timeout)
    }
}

/// PostgREST's words for why not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
}

impl Refusal {
    fn of(answer: &Answer) -> Refusal {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Not by the status: these come as 500.
    fn is_collision(&self) -> bool {
        matches!(self.code.as_deref(), Some("40001" | "40P01"))
    }

    fn error(self, function: &str, status: StatusCode) -> Error {
        let (code, message) = (self.code.unwrap_or_default(), self.message.unwrap_or_default());
        let words = format!("{function}: {message} ({status} {code})");
        match (code.as_str(), status.as_u16()) {
            ("PGRST202", _) => Error::Internal(format!(
                "{words}: the wallets' migrations have not been applied to this project"
            )),
            ("40001" | "40P01", _) => Error::Unavailable(words),
            ("42501", _) | (_, 401 | 403) => Error::Denied(words),
            (_, 429) => Error::Throttled(None),
            (code, _) if code.starts_with("22") => Error::Invalid(words),
            // The gateway could not reach it, or it its database.
            (code, 502..=504) if !code.starts_with("57") => Error::Unavailable(words),
            (_, 504) => Error::Timeout,
            (_, 400..=499) => Error::Internal(words),
            _ => Error::Unavailable(words),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Posted(Done),
    Insufficient(Amount),
    Refused(String),
    Untried(#[allow(dead_code)] bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Done,
    Repeated,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    user_id: String,
    asset: String,
    available: u64,
    locked: u64,
}

#[async_trait]
impl Wallet for SupabaseWallet {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        if movements.is_empty() {
            return Ok(Vec::new());
        }
        let count = movements.len();
        let movements: Vec<Value> = movements.iter().map(in_words).collect();
        let outcomes: Vec<Outcome> = self.call("post_movements", &json!({"movements": movements})).await?;
        if outcomes.len() != count {
            return Err(Error::Internal("post_movements did not answer every movement".into()));
        }
        let posted = |outcome| match outcome {
            Outcome::Posted(Done::Done) => Ok(Posted::Done),
            Outcome::Posted(Done::Repeated) => Ok(Posted::Repeated),
            Outcome::Insufficient(amount) => Ok(Posted::Insufficient(amount)),
            Outcome::Refused(why) => Err(Error::Invalid(why)),
            Outcome::Untried(_) => {
                Err(Error::Unavailable("an earlier movement of this call was refused".into()))
            }
        };
        Ok(outcomes.into_iter().map(posted).collect())
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        let rows: Vec<Row> = self.call("balances", &json!({"user_id": user})).await?;
        let balance = |row: Row| Balance {
            asset: if row.asset == CASH { Asset::Cash } else { Asset::Stock(row.asset) },
            available: row.available,
            locked: row.locked,
        };
        Ok(rows.into_iter().map(balance).collect())
    }
}

#[async_trait]
impl Ledger for SupabaseWallet {
    async fn accounts(
        &self,
        containing: &str,
        behind: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<Account>> {
        let (user, asset) = behind.unwrap_or_default();
        let arguments =
            json!({"containing": containing, "behind_user": user, "behind_asset": asset, "at_most": limit});
        let rows: Vec<Row> = self.call("wallet_accounts", &arguments).await?;
        let account = |row: Row| Account {
            user_id: row.user_id,
            asset: row.asset,
            available: row.available as i64,
            locked: row.locked as i64,
        };
        Ok(rows.into_iter().map(account).collect())
    }

    async fn totals(&self) -> Result<Vec<Total>> {
        self.call("wallet_totals", &json!({})).await
    }

    async fn verify(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Wrong {
            wrong: String,
        }
        let rows: Vec<Wrong> = self.call("wallet_verify", &json!({})).await?;
        Ok(rows.into_iter().map(|row| row.wrong).collect())
    }
}

/// A movement as `post_movements` takes it.
fn in_words(movement: &Movement) -> Value {
    let name = |asset: &Asset| match asset {
        Asset::Cash => Some(CASH.to_string()),
        // No stock may take the name of cash.
        Asset::Stock(symbol) => (symbol != CASH).then(|| symbol.clone()),
    };
    let refused = || json!({"type": "refused", "why": "CASH is no stock"});
    match movement {
        Movement::Reserve { hold, user, asset, amount } => match name(asset) {
            Some(asset) => {
                json!({"type": "reserve", "hold": hold, "user": user, "asset": asset, "amount": amount})
            }
            None => refused(),
        },
        Movement::Release { hold } => json!({"type": "release", "hold": hold}),
        Movement::Adjust { id, hold, absorb, keep } => {
            json!({"type": "adjust", "id": id, "hold": hold, "absorb": absorb, "keep": keep})
        }
        Movement::Settle { fill, symbol, cash, quantity, buyer, seller } => json!({
            "type": "settle", "fill": fill, "symbol": symbol, "cash": cash, "quantity": quantity,
            "buyer": buyer.user, "buyer_hold": buyer.hold, "buyer_refund": buyer.refund,
            "seller": seller.user, "seller_hold": seller.hold, "seller_refund": seller.refund,
        }),
        Movement::Deposit { id, user, asset, amount } => match name(asset) {
            Some(asset) => {
                json!({"type": "deposit", "id": id, "user": user, "asset": asset, "amount": amount})
            }
            None => refused(),
        },
        Movement::Withdraw { id, user, asset, amount } => match name(asset) {
            Some(asset) => {
                json!({"type": "withdraw", "id": id, "user": user, "asset": asset, "amount": amount})
            }
            None => refused(),
        },
    }
}
