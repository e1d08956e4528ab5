//! The user's fills, newest first, page by page; new ones come in live.

use crate::api::{self, FILLS_PAGE};
use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::clock;
use crate::logic::fill_rows::{FillRow, merge};
use crate::stores::{App, Mood};
use crate::views::orders::side_mark;
use crate::views::table::{Column, cell, heads, nothing};
use leptos::prelude::*;
use leptos::task::spawn_local;

const COLUMNS: [Column; 9] = [
    (Text::Time, ""),
    (Text::Symbol, ""),
    (Text::Side, ""),
    (Text::Price, "right"),
    (Text::Quantity, "right"),
    (Text::Total, "right"),
    (Text::Role, ""),
    (Text::OrderId, "wide"),
    (Text::FillId, "wide"),
];

#[derive(Clone, Copy)]
struct List {
    app: App,
    rows: RwSignal<Vec<FillRow>>,
    cursor: RwSignal<Option<String>>,
    loading: RwSignal<bool>,
    /// Only those of the shown symbol.
    here: RwSignal<bool>,
    /// Counts what has been asked for: an answer to what is no longer wanted is dropped.
    asked: StoredValue<u32>,
}

impl List {
    fn symbol(self) -> Option<String> {
        self.here.get_untracked().then(|| self.app.market.symbol.get_untracked())
    }

    /// From the beginning.
    fn reload(self) {
        self.rows.set(Vec::new());
        self.cursor.set(None);
        self.load(None);
    }

    fn load(self, cursor: Option<String>) {
        self.asked.update_value(|asked| *asked = asked.wrapping_add(1));
        let number = self.asked.get_value();
        self.loading.set(true);
        let symbol = self.symbol();
        spawn_local(async move {
            let page = api::fills(self.app.account, symbol.as_deref(), cursor.as_deref(), FILLS_PAGE).await;
            // The list may be gone by now.
            if self.asked.try_get_value() != Some(number) {
                return;
            }
            self.loading.set(false);
            match page {
                Ok(page) => {
                    self.rows.update(|rows| merge(rows, page.rows));
                    self.cursor.set(page.cursor);
                }
                Err(failure) => {
                    let ui = self.app.ui;
                    ui.toast(
                        "fills",
                        Mood::Bad,
                        ui.now(Text::ListFailed),
                        failure.text(ui.lang.get_untracked()),
                    );
                }
            }
        });
    }
}

#[component]
pub fn FillList() -> impl IntoView {
    let app = App::get();
    let App { ui, market, account, .. } = app;
    let list = List {
        app,
        rows: RwSignal::new(Vec::new()),
        cursor: RwSignal::new(None),
        loading: RwSignal::new(false),
        here: RwSignal::new(false),
        asked: StoredValue::new(0),
    };
    let user = Memo::new(move |_| account.user_id());
    Effect::new(move || {
        user.track();
        account.missed.track();
        if list.here.get() {
            market.symbol.track();
        }
        list.reload();
    });
    Effect::new(move || {
        let news = account.news.get();
        let symbol = list.symbol();
        let is_wanted = |row: &FillRow| symbol.as_ref().is_none_or(|symbol| row.symbol == *symbol);
        let news: Vec<_> = news.into_iter().filter(is_wanted).collect();
        if !news.is_empty() {
            list.rows.update(|rows| merge(rows, news));
        }
    });
    let is_empty = Signal::derive(move || list.rows.with(Vec::is_empty) && !list.loading.get());
    view! {
        <label class="check list-head">
            <input type="checkbox" data-testid="fills-here" prop:checked=list.here
                on:change=move |event| list.here.set(event_target_checked(&event))/>
            <span>{ui.t(Text::OnlyThisSymbol)}" "{move || market.symbol.get()}</span>
        </label>
        <table>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || list.rows.get() key=FillRow::name children=move |row| self::row(app, row)/>
            </tbody>
        </table>
        {nothing(Text::NoFills, is_empty)}
        <Show when=move || list.cursor.with(Option::is_some)>
            <button type="button" class="more" data-testid="fills-more" disabled=list.loading
                on:click=move |_| list.load(list.cursor.get_untracked())>
                {ui.t(Text::More)}
            </button>
        </Show>
    }
}

fn row(app: App, row: FillRow) -> AnyView {
    let lang = app.ui.lang;
    let FillRow { id, order_id, symbol, side, price, quantity, is_taker, time, .. } = row;
    let fixed = |class, text: String| cell(class, move || text.clone());
    let name = format!("fill-{id}");
    let role = move || if is_taker { Text::Taker } else { Text::Maker }.of(lang.get()).to_owned();
    view! {
        <tr data-testid=name>
            {cell("num dim", move || clock::date_and_time(time, app.market.day_offset_s(), lang.get()))}
            {fixed("", symbol)}
            <td>{side_mark(app, Signal::stored(side))}</td>
            {fixed("num right", group(price))}
            {fixed("num right", group(quantity))}
            {fixed("num right", group(price.saturating_mul(quantity)))}
            {cell("", role)}
            {fixed("num dim wide", order_id)}
            {fixed("num dim wide", id)}
        </tr>
    }
    .into_any()
}
