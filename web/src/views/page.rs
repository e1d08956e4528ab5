//! The page as a whole: it creates the stores, starts the feed, and lays out the panels.

use super::chart::ChartPanel;
use super::ladder::Ladder;
use super::login::LoginDialog;
use super::markets::Markets;
use super::orders::OrdersPanel;
use super::tape::TapePanel;
use super::ticket::TicketPanel;
use super::toasts::Toasts;
use super::top_bar::TopBar;
use crate::feed::Feed;
use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::backoff::wait_ms;
use crate::ports::browser;
use crate::stores::{App, FeedState, Mood, Panel};
use crate::{api, auth, trading};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// How often the list of symbols is asked for: symbols come and go while the page is open.
const LIST_EVERY: Duration = Duration::from_secs(60);

#[component]
pub fn Page() -> impl IntoView {
    let app = App::provide();
    start(app);
    view! {
        <main class="page" data-panel=move || app.ui.panel.get().as_str()>
            <a class="skip" href="#order-price">{app.ui.t(Text::SkipToOrder)}</a>
            <TopBar/>
            <Markets/>
            <ChartPanel/>
            <Ladder/>
            <div class="aside">
                <TicketPanel/>
                <TapePanel/>
            </div>
            <OrdersPanel/>
            <TabBar/>
        </main>
        <LoginDialog/>
        <Toasts/>
    }
}

/// Panels of a narrow page.
#[component]
fn TabBar() -> impl IntoView {
    let ui = App::get().ui;
    let tabs = [
        (Panel::Chart, Text::Chart, "▤"),
        (Panel::Book, Text::OrderBook, "≡"),
        (Panel::Order, Text::Order, "⇅"),
        (Panel::Orders, Text::Orders, "☰"),
    ];
    let tab = move |(panel, text, sign): (Panel, Text, &'static str)| {
        let current = move || (ui.panel.get() == panel).then_some("page");
        view! {
            <button type="button" data-testid=format!("panel-{}", panel.as_str()) aria-current=current
                on:click=move |_| ui.panel.set(panel)>
                <span class="sign" aria-hidden="true">{sign}</span>
                {ui.t(text)}
            </button>
        }
    };
    view! { <nav class="tab-bar">{tabs.map(tab).collect_view()}</nav> }
}

/// What goes on for as long as the page is open.
fn start(app: App) {
    let feed = Feed::new(app);
    auth::keep_alive(app.account);
    browser::set_document_language(app.ui.lang.get_untracked().as_str());

    Effect::new(move || {
        let symbol = app.market.symbol.get();
        let price = app.market.last.get().map(|last| group(last.price)).unwrap_or_default();
        let parts =
            [price.as_str(), symbol.as_str(), "SUPERNOBA"].into_iter().filter(|part| !part.is_empty());
        document().set_title(&parts.collect::<Vec<_>>().join(" · "));
    });

    let on_turn = StoredValue::new_local(feed.clone());
    Effect::watch(
        move || app.market.symbol.get(),
        move |_, _, _| {
            app.form.clear();
            // A feed that is not there yet loads when it comes.
            if app.market.feed.get_untracked() == FeedState::Live {
                on_turn.with_value(Feed::subscribe);
                trading::load_symbol(app);
            }
        },
        false,
    );
    let on_list = on_turn;
    Effect::watch(move || app.market.rows.track(), move |_, _, _| on_list.with_value(Feed::subscribe), false);
    set_interval(move || trading::load_list(app), LIST_EVERY);

    let on_user = on_turn;
    let user = Memo::new(move |_| app.account.user_id());
    Effect::watch(
        move || user.get(),
        move |_, _, _| {
            app.account.clear();
            on_user.with_value(Feed::connect);
        },
        false,
    );
    Effect::watch(
        move || app.account.ended.get(),
        move |_, _, _| app.ui.toast("session", Mood::Bad, app.ui.now(Text::SessionEnded), String::new()),
        false,
    );

    spawn_local(async move {
        let mut failures = 0;
        let config = loop {
            match api::config().await {
                Ok(config) => break config,
                Err(_) => {
                    app.market.feed.set(FeedState::Offline);
                    let wait = wait_ms(failures, js_sys::Math::random());
                    browser::sleep(Duration::from_millis(wait.into())).await;
                    failures += 1;
                }
            }
        };
        let symbols = config.symbols.clone();
        app.market.config.set(config);
        app.market.list(symbols);
        feed.connect();
        browser::set_ready();
    });
}
