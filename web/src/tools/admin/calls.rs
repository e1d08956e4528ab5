//! An administrator's calls.

use crate::api::{Failure, checked, paged, read};
use crate::logic::json::{Json, quoted};
use crate::logic::order::Page;
use crate::ports::http::{self, Answer, Method};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    pub asset: String,
    pub available: u64,
    pub locked: u64,
    pub deposited: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub user: String,
    pub asset: String,
    pub available: u64,
    pub locked: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub consumer: String,
    pub stream: String,
    pub shard: u64,
    pub sequence: u64,
    pub arrived: u64,
    pub reason: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    pub status: String,
    pub version: String,
    pub uptime_s: u64,
    pub connections: u64,
}

async fn call(token: &str, method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failure> {
    checked(http::send(method, path, Some(token), body).await)
}

pub async fn totals(token: &str) -> Result<Vec<Total>, Failure> {
    let total = |json: &Json<'_>| {
        Some(Total {
            asset: json.text("asset")?,
            available: json.whole("available")?,
            locked: json.whole("locked")?,
            deposited: json.whole("deposited")?,
        })
    };
    read(&call(token, Method::Get, "/admin/totals", None).await?, |json| json.all("assets", total))
}

/// Wallets that do not agree with the journal.
pub async fn verify(token: &str) -> Result<Vec<String>, Failure> {
    let wrong = |json: &Json<'_>| json.as_str().map_or_else(|| format!("{json:?}"), str::to_owned);
    read(&call(token, Method::Get, "/admin/verify", None).await?, |json| {
        json.bool("balanced")?;
        Some(json.list("wrong")?.iter().map(wrong).collect())
    })
}

pub async fn add_symbol(token: &str, symbol: &str) -> Result<(), Failure> {
    let body = format!(r#"{{"symbol":{}}}"#, quoted(symbol));
    call(token, Method::Post, "/admin", Some(&body)).await.map(drop)
}

pub async fn halt_symbol(token: &str, symbol: &str) -> Result<(), Failure> {
    let path = format!("/admin/{}", String::from(js_sys::encode_uri_component(symbol)));
    call(token, Method::Delete, &path, None).await.map(drop)
}

pub async fn deposit(token: &str, id: &str, user: &str, asset: &str, amount: u64) -> Result<(), Failure> {
    let body = format!(
        r#"{{"id":{},"user_id":{},"asset":{},"amount":{amount}}}"#,
        quoted(id),
        quoted(user),
        quoted(asset)
    );
    call(token, Method::Post, "/admin/deposits", Some(&body)).await.map(drop)
}

pub async fn accounts(token: &str, user: &str, cursor: Option<&str>) -> Result<Page<Holding>, Failure> {
    let user = String::from(js_sys::encode_uri_component(user));
    let path = paged(format!("/admin/accounts?limit=100&user={user}"), cursor);
    let holding = |json: &Json<'_>| {
        Some(Holding {
            user: json.text("user_id")?,
            asset: json.text("asset")?,
            available: json.whole("available")?,
            locked: json.whole("locked")?,
        })
    };
    read(&call(token, Method::Get, &path, None).await?, |json| Page::read(json, "accounts", holding))
}

/// How many there are, and the newest of them.
pub async fn letters(token: &str) -> Result<(u64, Vec<Letter>), Failure> {
    let letter = |json: &Json<'_>| {
        Some(Letter {
            consumer: json.text("consumer")?,
            stream: json.text("stream")?,
            shard: json.whole("shard")?,
            sequence: json.amount("sequence")?,
            arrived: json.whole("arrived").unwrap_or(0),
            reason: json.text("reason")?,
            body: json.text("body").unwrap_or_default(),
        })
    };
    read(&call(token, Method::Get, "/admin/dead-letters?limit=200", None).await?, |json| {
        Some((json.whole("count")?, json.all("dead_letters", letter)?))
    })
}

pub async fn vitals() -> Result<Vitals, Failure> {
    read(&checked(http::send(Method::Get, "/healthz", None, None).await)?, |json| {
        Some(Vitals {
            status: json.text("status")?,
            version: json.text("version").unwrap_or_default(),
            uptime_s: json.whole("uptime_s").unwrap_or(0),
            connections: json.whole("connections").unwrap_or(0),
        })
    })
}

pub async fn metrics() -> Result<String, Failure> {
    Ok(checked(http::send(Method::Get, "/metrics", None, None).await)?.body)
}
