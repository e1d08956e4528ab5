//! The core as a bare WebAssembly module that runs a golden flow: what the bench compares with the native core.
//!
//! The host writes a golden command file to where [`room`] points, calls [`load`] once, and then [`run`] as often as it
//! likes. Nothing but the core's work happens in `run`.
//!
//! ```text
//! cargo build --release -p engine-core --example flow_wasm --target wasm32-unknown-unknown
//! ```
#![allow(unsafe_code)] // Only for the names of the exports: the linker must find them as they are written here.

use engine_core::command::Command;
use engine_core::event::Event;
use engine_core::flow::{GOLDEN_HEADER, parse_golden};
use engine_core::market::Market;
use std::sync::{Mutex, PoisonError};

/// The flow's first millisecond; each command comes one later.
const START: u64 = 1_765_894_800_000;

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static COMMANDS: Mutex<Vec<Command>> = Mutex::new(Vec::new());

/// Makes room for a file of this many bytes and answers its address.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: usize) -> *mut u8 {
    let mut text = TEXT.lock().unwrap_or_else(PoisonError::into_inner);
    text.clear();
    text.resize(len, 0);
    text.as_mut_ptr()
}

/// Reads the file that was written there; answers how many commands it has, or 0 if it cannot be read.
#[unsafe(no_mangle)]
pub extern "C" fn load() -> usize {
    let text = TEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(text) = core::str::from_utf8(&text) else { return 0 };
    let lines = text.lines().filter(|line| !line.trim().is_empty() && line.trim_end() != GOLDEN_HEADER);
    let Ok(commands) = lines.map(parse_golden).collect::<Result<Vec<_>, _>>() else { return 0 };
    let mut loaded = COMMANDS.lock().unwrap_or_else(PoisonError::into_inner);
    *loaded = commands;
    loaded.len()
}

/// Runs the flow on an empty market; answers the number of fills.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u64 {
    let commands = COMMANDS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut market = Market::default();
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    let mut fills = 0;
    for (time, command) in (START..).zip(commands.iter()) {
        events.clear();
        market.apply(time, command, &mut events);
        fills += events.iter().filter(|event| matches!(event, Event::Filled(_))).count() as u64;
    }
    fills
}
