//! How long a large book takes to become a snapshot and a market again, and how large the snapshot is.
//!
//! ```text
//! cargo run --release -p engine-core --example restore -- [ORDERS]
//! ```

use engine_core::command::{Command, NewOrder};
use engine_core::feed::Sink;
use engine_core::market::Market;
use engine_core::snapshot::{decode_market, encode_market};
use engine_core::types::{OrderId, Side, UserId};
use std::time::Instant;

/// Rounds; the best and the median of them are printed.
const ROUNDS: usize = 5;

struct Nobody;

impl Sink for Nobody {
    fn event(&mut self, _: engine_core::event::Event) {}
}

fn main() {
    let orders = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number of orders"));
    let mut market = Market::default();
    market.reserve(orders as usize);
    let mut random = 1u64;
    for n in 0..orders {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (away, user, quantity) =
            ((random >> 40) % 2_000, (random >> 20) % 10_000, (random >> 33) % 1_000);
        let (side, price) =
            if random >> 63 == 0 { (Side::Buy, 49_999 - away) } else { (Side::Sell, 50_000 + away) };
        let order = NewOrder::limit(OrderId(n + 1), UserId(user + 1), side, price, quantity + 1);
        market.apply(1_765_894_800_000, &Command::Add(order), &mut Nobody);
    }
    assert_eq!(market.book().len() as u64, orders, "none of them trades");

    let (mut encoding, mut decoding) = (vec![], vec![]);
    let mut bytes = vec![];
    for _ in 0..ROUNDS {
        bytes = timed(&mut encoding, || encode_market(&market));
        let restored = timed(&mut decoding, || decode_market(&bytes).expect("it was just written"));
        assert_eq!(restored.book().len(), market.book().len());
        assert_eq!(restored.book().checksum(), market.book().checksum());
    }
    let each = bytes.len() as f64 / orders as f64;
    println!("orders={orders} bytes={} bytes/order={each:.2}", bytes.len());
    for (name, mut times) in [("encode", encoding), ("decode", decoding)] {
        times.sort_by(f64::total_cmp);
        println!("{name}: median {:.1} ms, best {:.1} ms", times[ROUNDS / 2], times[0]);
    }
}

fn timed<T>(times: &mut Vec<f64>, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = run();
    times.push(started.elapsed().as_secs_f64() * 1e3);
    result
}
