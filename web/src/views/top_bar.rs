//! The top bar: the shown symbol's price and day, the feed's state, language and user.

use super::settings::Settings;
use crate::auth;
use crate::i18n::{Lang, Text};
use crate::logic::amount::{Direction, compact, group, percent};
use crate::logic::session::Session;
use crate::stores::{App, FeedState, Panel};
use leptos::prelude::*;

#[component]
pub fn TopBar() -> impl IntoView {
    let app = App::get();
    let market = app.market;
    let turn_markets = move |_| {
        app.ui.panel.update(|panel| {
            *panel = if *panel == Panel::Markets { Panel::Chart } else { Panel::Markets };
        });
    };
    view! {
        <header class="top-bar">
            <h1 class="hidden">{move || format!("SUPERNOBA {}", market.symbol.get())}</h1>
            <div class="brand" aria-hidden="true"><Logo/>"SUPERNOBA"</div>
            <button type="button" class="symbol" on:click=turn_markets
                aria-expanded=move || (app.ui.panel.get() == Panel::Markets).to_string()>
                <span class="name">{move || market.symbol.get()}</span>
                <span class="caret" aria-hidden="true">"▾"</span>
                <span class="hidden">{app.ui.t(Text::Markets)}</span>
            </button>
            <Price/>
            <Day/>
            <div class="right">
                <a class="quiet" href="#sandbox" data-testid="to-sandbox">{app.ui.t(Text::Sandbox)}</a>
                <FeedStatus/>
                <Settings/>
                <Languages/>
                <User/>
            </div>
        </header>
    }
}

#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
            <path fill="currentColor" d="M12 1.5 14.4 9.6 22.5 12l-8.1 2.4L12 22.5l-2.4-8.1L1.5 12l8.1-2.4z"/>
        </svg>
    }
}

#[component]
pub fn Price() -> impl IntoView {
    let market = App::get().market;
    let change = move || market.ticker.with(|ticker| ticker.as_ref().map_or(0.0, |ticker| ticker.change));
    let direction = move || Direction::of_change(change());
    // A symbol without a ticker may still have candles.
    let price = move || {
        let last = market.last.get().map(|last| last.price);
        last.or_else(|| market.shown.get().1.map(|candle| candle.close))
    };
    view! {
        <div class=move || format!("quote {}", direction().class())>
            <strong class="num" data-testid="ticker-price" data-price=price>
                {move || price().map_or("–".into(), group)}
            </strong>
            <span class="num" data-testid="ticker-change">
                {move || market.ticker.with(Option::is_some).then(|| {
                    format!("{} {}", direction().arrow(), percent(change()))
                })}
            </span>
        </div>
    }
}

#[component]
fn Day() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let figure = move |text: Text, class: &'static str, value: Signal<Option<String>>| {
        view! {
            <div>
                <dt>{ui.t(text)}</dt>
                <dd class=format!("num {class}")>{move || value.get().unwrap_or("–".into())}</dd>
            </div>
        }
    };
    let high = Signal::derive(move || market.today.get().map(|day| group(day.high)));
    let low = Signal::derive(move || market.today.get().map(|day| group(day.low)));
    let volume = Signal::derive(move || market.today.get().map(|day| compact(day.volume, ui.lang.get())));
    view! {
        <dl class="day">
            {figure(Text::TodayHigh, "up", high)}
            {figure(Text::TodayLow, "down", low)}
            {figure(Text::TodayVolume, "", volume)}
        </dl>
    }
}

#[component]
fn FeedStatus() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let state = move || match market.feed.get() {
        FeedState::Live => ("live", Text::FeedLive),
        FeedState::Connecting => ("connecting", Text::FeedConnecting),
        FeedState::Offline => ("offline", Text::FeedOffline),
    };
    view! {
        <span class="feed" data-testid="feed-status" data-state=move || state().0
            title=move || market.latency.get().map(|ms| format!("{} {ms} ms", Text::Latency.of(ui.lang.get())))>
            <i aria-hidden="true"></i>
            <span role="status">{move || state().1.of(ui.lang.get())}</span>
            <small class="num" data-testid="latency">{move || market.latency.get().map(|ms| format!("{ms} ms"))}</small>
        </span>
    }
}

#[component]
pub fn Languages() -> impl IntoView {
    let ui = App::get().ui;
    let button = move |(lang, label, name): (Lang, &'static str, &'static str)| {
        view! {
            <button type="button" data-testid=format!("lang-{}", lang.as_str()) lang=lang.as_str() title=name
                aria-pressed=move || (ui.lang.get() == lang).to_string() on:click=move |_| ui.choose(lang)>
                {label}
            </button>
        }
    };
    view! {
        <div class="segments" role="group" aria-label=ui.t(Text::Language)>
            {[(Lang::Ko, "KO", "한국어"), (Lang::En, "EN", "English")].map(button).collect_view()}
        </div>
    }
}

#[component]
fn User() -> impl IntoView {
    let app = App::get();
    let open = move |_| app.ui.login_open.set(true);
    let name = Memo::new(move |_| {
        let session = app.account.session.get()?;
        Some((session.name().to_owned(), matches!(session, Session::Test { .. })))
    });
    move || {
        match name.get() {
        None => view! {
            <button type="button" class="primary" data-testid="login-open" on:click=open>{app.ui.t(Text::Login)}</button>
        }
        .into_any(),
        Some((name, is_test)) => view! {
            <span class="user" data-testid="user-name">
                {is_test.then(|| view! { <b class="badge">{app.ui.t(Text::TestBadge)}</b> })}
                <span>{name}</span>
            </span>
            <button type="button" class="quiet" data-testid="logout" on:click=move |_| auth::log_out(app)>
                {app.ui.t(Text::Logout)}
            </button>
        }
        .into_any(),
    }
    }
}
