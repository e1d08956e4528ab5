//! What the sandbox comes to natively: `sandbox_walk SEED STEPS` prints hashes, `sandbox_walk speed STEPS` a table.

use sandbox::generate::Kind;
use sandbox::measure::{Figures, speed, walk};
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let steps = arguments.next().and_then(|steps| steps.parse().ok()).unwrap_or(20_000);
    if what == "speed" {
        let start = Instant::now();
        println!("{}", Figures::head());
        for kind in Kind::ALL {
            println!("{}", speed(kind, steps, || start.elapsed().as_secs_f64() * 1e3).line());
        }
    } else {
        print!("{}", walk(what.parse().unwrap_or(1), steps));
    }
}
