//! Which shard a symbol is on, and how many shards the symbols of a market need.

use crate::random::scatter;

/// Part of the hash's range: from here up to the next shard's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Ascending; the first is 0.
    starts: Vec<u64>,
}

/// One symbol is more than a shard takes: no split helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHot {
    pub symbol: usize,
}

fn hash(symbol: usize) -> u64 {
    scatter(symbol as u64 + 1)
}

impl Layout {
    /// Equal parts, as a stream begins.
    pub fn even(shards: u64) -> Layout {
        let part = u64::MAX / shards.max(1);
        Layout { starts: (0..shards.max(1)).map(|n| n * part).collect() }
    }

    pub fn shards(&self) -> usize {
        self.starts.len()
    }

    pub fn shard(&self, symbol: usize) -> usize {
        self.starts.partition_point(|start| *start <= hash(symbol)) - 1
    }

    pub fn loads(&self, loads: &[u64]) -> Vec<u64> {
        let mut sums = vec![0; self.shards()];
        for (symbol, load) in loads.iter().enumerate() {
            sums[self.shard(symbol)] += load;
        }
        sums
    }

    /// Splits the fullest shard where its load halves, again and again, until none is over the limit: what the runbook says.
    pub fn split_until(mut self, loads: &[u64], limit: u64) -> Result<Layout, TooHot> {
        loop {
            let sums = self.loads(loads);
            let Some((fullest, sum)) = sums.iter().enumerate().max_by_key(|(_, sum)| **sum) else {
                return Ok(self);
            };
            if *sum <= limit {
                return Ok(self);
            }
            let mut own: Vec<(u64, usize)> = (0..loads.len())
                .filter(|s| loads[*s] > 0 && self.shard(*s) == fullest)
                .map(|s| (hash(s), s))
                .collect();
            own.sort_unstable();
            if own.len() < 2 {
                return Err(TooHot { symbol: own.first().map_or(0, |(_, symbol)| *symbol) });
            }
            // The cut that leaves the two halves most alike.
            let (mut left, mut best) = (0, (u64::MAX, 0));
            for (at, symbol) in own.iter().skip(1).zip(&own).map(|(next, this)| (next.0, this.1)) {
                left += loads[symbol];
                best = best.min((left.abs_diff(sum - left), at));
            }
            self.starts.insert(fullest + 1, best.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_stays_where_it_is_while_other_shards_are_split() {
        let loads: Vec<u64> = (0..200).map(|n| 1_000 / (n + 1)).collect();
        let before = Layout::even(4);
        let after = before.clone().split_until(&loads, 1_200).unwrap();
        assert!(after.shards() > 4);
        for symbol in 0..200 {
            let (from, to) = (before.starts[before.shard(symbol)], after.starts[after.shard(symbol)]);
            assert!(to >= from, "a child begins within its parent");
        }
    }

    #[test]
    fn one_symbol_that_is_too_much_is_named() {
        let mut loads = vec![10; 50];
        loads[17] = 5_000;
        assert_eq!(Layout::even(4).split_until(&loads, 1_000), Err(TooHot { symbol: 17 }));
    }

    #[test]
    fn nothing_to_do_changes_nothing() {
        assert_eq!(Layout::even(4).split_until(&[1, 2, 3], 100), Ok(Layout::even(4)));
        assert_eq!(Layout::even(0).split_until(&[], 100), Ok(Layout::even(1)));
    }
}
