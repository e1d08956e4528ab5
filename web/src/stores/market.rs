//! The market: symbols with their tickers, and book, trades and candles of the one that is shown. What arrives is
//! kept plain and conflated; once per animation frame the signals of what changed are written, one per row.

use crate::logic::amount::Direction;
use crate::logic::book::{Book, GROUPS, LEVELS, Level};
use crate::logic::candles::{Candles, Change};
use crate::logic::map::{Map, sort_short};
use crate::logic::message::{Config, Depth, Message, Ticker};
use crate::logic::tape::{TAPE_LENGTH, Tape, Trade};
use crate::ports::storage;
use engine_core::candle::{Candle, Interval};
use leptos::prelude::*;
use std::time::Duration;

const SYMBOL_KEY: &str = "supernoba.symbol";
const INTERVAL_KEY: &str = "supernoba.interval";
const GROUP_KEY: &str = "supernoba.group";
/// A book that lacks an event after this long will not get it by waiting.
const GAP_TIME: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    Connecting,
    Live,
    Offline,
}

/// A symbol in the list.
#[derive(Clone)]
pub struct SymbolRow {
    pub name: String,
    pub ticker: ArcRwSignal<Option<Ticker>>,
}

impl PartialEq for SymbolRow {
    /// Rows are told apart by their symbol; what changes is in the signal.
    fn eq(&self, other: &SymbolRow) -> bool {
        self.name == other.name
    }
}

/// The newest price and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPrice {
    pub price: u64,
    /// Against the price before it.
    pub direction: Direction,
}

/// What has arrived since the last frame, newest states only.
#[derive(Default)]
struct Inbox {
    depth: Option<Depth>,
    minutes: Map<u64, Candle>,
    tickers: Map<String, Ticker>,
    trades: Vec<Trade>,
    /// A frame has been asked for.
    expected: bool,
}

struct State {
    book: Book,
    /// The book is looked at again after a while: it may lack an event.
    suspected: bool,
    tape: Tape,
    candles: Candles,
    inbox: Inbox,
}

#[derive(Clone, Copy)]
pub struct Market {
    pub config: RwSignal<Config>,
    pub feed: RwSignal<FeedState>,
    /// Round trip of the last ping, in milliseconds.
    pub latency: RwSignal<Option<u32>>,
    /// The server is connected and silent: what is shown may be old.
    pub stale: RwSignal<bool>,
    pub rows: RwSignal<Vec<SymbolRow>>,
    /// The symbol that is shown; empty until one is known.
    pub symbol: RwSignal<String>,
    pub interval: RwSignal<Interval>,
    pub bids: [RwSignal<Level>; LEVELS],
    pub asks: [RwSignal<Level>; LEVELS],
    /// Ticks that one row of the book stands for.
    pub group: RwSignal<u64>,
    /// Counts up when the book has to be fetched anew.
    pub gaps: RwSignal<u32>,
    pub best_bid: RwSignal<Option<u64>>,
    pub best_ask: RwSignal<Option<u64>>,
    pub spread: RwSignal<Option<u64>>,
    pub ticker: RwSignal<Option<Ticker>>,
    pub last: RwSignal<Option<LastPrice>>,
    pub trades: RwSignal<Vec<Trade>>,
    pub today: RwSignal<Option<Candle>>,
    /// Number and newest of the chart's candles.
    pub shown: RwSignal<(usize, Option<Candle>)>,
    /// The shown symbol's candles have come.
    pub loaded: RwSignal<bool>,
    /// Counts up when the chart is to be drawn anew.
    pub redraw: RwSignal<u32>,
    /// Counts up when the chart shows something else than before.
    pub turned: RwSignal<u32>,
    /// Older candles are on their way.
    pub loading_older: RwSignal<bool>,
    /// The newest candles as they changed in the last frame.
    pub tail: RwSignal<Vec<Candle>>,
    state: StoredValue<State>,
}

impl Market {
    pub fn new() -> Market {
        let interval = storage::read(INTERVAL_KEY).and_then(|name| Interval::parse(&name));
        let interval = interval.unwrap_or(Interval::M1);
        let group = storage::read(GROUP_KEY).and_then(|ticks| ticks.parse().ok());
        let group = group.filter(|ticks| GROUPS.contains(ticks)).unwrap_or(1);
        let state = State {
            book: Book::new(group),
            suspected: false,
            tape: Tape::default(),
            candles: Candles::new(interval, 0),
            inbox: Inbox::default(),
        };
        Market {
            config: RwSignal::new(Config::default()),
            feed: RwSignal::new(FeedState::Connecting),
            latency: RwSignal::new(None),
            stale: RwSignal::new(false),
            rows: RwSignal::new(Vec::new()),
            symbol: RwSignal::new(String::new()),
            interval: RwSignal::new(interval),
            bids: std::array::from_fn(|_| RwSignal::new(Level::default())),
            asks: std::array::from_fn(|_| RwSignal::new(Level::default())),
            group: RwSignal::new(group),
            gaps: RwSignal::new(0),
            best_bid: RwSignal::new(None),
            best_ask: RwSignal::new(None),
            spread: RwSignal::new(None),
            ticker: RwSignal::new(None),
            last: RwSignal::new(None),
            trades: RwSignal::new(Vec::new()),
            today: RwSignal::new(None),
            shown: RwSignal::new((0, None)),
            loaded: RwSignal::new(false),
            redraw: RwSignal::new(0),
            turned: RwSignal::new(0),
            loading_older: RwSignal::new(false),
            tail: RwSignal::new(Vec::new()),
            state: StoredValue::new(state),
        }
    }

    /// Takes over the list of symbols; chooses one if none is chosen or the chosen one is gone.
    pub fn list(self, mut names: Vec<String>) {
        let first = names.first().cloned();
        sort_short(&mut names, String::cmp);
        let same = self.rows.with_untracked(|rows| {
            rows.len() == names.len() && rows.iter().zip(&names).all(|(row, name)| row.name == *name)
        });
        if !same {
            let known = self.rows.get_untracked();
            let rows = names.iter().map(|name| {
                let old = known.iter().find(|row| row.name == *name).cloned();
                old.unwrap_or_else(|| SymbolRow { name: name.clone(), ticker: ArcRwSignal::new(None) })
            });
            self.rows.set(rows.collect());
        }
        let chosen = self.symbol.get_untracked();
        let is_listed = |symbol: &str| names.iter().any(|name| name == symbol);
        if !is_listed(&chosen) {
            let kept = storage::read(SYMBOL_KEY).filter(|symbol| is_listed(symbol));
            if let Some(symbol) = kept.or(first) {
                self.choose(&symbol);
            }
        }
    }

    /// Turns to a symbol; what is shown of the other one goes.
    pub fn choose(self, symbol: &str) {
        if self.symbol.with_untracked(|chosen| chosen == symbol) {
            return;
        }
        storage::write(SYMBOL_KEY, symbol);
        self.turn_to(symbol);
    }

    /// Shows a symbol from its beginning, without remembering it.
    pub fn turn_to(self, symbol: &str) {
        let (interval, offset) = (self.interval.get_untracked(), self.day_offset_s());
        self.state.update_value(|state| {
            state.book = Book::new(state.book.group());
            state.tape = Tape::default();
            state.candles = Candles::new(interval, offset);
            state.inbox.depth = None;
            state.inbox.minutes.clear();
            state.inbox.trades.clear();
        });
        self.symbol.set(symbol.to_owned());
        self.last.set(None);
        self.loaded.set(false);
        self.ticker.set(self.row(symbol).and_then(|row| row.ticker.get_untracked()));
        self.trades.set(Vec::new());
        self.show_book();
        self.turned.update(|turns| *turns += 1);
        self.show_candles(Change::All);
    }

    /// Turns the chart to an interval; what the known minutes cover is there at once.
    pub fn choose_interval(self, interval: Interval) {
        storage::write(INTERVAL_KEY, interval.as_str());
        self.state.update_value(|state| state.candles.load_history(interval, Vec::new(), false));
        self.interval.set(interval);
        self.turned.update(|turns| *turns += 1);
        self.show_candles(Change::All);
    }

    pub fn day_offset_s(self) -> u64 {
        self.config.with_untracked(|config| config.day_offset_s)
    }

    /// A message of the feed. What is about another symbol than the shown one is late.
    pub fn receive(self, message: Message) {
        let is_shown = |symbol: &str| self.symbol.with_untracked(|chosen| chosen == symbol);
        self.state.update_value(|state| {
            let inbox = &mut state.inbox;
            match message {
                Message::Depth(depth) if is_shown(&depth.symbol) => {
                    let newer = inbox.depth.as_ref().is_none_or(|known| known.sequence <= depth.sequence);
                    if newer {
                        inbox.depth = Some(depth);
                    }
                }
                Message::Candle(symbol, minute) if is_shown(&symbol) => {
                    let known = inbox.minutes.or_insert(minute.time, minute);
                    if known.volume <= minute.volume {
                        *known = minute;
                    }
                }
                Message::Ticker(ticker) => {
                    inbox.tickers.insert(ticker.symbol.clone(), ticker);
                }
                Message::Trade(symbol, trade) if is_shown(&symbol) => {
                    // A page in the background gets no frames: what would never be shown is not kept.
                    if inbox.trades.len() >= TAPE_LENGTH {
                        inbox.trades.remove(0);
                    }
                    inbox.trades.push(trade);
                }
                _ => return,
            }
            if !core::mem::replace(&mut inbox.expected, true) {
                request_animation_frame(move || self.flush());
            }
        });
    }

    /// Brings the signals up to what has arrived.
    fn flush(self) {
        let Some(inbox) = self.state.try_update_value(|state| core::mem::take(&mut state.inbox)) else {
            return;
        };
        self.bring(inbox);
    }

    /// What is not told by a feed, all of it at once.
    pub fn take_in(self, depth: Depth, minutes: Vec<Candle>, trades: Vec<Trade>, last: Option<u64>) {
        let minutes = minutes.into_iter().map(|minute| (minute.time, minute)).collect();
        self.bring(Inbox { depth: Some(depth), minutes, trades, ..Inbox::default() });
        if let Some(price) = last {
            self.show_price(price);
        }
    }

    /// What was shown is void: the same symbol stands at another place in its time.
    pub fn rewind(self, minutes: Vec<Candle>) {
        let (interval, offset) = (self.interval.get_untracked(), self.day_offset_s());
        self.state.update_value(|state| {
            state.book = Book::new(state.book.group());
            state.tape = Tape::default();
            state.candles = Candles::new(interval, offset);
            state.candles.load_minutes(minutes, true);
            state.candles.load_history(interval, Vec::new(), true);
        });
        self.trades.set(Vec::new());
        write(self.loaded, true);
        self.show_candles(Change::All);
    }

    fn bring(self, inbox: Inbox) {
        if let Some(depth) = inbox.depth {
            self.load_depth(&depth);
        }
        for (_, ticker) in inbox.tickers.into_entries() {
            self.show_ticker(ticker);
        }
        if !inbox.minutes.is_empty() {
            let changes = self.state.try_update_value(|state| {
                let mut push = |minute: &Candle| state.candles.push(*minute);
                inbox.minutes.iter().map(|(_, minute)| push(minute)).collect::<Vec<_>>()
            });
            self.show_candles(changes.into_iter().flatten().fold(Change::Nothing, joined));
        }
        if !inbox.trades.is_empty() {
            let changed = self.state.try_update_value(|state| {
                inbox.trades.iter().fold(false, |changed, trade| state.tape.push(*trade) | changed)
            });
            if changed == Some(true) {
                self.trades.set(self.state.with_value(|state| state.tape.trades().to_vec()));
            }
        }
        self.suspect();
    }

    /// Shows the book in rows of so many ticks, and remembers it.
    pub fn choose_group(self, ticks: u64) {
        storage::write(GROUP_KEY, &ticks.to_string());
        self.state.update_value(|state| state.book.regroup(ticks));
        self.group.set(ticks);
        self.show_book();
    }

    /// Looks at the book again after a while if it lacks an event now.
    fn suspect(self) {
        let begins = self.state.try_update_value(|state| {
            state.lacks_an_event() && !core::mem::replace(&mut state.suspected, true)
        });
        if begins != Some(true) {
            return;
        }
        let symbol = self.symbol.get_untracked();
        set_timeout(
            move || {
                let lacks = self.state.try_update_value(|state| {
                    state.suspected = false;
                    state.lacks_an_event()
                });
                let is_shown = self.symbol.with_untracked(|chosen| *chosen == symbol);
                if is_shown && lacks == Some(true) {
                    self.gaps.update(|gaps| *gaps += 1);
                }
            },
            GAP_TIME,
        );
    }

    /// A depth message, or the answer of `GET /depth`.
    pub fn load_depth(self, depth: &Depth) {
        if self.symbol.with_untracked(|chosen| *chosen != depth.symbol) {
            return;
        }
        if self.state.try_update_value(|state| state.book.apply(depth)) == Some(true) {
            self.show_book();
        }
    }

    /// Minutes of the shown symbol from `GET /chart`.
    pub fn load_minutes(self, minutes: Vec<Candle>, complete: bool) {
        self.state.update_value(|state| state.candles.load_minutes(minutes, complete));
        self.show_candles(Change::All);
        write(self.loaded, true);
    }

    /// The server's candles of an interval, if the chart still shows it.
    pub fn load_history(self, interval: Interval, history: Vec<Candle>, complete: bool) {
        let shown = self.state.try_update_value(|state| {
            let shown = state.candles.interval() == interval;
            if shown {
                state.candles.load_history(interval, history, complete);
            }
            shown
        });
        if shown == Some(true) {
            self.show_candles(Change::All);
        }
    }

    /// Candles from before those that are shown.
    pub fn load_older(self, interval: Interval, older: Vec<Candle>, complete: bool) {
        let load = |state: &mut State| state.candles.load_older(interval, older, complete);
        if self.state.try_update_value(load) == Some(true) {
            self.show_candles(Change::All);
        }
    }

    /// The time before which more candles can be had.
    pub fn older_than(self) -> Option<u64> {
        self.state.with_value(|state| state.candles.older_than())
    }

    /// What the chart shows.
    pub fn with_candles<T>(self, read: impl FnOnce(&[Candle]) -> T) -> T {
        self.state.with_value(|state| read(state.candles.shown()))
    }

    fn row(self, symbol: &str) -> Option<SymbolRow> {
        self.rows.with_untracked(|rows| rows.iter().find(|row| row.name == symbol).cloned())
    }

    fn show_ticker(self, ticker: Ticker) {
        let Some(row) = self.row(&ticker.symbol) else { return };
        let known = row.ticker.get_untracked();
        if ticker.price == 0
            || known.as_ref().is_some_and(|known| known.time > ticker.time || *known == ticker)
        {
            return;
        }
        row.ticker.set(Some(ticker.clone()));
        if self.symbol.with_untracked(|chosen| *chosen == ticker.symbol) {
            self.show_price(ticker.price);
            self.ticker.set(Some(ticker));
        }
    }

    fn show_price(self, price: u64) {
        let before = self.last.get_untracked();
        let direction = match before {
            Some(before) if price > before.price => Direction::Up,
            Some(before) if price < before.price => Direction::Down,
            Some(before) => before.direction,
            None => Direction::Flat,
        };
        write(self.last, Some(LastPrice { price, direction }));
    }

    fn show_book(self) {
        let book = self.state.with_value(|state| state.book.clone());
        for (signals, levels) in [(self.bids, &book.bids), (self.asks, &book.asks)] {
            for (signal, level) in signals.into_iter().zip(levels) {
                write(signal, *level);
            }
        }
        write(self.best_bid, book.best_bid());
        write(self.best_ask, book.best_ask());
        write(self.spread, book.spread());
    }

    fn show_candles(self, change: Change) {
        let tail = match change {
            Change::Nothing => return,
            Change::Tail(tail) => Some(tail),
            Change::All => None,
        };
        let (shown, today) = self.state.with_value(|state| {
            let candles = state.candles.shown();
            ((candles.len(), candles.last().copied()), state.candles.today())
        });
        write(self.shown, shown);
        write(self.today, today);
        match tail {
            Some(tail) => self.tail.set(tail),
            None => self.redraw.update(|draws| *draws += 1),
        }
    }
}

impl State {
    fn lacks_an_event(&self) -> bool {
        let newest = self.tape.trades().first().map_or(0, |trade| trade.sequence);
        self.book.is_behind(newest) || self.book.is_crossed()
    }
}

/// Writes a signal only if that changes it.
fn write<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}

/// Two changes of one frame.
fn joined(first: Change, then: Change) -> Change {
    match (first, then) {
        (Change::Nothing, change) | (change, Change::Nothing) => change,
        (Change::Tail(mut tail), Change::Tail(more)) => {
            tail.extend(more);
            Change::Tail(tail)
        }
        _ => Change::All,
    }
}
