//! The core as a subject. Nothing else of the benches knows its types.

use crate::flow::{Action, Flow, Kind, Side, Step};
use crate::rows::{Row, Size};
use crate::subject::{Seen, Subject};
use engine_core::command::{Command, NewOrder, Replace};
use engine_core::event::Event;
use engine_core::feed::DepthReport;
use engine_core::market::Market;
use engine_core::types::{OrderId, OrderType, TimeInForce, UserId};
use std::hint::black_box;

/// The first millisecond of a flow; each command comes one later.
const START: u64 = 1_765_894_800_000;
/// Orders belong to so many accounts in turn.
const USERS: u32 = 1_000;

/// A market, and where it tells what happened.
#[derive(Clone, Debug)]
pub struct Desk {
    market: Market,
    told: DepthReport,
    time: u64,
}

#[derive(Debug)]
pub struct Ours;

impl Subject for Ours {
    const NAME: &'static str = "engine-core";
    type Book = Desk;
    type Command = Command;
    type Id = ();
    type Outcome<'a> = &'a DepthReport;

    fn lacks(_row: Row) -> &'static str {
        "every command answered by events, every change of a level told"
    }

    fn book(flow: &Flow) -> Desk {
        let mut told = DepthReport::default();
        let mut market = Market::default();
        // As a host does that knows how large its books become; of many small books nobody knows.
        if flow.books == 1 {
            market.reserve(flow.most_resting as usize);
            told.events.reserve(4096);
            told.depth.reserve(4096);
        }
        Desk { market, told, time: START }
    }

    fn command(step: &Step, (): (), _number: u64) -> Command {
        let named = |order: u32| (OrderId(order.into()), UserId((order % USERS).into()));
        match step.action {
            Action::Add(add) => {
                let (order, user) = named(add.order);
                let side = match add.side {
                    Side::Buy => engine_core::types::Side::Buy,
                    Side::Sell => engine_core::types::Side::Sell,
                };
                Command::Add(NewOrder {
                    order_type: if add.kind == Kind::Market { OrderType::Market } else { OrderType::Limit },
                    time_in_force: match add.kind {
                        Kind::Gtc => TimeInForce::Gtc,
                        Kind::Ioc | Kind::Market => TimeInForce::Ioc,
                        Kind::Fok => TimeInForce::Fok,
                    },
                    ..NewOrder::limit(order, user, side, add.price.into(), add.quantity.into())
                })
            }
            Action::Cancel { order } => {
                let (order, user) = named(order);
                Command::Cancel { order, user }
            }
            Action::Replace { order, price, quantity } => {
                let (order, user) = named(order);
                Command::Replace(Replace {
                    order,
                    user,
                    price: price.into(),
                    quantity: quantity.into(),
                    stop: None,
                    expected: None,
                })
            }
        }
    }

    #[inline]
    fn look_ahead(desk: &Desk, commands: &[Command]) {
        desk.market.look_ahead(commands);
    }

    #[inline]
    fn apply<'a>(desk: &'a mut Desk, command: &Command) -> &'a DepthReport {
        desk.told.clear();
        desk.time += 1;
        desk.market.apply(desk.time, command, &mut desk.told);
        &desk.told
    }

    fn seen(told: &&DepthReport) -> Seen<()> {
        let mut seen = Seen::default();
        for event in &told.events {
            if let Event::Filled(fill) = event {
                seen.fills += 1;
                seen.quantity += fill.quantity;
            }
        }
        seen
    }
}

/// A row of one book, ready to be run as often as one likes: what is compared natively and in WebAssembly.
#[derive(Debug)]
pub struct Prepared {
    desk: Desk,
    commands: Vec<Command>,
}

impl Prepared {
    pub fn new(row: Row, size: Size) -> Prepared {
        Prepared::of(&row.flow(size))
    }

    /// # Panics
    /// If the flow has more than one book.
    pub fn of(flow: &Flow) -> Prepared {
        assert_eq!(flow.books, 1, "a row of one book");
        let mut desk = Ours::book(flow);
        for step in &flow.preload {
            Ours::apply(&mut desk, &Ours::command(step, (), 0));
        }
        Prepared { desk, commands: flow.steps.iter().map(|step| Ours::command(step, (), 0)).collect() }
    }

    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// Runs all on a copy of the book; answers the fills.
    pub fn run(&self) -> u64 {
        let mut desk = self.desk.clone();
        let mut fills = 0;
        for command in &self.commands {
            let told = Ours::apply(&mut desk, black_box(command));
            fills += told.events.iter().filter(|event| matches!(event, Event::Filled(_))).count() as u64;
        }
        fills
    }

    /// The first commands.
    pub fn warm_up(&self, desk: &mut Desk, to: usize) {
        for command in &self.commands[..to] {
            Ours::apply(desk, command);
        }
    }

    /// Commands `from` to `to`, and nothing else: what an instruction counter looks at.
    #[inline(never)]
    pub fn measured_w2(&self, desk: &mut Desk, from: usize, to: usize) {
        for command in &self.commands[from..to] {
            black_box(Ours::apply(desk, black_box(command)));
        }
    }

    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }
}
