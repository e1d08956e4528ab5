//! Runs W2 once for an instruction counter, which starts with `measured_w2`: 200,000 commands after 50,000 that warm up.
//! Prints how many commands were measured. It must not read a clock.

use flows::ours::Prepared;
use flows::rows::{Row, Size};
use std::hint::black_box;

const WARM_UP: usize = 50_000;
const MEASURED: usize = 200_000;

fn main() {
    let prepared = Prepared::new(Row::W2, Size::Full);
    let mut desk = prepared.desk();
    prepared.warm_up(&mut desk, WARM_UP);
    prepared.measured_w2(&mut desk, WARM_UP, WARM_UP + MEASURED);
    black_box(&desk);
    println!("{MEASURED}");
}
