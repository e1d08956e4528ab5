//! The account: session, balances and orders. Orders are kept plain and shown through one signal each.

use crate::logic::fill_rows::FillRow;
use crate::logic::fills::{Fill, Fills};
use crate::logic::map::{Map, sort_short};
use crate::logic::message::{Balance, CASH, OrderMessage};
use crate::logic::moves::Moves;
use crate::logic::order::{News, Order, Orders};
use crate::logic::outbox::Outbox;
use crate::logic::session::Session;
use crate::logic::ticket::Request;
use crate::ports::storage;
use leptos::prelude::*;

/// A session is kept in the browser's storage: it survives a reload, and all tabs share it and take turns to refresh it.
/// A cookie that scripts cannot read would be no help to a page of another origin than the API, which is what the functions
/// on Lambda and Workers are for, and would need a guard against forged requests. What is kept is short-lived or used
/// once, and the page's policy (`engine-host/src/gateway/mod.rs`) lets no script but the page's own run or send it away.
const SESSION_KEY: &str = "supernoba.session";

/// Fills that are kept at most for lists that have not been loaded yet.
const MOST_NEWS: usize = 500;

/// One order on the page.
#[derive(Clone)]
pub struct OrderCell {
    pub id: String,
    pub order: ArcRwSignal<Order>,
}

#[derive(Default)]
struct State {
    orders: Orders,
    fills: Fills,
    outbox: Outbox,
    cells: Map<String, ArcRwSignal<Order>>,
}

#[derive(Clone, Copy)]
pub struct Account {
    pub session: RwSignal<Option<Session>>,
    /// Counts the sessions that ended without the user's wish.
    pub ended: RwSignal<u32>,
    pub balances: RwSignal<Vec<Balance>>,
    pub open: RwSignal<Vec<OrderCell>>,
    pub closed: RwSignal<Vec<OrderCell>>,
    /// Where the next page of the history begins.
    pub cursor: RwSignal<Option<String>>,
    /// Open orders on their way to another price.
    pub moves: RwSignal<Moves>,
    /// How many orders and how much stand before an open order in its queue, where that is known.
    pub ahead: RwSignal<Map<String, (u32, u64)>>,
    /// Counts up when fills have come.
    pub filled: RwSignal<u32>,
    /// The newest fills that were told live, oldest first.
    pub news: RwSignal<Vec<FillRow>>,
    /// Counts the times that fills may have been missed: the connection was gone.
    pub missed: RwSignal<u32>,
    state: StoredValue<State>,
}

impl Account {
    pub fn new() -> Account {
        Account {
            session: RwSignal::new(Account::stored_session()),
            ended: RwSignal::new(0),
            balances: RwSignal::new(Vec::new()),
            open: RwSignal::new(Vec::new()),
            closed: RwSignal::new(Vec::new()),
            cursor: RwSignal::new(None),
            moves: RwSignal::new(Moves::default()),
            ahead: RwSignal::new(Map::default()),
            filled: RwSignal::new(0),
            news: RwSignal::new(Vec::new()),
            missed: RwSignal::new(0),
            state: StoredValue::new(State::default()),
        }
    }

    /// The session as this browser keeps it: another tab may have changed it.
    pub fn stored_session() -> Option<Session> {
        Session::parse(&storage::read(SESSION_KEY)?)
    }

    pub fn set_session(self, session: Option<Session>) {
        match &session {
            Some(session) => storage::write(SESSION_KEY, &session.encode()),
            None => storage::remove(SESSION_KEY),
        }
        self.session.set(session);
    }

    /// The session is over without the user's wish.
    pub fn end(self) {
        self.set_session(None);
        self.ended.update(|ended| *ended += 1);
    }

    /// Takes over what another tab has stored.
    pub fn adopt(self, session: Option<Session>) {
        if self.session.with_untracked(|known| *known != session) {
            self.session.set(session);
        }
    }

    pub fn user_id(self) -> Option<String> {
        self.session.with(|session| session.as_ref().map(|session| session.user_id().to_owned()))
    }

    /// Forgets everything about the user that was.
    pub fn clear(self) {
        self.state.set_value(State::default());
        self.balances.set(Vec::new());
        self.open.set(Vec::new());
        self.closed.set(Vec::new());
        self.cursor.set(None);
        self.moves.set(Moves::default());
        self.ahead.set(Map::default());
        self.filled.update(|count| *count += 1);
        self.news.set(Vec::new());
    }

    /// A fill that is told live; it may be told again.
    pub fn told(self, fill: FillRow) {
        self.news.update(|news| {
            let extra = (news.len() + 1).saturating_sub(MOST_NEWS);
            news.drain(..extra);
            news.push(fill);
        });
    }

    /// The user's fills of a symbol, oldest first.
    pub fn fills(self, symbol: &str) -> Vec<Fill> {
        self.state.with_value(|state| state.fills.of(symbol, state.orders.newest_first()))
    }

    pub fn available(self, asset: &str) -> u64 {
        self.balances.with(|balances| {
            balances.iter().find(|balance| balance.asset == asset).map_or(0, |balance| balance.available)
        })
    }

    /// Cash first, then by name.
    pub fn set_balances(self, mut balances: Vec<Balance>) {
        if !balances.iter().any(|balance| balance.asset == CASH) {
            balances.push(Balance { asset: CASH.into(), available: 0, locked: 0 });
        }
        sort_short(&mut balances, |a, b| (a.asset != CASH, &a.asset).cmp(&(b.asset != CASH, &b.asset)));
        if self.balances.with_untracked(|known| *known != balances) {
            self.balances.set(balances);
        }
    }

    pub fn rows(self, rows: Vec<Order>) {
        let changed = self.state.try_update_value(|state| {
            rows.iter()
                .filter_map(|row| row.client_order_id.as_deref())
                .for_each(|name| state.outbox.settle(name));
            rows.into_iter().fold(false, |changed, row| state.orders.row(row) | changed)
        });
        if changed == Some(true) {
            self.publish();
        }
    }

    /// The name to send an order under; see [`Outbox::name`].
    pub fn name_order(self, request: &Request, fresh: String) -> String {
        self.state.try_update_value(|state| state.outbox.name(request, fresh)).unwrap_or_default()
    }

    /// Whether an order of this name may be there and has not been seen.
    pub fn is_order_open(self, name: &str) -> bool {
        self.state.with_value(|state| state.outbox.is_open(name))
    }

    /// The server has answered to an order of this name.
    pub fn settle_order(self, name: &str) {
        self.state.update_value(|state| state.outbox.settle(name));
    }

    /// The user's orders of all symbols, newest first, as far as they are loaded.
    pub fn orders(self) -> Vec<Order> {
        self.state.with_value(|state| state.orders.newest_first().into_iter().cloned().collect())
    }

    /// Ids of the orders that are open as far as the page knows, and were so before `before`.
    pub fn open_before(self, before: u64) -> Vec<String> {
        self.state.with_value(|state| {
            let open = state.orders.newest_first().into_iter();
            let open = open.filter(|order| order.status.is_open() && order.updated_at < before);
            open.map(|order| order.id.clone()).collect()
        })
    }

    /// A live message; answers what is new and the order as it stands.
    pub fn message(self, message: &OrderMessage) -> Option<(News, Option<Order>)> {
        let outcome = self.state.try_update_value(|state| {
            let news = state.orders.message(message)?;
            state.fills.message(message, state.orders.get(&message.id));
            Some((news, state.orders.get(&message.id).cloned()))
        });
        let outcome = outcome.flatten();
        if outcome.is_some() {
            self.publish();
        }
        outcome
    }

    /// Brings the signals up to the orders; only what changed is written.
    fn publish(self) {
        let lists = self.state.try_update_value(|state| {
            let mut open = Vec::new();
            let mut closed = Vec::new();
            for order in state.orders.newest_first() {
                let cell = match state.cells.get(&order.id) {
                    Some(cell) => {
                        if cell.with_untracked(|known| known != order) {
                            cell.set(order.clone());
                        }
                        cell.clone()
                    }
                    None => {
                        let cell = ArcRwSignal::new(order.clone());
                        state.cells.insert(order.id.clone(), cell.clone());
                        cell
                    }
                };
                let list = if order.status.is_open() { &mut open } else { &mut closed };
                list.push(OrderCell { id: order.id.clone(), order: cell });
            }
            (open, closed)
        });
        let Some((open, closed)) = lists else { return };
        self.filled.update(|count| *count += 1);
        for (signal, list) in [(self.open, open), (self.closed, closed)] {
            let same = signal.with_untracked(|known| {
                known.len() == list.len() && known.iter().zip(&list).all(|(a, b)| a.id == b.id)
            });
            if !same {
                signal.set(list);
            }
        }
    }
}
