//! The same walk on every machine, to compare states by; and how fast it goes.

use crate::generate::{Kind, Parameters, generate};
use crate::session::{Goal, OPENING, Session, Speed};
use engine_core::command::NewOrder;
use engine_core::types::{OrderId, Side, UserId};

/// Plays flows of every kind forward and back, with orders in between, and answers the states' hashes, a line each. Equal
/// everywhere.
pub fn walk(seed: u64, steps: u32) -> String {
    let mut lines = String::new();
    for kind in Kind::ALL {
        let flow = generate(Parameters { kind, seed, steps, ..Parameters::default() });
        let mut session = Session::new(flow, OPENING);
        let mut place = |session: &Session, what: &str| {
            lines.push_str(&format!("{} {what} {:032x}\n", kind.as_str(), session.hash()));
        };
        let all = u64::from(steps);
        session.seek_now(Goal::Position(all));
        place(&session, "alone");
        for (n, position) in [all / 4, all / 2, all * 3 / 4].into_iter().enumerate() {
            session.seek_now(Goal::Position(position));
            let side = if n == 1 { Side::Sell } else { Side::Buy };
            let order = match session.market().book().best(side) {
                Some(price) if n < 2 => NewOrder::limit(OrderId(0), UserId(0), side, price, 40),
                _ => NewOrder::market(OrderId(0), UserId(0), side, 25),
            };
            if session.order(&order).is_ok() {
                place(&session, "ordered");
            }
        }
        session.advance(0, Speed::Most, u64::MAX);
        place(&session, "with orders");
        session.seek_now(Goal::Position(all / 3));
        place(&session, "back");
    }
    lines
}

/// How fast one flow went.
#[derive(Clone, Debug)]
pub struct Figures {
    pub kind: Kind,
    pub commands_per_s: f64,
    pub with_orders_per_s: f64,
    pub worst_seek_ms: f64,
    pub flow_bytes: usize,
    pub keyframe_bytes: usize,
    pub hash: String,
}

/// Plays a flow as fast as possible, then goes to places all over it. `now_ms` is the caller's clock.
pub fn speed(kind: Kind, steps: u32, now_ms: impl Fn() -> f64) -> Figures {
    let flow = generate(Parameters { kind, steps, ..Parameters::default() });
    let all = u64::from(steps);
    let mut session = Session::new(flow, OPENING);
    let rate = |from: f64, count: u64| count as f64 * 1_000.0 / (now_ms() - from).max(0.001);
    let start = now_ms();
    while !session.at_end() {
        session.advance(0, Speed::Most, 4_096);
    }
    let commands_per_s = rate(start, all);
    let hash = format!("{:032x}", session.hash());
    let mut worst_seek_ms = 0f64;
    for n in 0..100u64 {
        let start = now_ms();
        // Strides that visit the whole of it, back and forth.
        session.seek_now(Goal::Position(n * 618_033 % 1_000_003 * all / 1_000_003));
        worst_seek_ms = worst_seek_ms.max(now_ms() - start);
    }
    session.seek_now(Goal::Position(all / 10));
    let bid = session.market().book().best(Side::Buy).unwrap_or(1);
    // Its own order rests far away: what is measured is the second market, not the order.
    let order = NewOrder::limit(OrderId(0), UserId(0), Side::Buy, (bid / 2).max(1), 1);
    let with_orders_per_s = match session.order(&order) {
        Ok(_) => {
            let start = now_ms();
            while !session.at_end() {
                session.advance(0, Speed::Most, 4_096);
            }
            rate(start, all - all / 10)
        }
        Err(_) => 0.0,
    };
    let (_, keyframe_bytes) = session.keyframes();
    let flow_bytes = session.flow().memory();
    Figures { kind, commands_per_s, with_orders_per_s, worst_seek_ms, flow_bytes, keyframe_bytes, hash }
}

impl Figures {
    /// One line of a table.
    pub fn line(&self) -> String {
        format!(
            "{:<18} {:>10.2} {:>14.2} {:>12.1} {:>9.1} {:>13.1}  {}",
            self.kind.as_str(),
            self.commands_per_s / 1e6,
            self.with_orders_per_s / 1e6,
            self.worst_seek_ms,
            self.flow_bytes as f64 / 1e6,
            self.keyframe_bytes as f64 / 1e6,
            &self.hash[..16],
        )
    }

    /// The table's head.
    pub fn head() -> String {
        format!(
            "{:<18} {:>10} {:>14} {:>12} {:>9} {:>13}  state",
            "flow", "M steps/s", "with orders", "seek ≤ ms", "flow MB", "keyframes MB"
        )
    }
}
