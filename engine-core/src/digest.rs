//! One number for a state or for a run, to be compared between machines.

use crate::market::Market;
use crate::snapshot::encode_market;

/// FNV-1a of 128 bits. Equal bytes give equal digests everywhere; it keeps no secret and proves nothing against somebody who wants two
/// states to look alike.
///
/// ```
/// use engine_core::digest::{Digest, state_hash};
/// use engine_core::market::Market;
///
/// let mut digest = Digest::default();
/// digest.bytes(b"a");
/// assert_eq!(format!("{:032x}", digest.value()), "d228cb696f1a8caf78912b704e4a8964");
/// assert_eq!(state_hash(&Market::default()), state_hash(&Market::default()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u128);

impl Default for Digest {
    fn default() -> Self {
        Digest(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Digest {
    /// Takes in more bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    /// Takes in numbers, 8 bytes each, little-endian.
    pub fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.bytes(&number.to_le_bytes()));
    }

    /// Of everything so far.
    pub fn value(self) -> u128 {
        self.0
    }
}

/// The digest of a market's snapshot: book, phase, candle, day and the numbers of its events. Equal for equal histories, on
/// every machine, whether the market was restored on the way or not.
pub fn state_hash(market: &Market) -> u128 {
    let mut digest = Digest::default();
    digest.bytes(&encode_market(market));
    digest.value()
}
