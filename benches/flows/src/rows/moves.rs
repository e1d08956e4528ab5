//! W6, the shape of exchange-core's own benchmark: one book of about 1,000 orders on about 750 prices; 82 % of the
//! commands move an order to another price, 9 % are new orders, 6 % cancels, 3 % take at once; about 6 % trade.

use crate::flow::{Builder, Flow, Kind, OrderNumber, Side};
use crate::random::Random;

const ORDERS: usize = 1_000;
const MIDDLE: u32 = 100_000;
/// Prices a side. 1,000 orders thrown on twice as many prices leave about a quarter of themselves on shared ones.
const PRICES: u32 = 825;

pub fn flow(commands: usize) -> Flow {
    let mut random = Random::new(6);
    let mut flow = Builder::new(1);
    while flow.len() < ORDERS {
        rest(&mut random, &mut flow);
    }
    flow.preloaded();
    while flow.len() < commands {
        match random.below(100) {
            0..82 => step_move(&mut random, &mut flow),
            82..91 => rest(&mut random, &mut flow),
            91..97 => {
                if let Some(order) = any(&mut random, &flow) {
                    flow.cancel(0, order);
                }
            }
            _ => take(&mut random, &mut flow),
        }
    }
    flow.finish()
}

fn any(random: &mut Random, flow: &Builder) -> Option<OrderNumber> {
    let live = flow.venue.live();
    (!live.is_empty()).then(|| live.at(random.below(live.len() as u32) as usize))
}

fn rest(random: &mut Random, flow: &mut Builder) {
    let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
    let price = waiting(side, random);
    flow.add(0, side, Kind::Gtc, price, random.within(1, 100));
}

/// A price on the order's own side of the middle.
fn waiting(side: Side, random: &mut Random) -> u32 {
    let distance = random.within(1, PRICES);
    if side == Side::Buy { MIDDLE - distance } else { MIDDLE + distance }
}

fn step_move(random: &mut Random, flow: &mut Builder) {
    let Some(order) = any(random, flow) else { return };
    let Some(was) = flow.venue.resting(order) else { return };
    let best = flow.venue.front(0, was.side.opposite(), 1).first().copied();
    let best = best.and_then(|order| flow.venue.resting(order));
    let mut price = match best {
        // Now and then the move ends in a trade.
        Some(best) if random.chance(370) => best.price,
        _ => waiting(was.side, random),
    };
    if price == was.price {
        price = if was.side == Side::Buy { price - 1 } else { price + 1 };
    }
    flow.replace(0, order, price, was.open);
}

/// Takes from the best order: more while there are too many, so that their number stays.
fn take(random: &mut Random, flow: &mut Builder) {
    let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
    let front = flow.venue.front(0, side.opposite(), 2);
    let mut best = front.iter().filter_map(|&order| flow.venue.resting(order));
    let Some(first) = best.next() else { return };
    let (price, quantity) = match best.next() {
        Some(second) if flow.venue.live().len() > ORDERS => (second.price, first.open + second.open),
        _ => (first.price, first.open.div_ceil(2)),
    };
    flow.add(0, side, Kind::Ioc, price, quantity);
}
