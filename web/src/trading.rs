//! What the page does: loading, placing, cancelling, and telling the user what has happened.

use crate::api::{self, Failure};
use crate::i18n::{Lang, Text, reason_text};
use crate::logic::amount::group;
use crate::logic::backoff::wait_ms;
use crate::logic::message::OrderMessage;
use crate::logic::moves::Moves;
use crate::logic::order::{Kind, News, Order, Side, Status};
use crate::logic::outbox::{ATTEMPTS, is_unanswered};
use crate::logic::session::Session;
use crate::logic::ticket::Request;
use crate::ports::browser;
use crate::stores::{App, Mood};
use engine_core::candle::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::Cell;
use std::time::Duration;

/// An order's message may be here before the books are: balances are asked for soon, and once more.
const BALANCE_DELAYS: [Duration; 2] = [Duration::from_millis(120), Duration::from_millis(1200)];
/// Pages of open orders that are read at most.
const OPEN_PAGES: usize = 5;

thread_local! {
    /// Requests for balances that are waiting for their time.
    static BALANCES_ASKED: [Cell<bool>; 2] = const { [Cell::new(false), Cell::new(false)] };
}

/// Everything that may have changed while the page was not connected.
pub fn reload(app: App) {
    load_list(app);
    load_symbol(app);
    load_account(app);
    app.account.missed.update(|count| *count += 1);
}

/// The list of symbols; where it cannot be had, the one that is there stays.
pub fn load_list(app: App) {
    spawn_local(async move {
        if let Ok(symbols) = api::symbols().await {
            app.market.list(symbols);
        }
    });
}

/// Book and chart of the shown symbol.
pub fn load_symbol(app: App) {
    let symbol = app.market.symbol.get_untracked();
    if symbol.is_empty() {
        return;
    }
    load_book(app);
    spawn_local(async move {
        if let Err(failure) = load_minutes(app, &symbol).await {
            told_load(app, "chart", Text::LoadFailed, &failure);
        }
    });
    load_history(app);
}

/// The shown symbol's book: at first, and when the feed has left a gap in it.
pub fn load_book(app: App) {
    let symbol = app.market.symbol.get_untracked();
    spawn_local(async move {
        if let Ok(depth) = api::depth(&symbol).await {
            app.market.load_depth(&depth);
        }
    });
}

/// Minutes back to the start of the day, so that every running candle can be folded from them.
async fn load_minutes(app: App, symbol: &str) -> Result<(), Failure> {
    let is_shown = || app.market.symbol.with_untracked(|chosen| chosen == symbol);
    let mut minutes = api::chart(symbol, Interval::M1, None).await?;
    let mut complete = minutes.len() < api::CHART_LIMIT;
    let day = minutes.last().map(|last| Interval::D1.bucket(last.time, app.market.day_offset_s()));
    if let (Some(first), Some(day), false) = (minutes.first().map(|first| first.time), day, complete)
        && first > day
    {
        let mut older = api::chart(symbol, Interval::M1, Some(first)).await?;
        complete = older.len() < api::CHART_LIMIT;
        older.retain(|minute| minute.time < first);
        minutes.splice(0..0, older);
    }
    if is_shown() {
        app.market.load_minutes(minutes, complete);
    }
    Ok(())
}

/// The server's candles of the chart's interval; minutes are there already.
pub fn load_history(app: App) {
    let symbol = app.market.symbol.get_untracked();
    let interval = app.market.interval.get_untracked();
    if symbol.is_empty() || interval == Interval::M1 {
        return;
    }
    if app.venue().is_some() {
        // All minutes are here: the others are folded from them.
        return app.market.load_history(interval, Vec::new(), true);
    }
    spawn_local(async move {
        match api::chart(&symbol, interval, None).await {
            Ok(history) if app.market.symbol.with_untracked(|chosen| *chosen == symbol) => {
                let complete = history.len() < api::CHART_LIMIT;
                app.market.load_history(interval, history, complete);
            }
            Ok(_) => {}
            Err(failure) => told_load(app, "chart", Text::LoadFailed, &failure),
        }
    });
}

/// Candles from before those that the chart shows: one page, and one at a time.
pub fn load_older(app: App) {
    let Some(before) = app.market.older_than() else { return };
    if app.market.loading_older.get_untracked() || app.venue().is_some() {
        return;
    }
    app.market.loading_older.set(true);
    let symbol = app.market.symbol.get_untracked();
    let interval = app.market.interval.get_untracked();
    spawn_local(async move {
        let answer = api::chart(&symbol, interval, Some(before)).await;
        match answer {
            Ok(older) if app.market.symbol.with_untracked(|chosen| *chosen == symbol) => {
                let complete = older.len() < api::CHART_LIMIT;
                app.market.load_older(interval, older, complete);
            }
            Ok(_) => {}
            Err(failure) => told_load(app, "chart", Text::LoadFailed, &failure),
        }
        app.market.loading_older.set(false);
    });
}

/// Balances and orders of the user.
pub fn load_account(app: App) {
    if app.account.session.with_untracked(Option::is_none) {
        return;
    }
    load_balances(app);
    spawn_local(async move {
        let user =
            app.account.session.with_untracked(Clone::clone).map(|session| session.user_id().to_owned());
        if let Err(failure) = load_orders(app, user.as_deref()).await {
            told_load(app, "orders", Text::OpenOrders, &failure);
        }
    });
}

async fn load_orders(app: App, user: Option<&str>) -> Result<(), Failure> {
    let is_same = || {
        app.account.session.with_untracked(|session| {
            session.as_ref().map(|session| session.user_id()) == user && user.is_some()
        })
    };
    let asked_at = browser::now_ms();
    // Their answers may have been missed: the rows that come now are where they stand.
    let moving = app.account.moves.with_untracked(Moves::ids);
    let mut open = Vec::new();
    let mut cursor = None;
    for _ in 0..OPEN_PAGES {
        let page = api::orders(app.account, "open", cursor.as_deref()).await?;
        open.extend(page.rows);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let all = api::orders(app.account, "all", None).await?;
    if !is_same() {
        return Ok(());
    }
    let seen: Vec<String> = open.iter().chain(&all.rows).map(|order| order.id.clone()).collect();
    app.account.rows(open);
    app.account.rows(all.rows);
    app.account.cursor.set(all.cursor);
    if !moving.is_empty() {
        app.account.moves.update(|moves| moving.iter().for_each(|id| moves.end(id)));
    }
    // What the page believes to be open but the server did not list has ended meanwhile.
    let mut failed = Ok(());
    for id in app.account.open_before(asked_at).into_iter().filter(|id| !seen.contains(id)) {
        // One that cannot be had, as after a restored backup, keeps no other from being mended.
        match api::order(app.account, &id).await {
            Ok(row) if is_same() => app.account.rows(vec![row]),
            Ok(_) => return Ok(()),
            Err(failure) => failed = Err(failure),
        }
    }
    failed
}

/// The next page of the history.
pub fn load_more(app: App) {
    let Some(cursor) = app.account.cursor.get_untracked() else { return };
    spawn_local(async move {
        match api::orders(app.account, "all", Some(&cursor)).await {
            Ok(page) => {
                app.account.rows(page.rows);
                app.account.cursor.set(page.cursor);
            }
            Err(failure) => told_load(app, "orders", Text::History, &failure),
        }
    });
}

fn load_balances(app: App) {
    spawn_local(async move {
        let user = app.account.session.with_untracked(Clone::clone);
        match api::assets(app.account).await {
            Ok(balances) => {
                let now = app.account.session.with_untracked(Clone::clone);
                if user.map(|session| session.user_id().to_owned())
                    == now.map(|session| session.user_id().to_owned())
                {
                    app.account.set_balances(balances);
                }
            }
            Err(failure) => told_load(app, "balances", Text::Balances, &failure),
        }
    });
}

/// Balances after an order's change; many changes at once ask once.
fn load_balances_soon(app: App) {
    for (slot, delay) in BALANCE_DELAYS.into_iter().enumerate() {
        if BALANCES_ASKED.with(|asked| asked[slot].replace(true)) {
            continue;
        }
        set_timeout(
            move || {
                BALANCES_ASKED.with(|asked| asked[slot].set(false));
                load_balances(app);
            },
            delay,
        );
    }
}

/// Sends a checked order. Where no answer comes it is sent again, under the same name: the server knows it then. If there
/// is still none, the name is kept for the user's own next attempt.
pub fn place(app: App, request: Request) {
    if let Some(venue) = app.venue() {
        return venue.place(app, request);
    }
    app.form.sending.set(true);
    let user = app.account.session.with_untracked(|session| session.as_ref().map(|s| s.user_id().to_owned()));
    let is_same = move || {
        app.account.session.with_untracked(|now| now.as_ref().map(Session::user_id) == user.as_deref())
    };
    spawn_local(async move {
        let name = app.account.name_order(&request, browser::fresh_id());
        let mut attempt = 0;
        let outcome = loop {
            let outcome = api::place(app.account, &request, &name).await;
            attempt += 1;
            if !matches!(&outcome, Err(failure) if is_unanswered(failure.status)) {
                app.account.settle_order(&name);
            }
            // Never in another user's name. That the order is there may have been told in another way meanwhile.
            if !app.account.is_order_open(&name) || attempt >= ATTEMPTS || !is_same() {
                break outcome;
            }
            let wait = wait_ms(attempt, js_sys::Math::random());
            browser::sleep(Duration::from_millis(wait.into())).await;
            if !app.account.is_order_open(&name) {
                break outcome;
            }
        };
        app.form.sending.set(false);
        match outcome {
            Ok(placed) => {
                app.form.quantity.set(String::new());
                app.account.rows(vec![pending(&request, placed)]);
                load_balances_soon(app);
            }
            Err(failure) if is_unanswered(failure.status) && !app.account.is_order_open(&name) => {
                app.form.quantity.set(String::new());
            }
            Err(failure) if is_unanswered(failure.status) => {
                let lang = app.ui.lang.get_untracked();
                let detail = format!("{} · {}", failure.text(lang), Text::OrderUnknownHint.of(lang));
                app.ui.toast("order", Mood::Bad, Text::OrderUnknown.of(lang), detail);
                load_account(app);
            }
            Err(failure) => told(app, "order", Text::OrderRefused, &failure),
        }
    });
}

/// An order that has been sent and not yet answered by the engine.
fn pending(request: &Request, id: String) -> Order {
    let now = browser::now_ms();
    Order {
        id,
        symbol: request.symbol.clone(),
        side: request.side,
        kind: Some(request.kind),
        tif: Some(request.tif),
        price: request.price,
        quantity: request.quantity,
        filled: 0,
        remaining: request.quantity,
        cost: 0,
        stop: request.stop,
        display: request.display,
        post_only: request.post_only,
        client_order_id: None,
        status: Status::Pending,
        reason: None,
        sequence: 0,
        created_at: now,
        updated_at: now,
    }
}

pub fn cancel(app: App, id: String) {
    if let Some(venue) = app.venue() {
        return venue.cancel(app, &id);
    }
    spawn_local(async move {
        if let Err(failure) = api::cancel(app.account, &id).await {
            told(app, &id, Text::CancelRefused, &failure);
            // It may have ended without the page having heard of it.
            if let Ok(row) = api::order(app.account, &id).await {
                app.account.rows(vec![row]);
            }
        }
    });
}

/// Cancels the user's open orders, all or those of a symbol, page by page.
pub fn cancel_all(app: App, symbol: Option<String>) {
    if let Some(venue) = app.venue() {
        return venue.cancel_all(app);
    }
    spawn_local(async move {
        let mut cursor = None;
        let mut failed = 0;
        for _ in 0..OPEN_PAGES {
            match api::cancel_all(app.account, symbol.as_deref(), cursor.as_deref()).await {
                Ok((left, next)) => {
                    failed += left;
                    cursor = next;
                }
                Err(failure) => return told(app, "cancel-all", Text::CancelRefused, &failure),
            }
            if cursor.is_none() {
                break;
            }
        }
        if failed > 0 {
            app.ui.toast("cancel-all", Mood::Bad, app.ui.now(Text::CancelRefused), group(failed as u64));
            load_account(app);
        }
    });
}

/// Asks for another price and open quantity of an order.
pub fn amend(app: App, id: String, price: Option<u64>, quantity: Option<u64>) {
    if let Some(venue) = app.venue() {
        return venue.amend(app, &id, price, quantity);
    }
    spawn_local(async move {
        if let Err(failure) = api::amend(app.account, &id, price, quantity).await {
            told(app, &id, Text::MoveRefused, &failure);
            // It may have changed or ended without the page having heard of it.
            if let Ok(row) = api::order(app.account, &id).await {
                app.account.rows(vec![row]);
            }
        }
    });
}

/// Moves an open order to another price. Until the exchange has answered it is shown there; a refusal brings it back.
pub fn move_order(app: App, id: String, price: u64) {
    app.account.moves.update(|moves| moves.send(&id, price));
    if let Some(venue) = app.venue() {
        return venue.amend(app, &id, Some(price), None);
    }
    spawn_local(async move {
        if let Err(failure) = api::amend(app.account, &id, Some(price), None).await {
            app.account.moves.update(|moves| moves.end(&id));
            told(app, &id, Text::MoveRefused, &failure);
            // It may have changed or ended without the page having heard of it.
            if let Ok(row) = api::order(app.account, &id).await {
                app.account.rows(vec![row]);
            }
        }
    });
}

/// A live message about one of the user's orders.
pub fn on_order(app: App, message: &OrderMessage) {
    let Some((news, order)) = app.account.message(message) else { return };
    let ended = order.as_ref().is_none_or(|order| !order.status.is_open());
    if ended || matches!(news, News::Replaced | News::ReplaceRejected) {
        app.account.moves.update(|moves| moves.end(&message.id));
    }
    load_balances_soon(app);
    // Placed elsewhere: a message does not tell an order's terms.
    if let Some(order) = order.as_ref().filter(|order| order.kind.is_none() && news == News::Accepted) {
        let id = order.id.clone();
        spawn_local(async move {
            // Where it cannot be had, the next loading of all orders brings it.
            if let Ok(row) = api::order(app.account, &id).await {
                app.account.rows(vec![row]);
            }
        });
    }
    let (title, mood) = match news {
        News::Accepted => (Text::NewsAccepted, Mood::Neutral),
        News::PartiallyFilled => (Text::NewsPartiallyFilled, Mood::Good),
        News::Filled => (Text::NewsFilled, Mood::Good),
        News::Cancelled => (Text::NewsCancelled, Mood::Neutral),
        News::Rejected => (Text::NewsRejected, Mood::Bad),
        News::Replaced => (Text::NewsReplaced, Mood::Neutral),
        News::CancelRejected => (Text::NewsCancelRejected, Mood::Bad),
        News::ReplaceRejected => (Text::NewsReplaceRejected, Mood::Bad),
        News::Triggered => (Text::NewsTriggered, Mood::Neutral),
    };
    let lang = app.ui.lang.get_untracked();
    app.ui.toast(&message.id, mood, title.of(lang), detail(message, news, order.as_ref(), lang));
}

/// `Buy TEST · 10 @ 150 · nobody on the other side`.
fn detail(message: &OrderMessage, news: News, order: Option<&Order>, lang: Lang) -> String {
    let side = order.map(|order| order.side).or(message.side).map(|side| match side {
        Side::Buy => Text::Buy.of(lang),
        Side::Sell => Text::Sell.of(lang),
    });
    let mut parts = vec![match side {
        Some(side) => format!("{side} {}", message.symbol),
        None => message.symbol.clone(),
    }];
    let is_fill = matches!(news, News::PartiallyFilled | News::Filled);
    // A filled order is told as a whole, a part of one by itself.
    let whole = order.filter(|order| news == News::Filled && order.filled > 0);
    let fill = match whole {
        Some(order) => (Some(order.filled), order.average_price()),
        None => (message.fill_quantity, message.fill_price),
    };
    let quantity = if is_fill { fill.0 } else { message.quantity };
    let limit = order.map_or(message.price, Order::limit).filter(|price| *price > 0);
    let is_market = order.is_some_and(|order| order.kind == Some(Kind::Market));
    match (quantity, if is_fill { fill.1 } else { limit }) {
        (Some(quantity), Some(price)) => parts.push(format!("{} @ {}", group(quantity), group(price))),
        (Some(quantity), None) if is_market => {
            parts.push(format!("{} @ {}", group(quantity), Text::Market.of(lang)))
        }
        (Some(quantity), None) => parts.push(group(quantity)),
        _ => {}
    }
    if news == News::PartiallyFilled
        && let Some(remaining) = message.remaining
    {
        parts.push(format!("{} {}", Text::Remaining.of(lang), group(remaining)));
    }
    // That the user has cancelled an order is no news to the user.
    if let Some(reason) = message.reason.as_deref().filter(|reason| *reason != "user") {
        parts.push(reason_text(reason, lang).map_or_else(|| reason.to_owned(), str::to_owned));
    }
    parts.join(" · ")
}

/// A failure to load. That the server cannot be reached is told by the feed's state, that a login has ended by the
/// session's end.
fn told_load(app: App, about: &str, title: Text, failure: &Failure) {
    if failure.status != 0 && failure.status != 401 {
        told(app, about, title, failure);
    }
}

/// A failure as a toast.
fn told(app: App, about: &str, title: Text, failure: &Failure) {
    let lang = app.ui.lang.get_untracked();
    app.ui.toast(about, Mood::Bad, title.of(lang), failure.text(lang));
}
