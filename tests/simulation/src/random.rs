//! Randomness from a seed, in integers.

/// SplitMix64: small, and good enough for arrivals.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scatter(self.0)
    }

    /// Below `n`, evenly; 0 where `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// The wait until the next of events that come independently of one another, `mean` apart on average.
    ///
    /// Von Neumann's way, which compares and never computes a logarithm: numbers are drawn for as long as they fall. Where the run's
    /// length is odd, its first number is the fraction of the wait; where it is even, the wait is one mean longer.
    pub fn wait(&mut self, mean: u64) -> u64 {
        let mut whole = 0u64;
        loop {
            let first = self.bits();
            let (mut last, mut run) = (first, 1u32);
            loop {
                let next = self.bits();
                if next >= last {
                    break;
                }
                (last, run) = (next, run + 1);
            }
            if run % 2 == 1 {
                let fraction = ((u128::from(first) * u128::from(mean)) >> 64) as u64;
                return whole.saturating_mul(mean).saturating_add(fraction);
            }
            whole += 1;
        }
    }
}

/// Spreads a number over all of 64 bits.
pub fn scatter(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Chooses among things of different weight.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Sums of the weights up to and with each.
    sums: Vec<u64>,
}

impl Weighted {
    pub fn new(weights: &[u64]) -> Weighted {
        let sums = weights.iter().scan(0u64, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Weighted { sums: sums.collect() }
    }

    pub fn choose(&self, random: &mut Random) -> usize {
        let at = random.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|sum| *sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_course() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| random.wait(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn waits_have_the_mean_and_the_spread_of_independent_events() {
        let mut random = Random::new(1);
        let waits: Vec<u64> = (0..200_000).map(|_| random.wait(10_000)).collect();
        let mean = waits.iter().sum::<u64>() / 200_000;
        assert!((9_900..10_100).contains(&mean), "{mean}");
        // e^-1 of them are longer than the mean, e^-3 longer than three of it.
        let longer = |than| waits.iter().filter(|wait| **wait > than).count();
        assert!((72_500..74_700).contains(&longer(10_000)), "{}", longer(10_000));
        assert!((9_500..10_400).contains(&longer(30_000)), "{}", longer(30_000));
    }

    #[test]
    fn weights_are_kept() {
        let (weighted, mut random) = (Weighted::new(&[1, 0, 3]), Random::new(3));
        let mut counts = [0u32; 3];
        for _ in 0..40_000 {
            counts[weighted.choose(&mut random)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((9_600..10_400).contains(&counts[0]), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }
}
