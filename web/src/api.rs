//! The REST calls, typed. Each carries who is asking; an expired token is refreshed once and the call repeated.

use crate::auth;
use crate::i18n::{Lang, auth_text, code_text};
use crate::logic::message::{AssetsAnswer, Balance, ChartAnswer, Config, Depth, SymbolName, SymbolsAnswer};
use crate::logic::order::{Order, OrdersAnswer};
use crate::logic::session::Session;
use crate::logic::ticket::Request;
use crate::ports::browser;
use crate::ports::http::{self, Answer, Method};
use crate::stores::Account;
use engine_core::candle::{Candle, Interval};
use leptos::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The most candles and orders that one answer holds.
pub const CHART_LIMIT: usize = 1000;
const ORDERS_LIMIT: usize = 100;

/// A call that was refused, or not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Failure {
    pub fn network() -> Failure {
        Failure { status: 0, code: "network".into(), message: String::new() }
    }

    /// In the user's language; a code that is not known speaks with the server's words.
    pub fn text(&self, lang: Lang) -> String {
        let known = code_text(&self.code, lang).or_else(|| auth_text(&self.code, lang));
        match known {
            Some(text) => text.to_owned(),
            None if self.message.is_empty() => format!("{} ({})", self.code, self.status),
            None => self.message.clone(),
        }
    }

    /// Reads a refusal in the API's form or in that of the auth calls.
    fn read(answer: &Answer) -> Failure {
        let read: Refusal = serde_json::from_str(&answer.body).unwrap_or_default();
        let (code, message) = match read.error {
            Some(error) => (Some(error.code), error.message),
            None => (read.error_code, read.msg),
        };
        let code = code.unwrap_or_else(|| if answer.status >= 500 { "unavailable" } else { "http" }.into());
        Failure { status: answer.status, code, message }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Option<RefusalBody>,
    error_code: Option<String>,
    msg: String,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: String,
    #[serde(default)]
    message: String,
}

/// The answer to a placed order: the new order's id, or the whole order if it was there.
#[derive(Deserialize)]
pub struct Placed {
    pub order_id: String,
}

pub async fn config() -> Result<Config, Failure> {
    read(&open_call(Method::Get, "/config.json", None).await?)
}

pub async fn symbols() -> Result<Vec<SymbolName>, Failure> {
    let answer: SymbolsAnswer = read(&open_call(Method::Get, "/admin", None).await?)?;
    Ok(answer.symbols)
}

pub async fn depth(symbol: &str) -> Result<Depth, Failure> {
    read(&open_call(Method::Get, &format!("/depth?symbol={symbol}"), None).await?)
}

/// Candles, ascending; those before `before` if it is given.
pub async fn chart(symbol: &str, interval: Interval, before: Option<u64>) -> Result<Vec<Candle>, Failure> {
    let mut path = format!("/chart?symbol={symbol}&interval={}&limit={CHART_LIMIT}", interval.as_str());
    if let Some(before) = before {
        path.push_str(&format!("&before={before}"));
    }
    let answer: ChartAnswer = read(&open_call(Method::Get, &path, None).await?)?;
    Ok(answer.candles())
}

pub async fn assets(account: Account) -> Result<Vec<Balance>, Failure> {
    let answer: AssetsAnswer = read(&call(account, Method::Get, "/assets", None).await?)?;
    Ok(answer.assets)
}

pub async fn orders(account: Account, status: &str, cursor: Option<&str>) -> Result<OrdersAnswer, Failure> {
    let mut path = format!("/orders?status={status}&limit={ORDERS_LIMIT}");
    if let Some(cursor) = cursor {
        path.push_str("&cursor=");
        path.push_str(&String::from(js_sys::encode_uri_component(cursor)));
    }
    read(&call(account, Method::Get, &path, None).await?)
}

pub async fn order(account: Account, id: &str) -> Result<Order, Failure> {
    read(&call(account, Method::Get, &format!("/orders/{id}"), None).await?)
}

pub async fn place(account: Account, request: &Request) -> Result<Placed, Failure> {
    let body = request.body(&browser::fresh_id());
    read(&call(account, Method::Post, "/orders", Some(&body)).await?)
}

pub async fn cancel(account: Account, id: &str) -> Result<(), Failure> {
    call(account, Method::Delete, &format!("/orders/{id}"), None).await.map(drop)
}

/// Asks for another price of an open order.
pub async fn replace(account: Account, id: &str, price: u64) -> Result<(), Failure> {
    let body = format!(r#"{{"price":{price}}}"#);
    call(account, Method::Patch, &format!("/orders/{id}"), Some(&body)).await.map(drop)
}

/// A call in nobody's name.
pub async fn open_call(method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failure> {
    checked(http::send(method, path, None, body).await)
}

/// A call in the user's name.
async fn call(account: Account, method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failure> {
    let asked_as = account.session.get_untracked();
    let first = call_once(account, method, path, body).await;
    match &first {
        Err(failure) if failure.code == "token_expired" => {
            if auth::refresh(account).await {
                call_once(account, method, path, body).await
            } else {
                first
            }
        }
        Err(failure) if failure.status == 401 => {
            // The server will not have this session again: its keys or its mode have changed.
            if asked_as.is_some() && account.session.with_untracked(|session| *session == asked_as) {
                account.end();
            }
            first
        }
        _ => first,
    }
}

async fn call_once(
    account: Account,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Result<Answer, Failure> {
    let session = account.session.get_untracked();
    let query = session.as_ref().map(Session::query).unwrap_or_default();
    let token = match &session {
        Some(Session::Account(tokens)) => Some(tokens.access.as_str()),
        _ => None,
    };
    let path = match (query.as_str(), path.contains('?')) {
        ("", _) => path.to_owned(),
        (query, true) => format!("{path}&{query}"),
        (query, false) => format!("{path}?{query}"),
    };
    checked(http::send(method, &path, token, body).await)
}

fn checked(answer: Result<Answer, http::NoAnswer>) -> Result<Answer, Failure> {
    let answer = answer.map_err(|_| Failure::network())?;
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(Failure::read(&answer)) }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_str(&answer.body).map_err(|error| Failure {
        status: answer.status,
        code: "bad_answer".into(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        Failure::read(&Answer { status, body: body.into() })
    }

    #[test]
    fn refusals_of_both_forms_are_read() {
        let api = failure(422, r#"{"error":{"code":"insufficient_balance","message":"needs 5"}}"#);
        assert_eq!(api.text(Lang::En), "Not enough available balance");
        let auth = failure(400, r#"{"code":400,"error_code":"invalid_credentials","msg":"Invalid login"}"#);
        assert_eq!(auth.text(Lang::Ko), "이메일 또는 비밀번호가 맞지 않습니다");
    }

    #[test]
    fn unknown_codes_speak_with_the_servers_words() {
        let new = failure(418, r#"{"error":{"code":"teapot","message":"short and stout"}}"#);
        assert_eq!(new.text(Lang::Ko), "short and stout");
        assert_eq!(failure(502, "<html>").code, "unavailable");
        assert_eq!(failure(404, "").text(Lang::En), "http (404)");
    }
}
