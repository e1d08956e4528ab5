//! What the worker says, in the words of the page's stores.

use crate::logic::message::{Balance, CASH, Depth};
use crate::logic::order::{Kind, Order, Side, Status, Tif};
use crate::logic::tape::Trade;
use crate::logic::ticket::Request;
use engine_core::candle::Candle;
use sandbox::account::{Funds, Status as OwnStatus};
use sandbox::history;
use sandbox::protocol::{self, Bar, Life, OwnRow, Ticket};

/// An own order's name on the page: of four digits, so that names sort as numbers do.
pub fn name(order: u64) -> String {
    format!("{order:04}")
}

/// The number behind a name.
pub fn number(name: &str) -> Option<u64> {
    name.parse().ok()
}

pub fn depth(symbol: &str, depth: &protocol::Depth) -> Depth {
    let rows = |rows: &[protocol::DepthRow]| rows.iter().map(|row| (row.price, row.quantity)).collect();
    Depth {
        symbol: symbol.to_owned(),
        time: depth.time,
        sequence: depth.sequence,
        bids: rows(&depth.bids),
        asks: rows(&depth.asks),
    }
}

pub fn trade(trade: &history::Trade) -> Trade {
    Trade {
        sequence: trade.sequence,
        time: trade.time,
        price: trade.price,
        quantity: trade.quantity,
        bought: trade.bought,
    }
}

pub fn candle(bar: &Bar) -> Candle {
    Candle {
        time: bar.time,
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
    }
}

pub fn order(symbol: &str, row: &OwnRow) -> Order {
    let status = match row.status {
        OwnStatus::Open if row.filled > 0 => Status::PartiallyFilled,
        OwnStatus::Open => Status::Accepted,
        OwnStatus::Filled => Status::Filled,
        OwnStatus::Cancelled => Status::Cancelled,
        OwnStatus::Rejected => Status::Rejected,
    };
    let tif = match row.life {
        Life::Gtc => Tif::Gtc,
        Life::Ioc => Tif::Ioc,
        Life::Fok => Tif::Fok,
    };
    Order {
        id: name(row.order),
        symbol: symbol.to_owned(),
        side: if row.buy { Side::Buy } else { Side::Sell },
        kind: Some(if row.market { Kind::Market } else { Kind::Limit }),
        tif: Some(tif),
        price: (!row.market).then_some(row.price),
        quantity: if status.is_open() { row.filled.saturating_add(row.open) } else { row.quantity },
        filled: row.filled,
        remaining: row.open,
        cost: row.notional,
        stop: row.stop,
        display: (row.display > 0).then_some(row.display),
        post_only: row.post_only,
        client_order_id: None,
        status,
        reason: row.reason.clone(),
        sequence: row.sequence,
        created_at: row.entered,
        updated_at: row.updated,
    }
}

pub fn balances(symbol: &str, funds: &Funds) -> Vec<Balance> {
    let balance = |asset: &str, all: u64, locked: u64| Balance {
        asset: asset.to_owned(),
        available: all.saturating_sub(locked),
        locked,
    };
    vec![balance(CASH, funds.cash, funds.locked_cash), balance(symbol, funds.stock, funds.locked_stock)]
}

pub fn ticket(request: &Request) -> Ticket {
    Ticket {
        buy: request.side == Side::Buy,
        price: request.price.filter(|_| request.kind == Kind::Limit),
        quantity: request.quantity,
        life: match request.tif {
            Tif::Gtc => Life::Gtc,
            Tif::Ioc => Life::Ioc,
            Tif::Fok => Life::Fok,
        },
        post_only: request.post_only,
        display: request.display.unwrap_or(0),
        stop: request.stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> OwnRow {
        OwnRow {
            order: 7,
            buy: true,
            market: false,
            life: Life::Gtc,
            price: 100,
            quantity: 10,
            open: 6,
            filled: 4,
            notional: 400,
            status: OwnStatus::Open,
            reason: None,
            entered: 5,
            updated: 6,
            sequence: 9,
            standing: None,
            stop: None,
            post_only: true,
            display: 0,
        }
    }

    #[test]
    fn orders_keep_what_the_trading_page_shows() {
        let open = order("S", &row());
        assert_eq!((open.id.as_str(), open.status, open.quantity), ("0007", Status::PartiallyFilled, 10));
        assert_eq!((open.limit(), open.average_price(), open.post_only), (Some(100), Some(100), true));
        assert_eq!((number(&open.id), open.display), (Some(7), None));
        // An order whose quantity was changed is as large as what is filled and open.
        let changed = order("S", &OwnRow { open: 1, ..row() });
        assert_eq!(changed.quantity, 5);
        let market = order("S", &OwnRow { market: true, status: OwnStatus::Filled, ..row() });
        assert_eq!((market.limit(), market.status.is_open()), (None, false));
    }

    #[test]
    fn what_is_locked_is_not_available() {
        let funds = Funds { cash: 100, stock: 5, locked_cash: 30, locked_stock: 5 };
        let [cash, stock] = balances("S", &funds).try_into().unwrap();
        assert_eq!((cash.asset.as_str(), cash.available, cash.locked), (CASH, 70, 30));
        assert_eq!((stock.asset.as_str(), stock.available), ("S", 0));
    }

    #[test]
    fn a_market_order_has_no_price() {
        let request = Request {
            symbol: "S".into(),
            side: Side::Sell,
            kind: Kind::Market,
            tif: Tif::Ioc,
            price: Some(5),
            quantity: 3,
            stop: Some(4),
            post_only: false,
            display: None,
        };
        let expected = Ticket {
            buy: false,
            price: None,
            quantity: 3,
            life: Life::Ioc,
            post_only: false,
            display: 0,
            stop: Some(4),
        };
        assert_eq!(ticket(&request), expected);
    }
}
