//! W1, the shape of Liquibook's own benchmark: sides in turn, bids at 1880 + 0..9, asks at 1884 + 0..9, quantities of
//! 100 to 1000. What does not cross stays for good.

use crate::flow::{Builder, Flow, Kind, Side};
use crate::random::Random;

pub fn flow(commands: usize) -> Flow {
    let mut random = Random::new(1);
    let mut flow = Builder::new(1);
    for n in 0..commands {
        let (side, base) = if n % 2 == 0 { (Side::Buy, 1880) } else { (Side::Sell, 1884) };
        let price = base + random.below(10);
        flow.add(0, side, Kind::Gtc, price, random.within(1, 10) * 100);
    }
    flow.finish()
}
