//! What a page sees of a session: as much as it wants, and no more than it can show.

use crate::account::{FIRST_ORDER, OwnOrder, USER};
use crate::history::query;
use crate::protocol::{
    AccountSeen, Bar, ChecksSeen, Depth, DepthRow, Life, OwnRow, Place, QueueLevel, QueueOrder, QueueWanted,
    Seen, Ticket, Wanted,
};
use crate::session::Session;
use engine_core::candle::Candle;
use engine_core::command::NewOrder;
use engine_core::market::Market;
use engine_core::types::{OrderId, OrderType, PostOnly, Price, Side, TimeInForce, Trigger, UserId};
use std::collections::BTreeSet;

/// The most rows of one answer.
const MAX_LEVELS: usize = 2_000;
const MAX_ORDERS: usize = 500;
const MAX_FILLS: usize = 500;
const MAX_QUEUE: usize = 1_000;
/// As far into the book as own orders are looked for.
const MAX_QUEUE_LEVELS: usize = 500;

/// The order that a ticket asks for; its id and account are set where it is entered.
pub(crate) fn order_of(ticket: &Ticket) -> NewOrder {
    let side = if ticket.buy { Side::Buy } else { Side::Sell };
    let plain = match ticket.price {
        Some(price) => NewOrder::limit(OrderId(0), UserId(0), side, price, ticket.quantity),
        None => NewOrder::market(OrderId(0), UserId(0), side, ticket.quantity),
    };
    NewOrder {
        time_in_force: match (ticket.price, ticket.life) {
            (None, _) | (_, Life::Ioc) => TimeInForce::Ioc,
            (_, Life::Gtc) => TimeInForce::Gtc,
            (_, Life::Fok) => TimeInForce::Fok,
        },
        post_only: if ticket.post_only { PostOnly::Reject } else { PostOnly::No },
        display: ticket.display,
        trigger: ticket.stop.map_or(Trigger::None, Trigger::Stop),
        ..plain
    }
}

pub(crate) fn look(place: Place, session: Option<&mut Session>, wanted: &Wanted) -> Seen {
    let mut seen = Seen {
        place,
        depth: None,
        trades: Vec::new(),
        candles: None,
        account: None,
        queue: None,
        heat: None,
        log: None,
        checks: None,
        compare: None,
        hash: None,
    };
    let Some(session) = session else { return seen };
    let market = session.market();
    if wanted.levels > 0 {
        seen.depth = Some(depth(market, usize::from(wanted.levels)));
    }
    if let Some(after) = wanted.trades_after {
        let newer = session.tape().iter().filter(|trade| trade.sequence > after);
        seen.trades = newer.copied().collect();
    }
    seen.candles = wanted.candles_from.map(|from| bars(session, from));
    seen.account = wanted.account.then(|| account(session));
    seen.queue = wanted.queue.map(|wanted| Side::BOTH.map(|side| queue(session, side, wanted)));
    seen.heat = wanted.heat.map(|wanted| session.history().heat(&wanted));
    seen.log = wanted.log.as_ref().map(|wanted| query(session.log(), wanted));
    seen.compare = wanted.compare.then(|| session.compare());
    seen.hash = wanted.hash.then(|| format!("{:032x}", session.hash()));
    seen.checks = wanted.checks.then(|| {
        let checks = session.checks();
        ChecksSeen { commands: checks.commands, violations: checks.violations.clone() }
    });
    seen
}

fn depth(market: &Market, levels: usize) -> Depth {
    let side = |side| {
        let rows = market.book().depth(side).take(levels.min(MAX_LEVELS));
        let row =
            rows.map(|level| DepthRow { price: level.price, quantity: level.quantity, orders: level.orders });
        row.collect()
    };
    Depth {
        sequence: market.depth_sequence(),
        time: market.time(),
        bids: side(Side::Buy),
        asks: side(Side::Sell),
        last: market.last_price(),
    }
}

fn bars(session: &Session, from: u64) -> Vec<Bar> {
    let bar = |candle: &Candle| Bar {
        time: candle.time,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume,
    };
    let market = session.market();
    let closed = session.history().candles(market);
    let closed = &closed[closed.partition_point(|candle| candle.time < from)..];
    // A market may still hold a candle that its history has closed already, or the other way round.
    let open = market.candle().filter(|open| closed.last().is_none_or(|last| last.time < open.time));
    closed.iter().chain(open).map(bar).collect()
}

fn account(session: &Session) -> AccountSeen {
    let account = session.account();
    let funds = account.funds();
    let (cash, stock) = account.opening();
    let profit = session.market().last_price().map(|price| {
        let more = account.worth(price) - (i128::from(cash) + i128::from(stock) * i128::from(price));
        i64::try_from(more).unwrap_or(if more < 0 { i64::MIN } else { i64::MAX })
    });
    let mut orders: Vec<OwnRow> = account.orders().map(|(order, own)| row(order, own)).collect();
    orders.reverse();
    orders.truncate(MAX_ORDERS);
    let fills = account.fills().iter().rev().take(MAX_FILLS).copied().collect();
    AccountSeen { funds, opening: (cash, stock), profit, orders, fills, fill_count: account.fill_count() }
}

fn row(order: u64, own: &OwnOrder) -> OwnRow {
    OwnRow {
        order,
        buy: own.new.side == Side::Buy,
        market: own.new.order_type == OrderType::Market,
        life: match own.new.time_in_force {
            TimeInForce::Ioc => Life::Ioc,
            TimeInForce::Fok => Life::Fok,
            TimeInForce::Gtc | TimeInForce::Day | TimeInForce::Gtd(_) => Life::Gtc,
        },
        price: own.price,
        quantity: own.new.quantity,
        open: own.open,
        filled: own.filled,
        notional: u64::try_from(own.notional).unwrap_or(u64::MAX),
        status: own.status,
        reason: own.reason.map(|reason| reason.as_str().into()),
        entered: own.entered,
        updated: own.updated,
        sequence: own.sequence,
        standing: own.standing(),
        stop: match own.new.trigger {
            Trigger::Stop(price) => Some(price),
            Trigger::None | Trigger::Trailing(_) => None,
        },
        post_only: own.new.post_only != PostOnly::No,
        display: own.new.display,
    }
}

/// The best levels order by order, and further away those at which the user waits.
fn queue(session: &Session, side: Side, wanted: QueueWanted) -> Vec<QueueLevel> {
    let (levels, orders) = (usize::from(wanted.levels).min(100), usize::from(wanted.orders).min(MAX_QUEUE));
    let book = session.market().book();
    let own: BTreeSet<Price> = session
        .account()
        .orders()
        .filter(|(_, own)| own.new.side == side && own.standing().is_some())
        .map(|(_, own)| own.price)
        .collect();
    let farthest = if side == Side::Buy { own.first() } else { own.last() };
    let mut rest = book.queue(side).peekable();
    let mut seen = Vec::new();
    for (at, level) in book.depth(side).take(levels.max(MAX_QUEUE_LEVELS)).enumerate() {
        let is_beyond = farthest.is_none_or(|&farthest| match side {
            Side::Buy => level.price < farthest,
            Side::Sell => level.price > farthest,
        });
        if at >= levels && is_beyond {
            break;
        }
        let is_shown = at < levels || own.contains(&level.price);
        let mut first = Vec::new();
        while let Some(order) = rest.next_if(|order| order.price == level.price) {
            if is_shown && first.len() < orders {
                let own = order.user == USER;
                let number = if own { order.order.0 - FIRST_ORDER.min(order.order.0) } else { order.order.0 };
                first.push(QueueOrder { order: number, quantity: order.open, own });
            }
        }
        if is_shown {
            let (price, quantity) = (level.price, level.quantity);
            seen.push(QueueLevel { price, quantity, orders: level.orders, first });
        }
    }
    seen
}
