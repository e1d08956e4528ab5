//! The user's own account: orders, fills, money, and where each order stands in its queue.

use crate::flow::MAX_FLOW_ID;
use engine_core::book::{OrderBook, Whereabouts};
use engine_core::command::{Command, NewOrder};
use engine_core::event::{Event, Fill, OrderRef, Reason};
use engine_core::feed::OrderChange;
use engine_core::types::{Millis, OrderId, OrderType, Price, Quantity, Sequence, Side, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The user's account in the market.
pub const USER: UserId = UserId(MAX_FLOW_ID);
/// The user's orders are numbered from the one after this one on.
pub const FIRST_ORDER: u64 = MAX_FLOW_ID;
/// The most orders that a session may enter.
pub const MAX_ORDERS: usize = 2_000;
/// The most fills that are kept one by one; sums go on.
pub const MAX_FILLS: usize = 5_000;

/// The name of an own order in messages: `my-1` and so on.
pub fn name(order: OrderId) -> String {
    format!("my-{}", order.0 - FIRST_ORDER.min(order.0))
}

/// What an order has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Open,
    Filled,
    Cancelled,
    Rejected,
}

/// An order's place in its queue, and what became of those that were before it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Queue {
    price: Price,
    ahead: BTreeMap<OrderId, Quantity>,
    standing: Standing,
}

/// Where an order stands, and how it has come there. All quantities are as displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Before it when it joined the queue.
    pub joined_quantity: Quantity,
    pub joined_orders: u32,
    /// Before it now.
    pub ahead_quantity: Quantity,
    pub ahead_orders: u32,
    /// Of those that were before it: filled since.
    pub filled_quantity: Quantity,
    pub filled_orders: u32,
    /// And taken back.
    pub cancelled_quantity: Quantity,
    pub cancelled_orders: u32,
}

/// An own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnOrder {
    /// As it was entered.
    pub new: NewOrder,
    pub entered: Millis,
    pub updated: Millis,
    /// Number of the event that changed it last.
    pub sequence: Sequence,
    pub status: Status,
    /// Its price now.
    pub price: Price,
    pub open: Quantity,
    pub filled: Quantity,
    /// Sum of price × quantity of its fills.
    pub notional: u128,
    /// Best bid and best ask when it came; without one of them, none.
    pub arrival: Option<(Price, Price)>,
    pub reason: Option<Reason>,
    queue: Option<Queue>,
}

impl OwnOrder {
    /// Where it rests in its queue; none while it does not.
    pub fn standing(&self) -> Option<Standing> {
        self.queue.as_ref().map(|queue| queue.standing)
    }
}

/// One fill of an own order, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnFill {
    pub sequence: Sequence,
    pub time: Millis,
    /// The order's number, from 1 on.
    pub order: u64,
    pub buy: bool,
    pub price: Price,
    pub quantity: Quantity,
    pub remaining: Quantity,
    /// It rested, and somebody came.
    pub maker: bool,
    /// How the queue before it went away; none for a taker.
    pub queue: Option<Standing>,
}

/// Why an order was not sent at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It needs more than is available.
    InsufficientBalance,
    /// The session has as many orders as it may.
    TooManyOrders,
    /// No own order has this number.
    UnknownOrder,
    /// The session is on its way to another place in the flow.
    Busy,
    /// There is no flow to trade against.
    NoFlow,
}

impl Refusal {
    /// The code that the order router has for the same, or one like it.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::InsufficientBalance => "insufficient_balance",
            Refusal::TooManyOrders => "too_many_orders",
            Refusal::UnknownOrder => "unknown_order",
            Refusal::Busy => "sandbox_busy",
            Refusal::NoFlow => "sandbox_no_flow",
        }
    }
}

/// Money and stock. What open orders may need is locked: it is part of the whole, and not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    pub cash: u64,
    pub stock: u64,
    pub locked_cash: u64,
    pub locked_stock: u64,
}

/// The account as it is at one place in the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    cash: i128,
    stock: i128,
    opening: (u64, u64),
    orders: Vec<OwnOrder>,
    fills: VecDeque<OwnFill>,
    all_fills: u64,
    live: usize,
    /// Fills of resting orders in the command that is looked at; empty between commands.
    makers: Vec<(OrderId, Quantity)>,
}

impl Account {
    pub fn new(cash: u64, stock: u64) -> Account {
        Account {
            cash: i128::from(cash),
            stock: i128::from(stock),
            opening: (cash, stock),
            orders: Vec::new(),
            fills: VecDeque::new(),
            all_fills: 0,
            live: 0,
            makers: Vec::new(),
        }
    }

    /// What it began with.
    pub fn opening(&self) -> (u64, u64) {
        self.opening
    }

    /// All orders by their numbers, which begin with 1.
    pub fn orders(&self) -> impl Iterator<Item = (u64, &OwnOrder)> {
        (1..).zip(&self.orders)
    }

    /// The last fills, oldest first.
    pub fn fills(&self) -> &VecDeque<OwnFill> {
        &self.fills
    }

    /// How many fills there were, kept or not.
    pub fn fill_count(&self) -> u64 {
        self.all_fills
    }

    /// Whether something of it may be in the book.
    pub fn is_live(&self) -> bool {
        self.live > 0
    }

    /// The number that the next order gets.
    pub fn next_order(&self) -> OrderId {
        OrderId(FIRST_ORDER + 1 + self.orders.len() as u64)
    }

    pub fn get(&self, order: OrderId) -> Option<&OwnOrder> {
        self.orders.get(place(order)?)
    }

    /// A rough count of the bytes that a copy of it takes.
    pub fn memory(&self) -> usize {
        let queues = self.orders.iter().filter_map(|order| order.queue.as_ref());
        queues.map(|queue| queue.ahead.len() * 40).sum::<usize>()
            + self.orders.len() * size_of::<OwnOrder>()
            + self.fills.len() * size_of::<OwnFill>()
    }

    /// What an order may need: a limit buy its notional, a market buy what it names as its budget, a sell its quantity. The exits of a
    /// bracket and the second of a pair need nothing of their own.
    fn need(new: &NewOrder, price: Price, open: Quantity) -> (u128, u128) {
        if new.link != engine_core::types::Link::None {
            return (0, 0);
        }
        match (new.side, new.order_type) {
            (Side::Buy, OrderType::Limit) => (u128::from(price) * u128::from(open), 0),
            (Side::Buy, OrderType::Market) => (u128::from(new.budget), 0),
            (Side::Sell, _) => (0, u128::from(open)),
        }
    }

    /// What is there and what is locked.
    pub fn funds(&self) -> Funds {
        let open = self.orders.iter().filter(|order| order.status == Status::Open);
        let (cash, stock) = open.fold((0u128, 0u128), |(cash, stock), order| {
            let (c, s) = Account::need(&order.new, order.price, order.open);
            (cash + c, stock + s)
        });
        let whole = |amount: i128| u64::try_from(amount.max(0)).unwrap_or(u64::MAX);
        let part = |amount: u128, of: u64| u64::try_from(amount).unwrap_or(u64::MAX).min(of);
        let (all_cash, all_stock) = (whole(self.cash), whole(self.stock));
        Funds {
            cash: all_cash,
            stock: all_stock,
            locked_cash: part(cash, all_cash),
            locked_stock: part(stock, all_stock),
        }
    }

    /// The order as it is sent, with its number and account, and a market buy with what is available as its budget.
    pub fn prepare(&self, new: &NewOrder) -> Result<NewOrder, Refusal> {
        if self.orders.len() >= MAX_ORDERS {
            return Err(Refusal::TooManyOrders);
        }
        let mut new = NewOrder { order: self.next_order(), user: USER, ..*new };
        let funds = self.funds();
        let (cash, stock) = (funds.cash - funds.locked_cash, funds.stock - funds.locked_stock);
        if new.side == Side::Buy && new.order_type == OrderType::Market && new.budget == 0 {
            new.budget = cash;
        }
        let (needs_cash, needs_stock) = Account::need(&new, new.price, new.quantity);
        let short = needs_cash > u128::from(cash) || needs_stock > u128::from(stock);
        let broke = new.side == Side::Buy && new.order_type == OrderType::Market && new.budget == 0;
        if short || broke { Err(Refusal::InsufficientBalance) } else { Ok(new) }
    }

    /// Whether the order may be changed so: what it needs more has to be there. Of one that is not open the engine says why not.
    pub fn may_replace(&self, order: OrderId, price: Price, quantity: Quantity) -> Result<(), Refusal> {
        let Some(own) = self.get(order).filter(|own| own.status == Status::Open) else { return Ok(()) };
        let (before, after) =
            (Account::need(&own.new, own.price, own.open), Account::need(&own.new, price, quantity));
        let funds = self.funds();
        let (cash, stock) = (funds.cash - funds.locked_cash, funds.stock - funds.locked_stock);
        let fits = |before: u128, after: u128, free: u64| after.saturating_sub(before) <= u128::from(free);
        if fits(before.0, after.0, cash) && fits(before.1, after.1, stock) {
            Ok(())
        } else {
            Err(Refusal::InsufficientBalance)
        }
    }

    /// All that is there at this price, whatever it began with.
    pub fn worth(&self, price: Price) -> i128 {
        self.cash + self.stock * i128::from(price)
    }

    /// Enters an order that is about to be sent; `book` is as it is before.
    pub fn enter(&mut self, new: &NewOrder, time: Millis, book: &OrderBook) {
        self.orders.push(OwnOrder {
            new: *new,
            entered: time,
            updated: time,
            sequence: 0,
            status: Status::Open,
            price: new.price,
            open: new.quantity,
            filled: 0,
            notional: 0,
            arrival: book.best(Side::Buy).zip(book.best(Side::Sell)),
            reason: None,
            queue: None,
        });
        self.live += 1;
    }

    /// Follows one command: what it made happen (`first` is the number of its first event), which orders of the book it changed, and
    /// the book after it. Answers whether one of the own orders was filled.
    pub fn follow(
        &mut self,
        time: Millis,
        first: Sequence,
        events: &[Event],
        changes: &[OrderChange],
        book: &OrderBook,
    ) -> bool {
        if self.live == 0 {
            return false;
        }
        self.makers.clear();
        let fills = events.iter().filter_map(|event| match event {
            Event::Filled(fill) => Some((fill.maker.order, fill.quantity)),
            _ => None,
        });
        self.makers.extend(fills);
        for change in changes {
            match *change {
                OrderChange::Added { .. } => {}
                OrderChange::Changed { order, quantity } => self.ahead_changed(order, Some(quantity)),
                OrderChange::Removed { order } => self.ahead_changed(order, None),
            }
        }
        let mut filled = false;
        for (sequence, event) in (first..).zip(events) {
            filled |= self.event(time, sequence, event);
        }
        for change in changes {
            match *change {
                OrderChange::Added { order, price, .. } => {
                    if let Some(own) = self.own(order) {
                        own.queue = join(order, price, book);
                    }
                }
                OrderChange::Removed { order } => {
                    // Added again later in the same command: the next turn of this loop sees to it.
                    if let Some(own) = self.own(order) {
                        own.queue = None;
                    }
                }
                OrderChange::Changed { .. } => {}
            }
        }
        filled
    }

    fn own(&mut self, order: OrderId) -> Option<&mut OwnOrder> {
        self.orders.get_mut(place(order)?)
    }

    /// Somebody's order shows less now, or is gone.
    fn ahead_changed(&mut self, order: OrderId, now: Option<Quantity>) {
        let traded = self.makers.iter().filter(|(maker, _)| *maker == order);
        let traded: Quantity = traded.map(|(_, quantity)| *quantity).sum();
        for queue in self.orders.iter_mut().filter_map(|own| own.queue.as_mut()) {
            let Some(&before) = queue.ahead.get(&order) else { continue };
            let less = before.saturating_sub(now.unwrap_or(0));
            let filled = less.min(traded);
            let standing = &mut queue.standing;
            standing.ahead_quantity -= less;
            standing.filled_quantity += filled;
            standing.cancelled_quantity += less - filled;
            match now {
                Some(quantity) => drop(queue.ahead.insert(order, quantity)),
                None => {
                    queue.ahead.remove(&order);
                    standing.ahead_orders -= 1;
                    if filled > 0 {
                        standing.filled_orders += 1;
                    } else {
                        standing.cancelled_orders += 1;
                    }
                }
            }
        }
    }

    fn event(&mut self, time: Millis, sequence: Sequence, event: &Event) -> bool {
        match event {
            Event::Filled(fill) => {
                let maker = self.fill(time, sequence, fill, true);
                let taker = self.fill(time, sequence, fill, false);
                return maker || taker;
            }
            Event::Accepted(of) | Event::Triggered(of) => self.update(time, sequence, of, |own| {
                own.price = of.price;
                own.open = of.quantity;
            }),
            Event::Rejected(of, reason) => self.end(time, sequence, of, Status::Rejected, *reason),
            Event::Cancelled(of, reason) => self.end(time, sequence, of, Status::Cancelled, *reason),
            Event::Reduced { now, .. } | Event::Replaced { now, .. } => {
                self.update(time, sequence, now, |own| {
                    own.price = now.price;
                    own.open = now.quantity;
                });
            }
            Event::CancelRejected { .. }
            | Event::ReplaceRejected { .. }
            | Event::MassCancelled { .. }
            | Event::PhaseChanged { .. }
            | Event::Auctioned { .. }
            | Event::Defined
            | Event::CommandRejected(_)
            | Event::CandleClosed(_) => {}
        }
        false
    }

    fn update(
        &mut self,
        time: Millis,
        sequence: Sequence,
        of: &OrderRef,
        change: impl FnOnce(&mut OwnOrder),
    ) {
        if let Some(own) = self.own(of.order)
            && of.user == USER
        {
            (own.updated, own.sequence) = (time, sequence);
            change(own);
        }
    }

    fn end(&mut self, time: Millis, sequence: Sequence, of: &OrderRef, status: Status, reason: Reason) {
        if self.get(of.order).is_some_and(|own| own.status == Status::Open) {
            self.live -= 1;
            self.update(time, sequence, of, |own| {
                own.status = status;
                own.open = 0;
                own.reason = Some(reason);
            });
        }
    }

    fn fill(&mut self, time: Millis, sequence: Sequence, fill: &Fill, maker: bool) -> bool {
        let party = if maker { &fill.maker } else { &fill.taker };
        let Some(at) = place(party.order).filter(|&at| at < self.orders.len()) else { return false };
        let buy = fill.buyer().order == party.order;
        let money = i128::from(fill.price) * i128::from(fill.quantity);
        let sign = if buy { 1 } else { -1 };
        self.cash -= sign * money;
        self.stock += sign * i128::from(fill.quantity);
        let own = &mut self.orders[at];
        (own.updated, own.sequence) = (time, sequence);
        own.open = party.remaining;
        own.filled += fill.quantity;
        own.notional += money.unsigned_abs();
        if party.remaining == 0 && own.status == Status::Open {
            own.status = Status::Filled;
            self.live -= 1;
        }
        let queue = if maker { own.standing() } else { None };
        if self.fills.len() >= MAX_FILLS {
            self.fills.pop_front();
        }
        self.all_fills += 1;
        self.fills.push_back(OwnFill {
            sequence,
            time,
            order: at as u64 + 1,
            buy,
            price: fill.price,
            quantity: fill.quantity,
            remaining: party.remaining,
            maker,
            queue,
        });
        true
    }
}

fn place(order: OrderId) -> Option<usize> {
    order.0.checked_sub(FIRST_ORDER + 1).map(|at| at as usize)
}

/// Whether a command is one of the user's own.
pub fn is_own(command: &Command) -> bool {
    match command {
        Command::Add(new) => new.user == USER && new.order.0 > FIRST_ORDER,
        Command::Cancel { user, .. } => *user == USER,
        Command::Replace(replace) => replace.user == USER,
        Command::MassCancel(mass) => mass.user == Some(USER),
        Command::SetPhase(_) | Command::Define(_) | Command::Tick => false,
    }
}

/// The queue that an order has just joined; none if it is gone again.
fn join(order: OrderId, price: Price, book: &OrderBook) -> Option<Queue> {
    let resting = book.get(order)?;
    let Some(Whereabouts::Resting { .. }) = book.locate(order) else { return None };
    let level = book.queue(resting.side).skip_while(|other| other.price != resting.price);
    let ahead: BTreeMap<OrderId, Quantity> = level
        .take_while(|other| other.price == resting.price && other.order != order)
        .map(|other| (other.order, other.open))
        .collect();
    let (quantity, orders) = (ahead.values().sum(), ahead.len() as u32);
    let standing = Standing {
        joined_quantity: quantity,
        joined_orders: orders,
        ahead_quantity: quantity,
        ahead_orders: orders,
        ..Standing::default()
    };
    Some(Queue { price, ahead, standing })
}
