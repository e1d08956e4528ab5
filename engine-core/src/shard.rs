//! One shard of the exchange: the fold of one shard of the orders stream.
//!
//! `apply` takes the records in the order of the stream, each with its position and time of arrival, and appends to an
//! [`Output`] what the world has to be told. A record at or before the shard's position was applied before and does
//! nothing, so that a stream may be replayed from anywhere. An order id that the shard has seen is not entered again:
//! a producer that is unsure may append its record twice.

use crate::bytes::{Reader, Writer};
use crate::candle::Candle;
use crate::codec::CodecError;
use crate::command::{Command, NewOrder, Replace};
use crate::event::{Event, OrderRef, Party, Reason};
use crate::hash::BuildIdHasher;
use crate::market::Market;
use crate::snapshot::{SnapshotError, decode_market, encode_market, open, seal};
use crate::ticker::Day;
use crate::types::{Millis, OrderId, OrderType, PostOnly, Sequence, Side, TimeInForce, Trigger, UserId};
use crate::wire::{
    Action, EventKind, EventRecord, MAX_NAME, OrderRecord, OrderStatus, TifName, TypeName, fill_id,
    is_symbol, party, to_json, trade_message,
};
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;

mod reshard;

/// How many finished order ids a shard remembers in order to ignore their repetition.
pub const REMEMBERED_ORDERS: usize = 1 << 16;

const SHARD_MAGIC: [u8; 4] = *b"SNSH";
/// | version | |
/// |---|---|
/// | 1 | position, names, markets |
/// | 2 | the stream's own name of the position |
const SHARD_VERSION: u64 = 2;

/// A record of the fills stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// Partition key: the symbol.
    pub partition: Arc<str>,
    /// JSON: an [`EventRecord`].
    pub body: Vec<u8>,
}

/// A message for all connections of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose connections, by the name of the orders stream.
    pub user: Arc<str>,
    /// JSON: an [`OrderStatus`].
    pub body: Vec<u8>,
}

/// A trade as the tape shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Where it traded.
    pub symbol: Arc<str>,
    /// Number of its `Filled` event in the symbol.
    pub sequence: Sequence,
    /// JSON: see [`trade_message`].
    pub body: String,
}

/// What applying records has to tell the world, in order.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// For the fills stream.
    pub records: Vec<StreamRecord>,
    /// For the users' connections.
    pub notices: Vec<Notice>,
    /// Trades for the tape.
    pub trades: Vec<Trade>,
    /// Candles that closed, with the number of the event that closed them.
    pub closed: Vec<(Arc<str>, Sequence, Candle)>,
    /// Days that ended, each with the first fill of a later one.
    pub days: Vec<(Arc<str>, Day)>,
    /// Symbols whose market data may have changed.
    pub touched: BTreeSet<Arc<str>>,
    /// What happened, for the host's metrics.
    pub counts: Counts,
}

/// How many of what, since the output was last cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records applied, whatever came of them; not those at or before the position.
    pub received: u64,
    /// Orders accepted.
    pub accepted: u64,
    /// Orders, cancels and replaces refused.
    pub rejected: u64,
    /// Fills, each of two orders.
    pub fills: u64,
    /// Orders passed over because their id is known.
    pub duplicates: u64,
    /// Records that could not be read; each was a [`BadRecord`].
    pub malformed: u64,
}

impl Output {
    /// Empties the lists and sets the counts to 0, for the next records.
    pub fn clear(&mut self) {
        self.records.clear();
        self.notices.clear();
        self.trades.clear();
        self.closed.clear();
        self.days.clear();
        self.touched.clear();
        self.counts = Counts::default();
    }
}

/// Why a record cannot be applied, ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord(pub &'static str);

impl core::fmt::Display for BadRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for BadRecord {}

/// Many symbols, their names and their position in the orders stream.
///
/// It numbers orders and accounts itself, in the order in which they first appear, so that nobody outside chooses the ids
/// that its markets hash.
#[derive(Clone, Debug)]
pub struct Shard {
    /// Position of the last record applied.
    position: u64,
    /// What the stream calls it.
    place: String,
    /// Time of the last record applied.
    time: Millis,
    markets: BTreeMap<Arc<str>, Market>,
    orders: Names,
    users: Names,
    /// Finished orders, oldest first; the oldest are forgotten.
    finished: VecDeque<OrderId>,
    day_offset_s: u64,
    events: Vec<Event>,
}

impl Shard {
    /// Before the first record. `day_offset_s`: how far the exchange's time zone is ahead of UTC, at most a day.
    pub fn new(day_offset_s: u64) -> Shard {
        Shard {
            position: 0,
            place: String::new(),
            time: 0,
            markets: BTreeMap::new(),
            orders: Names::default(),
            users: Names::default(),
            finished: VecDeque::new(),
            day_offset_s,
            events: Vec::new(),
        }
    }

    /// Position in the stream of the last record applied; 0 before the first.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What the stream calls the position, where it has names of its own for its records; empty otherwise.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// When the last record applied arrived, or an earlier one if that came later; 0 before the first.
    pub fn time(&self) -> Millis {
        self.time
    }

    /// Notes the stream's own name of the position; snapshots hold it.
    pub fn set_place(&mut self, place: &str) {
        self.place.clear();
        self.place.push_str(place);
    }

    /// One symbol's market; none before its first record.
    pub fn market(&self, symbol: &str) -> Option<&Market> {
        self.markets.get(symbol)
    }

    /// All of them, by symbol.
    pub fn markets(&self) -> impl Iterator<Item = (&Arc<str>, &Market)> {
        self.markets.iter()
    }

    /// Whether some market has an open candle, so that the host's clock has something to close.
    pub fn has_open_candle(&self) -> bool {
        self.markets.values().any(|market| market.candle().is_some())
    }

    /// Applies the record at `position`. A record that cannot be applied is passed over and its reason returned; the
    /// position goes on either way.
    pub fn apply(
        &mut self,
        position: u64,
        arrived: Millis,
        body: &[u8],
        out: &mut Output,
    ) -> Result<(), BadRecord> {
        self.apply_telling(position, arrived, body, out, &mut |_, _, _| {})
    }

    /// The same, and `tell` hears the commands that the record has become, as they go to their markets: what a record of one
    /// symbol's flow is made of.
    pub fn apply_telling(
        &mut self,
        position: u64,
        arrived: Millis,
        body: &[u8],
        out: &mut Output,
        tell: &mut dyn FnMut(&str, Millis, &Command),
    ) -> Result<(), BadRecord> {
        if position <= self.position {
            return Ok(());
        }
        self.position = position;
        self.time = self.time.max(arrived);
        out.counts.received += 1;
        let applied = serde_json::from_slice::<OrderRecord<'_>>(body)
            .map_err(|_| BadRecord("not an order record"))
            .and_then(|record| self.apply_record(&record, out, tell));
        out.counts.malformed += u64::from(applied.is_err());
        applied
    }

    fn apply_record(
        &mut self,
        record: &OrderRecord<'_>,
        out: &mut Output,
        tell: &mut dyn FnMut(&str, Millis, &Command),
    ) -> Result<(), BadRecord> {
        if record.action == Action::Tick {
            self.tick(out, tell);
            return Ok(());
        }
        if !is_symbol(&record.symbol) {
            return Err(BadRecord("bad symbol"));
        }
        if !is_name(&record.order_id) || !is_name(&record.user_id) {
            return Err(BadRecord("order_id and user_id must be 1 to 128 characters"));
        }
        if record.request_id.as_deref().is_some_and(|id| !is_name(id)) {
            return Err(BadRecord("request_id must be 1 to 128 characters"));
        }
        let command = match record.action {
            Action::Add => {
                let side =
                    if record.is_buy.ok_or(BadRecord("is_buy is missing"))? { Side::Buy } else { Side::Sell };
                let order_type = match record.order_type.unwrap_or_default() {
                    TypeName::Limit => OrderType::Limit,
                    TypeName::Market => OrderType::Market,
                };
                let price = match order_type {
                    OrderType::Limit => record.price.ok_or(BadRecord("price is missing"))?,
                    OrderType::Market => record.price.unwrap_or(0),
                };
                let quantity = record.quantity.ok_or(BadRecord("quantity is missing"))?;
                if self.orders.find(&record.order_id).is_some() {
                    out.counts.duplicates += 1;
                    return Ok(());
                }
                let order = OrderId(self.orders.intern(&record.order_id));
                let user = UserId(self.users.intern(&record.user_id));
                Command::Add(NewOrder {
                    order_type,
                    time_in_force: match record.tif.unwrap_or_default() {
                        TifName::Gtc => TimeInForce::Gtc,
                        TifName::Ioc => TimeInForce::Ioc,
                        TifName::Fok => TimeInForce::Fok,
                    },
                    trigger: record.stop.map_or(Trigger::None, Trigger::Stop),
                    display: record.display.unwrap_or(0),
                    post_only: if record.post_only { PostOnly::Reject } else { PostOnly::No },
                    ..NewOrder::limit(order, user, side, price, quantity)
                })
            }
            Action::Cancel => {
                Command::Cancel { order: self.order_named(record), user: self.user_named(record) }
            }
            Action::Replace => Command::Replace(Replace {
                order: self.order_named(record),
                user: self.user_named(record),
                price: record.price.ok_or(BadRecord("price is missing"))?,
                quantity: record.quantity.ok_or(BadRecord("quantity is missing"))?,
                stop: None,
                expected: record.expected_price.zip(record.expected_quantity),
            }),
            Action::Tick => return Ok(()),
        };
        let symbol = match self.markets.get_key_value(&*record.symbol) {
            Some((symbol, _)) => symbol.clone(),
            None => {
                let symbol: Arc<str> = record.symbol.as_ref().into();
                self.markets.insert(symbol.clone(), Market::new(self.day_offset_s));
                symbol
            }
        };
        tell(&symbol, self.time, &command);
        self.run(&symbol, &command, Some(record), out);
        Ok(())
    }

    fn tick(&mut self, out: &mut Output, tell: &mut dyn FnMut(&str, Millis, &Command)) {
        let open: Vec<_> =
            self.markets.iter().filter(|(_, m)| m.candle().is_some()).map(|(s, _)| s.clone()).collect();
        for symbol in open {
            tell(&symbol, self.time, &Command::Tick);
            self.run(&symbol, &Command::Tick, None, out);
        }
    }

    fn run(
        &mut self,
        symbol: &Arc<str>,
        command: &Command,
        record: Option<&OrderRecord<'_>>,
        out: &mut Output,
    ) {
        let mut events = core::mem::take(&mut self.events);
        let Some(market) = self.markets.get_mut(symbol) else { return };
        let first = market.sequence() + 1;
        events.clear();
        let day = market.day().copied();
        market.apply(self.time, command, &mut events);
        if let Some((before, now)) = day.zip(market.day())
            && now.today.time != before.today.time
        {
            out.days.push((symbol.clone(), before));
        }
        if !events.is_empty() {
            out.touched.insert(symbol.clone());
        }
        for (sequence, event) in (first..).zip(&events) {
            self.tell(symbol, sequence, event, record, out);
        }
        self.events = events;
    }

    /// Turns one event into what the streams and the users are told.
    fn tell(
        &mut self,
        symbol: &Arc<str>,
        seq: Sequence,
        event: &Event,
        record: Option<&OrderRecord<'_>>,
        out: &mut Output,
    ) {
        let t = self.time;
        let request = record.and_then(|record| record.request_id.as_deref());
        match event {
            Event::CandleClosed(candle) => {
                out.closed.push((symbol.clone(), seq, *candle));
                return;
            }
            Event::Filled(fill) => {
                out.counts.fills += 1;
                let (buyer, seller) = (fill.buyer(), fill.seller());
                let kind = EventKind::Fill {
                    fill_id: fill_id(symbol, seq).into(),
                    price: fill.price,
                    quantity: fill.quantity,
                    taker: fill.taker_side.as_str().into(),
                    buyer: party(buyer, self.orders.name(buyer.order.0), self.users.name(buyer.user.0)),
                    seller: party(seller, self.orders.name(seller.order.0), self.users.name(seller.user.0)),
                };
                publish(symbol, seq, t, kind, out);
                let body = trade_message(symbol, t, seq, fill.price, fill.quantity, fill.taker_side);
                out.trades.push(Trade { symbol: symbol.clone(), sequence: seq, body });
                let sides = [(&fill.maker, fill.taker_side.opposite()), (&fill.taker, fill.taker_side)];
                for (side_of, side) in sides {
                    let status = self.fill_status(symbol, seq, side_of, side).fill(fill.price, fill.quantity);
                    out.notices
                        .push(Notice { user: self.users.shared(side_of.user.0), body: to_json(&status) });
                }
                for (done, _) in sides.iter().filter(|(party, _)| party.remaining == 0) {
                    self.finish(done.order);
                }
                return;
            }
            _ => {}
        }
        // The other events are about one order. Those that are not named here no order of the stream can cause: its format
        // has no links or phases.
        let (order, user, asked, reason, status) = match event {
            Event::Accepted(asked) => (asked.order, asked.user, Some(asked), None, "ACCEPTED"),
            Event::Rejected(asked, reason) => {
                (asked.order, asked.user, Some(asked), Some(*reason), "REJECTED")
            }
            Event::Cancelled(asked, reason) => {
                (asked.order, asked.user, Some(asked), Some(*reason), "CANCELLED")
            }
            Event::Replaced { now, .. } => (now.order, now.user, Some(now), None, "REPLACED"),
            // Its owner is told; what it locks and where it stands for settlement is as it was.
            Event::Triggered(order) => (order.order, order.user, Some(order), None, "TRIGGERED"),
            Event::CancelRejected { order, user, reason } => {
                (*order, *user, None, Some(*reason), "CANCEL_REJECTED")
            }
            Event::ReplaceRejected { order, user, reason } => {
                (*order, *user, None, Some(*reason), "REPLACE_REJECTED")
            }
            _ => return,
        };
        out.counts.accepted += u64::from(status == "ACCEPTED");
        out.counts.rejected += u64::from(status.ends_with("REJECTED"));
        // A request may name an order or a user that the shard does not know: they are told in the request's words.
        let (order_id, user_id) = match (asked, record) {
            (None, Some(record)) => (record.order_id.as_ref(), record.user_id.as_ref()),
            _ => (self.orders.name(order.0), self.users.name(user.0)),
        };
        let kind = record_kind(event, order_id, user_id, request.unwrap_or_default(), reason);
        if let Some(kind) = kind {
            publish(symbol, seq, t, kind, out);
        }
        let mut notice = OrderStatus::new(symbol, seq, t, order_id, status);
        if let Some(asked) = asked {
            notice = notice
                .order(asked, if status == "CANCELLED" || status == "REJECTED" { 0 } else { asked.quantity });
        }
        if let Some(reason) = reason {
            notice = notice.reason(reason);
        }
        notice.rq = request.map(Into::into);
        out.notices.push(Notice { user: user_id.into(), body: to_json(&notice) });
        if matches!(event, Event::Rejected(..) | Event::Cancelled(..)) {
            self.finish(order);
        }
    }

    fn fill_status<'a>(
        &'a self,
        symbol: &'a str,
        seq: Sequence,
        party: &Party,
        side: Side,
    ) -> OrderStatus<'a> {
        let status = if party.remaining == 0 { "FILLED" } else { "PARTIALLY_FILLED" };
        let mut notice = OrderStatus::new(symbol, seq, self.time, self.orders.name(party.order.0), status);
        notice.sd = Some(side.as_str().into());
        notice.p = Some(party.price);
        notice.r = Some(party.remaining);
        notice
    }

    fn order_named(&self, record: &OrderRecord<'_>) -> OrderId {
        OrderId(self.orders.find(&record.order_id).unwrap_or(NOBODY))
    }

    fn user_named(&self, record: &OrderRecord<'_>) -> UserId {
        UserId(self.users.find(&record.user_id).unwrap_or(NOBODY))
    }

    /// The order is over: its name is kept for a while, so that its repetition is known.
    fn finish(&mut self, order: OrderId) {
        self.finished.push_back(order);
        while self.finished.len() > REMEMBERED_ORDERS {
            if let Some(oldest) = self.finished.pop_front() {
                self.orders.forget(oldest.0);
            }
        }
    }

    /// The whole state as bytes, with the stream position that it stands for.
    pub fn snapshot(&self) -> Vec<u8> {
        seal(SHARD_MAGIC, SHARD_VERSION, |writer| {
            writer.number(self.position);
            writer.bytes(self.place.as_bytes());
            writer.number(self.time);
            writer.number(self.day_offset_s);
            self.orders.write(writer);
            self.users.write(writer);
            writer.number(self.finished.len() as u64);
            self.finished.iter().for_each(|order| writer.number(order.0));
            writer.number(self.markets.len() as u64);
            for (symbol, market) in &self.markets {
                writer.bytes(symbol.as_bytes());
                writer.bytes(&encode_market(market));
            }
        })
    }

    /// The shard that [`Shard::snapshot`] wrote, in this version or an earlier one.
    pub fn restore(bytes: &[u8]) -> Result<Shard, SnapshotError> {
        let (mut reader, version) = open(bytes, SHARD_MAGIC)?;
        if version == 0 || version > SHARD_VERSION {
            return Err(SnapshotError::UnknownVersion(version));
        }
        let position = reader.number()?;
        let place = if version == 1 { String::new() } else { reader.string()? };
        let time = reader.number()?;
        let mut shard = Shard { position, place, time, ..Shard::new(reader.number()?) };
        shard.orders = Names::read(&mut reader)?;
        shard.users = Names::read(&mut reader)?;
        for _ in 0..reader.number()? {
            shard.finished.push_back(OrderId(reader.number()?));
        }
        for _ in 0..reader.number()? {
            let symbol = reader.string()?;
            let market = decode_market(reader.bytes()?)?;
            for side in [Side::Buy, Side::Sell] {
                for order in market.book().queue(side) {
                    if !shard.orders.knows(order.order.0) || !shard.users.knows(order.user.0) {
                        return Err(SnapshotError::Impossible("an order without a name"));
                    }
                }
            }
            shard.markets.insert(symbol.as_str().into(), market);
        }
        if !reader.is_empty() {
            return Err(SnapshotError::Malformed(CodecError::Trailing));
        }
        Ok(shard)
    }
}

impl OrderStatus<'_> {
    fn fill(mut self, price: u64, quantity: u64) -> Self {
        self.fp = Some(price);
        self.fq = Some(quantity);
        self
    }
}

fn publish(symbol: &Arc<str>, seq: Sequence, t: Millis, event: EventKind<'_>, out: &mut Output) {
    let record = EventRecord { symbol: (&**symbol).into(), seq, t, event };
    out.records.push(StreamRecord { partition: symbol.clone(), body: to_json(&record) });
}

/// The fills stream's form of an event about one order.
fn record_kind<'a>(
    event: &Event,
    order_id: &'a str,
    user_id: &'a str,
    request_id: &'a str,
    reason: Option<Reason>,
) -> Option<EventKind<'a>> {
    let (order_id, user_id, request_id) = (order_id.into(), user_id.into(), request_id.into());
    let reason = reason.map(Reason::as_str).unwrap_or_default().into();
    let side = |order: &OrderRef| order.side.as_str().into();
    Some(match event {
        Event::Accepted(o) => {
            EventKind::Accepted { order_id, user_id, side: side(o), price: o.price, quantity: o.quantity }
        }
        Event::Rejected(o, _) => EventKind::Rejected {
            order_id,
            user_id,
            side: side(o),
            price: o.price,
            quantity: o.quantity,
            reason,
        },
        Event::Cancelled(o, _) => EventKind::Cancelled {
            order_id,
            user_id,
            side: side(o),
            price: o.price,
            remaining: o.quantity,
            reason,
        },
        Event::Replaced { now, .. } => EventKind::Replaced {
            order_id,
            user_id,
            side: side(now),
            price: now.price,
            quantity: now.quantity,
            request_id,
        },
        Event::CancelRejected { .. } => EventKind::CancelRejected { order_id, user_id, request_id, reason },
        Event::ReplaceRejected { .. } => EventKind::ReplaceRejected { order_id, user_id, request_id, reason },
        _ => return None,
    })
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
}

/// The number that no name has.
const NOBODY: u64 = 0;

/// Names of the outside and the numbers that the core knows them by. Numbers are given out in order and never again,
/// so they depend on the stream alone.
#[derive(Clone, Debug, Default)]
struct Names {
    given: u64,
    numbers: HashMap<Arc<str>, u64, BuildIdHasher>,
    names: HashMap<u64, Arc<str>, BuildIdHasher>,
}

impl Names {
    fn find(&self, name: &str) -> Option<u64> {
        self.numbers.get(name).copied()
    }

    fn knows(&self, number: u64) -> bool {
        self.names.contains_key(&number)
    }

    fn intern(&mut self, name: &str) -> u64 {
        if let Some(number) = self.find(name) {
            return number;
        }
        self.given += 1;
        self.put(self.given, name.into());
        self.given
    }

    fn put(&mut self, number: u64, name: Arc<str>) {
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
    }

    fn name(&self, number: u64) -> &str {
        self.names.get(&number).map_or("", |name| name)
    }

    fn shared(&self, number: u64) -> Arc<str> {
        self.names.get(&number).cloned().unwrap_or_default()
    }

    fn forget(&mut self, number: u64) {
        if let Some(name) = self.names.remove(&number) {
            self.numbers.remove(&name);
        }
    }

    /// By number.
    fn in_order(&self) -> impl ExactSizeIterator<Item = (u64, &Arc<str>)> {
        let mut entries: Vec<_> = self.names.iter().map(|(&number, name)| (number, name)).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        entries.into_iter()
    }

    fn write(&self, writer: &mut Writer) {
        writer.number(self.given);
        let entries = self.in_order();
        writer.number(entries.len() as u64);
        for (number, name) in entries {
            writer.number(number);
            writer.bytes(name.as_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Names, SnapshotError> {
        let mut names = Names { given: reader.number()?, ..Names::default() };
        for _ in 0..reader.number()? {
            let (number, name) = (reader.number()?, reader.string()?.to_owned());
            if number == NOBODY || number > names.given || names.knows(number) || names.find(&name).is_some()
            {
                return Err(SnapshotError::Impossible("a name twice"));
            }
            names.put(number, name.as_str().into());
        }
        Ok(names)
    }
}
