//! The core's side of the rows as a bare WebAssembly module: the same generators and the same loop as natively.
//!
//! The host calls `prepare_…` once for a row, untimed, and then `run_…` as often as it likes. This crate must not do
//! anything else: it imports nothing.
#![allow(unsafe_code)] // Only for the names of the exports: the host must find them as they are written here.

use flows::ours::Prepared;
use flows::rows::{Row, Size};
use std::cell::RefCell;

thread_local! {
    static PREPARED: RefCell<Vec<(Row, Prepared)>> = const { RefCell::new(Vec::new()) };
}

/// Makes a row's flow; answers its commands.
fn prepare(row: Row, quick: u32) -> u32 {
    let size = if quick == 0 { Size::Full } else { Size::Quick };
    let prepared = Prepared::new(row, size);
    let commands = prepared.commands() as u32;
    PREPARED.with_borrow_mut(|all| {
        all.retain(|(other, _)| *other != row);
        all.push((row, prepared));
    });
    commands
}

/// Runs a row's flow on fresh books; answers its fills.
fn run(row: Row) -> u32 {
    PREPARED.with_borrow(|all| {
        let found = all.iter().find(|(other, _)| *other == row);
        found.map_or(0, |(_, prepared)| prepared.run() as u32)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn prepare_w1(quick: u32) -> u32 {
    prepare(Row::W1, quick)
}

#[unsafe(no_mangle)]
pub extern "C" fn prepare_w2(quick: u32) -> u32 {
    prepare(Row::W2, quick)
}

#[unsafe(no_mangle)]
pub extern "C" fn prepare_w6(quick: u32) -> u32 {
    prepare(Row::W6, quick)
}

#[unsafe(no_mangle)]
pub extern "C" fn run_w1() -> u32 {
    run(Row::W1)
}

#[unsafe(no_mangle)]
pub extern "C" fn run_w2() -> u32 {
    run(Row::W2)
}

#[unsafe(no_mangle)]
pub extern "C" fn run_w6() -> u32 {
    run(Row::W6)
}
