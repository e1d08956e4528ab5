//! The order book as the page shows it: rows of a side with running sums, in groups of ticks if the user wants.

use super::message::Depth;

/// Rows a side, best first.
pub const LEVELS: usize = 10;
/// Ticks that one row may stand for.
pub const GROUPS: [u64; 8] = [1, 2, 5, 10, 50, 100, 500, 1000];

/// What has become of a price's quantity since the book before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Changed {
    #[default]
    Nothing,
    More,
    Less,
}

/// One row of the ladder. An empty row has no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level {
    pub price: u64,
    pub quantity: u64,
    /// Of this level and all better ones.
    pub cumulative: u64,
    /// `quantity` in thousandths of the largest quantity shown: the length of the bar.
    pub share: u16,
    pub changed: Changed,
}

impl Level {
    pub const fn is_empty(&self) -> bool {
        self.quantity == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// The symbol's event number that this book stands at.
    sequence: u64,
    /// Levels as they came, best first.
    raw: [Vec<(u64, u64)>; 2],
    group: u64,
    pub bids: [Level; LEVELS],
    pub asks: [Level; LEVELS],
}

impl Default for Book {
    fn default() -> Book {
        Book::new(1)
    }
}

impl Book {
    /// An empty book whose rows stand for so many ticks each.
    pub fn new(group: u64) -> Book {
        Book {
            sequence: 0,
            raw: Default::default(),
            group: group.max(1),
            bids: Default::default(),
            asks: Default::default(),
        }
    }

    /// Takes over a depth message; one from before the last is ignored. Answers whether it was taken.
    pub fn apply(&mut self, depth: &Depth) -> bool {
        if depth.sequence < self.sequence {
            return false;
        }
        let is_first = self.sequence == 0 && self.raw.iter().all(Vec::is_empty);
        self.sequence = depth.sequence;
        self.raw = [depth.bids.clone(), depth.asks.clone()];
        let before = [self.bids, self.asks];
        self.draw();
        if !is_first {
            mark(&mut self.bids, &before[0]);
            mark(&mut self.asks, &before[1]);
        }
        true
    }

    /// Shows the same book in rows of so many ticks.
    pub fn regroup(&mut self, group: u64) {
        self.group = group.max(1);
        self.draw();
    }

    pub fn group(&self) -> u64 {
        self.group
    }

    /// The best prices are those of orders, however the rows are grouped.
    pub fn best_bid(&self) -> Option<u64> {
        self.raw[0].first().map(|level| level.0)
    }

    pub fn best_ask(&self) -> Option<u64> {
        self.raw[1].first().map(|level| level.0)
    }

    pub fn spread(&self) -> Option<u64> {
        self.best_ask()?.checked_sub(self.best_bid()?)
    }

    /// Whether an event that this book has not seen may have changed it: a trade always does.
    pub fn is_behind(&self, sequence: u64) -> bool {
        sequence > self.sequence
    }

    /// No market stands like this for long: a message was lost, or came from two books.
    pub fn is_crossed(&self) -> bool {
        self.best_bid().zip(self.best_ask()).is_some_and(|(bid, ask)| bid >= ask)
    }

    fn draw(&mut self) {
        // Whoever reads "150" must be able to trade at 150: bids are rounded down, asks up.
        let bids = grouped(&self.raw[0], |price| price - price % self.group);
        let asks = grouped(&self.raw[1], |price| price.div_ceil(self.group).saturating_mul(self.group));
        let largest = bids.iter().chain(&asks).map(|level| level.1).max().unwrap_or(0);
        self.bids = rows(&bids, largest);
        self.asks = rows(&asks, largest);
    }
}

fn grouped(levels: &[(u64, u64)], row_of: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
    let mut rows: Vec<(u64, u64)> = Vec::with_capacity(LEVELS);
    for (price, quantity) in levels {
        let price = row_of(*price);
        let count = rows.len();
        match rows.last_mut() {
            Some(row) if row.0 == price => row.1 = row.1.saturating_add(*quantity),
            _ if count == LEVELS => break,
            _ => rows.push((price, *quantity)),
        }
    }
    rows
}

fn rows(levels: &[(u64, u64)], largest: u64) -> [Level; LEVELS] {
    let mut rows = [Level::default(); LEVELS];
    let mut cumulative: u64 = 0;
    for (row, (price, quantity)) in rows.iter_mut().zip(levels) {
        cumulative = cumulative.saturating_add(*quantity);
        let share = u128::from(*quantity) * 1000 / u128::from(largest.max(1));
        let changed = Changed::Nothing;
        *row = Level { price: *price, quantity: *quantity, cumulative, share: share as u16, changed };
    }
    rows
}

/// Marks what has changed against the rows before, by price: a row that has only moved has not changed.
fn mark(rows: &mut [Level], before: &[Level]) {
    for row in rows.iter_mut().filter(|row| !row.is_empty()) {
        let known = before.iter().find(|old| !old.is_empty() && old.price == row.price);
        row.changed = match known.map_or(0, |old| old.quantity) {
            quantity if quantity < row.quantity => Changed::More,
            quantity if quantity > row.quantity => Changed::Less,
            _ => Changed::Nothing,
        };
    }
}

/// The two sides as areas of a picture 1000 wide and 400 high: cumulated quantity over price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthCurve {
    /// SVG paths.
    pub bids: String,
    pub asks: String,
    pub low: u64,
    pub high: u64,
    /// The largest sum.
    pub most: u64,
}

impl DepthCurve {
    /// `None` while nothing rests.
    pub fn of(bids: &[Level], asks: &[Level]) -> Option<DepthCurve> {
        let filled = |levels: &[Level]| -> Vec<(u64, u64)> {
            levels
                .iter()
                .filter(|level| !level.is_empty())
                .map(|level| (level.price, level.cumulative))
                .collect()
        };
        let (bids, asks) = (filled(bids), filled(asks));
        let all = || bids.iter().chain(&asks);
        let low = all().map(|level| level.0).min()?;
        // A single price has a width of its own.
        let high = all().map(|level| level.0).max()?.max(low.saturating_add(1));
        let most = all().map(|level| level.1).max()?.max(1);
        let x = |price: u64| u128::from(price - low) * 1000 / u128::from(high - low);
        let y = |sum: u64| 400 - u128::from(sum) * 400 / u128::from(most);
        let path = |levels: &[(u64, u64)], edge: u128| {
            let Some(first) = levels.first() else { return String::new() };
            let mut path = format!("M{} 400", x(first.0));
            for (price, sum) in levels {
                path.push_str(&format!("H{}V{}", x(*price), y(*sum)));
            }
            path.push_str(&format!("H{edge}V400Z"));
            path
        };
        Some(DepthCurve { bids: path(&bids, 0), asks: path(&asks, 1000), low, high, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn depth(sequence: u64, bids: &[(u64, u64)], asks: &[(u64, u64)]) -> Depth {
        Depth { symbol: "TEST".into(), time: 0, sequence, bids: bids.to_vec(), asks: asks.to_vec() }
    }

    #[test]
    fn sums_run_from_the_best_level() {
        let mut book = Book::default();
        assert!(book.apply(&depth(5, &[(150, 30), (149, 20)], &[(151, 40)])));
        let second =
            Level { price: 149, quantity: 20, cumulative: 50, share: 500, changed: Changed::Nothing };
        assert_eq!(book.bids[1], second);
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

    #[test]
    fn groups_never_promise_a_better_price() {
        let mut book = Book::default();
        book.apply(&depth(1, &[(149, 5), (145, 3), (144, 2), (135, 1)], &[(151, 7), (155, 1), (156, 2)]));
        book.regroup(5);
        let shown = |side: &[Level]| {
            side.iter()
                .filter(|level| !level.is_empty())
                .map(|level| (level.price, level.quantity, level.cumulative))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&book.bids), [(145, 8, 8), (140, 2, 10), (135, 1, 11)]);
        assert_eq!(shown(&book.asks), [(155, 8, 8), (160, 2, 10)]);
        assert_eq!((book.best_bid(), book.best_ask(), book.spread()), (Some(149), Some(151), Some(2)));
        book.regroup(1);
        assert_eq!(book.bids[0].price, 149);
    }

    #[test]
    fn what_has_changed_is_marked_by_price() {
        let mut book = Book::default();
        book.apply(&depth(1, &[(150, 5), (149, 5)], &[]));
        assert!(book.bids.iter().all(|level| level.changed == Changed::Nothing), "all is new at first");
        book.apply(&depth(2, &[(151, 1), (150, 7), (149, 5), (148, 2)], &[]));
        let marks: Vec<_> = book.bids.iter().take(4).map(|level| level.changed).collect();
        assert_eq!(marks, [Changed::More, Changed::More, Changed::Nothing, Changed::More]);
        book.apply(&depth(3, &[(150, 6)], &[]));
        assert_eq!(book.bids[0].changed, Changed::Less);
        assert_eq!(book.bids[1].changed, Changed::Nothing, "an empty row");
    }

    #[test]
    fn a_book_that_lacks_events_is_known() {
        let mut book = Book::default();
        book.apply(&depth(7, &[(150, 5)], &[(151, 1)]));
        assert!(!book.is_behind(7) && book.is_behind(8) && !book.is_crossed());
        book.apply(&depth(8, &[(152, 5)], &[(151, 1)]));
        assert!(book.is_crossed());
    }

    #[test]
    fn depth_curves_are_steps_outward_from_the_middle() {
        let mut book = Book::default();
        assert_eq!(DepthCurve::of(&book.bids, &book.asks), None);
        book.apply(&depth(1, &[(100, 10), (90, 10)], &[(110, 40)]));
        let curve = DepthCurve::of(&book.bids, &book.asks).unwrap();
        assert_eq!((curve.low, curve.high, curve.most), (90, 110, 40));
        assert_eq!(curve.bids, "M500 400H500V300H0V200H0V400Z");
        assert_eq!(curve.asks, "M1000 400H1000V0H1000V400Z");
        book.apply(&depth(2, &[(5, 1)], &[]));
        assert!(DepthCurve::of(&book.bids, &book.asks).is_some(), "one level alone");
    }

    proptest! {
        #[test]
        fn grouping_keeps_quantities_and_order(
            mut prices in proptest::collection::btree_set(1u64..5000, 1..10),
            group in proptest::sample::select(GROUPS.to_vec()),
        ) {
            let asks: Vec<_> = prices.iter().map(|price| (*price + 5000, *price % 7 + 1)).collect();
            let bids: Vec<_> = core::mem::take(&mut prices).into_iter().rev().map(|price| (price, price % 5 + 1)).collect();
            let mut book = Book::default();
            book.apply(&depth(1, &bids, &asks));
            book.regroup(group);
            for (rows, raw) in [(&book.bids, &bids), (&book.asks, &asks)] {
                let sum: u64 = rows.iter().map(|row| row.quantity).sum();
                prop_assert_eq!(sum, raw.iter().map(|level| level.1).sum::<u64>());
                prop_assert!(rows.iter().all(|row| row.price % group == 0));
            }
            let filled = |rows: &[Level]| rows.iter().filter(|row| !row.is_empty()).map(|row| row.price).collect::<Vec<_>>();
            prop_assert!(filled(&book.bids).windows(2).all(|two| two[0] > two[1]));
            prop_assert!(filled(&book.asks).windows(2).all(|two| two[0] < two[1]));
            prop_assert!(book.bids[0].price <= bids[0].0 && book.asks[0].price >= asks[0].0);
        }
    }
}
