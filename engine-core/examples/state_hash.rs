//! One number for everything that a market does: runs seeded commands over all features and hashes what came of them.
//!
//! ```text
//! cargo run --release -p engine-core --example state_hash -- [COMMANDS [SEED]]
//! ```
//!
//! Hashed are every event as it is recorded, every change of a level and of an order, and the snapshots. Wherever this
//! runs (natively with and without optimisation, as WebAssembly in whatever runtime) it must print the same line.
//! `state_hash_wasm` is the same as a module.

use engine_core::codec::encode_event;
use engine_core::command::Command;
use engine_core::digest::Digest;
use engine_core::event::Event;
use engine_core::feed::{DepthChange, OrderChange, Report};
use engine_core::market::Market;
use engine_core::snapshot::{decode_market, encode_market};
use engine_core::types::Phase;
use generate::Flow;

#[allow(dead_code)]
#[path = "../tests/support/generate.rs"]
mod generate;

/// A snapshot is hashed after so many commands.
const SNAPSHOT: u64 = 10_000;
/// A market lives for so many commands. Then it is delisted, asked for a little more, and the next one comes.
const LIFE: u64 = 50_000;
const AFTERLIFE: u64 = 20;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| match arguments.next() {
        None => default,
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number")),
    };
    let commands = number(100_000);
    println!("{}", run(number(1), commands));
}

/// The line that must be the same everywhere.
pub fn run(seed: u64, commands: u64) -> String {
    let mut flow = Flow::new(seed);
    let mut market = Market::default();
    let mut report = Report::default();
    let mut bytes = Vec::new();
    let (mut told, mut states) = (Digest::default(), Digest::default());
    let (mut events, mut fills) = (0u64, 0u64);
    for n in 1..=commands {
        let (time, mut command) = flow.next();
        match n % LIFE {
            0 => market = Market::default(),
            at if at == LIFE - AFTERLIFE => command = Command::SetPhase(Phase::Delisted),
            _ => {}
        }
        report.clear();
        market.apply(time, &command, &mut report);
        bytes.clear();
        report.events.iter().for_each(|event| encode_event(event, &mut bytes));
        told.bytes(&bytes);
        report.depth.iter().for_each(|change| hash_depth(&mut told, change));
        report.orders.iter().for_each(|change| hash_order(&mut told, change));
        events += report.events.len() as u64;
        fills += report.events.iter().filter(|event| matches!(event, Event::Filled(_))).count() as u64;
        if n.is_multiple_of(SNAPSHOT) || n == commands {
            let snapshot = encode_market(&market);
            states.bytes(&snapshot);
            // Every other time the flow goes on with what was read back, so that this is hashed too.
            if n.is_multiple_of(2 * SNAPSHOT) {
                market = decode_market(&snapshot).expect("a snapshot that was just taken");
            }
        }
    }
    format!(
        "commands={commands} events={events} fills={fills} events_hash={:032x} snapshot_hash={:032x}",
        told.value(),
        states.value()
    )
}

fn hash_depth(hash: &mut Digest, change: &DepthChange) {
    let &DepthChange { side, price, quantity, orders } = change;
    hash.numbers(&[side as u64, price, quantity, u64::from(orders)]);
}

fn hash_order(hash: &mut Digest, change: &OrderChange) {
    match *change {
        OrderChange::Added { order, side, price, quantity } => {
            hash.numbers(&[0, order.0, side as u64, price, quantity]);
        }
        OrderChange::Changed { order, quantity } => hash.numbers(&[1, order.0, quantity]),
        OrderChange::Removed { order } => hash.numbers(&[2, order.0]),
    }
}
