//! What can be asked of a market.

use crate::types::{OrderId, OrderType, Price, Quantity, Side, TimeInForce, UserId};

/// The largest price and the largest quantity of one order: what a JavaScript number holds exactly.
pub const MAX_PRICE: Price = (1 << 53) - 1;
pub const MAX_QUANTITY: Quantity = (1 << 53) - 1;
/// The largest price × quantity: what a signed 64-bit amount of money holds.
pub const MAX_NOTIONAL: u128 = i64::MAX as u128;

/// Whether price × quantity is at most [`MAX_NOTIONAL`].
#[inline]
pub(crate) fn notional_fits(price: Price, quantity: Quantity) -> bool {
    // 63 bits in all cannot make a product of more; only larger ones need the wide product.
    price.leading_zeros() + quantity.leading_zeros() >= 65
        || u128::from(price) * u128::from(quantity) <= MAX_NOTIONAL
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    pub order: OrderId,
    pub user: UserId,
    pub side: Side,
    pub order_type: OrderType,
    /// Ignored for market orders, which are always immediate-or-cancel.
    pub time_in_force: TimeInForce,
    /// A limit order's limit; a market order's protection price, 0 for none.
    pub price: Price,
    pub quantity: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    pub order: OrderId,
    pub user: UserId,
    pub price: Price,
    /// New open quantity.
    pub quantity: Quantity,
    /// Takes effect only if the order stands at this price with this much open.
    pub expected: Option<(Price, Quantity)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Add(NewOrder),
    Cancel {
        order: OrderId,
        user: UserId,
    },
    Replace(Replace),
    /// The host's clock: closes the candle of a minute that is over.
    Tick,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_to_the_notional_agrees_with_the_long_one(
            price in any::<u64>(), quantity in any::<u64>(), (a, b) in (0u32..64, 0u32..64)
        ) {
            let (price, quantity) = (price >> a, quantity >> b);
            let product = u128::from(price) * u128::from(quantity);
            prop_assert_eq!(notional_fits(price, quantity), product <= MAX_NOTIONAL);
        }
    }
}
