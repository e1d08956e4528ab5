//! A hasher for ids: one multiplication, the same everywhere, no secret. Ids are given out by the host, not by an
//! attacker, and nothing ever iterates over a map in hash order.

use core::hash::{BuildHasherDefault, Hasher};

pub(crate) type BuildIdHasher = BuildHasherDefault<IdHasher>;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        // Folding the 128-bit product mixes the high bits, which the table uses, with the low ones.
        let product = u128::from(self.0 ^ word) * 0x9E37_79B9_7F4A_7C15_u128;
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ 0xA076_1D64_78BD_642F;
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }
}
