//! Where the page trades: the exchange that serves it, unless something else takes its place.

use super::App;
use crate::logic::ticket::Request;

/// Another place to trade at. What came of an order is told through the stores.
pub trait Venue {
    fn place(&self, app: App, request: Request);
    fn cancel(&self, app: App, id: &str);
    fn cancel_all(&self, app: App);
    /// Another price, or another open quantity, or both.
    fn amend(&self, app: App, id: &str, price: Option<u64>, quantity: Option<u64>);
}
