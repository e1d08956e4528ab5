//! How long to wait before the next attempt to connect.

/// The first retry is quick: servers end connections after their life time.
const FIRST_MS: u32 = 300;
const LONGEST_MS: u32 = 15_000;

/// Doubling waits, each shortened by up to a half, so that many pages do not return at one moment. `jitter` is in 0..1.
pub fn wait_ms(failures: u32, jitter: f64) -> u32 {
    let full = FIRST_MS.saturating_mul(1 << failures.min(16)).min(LONGEST_MS);
    let kept = 1.0 - jitter.clamp(0.0, 1.0) / 2.0;
    (f64::from(full) * kept) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        assert_eq!(wait_ms(0, 0.0), 300);
        assert_eq!(wait_ms(1, 0.0), 600);
        assert_eq!(wait_ms(3, 0.5), 1800);
        assert_eq!(wait_ms(40, 0.0), LONGEST_MS);
        assert_eq!(wait_ms(40, 1.0), LONGEST_MS / 2);
    }
}
