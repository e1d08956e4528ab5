//! What a timer function is given.
//!
//! It answers `Ok` when there is nothing left to do now, or the error that kept it from its work. It may be called twice
//! for one time, for none at all, and at two places at once, so each of its steps may be repeated, and it never depends on
//! how long ago it ran.

use crate::capability::Millis;

/// Where a function begins that may not come to the end of what it goes through: with one of so many parts, and each time
/// with another, whatever its period is.
pub fn turn(now: Millis, parts: u64) -> u64 {
    // Fibonacci hashing: its high bits look random even for times at equal distances.
    (now.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % parts.max(1)
}

/// A time that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub name: String,
    /// The time that it was set for.
    pub due: Millis,
}
