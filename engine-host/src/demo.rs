//! A living market for newcomers: one market maker a symbol and a few noise traders, through the front door.
//!
//! They are test users like any other, with the demo balance like any other. The market maker quotes a few levels around
//! a fair price that wanders; the noise traders take and leave quotes. Randomness is a small generator with a fixed
//! seed, so that every demo begins alike.

use crate::client::{Client, Order};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

const LEVELS: u64 = 8;
const NOISE_TRADERS: u64 = 3;

/// Starts the traders; they end with the task.
pub fn start(address: SocketAddr, symbols: &[String]) -> JoinHandle<()> {
    let symbols = symbols.to_vec();
    tokio::spawn(async move {
        let client = match Client::new(&format!("http://{address}")) {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "no demo"),
        };
        // Dropped, and so ended, together with this task.
        let mut traders = tokio::task::JoinSet::new();
        for (n, symbol) in (1u64..).zip(symbols) {
            let fair = [10_000, 52_300, 1_450][n as usize % 3];
            traders.spawn(make_market(client.clone(), symbol.clone(), fair, n));
            for trader in 0..NOISE_TRADERS {
                traders.spawn(trade_noise(client.clone(), symbol.clone(), trader, n * 100 + trader));
            }
        }
        traders.join_all().await;
    })
}

/// Moves the fair price a tick at a time and keeps fresh quotes around it.
async fn make_market(client: Client, symbol: String, start: u64, seed: u64) {
    let mut random = Random::new(seed);
    let maker = client.test_user(&format!("demo-maker-{}", symbol.to_lowercase().replace(['.', '_'], "-")));
    let mut fair = start;
    let mut quotes: Vec<String> = Vec::new();
    loop {
        let step = start / 2000 + 1;
        fair = match random.below(5) {
            0 | 1 => fair + random.below(step) + 1,
            2 | 3 => fair.saturating_sub(random.below(step) + 1).max(LEVELS + 2),
            _ => fair,
        };
        for old in quotes.drain(..) {
            // A quote that has been filled meanwhile refuses: that is its end as well.
            report(maker.cancel(&old).await);
        }
        for level in 1..=LEVELS {
            for buy in [true, false] {
                let price = if buy { fair - level } else { fair + level };
                let quantity = 5 + random.below(20) * level;
                let order = Order { symbol: &symbol, buy, order_type: "LIMIT", tif: "GTC", price, quantity };
                if let Some(answer) = report(maker.order(&order).await)
                    && let Some(id) = answer["order_id"].as_str()
                {
                    quotes.push(id.into());
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(900 + random.below(600))).await;
    }
}

async fn trade_noise(client: Client, symbol: String, trader: u64, seed: u64) {
    let mut random = Random::new(seed);
    let name = format!("demo-noise-{}-{trader}", symbol.to_lowercase().replace(['.', '_'], "-"));
    let user = client.test_user(&name);
    loop {
        tokio::time::sleep(Duration::from_millis(150 + random.below(1200))).await;
        let buy = random.below(2) == 0;
        let quantity = 1 + random.below(25);
        let order = Order { symbol: &symbol, buy, order_type: "MARKET", tif: "IOC", price: 0, quantity };
        report(user.order(&order).await);
    }
}

/// Logs what did not work; the demo goes on.
fn report(answer: anyhow::Result<crate::client::Answer>) -> Option<serde_json::Value> {
    match answer {
        Ok(answer) if answer.is_ok() => return Some(answer.body),
        Ok(answer) => tracing::debug!(code = answer.code(), "the demo was refused"),
        Err(error) => tracing::debug!(%error, "the demo got no answer"),
    }
    None
}

/// SplitMix64: enough for noise.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % limit.max(1)
    }
}
