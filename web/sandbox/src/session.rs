//! Playing a flow: forward by time, by step or to a fill, to any place by keyframes, with the user's orders and without.
//!
//! The session has no clock: [`Session::advance`] is told how much time has gone by. Work is done in slices of so many steps, so
//! that whoever runs it can answer in between.
//!
//! A user's command belongs to a place in the flow: after so many steps, at a time. Whoever goes back and on again meets it
//! again; a new command at an earlier place makes all later ones void. From the first command on the same flow also runs without
//! the user, to be compared.

use crate::account::{Account, FIRST_ORDER, Refusal, Standing, USER};
use crate::checks::Checks;
use crate::flow::{Cursor, Flow};
use crate::history::{History, LOG, Logged, Ring, TAPE, Trade};
use engine_core::command::{Command, MassCancel, NewOrder, Replace};
use engine_core::digest::state_hash;
use engine_core::event::Event;
use engine_core::feed::Report;
use engine_core::market::Market;
use engine_core::snapshot::{decode_market, encode_market};
use engine_core::types::{Millis, OrderId, Price, Quantity, Side};
use serde::{Deserialize, Serialize};

/// Steps between two keyframes, at first; doubled whenever they take too much.
pub const KEYFRAME_STEPS: u64 = 8_192;
/// What keyframes may take, in bytes.
pub const KEYFRAME_BYTES: usize = 48 << 20;
/// Cash and stock that the user begins with.
pub const OPENING: (u64, u64) = (10_000_000_000, 1_000_000);

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speed {
    /// So many tenths of the flow's own time: from 1 (0.1×) to 100,000 (10,000×).
    Tenths(u32),
    /// As fast as possible.
    Most,
}

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// To the end of this millisecond.
    Time(Millis),
    /// After so many steps of the flow, own commands up to there included.
    Position(u64),
    /// The next trade, or the next one of the user's own orders. Only forward, and not beyond the end.
    Fill { own: bool },
}

/// A command of the user's at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCommand {
    /// Steps of the flow before it.
    pub after: u64,
    pub time: Millis,
    pub command: Command,
}

#[derive(Clone, Debug)]
struct Keyframe {
    position: u64,
    own: usize,
    clock: Millis,
    market: Vec<u8>,
    plain: Option<Vec<u8>>,
    checks: Checks,
    account: Account,
    tape: Ring<Trade>,
    memory: usize,
}

/// How an order fared against what it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The order's number, from 1 on.
    pub order: u64,
    pub quantity: Quantity,
    pub filled: Quantity,
    /// Paid more, or got less, than the middle between the best prices when it came: in half price units × quantity. Below zero:
    /// better than that. None without fills or without a middle.
    pub slippage_half: Option<i64>,
    /// Twice the middle at arrival.
    pub arrival_double: Option<u64>,
    /// Sum of price × quantity of its fills, as far as it fits.
    pub notional: u64,
    /// Its place in the queue, while it rests.
    pub standing: Option<Standing>,
}

/// The same flow with and without the user's orders, at this place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Steps of the flow before the first own command; none where there was none yet.
    pub diverged_after: Option<u64>,
    pub outcomes: Vec<Outcome>,
    /// Best bid and ask.
    pub with: (Option<Price>, Option<Price>),
    pub without: (Option<Price>, Option<Price>),
    /// Prices of the last trade.
    pub last_with: Option<Price>,
    pub last_without: Option<Price>,
    /// The states' hashes, as 32 hexadecimal digits.
    pub hash_with: String,
    pub hash_without: String,
}

/// One flow, one user, one place.
#[derive(Debug)]
pub struct Session {
    flow: Flow,
    market: Market,
    /// The market without the user, from the first own command on.
    plain: Option<Market>,
    cursor: Cursor,
    commands: Vec<OwnCommand>,
    /// How many of them have been applied.
    applied: usize,
    clock: Millis,
    /// What is left of a millisecond, in tenths of a microsecond of the flow's time.
    rest: u64,
    account: Account,
    checks: Checks,
    tape: Ring<Trade>,
    log: Ring<Logged>,
    history: History,
    keyframes: Vec<Keyframe>,
    stride: u64,
    goal: Option<Goal>,
    report: Report,
    plain_report: Vec<Event>,
    jumps: u64,
}

impl Session {
    /// At the flow's beginning.
    pub fn new(flow: Flow, opening: (u64, u64)) -> Session {
        let market = flow.opening.clone();
        let (first, last) = flow.span();
        let mut session = Session {
            cursor: flow.cursor(0),
            plain: None,
            commands: Vec::new(),
            applied: 0,
            clock: first.saturating_sub(1),
            rest: 0,
            account: Account::new(opening.0, opening.1),
            checks: Checks::of(&market),
            tape: Ring::new(TAPE),
            log: Ring::new(LOG),
            history: History::new(first, last),
            keyframes: Vec::new(),
            stride: KEYFRAME_STEPS,
            goal: None,
            report: Report::default(),
            plain_report: Vec::new(),
            jumps: 0,
            market,
            flow,
        };
        session.keyframe();
        session
    }

    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    pub fn market(&self) -> &Market {
        &self.market
    }

    /// The market without the user, where there is a difference.
    pub fn plain(&self) -> Option<&Market> {
        self.plain.as_ref()
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    pub fn checks(&mut self) -> &mut Checks {
        &mut self.checks
    }

    pub fn tape(&self) -> &Ring<Trade> {
        &self.tape
    }

    pub fn log(&self) -> &Ring<Logged> {
        &self.log
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// Steps of the flow that have been applied.
    pub fn position(&self) -> u64 {
        self.cursor.position
    }

    /// Where playing is: everything up to this time has happened.
    pub fn clock(&self) -> Millis {
        self.clock
    }

    /// The user's commands, those that are still to come again among them.
    pub fn commands(&self) -> &[OwnCommand] {
        &self.commands
    }

    /// How many of them have happened by now.
    pub fn applied(&self) -> u64 {
        self.applied as u64
    }

    /// Steps of the flow before the first own command that has happened.
    pub fn diverged_after(&self) -> Option<u64> {
        self.commands[..self.applied].first().map(|own| own.after)
    }

    /// How often it went to another place other than by going on: what was shown before is void then.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    pub fn at_end(&self) -> bool {
        self.cursor.position == self.flow.len() && self.applied == self.commands.len()
    }

    /// Whether it is on its way to a goal.
    pub fn is_seeking(&self) -> bool {
        self.goal.is_some()
    }

    /// How many keyframes there are, and what they take.
    pub fn keyframes(&self) -> (usize, usize) {
        (self.keyframes.len(), self.keyframes.iter().map(|frame| frame.memory).sum())
    }

    /// See [`state_hash`].
    pub fn hash(&self) -> u128 {
        state_hash(&self.market)
    }

    // ---- going on ----

    /// Time has gone by: plays on for `elapsed_us` at this speed, or for `budget` steps if those come first (then the clock waits for
    /// them). Answers how many steps were made.
    pub fn advance(&mut self, elapsed_us: u64, speed: Speed, budget: u64) -> u64 {
        let before = self.cursor.position;
        let until = match speed {
            Speed::Most => Millis::MAX,
            Speed::Tenths(tenths) => {
                // A tab that slept for long does not have to make up for it: ten seconds at most.
                let passed = elapsed_us.min(10_000_000) * u64::from(tenths.clamp(1, 100_000)) + self.rest;
                self.rest = passed % 10_000;
                self.clock.saturating_add(passed / 10_000)
            }
        };
        let done = self.run(Some(until), budget);
        if done && speed != Speed::Most {
            self.clock = self.clock.max(until.min(self.flow.span().1));
        }
        self.cursor.position - before
    }

    /// Applies everything up to `until`, at most `budget` items; answers whether nothing is left to apply.
    fn run(&mut self, until: Option<Millis>, budget: u64) -> bool {
        for _ in 0..budget {
            match self.next_time() {
                Some(time) if until.is_none_or(|until| time <= until) => {
                    self.item();
                }
                _ => return true,
            }
        }
        self.next_time().is_none_or(|time| until.is_some_and(|until| time > until))
    }

    /// One step of the flow, or one own command that comes again; answers whether there was one.
    pub fn step(&mut self) -> bool {
        self.goal = None;
        self.next_time().is_some() && {
            self.item();
            true
        }
    }

    /// Time of what comes next.
    fn next_time(&self) -> Option<Millis> {
        match self.commands.get(self.applied) {
            Some(own) if own.after == self.cursor.position => Some(own.time),
            _ => self.flow.time_of(&self.cursor),
        }
    }

    /// Applies what comes next. Answers whether it traded, and whether with the user.
    fn item(&mut self) -> (bool, bool) {
        if self.commands.get(self.applied).is_some_and(|own| own.after == self.cursor.position) {
            return self.own_command();
        }
        let Some((time, step)) = self.flow.next(&mut self.cursor) else { return (false, false) };
        self.history.pass(time, &self.market, self.plain.as_ref());
        self.clock = self.clock.max(time);
        if let Some(plain) = &mut self.plain
            && let Some(command) = step.resolve(plain)
        {
            self.plain_report.clear();
            plain.apply(time, &command, &mut self.plain_report);
        }
        let traded = match step.resolve(&self.market) {
            Some(command) => self.apply(time, &command),
            None => (false, false),
        };
        if self.cursor.position.is_multiple_of(self.stride)
            && self.keyframes.last().is_none_or(|last| last.position < self.cursor.position)
        {
            self.keyframe();
        }
        traded
    }

    fn own_command(&mut self) -> (bool, bool) {
        let OwnCommand { time, command, .. } = self.commands[self.applied].clone();
        self.history.pass(time, &self.market, self.plain.as_ref());
        if self.plain.is_none() {
            self.plain = Some(self.market.clone());
        }
        self.applied += 1;
        self.clock = self.clock.max(time);
        if let Command::Add(new) = &command {
            self.account.enter(new, time, self.market.book());
        }
        self.apply(time, &command)
    }

    fn apply(&mut self, time: Millis, command: &Command) -> (bool, bool) {
        let first = self.market.sequence() + 1;
        let mut report = std::mem::take(&mut self.report);
        report.clear();
        self.market.apply(time, command, &mut report);
        let time = self.market.time();
        self.checks.follow(&self.market, &report.events);
        let own = self.account.follow(time, first, &report.events, &report.orders, self.market.book());
        let mut traded = false;
        for (sequence, event) in (first..).zip(&report.events) {
            match event {
                Event::Filled(fill) => {
                    traded = true;
                    self.tape.push(Trade::of(sequence, time, fill));
                }
                Event::CandleClosed(candle) => self.history.close(*candle),
                _ => {}
            }
            self.log.push(Logged { sequence, time, event: *event });
        }
        self.report = report;
        (traded, own)
    }

    // ---- going elsewhere ----

    /// Sets out for a goal; [`Session::pursue`] gets there.
    pub fn seek(&mut self, goal: Goal) {
        self.rest = 0;
        match goal {
            Goal::Time(time) => self.start_from(|frame| frame.clock <= time, self.clock <= time),
            Goal::Position(position) => {
                let position = position.min(self.flow.len());
                // At the place itself own commands may have to go or to come, so it is come to anew.
                self.start_from(|frame| frame.position <= position, self.cursor.position < position);
            }
            Goal::Fill { .. } => {}
        }
        self.goal = Some(goal);
    }

    /// Goes on to the goal for at most `budget` steps; answers whether it is there.
    pub fn pursue(&mut self, budget: u64) -> bool {
        let Some(goal) = self.goal else { return true };
        let done = match goal {
            Goal::Time(time) => {
                let done = self.run(Some(time), budget);
                if done {
                    self.clock = self.clock.max(time.min(self.flow.span().1));
                }
                done
            }
            Goal::Position(position) => (0..budget).any(|_| {
                let own =
                    self.commands.get(self.applied).is_some_and(|own| own.after == self.cursor.position);
                if self.at_end() || (self.cursor.position >= position && !own) {
                    return true;
                }
                self.item();
                false
            }),
            Goal::Fill { own } => (0..budget).any(|_| {
                if self.next_time().is_none() {
                    return true;
                }
                let (traded, mine) = self.item();
                if own { mine } else { traded }
            }),
        };
        if done {
            self.goal = None;
        }
        done
    }

    /// Goes to a goal at once.
    pub fn seek_now(&mut self, goal: Goal) {
        self.seek(goal);
        while !self.pursue(u64::MAX) {}
    }

    /// One step of the flow back.
    pub fn step_back(&mut self) {
        self.seek_now(Goal::Position(self.cursor.position.saturating_sub(1)));
    }

    /// Takes the last keyframe that fits, unless the session itself is at a place that fits and is further.
    fn start_from(&mut self, fits: impl Fn(&Keyframe) -> bool, here: bool) {
        let count = self.keyframes.partition_point(fits);
        let Some(frame) = self.keyframes.get(count.max(1) - 1) else { return };
        if here && frame.position <= self.cursor.position {
            return;
        }
        // Both were taken from markets: they can be read.
        let Ok(market) = decode_market(&frame.market) else { return };
        self.plain = frame.plain.as_ref().and_then(|plain| decode_market(plain).ok());
        self.market = market;
        self.cursor = self.flow.cursor(frame.position);
        self.applied = frame.own;
        self.clock = frame.clock;
        self.checks = frame.checks.clone();
        self.account = frame.account.clone();
        self.tape = frame.tape.clone();
        self.log.clear();
        self.history.jump(self.clock);
        self.jumps += 1;
    }

    fn keyframe(&mut self) {
        let market = encode_market(&self.market);
        let plain = self.plain.as_ref().map(encode_market);
        let memory = market.len()
            + plain.as_ref().map_or(0, Vec::len)
            + self.account.memory()
            + TAPE * size_of::<Trade>()
            + size_of::<Keyframe>();
        self.keyframes.push(Keyframe {
            position: self.cursor.position,
            own: self.applied,
            clock: self.clock,
            market,
            plain,
            checks: self.checks.clone(),
            account: self.account.clone(),
            tape: self.tape.clone(),
            memory,
        });
        while self.keyframes.len() > 2 && self.keyframes().1 > KEYFRAME_BYTES {
            // Every other one goes; the beginning stays.
            let mut keep = false;
            self.keyframes.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
    }

    // ---- trading ----

    /// Enters an order here and now; answers its number. Id and account of `new` are set on the way.
    pub fn order(&mut self, new: &NewOrder) -> Result<u64, Refusal> {
        self.may_trade()?;
        let new = self.account.prepare(new)?;
        self.submit(Command::Add(new));
        Ok(new.order.0 - FIRST_ORDER)
    }

    /// Takes an own order out.
    pub fn cancel(&mut self, order: u64) -> Result<(), Refusal> {
        self.may_trade()?;
        let order = self.known(order)?;
        self.submit(Command::Cancel { order, user: USER });
        Ok(())
    }

    /// Changes an own order.
    pub fn replace(
        &mut self,
        order: u64,
        price: Price,
        quantity: Quantity,
        stop: Option<Price>,
    ) -> Result<(), Refusal> {
        self.may_trade()?;
        let order = self.known(order)?;
        self.account.may_replace(order, price, quantity)?;
        self.submit(Command::Replace(Replace { order, user: USER, price, quantity, stop, expected: None }));
        Ok(())
    }

    /// Takes all own orders out.
    pub fn cancel_all(&mut self) -> Result<(), Refusal> {
        self.may_trade()?;
        self.submit(Command::MassCancel(MassCancel { user: Some(USER), ..MassCancel::default() }));
        Ok(())
    }

    fn may_trade(&self) -> Result<(), Refusal> {
        if self.flow.is_empty() {
            Err(Refusal::NoFlow)
        } else if self.is_seeking() {
            Err(Refusal::Busy)
        } else {
            Ok(())
        }
    }

    fn known(&self, order: u64) -> Result<OrderId, Refusal> {
        let id = OrderId(FIRST_ORDER.saturating_add(order));
        self.account.get(id).map(|_| id).ok_or(Refusal::UnknownOrder)
    }

    fn submit(&mut self, command: Command) {
        self.commands.truncate(self.applied);
        let here = (self.cursor.position, self.applied);
        self.keyframes.retain(|frame| (frame.position, frame.own) <= here);
        self.history.cut(self.clock);
        self.commands.push(OwnCommand { after: self.cursor.position, time: self.clock, command });
        self.own_command();
    }

    /// Lays down commands that were given elsewhere, before the session has set out. Answers whether all of them were possible: in
    /// order, within the flow, and the user's own.
    pub fn lay_down(&mut self, commands: Vec<OwnCommand>) -> bool {
        let in_order = commands.is_sorted_by_key(|own| (own.after, own.time));
        let (first, last) = self.flow.span();
        let fits = commands.iter().all(|own| {
            own.after <= self.flow.len()
                && (first.saturating_sub(1)..=last).contains(&own.time)
                && crate::account::is_own(&own.command)
                && self.flow.steps_until(own.time) >= own.after
        });
        // Orders are numbered in a row.
        let adds = commands.iter().filter_map(|own| match own.command {
            Command::Add(new) => Some(new.order.0),
            _ => None,
        });
        let numbered = (FIRST_ORDER + 1..).zip(adds).all(|(number, order)| number == order);
        let possible = in_order && fits && numbered && self.applied == 0 && self.cursor.position == 0;
        if possible {
            if let Some(own) = commands.first() {
                self.keyframes.retain(|frame| frame.position <= own.after);
                self.history.cut(own.time);
            }
            self.commands = commands;
        }
        possible
    }

    /// With and without the user's orders, here.
    pub fn compare(&self) -> Comparison {
        let quote = |market: &Market| {
            let book = market.book();
            (book.best(Side::Buy), book.best(Side::Sell))
        };
        let without = self.plain.as_ref().unwrap_or(&self.market);
        let outcomes = self.account.orders().map(|(order, own)| {
            let double = own.arrival.map(|(bid, ask)| bid + ask);
            let slippage = double.filter(|_| own.filled > 0).map(|double| {
                let paid = i128::try_from(own.notional * 2).unwrap_or(i128::MAX);
                let fair = i128::from(double) * i128::from(own.filled);
                let more = if own.new.side == Side::Buy { paid - fair } else { fair - paid };
                i64::try_from(more).unwrap_or(if more < 0 { i64::MIN } else { i64::MAX })
            });
            Outcome {
                order,
                quantity: own.new.quantity,
                filled: own.filled,
                slippage_half: slippage,
                arrival_double: double,
                notional: u64::try_from(own.notional).unwrap_or(u64::MAX),
                standing: own.standing(),
            }
        });
        Comparison {
            diverged_after: self.diverged_after(),
            outcomes: outcomes.collect(),
            with: quote(&self.market),
            without: quote(without),
            last_with: self.market.last_price(),
            last_without: without.last_price(),
            hash_with: format!("{:032x}", self.hash()),
            hash_without: format!("{:032x}", state_hash(without)),
        }
    }
}
