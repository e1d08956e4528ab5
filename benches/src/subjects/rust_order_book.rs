//! rust-order-book 0.0.2: B-trees of queues of numbers, orders in a map; a cancel searches its level.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use rust_order_book::{
    ExecutionReport, LimitOrderOptions, MarketOrderOptions, OrderBook, OrderBookOptions, OrderId, OrderType,
    Price, Quantity, TimeInForce,
};

#[derive(Debug)]
pub struct RustOrderBook;

#[derive(Debug)]
pub enum Command {
    Limit(LimitOrderOptions),
    Market(MarketOrderOptions),
    Cancel(OrderId),
    Modify(OrderId, Price, Quantity),
}

/// What rust-order-book calls an order; the default names none.
#[derive(Clone, Copy, Debug)]
pub struct Id(OrderId);

impl Default for Id {
    fn default() -> Id {
        Id(OrderId(u64::MAX))
    }
}

#[allow(missing_debug_implementations)]
pub struct Outcome {
    report: Option<ExecutionReport>,
    cancelled: bool,
}

impl Subject for RustOrderBook {
    const NAME: &'static str = "rust-order-book 0.0.2";
    type Book = OrderBook;
    type Command = Command;
    type Id = Id;
    type Outcome<'a> = Outcome;

    fn cannot(row: Row) -> Option<&'static str> {
        (row == Row::W4).then_some("each book makes room for 100,000 orders at once")
    }

    fn lacks(_row: Row) -> &'static str {
        "no accounts, no depth feed; makes fills and throws them away: its count of fills is of commands that \
         traded; numbers orders itself"
    }

    fn book(_flow: &Flow) -> OrderBook {
        OrderBook::new("BENCH", OrderBookOptions::default())
    }

    fn command(step: &Step, target: Id, _number: u64) -> Command {
        let side =
            |side| if side == Side::Buy { rust_order_book::Side::Buy } else { rust_order_book::Side::Sell };
        match step.action {
            Action::Add(add) => {
                let (side, quantity) = (side(add.side), Quantity(add.quantity.into()));
                let time_in_force = match add.kind {
                    Kind::Gtc => TimeInForce::GTC,
                    Kind::Ioc => TimeInForce::IOC,
                    Kind::Fok => TimeInForce::FOK,
                    Kind::Market => return Command::Market(MarketOrderOptions { side, quantity }),
                };
                Command::Limit(LimitOrderOptions {
                    side,
                    quantity,
                    price: Price(add.price.into()),
                    time_in_force: Some(time_in_force),
                    post_only: None,
                })
            }
            Action::Cancel { .. } => Command::Cancel(target.0),
            Action::Replace { price, quantity, .. } => {
                Command::Modify(target.0, Price(price.into()), Quantity(quantity.into()))
            }
        }
    }

    fn apply(book: &mut OrderBook, command: &Command) -> Outcome {
        let report = match command {
            Command::Limit(options) => book.limit(*options),
            Command::Market(options) => book.market(*options),
            Command::Cancel(order) => {
                return Outcome { report: book.cancel(*order).ok(), cancelled: true };
            }
            Command::Modify(order, price, quantity) => book.modify(*order, Some(*price), Some(*quantity)),
        };
        Outcome { report: report.ok(), cancelled: false }
    }

    fn seen(outcome: &Outcome) -> Seen<Id> {
        let Some(report) = &outcome.report else { return Seen::default() };
        if outcome.cancelled {
            return Seen::default();
        }
        let quantity = report.executed_qty.0;
        let given = (report.order_type == OrderType::Limit).then_some(Id(report.order_id));
        Seen { fills: u64::from(quantity > 0), quantity, given }
    }
}
