//! Profit and loss by average cost, from fills or from orders that have been filled, in whole units of cash.
//!
//! What the user held before the first fill that is known has no known cost: selling it makes neither profit nor loss.

use super::fill_rows::FillRow;
use super::order::{Order, Side};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bought and not yet sold.
    pub quantity: u64,
    /// What that cost.
    pub cost: u64,
    /// Of what was bought and sold again.
    pub realised: i64,
}

impl Position {
    /// What one cost on average, cut to whole ticks.
    pub fn average(&self) -> Option<u64> {
        self.cost.checked_div(self.quantity)
    }

    /// What selling all at a price would bring beyond its cost.
    pub fn unrealised(&self, price: u64) -> i64 {
        clamp(i128::from(price) * i128::from(self.quantity) - i128::from(self.cost))
    }

    fn fill(&mut self, side: Side, quantity: u64, cost: u64) {
        match side {
            Side::Buy => {
                self.quantity = self.quantity.saturating_add(quantity);
                self.cost = self.cost.saturating_add(cost);
            }
            Side::Sell => {
                let sold = quantity.min(self.quantity);
                if sold == 0 {
                    return;
                }
                // The shares that are known by their cost, and their part of the proceeds.
                let part = |of: u64, count: u64, all: u64| {
                    (u128::from(of) * u128::from(count) / u128::from(all)) as u64
                };
                let paid = part(self.cost, sold, self.quantity);
                let got = part(cost, sold, quantity);
                self.quantity -= sold;
                self.cost -= paid;
                self.realised = self.realised.saturating_add(clamp(i128::from(got) - i128::from(paid)));
            }
        }
    }
}

fn clamp(amount: i128) -> i64 {
    amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Positions by symbol. Orders may come in any order; they count in that of their last change.
pub fn of_orders(orders: &[Order]) -> BTreeMap<String, Position> {
    let mut filled: Vec<_> = orders.iter().filter(|order| order.filled > 0).collect();
    filled.sort_by(|a, b| (a.updated_at, a.sequence, &a.id).cmp(&(b.updated_at, b.sequence, &b.id)));
    let mut positions: BTreeMap<String, Position> = BTreeMap::new();
    for order in filled {
        positions.entry(order.symbol.clone()).or_default().fill(order.side, order.filled, order.cost);
    }
    positions
}

/// Positions by symbol from fills, newest first.
pub fn of_fills(fills: &[FillRow]) -> BTreeMap<String, Position> {
    let mut positions: BTreeMap<String, Position> = BTreeMap::new();
    for fill in fills.iter().rev() {
        let cost = fill.price.saturating_mul(fill.quantity);
        positions.entry(fill.symbol.clone()).or_default().fill(fill.side, fill.quantity, cost);
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(steps: &[(Side, u64, u64)]) -> Position {
        let mut position = Position::default();
        for (side, quantity, cost) in steps {
            position.fill(*side, *quantity, *cost);
        }
        position
    }

    #[test]
    fn profit_is_what_was_got_beyond_the_average_cost() {
        let position = filled(&[(Side::Buy, 10, 1000), (Side::Buy, 10, 1200), (Side::Sell, 5, 600)]);
        assert_eq!(position, Position { quantity: 15, cost: 1650, realised: 50 });
        assert_eq!((position.average(), position.unrealised(100)), (Some(110), -150));
    }

    #[test]
    fn what_has_no_known_cost_makes_no_profit() {
        assert_eq!(filled(&[(Side::Sell, 5, 600)]), Position::default());
        let position = filled(&[(Side::Buy, 2, 100), (Side::Sell, 4, 400)]);
        assert_eq!(position, Position { quantity: 0, cost: 0, realised: 100 });
        assert_eq!(position.average(), None);
    }

    #[test]
    fn fills_count_from_the_oldest() {
        let fill = |sequence, side, price, quantity| FillRow {
            id: format!("TEST-{sequence}"),
            order_id: "ord".into(),
            symbol: "TEST".into(),
            sequence,
            side,
            price,
            quantity,
            is_taker: true,
            time: sequence,
        };
        let fills = [fill(3, Side::Sell, 130, 5), fill(2, Side::Buy, 120, 10), fill(1, Side::Buy, 100, 10)];
        assert_eq!(of_fills(&fills)["TEST"], Position { quantity: 15, cost: 1650, realised: 100 });
    }

    proptest! {
        #[test]
        fn nothing_is_lost_to_rounding(steps in proptest::collection::vec((any::<bool>(), 1u64..50, 1u64..1000), 0..40)) {
            let mut position = Position::default();
            let mut held = 0u64;
            let mut balance: i128 = 0;
            for (buys, quantity, price) in steps {
                let quantity = if buys { quantity } else { quantity.min(held) };
                if quantity == 0 { continue }
                let cost = quantity * price;
                position.fill(if buys { Side::Buy } else { Side::Sell }, quantity, cost);
                if buys { held += quantity; balance -= i128::from(cost) } else { held -= quantity; balance += i128::from(cost) }
                prop_assert_eq!(position.quantity, held);
                prop_assert_eq!(i128::from(position.realised) - i128::from(position.cost), balance);
            }
        }
    }
}
