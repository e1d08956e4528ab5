//! The user's fills, for the chart. Live messages tell each one with its time and price; of what was filled before the
//! page was open, an order's row knows the sum, which stands as one fill at the time of the row's last change.

use super::map::{Map, sort_short};
use super::message::OrderMessage;
use super::order::{Order, Side};

/// Orders whose fills are kept at most: the chart marks the newest.
const MOST_FILLS: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    pub side: Side,
    pub time_ms: u64,
    pub price: u64,
    pub quantity: u64,
}

/// Live fills by the order's id.
#[derive(Clone, Debug, Default)]
pub struct Fills(Map<String, Vec<Fill>>);

impl Fills {
    /// A message that was news; `order` is what it made of the order.
    pub fn message(&mut self, message: &OrderMessage, order: Option<&Order>) {
        let Some(order) = order.filter(|_| matches!(message.status.as_str(), "PARTIALLY_FILLED" | "FILLED"))
        else {
            return;
        };
        if let (Some(price), Some(quantity @ 1..)) = (message.fill_price, message.fill_quantity) {
            let fill = Fill { side: order.side, time_ms: message.time, price, quantity };
            self.0.or_insert(message.id.clone(), Vec::new()).push(fill);
        }
    }

    /// The newest fills of a symbol, oldest first.
    pub fn of(&self, symbol: &str, orders: Vec<&Order>) -> Vec<Fill> {
        let mut all = Vec::new();
        for order in orders.into_iter().filter(|order| order.symbol == symbol && order.filled > 0) {
            let live = self.0.get(&order.id).map(Vec::as_slice).unwrap_or_default();
            let known: u64 = live.iter().map(|fill| fill.quantity).sum();
            let cost = live
                .iter()
                .fold(0u64, |sum, fill| sum.saturating_add(fill.price.saturating_mul(fill.quantity)));
            let quantity = order.filled.saturating_sub(known);
            if let Some(price) =
                order.cost.saturating_sub(cost).checked_div(quantity).filter(|price| *price > 0)
            {
                all.push(Fill { side: order.side, time_ms: order.updated_at, price, quantity });
            }
            all.extend_from_slice(live);
        }
        sort_short(&mut all, |a, b| a.time_ms.cmp(&b.time_ms));
        let extra = all.len().saturating_sub(MOST_FILLS);
        all.drain(..extra);
        all
    }
}

/// Fills of one side within one candle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Open time of the candle.
    pub time: u64,
    pub side: Side,
    pub quantity: u64,
}

/// One mark a candle and side, ascending. `candle_of` names the candle that a time falls into, if it is shown.
pub fn marks(fills: &[Fill], candle_of: impl Fn(u64) -> Option<u64>) -> Vec<Mark> {
    let mut marks: Map<(u64, bool), u64> = Map::default();
    for fill in fills {
        if let Some(time) = candle_of(fill.time_ms / 1000) {
            let sum = marks.or_insert((time, fill.side == Side::Sell), 0);
            *sum = sum.saturating_add(fill.quantity);
        }
    }
    let mark =
        |((time, sold), quantity)| Mark { time, side: if sold { Side::Sell } else { Side::Buy }, quantity };
    marks.into_entries().into_iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::order::Orders;

    fn message(sequence: u64, price: u64, quantity: u64, remaining: u64) -> OrderMessage {
        let status = if remaining == 0 { "FILLED" } else { "PARTIALLY_FILLED" };
        OrderMessage {
            symbol: "TEST".into(),
            sequence,
            time: 60_000 * sequence,
            id: "ord_1".into(),
            status: status.into(),
            side: Some(Side::Buy),
            price: Some(150),
            quantity: None,
            remaining: Some(remaining),
            fill_price: Some(price),
            fill_quantity: Some(quantity),
            reason: None,
        }
    }

    #[test]
    fn live_fills_are_told_one_by_one_and_earlier_ones_as_one() {
        let (mut orders, mut fills) = (Orders::default(), Fills::default());
        for message in [message(1, 100, 4, 6), message(2, 110, 3, 3)] {
            orders.message(&message);
            fills.message(&message, orders.get("ord_1"));
        }
        let live = fills.of("TEST", orders.newest_first());
        assert_eq!(
            live.iter().map(|fill| (fill.time_ms, fill.price, fill.quantity)).collect::<Vec<_>>(),
            [(60_000, 100, 4), (120_000, 110, 3)]
        );
        assert_eq!(fills.of("OTHER", orders.newest_first()), []);

        // A page that was opened between the two knows the first from the row.
        let mut later = Fills::default();
        later.message(&message(2, 110, 3, 3), orders.get("ord_1"));
        let fills = later.of("TEST", orders.newest_first());
        assert_eq!(
            fills.iter().map(|fill| (fill.price, fill.quantity)).collect::<Vec<_>>(),
            [(100, 4), (110, 3)]
        );
    }

    #[test]
    fn a_candle_has_one_mark_a_side() {
        let fill = |side, time_ms, quantity| Fill { side, time_ms, price: 1, quantity };
        let fills = [
            fill(Side::Sell, 60_000, 5),
            fill(Side::Buy, 61_000, 1),
            fill(Side::Buy, 119_999, 2),
            fill(Side::Buy, 120_000, 4),
            fill(Side::Buy, 500_000, 9),
        ];
        let marks = marks(&fills, |time| (time < 300).then_some(time - time % 60));
        let mark = |time, side, quantity| Mark { time, side, quantity };
        assert_eq!(marks, [mark(60, Side::Buy, 3), mark(60, Side::Sell, 5), mark(120, Side::Buy, 4)]);
    }
}
