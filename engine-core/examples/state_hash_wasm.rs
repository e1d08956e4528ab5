//! `state_hash` as a bare WebAssembly module, for any runtime.
//!
//! ```text
//! cargo build --release -p engine-core --example state_hash_wasm --target wasm32-unknown-unknown
//! ```
#![allow(unsafe_code)] // Only for the names of the exports: the linker must find them as they are written here.

use std::sync::{Mutex, PoisonError};

#[allow(dead_code)] // Its `main` is for the native program.
#[path = "state_hash.rs"]
mod program;

static LINE: Mutex<String> = Mutex::new(String::new());

/// Runs the flow of this seed; answers the address of the line that the native program prints.
#[unsafe(no_mangle)]
pub extern "C" fn state_hash(seed: u64, commands: u64) -> *const u8 {
    let mut line = LINE.lock().unwrap_or_else(PoisonError::into_inner);
    *line = program::run(seed, commands);
    line.as_ptr()
}

/// How many bytes that line has.
#[unsafe(no_mangle)]
pub extern "C" fn length() -> usize {
    LINE.lock().unwrap_or_else(PoisonError::into_inner).len()
}
