//! nanobook 0.19 without its event log: sorted levels of queues, and every order ever, kept in a map.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use nanobook::{Exchange, ModifyResult, OrderId, Price, SubmitResult, TimeInForce};
use std::hint::black_box;

#[derive(Debug)]
pub struct Nanobook;

#[derive(Debug)]
pub enum Command {
    Limit { side: nanobook::Side, price: Price, quantity: u64, time_in_force: TimeInForce },
    Market { side: nanobook::Side, quantity: u64 },
    Cancel(OrderId),
    Modify { order: OrderId, price: Price, quantity: u64 },
}

#[derive(Debug)]
pub enum Outcome {
    Submit(SubmitResult),
    Cancel,
    Modify(ModifyResult),
}

/// What nanobook calls an order; the default names none.
#[derive(Clone, Copy, Debug)]
pub struct Id(OrderId);

impl Default for Id {
    fn default() -> Id {
        Id(OrderId(u64::MAX))
    }
}

impl Subject for Nanobook {
    const NAME: &'static str = "nanobook 0.19.3";
    type Book = Exchange;
    type Command = Command;
    type Id = Id;
    type Outcome<'a> = Outcome;

    fn lacks(_row: Row) -> &'static str {
        "no accounts, no depth feed; numbers orders itself, keeps all orders and trades in memory"
    }

    fn book(_flow: &Flow) -> Exchange {
        Exchange::new()
    }

    fn command(step: &Step, target: Id, _number: u64) -> Command {
        let side = |side| if side == Side::Buy { nanobook::Side::Buy } else { nanobook::Side::Sell };
        match step.action {
            Action::Add(add) => {
                let (side, price, quantity) = (side(add.side), Price(add.price.into()), add.quantity.into());
                let time_in_force = match add.kind {
                    Kind::Gtc => TimeInForce::GTC,
                    Kind::Ioc => TimeInForce::IOC,
                    Kind::Fok => TimeInForce::FOK,
                    Kind::Market => return Command::Market { side, quantity },
                };
                Command::Limit { side, price, quantity, time_in_force }
            }
            Action::Cancel { .. } => Command::Cancel(target.0),
            Action::Replace { price, quantity, .. } => {
                Command::Modify { order: target.0, price: Price(price.into()), quantity: quantity.into() }
            }
        }
    }

    fn apply(book: &mut Exchange, command: &Command) -> Outcome {
        match *command {
            Command::Limit { side, price, quantity, time_in_force } => {
                Outcome::Submit(book.submit_limit(side, price, quantity, time_in_force))
            }
            Command::Market { side, quantity } => Outcome::Submit(book.submit_market(side, quantity)),
            Command::Cancel(order) => {
                black_box(book.cancel(order));
                Outcome::Cancel
            }
            Command::Modify { order, price, quantity } => {
                Outcome::Modify(book.modify(order, price, quantity))
            }
        }
    }

    fn seen(outcome: &Outcome) -> Seen<Id> {
        let (trades, given) = match outcome {
            Outcome::Submit(result) => (result.trades.as_slice(), Some(result.order_id)),
            Outcome::Modify(result) => (result.trades.as_slice(), result.new_order_id),
            Outcome::Cancel => (&[][..], None),
        };
        Seen {
            fills: trades.len() as u64,
            quantity: trades.iter().map(|trade| trade.quantity).sum(),
            given: given.map(Id),
        }
    }
}
