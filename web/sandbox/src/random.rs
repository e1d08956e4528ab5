//! Numbers that look random and are the same on every machine: integers only, since logarithms and powers of floating point differ
//! between libraries.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on, below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(end) * u128::from(self.bits())) >> 64) as u64
    }

    /// From `first` to `last`, both included.
    pub fn within(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// An exponentially distributed time of this mean: the wait for the next of many independent events.
    pub fn wait(&mut self, mean: u64) -> u64 {
        ((u128::from(mean) * u128::from(minus_ln(self.bits()))) >> 32) as u64
    }
}

/// ln 2 with 32 binary places.
const LN_2: u64 = 2_977_044_472;
/// Binary places of the logarithm that are worked out.
const PLACES: u32 = 24;

/// -ln(x / 2⁶⁴) with 32 binary places, rounded down to about 2⁻²⁴.
fn minus_ln(x: u64) -> u64 {
    let x = x | 1;
    let zeros = x.leading_zeros();
    // Between 1 and 2, with 63 binary places. Each squaring doubles the logarithm and so shows its next digit.
    let mut value = x << zeros;
    let mut digits = 0u64;
    for _ in 0..PLACES {
        let square = (u128::from(value) * u128::from(value)) >> 63;
        digits <<= 1;
        if square >> 64 != 0 {
            digits |= 1;
            value = (square >> 1) as u64;
        } else {
            value = square as u64;
        }
    }
    // log2(x) is 63 - zeros + digits / 2^PLACES.
    let minus_log2 = (u64::from(zeros) + 1) * (1 << 32) - (digits << (32 - PLACES));
    ((u128::from(minus_log2) * u128::from(LN_2)) >> 32) as u64
}

/// 2^(-1/2), 2^(-1/4), … with 32 binary places.
const ROOTS: [u64; 16] = [
    3_037_000_500,
    3_611_622_603,
    3_938_502_376,
    4_112_874_773,
    4_202_935_003,
    4_248_701_965,
    4_271_771_996,
    4_283_353_945,
    4_289_156_690,
    4_292_061_010,
    4_293_513_907,
    4_294_240_540,
    4_294_603_903,
    4_294_785_595,
    4_294_876_445,
    4_294_921_870,
];

/// `value` × 2^(-`halvings` / 2¹⁶): what is left of it after so many half-lives.
pub fn decayed(value: u64, halvings: u64) -> u64 {
    let whole = halvings >> 16;
    if whole >= 64 {
        return 0;
    }
    let mut factor = 1u64 << 32;
    for (n, root) in ROOTS.iter().enumerate() {
        if halvings >> (15 - n) & 1 == 1 {
            factor = (factor * root) >> 32;
        }
    }
    ((u128::from(value) * u128::from(factor)) >> 32) as u64 >> whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_and_powers_are_near_the_real_ones() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            let x = random.bits() >> random.below(40);
            let real = -((x | 1) as f64 / 2f64.powi(64)).ln();
            let ours = minus_ln(x) as f64 / 2f64.powi(32);
            assert!((real - ours).abs() < 1e-6 * real.max(1.0), "{x}: {real} {ours}");
            let halvings = random.below(8 << 16);
            let real = 1e9 * 2f64.powf(-(halvings as f64) / 65_536.0);
            let ours = decayed(1_000_000_000, halvings) as f64;
            assert!((real - ours).abs() < 3.0, "{halvings}: {real} {ours}");
        }
    }

    #[test]
    fn waits_have_their_mean() {
        let mut random = Random::new(7);
        let sum: u64 = (0..100_000).map(|_| random.wait(1_000)).sum();
        assert!((99_000_000..101_000_000).contains(&sum), "{sum}");
    }

    #[test]
    fn numbers_stay_within() {
        let mut random = Random::new(3);
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| (5..=7).contains(&random.within(5, 7))));
    }
}
