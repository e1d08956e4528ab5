//! What is on record: a user's own fills; and for administrators, everybody's balances and the dead letters. These need
//! the books themselves, which no function has.

use super::{Gateway, administrator, functions, refusal};
use crate::backends::records::FillPlace;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use edge_fns::auth;
use edge_fns::capability::Error;
use edge_host::SystemBase;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEFAULT_LIMIT: u32 = 100;
const LIMIT: u32 = 500;

type Answered = Result<Value, Box<Response>>;

/// `GET /fills`.
pub(super) async fn fills(State(gateway): State<Gateway>, request: Request) -> Response {
    answer(own_fills(&gateway, &of_functions(&request)).await)
}

/// `GET /admin/accounts`.
pub(super) async fn accounts(State(gateway): State<Gateway>, request: Request) -> Response {
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    answer(balances(&gateway, &of_functions(&request)).await)
}

/// `GET /admin/dead-letters`.
pub(super) async fn dead_letters(State(gateway): State<Gateway>, request: Request) -> Response {
    if let Err(refused) = administrator(&gateway, request.headers()).await {
        return *refused;
    }
    answer(letters(&gateway, &of_functions(&request)).await)
}

async fn own_fills(gateway: &Gateway, request: &edge_host::Request) -> Answered {
    let test_mode = gateway.settings.test_mode.to_string();
    let base = SystemBase::new(BTreeMap::from([("ALLOW_TEST_MODE".to_owned(), test_mode)]));
    let caller = auth::caller(&base, gateway.identity.as_ref(), request).await;
    let user = caller.map_err(|refused| Box::new(functions::response(refused.into())))?.user;
    let symbol = given(request, "symbol");
    if symbol.as_deref().is_some_and(|symbol| !engine_core::wire::is_symbol(symbol)) {
        return Err(bad("bad_symbol", "this is not the name of a symbol"));
    }
    let limit = limit(request)?;
    let behind = match given(request, "cursor") {
        None => None,
        Some(cursor) => Some(FillPlace::decode(&cursor).ok_or_else(bad_cursor)?),
    };
    // One more than asked for tells whether there is a next page.
    let mut fills = gateway
        .records
        .history
        .fills(&user, symbol.as_deref(), behind, limit + 1)
        .await
        .map_err(unavailable)?;
    let more = fills.len() > limit as usize;
    fills.truncate(limit as usize);
    let cursor = fills.last().filter(|_| more).map(|last| {
        let place =
            FillPlace { t: last.t, seq: last.seq, side: last.side.clone(), symbol: last.symbol.clone() };
        place.encode()
    });
    Ok(page(json!({"fills": fills}), cursor))
}

async fn balances(gateway: &Gateway, request: &edge_host::Request) -> Answered {
    let limit = limit(request)?;
    let behind = match given(request, "cursor") {
        None => None,
        // No asset has a slash in its name.
        Some(cursor) => match cursor.rsplit_once('/') {
            Some((user, asset)) => Some((user.to_owned(), asset.to_owned())),
            None => return Err(bad_cursor()),
        },
    };
    let containing = given(request, "user").unwrap_or_default();
    let mut accounts =
        gateway.records.ledger.accounts(&containing, behind, limit + 1).await.map_err(unavailable)?;
    let more = accounts.len() > limit as usize;
    accounts.truncate(limit as usize);
    let cursor = accounts.last().filter(|_| more).map(|last| format!("{}/{}", last.user_id, last.asset));
    Ok(page(json!({"accounts": accounts}), cursor))
}

async fn letters(gateway: &Gateway, request: &edge_host::Request) -> Answered {
    let limit = limit(request)?;
    let letters = gateway.records.letters.newest_dead_letters(limit).await.map_err(unavailable)?;
    let count = gateway.records.letters.dead_letters().await.map_err(unavailable)?;
    Ok(json!({"count": count, "dead_letters": letters}))
}

fn page(mut body: Value, cursor: Option<String>) -> Value {
    if let Some(cursor) = cursor {
        body["cursor"] = cursor.into();
    }
    body
}

fn answer(answered: Answered) -> Response {
    match answered {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        Err(refused) => *refused,
    }
}

/// A request in the form that functions take, whose reading of parameters and callers is used here too.
fn of_functions(request: &Request) -> edge_host::Request {
    let headers = request.headers().iter();
    edge_host::Request {
        method: request.method().to_string(),
        path: request.uri().path().into(),
        query: request.uri().query().unwrap_or_default().into(),
        headers: headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_string())))
            .collect(),
        body: Vec::new(),
    }
}

fn given(request: &edge_host::Request, name: &str) -> Option<String> {
    request.parameter(name).filter(|value| !value.is_empty())
}

fn limit(request: &edge_host::Request) -> Result<u32, Box<Response>> {
    match given(request, "limit").map(|limit| limit.parse()) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit @ 1..=LIMIT)) => Ok(limit),
        Some(_) => Err(bad("bad_limit", &format!("limit must be 1 to {LIMIT}"))),
    }
}

fn bad_cursor() -> Box<Response> {
    bad("bad_cursor", "the cursor must be the one of an earlier answer")
}

fn bad(code: &str, message: &str) -> Box<Response> {
    Box::new(refusal(StatusCode::BAD_REQUEST, code, message))
}

fn unavailable(error: Error) -> Box<Response> {
    Box::new(functions::unavailable(&error))
}
