//! The naive book: maps and queues, plain enough to be believed.

use crate::flow::{Action, Add, Answer, Kind, OrderNumber, Side, Tally};
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Copy, Debug)]
pub struct Resting {
    pub book: u32,
    pub side: Side,
    pub price: u32,
    pub open: u32,
}

type Levels = BTreeMap<u32, VecDeque<OrderNumber>>;

#[derive(Clone, Debug, Default)]
struct Sides {
    bids: Levels,
    asks: Levels,
}

impl Sides {
    fn of(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

/// The orders that rest, to be picked from at random.
#[derive(Clone, Debug, Default)]
pub struct Live {
    orders: Vec<OrderNumber>,
    /// By order: where it is in `orders`.
    places: Vec<usize>,
}

impl Live {
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    pub fn at(&self, place: usize) -> OrderNumber {
        self.orders[place]
    }

    fn put(&mut self, order: OrderNumber) {
        let place = order as usize;
        if self.places.len() <= place {
            self.places.resize(place + 1, usize::MAX);
        }
        self.places[place] = self.orders.len();
        self.orders.push(order);
    }

    fn remove(&mut self, order: OrderNumber) {
        let place = self.places[order as usize];
        self.orders.swap_remove(place);
        if let Some(&moved) = self.orders.get(place) {
            self.places[moved as usize] = place;
        }
    }
}

/// All books of a flow.
#[derive(Debug)]
pub struct Venue {
    books: Vec<Sides>,
    /// By order number.
    orders: Vec<Option<Resting>>,
    live: Live,
    pub tally: Tally,
}

impl Venue {
    pub fn new(books: u32) -> Venue {
        Venue {
            books: vec![Sides::default(); books as usize],
            orders: Vec::new(),
            live: Live::default(),
            tally: Tally::default(),
        }
    }

    pub fn books(&self) -> u32 {
        self.books.len() as u32
    }

    pub fn live(&self) -> &Live {
        &self.live
    }

    pub fn resting(&self, order: OrderNumber) -> Option<Resting> {
        self.orders.get(order as usize).copied().flatten()
    }

    /// The orders of the best levels of a side, the first to be filled first.
    pub fn front(&self, book: u32, side: Side, levels: usize) -> Vec<OrderNumber> {
        let sides = &self.books[book as usize];
        match side {
            Side::Buy => sides.bids.values().rev().take(levels).flatten().copied().collect(),
            Side::Sell => sides.asks.values().take(levels).flatten().copied().collect(),
        }
    }

    pub fn apply(&mut self, book: u32, action: Action) -> Answer {
        match action {
            Action::Add(add) => self.add(book, add),
            Action::Cancel { order } => {
                Answer { target: self.remove(order).map(|was| was.side), ..Answer::default() }
            }
            Action::Replace { order, price, quantity } => {
                let Some(was) = self.remove(order) else { return Answer::default() };
                debug_assert_ne!(was.price, price, "a replace changes the price");
                let add = Add { order, side: was.side, kind: Kind::Gtc, price, quantity };
                Answer { target: Some(was.side), ..self.add(book, add) }
            }
        }
    }

    fn add(&mut self, book: u32, add: Add) -> Answer {
        let limit = match (add.kind, add.side) {
            (Kind::Market, Side::Buy) => u32::MAX,
            (Kind::Market, Side::Sell) => 0,
            _ => add.price,
        };
        if add.kind == Kind::Fok && !self.holds(book, add.side, limit, add.quantity) {
            return Answer::default();
        }
        let open = self.take(book, add.side, limit, add.quantity);
        let rests = open > 0 && add.kind == Kind::Gtc;
        if rests {
            let place = add.order as usize;
            if self.orders.len() <= place {
                self.orders.resize(place + 1, None);
            }
            self.orders[place] = Some(Resting { book, side: add.side, price: add.price, open });
            self.books[book as usize].of(add.side).entry(add.price).or_default().push_back(add.order);
            self.live.put(add.order);
        }
        Answer { filled: add.quantity - open, rests, target: None }
    }

    fn best(&self, book: u32, taker: Side) -> Option<(u32, OrderNumber)> {
        let sides = &self.books[book as usize];
        let (&price, queue) = match taker {
            Side::Buy => sides.asks.first_key_value(),
            Side::Sell => sides.bids.last_key_value(),
        }?;
        Some((price, *queue.front()?))
    }

    fn holds(&self, book: u32, taker: Side, limit: u32, quantity: u32) -> bool {
        let sides = &self.books[book as usize];
        let levels: Box<dyn Iterator<Item = _>> = match taker {
            Side::Buy => Box::new(sides.asks.range(..=limit)),
            Side::Sell => Box::new(sides.bids.range(limit..).rev()),
        };
        let open = |order: &OrderNumber| self.resting(*order).map_or(0, |resting| u64::from(resting.open));
        let mut sum = 0;
        levels.into_iter().any(|(_, queue)| {
            sum += queue.iter().map(open).sum::<u64>();
            sum >= u64::from(quantity)
        })
    }

    /// Fills as far as the limit goes; answers what is still open.
    fn take(&mut self, book: u32, taker: Side, limit: u32, quantity: u32) -> u32 {
        let mut open = quantity;
        while open > 0
            && let Some((price, maker)) = self.best(book, taker)
            && if taker == Side::Buy { price <= limit } else { price >= limit }
            && let Some(resting) = &mut self.orders[maker as usize]
        {
            let filled = open.min(resting.open);
            open -= filled;
            resting.open -= filled;
            self.tally.fills += 1;
            self.tally.quantity += u64::from(filled);
            if resting.open == 0 {
                self.remove(maker);
            }
        }
        open
    }

    fn remove(&mut self, order: OrderNumber) -> Option<Resting> {
        let was = self.orders.get_mut(order as usize)?.take()?;
        self.live.remove(order);
        let levels = self.books[was.book as usize].of(was.side);
        if let Some(queue) = levels.get_mut(&was.price) {
            if let Some(place) = queue.iter().position(|&other| other == order) {
                queue.remove(place);
            }
            if queue.is_empty() {
                levels.remove(&was.price);
            }
        }
        Some(was)
    }
}
