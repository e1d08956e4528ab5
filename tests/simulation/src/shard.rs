//! A shard of a stream, with the service's limits.

use crate::Time;
use crate::figures::kinesis::{
    BATCH_BYTES, READ_BYTES_PER_S, READS_PER_S, RECORD_BYTES_PER_S, RECORDS_PER_S,
};
use std::collections::VecDeque;

/// So much a second, and no more than a second's worth saved up; below zero, what was given in advance. In millionths, so that
/// microseconds leave no remainder.
#[derive(Clone, Debug)]
struct Allowance {
    per_s: u64,
    left: i128,
    at: Time,
}

impl Allowance {
    fn new(per_s: u64) -> Allowance {
        Allowance { per_s, left: i128::from(per_s) * 1_000_000, at: 0 }
    }

    fn until(&mut self, now: Time) {
        let gained = i128::from(now.saturating_sub(self.at)) * i128::from(self.per_s);
        self.left = (self.left + gained).min(i128::from(self.per_s) * 1_000_000);
        self.at = self.at.max(now);
    }

    fn has(&self, amount: u64) -> bool {
        self.left >= i128::from(amount) * 1_000_000
    }

    fn take(&mut self, amount: u64) {
        self.left -= i128::from(amount) * 1_000_000;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<T> {
    /// 1 for the shard's first.
    pub sequence: u64,
    pub arrived: Time,
    pub bytes: u64,
    pub what: T,
}

/// The service says "not now".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled;

#[derive(Clone, Debug)]
pub struct Shard<T> {
    records: VecDeque<Record<T>>,
    last: u64,
    put_records: Allowance,
    put_bytes: Allowance,
    reads: Allowance,
    read_bytes: Allowance,
    pub throttled_puts: u64,
    pub throttled_reads: u64,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Shard {
            records: VecDeque::new(),
            last: 0,
            put_records: Allowance::new(RECORDS_PER_S),
            put_bytes: Allowance::new(RECORD_BYTES_PER_S),
            reads: Allowance::new(READS_PER_S),
            read_bytes: Allowance::new(READ_BYTES_PER_S),
            throttled_puts: 0,
            throttled_reads: 0,
        }
    }
}

impl<T: Copy> Shard<T> {
    /// Appends a record; what it holds may be many orders.
    pub fn put(&mut self, now: Time, bytes: u64, what: T) -> Result<u64, Throttled> {
        self.put_records.until(now);
        self.put_bytes.until(now);
        if !self.put_records.has(1) || !self.put_bytes.has(bytes) {
            self.throttled_puts += 1;
            return Err(Throttled);
        }
        self.put_records.take(1);
        self.put_bytes.take(bytes);
        self.last += 1;
        self.records.push_back(Record { sequence: self.last, arrived: now, bytes, what });
        Ok(self.last)
    }

    /// The records behind this sequence, as `GetRecords` gives them to all who poll: they share its limits.
    pub fn read(&mut self, now: Time, after: u64) -> Result<Vec<Record<T>>, Throttled> {
        self.reads.until(now);
        self.read_bytes.until(now);
        // A large answer is given, and paid for with the calls that follow.
        if !self.reads.has(1) || !self.read_bytes.has(1) {
            self.throttled_reads += 1;
            return Err(Throttled);
        }
        let batch = self.behind(after);
        self.reads.take(1);
        self.read_bytes.take(batch.iter().map(|record| record.bytes).sum());
        Ok(batch)
    }

    /// The same for a consumer with fan-out, which has the shard's output to itself.
    pub fn behind(&self, after: u64) -> Vec<Record<T>> {
        let first = self.records.front().map_or(self.last + 1, |record| record.sequence);
        let skip = (after + 1).saturating_sub(first) as usize;
        let mut bytes = 0;
        let fits = |record: &&Record<T>| {
            bytes += record.bytes;
            bytes <= BATCH_BYTES
        };
        self.records.iter().skip(skip).take_while(fits).copied().collect()
    }

    /// Forgets what all consumers have.
    pub fn trim(&mut self, through: u64) {
        while self.records.front().is_some_and(|record| record.sequence <= through) {
            self.records.pop_front();
        }
    }

    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    #[test]
    fn a_thousand_records_a_second_and_no_more() {
        let mut shard = Shard::default();
        let taken = (0..3_000).filter(|n| shard.put(*n, 100, ()).is_ok()).count();
        // The saved-up second, and what the 3 ms bring.
        assert!((1_000..=1_003).contains(&taken), "{taken}");
        assert_eq!(shard.throttled_puts as usize, 3_000 - taken);
        let taken = (0..2_000).filter(|_| shard.put(10 * SECOND, 100, ()).is_ok()).count();
        assert_eq!(taken, 1_000, "no more than a second is saved up");
    }

    #[test]
    fn a_mebibyte_a_second_and_no_more() {
        let mut shard = Shard::default();
        let taken = (0..10).filter(|_| shard.put(0, 200_000, ()).is_ok()).count();
        assert_eq!(taken, 5);
        assert!(shard.put(0, 48_000, ()).is_ok(), "a smaller one fits beside them");
    }

    #[test]
    fn five_reads_a_second_for_all_pollers_together() {
        let mut shard = Shard::default();
        shard.put(0, 100, 'a').unwrap();
        assert_eq!((0..9).filter(|_| shard.read(0, 0).is_ok()).count(), 5);
        assert_eq!(shard.read(199_999, 0), Err(Throttled));
        assert_eq!(shard.read(200_000, 0).unwrap().len(), 1);
        assert_eq!(shard.behind(0).len(), 1, "fan-out is not held back");
    }

    #[test]
    fn a_reader_gets_each_record_once_and_in_order() {
        let mut shard = Shard::default();
        for n in 0..50u64 {
            shard.put(n * 1_000, 10, n).unwrap();
        }
        let (mut at, mut seen) = (0, Vec::new());
        shard.trim(0);
        for turn in 0..5 {
            let batch = shard.read(turn * SECOND, at).unwrap();
            seen.extend(batch.iter().map(|record| record.what));
            at = batch.last().map_or(at, |record| record.sequence);
            shard.trim(at);
        }
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
        assert_eq!(shard.last(), 50);
    }

    #[test]
    fn a_large_answer_is_paid_for_later() {
        let mut shard = Shard::default();
        for n in 0..6 {
            shard.put(n * SECOND, 1_000_000, ()).unwrap();
        }
        assert_eq!(shard.read(6 * SECOND, 0).unwrap().len(), 6);
        assert_eq!(shard.read(6 * SECOND + 200_000, 0), Err(Throttled), "two megabytes a second");
    }
}
