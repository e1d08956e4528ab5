//! Nodes with so many processors each, and a queue before them.

use crate::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A node: what comes is done by the first processor that is free, in the order in which it came.
#[derive(Clone, Debug)]
pub struct Node {
    /// When each processor is free.
    free: BinaryHeap<Reverse<Time>>,
    pub busy: Time,
}

impl Node {
    pub fn new(processors: u64) -> Node {
        Node { free: (0..processors.max(1)).map(|_| Reverse(0)).collect(), busy: 0 }
    }

    /// When this work will be done that comes now.
    pub fn work(&mut self, now: Time, cost: Time) -> Time {
        let Reverse(free) = self.free.pop().unwrap_or(Reverse(now));
        let done = free.max(now) + cost;
        self.busy += cost;
        self.free.push(Reverse(done));
        done
    }

    /// How long what comes now has to wait.
    pub fn waiting(&self, now: Time) -> Time {
        self.free.peek().map_or(0, |Reverse(free)| free.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn processors_share_the_work() {
        let mut node = Node::new(2);
        assert_eq!([node.work(0, 10), node.work(0, 10), node.work(0, 10)], [10, 10, 20]);
        assert_eq!(node.waiting(5), 5);
        assert_eq!(node.work(100, 10), 110);
        assert_eq!(node.busy, 40);
    }

    /// Pollaczek and Khinchine: with one processor and equal work, the mean wait at load ρ is ρ/(2(1-ρ)) of the work.
    #[test]
    fn waits_are_those_of_queueing_theory() {
        let (mut node, mut random) = (Node::new(1), Random::new(11));
        let (cost, mean) = (600, 1_000);
        let (mut now, mut waited) = (0, 0);
        const COUNT: u64 = 400_000;
        for _ in 0..COUNT {
            now += random.wait(mean);
            waited += node.work(now, cost) - cost - now;
        }
        // 0.6 / (2 × 0.4) × 600 = 450
        let mean_wait = waited / COUNT;
        assert!((435..=465).contains(&mean_wait), "{mean_wait}");
    }
}
