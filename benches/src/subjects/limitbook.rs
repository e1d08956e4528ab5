//! limitbook 0.1: decimal prices and quantities, B-trees of queues; a cancel searches its level.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use limitbook::{Fill, OrderBook, OrderSide};
use rust_decimal::Decimal;

#[derive(Debug)]
pub struct Limitbook;

#[derive(Debug)]
pub enum Command {
    Limit {
        side: OrderSide,
        price: Decimal,
        quantity: Decimal,
    },
    /// Whether something is left to be cancelled is known beforehand.
    LimitThenCancel {
        side: OrderSide,
        price: Decimal,
        quantity: Decimal,
    },
    Market {
        side: OrderSide,
        quantity: Decimal,
    },
    Cancel(u64),
    CancelThenLimit {
        order: u64,
        side: OrderSide,
        price: Decimal,
        quantity: Decimal,
    },
    Nothing,
}

#[allow(missing_debug_implementations)]
pub struct Outcome {
    given: Option<u64>,
    fills: Vec<Fill>,
}

/// What limitbook calls an order; the default names none.
#[derive(Clone, Copy, Debug)]
pub struct Id(u64);

impl Default for Id {
    fn default() -> Id {
        Id(u64::MAX)
    }
}

impl Subject for Limitbook {
    const NAME: &'static str = "limitbook 0.1.0";
    type Book = OrderBook;
    type Command = Command;
    type Id = Id;
    type Outcome<'a> = Outcome;

    fn lacks(row: Row) -> &'static str {
        match row {
            Row::W1 => "no accounts, no depth; decimals",
            _ => {
                "no accounts, no depth; decimals; replace = cancel + add, IOC = add + cancel, FOK decided \
                 beforehand, market orders only for what is there; numbers orders itself"
            }
        }
    }

    fn book(_flow: &Flow) -> OrderBook {
        OrderBook::new(Decimal::ONE).unwrap_or_else(|error| panic!("a tick of one is sound: {error}"))
    }

    fn command(step: &Step, target: Id, _number: u64) -> Command {
        let side = |side| if side == Side::Buy { OrderSide::Buy } else { OrderSide::Sell };
        match step.action {
            Action::Add(add) => {
                let (side, price, quantity) = (side(add.side), add.price.into(), add.quantity.into());
                match add.kind {
                    Kind::Gtc => Command::Limit { side, price, quantity },
                    Kind::Ioc | Kind::Fok if step.answer.filled == add.quantity => {
                        Command::Limit { side, price, quantity }
                    }
                    Kind::Ioc => Command::LimitThenCancel { side, price, quantity },
                    Kind::Fok => Command::Nothing,
                    Kind::Market => Command::Market { side, quantity: step.answer.filled.into() },
                }
            }
            Action::Cancel { .. } => Command::Cancel(target.0),
            Action::Replace { price, quantity, .. } => match step.answer.target {
                Some(of) => Command::CancelThenLimit {
                    order: target.0,
                    side: side(of),
                    price: price.into(),
                    quantity: quantity.into(),
                },
                None => Command::Cancel(target.0),
            },
        }
    }

    fn apply(book: &mut OrderBook, command: &Command) -> Outcome {
        let mut limit = |side, price, quantity, cancel: Option<u64>, keep: bool| {
            if let Some(order) = cancel {
                let _ = book.cancel_limit_order(order);
            }
            match book.add_limit_order(side, price, quantity) {
                Ok((order, fills)) => {
                    if !keep {
                        let _ = book.cancel_limit_order(order);
                    }
                    Outcome { given: Some(order), fills }
                }
                Err(_) => Outcome { given: None, fills: Vec::new() },
            }
        };
        match *command {
            Command::Limit { side, price, quantity } => limit(side, price, quantity, None, true),
            Command::LimitThenCancel { side, price, quantity } => limit(side, price, quantity, None, false),
            Command::CancelThenLimit { order, side, price, quantity } => {
                limit(side, price, quantity, Some(order), true)
            }
            Command::Market { side, quantity } => {
                Outcome { given: None, fills: book.execute_market_order(side, quantity).unwrap_or_default() }
            }
            Command::Cancel(order) => {
                let _ = book.cancel_limit_order(order);
                Outcome { given: None, fills: Vec::new() }
            }
            Command::Nothing => Outcome { given: None, fills: Vec::new() },
        }
    }

    fn seen(outcome: &Outcome) -> Seen<Id> {
        let quantity: Decimal = outcome.fills.iter().map(|fill| fill.quantity).sum();
        Seen {
            fills: outcome.fills.len() as u64,
            quantity: quantity.try_into().unwrap_or(0),
            given: outcome.given.map(Id),
        }
    }
}
