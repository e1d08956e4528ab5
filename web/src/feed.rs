//! The live feed: one WebSocket that is kept alive. It subscribes when it opens, asks whether the server is there every
//! ten seconds, and comes back by itself with growing waits, at once when the browser is online or in front again.

use crate::auth;
use crate::logic::backoff::wait_ms;
use crate::logic::message::{Message, parse};
use crate::logic::session::Session;
use crate::ports::browser;
use crate::ports::socket::{Event, Socket};
use crate::stores::{App, FeedState};
use crate::trading;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Pings tell whether the server is there, and how far away it is.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: &str = r#"{"action":"ping"}"#;
/// What the page shows may be old if the server has said nothing for this long, pings and all; it is gone after longer.
const STALE_MS: u64 = 15_000;
const SILENCE_MS: u64 = 35_000;
const WATCH_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Feed(Rc<Inner>);

struct Inner {
    app: App,
    socket: RefCell<Option<Socket>>,
    retry: RefCell<Option<TimeoutHandle>>,
    failures: Cell<u32>,
    /// Counts connections: what an earlier one still says is not heard.
    number: Cell<u32>,
    heard_at: Cell<u64>,
    /// When the ping was sent that is not answered yet.
    pinged_at: Cell<Option<f64>>,
}

impl Feed {
    /// A feed for the life of the page; [`Feed::connect`] starts it.
    pub fn new(app: App) -> Feed {
        let feed = Feed(Rc::new(Inner {
            app,
            socket: RefCell::new(None),
            retry: RefCell::new(None),
            failures: Cell::new(0),
            number: Cell::new(0),
            heard_at: Cell::new(0),
            pinged_at: Cell::new(None),
        }));
        feed.watch();
        feed
    }

    /// Connects anew in the name of whoever is logged in.
    pub fn connect(&self) {
        self.forget_retry();
        let number = self.0.number.get().wrapping_add(1);
        self.0.number.set(number);
        self.0.socket.take();
        if self.0.failures.get() == 0 {
            self.0.app.market.feed.set(FeedState::Connecting);
        }
        let feed = self.clone();
        spawn_local(async move {
            let session = auth::current_session(feed.0.app.account).await;
            if feed.0.number.get() == number {
                feed.open(number, session.as_ref());
            }
        });
    }

    /// Tells the server what is shown: the chosen symbol in full, tickers of all others.
    pub fn subscribe(&self) {
        let market = self.0.app.market;
        let main = market.symbol.get_untracked();
        if main.is_empty() {
            return;
        }
        let others = market.rows.with_untracked(|rows| {
            let others = rows.iter().filter(|row| row.name != main).map(|row| format!("\"{}\"", row.name));
            others.collect::<Vec<_>>().join(",")
        });
        self.send(&format!(r#"{{"action":"subscribe","main":"{main}","sub":[{others}]}}"#));
    }

    fn open(&self, number: u32, session: Option<&Session>) {
        let origin = browser::socket_origin();
        let (url, protocols) = match session {
            Some(Session::Account(tokens)) => {
                (format!("{origin}/ws"), vec!["bearer", tokens.access.as_str()])
            }
            Some(session) => (format!("{origin}/ws?{}", session.query()), vec![]),
            None => (format!("{origin}/ws"), vec![]),
        };
        let feed = self.clone();
        let handler = move |event| {
            if feed.0.number.get() == number {
                feed.on_event(event);
            }
        };
        match Socket::open(&url, &protocols, handler) {
            Ok(socket) => drop(self.0.socket.replace(Some(socket))),
            Err(_) => self.lost(),
        }
    }

    fn on_event(&self, event: Event) {
        self.0.heard_at.set(browser::now_ms());
        match event {
            Event::Opened => {
                self.0.app.market.feed.set(FeedState::Live);
                self.0.app.market.stale.set(false);
                self.subscribe();
                self.ping();
                trading::reload(self.0.app);
            }
            Event::Text(text) => {
                // A connection that opens and says nothing has not succeeded.
                self.0.failures.set(0);
                match parse(&text) {
                    Some(Message::Order(order)) => trading::on_order(self.0.app, &order),
                    Some(Message::Fill(fill)) => self.0.app.account.told(fill),
                    Some(Message::Pong) => {
                        if let Some(sent) = self.0.pinged_at.take() {
                            let took = (browser::monotonic_ms() - sent).max(0.0);
                            self.0.app.market.latency.set(Some(took as u32));
                        }
                    }
                    Some(message) => self.0.app.market.receive(message),
                    None => {}
                }
            }
            Event::Closed => self.lost(),
        }
    }

    /// The connection is gone: it is tried again after a while.
    fn lost(&self) {
        self.0.socket.take();
        self.0.pinged_at.take();
        self.0.app.market.latency.set(None);
        self.0.app.market.feed.set(FeedState::Offline);
        let failures = self.0.failures.get();
        self.0.failures.set(failures.saturating_add(1));
        if failures == 1 {
            // REST may answer where the socket does not.
            trading::reload(self.0.app);
        }
        self.forget_retry();
        let wait = Duration::from_millis(wait_ms(failures, js_sys::Math::random()).into());
        let feed = self.clone();
        self.0.retry.replace(set_timeout_with_handle(move || feed.connect(), wait).ok());
    }

    fn ping(&self) {
        self.0.pinged_at.set(Some(browser::monotonic_ms()));
        self.send(PING);
    }

    fn send(&self, text: &str) {
        if let Some(socket) = self.0.socket.borrow().as_ref() {
            socket.send(text);
        }
    }

    fn is_live(&self) -> bool {
        self.0.app.market.feed.get_untracked() == FeedState::Live
    }

    fn forget_retry(&self) {
        if let Some(retry) = self.0.retry.take() {
            retry.clear();
        }
    }

    /// Pings, and the moments at which trying again is worth more than waiting.
    fn watch(&self) {
        let feed = self.clone();
        set_interval(
            move || {
                if feed.is_live() {
                    feed.ping();
                }
            },
            PING_EVERY,
        );
        let feed = self.clone();
        set_interval(
            move || {
                if !feed.is_live() {
                    return;
                }
                let silence = browser::now_ms().saturating_sub(feed.0.heard_at.get());
                if silence > SILENCE_MS {
                    feed.lost();
                } else if feed.0.app.market.stale.get_untracked() != (silence > STALE_MS) {
                    feed.0.app.market.stale.set(silence > STALE_MS);
                }
            },
            WATCH_EVERY,
        );
        for event in ["online", "visibilitychange"] {
            let feed = self.clone();
            let retry_now = move |_| {
                if !feed.is_live() && feed.0.retry.borrow().is_some() && browser::is_online() {
                    feed.connect();
                }
            };
            // The feed lives as long as the page.
            let _ = window_event_listener_untyped(event, retry_now);
        }
        let feed = self.clone();
        let _ = window_event_listener_untyped("offline", move |_| {
            if feed.is_live() {
                feed.lost();
            }
        });
    }
}
