//! Lists as files for spreadsheets: all of a list, not only what is on the screen.

use super::Saved;
use crate::api::{self, FILLS_MOST, Failure, ORDERS_MOST};
use crate::i18n::{Lang, Text, reason_text};
use crate::logic::fill_rows::FillRow;
use crate::logic::order::{Order, Side};
use crate::logic::profit::{of_fills, of_orders};
use crate::logic::{clock, csv};
use crate::ports::browser;
use crate::stores::{Account, App, Tab};
use crate::views::orders::{kind_text, status_text};
use leptos::prelude::*;

/// Pages that are read at most: 20,000 rows of the longest pages.
const MOST_PAGES: usize = 40;

type Table = Vec<Vec<String>>;

pub async fn save(app: App, tab: Tab) -> Saved {
    let made = match tab {
        Tab::Open => orders_table(app, true).await.map(|table| (table, "supernoba-open-orders.csv")),
        Tab::History => orders_table(app, false).await.map(|table| (table, "supernoba-orders.csv")),
        Tab::Fills => fills_table(app).await.map(|table| (table, "supernoba-fills.csv")),
        Tab::Balances => Ok((balances_table(app).await, "supernoba-balances.csv")),
    };
    let Ok((table, name)) = made else { return Saved::Failed };
    let encoded = String::from(js_sys::encode_uri_component(&csv::table(&table)));
    match browser::download(&format!("data:text/csv;charset=utf-8,{encoded}"), name) {
        Ok(()) => Saved::Rows(table.len().saturating_sub(1)),
        Err(_) => Saved::Failed,
    }
}

/// All fills of the user, newest first, and whether there are more than are read at most.
pub async fn all_fills(account: Account) -> Result<(Vec<FillRow>, bool), Failure> {
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = api::fills(account, None, cursor.as_deref(), FILLS_MOST).await?;
        all.extend(page.rows);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok((all, cursor.is_some()))
}

async fn all_orders(app: App) -> Result<Vec<Order>, Failure> {
    if app.venue().is_some() {
        return Ok(app.account.orders());
    }
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = api::orders_page(app.account, "all", cursor.as_deref(), ORDERS_MOST).await?;
        all.extend(page.rows);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}

fn head<const N: usize>(texts: [Text; N], lang: Lang) -> Table {
    vec![texts.map(|text| text.of(lang).to_owned()).to_vec()]
}

fn side_text(side: Side, lang: Lang) -> String {
    if side == Side::Buy { Text::Buy } else { Text::Sell }.of(lang).to_owned()
}

async fn orders_table(app: App, open: bool) -> Result<Table, Failure> {
    let lang = app.ui.lang.get_untracked();
    let heads = [
        Text::Time,
        Text::OrderId,
        Text::Symbol,
        Text::Side,
        Text::Kind,
        Text::StopPrice,
        Text::Price,
        Text::Quantity,
        Text::Filled,
        Text::Remaining,
        Text::AveragePrice,
        Text::Status,
        Text::Reason,
    ];
    let mut table = head(heads, lang);
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    for order in all_orders(app).await?.into_iter().filter(|order| order.status.is_open() == open) {
        let reason =
            order.reason.as_deref().map(|reason| reason_text(reason, lang).unwrap_or(reason).to_owned());
        table.push(vec![
            clock::full(order.created_at, app.market.day_offset_s()),
            order.id.clone(),
            order.symbol.clone(),
            side_text(order.side, lang),
            kind_text(&order, lang),
            number(order.stop),
            number(order.limit()),
            order.quantity.to_string(),
            order.filled.to_string(),
            order.remaining.to_string(),
            number(order.average_price()),
            status_text(order.status).of(lang).to_owned(),
            reason.unwrap_or_default(),
        ]);
    }
    Ok(table)
}

async fn fills_table(app: App) -> Result<Table, Failure> {
    let lang = app.ui.lang.get_untracked();
    let heads = [
        Text::Time,
        Text::FillId,
        Text::OrderId,
        Text::Symbol,
        Text::Side,
        Text::Price,
        Text::Quantity,
        Text::Total,
        Text::Role,
    ];
    let mut table = head(heads, lang);
    for fill in all_fills(app.account).await?.0 {
        table.push(vec![
            clock::full(fill.time, app.market.day_offset_s()),
            fill.id,
            fill.order_id,
            fill.symbol,
            side_text(fill.side, lang),
            fill.price.to_string(),
            fill.quantity.to_string(),
            fill.price.saturating_mul(fill.quantity).to_string(),
            if fill.is_taker { Text::Taker } else { Text::Maker }.of(lang).to_owned(),
        ]);
    }
    Ok(table)
}

async fn balances_table(app: App) -> Table {
    let lang = app.ui.lang.get_untracked();
    let heads = [Text::Asset, Text::Available, Text::Locked, Text::Sum, Text::AverageCost, Text::Realised];
    let mut table = head(heads, lang);
    let fills = if app.venue().is_some() { None } else { all_fills(app.account).await.ok() };
    let held = match fills {
        Some((fills, _)) => of_fills(&fills),
        None => of_orders(&app.account.orders()),
    };
    for balance in app.account.balances.get_untracked() {
        let position = held.get(&balance.asset);
        let sum = balance.available.saturating_add(balance.locked);
        let average = position.and_then(|position| position.average());
        table.push(vec![
            balance.asset.clone(),
            balance.available.to_string(),
            balance.locked.to_string(),
            sum.to_string(),
            average.map(|average| average.to_string()).unwrap_or_default(),
            position.map(|position| position.realised.to_string()).unwrap_or_default(),
        ]);
    }
    table
}
