//! Times, and which of them most stay below.

use crate::Time;

/// In steps of a sixteenth of a power of two: percentiles are right to 7 %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Time,
}

const FINE: u32 = 4;

fn step(time: Time) -> usize {
    let log = 63 - (time | 1).leading_zeros();
    if log < FINE {
        return time as usize;
    }
    (((log - FINE + 1) as usize) << FINE) + ((time >> (log - FINE)) as usize & ((1 << FINE) - 1))
}

/// The largest time of a step.
fn upper(step: usize) -> Time {
    let (group, within) = ((step >> FINE) as u32, (step & ((1 << FINE) - 1)) as u64);
    if group == 0 {
        return within;
    }
    let base = ((1u64 << FINE) + within) << (group - 1);
    base + ((1u64 << (group - 1)) - 1)
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; step(Time::MAX) + 1], total: 0, max: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, time: Time) {
        self.counts[step(time)] += 1;
        self.total += 1;
        self.max = self.max.max(time);
    }

    pub fn count(&self) -> u64 {
        self.total
    }

    pub fn max(&self) -> Time {
        self.max
    }

    /// The time that so many per mille do not exceed; 0 where there is none.
    pub fn per_mille(&self, per_mille: u64) -> Time {
        let rank = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000) as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return upper(step).min(self.max);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_step() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.per_mille(500), 0);
        (1..=10_000).for_each(|time| histogram.add(time));
        for (per_mille, right) in [(500, 5_000u64), (990, 9_900), (999, 9_990)] {
            let found = histogram.per_mille(per_mille);
            assert!(found >= right && found <= right + right / 14, "{per_mille}: {found}");
        }
        assert_eq!(histogram.per_mille(1000), 10_000);
        assert_eq!((histogram.max(), histogram.count()), (10_000, 10_000));
    }

    #[test]
    fn every_time_has_its_step() {
        for time in [0, 1, 15, 16, 17, 31, 32, 33, 1_000, 123_456_789, Time::MAX] {
            assert!(upper(step(time)) >= time, "{time}");
            assert!(time == 0 || upper(step(time) - 1) < time, "{time}");
        }
    }
}
