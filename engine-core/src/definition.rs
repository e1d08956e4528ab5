//! What a symbol's orders must look like: ticks, lots, limits and bands.

use crate::command::{MAX_NOTIONAL, MAX_PRICE, MAX_QUANTITY};
use crate::event::Reason;
use crate::types::{Millis, Price, Quantity};

/// Rows a tick table may have.
pub const MAX_TICK_ROWS: usize = 16;
/// A band's width is given in hundredths of a percent of its reference price.
pub const BAND_SCALE: u64 = 10_000;

/// From this price on, prices are multiples of `tick`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickRow {
    /// The lowest price of the row; valid itself.
    pub from: Price,
    /// What prices from there on are multiples of; at least 1.
    pub tick: Price,
}

/// The prices that orders may have: rows by rising price, each with its tick, as KRX has them:
///
/// ```
/// use engine_core::definition::{Definition, TickRow, TickTable};
///
/// let rows = [(0, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)];
/// let ticks = TickTable::new(&rows.map(|(from, tick)| TickRow { from, tick })).expect("KRX's rows fit each other");
///
/// // A boundary is the first price of its own row: one step down is the finer tick, one step up the coarser one.
/// assert_eq!((ticks.below(50_000), ticks.above(50_000)), (Some(49_950), Some(50_100)));
/// assert!(ticks.allows(50_100) && !ticks.allows(50_150));
///
/// // Rows that leave a price without an answer are refused: 102 is no multiple of 5.
/// assert_eq!(TickTable::new(&[TickRow { from: 0, tick: 1 }, TickRow { from: 102, tick: 5 }]), None);
///
/// // A symbol of KRX with yesterday's close at 50,000: 30 % up and down.
/// let symbol = Definition { ticks, band: (35_000, 65_000), reference: 50_000, ..Definition::default() };
/// assert!(symbol.is_sound());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TickTable {
    rows: [TickRow; MAX_TICK_ROWS],
    len: usize,
}

impl core::fmt::Debug for TickTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}

impl Default for TickTable {
    fn default() -> Self {
        TickTable::uniform(1)
    }
}

impl TickTable {
    /// One tick for all prices.
    ///
    /// # Panics
    /// On a tick of 0.
    pub const fn uniform(tick: Price) -> TickTable {
        assert!(tick > 0, "a tick is at least 1");
        let mut rows = [TickRow { from: 0, tick: 0 }; MAX_TICK_ROWS];
        rows[0].tick = tick;
        TickTable { rows, len: 1 }
    }

    /// The first row starts at 0; each row starts above the one before it, at a multiple of both its own tick and that
    /// row's tick, so that the boundary is a valid price of both; no tick is 0. None if these rows break a rule.
    pub fn new(rows: &[TickRow]) -> Option<TickTable> {
        let first = rows.first()?;
        if rows.len() > MAX_TICK_ROWS || first.from != 0 || first.tick == 0 {
            return None;
        }
        for pair in rows.windows(2) {
            let (below, row) = (pair[0], pair[1]);
            if row.from <= below.from
                || row.from > MAX_PRICE
                || row.tick == 0
                || !row.from.is_multiple_of(row.tick)
                || !row.from.is_multiple_of(below.tick)
            {
                return None;
            }
        }
        let mut table = TickTable { rows: [TickRow::default(); MAX_TICK_ROWS], len: rows.len() };
        table.rows[..rows.len()].copy_from_slice(rows);
        Some(table)
    }

    /// By rising price; at least one.
    pub fn rows(&self) -> &[TickRow] {
        &self.rows[..self.len]
    }

    /// The tick at this price.
    #[inline]
    pub fn tick(&self, price: Price) -> Price {
        if self.len == 1 {
            return self.rows[0].tick;
        }
        self.rows().iter().rev().find(|row| row.from <= price).map_or(1, |row| row.tick)
    }

    /// Whether an order may have this price.
    #[inline]
    pub fn allows(&self, price: Price) -> bool {
        let tick = self.tick(price);
        tick == 1 || price.is_multiple_of(tick)
    }

    /// The nearest valid price below `price`, or none where that would be 0.
    pub fn below(&self, price: Price) -> Option<Price> {
        let inside = price.checked_sub(1)?;
        let tick = self.tick(inside);
        Some(inside - inside % tick).filter(|&price| price > 0)
    }

    /// The nearest valid price above `price`, or none beyond [`MAX_PRICE`].
    pub fn above(&self, price: Price) -> Option<Price> {
        let tick = self.tick(price);
        let next = (price - price % tick).checked_add(tick)?;
        Some(next).filter(|&next| next <= MAX_PRICE)
    }
}

/// How much a market takes, so that its memory is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live orders of the symbol, of whatever kind.
    pub orders: u32,
    /// Live orders of one account in the symbol.
    pub orders_per_account: u32,
    /// Orders that are looked at after every trade or command: trailing stops, and all-or-none and minimum-quantity orders
    /// that wait. Each of the two kinds has this limit of its own.
    pub watched: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { orders: 1 << 22, orders_per_account: 1 << 22, watched: 1 << 10 }
    }
}

/// The rules of one symbol. The default is plain integers: tick 1, lot 1, no bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Which prices are valid.
    pub ticks: TickTable,
    /// Quantities are multiples of it.
    pub lot: Quantity,
    /// Smallest quantity of an order, at least 1; a smaller one is `QuantityTooSmall`.
    pub min_quantity: Quantity,
    /// Largest quantity of an order, at most [`MAX_QUANTITY`]; a larger one is `QuantityTooLarge`.
    pub max_quantity: Quantity,
    /// The largest price × quantity of an order.
    pub max_notional: u64,
    /// The lowest and the highest price that an order may have: the day's limit down and limit up.
    pub band: (Price, Price),
    /// How far a trade may be from the price of the last auction (before the first one: from `reference`), in hundredths of a
    /// percent of it, before an auction is called. 0: however far.
    pub static_band: u32,
    /// The same from the last trade before the incoming order.
    pub dynamic_band: u32,
    /// How long a volatility auction lasts.
    pub volatility_auction_ms: Millis,
    /// The price that auctions go by until the first trade, and the static band until the first auction. 0: none.
    pub reference: Price,
    /// Names the fee schedule that the host settles by; the core carries it.
    pub fee_schedule: u32,
    /// How many orders may live at once.
    pub limits: Limits,
}

impl Default for Definition {
    fn default() -> Self {
        Definition {
            ticks: TickTable::default(),
            lot: 1,
            min_quantity: 1,
            max_quantity: MAX_QUANTITY,
            max_notional: MAX_NOTIONAL,
            band: (1, MAX_PRICE),
            static_band: 0,
            dynamic_band: 0,
            volatility_auction_ms: 120_000,
            reference: 0,
            fee_schedule: 0,
            limits: Limits::default(),
        }
    }
}

impl Definition {
    /// Whether the parts agree with each other. [`Command::Define`](crate::command::Command::Define) is refused otherwise, and
    /// constructors panic.
    pub fn is_sound(&self) -> bool {
        let (low, high) = self.band;
        self.lot > 0
            && self.lot <= MAX_QUANTITY
            && self.min_quantity > 0
            && self.min_quantity <= self.max_quantity
            && self.max_quantity <= MAX_QUANTITY
            && self.max_notional <= MAX_NOTIONAL
            && low > 0
            && low <= high
            && high <= MAX_PRICE
            && self.reference <= MAX_PRICE
            && u64::from(self.static_band) <= BAND_SCALE
            && u64::from(self.dynamic_band) <= BAND_SCALE
            && (1..=MAX_ORDERS).contains(&self.limits.orders)
    }

    /// Why an order of this quantity is refused.
    #[inline]
    pub(crate) fn refuses_quantity(&self, quantity: Quantity) -> Option<Reason> {
        if quantity == 0 {
            Some(Reason::ZeroQuantity)
        } else if quantity > self.max_quantity {
            Some(Reason::QuantityTooLarge)
        } else if quantity < self.min_quantity {
            Some(Reason::QuantityTooSmall)
        } else if self.lot != 1 && !quantity.is_multiple_of(self.lot) {
            Some(Reason::NotALot)
        } else {
            None
        }
    }

    /// Why a limit, a protection or a stop price is refused.
    #[inline]
    pub(crate) fn refuses_price(&self, price: Price) -> Option<Reason> {
        if price == 0 {
            Some(Reason::ZeroPrice)
        } else if price > MAX_PRICE {
            Some(Reason::PriceTooLarge)
        } else if !self.ticks.allows(price) {
            Some(Reason::NotATick)
        } else if price < self.band.0 || price > self.band.1 {
            Some(Reason::OutsideBand)
        } else {
            None
        }
    }

    /// Whether price × quantity is too much money.
    #[inline]
    pub(crate) fn refuses_notional(&self, price: Price, quantity: Quantity) -> Option<Reason> {
        // Factors of 32 bits make a product of 64; only larger ones need the wide product, which is slow in WebAssembly.
        let fits = if (price | quantity) >> 32 == 0 {
            price * quantity <= self.max_notional
        } else {
            u128::from(price) * u128::from(quantity) <= u128::from(self.max_notional)
        };
        if fits { None } else { Some(Reason::NotionalTooLarge) }
    }
}

/// The most live orders that any definition may allow.
pub const MAX_ORDERS: u32 = 1 << 28;

/// The prices within `width` (in hundredths of a percent) of `reference`, both ends included.
pub(crate) fn corridor(reference: Price, width: u32) -> (Price, Price) {
    if width == 0 || reference == 0 {
        return (0, Price::MAX);
    }
    // Prices have 53 bits: whole and remaining parts apart, so that no product is too wide.
    let width = u64::from(width);
    let reach = reference / BAND_SCALE * width + reference % BAND_SCALE * width / BAND_SCALE;
    (reference - reach, reference + reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// KRX's table of 2023.
    fn krx() -> TickTable {
        let rows =
            [(0, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)];
        TickTable::new(&rows.map(|(from, tick)| TickRow { from, tick })).unwrap()
    }

    #[test]
    fn ticks_step_by_the_row_of_their_price() {
        let table = krx();
        assert_eq!((table.below(2_000), table.above(2_000)), (Some(1_999), Some(2_005)));
        assert_eq!((table.below(50_000), table.above(50_000)), (Some(49_950), Some(50_100)));
        assert_eq!((table.below(1), table.below(0), table.above(MAX_PRICE)), (None, None, None));
        assert!(table.allows(499_500) && !table.allows(499_600) && !table.allows(500_500));
    }

    #[test]
    fn tables_that_contradict_themselves_are_refused() {
        let table = |rows: &[(u64, u64)]| {
            let rows: std::vec::Vec<_> = rows.iter().map(|&(from, tick)| TickRow { from, tick }).collect();
            TickTable::new(&rows)
        };
        assert_eq!(table(&[]), None);
        assert_eq!(table(&[(1, 1)]), None, "prices below the first row");
        assert_eq!(table(&[(0, 0)]), None, "no tick");
        assert_eq!(table(&[(0, 1), (100, 0)]), None, "no tick");
        assert_eq!(table(&[(0, 1), (100, 5), (100, 10)]), None, "two rows at a price");
        assert_eq!(table(&[(0, 1), (102, 5)]), None, "the row's own first price is no tick");
        assert_eq!(table(&[(0, 3), (100, 5)]), None, "the boundary is no tick of the row below");
        assert_eq!(table(&[(0, 1); MAX_TICK_ROWS + 1]), None, "too long");
        assert!(table(&[(0, 1), (100, 5)]).is_some());
    }

    proptest! {
        #[test]
        fn neighbours_are_the_nearest_valid_prices(price in 0u64..700_000) {
            let table = krx();
            let below = (1..price).rev().find(|&p| table.allows(p));
            prop_assert_eq!(table.below(price), below);
            let above = (price + 1..).find(|&p| table.allows(p));
            prop_assert_eq!(table.above(price), above);
        }

        #[test]
        fn the_short_way_to_the_notional_agrees_with_the_long_one(
            price in any::<u64>(), quantity in any::<u64>(), (a, b) in (0u32..64, 0u32..64), most in 1..MAX_NOTIONAL,
        ) {
            let (price, quantity) = (price >> a, quantity >> b);
            let definition = Definition { max_notional: most, ..Definition::default() };
            let product = u128::from(price) * u128::from(quantity);
            prop_assert_eq!(definition.refuses_notional(price, quantity).is_none(), product <= u128::from(most));
        }

        #[test]
        fn a_corridor_is_its_width_rounded_down(reference in 1..=MAX_PRICE, width in 1..=BAND_SCALE as u32) {
            let reach = (u128::from(reference) * u128::from(width) / u128::from(BAND_SCALE)) as u64;
            prop_assert_eq!(corridor(reference, width), (reference - reach, reference + reach));
        }
    }
}
