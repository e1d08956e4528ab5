//! Rounds of the streamers: who gets what, how often, and whether a round ends before the next begins.

use crate::figures::streamer::{FAST_ROUND, SLOW_ROUNDS};
use crate::random::{Random, Weighted};
use crate::servers::Node;
use crate::{MS, Time};

/// One node's connections and its symbols.
#[derive(Clone, Debug)]
pub struct Load {
    /// Connections by their main symbol: logged in, anonymous.
    pub watching: Vec<(u64, u64)>,
    /// Orders to all symbols in a thousand seconds, and how they are shared out.
    pub orders_per_1000_s: u64,
    pub weights: Vec<u64>,
    /// Messages of a symbol that has changed: depth, candle, ticker, trades.
    pub messages: u64,
    pub processors: u64,
    /// What one push costs, in billionths of a second.
    pub push_ns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub rounds: u64,
    pub pushes: u64,
    /// Rounds that ended after the next should have begun.
    pub late: u64,
    pub longest: Time,
    /// Of the processors' time, in thousandths.
    pub load_per_mille: u64,
}

/// Plays so many rounds.
pub fn play(load: &Load, rounds: u64, seed: u64) -> Outcome {
    let (mut random, weighted) = (Random::new(seed), Weighted::new(&load.weights));
    let mut node = Node::new(load.processors);
    let mut outcome = Outcome::default();
    let mut slow_changed = vec![false; load.weights.len()];
    let mean = (1_000 * crate::SECOND).checked_div(load.orders_per_1000_s).unwrap_or(Time::MAX);
    let mut next_order = random.wait(mean);
    for round in 0..rounds {
        let start = (round + 1) * FAST_ROUND;
        let mut fast_changed = vec![false; load.weights.len()];
        while next_order < start {
            let symbol = weighted.choose(&mut random);
            (fast_changed[symbol], slow_changed[symbol]) = (true, true);
            next_order += random.wait(mean).max(1);
        }
        let slow_too = round % SLOW_ROUNDS == SLOW_ROUNDS - 1;
        let mut end = start;
        for (symbol, (fast, slow)) in load.watching.iter().enumerate() {
            let fast = if fast_changed[symbol] { *fast } else { 0 };
            let slow = if slow_too && slow_changed[symbol] { *slow } else { 0 };
            let pushes = (fast + slow) * load.messages;
            outcome.pushes += pushes;
            // Made in one go for a symbol; each processor takes a share.
            let share = (pushes * load.push_ns).div_ceil(1_000 * load.processors);
            for _ in 0..if pushes > 0 { load.processors } else { 0 } {
                end = end.max(node.work(start, share));
            }
        }
        if slow_too {
            slow_changed.fill(false);
        }
        outcome.rounds += 1;
        outcome.longest = outcome.longest.max(end - start);
        outcome.late += u64::from(end - start > FAST_ROUND);
    }
    let time = (rounds * FAST_ROUND * load.processors).max(1);
    outcome.load_per_mille = node.busy * 1_000 / time;
    outcome
}

/// What a node with so many connections pushes in a second at most: every symbol changes in every round.
pub fn most_pushes_per_s(fast: u64, slow: u64, messages: u64) -> u64 {
    let rounds = 1_000 * MS / FAST_ROUND;
    (fast * rounds + slow * rounds / SLOW_ROUNDS) * messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(orders_per_1000_s: u64) -> Load {
        Load {
            watching: vec![(300, 700), (30, 70)],
            orders_per_1000_s,
            weights: vec![10, 1],
            messages: 2,
            processors: 2,
            push_ns: 5_000,
        }
    }

    #[test]
    fn a_quiet_market_pushes_nothing() {
        assert_eq!(play(&load(0), 1_000, 1).pushes, 0);
    }

    #[test]
    fn a_busy_market_pushes_no_more_than_the_bound() {
        let outcome = play(&load(10_000_000), 200, 1);
        let bound = most_pushes_per_s(330, 770, 2) * 10;
        assert_eq!(outcome.pushes, bound, "every symbol changes in every round");
        assert_eq!(outcome.late, 0);
    }

    #[test]
    fn too_much_for_a_node_shows_as_late_rounds() {
        let mut load = load(10_000_000);
        load.watching = vec![(40_000, 0), (0, 0)];
        let outcome = play(&load, 40, 1);
        assert!(outcome.late > 30, "{outcome:?}");
        assert!(outcome.load_per_mille > 3_000, "{outcome:?}");
    }
}
