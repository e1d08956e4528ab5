//! The line to the worker, and what was seen last, as signals.
//!
//! The worker says that there is something new; the page looks once for the next frame, and asks for as much as it shows. What
//! is inside the exchange is looked at five times a second while it plays, and always when it stands.

use super::shown;
use super::texts::{Words, code_text, fill_text};
use crate::logic::amount::group;
use crate::logic::order::Side;
use crate::logic::session::Session;
use crate::logic::ticket::Request as OrderRequest;
use crate::ports::browser;
use crate::ports::worker::{News, Worker};
use crate::stores::{App, FeedState, Mood, Venue};
use leptos::prelude::*;
use leptos::task::spawn_local;
use sandbox::account::OwnFill;
use sandbox::generate::Parameters;
use sandbox::history::{Heat, HeatQuery, LogLine, LogQuery};
use sandbox::protocol::{ChecksSeen, Phase, Place, QueueLevel, QueueWanted, Reply, Request, Seen, Wanted};
use sandbox::session::{Comparison, Speed};
use std::rc::Rc;

/// The exchange's day begins at Seoul's midnight.
const DAY_OFFSET_S: u64 = 9 * 3600;
/// Levels that are enough for ten rows in groups of ticks.
const GROUPED_LEVELS: u16 = 1_000;
const INSIDE_EVERY_MS: f64 = 200.0;
const LOG_LINES: u16 = 120;
pub const QUEUE_LEVELS: u16 = 8;
const QUEUE_ORDERS: u16 = 60;
/// Columns of the heat map.
pub const HEAT_COLUMNS: u16 = 240;

/// What is shown of the exchange's inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Queue,
    Heat,
    Log,
    Compare,
    Fills,
    Checks,
}

/// How much of the flow's time the heat map shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeatView {
    /// The last so many parts of a hundred, up to now.
    pub percent: u64,
    pub price_step: u64,
}

/// A file on its way into the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub name: String,
    pub size: u64,
    pub sent: u64,
}

#[derive(Default)]
struct Loop {
    /// A look is planned or under way.
    looking: bool,
    /// Something has happened since it began.
    again: bool,
    /// Flow and jumps of what is shown.
    here: (Option<u32>, u64),
    /// The next look brings everything.
    whole: bool,
    /// The last minute that the chart has.
    minute: u64,
    fills: u64,
    inside_at: f64,
    /// The inside was not asked for in the last look.
    inside_old: bool,
}

#[derive(Clone, Copy)]
pub struct Desk {
    pub app: App,
    pub place: RwSignal<Place>,
    pub failed: RwSignal<bool>,
    pub speed: RwSignal<Speed>,
    pub inside: RwSignal<Inside>,
    pub queue: RwSignal<Option<[Vec<QueueLevel>; 2]>>,
    pub heat: RwSignal<Option<Heat>>,
    pub heat_view: RwSignal<HeatView>,
    pub log: RwSignal<Vec<LogLine>>,
    pub log_query: RwSignal<LogQuery>,
    pub checks: RwSignal<Option<ChecksSeen>>,
    pub compare: RwSignal<Option<Comparison>>,
    pub hash: RwSignal<Option<String>>,
    pub fills: RwSignal<Vec<OwnFill>>,
    pub profit: RwSignal<Option<i64>>,
    pub upload: RwSignal<Option<Upload>>,
    /// Why the last flow is not there.
    pub refused: RwSignal<Option<String>>,
    pub choosing: RwSignal<bool>,
    /// The link that was made last.
    pub link: RwSignal<Option<String>>,
    pub sharing: RwSignal<bool>,
    pub tour: RwSignal<Option<usize>>,
    worker: StoredValue<Option<Rc<Worker>>, LocalStorage>,
    state: StoredValue<Loop>,
}

impl Desk {
    /// Starts the worker, and a flow: the one that the address names, or the usual one.
    pub fn start(app: App) -> Desk {
        let desk = Desk {
            app,
            place: RwSignal::new(Place::default()),
            failed: RwSignal::new(false),
            speed: RwSignal::new(Speed::Tenths(100)),
            inside: RwSignal::new(Inside::Queue),
            queue: RwSignal::new(None),
            heat: RwSignal::new(None),
            heat_view: RwSignal::new(HeatView { percent: 100, price_step: 1 }),
            log: RwSignal::new(Vec::new()),
            log_query: RwSignal::new(LogQuery { limit: LOG_LINES, ..LogQuery::default() }),
            checks: RwSignal::new(None),
            compare: RwSignal::new(None),
            hash: RwSignal::new(None),
            fills: RwSignal::new(Vec::new()),
            profit: RwSignal::new(None),
            upload: RwSignal::new(None),
            refused: RwSignal::new(None),
            choosing: RwSignal::new(false),
            link: RwSignal::new(None),
            sharing: RwSignal::new(false),
            tour: RwSignal::new(None),
            worker: StoredValue::new_local(None),
            state: StoredValue::new(Loop::default()),
        };
        provide_context(desk);
        // The sandbox has one user, who is always there; nothing of it is kept.
        app.account.session.set(Some(Session::Test { user_id: "sandbox".into() }));
        app.market.config.update(|config| config.day_offset_s = DAY_OFFSET_S);
        app.market.feed.set(FeedState::Live);
        app.trade_at(Rc::new(desk));
        let opened = browser::file_address("sandboxWorker").and_then(|address| {
            let on_news = move |news| match news {
                News::Changed => desk.look(),
                News::Failed => {
                    desk.failed.try_set(true);
                }
            };
            Worker::open(&address, on_news).ok()
        });
        desk.failed.set(opened.is_none());
        desk.worker.set_value(opened.map(Rc::new));
        if !desk.open_address() {
            desk.generate(Parameters::default());
        }
        // Another way of looking, or another thing to look at.
        Effect::watch(
            move || {
                desk.inside.track();
                desk.heat_view.track();
                desk.log_query.track();
                app.market.group.track();
            },
            move |_, _, _| {
                desk.state.update_value(|state| state.inside_at = 0.0);
                desk.look();
            },
            false,
        );
        desk
    }

    pub fn get() -> Desk {
        expect_context::<Desk>()
    }

    // ---- asking ----

    /// One call; none is answered when the worker is gone.
    pub async fn call(self, request: Request) -> Option<Reply> {
        let worker = self.worker.try_get_value().flatten()?;
        worker.call(request).await.ok()
    }

    /// Asks for something whose answer is only whether it was done.
    pub fn send(self, request: Request) {
        spawn_local(async move {
            if let Some(Reply::Refused { code, detail }) = self.call(request).await {
                self.tell_refused("sandbox", &code, &detail);
            }
        });
    }

    pub fn tell_refused(self, about: &str, code: &str, detail: &str) {
        let lang = self.app.ui.lang.get_untracked();
        let title = code_text(code, lang).map_or_else(|| code.to_owned(), str::to_owned);
        self.app.ui.toast(about, Mood::Bad, &title, detail.to_owned());
    }

    pub fn generate(self, parameters: Parameters) {
        self.refused.set(None);
        self.upload.set(None);
        spawn_local(async move {
            if let Some(Reply::Refused { code, detail }) = self.call(Request::Generate(parameters)).await {
                self.refuse(&code, &detail);
            }
        });
    }

    /// The guided tour, in a flow of its own: in any other one a newcomer's orders may wait for ever.
    pub fn begin_tour(self) {
        self.generate(Parameters::TOUR);
        self.tour.set(Some(0));
    }

    /// The flow is not there, for this reason.
    pub fn refuse(self, code: &str, detail: &str) {
        let lang = self.app.ui.lang.get_untracked();
        let code = code_text(code, lang).unwrap_or(code);
        self.refused.set(Some(if detail.is_empty() {
            code.to_owned()
        } else {
            format!("{code} · {detail}")
        }));
        self.choosing.set(true);
    }

    /// Opens what the page's address carries, if it carries something.
    pub fn open_address(self) -> bool {
        let fragment = browser::fragment();
        let Some(shared) = fragment.strip_prefix("sandbox=").filter(|shared| !shared.is_empty()) else {
            return false;
        };
        if self.link.with_untracked(|link| link.as_deref().is_some_and(|link| link.ends_with(&fragment))) {
            return true;
        }
        let request = Request::OpenFragment(shared.to_owned());
        spawn_local(async move {
            if let Some(Reply::Refused { code, detail }) = self.call(request).await {
                self.refuse(&code, &detail);
            }
        });
        true
    }

    pub fn play_or_pause(self) {
        let is_playing = self.place.with_untracked(|place| place.playing);
        self.send(if is_playing { Request::Pause } else { Request::Play(self.speed.get_untracked()) });
    }

    pub fn choose_speed(self, speed: Speed) {
        self.speed.set(speed);
        if self.place.with_untracked(|place| place.playing) {
            self.send(Request::Play(speed));
        }
    }

    pub fn symbol(self) -> String {
        self.app.market.symbol.get_untracked()
    }

    // ---- looking ----

    /// Looks before the next frame.
    pub fn look(self) {
        let begin = self.state.try_update_value(|state| {
            state.again = true;
            !core::mem::replace(&mut state.looking, true)
        });
        if begin == Some(true) {
            request_animation_frame(move || self.look_now());
        }
    }

    fn look_now(self) {
        let Some(wanted) = self.wanted() else { return };
        spawn_local(async move {
            if let Some(Reply::Seen(seen)) = self.call(Request::Look(Box::new(wanted))).await {
                self.show(*seen);
            }
            let again = self.state.try_update_value(|state| {
                state.looking = state.again;
                state.looking
            });
            if again == Some(true) {
                request_animation_frame(move || self.look_now());
            }
        });
    }

    /// What is shown now.
    fn wanted(self) -> Option<Wanted> {
        let now = browser::monotonic_ms();
        let place = self.place.try_get_untracked()?;
        let (minute, with_inside) = self.state.try_update_value(|state| {
            state.again = false;
            let with_inside = !place.playing || now - state.inside_at >= INSIDE_EVERY_MS;
            if with_inside {
                state.inside_at = now;
            }
            state.inside_old = !with_inside;
            (if state.whole { 0 } else { state.minute }, with_inside)
        })?;
        let inside = self.inside.get_untracked();
        let on = |what: Inside| with_inside && inside == what;
        Some(Wanted {
            levels: if self.app.market.group.get_untracked() > 1 { GROUPED_LEVELS } else { 10 },
            trades_after: Some(0),
            candles_from: Some(minute),
            account: true,
            queue: on(Inside::Queue).then_some(QueueWanted { levels: QUEUE_LEVELS, orders: QUEUE_ORDERS }),
            heat: on(Inside::Heat).then(|| self.heat_query(&place)),
            log: on(Inside::Log).then(|| self.log_query.get_untracked()),
            checks: true,
            compare: on(Inside::Compare),
            hash: !place.playing,
        })
    }

    fn heat_query(self, place: &Place) -> HeatQuery {
        let HeatView { percent, price_step } = self.heat_view.get_untracked();
        let (first, last) = place.flow.as_ref().map_or((0, 0), |flow| (flow.first, flow.last));
        let span = last.saturating_sub(first) / 100 * percent;
        let to = if percent == 100 { last } else { place.clock };
        HeatQuery { from: to.saturating_sub(span).max(first), to, price_step, columns: HEAT_COLUMNS }
    }

    /// Brings the stores and signals up to what was seen.
    fn show(self, seen: Seen) {
        let here = (seen.place.flow.as_ref().map(|flow| flow.number), seen.place.jumps);
        let before = self.state.try_update_value(|state| core::mem::replace(&mut state.here, here));
        let Some(before) = before else { return };
        let was_playing = self.place.with_untracked(|place| place.playing);
        let stopped = was_playing && !seen.place.playing;
        if self.place.with_untracked(|known| *known != seen.place) {
            self.place.set(seen.place.clone());
        }
        if before != here {
            // What was asked for went on from another place.
            self.turn(&seen.place, before.0 != here.0);
            return self.look();
        }
        if stopped {
            // It stands: hash and inside as they are now.
            self.look();
        }
        let symbol = self.symbol();
        let minutes: Vec<_> = seen.candles.iter().flatten().map(shown::candle).collect();
        if let Some(depth) = &seen.depth {
            let whole = self.state.try_update_value(|state| {
                state.minute = minutes.last().map_or(state.minute, |last| last.time);
                core::mem::take(&mut state.whole)
            });
            let market = self.app.market;
            let trades = seen.trades.iter().map(shown::trade).collect();
            let shown_depth = shown::depth(&symbol, depth);
            if whole == Some(true) {
                market.rewind(minutes);
                market.take_in(shown_depth, Vec::new(), trades, depth.last);
            } else {
                market.take_in(shown_depth, minutes, trades, depth.last);
            }
        }
        if let Some(account) = &seen.account {
            self.show_account(&symbol, account);
        }
        set_some(self.queue, seen.queue);
        set_some(self.heat, seen.heat);
        set_some(self.checks, seen.checks);
        set_some(self.compare, seen.compare);
        set_some(self.hash, seen.hash);
        if let Some(log) = seen.log
            && self.log.with_untracked(|known| *known != log)
        {
            self.log.set(log);
        }
    }

    /// Another flow, or another place in it.
    fn turn(self, place: &Place, is_new: bool) {
        let App { market, account, form, .. } = self.app;
        self.state.update_value(|state| {
            state.whole = true;
            state.minute = 0;
            state.fills = u64::MAX;
            state.inside_at = 0.0;
        });
        account.clear();
        self.hash.set(None);
        if is_new {
            let symbol = place.flow.as_ref().map_or("", |flow| flow.symbol.as_str());
            market.turn_to(symbol);
            form.clear();
            self.fills.set(Vec::new());
            self.heat.set(None);
            self.queue.set(None);
            self.compare.set(None);
            self.log.set(Vec::new());
            if place.phase == Phase::Ready {
                let is_good = place.flow.as_ref().is_some_and(|flow| flow.bad.bad == 0);
                // What could not be read is told where the file was chosen, wherever it was dropped.
                self.choosing.set(!is_good);
                self.upload.set(None);
            }
        }
    }

    fn show_account(self, symbol: &str, seen: &sandbox::protocol::AccountSeen) {
        let account = self.app.account;
        account.rows(seen.orders.iter().map(|row| shown::order(symbol, row)).collect());
        account.set_balances(shown::balances(symbol, &seen.funds));
        let standing = seen.orders.iter().filter_map(|row| {
            let standing = row.standing?;
            Some((shown::name(row.order), (standing.ahead_orders, standing.ahead_quantity)))
        });
        let ahead: crate::logic::map::Map<_, _> = standing.collect();
        if account.ahead.with_untracked(|known| *known != ahead) {
            account.ahead.set(ahead);
        }
        if self.profit.get_untracked() != seen.profit {
            self.profit.set(seen.profit);
        }
        let known =
            self.state.try_update_value(|state| core::mem::replace(&mut state.fills, seen.fill_count));
        if self.fills.with_untracked(|fills| *fills != seen.fills) {
            self.fills.set(seen.fills.clone());
        }
        // A place that was gone to has its fills already: only what happens now is news.
        if let (Some(known), Some(newest)) = (known, seen.fills.first())
            && known < seen.fill_count
        {
            let lang = self.app.ui.lang.get_untracked();
            let title = if newest.buy { Words::Bought } else { Words::Sold }.of(lang);
            let title = format!("{title} {} @ {}", group(newest.quantity), group(newest.price));
            self.app.ui.toast(&shown::name(newest.order), Mood::Good, &title, fill_text(newest, lang));
        }
    }

    fn known_order(self, id: &str) -> Option<(u64, crate::logic::order::Order)> {
        let order = self.app.account.orders().into_iter().find(|order| order.id == id)?;
        Some((shown::number(id)?, order))
    }

    /// Enters an order as the form would, without the form.
    pub fn trade(self, side: Side, price: Option<u64>, quantity: u64) {
        self.send(Request::Place(sandbox::protocol::Ticket {
            buy: side == Side::Buy,
            price,
            quantity,
            life: sandbox::protocol::Life::Gtc,
            post_only: false,
            display: 0,
            stop: None,
        }));
    }
}

impl Venue for Desk {
    fn place(&self, app: App, request: OrderRequest) {
        let desk = *self;
        app.form.sending.set(true);
        spawn_local(async move {
            let reply = desk.call(Request::Place(shown::ticket(&request))).await;
            app.form.sending.set(false);
            match reply {
                Some(Reply::Refused { code, detail }) => desk.tell_refused("order", &code, &detail),
                Some(_) => app.form.quantity.set(String::new()),
                None => {}
            }
        });
    }

    fn cancel(&self, _app: App, id: &str) {
        if let Some(order) = shown::number(id) {
            self.send(Request::Cancel(order));
        }
    }

    fn cancel_all(&self, _app: App) {
        self.send(Request::CancelAll);
    }

    fn amend(&self, app: App, id: &str, price: Option<u64>, quantity: Option<u64>) {
        let Some((number, known)) = self.known_order(id) else { return };
        let desk = *self;
        let id = id.to_owned();
        let request = Request::Replace {
            order: number,
            price: price.or(known.price).unwrap_or(0),
            quantity: quantity.unwrap_or(known.remaining),
        };
        spawn_local(async move {
            if let Some(Reply::Refused { code, detail }) = desk.call(request).await {
                desk.tell_refused(&id, &code, &detail);
            }
            app.account.moves.update(|moves| moves.end(&id));
        });
    }
}

/// Writes what was asked for; what was not stays.
fn set_some<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<Option<T>>, value: Option<T>) {
    if value.is_some() && signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}
