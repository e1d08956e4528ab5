//! rust_ob 2.5: decimals, a B-tree of shared orders a side.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use rust_ob::{Decimal, OrderBook, OrderMatch};

#[derive(Debug)]
pub struct RustOb;

#[derive(Clone, Copy, Debug)]
pub struct Limit {
    order: u32,
    side: rust_ob::Side,
    price: Decimal,
    quantity: Decimal,
}

#[derive(Debug)]
pub enum Command {
    Limit(Limit),
    LimitThenCancel(Limit),
    CancelThenLimit(Limit),
    Market(Limit),
    Cancel(u32),
    Nothing,
}

type Matches = Vec<OrderMatch<u32>>;

impl Subject for RustOb {
    const NAME: &'static str = "rust_ob 2.5.3";
    type Book = OrderBook<u32>;
    type Command = Command;
    type Id = ();
    type Outcome<'a> = Matches;

    fn lacks(row: Row) -> &'static str {
        match row {
            Row::W1 => "no accounts, no depth; decimals",
            _ => {
                "no accounts, no depth; decimals; replace = cancel + add, IOC = add + cancel, FOK decided \
                 beforehand"
            }
        }
    }

    fn book(_flow: &Flow) -> OrderBook<u32> {
        OrderBook::new()
    }

    fn command(step: &Step, (): (), _number: u64) -> Command {
        let limit = |order, side, price: u32, quantity: u32| Limit {
            order,
            side: if side == Side::Buy { rust_ob::Side::Buy } else { rust_ob::Side::Sell },
            price: price.into(),
            quantity: quantity.into(),
        };
        match step.action {
            Action::Add(add) => {
                let order = limit(add.order, add.side, add.price, add.quantity);
                match add.kind {
                    Kind::Gtc => Command::Limit(order),
                    Kind::Ioc | Kind::Fok if step.answer.filled == add.quantity => Command::Limit(order),
                    Kind::Ioc => Command::LimitThenCancel(order),
                    Kind::Fok => Command::Nothing,
                    Kind::Market => Command::Market(order),
                }
            }
            Action::Cancel { order } => Command::Cancel(order),
            Action::Replace { order, price, quantity } => match step.answer.target {
                Some(side) => Command::CancelThenLimit(limit(order, side, price, quantity)),
                None => Command::Cancel(order),
            },
        }
    }

    fn apply(book: &mut OrderBook<u32>, command: &Command) -> Matches {
        let add = |book: &mut OrderBook<u32>, one: Limit| {
            book.process_limit_order(one.order, one.side, one.price, one.quantity).unwrap_or_default()
        };
        match *command {
            Command::Limit(one) => add(book, one),
            Command::LimitThenCancel(one) => {
                let matches = add(book, one);
                let _ = book.cancel_order(one.order);
                matches
            }
            Command::CancelThenLimit(one) => {
                let _ = book.cancel_order(one.order);
                add(book, one)
            }
            Command::Market(one) => {
                book.process_market_order(one.order, one.side, one.quantity).unwrap_or_default()
            }
            Command::Cancel(order) => {
                let _ = book.cancel_order(order);
                Vec::new()
            }
            Command::Nothing => Vec::new(),
        }
    }

    fn seen(matches: &Matches) -> Seen<()> {
        // The last is the taker's own.
        let Some((taker, makers)) = matches.split_last() else { return Seen::default() };
        Seen { fills: makers.len() as u64, quantity: taker.quantity.try_into().unwrap_or(0), given: None }
    }
}
