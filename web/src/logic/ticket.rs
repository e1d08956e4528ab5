//! The order form's arithmetic and its checks before anything is sent.

use super::amount::{InputError, MAX_AMOUNT, parse_amount};
use super::order::{Kind, Side, Tif};

/// What a market buyer's cash is locked for, in percent of the best ask.
const MARKET_LOCK_PERCENT: u128 = 110;

/// The form as it is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub symbol: String,
    pub side: Side,
    pub kind: Kind,
    pub tif: Tif,
    pub price: String,
    pub quantity: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Price(InputError),
    Quantity(InputError),
    TotalTooLarge,
}

/// A checked order, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub symbol: String,
    pub side: Side,
    pub kind: Kind,
    pub tif: Tif,
    /// A market order has none.
    pub price: Option<u64>,
    pub quantity: u64,
}

impl Ticket {
    pub fn check(&self) -> Result<Request, Fault> {
        let price = match self.kind {
            Kind::Limit => Some(parse_amount(&self.price).map_err(Fault::Price)?),
            Kind::Market => None,
        };
        let quantity = parse_amount(&self.quantity).map_err(Fault::Quantity)?;
        if price.is_some_and(|price| total(price, quantity).is_none()) {
            return Err(Fault::TotalTooLarge);
        }
        let tif = if self.kind == Kind::Market { Tif::Ioc } else { self.tif };
        Ok(Request { symbol: self.symbol.clone(), side: self.side, kind: self.kind, tif, price, quantity })
    }
}

impl Request {
    /// The body of `POST /orders`. Symbols and ids are of characters that need no escaping.
    pub fn body(&self, client_order_id: &str) -> String {
        let (symbol, side, quantity) = (&self.symbol, self.side.as_str(), self.quantity);
        let terms = match self.price {
            Some(price) => format!(r#""type":"LIMIT","tif":"{}","price":{price}"#, self.tif.as_str()),
            None => r#""type":"MARKET""#.into(),
        };
        format!(
            r#"{{"symbol":"{symbol}","side":"{side}",{terms},"quantity":{quantity},"client_order_id":"{client_order_id}"}}"#
        )
    }
}

/// price × quantity, where it is an amount.
pub fn total(price: u64, quantity: u64) -> Option<u64> {
    price.checked_mul(quantity).filter(|total| *total <= MAX_AMOUNT)
}

/// The quantity that a share of the available balance pays for. `price`: the limit, or the best ask for a market buyer.
pub fn affordable(
    side: Side,
    kind: Kind,
    price: Option<u64>,
    available: u64,
    share_percent: u64,
) -> Option<u64> {
    let budget = u128::from(available) * u128::from(share_percent.min(100)) / 100;
    let quantity = match (side, kind) {
        (Side::Sell, _) => budget,
        (Side::Buy, Kind::Limit) => budget / u128::from(price.filter(|price| *price > 0)?),
        (Side::Buy, Kind::Market) => {
            budget / (u128::from(price.filter(|price| *price > 0)?) * MARKET_LOCK_PERCENT).div_ceil(100)
        }
    };
    Some(quantity.min(u128::from(MAX_AMOUNT)) as u64)
}

/// The price some ticks away; stays a price.
pub fn step(price: u64, ticks: i64) -> u64 {
    price.saturating_add_signed(ticks).clamp(1, MAX_AMOUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(kind: Kind, price: &str, quantity: &str) -> Ticket {
        Ticket {
            symbol: "TEST".into(),
            side: Side::Buy,
            kind,
            tif: Tif::Fok,
            price: price.into(),
            quantity: quantity.into(),
        }
    }

    #[test]
    fn the_form_is_checked_before_it_is_sent() {
        let fault = |kind, price, quantity| ticket(kind, price, quantity).check().unwrap_err();
        assert_eq!(fault(Kind::Limit, "", "1"), Fault::Price(InputError::Empty));
        assert_eq!(fault(Kind::Limit, "1,000", "0"), Fault::Quantity(InputError::Zero));
        assert_eq!(fault(Kind::Market, "", "x"), Fault::Quantity(InputError::NotANumber));
        assert_eq!(fault(Kind::Limit, "9007199254740991", "2"), Fault::TotalTooLarge);
    }

    #[test]
    fn bodies_are_what_the_api_reads() {
        let limit = ticket(Kind::Limit, "1,500", "10").check().unwrap();
        assert_eq!(
            limit.body("c-1"),
            r#"{"symbol":"TEST","side":"BUY","type":"LIMIT","tif":"FOK","price":1500,"quantity":10,"client_order_id":"c-1"}"#
        );
        let market = ticket(Kind::Market, "ignored", "10").check().unwrap();
        assert_eq!(
            market.body("c-2"),
            r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":10,"client_order_id":"c-2"}"#
        );
    }

    #[test]
    fn shares_never_cost_more_than_is_there() {
        assert_eq!(affordable(Side::Buy, Kind::Limit, Some(150), 1000, 100), Some(6));
        assert_eq!(affordable(Side::Buy, Kind::Limit, Some(150), 1000, 50), Some(3));
        assert_eq!(affordable(Side::Buy, Kind::Limit, None, 1000, 50), None);
        assert_eq!(affordable(Side::Buy, Kind::Market, Some(99), 1000, 100), Some(9), "locked at 109 each");
        assert_eq!(affordable(Side::Sell, Kind::Market, None, 41, 25), Some(10));
        assert_eq!(affordable(Side::Sell, Kind::Limit, Some(1), u64::MAX, 100), Some(MAX_AMOUNT));
    }

    #[test]
    fn steps_stay_prices() {
        assert_eq!(step(150, 1), 151);
        assert_eq!(step(1, -1), 1);
        assert_eq!(step(MAX_AMOUNT, 5), MAX_AMOUNT);
    }
}
