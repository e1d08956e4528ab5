//! lobster 0.7: B-trees of vectors of arena places; a cancel searches its level.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use lobster::{OrderBook, OrderEvent, OrderType};

#[derive(Debug)]
pub struct Lobster;

#[derive(Debug)]
pub enum Command {
    One(OrderType),
    Two(OrderType, OrderType),
    Nothing,
}

impl Subject for Lobster {
    const NAME: &'static str = "lobster 0.7.0";
    type Book = OrderBook;
    type Command = Command;
    type Id = ();
    type Outcome<'a> = (Option<OrderEvent>, Option<OrderEvent>);

    fn lacks(row: Row) -> &'static str {
        match row {
            Row::W1 | Row::W5 => "no accounts, no depth feed",
            _ => {
                "no accounts, no depth feed; replace = cancel + add, IOC = add + cancel, FOK decided beforehand; \
                 cancels are not checked"
            }
        }
    }

    fn book(flow: &Flow) -> OrderBook {
        // Its arena is made at once; ten places more are made for each of many books.
        let places = if flow.books == 1 { flow.most_resting as usize } else { 16 };
        OrderBook::new(places, 10, false)
    }

    fn command(step: &Step, (): (), _number: u64) -> Command {
        let side = |side| if side == Side::Buy { lobster::Side::Bid } else { lobster::Side::Ask };
        let limit = |order: u32, of, price: u32, quantity: u32| OrderType::Limit {
            id: order.into(),
            side: side(of),
            qty: quantity.into(),
            price: price.into(),
        };
        match step.action {
            Action::Add(add) => {
                let order = limit(add.order, add.side, add.price, add.quantity);
                match add.kind {
                    Kind::Gtc => Command::One(order),
                    Kind::Market => Command::One(OrderType::Market {
                        id: add.order.into(),
                        side: side(add.side),
                        qty: add.quantity.into(),
                    }),
                    Kind::Ioc if step.answer.filled < add.quantity => {
                        Command::Two(order, OrderType::Cancel { id: add.order.into() })
                    }
                    Kind::Fok if step.answer.filled == 0 => Command::Nothing,
                    Kind::Ioc | Kind::Fok => Command::One(order),
                }
            }
            Action::Cancel { order } => Command::One(OrderType::Cancel { id: order.into() }),
            Action::Replace { order, price, quantity } => {
                let cancel = OrderType::Cancel { id: order.into() };
                match step.answer.target {
                    Some(side) => Command::Two(cancel, limit(order, side, price, quantity)),
                    None => Command::One(cancel),
                }
            }
        }
    }

    fn apply<'a>(book: &'a mut OrderBook, command: &Command) -> Self::Outcome<'a> {
        match *command {
            Command::One(order) => (Some(book.execute(order)), None),
            Command::Two(first, second) => (Some(book.execute(first)), Some(book.execute(second))),
            Command::Nothing => (None, None),
        }
    }

    fn seen(outcome: &Self::Outcome<'_>) -> Seen<()> {
        let mut seen = Seen::default();
        for event in [&outcome.0, &outcome.1].into_iter().flatten() {
            if let OrderEvent::Filled { fills, filled_qty, .. }
            | OrderEvent::PartiallyFilled { fills, filled_qty, .. } = event
            {
                seen.fills += fills.len() as u64;
                seen.quantity += filled_qty;
            }
        }
        seen
    }
}
