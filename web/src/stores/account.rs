//! The account: session, balances and orders. Orders are kept plain and shown through one signal each.

use crate::logic::fills::{Fill, Fills};
use crate::logic::message::{Balance, CASH, OrderMessage};
use crate::logic::moves::Moves;
use crate::logic::order::{News, Order, Orders};
use crate::logic::session::Session;
use crate::ports::storage;
use leptos::prelude::*;
use std::collections::BTreeMap;

const SESSION_KEY: &str = "supernoba.session";

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
    cells: BTreeMap<String, ArcRwSignal<Order>>,
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
    /// Counts up when fills have come.
    pub filled: RwSignal<u32>,
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
            filled: RwSignal::new(0),
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
        self.filled.update(|count| *count += 1);
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
        balances.sort_by(|a, b| (a.asset != CASH, &a.asset).cmp(&(b.asset != CASH, &b.asset)));
        if self.balances.with_untracked(|known| *known != balances) {
            self.balances.set(balances);
        }
    }

    pub fn rows(self, rows: Vec<Order>) {
        let changed = self.state.try_update_value(|state| {
            rows.into_iter().fold(false, |changed, row| state.orders.row(row) | changed)
        });
        if changed == Some(true) {
            self.publish();
        }
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
