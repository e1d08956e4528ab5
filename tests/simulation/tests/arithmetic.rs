//! The simulation against the arithmetic: what the plan says is enough is enough, for markets that nobody chose.

use proptest::prelude::*;
use simulation::figures::{kinesis, streamer as figure};
use simulation::lease::{self, Fault};
use simulation::market::{self, Setup};
use simulation::plan::{TIERS, Tier, plan, pushes_per_s, weights};
use simulation::reshard::Layout;
use simulation::shard::Shard;
use simulation::table::{market_setup, streamer_load, take_over};
use simulation::{MS, SECOND, streamer};

#[test]
fn every_tier_of_the_table_holds_at_its_peak() {
    for tier in TIERS {
        let plan = plan(tier).unwrap();
        let setup = market_setup(&plan, 3 * SECOND);
        assert!(setup.layout.shards() as u64 <= plan.order_shards, "{tier:?}");
        let played = market::play(&setup, 9);
        assert_eq!(
            (played.answered, played.out_of_order, played.throttled),
            (played.placed, 0, 0),
            "{tier:?}"
        );
        assert!(played.gateway_load_per_mille <= 600, "{tier:?}: {}", played.gateway_load_per_mille);
        assert!(played.latency.per_mille(990) < 150 * MS, "{tier:?}: {}", played.latency.per_mille(990));
        let rounds = streamer::play(&streamer_load(&plan), 200, 9);
        assert_eq!(rounds.late, 0, "{tier:?}: {rounds:?}");
    }
}

#[test]
fn the_bound_of_the_pushes_holds_and_is_not_far_off() {
    let plan = plan(TIERS[3]).unwrap();
    let rounds = streamer::play(&streamer_load(&plan), 2_000, 3);
    let played = rounds.pushes * plan.streamers * SECOND / (rounds.rounds * figure::FAST_ROUND);
    assert!(played <= plan.pushes_per_s, "{played} of {}", plan.pushes_per_s);
    assert!(played * 3 > plan.pushes_per_s * 2, "{played} of {}", plan.pushes_per_s);
}

#[test]
fn half_the_gateways_are_not_enough_for_a_million() {
    let plan = plan(TIERS[4]).unwrap();
    let whole = market_setup(&plan, SECOND);
    let half = Setup { gateways: whole.gateways / 2, ..whole.clone() };
    let (whole, half) = (market::play(&whole, 2), market::play(&half, 2));
    assert!(half.latency.per_mille(990) > 3 * whole.latency.per_mille(990));
}

#[test]
fn take_over_is_within_two_leases_and_loses_nothing() {
    for seed in 0..100 {
        let setup = take_over(2 * SECOND, seed * 7_919);
        let outcome = lease::play(&setup, seed);
        assert!(outcome.longest_gap <= 2 * setup.lease, "{seed}: {outcome:?}");
        assert_eq!((outcome.lost, outcome.overwritten), (0, 0), "{seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_market_that_has_a_plan_is_answered(users in 1_000u64..200_000, symbols in 20u64..400, seed: u64) {
        let plan = plan(Tier { users, symbols }).unwrap();
        let played = market::play(&market_setup(&plan, SECOND), seed);
        prop_assert_eq!((played.answered, played.out_of_order), (played.placed, 0));
        prop_assert_eq!(played.throttled, 0);
    }

    #[test]
    fn no_shard_ever_takes_more_than_it_promises(puts in prop::collection::vec((0u64..2_000, 1u64..300_000), 1..400)) {
        let (mut shard, mut now) = (Shard::default(), 0);
        let mut taken = Vec::new();
        for (wait, bytes) in puts {
            now += wait;
            if shard.put(now, bytes, ()).is_ok() {
                taken.push((now, bytes));
            }
        }
        // Over any stretch: its length's worth, and the second that may be saved up.
        for (n, (from, _)) in taken.iter().enumerate() {
            let (mut bytes, mut records) = (0, 0);
            for (at, more) in &taken[n..] {
                (bytes, records) = (bytes + more, records + 1);
                let allowed = |per_s: u64| per_s + (at - from) * per_s / SECOND + 1;
                prop_assert!(bytes <= allowed(kinesis::RECORD_BYTES_PER_S));
                prop_assert!(records <= allowed(kinesis::RECORDS_PER_S));
            }
        }
    }

    #[test]
    fn splitting_ends_with_every_shard_within_its_limit(loads in prop::collection::vec(0u64..1_000, 1..300), shards in 1u64..9) {
        let limit = 1_500;
        let layout = Layout::even(shards).split_until(&loads, limit).unwrap();
        let sums = layout.loads(&loads);
        prop_assert!(sums.iter().all(|sum| *sum <= limit));
        prop_assert_eq!(sums.iter().sum::<u64>(), loads.iter().sum::<u64>());
    }

    #[test]
    fn whatever_sleeps_and_dies_nothing_is_lost_or_overwritten(
        faults in prop::collection::vec((0usize..4, 2u64..20, 0u64..6), 0..6),
        seed: u64,
    ) {
        // One engine lives and stays awake, so that there is somebody to take over.
        let faults = faults.into_iter().map(|(worker, at, length)| match length {
            0 => Fault::Dies { worker, at: at * SECOND },
            length => Fault::Sleeps { worker, at: at * SECOND, wakes: (at + length) * SECOND },
        });
        let setup = lease::Setup {
            workers: 5,
            shards: 9,
            lease: SECOND,
            records_per_s: 100,
            until: 40 * SECOND,
            faults: faults.collect(),
            fencing: true,
        };
        let outcome = lease::play(&setup, seed);
        prop_assert_eq!((outcome.lost, outcome.overwritten), (0, 0));
        prop_assert_eq!(outcome.shares.iter().sum::<usize>(), 9);
    }

    #[test]
    fn pushes_never_exceed_what_every_change_would_be(users in 100u64..100_000, symbols in 1u64..300, orders in 0u64..10_000_000) {
        let tier = Tier { users, symbols };
        let bound = streamer::most_pushes_per_s(users * 30 / 100, users * 70 / 100, figure::MESSAGES);
        prop_assert!(pushes_per_s(tier, orders) <= bound);
        prop_assert_eq!(weights(symbols).len() as u64, symbols);
    }
}
