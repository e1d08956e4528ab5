//! A test of the candles from end to end: trades are made, and what they add up to is compared with the live candle, with
//! `/chart`, and with the longer candles.

use super::requests::send;
use super::socket::{open, subscription};
use crate::api;
use crate::logic::amount::parse_amount;
use crate::logic::candle_check::{Check, Watch};
use crate::logic::message::parse;
use crate::logic::session::Session;
use crate::ports::browser;
use crate::ports::http::Method;
use crate::ports::socket::Event;
use crate::stores::App;
use crate::tools::frame::{field, heads};
use crate::tools::texts::{Words, say};
use engine_core::candle::{Candle, Interval, format_minute};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const COLUMNS: [(Words, &str); 4] =
    [(Words::Check, ""), (Words::Expected, ""), (Words::Seen, ""), (Words::State, "right")];
/// How often, and how many times, what has been asked for is looked for.
const STEP: Duration = Duration::from_millis(100);
const STEPS: u32 = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    expected: String,
    seen: String,
    passed: bool,
}

#[component]
pub fn CandleTest() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let symbol = RwSignal::new(app.market.symbol.get_untracked());
    let prices = RwSignal::new("1000, 1050, 980, 1020".to_owned());
    let quantity = RwSignal::new("25".to_owned());
    let rows = RwSignal::new(Vec::<Row>::new());
    let running = RwSignal::new(false);
    let is_possible = move || app.market.config.with(|config| config.test_mode);
    let run = move |event: SubmitEvent| {
        event.prevent_default();
        let prices: Vec<u64> =
            prices.get_untracked().split(',').filter_map(|price| parse_amount(price).ok()).collect();
        let Ok(quantity) = parse_amount(&quantity.get_untracked()) else { return };
        if prices.is_empty() || running.get_untracked() {
            return;
        }
        running.set(true);
        rows.set(Vec::new());
        spawn_local(async move {
            let wanted = symbol.get_untracked().trim().to_owned();
            let found = test(app, &wanted, &prices, quantity).await;
            let _ = rows.try_set(found);
            let _ = running.try_set(false);
        });
    };
    let row = move |row: Row| {
        let (sign, words) = if row.passed { ("✓ ", Words::Passed) } else { ("✗ ", Words::NotPassed) };
        view! {
            <tr data-testid="candle-check" data-passed=row.passed.to_string()>
                <td>{row.name}</td>
                <td class="num wrap">{row.expected}</td>
                <td class="num wrap">{row.seen}</td>
                <td class="right"><b class:fault=!row.passed>{sign} {say(ui, words)}</b></td>
            </tr>
        }
    };
    let label = move || if running.get() { Words::Running } else { Words::Run }.of(ui.lang.get());
    view! {
        <p class="note">{say(ui, Words::TestHint)}</p>
        <Show when=move || !is_possible()><p class="fault" role="alert">{say(ui, Words::NeedsTestMode)}</p></Show>
        <form class="tool-form" on:submit=run novalidate>
            {field(ui, "candle-symbol", Words::Symbol, symbol, "TEST")}
            {field(ui, "candle-prices", Words::Prices, prices, "1000, 1050")}
            {field(ui, "candle-quantity", Words::Quantity, quantity, "25")}
            <button type="submit" class="primary" data-testid="candle-run" disabled=move || running.get() || !is_possible()
                aria-busy=move || running.get().to_string()>{label}</button>
        </form>
        <Show when=move || rows.with(|rows| !rows.is_empty())>
            <table>
                {heads(ui, &COLUMNS)}
                <tbody><For each=move || rows.get() key=|row| (row.name.clone(), row.seen.clone()) children=row/></tbody>
            </table>
        </Show>
    }
}

fn user(name: &str) -> Session {
    Session::Test { user_id: format!("test-candle-{name}") }
}

fn shown(candle: Option<&Candle>) -> String {
    candle.map_or("–".into(), |candle| {
        let Candle { time, open, high, low, close, volume } = candle;
        format!("{} {open}/{high}/{low}/{close} · {volume}", format_minute(*time))
    })
}

async fn test(app: App, symbol: &str, prices: &[u64], quantity: u64) -> Vec<Row> {
    let lang = app.ui.lang.get_untracked();
    let watch = Rc::new(RefCell::new(Watch::default()));
    let opened = Rc::new(std::cell::Cell::new(false));
    let (kept, is_open, of) = (watch.clone(), opened.clone(), symbol.to_owned());
    let handler = move |event| match event {
        Event::Opened => is_open.set(true),
        Event::Text(text) => {
            if let Some(message) = parse(&text) {
                kept.borrow_mut().hear(&of, message);
            }
        }
        Event::Closed => is_open.set(false),
    };
    let (maker, taker) = (user("maker"), user("taker"));
    // Logged-in users are told every 50 ms.
    let Some(socket) = open(Some(&taker), handler) else { return Vec::new() };
    wait(|| opened.get()).await;
    socket.send(&subscription(symbol, ""));
    // What the minute has before the test.
    if let (Ok(depth), Ok(minutes)) = (api::depth(symbol).await, api::chart(symbol, Interval::M1, None).await)
    {
        watch.borrow_mut().begin(depth.sequence, minutes.last().copied());
    }
    let mut sent = 0;
    for (number, price) in prices.iter().enumerate() {
        for (session, side) in [(&maker, "SELL"), (&taker, "BUY")] {
            let body =
                format!(r#"{{"symbol":"{symbol}","side":"{side}","price":{price},"quantity":{quantity}}}"#);
            let answer = send(Some(session), Method::Post, "/orders", Some(&body)).await;
            sent += usize::from(answer.is_some_and(|answer| answer.status == 202));
        }
        // One after the other, so that the last price is the last of the list.
        let traded = quantity.saturating_mul(number as u64 + 1);
        wait(|| watch.borrow().traded() >= traded).await;
    }
    let is_told = || watch.borrow().check().is_some_and(|check| check.live == Some(check.expected));
    wait(is_told).await;
    let minutes = api::chart(symbol, Interval::M1, None).await.unwrap_or_default();
    let traded = watch.borrow().traded();
    let mut rows = vec![
        row(Words::AllOrders.of(lang).into(), (prices.len() * 2).to_string(), sent.to_string()),
        row(
            Words::AllTrades.of(lang).into(),
            quantity.saturating_mul(prices.len() as u64).to_string(),
            traded.to_string(),
        ),
    ];
    let check = watch.borrow().check();
    if let Some(Check { expected, live }) = check {
        rows.push(row(Words::LiveCandle.of(lang).into(), shown(Some(&expected)), shown(live.as_ref())));
        let minute = minutes.iter().find(|minute| minute.time == expected.time);
        rows.push(row(Words::ChartCandle.of(lang).into(), shown(Some(&expected)), shown(minute)));
    }
    for interval in Interval::ALL.into_iter().skip(1) {
        let folded = engine_core::candle::aggregate(&minutes, interval, app.market.day_offset_s());
        let longer = api::chart(symbol, interval, None).await.unwrap_or_default();
        // Only what the minutes cover from its beginning can be folded from them.
        let covers = minutes.len() < api::CHART_LIMIT || folded.len() > 1;
        if covers {
            rows.push(row(interval.as_str().into(), shown(folded.last()), shown(longer.last())));
        }
    }
    // Nothing of the test is left in the book.
    for session in [&maker, &taker] {
        let _ = send(Some(session), Method::Delete, &format!("/orders?symbol={symbol}"), None).await;
    }
    drop(socket);
    rows
}

fn row(name: String, expected: String, seen: String) -> Row {
    Row { name, passed: expected == seen, expected, seen }
}

async fn wait(mut holds: impl FnMut() -> bool) {
    for _ in 0..STEPS {
        if holds() {
            return;
        }
        browser::sleep(STEP).await;
    }
}
