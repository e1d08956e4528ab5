//! Numbers that look random and are the same everywhere.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on, below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(end) * (self.next() >> 32)) >> 32) as u32
    }

    /// From `first` to `last`, both included.
    pub fn within(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last - first + 1)
    }

    /// Whether one of `parts` in 10,000 came up.
    pub fn chance(&mut self, parts: u32) -> bool {
        self.below(10_000) < parts
    }

    pub fn pick(&mut self, from: &Quantiles) -> i32 {
        from.at(self.below(10_000) as i32)
    }
}

/// A distribution by its quantiles: (parts of 10,000 below, value), linear in between. The first is at 0, the last at
/// 10,000.
#[derive(Debug)]
pub struct Quantiles(pub &'static [(i32, i32)]);

impl Quantiles {
    fn at(&self, part: i32) -> i32 {
        let upper = self.0.partition_point(|&(from, _)| from <= part).min(self.0.len() - 1).max(1);
        let ((a, low), (b, high)) = (self.0[upper - 1], self.0[upper]);
        // Rounded down also below zero, so that every value has its full share.
        low + ((high - low) * (part - a)).div_euclid(b - a)
    }
}

/// Numbers from 0 on, the first the most often: 1, 1/2, 1/3, …
#[derive(Debug)]
pub struct Zipf(Vec<u64>);

impl Zipf {
    pub fn new(count: u32) -> Zipf {
        let weights = (1..=u64::from(count)).map(|rank| (1 << 40) / rank);
        Zipf(
            weights
                .scan(0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect(),
        )
    }

    pub fn pick(&self, random: &mut Random) -> u32 {
        let all = self.0.last().copied().unwrap_or(1);
        let at = (u128::from(all) * u128::from(random.next())) >> 64;
        self.0.partition_point(|&sum| u128::from(sum) <= at) as u32
    }
}
