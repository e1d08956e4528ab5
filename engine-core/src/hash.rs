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
        // The product's high bits depend on all of the word; shifting mixes them into the low ones, which the table uses
        // too. All in 64 bits: WebAssembly has no wider product.
        let word = self.0 ^ word;
        let product = (word ^ (word >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 29);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }
}
