//! W5, one order that takes 10,000 levels.

use crate::flow::{Builder, Flow, Kind, Side};

pub const LEVELS: u32 = 10_000;
const QUANTITY: u32 = 10;

pub fn flow() -> Flow {
    let mut flow = Builder::new(1);
    for level in 0..LEVELS {
        flow.add(0, Side::Sell, Kind::Gtc, 10_000 + level, QUANTITY);
    }
    flow.preloaded();
    flow.add(0, Side::Buy, Kind::Ioc, 10_000 + LEVELS, LEVELS * QUANTITY);
    flow.finish()
}
