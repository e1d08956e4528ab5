//! The user's orders, merged from REST rows and live messages. An order's state only moves forward: each carries the
//! symbol's event number, and what is not above the last one applied is ignored.

use super::json::Json;
use super::map::Map;
use super::message::OrderMessage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }

    pub fn parse(name: &str) -> Option<Side> {
        [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == name)
    }

    /// A buyer's colour is the one of rising prices.
    pub const fn class(self) -> &'static str {
        match self {
            Side::Buy => "up",
            Side::Sell => "down",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Limit,
    Market,
}

impl Kind {
    fn parse(name: &str) -> Option<Kind> {
        match name {
            "LIMIT" => Some(Kind::Limit),
            "MARKET" => Some(Kind::Market),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    Gtc,
    Ioc,
    Fok,
}

impl Tif {
    pub const ALL: [Tif; 3] = [Tif::Gtc, Tif::Ioc, Tif::Fok];

    pub const fn as_str(self) -> &'static str {
        match self {
            Tif::Gtc => "GTC",
            Tif::Ioc => "IOC",
            Tif::Fok => "FOK",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Accepted,
    PartiallyFilled,
    Filled,
    Cancelled,
    Rejected,
}

impl Status {
    fn parse(name: &str) -> Option<Status> {
        Some(match name {
            "PENDING" => Status::Pending,
            "ACCEPTED" => Status::Accepted,
            "PARTIALLY_FILLED" => Status::PartiallyFilled,
            "FILLED" => Status::Filled,
            "CANCELLED" => Status::Cancelled,
            "REJECTED" => Status::Rejected,
            _ => return None,
        })
    }

    /// As tests and style sheets know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "Pending",
            Status::Accepted => "Accepted",
            Status::PartiallyFilled => "PartiallyFilled",
            Status::Filled => "Filled",
            Status::Cancelled => "Cancelled",
            Status::Rejected => "Rejected",
        }
    }

    pub const fn is_open(self) -> bool {
        matches!(self, Status::Pending | Status::Accepted | Status::PartiallyFilled)
    }
}

/// An order as its row in `GET /orders` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: String,
    pub symbol: String,
    pub side: Side,
    /// Unknown for an order that another page has just placed.
    pub kind: Option<Kind>,
    pub tif: Option<Tif>,
    pub price: Option<u64>,
    /// Filled and open together.
    pub quantity: u64,
    pub filled: u64,
    pub remaining: u64,
    /// Sum of price × quantity over the fills.
    pub cost: u64,
    /// It waits for a trade at this price or beyond it.
    pub stop: Option<u64>,
    /// An iceberg's visible part.
    pub display: Option<u64>,
    pub post_only: bool,
    pub client_order_id: Option<String>,
    pub status: Status,
    pub reason: Option<String>,
    /// The last event applied; 0: none.
    pub sequence: u64,
    pub created_at: u64,
    pub updated_at: u64,
}

impl Order {
    pub fn read(json: &Json<'_>) -> Option<Order> {
        let number = |name| json.whole(name).unwrap_or(0);
        Some(Order {
            id: json.text("order_id")?,
            symbol: json.text("symbol")?,
            side: Side::parse(json.str("side")?)?,
            kind: json.str("type").and_then(Kind::parse),
            tif: json.str("tif").and_then(|name| Tif::ALL.into_iter().find(|tif| tif.as_str() == name)),
            price: json.whole("price"),
            quantity: json.whole("quantity")?,
            filled: number("filled"),
            remaining: number("remaining"),
            cost: number("cost"),
            stop: json.whole("stop"),
            display: json.whole("display"),
            post_only: json.bool("post_only").unwrap_or(false),
            client_order_id: json.text("client_order_id"),
            status: Status::parse(json.str("status")?)?,
            reason: json.text("reason"),
            sequence: number("seq"),
            created_at: number("created_at"),
            updated_at: number("updated_at"),
        })
    }

    /// What a fill cost on average, cut to whole ticks.
    pub fn average_price(&self) -> Option<u64> {
        self.cost.checked_div(self.filled).filter(|price| *price > 0)
    }

    /// The limit; a market order has none to show.
    pub fn limit(&self) -> Option<u64> {
        self.price.filter(|price| self.kind != Some(Kind::Market) && *price > 0)
    }
}

/// What a message did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Accepted,
    PartiallyFilled,
    Filled,
    Cancelled,
    Rejected,
    Replaced,
    CancelRejected,
    ReplaceRejected,
    /// Its stop has been reached.
    Triggered,
}

impl News {
    fn parse(status: &str) -> Option<News> {
        Some(match status {
            "ACCEPTED" => News::Accepted,
            "PARTIALLY_FILLED" => News::PartiallyFilled,
            "FILLED" => News::Filled,
            "CANCELLED" => News::Cancelled,
            "REJECTED" => News::Rejected,
            "REPLACED" => News::Replaced,
            "CANCEL_REJECTED" => News::CancelRejected,
            "REPLACE_REJECTED" => News::ReplaceRejected,
            "TRIGGERED" => News::Triggered,
            _ => return None,
        })
    }
}

/// `GET /orders`, and whatever else comes page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

impl<T> Page<T> {
    pub fn read(json: &Json<'_>, name: &str, read: fn(&Json<'_>) -> Option<T>) -> Option<Page<T>> {
        Some(Page { rows: json.all(name, read)?, cursor: json.text("cursor") })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Orders(Map<String, Order>);

impl Orders {
    pub fn get(&self, id: &str) -> Option<&Order> {
        self.0.get(id)
    }

    /// All orders, newest first.
    pub fn newest_first(&self) -> Vec<&Order> {
        let mut orders: Vec<_> = self.0.iter().map(|(_, order)| order).collect();
        orders.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        orders
    }

    /// A row of the server. Answers whether anything changed.
    pub fn row(&mut self, row: Order) -> bool {
        match self.0.get_mut(&row.id) {
            Some(known) if row.sequence < known.sequence => {
                // The state is old, but what never changes may still be missing.
                let before = known.clone();
                known.kind = known.kind.or(row.kind);
                known.tif = known.tif.or(row.tif);
                known.display = known.display.or(row.display);
                known.post_only |= row.post_only;
                known.client_order_id = known.client_order_id.take().or(row.client_order_id);
                if row.created_at > 0 {
                    known.created_at = row.created_at;
                }
                *known != before
            }
            Some(known) if *known == row => false,
            _ => {
                self.0.insert(row.id.clone(), row);
                true
            }
        }
    }

    /// A live message. Answers what happened, if it is news.
    pub fn message(&mut self, message: &OrderMessage) -> Option<News> {
        let news = News::parse(&message.status)?;
        let known = self.0.get(&message.id);
        if known.is_some_and(|order| message.sequence <= order.sequence) {
            return None;
        }
        let refused = matches!(news, News::CancelRejected | News::ReplaceRejected);
        let mut order = match known {
            Some(order) => order.clone(),
            None if refused => return Some(news),
            None => unseen(message)?,
        };
        order.sequence = message.sequence;
        order.updated_at = message.time;
        let fill = message.fill_quantity.unwrap_or(0);
        let remaining = message.remaining;
        match news {
            News::Accepted => {
                order.status = Status::Accepted;
                order.quantity = message.quantity.unwrap_or(order.quantity);
                order.remaining = remaining.unwrap_or(order.quantity);
            }
            News::PartiallyFilled | News::Filled => {
                let full = news == News::Filled;
                order.status = if full { Status::Filled } else { Status::PartiallyFilled };
                order.filled = order.filled.saturating_add(fill);
                let cost = message.fill_price.unwrap_or(0).saturating_mul(fill);
                order.cost = order.cost.saturating_add(cost);
                order.remaining = remaining.unwrap_or(order.remaining.saturating_sub(fill));
                order.quantity = order.quantity.max(order.filled.saturating_add(order.remaining));
            }
            News::Cancelled | News::Rejected => {
                let rejected = news == News::Rejected;
                order.status = if rejected { Status::Rejected } else { Status::Cancelled };
                order.remaining = 0;
                order.reason.clone_from(&message.reason);
            }
            News::Replaced => {
                order.price = message.price.or(order.price);
                order.remaining = message.quantity.or(remaining).unwrap_or(order.remaining);
                order.quantity = order.filled.saturating_add(order.remaining);
            }
            News::Triggered => order.stop = None,
            News::CancelRejected | News::ReplaceRejected => {}
        }
        self.0.insert(order.id.clone(), order);
        Some(news)
    }
}

/// What a message tells of an order that was not known.
fn unseen(message: &OrderMessage) -> Option<Order> {
    let fill = message.fill_quantity.unwrap_or(0);
    let open = message.remaining.unwrap_or(0);
    Some(Order {
        id: message.id.clone(),
        symbol: message.symbol.clone(),
        side: message.side?,
        kind: None,
        tif: None,
        price: message.price,
        quantity: message.quantity.unwrap_or(0).max(open.saturating_add(fill)),
        filled: 0,
        remaining: open,
        cost: 0,
        stop: None,
        display: None,
        post_only: false,
        client_order_id: None,
        status: Status::Pending,
        reason: None,
        sequence: 0,
        created_at: message.time,
        updated_at: message.time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64, status: &str) -> OrderMessage {
        OrderMessage {
            symbol: "TEST".into(),
            sequence,
            time: 1000 + sequence,
            id: "ord_1".into(),
            status: status.into(),
            side: Some(Side::Buy),
            price: Some(150),
            quantity: None,
            remaining: None,
            fill_price: None,
            fill_quantity: None,
            reason: None,
        }
    }

    fn accepted(sequence: u64) -> OrderMessage {
        OrderMessage { quantity: Some(10), remaining: Some(10), ..message(sequence, "ACCEPTED") }
    }

    fn filled(sequence: u64, quantity: u64, remaining: u64) -> OrderMessage {
        let status = if remaining == 0 { "FILLED" } else { "PARTIALLY_FILLED" };
        OrderMessage {
            remaining: Some(remaining),
            fill_price: Some(149),
            fill_quantity: Some(quantity),
            ..message(sequence, status)
        }
    }

    #[test]
    fn an_order_goes_through_its_life() {
        let mut orders = Orders::default();
        assert_eq!(orders.message(&accepted(5)), Some(News::Accepted));
        assert_eq!(orders.message(&filled(6, 4, 6)), Some(News::PartiallyFilled));
        assert_eq!(orders.message(&filled(7, 6, 0)), Some(News::Filled));
        let order = orders.get("ord_1").unwrap();
        assert_eq!((order.filled, order.remaining, order.quantity, order.cost), (10, 0, 10, 1490));
        assert_eq!(order.average_price(), Some(149));
        assert_eq!(order.status, Status::Filled);
    }

    #[test]
    fn what_is_not_newer_is_ignored() {
        let mut orders = Orders::default();
        orders.message(&accepted(5));
        orders.message(&filled(6, 4, 6));
        assert_eq!(orders.message(&filled(6, 4, 6)), None, "told twice");
        assert_eq!(orders.message(&accepted(5)), None, "told late");
        assert_eq!(orders.get("ord_1").unwrap().filled, 4);
    }

    #[test]
    fn a_row_older_than_the_messages_only_adds_what_never_changes() {
        let mut orders = Orders::default();
        orders.message(&accepted(5));
        let row = Order {
            kind: Some(Kind::Limit),
            tif: Some(Tif::Gtc),
            status: Status::Pending,
            sequence: 0,
            created_at: 900,
            ..orders.get("ord_1").unwrap().clone()
        };
        assert!(orders.row(row.clone()));
        let order = orders.get("ord_1").unwrap();
        assert_eq!((order.status, order.kind, order.created_at), (Status::Accepted, Some(Kind::Limit), 900));
        assert!(!orders.row(row), "nothing new");
    }

    #[test]
    fn messages_before_a_row_are_in_the_row() {
        let mut orders = Orders::default();
        let row = Order { filled: 4, remaining: 6, cost: 596, sequence: 6, ..unseen(&accepted(5)).unwrap() };
        orders.row(Order { status: Status::PartiallyFilled, ..row });
        assert_eq!(orders.message(&filled(6, 4, 6)), None);
        assert_eq!(orders.message(&filled(8, 6, 0)), Some(News::Filled));
        assert_eq!(orders.get("ord_1").unwrap().filled, 10);
    }

    #[test]
    fn a_cancelled_rest_keeps_what_was_asked() {
        let mut orders = Orders::default();
        orders.message(&accepted(5));
        orders.message(&filled(6, 4, 6));
        let cancelled = OrderMessage {
            quantity: Some(6),
            remaining: Some(0),
            reason: Some("user".into()),
            ..message(9, "CANCELLED")
        };
        assert_eq!(orders.message(&cancelled), Some(News::Cancelled));
        let order = orders.get("ord_1").unwrap();
        assert_eq!((order.quantity, order.filled, order.remaining), (10, 4, 0));
        assert!(!order.status.is_open());
    }

    #[test]
    fn a_replaced_order_stands_at_its_new_terms() {
        let mut orders = Orders::default();
        orders.message(&accepted(5));
        orders.message(&filled(6, 4, 6));
        let replaced = OrderMessage {
            price: Some(152),
            quantity: Some(3),
            remaining: Some(3),
            ..message(8, "REPLACED")
        };
        assert_eq!(orders.message(&replaced), Some(News::Replaced));
        let order = orders.get("ord_1").unwrap();
        assert_eq!((order.price, order.quantity, order.remaining), (Some(152), 7, 3));
        assert_eq!(order.status, Status::PartiallyFilled);
    }

    #[test]
    fn a_refused_cancel_of_an_unknown_order_is_told_but_not_kept() {
        let mut orders = Orders::default();
        assert_eq!(orders.message(&message(3, "CANCEL_REJECTED")), Some(News::CancelRejected));
        assert!(orders.get("ord_1").is_none());
        assert_eq!(orders.message(&message(3, "SOMETHING_NEW")), None);
    }
}
