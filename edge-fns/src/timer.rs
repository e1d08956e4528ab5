//! What a timer function is given.
//!
//! It answers `Ok` when there is nothing left to do now, or the error that kept it from its work. It may be called twice
//! for one time, for none at all, and at two places at once, so each of its steps may be repeated, and it never depends on
//! how long ago it ran.

use crate::capability::Millis;

/// A time that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub name: String,
    /// The time that it was set for.
    pub due: Millis,
}
