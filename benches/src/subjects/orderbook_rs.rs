//! orderbook-rs 0.15: skip lists of concurrent levels, made for many threads; here one uses it. Its clock is its own
//! counting one, which reads no time.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use orderbook_rs::{Id, OrderBook, StubClock, TimeInForce, TradeListener};
use pricelevel::{OrderUpdate, Price, Quantity};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug)]
pub struct OrderbookRs;

#[derive(Debug, Default)]
pub struct Heard {
    fills: AtomicU64,
    quantity: AtomicU64,
}

impl Heard {
    /// One thread writes, so that loads and stores will do.
    fn add(&self, fills: u64, quantity: u64) {
        self.fills.store(self.fills.load(Relaxed) + fills, Relaxed);
        self.quantity.store(self.quantity.load(Relaxed) + quantity, Relaxed);
    }
}

#[allow(missing_debug_implementations)]
pub struct Book {
    book: OrderBook<()>,
    heard: Arc<Heard>,
}

#[derive(Debug)]
pub enum Command {
    Limit { order: Id, side: orderbook_rs::Side, price: u128, quantity: u64, time_in_force: TimeInForce },
    Market { order: Id, side: orderbook_rs::Side, quantity: u64 },
    Cancel(Id),
    Replace { order: Id, price: Price, quantity: Quantity },
}

#[allow(missing_debug_implementations)]
pub struct Outcome<'a>(&'a Heard);

impl Subject for OrderbookRs {
    const NAME: &'static str = "orderbook-rs 0.15.3";
    type Book = Book;
    type Command = Command;
    type Id = ();
    type Outcome<'a> = Outcome<'a>;

    fn lacks(_row: Row) -> &'static str {
        "thread-safe, which nobody asked of it here; fills by its trade listener, its depth feed left off"
    }

    fn book(_flow: &Flow) -> Book {
        let heard: Arc<Heard> = Arc::default();
        let told = heard.clone();
        let listener: TradeListener = Arc::new(move |result| {
            let trades = result.match_result.trades();
            let quantity = trades.as_vec().iter().map(|trade| trade.quantity().as_u64()).sum();
            told.add(trades.len() as u64, quantity);
            black_box(result);
        });
        let mut book = OrderBook::with_clock("BENCH", Arc::new(StubClock::new()));
        book.set_trade_listener(listener);
        Book { book, heard }
    }

    fn command(step: &Step, (): (), _number: u64) -> Command {
        let named = |order: u32| Id::from_u64(order.into());
        match step.action {
            Action::Add(add) => {
                let side =
                    if add.side == Side::Buy { orderbook_rs::Side::Buy } else { orderbook_rs::Side::Sell };
                let (order, quantity) = (named(add.order), add.quantity.into());
                let time_in_force = match add.kind {
                    Kind::Gtc => TimeInForce::Gtc,
                    Kind::Ioc => TimeInForce::Ioc,
                    Kind::Fok => TimeInForce::Fok,
                    Kind::Market => return Command::Market { order, side, quantity },
                };
                Command::Limit { order, side, price: add.price.into(), quantity, time_in_force }
            }
            Action::Cancel { order } => Command::Cancel(named(order)),
            Action::Replace { order, price, quantity } => Command::Replace {
                order: named(order),
                price: Price::new(price.into()),
                quantity: Quantity::new(quantity.into()),
            },
        }
    }

    fn apply<'a>(book: &'a mut Book, command: &Command) -> Outcome<'a> {
        // What it answers is looked at and thrown away; the fills come by the listener.
        match *command {
            Command::Limit { order, side, price, quantity, time_in_force } => {
                let _ =
                    black_box(book.book.add_limit_order(order, price, quantity, side, time_in_force, None));
            }
            Command::Market { order, side, quantity } => {
                let _ = black_box(book.book.submit_market_order(order, quantity, side));
            }
            Command::Cancel(order) => {
                let _ = black_box(book.book.cancel_order(order));
            }
            Command::Replace { order, price, quantity } => {
                let update = OrderUpdate::UpdatePriceAndQuantity {
                    order_id: order,
                    new_price: price,
                    new_quantity: quantity,
                };
                let _ = black_box(book.book.update_order(update));
            }
        }
        Outcome(&book.heard)
    }

    fn seen(outcome: &Outcome<'_>) -> Seen<()> {
        let heard = outcome.0;
        Seen { fills: heard.fills.swap(0, Relaxed), quantity: heard.quantity.swap(0, Relaxed), given: None }
    }
}
