//! Where the events of functions come from: REST and WebSocket routes, streams, timers.
//!
//! Each source is a table or a loop over small traits, with an in-memory implementation where there is something to
//! keep, so that a server, a test and another platform's shell use the same one. Sources must not know what a function
//! does: they hand over, count, and say where an event went.

pub mod stream;
pub mod timer;

pub use edge_fns::routes;

use std::time::Duration;
use tokio::sync::watch;

/// Whether to stop; that nobody is left who could say so is a stop too.
pub(crate) fn stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Returns when told to stop.
async fn told_to_stop(stop: &watch::Receiver<bool>) {
    // An error says that nobody is left who could say so.
    let _ = stop.clone().wait_for(|stop| *stop).await;
}

/// Waits for this time; true if the process stops meanwhile.
pub(crate) async fn waited(time: Duration, stop: &watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        () = told_to_stop(stop) => true,
        () = tokio::time::sleep(time) => false,
    }
}
