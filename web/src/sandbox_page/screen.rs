//! The sandbox as a whole: the trading page's panels over the worker, with the controls and what is inside.

use super::controls::Controls;
use super::desk::Desk;
use super::flows::Flows;
use super::inside::InsidePanel;
use super::share::ShareDialog;
use super::texts::{Words, say};
use super::tour::Tour;
use super::{files, keys};
use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::clock;
use crate::ports::browser;
use crate::stores::{App, Panel};
use crate::views::chart::ChartPanel;
use crate::views::dialogs::Dialogs;
use crate::views::ladder::Ladder;
use crate::views::orders::OrdersPanel;
use crate::views::settings::Settings;
use crate::views::tape::TapePanel;
use crate::views::ticket::TicketPanel;
use crate::views::toasts::Toasts;
use crate::views::top_bar::{Languages, Logo, Price};
use leptos::prelude::*;
use sandbox::protocol::{Opened, Phase};

#[component]
pub fn Screen() -> impl IntoView {
    let app = App::get();
    let desk = Desk::start(app);
    keys::listen(desk);
    let _ = window_event_listener_untyped("hashchange", move |_| {
        desk.open_address();
    });
    Effect::new(move || {
        let clock = clock::time_of_day(desk.place.with(|place| place.clock), app.market.day_offset_s());
        document().set_title(&format!("{clock} · {} · SUPERNOBA", Text::Sandbox.of(app.ui.lang.get())));
    });
    // Nothing is shown before the look is there: it would jump.
    let dressed = RwSignal::new(false);
    let dropping = files::listen(desk);
    let visibility = move || if dressed.get() { "visible" } else { "hidden" };
    view! {
        <link rel="stylesheet" href=browser::file_address("sandboxStyle") on:load=move |_| {
            dressed.set(true);
            browser::set_ready();
        }/>
        <div class="banner" role="alert" data-testid="sandbox-stopped" hidden=move || !desk.failed.get()>
            {say(app.ui, Words::Stopped)}
        </div>
        <main class="page sandbox" data-testid="sandbox" data-panel=move || app.ui.panel.get().as_str()
            data-phase=move || phase(&desk.place.with(|place| place.phase.clone())) style:visibility=visibility>
            <Bar/>
            <Controls/>
            <ChartPanel/>
            <Ladder/>
            <div class="aside">
                <TicketPanel/>
                <TapePanel/>
            </div>
            <OrdersPanel/>
            <InsidePanel/>
            <TabBar/>
        </main>
        <Flows/>
        <ShareDialog/>
        <Tour/>
        <Dialogs/>
        <Toasts/>
        <Show when=move || dropping.get()>
            <div class="dropping" data-testid="dropping"><b>{say(app.ui, Words::DropNow)}</b></div>
        </Show>
    }
}

fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Empty => "empty",
        Phase::Reading(_) => "reading",
        Phase::Generating { .. } => "generating",
        Phase::Indexing { .. } => "indexing",
        Phase::Ready => "ready",
    }
}

#[component]
fn Bar() -> impl IntoView {
    let desk = Desk::get();
    let App { ui, market, .. } = desk.app;
    let clock = move || clock::full(desk.place.with(|place| place.clock), market.day_offset_s());
    view! {
        <header class="top-bar">
            <h1 class="hidden">{move || format!("SUPERNOBA {}", Text::Sandbox.of(ui.lang.get()))}</h1>
            <div class="brand" aria-hidden="true"><Logo/>"SUPERNOBA"</div>
            <span class="symbol" data-testid="sandbox-symbol">
                <span class="name">{move || market.symbol.get()}</span><b class="badge">{ui.t(Text::Sandbox)}</b></span>
            <Price/>
            <dl class="day">
                <div><dt>{say(ui, Words::Clock)}</dt><dd class="num" data-testid="clock">{clock}</dd></div>
                <Profit/>
                <StateHash/>
            </dl>
            <div class="right">
                <button type="button" class="quiet" data-testid="open-flows" on:click=move |_| desk.choosing.set(true)>
                    {say(ui, Words::Flow)}
                </button>
                <button type="button" class="quiet" data-testid="open-share" on:click=move |_| desk.sharing.set(true)>
                    {say(ui, Words::Share)}
                </button>
                <button type="button" class="quiet" data-testid="open-tour" on:click=move |_| desk.begin_tour()>
                    {say(ui, Words::Tour)}
                </button>
                <a class="quiet" href="#" data-testid="to-trading">{say(ui, Words::Trading)}</a>
                <Settings/>
                <Languages/>
            </div>
        </header>
    }
}

/// What the account is worth more than it began with.
#[component]
fn Profit() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let class = move || match desk.profit.get() {
        Some(1..) => "num up",
        Some(..=-1) => "num down",
        _ => "num",
    };
    let text = move || match desk.profit.get() {
        Some(profit) => {
            let sign = if profit > 0 {
                "+"
            } else if profit < 0 {
                "-"
            } else {
                ""
            };
            format!("{sign}{}", group(profit.unsigned_abs()))
        }
        None => "–".into(),
    };
    view! { <div><dt>{say(ui, Words::Profit)}</dt><dd class=class data-testid="profit">{text}</dd></div> }
}

/// The state's hash, and whether it is the one that was shared.
#[component]
fn StateHash() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let short =
        move || desk.hash.get().map_or("–".into(), |hash| hash.chars().take(12).collect::<String>());
    let opened = move || {
        let same = desk.place.with(|place| match &place.opened {
            Some(Opened::There { same, .. }) => Some(*same),
            _ => None,
        })?;
        let (sign, words) = if same { ("✓", Words::SameState) } else { ("✗", Words::OtherState) };
        let class = if same { "same" } else { "other" };
        Some(view! {
            <i class=class data-testid="opened" data-same=same.to_string() title=say(ui, words)>
                {sign} <span class="hidden">{say(ui, words)}</span>
            </i>
        })
    };
    view! {
        <div>
            <dt>{say(ui, Words::StateHash)}</dt>
            <dd>
                <code data-testid="state-hash" data-hash=move || desk.hash.get().unwrap_or_default()
                    title=move || desk.hash.get()>{short}</code>
                {opened}
            </dd>
        </div>
    }
}

/// Panels of a narrow page.
#[component]
fn TabBar() -> impl IntoView {
    let ui = App::get().ui;
    let name = move |panel: Panel| {
        let lang = ui.lang.get();
        match panel {
            Panel::Markets | Panel::Chart => Text::Chart.of(lang),
            Panel::Book => Text::OrderBook.of(lang),
            Panel::Order => Text::Order.of(lang),
            Panel::Orders => Text::Orders.of(lang),
            Panel::Inside => Words::InsideTab.of(lang),
        }
    };
    let tabs = [
        (Panel::Chart, "▤"),
        (Panel::Book, "≡"),
        (Panel::Order, "⇅"),
        (Panel::Orders, "☰"),
        (Panel::Inside, "◫"),
    ];
    let tab = move |(panel, sign): (Panel, &'static str)| {
        let current = move || (ui.panel.get() == panel).then_some("page");
        view! {
            <button type="button" data-testid=format!("panel-{}", panel.as_str()) aria-current=current
                on:click=move |_| ui.panel.set(panel)>
                <span class="sign" aria-hidden="true">{sign}</span>
                {move || name(panel)}
            </button>
        }
    };
    view! { <nav class="tab-bar">{tabs.map(tab).collect_view()}</nav> }
}
