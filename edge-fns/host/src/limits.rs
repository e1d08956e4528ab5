//! What one call of a component may use.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the start of a call to its answer, waiting for back ends included.
    pub wall: Duration,
    /// Time that the component itself computes without calling the host.
    pub cpu: Duration,
    /// Linear memory of one instance.
    pub memory_bytes: usize,
    /// Bytes of one answer, and of one call from the component to a back end.
    pub output_bytes: usize,
    /// Calls that run at the same time; more of them wait for their turn within their `wall` time.
    pub concurrent: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wall: Duration::from_secs(5),
            cpu: Duration::from_millis(500),
            memory_bytes: 32 << 20,
            output_bytes: 4 << 20,
            concurrent: 256,
        }
    }
}
