//! Who works on which shard: leases in a table, take-over, and fencing.
//!
//! A lease has an owner and a counter that the owner moves at every renewal; whoever sees a counter stand still for the lease's time
//! takes it. Taking it raises its fence, which every output carries: a place that has seen a newer fence refuses an older one, so an
//! owner that was away and wakes up cannot overwrite anything.

use crate::events::Events;
use crate::random::Random;
use crate::{MS, Time};

#[derive(Clone, Debug)]
pub struct Setup {
    pub workers: usize,
    pub shards: usize,
    pub lease: Time,
    pub records_per_s: u64,
    pub until: Time,
    pub faults: Vec<Fault>,
    /// Off to see what fencing is for.
    pub fencing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Dies {
        worker: usize,
        at: Time,
    },
    /// As by SIGSTOP: it goes on where it was.
    Sleeps {
        worker: usize,
        at: Time,
        wakes: Time,
    },
    /// One more joins.
    Joins {
        worker: usize,
        at: Time,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The longest time that a shard had nobody who worked on it.
    pub longest_gap: Time,
    /// Outputs that a place refused since it had seen a newer fence.
    pub refused: u64,
    /// Outputs that were dropped since they had been there: what a take-over does again.
    pub repeated: u64,
    /// Outputs that an owner of old put over a newer owner's; must not be.
    pub overwritten: u64,
    /// Records whose output never came, or came after a later one; must not be.
    pub lost: u64,
    pub done: u64,
    /// How many shards each worker had at the end.
    pub shares: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    owner: Option<usize>,
    counter: u64,
    fence: u64,
    checkpoint: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    fence: u64,
    counter: u64,
    /// Folded up to here.
    position: u64,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    running: bool,
    asleep_until: Time,
    dead: bool,
    held: Vec<Option<Held>>,
    /// What it has seen of each lease, and since when.
    seen: Vec<(u64, Time)>,
}

/// Where a shard's outputs go.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    fence: u64,
    through: u64,
    last_at: Time,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Scan(usize),
    Work(usize),
    Happens(Fault),
}

/// How often a worker renews its leases and looks at the others'.
pub const SCANS_PER_LEASE: u64 = 4;
const WORK: Time = 50 * MS;

pub fn play(setup: &Setup, seed: u64) -> Outcome {
    let mut run = Run {
        setup,
        leases: vec![Lease::default(); setup.shards],
        places: vec![Place::default(); setup.shards],
        workers: vec![
            Worker {
                held: vec![None; setup.shards],
                seen: vec![(u64::MAX, 0); setup.shards],
                ..Worker::default()
            };
            setup.workers
        ],
        outcome: Outcome::default(),
    };
    let (mut events, mut random) = (Events::default(), Random::new(seed));
    let joins =
        |worker| setup.faults.iter().any(|f| matches!(f, Fault::Joins { worker: w, .. } if *w == worker));
    for worker in 0..setup.workers {
        run.workers[worker].running = !joins(worker);
        events.at(random.below(setup.lease / SCANS_PER_LEASE), Event::Scan(worker));
        events.at(random.below(WORK), Event::Work(worker));
    }
    for fault in &setup.faults {
        let (Fault::Dies { at, .. } | Fault::Sleeps { at, .. } | Fault::Joins { at, .. }) = *fault;
        events.at(at, Event::Happens(*fault));
    }
    while let Some((now, event)) = events.next() {
        if now > setup.until {
            break;
        }
        match event {
            Event::Happens(Fault::Dies { worker, .. }) => run.workers[worker].dead = true,
            Event::Happens(Fault::Sleeps { worker, wakes, .. }) => run.workers[worker].asleep_until = wakes,
            Event::Happens(Fault::Joins { worker, .. }) => run.workers[worker].running = true,
            Event::Scan(worker) | Event::Work(worker) if run.workers[worker].dead => {}
            // It finds out when it wakes, in no particular order.
            Event::Scan(worker) | Event::Work(worker) if run.workers[worker].asleep_until > now => {
                events.at(run.workers[worker].asleep_until + random.below(WORK), event);
            }
            Event::Scan(worker) => {
                if run.workers[worker].running {
                    run.scan(worker, now);
                }
                // Not all in step.
                let period = setup.lease / SCANS_PER_LEASE;
                events.after(period - random.below(period / 10 + 1), event);
            }
            Event::Work(worker) => {
                if run.workers[worker].running {
                    run.work(worker, now);
                }
                events.after(WORK, event);
            }
        }
    }
    run.finish()
}

struct Run<'a> {
    setup: &'a Setup,
    leases: Vec<Lease>,
    places: Vec<Place>,
    workers: Vec<Worker>,
    outcome: Outcome,
}

impl Run<'_> {
    /// Renews what this worker has, looks at the rest, and takes what nobody renews or what it should have for balance.
    fn scan(&mut self, worker: usize, now: Time) {
        for shard in 0..self.setup.shards {
            let lease = &mut self.leases[shard];
            let own = &mut self.workers[worker];
            if let Some(held) = &mut own.held[shard] {
                // Conditional on the counter: who lost it hears so.
                if lease.owner == Some(worker) && lease.counter == held.counter {
                    lease.counter += 1;
                    lease.checkpoint = lease.checkpoint.max(held.position);
                    held.counter = lease.counter;
                } else {
                    own.held[shard] = None;
                }
            }
            if own.seen[shard].0 != lease.counter {
                own.seen[shard] = (lease.counter, now);
            }
        }
        for shard in 0..self.setup.shards {
            let (counter, since) = self.workers[worker].seen[shard];
            let lease = self.leases[shard];
            let stale =
                lease.owner != Some(worker) && lease.counter == counter && now - since >= self.setup.lease;
            let free = lease.owner.is_none();
            if stale || (free && self.own(worker) < self.fair(worker, now)) {
                self.take(worker, shard, now);
            }
        }
        // For balance: one a scan, from whoever has most.
        if self.own(worker) < self.setup.shards / self.known(worker, now).max(1)
            && let Some(shard) = self.richest(worker)
        {
            self.take(worker, shard, now);
        }
    }

    fn own(&self, worker: usize) -> usize {
        self.leases.iter().filter(|lease| lease.owner == Some(worker)).count()
    }

    /// Owners whose leases move, as this worker has seen it, and itself.
    fn known(&self, worker: usize, now: Time) -> usize {
        let moves = |shard: &usize| now - self.workers[worker].seen[*shard].1 < self.setup.lease;
        let mut owners: Vec<usize> =
            (0..self.setup.shards).filter(moves).filter_map(|shard| self.leases[shard].owner).collect();
        owners.push(worker);
        owners.sort_unstable();
        owners.dedup();
        owners.len()
    }

    fn fair(&self, worker: usize, now: Time) -> usize {
        self.setup.shards.div_ceil(self.known(worker, now).max(1))
    }

    /// A shard of the owner with the most, where that is two more than this worker's own.
    fn richest(&self, worker: usize) -> Option<usize> {
        let most = (0..self.setup.workers).max_by_key(|other| self.own(*other))?;
        (self.own(most) >= self.own(worker) + 2).then_some(())?;
        self.leases.iter().position(|lease| lease.owner == Some(most))
    }

    fn take(&mut self, worker: usize, shard: usize, now: Time) {
        let lease = &mut self.leases[shard];
        lease.owner = Some(worker);
        lease.counter += 1;
        lease.fence += 1;
        let held = Held { fence: lease.fence, counter: lease.counter, position: lease.checkpoint };
        let own = &mut self.workers[worker];
        (own.held[shard], own.seen[shard]) = (Some(held), (lease.counter, now));
    }

    /// Folds what has come since and puts the outputs out.
    fn work(&mut self, worker: usize, now: Time) {
        for shard in 0..self.setup.shards {
            let Some(held) = &mut self.workers[worker].held[shard] else { continue };
            let last = now * self.setup.records_per_s / crate::SECOND;
            let place = &mut self.places[shard];
            if self.setup.fencing && held.fence < place.fence {
                self.outcome.refused += last.saturating_sub(held.position);
                // The refusal tells it that the shard is another's.
                self.workers[worker].held[shard] = None;
                continue;
            }
            if held.fence < place.fence && last > held.position {
                self.outcome.overwritten += last - held.position;
            }
            place.fence = place.fence.max(held.fence);
            if held.position > place.through {
                self.outcome.lost += held.position - place.through;
            }
            self.outcome.repeated += place.through.min(last).saturating_sub(held.position);
            if last > place.through {
                self.outcome.longest_gap = self.outcome.longest_gap.max(now - place.last_at);
                place.through = last;
            }
            place.last_at = now;
            held.position = last;
        }
    }

    fn finish(mut self) -> Outcome {
        let last = self.setup.until * self.setup.records_per_s / crate::SECOND;
        for place in &self.places {
            self.outcome.done += place.through;
            self.outcome.longest_gap = self.outcome.longest_gap.max(self.setup.until - place.last_at);
            // What came within the last beats is still on its way.
            let pending = 2 * WORK * self.setup.records_per_s / crate::SECOND + 1;
            self.outcome.lost += last.saturating_sub(place.through).saturating_sub(pending);
        }
        let shares = (0..self.setup.workers).map(|worker| self.own(worker)).collect();
        self.outcome.shares = shares;
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    fn setup(faults: Vec<Fault>) -> Setup {
        Setup {
            workers: 3,
            shards: 12,
            lease: SECOND,
            records_per_s: 200,
            until: 30 * SECOND,
            faults,
            fencing: true,
        }
    }

    #[test]
    fn without_faults_all_is_done_once_and_shared_evenly() {
        let outcome = play(&setup(Vec::new()), 1);
        assert_eq!((outcome.lost, outcome.overwritten), (0, 0));
        assert_eq!(outcome.shares, [4, 4, 4]);
        assert!(outcome.done > 12 * 29 * 200, "{outcome:?}");
    }

    #[test]
    fn a_dead_owner_is_replaced_within_two_leases() {
        for seed in 0..30 {
            let outcome = play(&setup(vec![Fault::Dies { worker: 1, at: 9 * SECOND + seed * 37_000 }]), seed);
            assert!(outcome.longest_gap <= 2 * SECOND, "{seed}: {outcome:?}");
            assert_eq!((outcome.lost, outcome.overwritten, outcome.shares[1]), (0, 0, 0), "{seed}");
        }
    }

    #[test]
    fn who_sleeps_through_its_lease_is_fenced_off() {
        let sleeps = Fault::Sleeps { worker: 0, at: 9 * SECOND, wakes: 14 * SECOND };
        let outcome = play(&setup(vec![sleeps]), 4);
        assert!(outcome.refused > 0, "{outcome:?}");
        assert_eq!((outcome.overwritten, outcome.lost), (0, 0));
        // It comes back and gets its share again.
        assert_eq!(outcome.shares, [4, 4, 4]);
    }

    #[test]
    fn without_fencing_it_would_overwrite() {
        let sleeps = Fault::Sleeps { worker: 0, at: 9 * SECOND, wakes: 14 * SECOND };
        let outcome = play(&Setup { fencing: false, ..setup(vec![sleeps]) }, 4);
        assert!(outcome.overwritten > 0, "{outcome:?}");
    }

    #[test]
    fn one_more_engine_takes_its_share() {
        let joins = Fault::Joins { worker: 2, at: 10 * SECOND };
        let outcome = play(&setup(vec![joins]), 2);
        assert_eq!(outcome.shares, [4, 4, 4]);
        assert_eq!((outcome.lost, outcome.overwritten), (0, 0));
    }

    #[test]
    fn a_take_over_repeats_what_was_behind_the_checkpoint() {
        let outcome = play(&setup(vec![Fault::Dies { worker: 1, at: 9 * SECOND + 100_000 }]), 3);
        assert!(outcome.repeated > 0, "{outcome:?}");
    }
}
