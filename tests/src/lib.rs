//! Tests of the whole exchange: the built program is started on a free port in a folder of its own, and talked to as
//! anybody would, over HTTP and WebSocket.
//!
//! - [`Exchange`]: starts, kills, restarts and removes it · [`Client`], [`Socket`]: one user's way in
//! - [`servers`]: what an exchange on many machines stands on, with `SUPERNOBA_BACKENDS=production`
//! - [`load`]: what users do all at once · [`stream_proxy`]: faults of a stream · [`reference`]: what the core makes of a stream
//! - [`books`]: what must add up · [`Document`]: what `openapi.json` promises
//!
//! Nothing here looks at the clock to judge: waits are for conditions, with a time-out that only ends a hopeless test.

pub mod books;
mod client;
mod document;
mod exchange;
pub mod load;
mod production;
pub mod reference;
pub mod servers;
mod socket;
pub mod stream_proxy;

pub use client::{Answer, Client};
pub use document::Document;
pub use exchange::Exchange;
pub use production::Production;
pub use socket::Socket;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a condition may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "it never happened that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The folder of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository").into()
}

/// SplitMix64: the same numbers for the same seed, so that a failure can be repeated.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below the limit, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % limit
    }
}
