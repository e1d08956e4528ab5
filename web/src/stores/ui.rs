//! The page itself: language, what is in front, and toasts.

use crate::i18n::{Lang, Text};
use crate::logic::favourites;
use crate::logic::indicators::Settings;
use crate::logic::layout::Layout;
use crate::logic::order::Order;
use crate::logic::theme::{Rising, Theme};
use crate::ports::{browser, storage};
use leptos::prelude::*;
use std::time::Duration;

const LANGUAGE_KEY: &str = "supernoba.lang";
const INDICATORS_KEY: &str = "supernoba.indicators";
const CONFIRMS_KEY: &str = "supernoba.confirms";
const THEME_KEY: &str = "supernoba.theme";
const RISING_KEY: &str = "supernoba.rising";
const FAVOURITES_KEY: &str = "supernoba.favourites";
const LAYOUT_KEY: &str = "supernoba.layout";
const TOAST_TIME: Duration = Duration::from_secs(6);
const MOST_TOASTS: usize = 5;

/// What a narrow page shows; a wide one shows all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Panel {
    Markets,
    #[default]
    Chart,
    Book,
    Order,
    Orders,
    /// The sandbox: what is inside the exchange.
    Inside,
}

impl Panel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Panel::Markets => "markets",
            Panel::Chart => "chart",
            Panel::Book => "book",
            Panel::Order => "order",
            Panel::Orders => "orders",
            Panel::Inside => "inside",
        }
    }
}

/// What the panel of orders shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tab {
    #[default]
    Open,
    History,
    Fills,
    Balances,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    Bad,
    Neutral,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// Grows with every toast.
    pub number: u32,
    /// What the toast is about: a newer one about the same takes its place.
    pub about: String,
    pub mood: Mood,
    pub title: String,
    pub detail: String,
}

#[derive(Clone, Copy)]
pub struct Ui {
    pub lang: RwSignal<Lang>,
    pub panel: RwSignal<Panel>,
    pub tab: RwSignal<Tab>,
    pub login_open: RwSignal<bool>,
    pub toasts: RwSignal<Vec<Toast>>,
    /// The user is asked before an order is sent.
    pub confirms: RwSignal<bool>,
    /// The order that the user is changing.
    pub amending: RwSignal<Option<Order>>,
    /// The user is asked whether to cancel all orders.
    pub cancelling: RwSignal<bool>,
    pub theme: RwSignal<Theme>,
    pub rising: RwSignal<Rising>,
    /// Symbols that the user has starred.
    pub favourites: RwSignal<Vec<String>>,
    pub layout: RwSignal<Layout>,
    /// The user moves the columns about.
    pub arranging: RwSignal<bool>,
    /// The chart's indicators.
    pub indicators: RwSignal<Settings>,
    toasted: StoredValue<u32>,
}

impl Ui {
    pub fn new() -> Ui {
        let kept = storage::read(LANGUAGE_KEY).and_then(|tag| Lang::parse(&tag));
        Ui {
            lang: RwSignal::new(kept.unwrap_or_else(|| Lang::of_browser(&browser::language()))),
            panel: RwSignal::new(Panel::default()),
            tab: RwSignal::new(Tab::default()),
            login_open: RwSignal::new(false),
            toasts: RwSignal::new(Vec::new()),
            confirms: RwSignal::new(storage::read(CONFIRMS_KEY).is_none_or(|kept| kept != "off")),
            amending: RwSignal::new(None),
            cancelling: RwSignal::new(false),
            theme: RwSignal::new(storage::read(THEME_KEY).map_or(Theme::System, |name| Theme::parse(&name))),
            rising: RwSignal::new(
                storage::read(RISING_KEY).map_or(Rising::ByLanguage, |name| Rising::parse(&name)),
            ),
            favourites: RwSignal::new(favourites::decode(&storage::read(FAVOURITES_KEY).unwrap_or_default())),
            layout: RwSignal::new(Layout::decode(&storage::read(LAYOUT_KEY).unwrap_or_default())),
            arranging: RwSignal::new(false),
            indicators: RwSignal::new(Settings::decode(&storage::read(INDICATORS_KEY).unwrap_or_default())),
            toasted: StoredValue::new(0),
        }
    }

    /// A text that follows the language.
    pub fn t(self, text: Text) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
        move || text.of(self.lang.get())
    }

    /// A text as it is now, outside of views.
    pub fn now(self, text: Text) -> &'static str {
        text.of(self.lang.get_untracked())
    }

    pub fn choose(self, lang: Lang) {
        storage::write(LANGUAGE_KEY, lang.as_str());
        // Before the signal: who redraws for it reads the new colours.
        browser::set_document("lang", lang.as_str());
        self.lang.set(lang);
    }

    pub fn choose_confirms(self, confirms: bool) {
        storage::write(CONFIRMS_KEY, if confirms { "on" } else { "off" });
        self.confirms.set(confirms);
    }

    pub fn choose_theme(self, theme: Theme) {
        storage::write(THEME_KEY, theme.as_str());
        // Before the signal: who redraws for it reads the new colours.
        browser::set_document("data-theme", theme.shown(browser::prefers_light()));
        self.theme.set(theme);
    }

    pub fn choose_rising(self, rising: Rising) {
        storage::write(RISING_KEY, rising.as_str());
        // Before the signal: who redraws for it reads the new colours.
        browser::set_document("data-rising", rising.as_str());
        self.rising.set(rising);
    }

    pub fn star(self, symbol: &str) {
        self.favourites.update(|stars| match stars.iter().position(|star| star == symbol) {
            Some(place) => drop(stars.remove(place)),
            None => stars.push(symbol.to_owned()),
        });
        storage::write(FAVOURITES_KEY, &self.favourites.with_untracked(|stars| favourites::encode(stars)));
    }

    pub fn change_layout(self, change: impl FnOnce(&mut Layout)) {
        self.layout.update(change);
        storage::write(LAYOUT_KEY, &self.layout.with_untracked(Layout::encode));
    }

    /// Changes the chart's indicators, and remembers them.
    pub fn change_indicators(self, change: impl FnOnce(&mut Settings)) {
        self.indicators.update(change);
        storage::write(INDICATORS_KEY, &self.indicators.with_untracked(Settings::encode));
    }

    pub fn toast(self, about: &str, mood: Mood, title: &str, detail: String) {
        let number = self.toasted.get_value() + 1;
        self.toasted.set_value(number);
        let toast = Toast { number, about: about.to_owned(), mood, title: title.to_owned(), detail };
        self.toasts.update(|toasts| {
            toasts.retain(|other| other.about != toast.about);
            toasts.push(toast);
            let extra = toasts.len().saturating_sub(MOST_TOASTS);
            toasts.drain(..extra);
        });
        set_timeout(move || self.dismiss(number), TOAST_TIME);
    }

    pub fn dismiss(self, number: u32) {
        if self.toasts.with_untracked(|toasts| toasts.iter().any(|toast| toast.number == number)) {
            self.toasts.update(|toasts| toasts.retain(|toast| toast.number != number));
        }
    }
}
