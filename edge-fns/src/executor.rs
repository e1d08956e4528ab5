//! Runs a future whose capabilities answer at once.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Polls once. `None` if the future waits, which it never does where every capability call returns only with its
/// answer: inside a component, and over the in-memory capabilities of the tests.
pub fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
