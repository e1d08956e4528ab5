//! The sandbox in a Web Worker: bytes of the protocol in, bytes of the protocol out. `web/static/sandbox-worker.js` posts them.
//!
//! A slice of work ends after a few milliseconds, so that calls are answered while the worker plays.

use sandbox::generate::Kind;
use sandbox::host::{Host, Pace};
use sandbox::measure::{self, Figures};
use sandbox::protocol::{Call, Message, Notice, Reply, decode, encode};
use wasm_bindgen::prelude::wasm_bindgen;

/// Steps between two looks at the clock.
const BATCH: u64 = 2_048;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// A worker's whole state.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sandbox {
    host: Host,
    /// The page has been told that there is something new, and has not looked since.
    told: bool,
}

#[wasm_bindgen]
impl Sandbox {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Sandbox {
        Sandbox::default()
    }

    /// Answers the bytes of one [`Call`] with those of one [`Message`].
    pub fn call(&mut self, bytes: &[u8]) -> Vec<u8> {
        #[cfg(target_arch = "wasm32")]
        self.host.tell_memory(core::arch::wasm32::memory_size(0) as u64 * (64 << 10));
        let message = match decode::<Call>(bytes) {
            Ok(Call { id, request }) => Message::Reply { id, reply: self.host.answer(request) },
            Err(_) => Message::Reply {
                id: 0,
                reply: Reply::Refused { code: "sandbox_bad_call".into(), detail: String::new() },
            },
        };
        self.told = self.told && self.host.has_news();
        encode(&message)
    }

    /// Works for about so many milliseconds, if there is something to do.
    pub fn work(&mut self, slice_ms: f64) {
        let start = now();
        loop {
            let time = now();
            self.host.work((time * 1_000.0) as u64, BATCH);
            if self.host.pace() != Pace::Now || time - start >= slice_ms {
                break;
            }
        }
    }

    /// In how many milliseconds to work again: 0 at once, below 0 after the next call.
    pub fn pause_ms(&self) -> i32 {
        match self.host.pace() {
            Pace::Now => 0,
            Pace::Soon => 8,
            Pace::Never => -1,
        }
    }

    /// What the page is to be told without having called; nothing where it knows.
    pub fn notice(&mut self) -> Option<Vec<u8>> {
        let news = self.host.has_news() && !self.told;
        self.told |= news;
        news.then(|| encode(&Message::Notice(Notice::Changed)))
    }
}

/// See [`sandbox::measure::walk`]: what a native program says of the same seed.
#[wasm_bindgen]
pub fn walk(seed: u32, steps: u32) -> String {
    sandbox::measure::walk(seed.into(), steps)
}

/// A table of how fast this machine plays flows.
#[wasm_bindgen]
pub fn speed(steps: u32) -> String {
    let lines = Kind::ALL.map(|kind| measure::speed(kind, steps, now).line());
    format!("{}\n{}\n", Figures::head(), lines.join("\n"))
}
