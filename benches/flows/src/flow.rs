//! What the subjects are asked, in nobody's own words.

use crate::reference::Venue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A limit order that rests.
    Gtc,
    Ioc,
    Fok,
    /// Takes any price; what finds nobody is cancelled. Its price is 0.
    Market,
}

/// Orders are numbered from 1 on over all books of a flow.
pub type OrderNumber = u32;

#[derive(Clone, Copy, Debug)]
pub struct Add {
    pub order: OrderNumber,
    pub side: Side,
    pub kind: Kind,
    pub price: u32,
    pub quantity: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Add(Add),
    Cancel {
        order: OrderNumber,
    },
    /// A new price, always another than the old one, and a new open quantity.
    Replace {
        order: OrderNumber,
        price: u32,
        quantity: u32,
    },
}

/// What the naive book made of an action. A subject that lacks something is told by it what to do instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer {
    pub filled: u32,
    /// Whether something of the order is left in the book afterwards.
    pub rests: bool,
    /// The side of the resting order that is cancelled or replaced; none where it is gone.
    pub target: Option<Side>,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub book: u32,
    pub action: Action,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub fills: u64,
    pub quantity: u64,
}

#[derive(Clone, Debug)]
pub struct Flow {
    pub books: u32,
    /// The most orders that rest at a time, over all books.
    pub most_resting: u32,
    /// Numbers given to orders.
    pub orders: u32,
    /// Builds the books, untimed.
    pub preload: Vec<Step>,
    pub steps: Vec<Step>,
    /// What the naive book makes of `steps`.
    pub expected: Tally,
}

/// Puts a flow together, with the naive book beside it.
#[derive(Debug)]
pub struct Builder {
    pub venue: Venue,
    orders: OrderNumber,
    most_resting: usize,
    preload: Vec<Step>,
    steps: Vec<Step>,
}

impl Builder {
    pub fn new(books: u32) -> Builder {
        Builder {
            venue: Venue::new(books),
            orders: 0,
            most_resting: 0,
            preload: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub fn add(&mut self, book: u32, side: Side, kind: Kind, price: u32, quantity: u32) -> OrderNumber {
        self.orders += 1;
        self.push(book, Action::Add(Add { order: self.orders, side, kind, price, quantity }));
        self.orders
    }

    pub fn cancel(&mut self, book: u32, order: OrderNumber) {
        self.push(book, Action::Cancel { order });
    }

    pub fn replace(&mut self, book: u32, order: OrderNumber, price: u32, quantity: u32) {
        self.push(book, Action::Replace { order, price, quantity });
    }

    fn push(&mut self, book: u32, action: Action) {
        let answer = self.venue.apply(book, action);
        self.most_resting = self.most_resting.max(self.venue.live().len());
        self.steps.push(Step { book, action, answer });
    }

    /// Steps since the start, or since [`Builder::preloaded`].
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What has come so far builds the books; what comes now is measured.
    pub fn preloaded(&mut self) {
        self.preload = std::mem::take(&mut self.steps);
        self.venue.tally = Tally::default();
    }

    pub fn finish(self) -> Flow {
        Flow {
            books: self.venue.books(),
            most_resting: self.most_resting as u32,
            orders: self.orders,
            preload: self.preload,
            steps: self.steps,
            expected: self.venue.tally,
        }
    }
}
