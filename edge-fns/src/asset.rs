//! `GET /assets`: what the caller owns.

use crate::auth;
use crate::capability::wallet::Asset;
use crate::capability::{Base, Identity, Wallet};
use crate::http::{Refusal, Request, Response};
use serde::Serialize;

pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub wallet: &'a dyn Wallet,
}

pub async fn handle(ports: &Ports<'_>, request: Request) -> Response {
    list(ports, &request).await.into()
}

async fn list(ports: &Ports<'_>, request: &Request) -> Result<Response, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::method_not_allowed(&request.method));
    }
    let caller = auth::caller(ports.base, ports.identity, request).await?;
    let balances = ports.wallet.balances(&caller.user).await?;
    let assets = balances
        .iter()
        .map(|balance| Owned {
            asset: name(&balance.asset),
            available: balance.available,
            locked: balance.locked,
        })
        .collect();
    Ok(Response::json(200, &Assets { user_id: &caller.user, assets }))
}

#[derive(Serialize)]
struct Assets<'a> {
    user_id: &'a str,
    assets: Vec<Owned<'a>>,
}

#[derive(Serialize)]
struct Owned<'a> {
    asset: &'a str,
    available: u64,
    locked: u64,
}

fn name(asset: &Asset) -> &str {
    match asset {
        Asset::Cash => "CASH",
        Asset::Stock(symbol) => symbol,
    }
}
