//! The page as a whole: it creates the stores, starts the feed, and lays out the panels.

use super::arrange;
use super::chart::ChartPanel;
use super::dialogs::Dialogs;
use super::keys::{self, focus};
use super::ladder::Ladder;
use super::login::LoginDialog;
use super::markets::Markets;
use super::on_demand::{Loading, OnDemand, Part};
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
use crate::{api, auth, sandbox_page, tools, trading};
use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;
use wasm_split_helpers::wasm_split;

/// How often the list of symbols is asked for: symbols come and go while the page is open.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// What the page is: its address says so. Turning from one to the other loads the page anew, so that nothing of the one
/// goes on behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    Trading,
    Sandbox,
    Admin,
    Console,
}

impl Screen {
    fn of_address() -> Screen {
        match browser::fragment().split('=').next() {
            Some("sandbox") => Screen::Sandbox,
            Some("admin") => Screen::Admin,
            Some("console") => Screen::Console,
            _ => Screen::Trading,
        }
    }
}

#[component]
pub fn Page() -> impl IntoView {
    let app = App::provide();
    for (attribute, value) in [
        ("lang", app.ui.lang.get_untracked().as_str()),
        ("data-theme", app.ui.theme.get_untracked().shown(browser::prefers_light())),
        ("data-rising", app.ui.rising.get_untracked().as_str()),
    ] {
        browser::set_document(attribute, value);
    }
    keys::listen(app);
    let screen = Screen::of_address();
    let _ = window_event_listener_untyped("hashchange", move |_| {
        if Screen::of_address() != screen {
            browser::reload();
        }
    });
    match screen {
        Screen::Trading => view! { <Trading/> }.into_any(),
        Screen::Sandbox => view! { <OnDemand load=|| Box::pin(sandbox())/> }.into_any(),
        Screen::Admin => tool(app, || Box::pin(admin())),
        Screen::Console => tool(app, || Box::pin(console())),
    }
}

/// A page beside the trading screen, which has no feed of its own: it is told once what the exchange is.
fn tool(app: App, load: fn() -> Loading) -> AnyView {
    spawn_local(begin(app));
    view! { <OnDemand load/> }.into_any()
}

#[wasm_split(tools, fallible)]
fn admin() -> Part {
    Ok(|| view! { <tools::admin::Screen/> }.into_any())
}

#[wasm_split(tools, fallible)]
fn console() -> Part {
    Ok(|| view! { <tools::console::Screen/> }.into_any())
}

#[wasm_split(sandbox, fallible)]
fn sandbox() -> Part {
    Ok(|| view! { <sandbox_page::Screen/> }.into_any())
}

#[component]
fn Trading() -> impl IntoView {
    let app = App::get();
    start(app);
    // One by one: the page's policy takes no styles written as text.
    let laid = move |property: usize| app.ui.layout.with(|layout| layout.style()[property].clone());
    view! {
        <Banner/>
        <main class="page" data-panel=move || app.ui.panel.get().as_str()
            data-hidden=move || hidden(app) style=("--areas", move || laid(0)) style=("--columns", move || laid(1)) style=("--orders", move || laid(2))>
            <a class="skip" href="#order-quantity" on:click=skip>{app.ui.t(Text::SkipToOrder)}</a>
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
            <Show when=move || app.ui.arranging.get()>
                <OnDemand load=|| Box::pin(arrange::arrange()) quiet=true/>
            </Show>
        </main>
        <LoginDialog/>
        <Dialogs/>
        <Toasts/>
    }
}

/// Names of the columns that the user has taken away.
fn hidden(app: App) -> String {
    app.ui.layout.with(|layout| {
        let hidden = layout.columns().into_iter().filter(|(_, shown)| !shown);
        hidden.map(|(column, _)| column.as_str()).collect::<Vec<_>>().join(" ")
    })
}

/// A fragment of the address names a page here: the link only moves the focus.
fn skip(event: MouseEvent) {
    event.prevent_default();
    focus("order-quantity");
}

/// Says when what is shown may be old.
#[component]
fn Banner() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let text = move || match (market.feed.get(), market.stale.get()) {
        (FeedState::Offline, _) => Some(Text::OfflineBanner),
        (FeedState::Live, true) => Some(Text::StaleBanner),
        _ => None,
    };
    view! {
        <div class="banner" role="alert" data-testid="banner" hidden=move || text().is_none()>
            {move || text().map(|text| text.of(ui.lang.get()))}
        </div>
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
    Effect::watch(move || app.market.gaps.get(), move |_, _, _| trading::load_book(app), false);
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
        begin(app).await;
        feed.connect();
        browser::set_ready();
    });
}

/// Asks the exchange what it is until it answers.
async fn begin(app: App) {
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
}
