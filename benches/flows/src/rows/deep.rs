//! W3, the deep book: levels side by side from the middle outwards with ten orders each, and a wide gap between the
//! sides, into which the best price jumps and out of which it falls back.

use super::Size;
use crate::flow::{Builder, Flow, Kind, Side};
use crate::random::Random;

const ORDERS_A_LEVEL: u32 = 10;
/// The sides' own levels begin here and go outwards; prices between are free.
const BEST_BID: u32 = 1_000_000;
const BEST_ASK: u32 = 1_200_000;
/// The most levels that one order sweeps.
const SWEPT: u32 = 4;

pub fn flow(size: Size) -> Flow {
    let levels_a_side = match size {
        Size::Full => 50_000,
        Size::Quick => 10_000,
    };
    let orders = 2 * levels_a_side * ORDERS_A_LEVEL;
    let mut random = Random::new(3);
    let mut flow = Builder::new(1);
    for n in 0..orders {
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        rest(side, levels_a_side, &mut random, &mut flow);
    }
    flow.preloaded();
    while flow.len() < size.commands() {
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        match random.below(1_000) {
            // Far better than all others of its side.
            0..10 => {
                let depth = random.within(1, 90_000);
                let price = if side == Side::Buy { BEST_BID + depth } else { BEST_ASK - depth };
                flow.add(0, side, Kind::Gtc, price, random.within(1, 100));
            }
            // The best few levels are taken,
            10..14 => {
                let levels = random.within(1, SWEPT) as usize;
                let front = flow.venue.front(0, side.opposite(), levels);
                let resting = front.iter().filter_map(|&order| flow.venue.resting(order));
                let (price, quantity) = resting.fold((0, 0), |(_, sum), one| (one.price, sum + one.open));
                if quantity > 0 {
                    flow.add(0, side, Kind::Ioc, price, quantity);
                }
            }
            // or are taken back.
            14..18 => {
                for order in flow.venue.front(0, side, 2) {
                    flow.cancel(0, order);
                }
            }
            _ if flow.venue.live().len() > orders as usize => {
                let place = random.below(flow.venue.live().len() as u32);
                let order = flow.venue.live().at(place as usize);
                flow.cancel(0, order);
            }
            _ => rest(side, levels_a_side, &mut random, &mut flow),
        }
    }
    flow.finish()
}

fn rest(side: Side, levels: u32, random: &mut Random, flow: &mut Builder) {
    let level = random.below(levels);
    let price = if side == Side::Buy { BEST_BID - level } else { BEST_ASK + level };
    flow.add(0, side, Kind::Gtc, price, random.within(1, 100));
}
