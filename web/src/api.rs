//! The REST calls, typed. Each carries who is asking; an expired token is refreshed once and the call repeated.

use crate::auth;
use crate::i18n::{Lang, auth_text, code_text};
use crate::logic::fill_rows::FillRow;
use crate::logic::json::Json;
use crate::logic::message::{Balance, Config, Depth, read_candles, read_symbols};
use crate::logic::order::{Order, Page};
use crate::logic::session::Session;
use crate::logic::ticket::Request;
use crate::ports::http::{self, Answer, Method};
use crate::stores::Account;
use engine_core::candle::{Candle, Interval};
use leptos::prelude::*;

/// The most candles and orders that one answer holds.
pub const CHART_LIMIT: usize = 1000;
const ORDERS_LIMIT: usize = 100;
pub const ORDERS_MOST: usize = 500;
/// Fills of a page as they are shown, and of the longest.
pub const FILLS_PAGE: usize = 100;
pub const FILLS_MOST: usize = 500;

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
        let json = Json::parse(&answer.body).unwrap_or(Json::Null);
        let (code, message) = match json.get("error").filter(|error| error.str("code").is_some()) {
            Some(error) => (error.text("code"), error.text("message")),
            None => (json.text("error_code"), json.text("msg")),
        };
        let code = code.unwrap_or_else(|| if answer.status >= 500 { "unavailable" } else { "http" }.into());
        Failure { status: answer.status, code, message: message.unwrap_or_default() }
    }
}

pub async fn config() -> Result<Config, Failure> {
    read(&open_call(Method::Get, "/config.json", None).await?, Config::read)
}

pub async fn symbols() -> Result<Vec<String>, Failure> {
    read(&open_call(Method::Get, "/admin", None).await?, read_symbols)
}

pub async fn depth(symbol: &str) -> Result<Depth, Failure> {
    read(&open_call(Method::Get, &format!("/depth?symbol={symbol}"), None).await?, Depth::read)
}

/// Candles, ascending; those before `before` if it is given.
pub async fn chart(symbol: &str, interval: Interval, before: Option<u64>) -> Result<Vec<Candle>, Failure> {
    let mut path = format!("/chart?symbol={symbol}&interval={}&limit={CHART_LIMIT}", interval.as_str());
    if let Some(before) = before {
        path.push_str(&format!("&before={before}"));
    }
    read(&open_call(Method::Get, &path, None).await?, read_candles)
}

pub async fn assets(account: Account) -> Result<Vec<Balance>, Failure> {
    read(&call(account, Method::Get, "/assets", None).await?, |json| json.all("assets", Balance::read))
}

pub async fn orders(account: Account, status: &str, cursor: Option<&str>) -> Result<Page<Order>, Failure> {
    orders_page(account, status, cursor, ORDERS_LIMIT).await
}

pub async fn orders_page(
    account: Account,
    status: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<Order>, Failure> {
    let path = paged(format!("/orders?status={status}&limit={limit}"), cursor);
    read(&call(account, Method::Get, &path, None).await?, |json| Page::read(json, "orders", Order::read))
}

/// The user's fills, newest first, of all symbols or of one.
pub async fn fills(
    account: Account,
    symbol: Option<&str>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<FillRow>, Failure> {
    let of_symbol = symbol.map(|symbol| format!("&symbol={symbol}")).unwrap_or_default();
    let path = paged(format!("/fills?limit={limit}{of_symbol}"), cursor);
    read(&call(account, Method::Get, &path, None).await?, |json| Page::read(json, "fills", FillRow::read))
}

pub async fn order(account: Account, id: &str) -> Result<Order, Failure> {
    read(&call(account, Method::Get, &format!("/orders/{id}"), None).await?, Order::read)
}

/// Places an order under a name, and answers its id: placed again under the same name it is the same order.
pub async fn place(account: Account, request: &Request, name: &str) -> Result<String, Failure> {
    let body = request.body(name);
    read(&call(account, Method::Post, "/orders", Some(&body)).await?, |json| json.text("order_id"))
}

pub async fn cancel(account: Account, id: &str) -> Result<(), Failure> {
    call(account, Method::Delete, &format!("/orders/{id}"), None).await.map(drop)
}

/// Cancels a page of the user's open orders; answers how many could not be cancelled, and where the next page begins.
pub async fn cancel_all(
    account: Account,
    symbol: Option<&str>,
    cursor: Option<&str>,
) -> Result<(usize, Option<String>), Failure> {
    let path = match symbol {
        Some(symbol) => format!("/orders?symbol={symbol}"),
        None => "/orders".into(),
    };
    let answer = call(account, Method::Delete, &paged(path, cursor), None).await?;
    read(&answer, |json| Some((json.list("failed").map_or(0, <[_]>::len), json.text("cursor"))))
}

/// An address with the place where a page begins.
pub fn paged(mut path: String, cursor: Option<&str>) -> String {
    if let Some(cursor) = cursor {
        path.push_str(if path.contains('?') { "&cursor=" } else { "?cursor=" });
        path.push_str(&String::from(js_sys::encode_uri_component(cursor)));
    }
    path
}

/// Asks for another price or open quantity of an open order.
pub async fn amend(
    account: Account,
    id: &str,
    price: Option<u64>,
    quantity: Option<u64>,
) -> Result<(), Failure> {
    let fields =
        [price.map(|price| format!(r#""price":{price}"#)), quantity.map(|q| format!(r#""quantity":{q}"#))];
    let body = format!("{{{}}}", fields.into_iter().flatten().collect::<Vec<_>>().join(","));
    call(account, Method::Patch, &format!("/orders/{id}"), Some(&body)).await.map(drop)
}

/// A call in nobody's name.
pub async fn open_call(method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failure> {
    checked(http::send(method, path, None, body).await)
}

/// A call in the user's name.
pub async fn call(
    account: Account,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Result<Answer, Failure> {
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

/// An answer, or the refusal that it is.
pub fn checked(answer: Result<Answer, http::NoAnswer>) -> Result<Answer, Failure> {
    let answer = answer.map_err(|_| Failure::network())?;
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(Failure::read(&answer)) }
}

/// What an answer says; one that cannot be read is a failure too.
pub fn read<T>(answer: &Answer, read: impl FnOnce(&Json<'_>) -> Option<T>) -> Result<T, Failure> {
    Json::parse(&answer.body).and_then(|json| read(&json)).ok_or_else(|| Failure {
        status: answer.status,
        code: "bad_answer".into(),
        message: String::new(),
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
        let empty = failure(404, "");
        assert_eq!((empty.code.as_str(), empty.status), ("http", 404));
        assert_eq!(empty.text(Lang::En), "The server's answer was not understood");
    }
}
