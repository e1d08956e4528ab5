//! The order book as the page shows it: ten levels a side with running sums.

use super::message::Depth;

/// Levels a side, best first.
pub const LEVELS: usize = 10;

/// One row of the ladder. An empty row has no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level {
    pub price: u64,
    pub quantity: u64,
    /// Of this level and all better ones.
    pub cumulative: u64,
    /// `quantity` in thousandths of the largest quantity shown: the length of the bar.
    pub share: u16,
}

impl Level {
    pub const fn is_empty(&self) -> bool {
        self.quantity == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Book {
    /// The symbol's event number that this book stands at.
    sequence: u64,
    pub bids: [Level; LEVELS],
    pub asks: [Level; LEVELS],
}

impl Book {
    /// Takes over a depth message; one from before the last is ignored. Answers whether it was taken.
    pub fn apply(&mut self, depth: &Depth) -> bool {
        if depth.sequence < self.sequence {
            return false;
        }
        let side = |levels: &[(u64, u64)]| levels.iter().take(LEVELS).map(|level| level.1).max().unwrap_or(0);
        let largest = side(&depth.bids).max(side(&depth.asks));
        self.sequence = depth.sequence;
        self.bids = rows(&depth.bids, largest);
        self.asks = rows(&depth.asks, largest);
        true
    }

    pub fn best_bid(&self) -> Option<u64> {
        Some(self.bids[0]).filter(|level| !level.is_empty()).map(|level| level.price)
    }

    pub fn best_ask(&self) -> Option<u64> {
        Some(self.asks[0]).filter(|level| !level.is_empty()).map(|level| level.price)
    }

    pub fn spread(&self) -> Option<u64> {
        self.best_ask()?.checked_sub(self.best_bid()?)
    }
}

fn rows(levels: &[(u64, u64)], largest: u64) -> [Level; LEVELS] {
    let mut rows = [Level::default(); LEVELS];
    let mut cumulative: u64 = 0;
    for (row, (price, quantity)) in rows.iter_mut().zip(levels) {
        cumulative = cumulative.saturating_add(*quantity);
        let share = u128::from(*quantity) * 1000 / u128::from(largest.max(1));
        *row = Level { price: *price, quantity: *quantity, cumulative, share: share as u16 };
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(sequence: u64, bids: &[(u64, u64)], asks: &[(u64, u64)]) -> Depth {
        Depth { symbol: "TEST".into(), time: 0, sequence, bids: bids.to_vec(), asks: asks.to_vec() }
    }

    #[test]
    fn sums_run_from_the_best_level() {
        let mut book = Book::default();
        assert!(book.apply(&depth(5, &[(150, 30), (149, 20)], &[(151, 40)])));
        assert_eq!(book.bids[1], Level { price: 149, quantity: 20, cumulative: 50, share: 500 });
        assert_eq!(book.asks[0].share, 1000);
        assert!(book.asks[1].is_empty());
        assert_eq!(book.spread(), Some(1));
    }

    #[test]
    fn an_older_book_is_ignored() {
        let mut book = Book::default();
        book.apply(&depth(5, &[(150, 30)], &[]));
        assert!(!book.apply(&depth(4, &[(140, 1)], &[])));
        assert_eq!(book.best_bid(), Some(150));
        assert!(
            book.apply(&depth(5, &[(150, 30)], &[])),
            "the same number may come again after a subscription"
        );
        assert_eq!(book.spread(), None);
    }
}
