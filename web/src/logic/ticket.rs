//! The order form's arithmetic and its checks before anything is sent.

use super::amount::{InputError, MAX_AMOUNT, parse_amount};
use super::order::{Kind, Side, Tif};

/// What a market buyer's cash is locked for, in percent of the best ask, or of a stop.
const MARKET_LOCK_PERCENT: u128 = 110;

/// What the form is turned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Limit,
    Market,
    /// A limit order that waits for its stop.
    StopLimit,
    /// A market order that waits for its stop.
    Stop,
}

impl Style {
    pub const ALL: [Style; 4] = [Style::Limit, Style::Market, Style::StopLimit, Style::Stop];

    pub const fn kind(self) -> Kind {
        match self {
            Style::Limit | Style::StopLimit => Kind::Limit,
            Style::Market | Style::Stop => Kind::Market,
        }
    }

    pub const fn has_stop(self) -> bool {
        matches!(self, Style::StopLimit | Style::Stop)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Style::Limit => "limit",
            Style::Market => "market",
            Style::StopLimit => "stop-limit",
            Style::Stop => "stop",
        }
    }
}

/// The form as it is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub symbol: String,
    pub side: Side,
    pub style: Style,
    pub tif: Tif,
    pub price: String,
    pub quantity: String,
    pub stop: String,
    pub post_only: bool,
    /// An iceberg's visible part; empty: all of it.
    pub display: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Price(InputError),
    Quantity(InputError),
    Stop(InputError),
    Display(InputError),
    /// An iceberg would show more than it has.
    DisplayTooLarge,
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
    pub stop: Option<u64>,
    pub post_only: bool,
    pub display: Option<u64>,
}

impl Ticket {
    /// Whether the order may rest in the book, which post-only orders and icebergs must.
    pub fn may_rest(&self) -> bool {
        self.style.kind() == Kind::Limit && self.tif == Tif::Gtc
    }

    pub fn check(&self) -> Result<Request, Fault> {
        let kind = self.style.kind();
        let stop = match self.style.has_stop() {
            true => Some(parse_amount(&self.stop).map_err(Fault::Stop)?),
            false => None,
        };
        let price = match kind {
            Kind::Limit => Some(parse_amount(&self.price).map_err(Fault::Price)?),
            Kind::Market => None,
        };
        let quantity = parse_amount(&self.quantity).map_err(Fault::Quantity)?;
        let dearest = match (price, stop) {
            (None, Some(stop)) => Some(protected(stop).ok_or(Fault::TotalTooLarge)?),
            (price, _) => price,
        };
        if dearest.is_some_and(|price| total(price, quantity).is_none()) {
            return Err(Fault::TotalTooLarge);
        }
        let display = match parse_amount(&self.display) {
            _ if !self.may_rest() => None,
            Err(InputError::Empty) => None,
            Ok(display) if display <= quantity => Some(display),
            Ok(_) => return Err(Fault::DisplayTooLarge),
            Err(error) => return Err(Fault::Display(error)),
        };
        Ok(Request {
            symbol: self.symbol.clone(),
            side: self.side,
            kind,
            tif: if kind == Kind::Market { Tif::Ioc } else { self.tif },
            price,
            quantity,
            stop,
            post_only: self.post_only && self.may_rest() && stop.is_none(),
            display,
        })
    }
}

impl Request {
    /// The body of `POST /orders`. Symbols and ids are of characters that need no escaping.
    pub fn body(&self, client_order_id: &str) -> String {
        let (symbol, side, quantity) = (&self.symbol, self.side.as_str(), self.quantity);
        let mut terms = match self.price {
            Some(price) => format!(r#""type":"LIMIT","tif":"{}","price":{price}"#, self.tif.as_str()),
            None => r#""type":"MARKET""#.into(),
        };
        if let Some(stop) = self.stop {
            terms.push_str(&format!(r#","stop":{stop}"#));
        }
        if let Some(display) = self.display {
            terms.push_str(&format!(r#","display":{display}"#));
        }
        if self.post_only {
            terms.push_str(r#","post_only":true"#);
        }
        format!(
            r#"{{"symbol":"{symbol}","side":"{side}",{terms},"quantity":{quantity},"client_order_id":"{client_order_id}"}}"#
        )
    }
}

/// What sending an order does to the balance that it draws on. The exchange takes no fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    /// price × quantity.
    pub total: u64,
    /// What is locked until the order has ended: cash of a buyer, stock of a seller.
    pub locked: u64,
    /// What is free then; `None` if the balance does not cover it.
    pub left: Option<u64>,
}

/// `price`: the limit or, for a market order, the stop or the best price on the other side.
pub fn preview(side: Side, kind: Kind, price: u64, quantity: u64, available: u64) -> Option<Preview> {
    let total = total(price, quantity)?;
    let locked = match (side, kind) {
        (Side::Sell, _) => quantity,
        (Side::Buy, Kind::Limit) => total,
        (Side::Buy, Kind::Market) => self::total(protected(price)?, quantity)?,
    };
    Some(Preview { total, locked, left: available.checked_sub(locked) })
}

/// What a market buyer pays at most for one.
fn protected(price: u64) -> Option<u64> {
    u64::try_from((u128::from(price) * MARKET_LOCK_PERCENT).div_ceil(100))
        .ok()
        .filter(|price| *price <= MAX_AMOUNT)
}

/// price × quantity, where it is an amount.
pub fn total(price: u64, quantity: u64) -> Option<u64> {
    price.checked_mul(quantity).filter(|total| *total <= MAX_AMOUNT)
}

/// The quantity that a share of the available balance pays for. `price` as in [`preview`].
pub fn affordable(
    side: Side,
    kind: Kind,
    price: Option<u64>,
    available: u64,
    share_percent: u64,
) -> Option<u64> {
    let budget = u128::from(available) * u128::from(share_percent.min(100)) / 100;
    let price = price.filter(|price| *price > 0);
    let quantity = match (side, kind) {
        (Side::Sell, _) => budget,
        (Side::Buy, Kind::Limit) => budget / u128::from(price?),
        (Side::Buy, Kind::Market) => budget / u128::from(protected(price?)?),
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

    fn ticket(style: Style, price: &str, quantity: &str) -> Ticket {
        Ticket {
            symbol: "TEST".into(),
            side: Side::Buy,
            style,
            tif: Tif::Fok,
            price: price.into(),
            quantity: quantity.into(),
            stop: String::new(),
            post_only: false,
            display: String::new(),
        }
    }

    #[test]
    fn the_form_is_checked_before_it_is_sent() {
        let fault = |style, price, quantity| ticket(style, price, quantity).check().unwrap_err();
        assert_eq!(fault(Style::Limit, "", "1"), Fault::Price(InputError::Empty));
        assert_eq!(fault(Style::Limit, "1,000", "0"), Fault::Quantity(InputError::Zero));
        assert_eq!(fault(Style::Market, "", "x"), Fault::Quantity(InputError::NotANumber));
        assert_eq!(fault(Style::Limit, "9007199254740991", "2"), Fault::TotalTooLarge);
        assert_eq!(fault(Style::Stop, "", "2"), Fault::Stop(InputError::Empty));
        let stop = Ticket { stop: "9007199254740991".into(), ..ticket(Style::Stop, "", "1") };
        assert_eq!(stop.check(), Err(Fault::TotalTooLarge), "it is locked for a tenth more");
    }

    #[test]
    fn bodies_are_what_the_api_reads() {
        let limit = ticket(Style::Limit, "1,500", "10").check().unwrap();
        assert_eq!(
            limit.body("c-1"),
            r#"{"symbol":"TEST","side":"BUY","type":"LIMIT","tif":"FOK","price":1500,"quantity":10,"client_order_id":"c-1"}"#
        );
        let market = ticket(Style::Market, "ignored", "10").check().unwrap();
        assert_eq!(
            market.body("c-2"),
            r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":10,"client_order_id":"c-2"}"#
        );
        let stop = Ticket { stop: "160".into(), ..ticket(Style::StopLimit, "161", "10") };
        assert_eq!(
            stop.check().unwrap().body("c-3"),
            r#"{"symbol":"TEST","side":"BUY","type":"LIMIT","tif":"FOK","price":161,"stop":160,"quantity":10,"client_order_id":"c-3"}"#
        );
    }

    #[test]
    fn only_what_rests_is_post_only_or_an_iceberg() {
        let wished = Ticket {
            tif: Tif::Gtc,
            post_only: true,
            display: "2".into(),
            ..ticket(Style::Limit, "150", "10")
        };
        let body = wished.check().unwrap().body("c");
        assert!(body.contains(r#""display":2,"post_only":true"#), "{body}");
        for other in
            [Ticket { tif: Tif::Ioc, ..wished.clone() }, Ticket { style: Style::Market, ..wished.clone() }]
        {
            let request = other.check().unwrap();
            assert_eq!((request.post_only, request.display), (false, None));
        }
        let waiting = Ticket { style: Style::StopLimit, stop: "149".into(), ..wished.clone() };
        assert!(!waiting.check().unwrap().post_only);
        let large = Ticket { display: "11".into(), ..wished.clone() };
        assert_eq!(large.check(), Err(Fault::DisplayTooLarge));
        let odd = Ticket { display: "x".into(), ..wished };
        assert_eq!(odd.check(), Err(Fault::Display(InputError::NotANumber)));
    }

    #[test]
    fn what_an_order_locks_is_told_before() {
        let preview = |side, kind, available| preview(side, kind, 99, 10, available).unwrap();
        assert_eq!(
            preview(Side::Buy, Kind::Limit, 1000),
            Preview { total: 990, locked: 990, left: Some(10) }
        );
        assert_eq!(
            preview(Side::Buy, Kind::Market, 1000),
            Preview { total: 990, locked: 1090, left: None },
            "109 each"
        );
        assert_eq!(preview(Side::Sell, Kind::Market, 12), Preview { total: 990, locked: 10, left: Some(2) });
        assert_eq!(super::preview(Side::Buy, Kind::Limit, MAX_AMOUNT, 2, 1), None);
    }

    #[test]
    fn shares_never_cost_more_than_is_there() {
        assert_eq!(affordable(Side::Buy, Kind::Limit, Some(150), 1000, 100), Some(6));
        assert_eq!(affordable(Side::Buy, Kind::Limit, Some(150), 1000, 50), Some(3));
        assert_eq!(affordable(Side::Buy, Kind::Limit, None, 1000, 50), None);
        assert_eq!(affordable(Side::Buy, Kind::Market, Some(99), 1000, 100), Some(9), "locked at 109 each");
        assert_eq!(affordable(Side::Sell, Kind::Market, None, 41, 25), Some(10));
        assert_eq!(affordable(Side::Sell, Kind::Limit, Some(1), u64::MAX, 100), Some(MAX_AMOUNT));
        assert_eq!(affordable(Side::Buy, Kind::Market, Some(MAX_AMOUNT), 1, 100), None);
    }

    #[test]
    fn steps_stay_prices() {
        assert_eq!(step(150, 1), 151);
        assert_eq!(step(1, -1), 1);
        assert_eq!(step(MAX_AMOUNT, 5), MAX_AMOUNT);
    }
}
