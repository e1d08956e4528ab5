//! Names that sort by the time they were made at.

use crate::capability::{Base, Millis};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 26;

/// `ord_` and 26 characters: 48 bits of milliseconds, 80 random bits, in Crockford's base 32.
pub fn order_id(base: &dyn Base) -> String {
    format!("ord_{}", sortable(base))
}

pub fn request_id(base: &dyn Base) -> String {
    format!("req_{}", sortable(base))
}

pub fn is_order_id(text: &str) -> bool {
    text.strip_prefix("ord_")
        .is_some_and(|id| id.len() == DIGITS && id.bytes().all(|b| CROCKFORD.contains(&b)))
}

/// What all ids made from this time on sort behind, without their prefix.
pub fn floor(time: Millis) -> String {
    encode(u128::from(time) << 80)
}

fn sortable(base: &dyn Base) -> String {
    let random = base.random(10).into_iter().fold(0u128, |bits, byte| bits << 8 | u128::from(byte));
    let bits = u128::from(base.now()) << 80 | random;
    encode(bits)
}

fn encode(bits: u128) -> String {
    (0..DIGITS).rev().map(|digit| char::from(CROCKFORD[(bits >> (5 * digit) & 31) as usize])).collect()
}
