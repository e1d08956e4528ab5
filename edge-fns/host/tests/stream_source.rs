//! Batches of a stream by Lambda's rules: single rules first, then random failures, crashes and reorderings against what
//! any correct consumer does. All in virtual time.

use async_trait::async_trait;
use edge_fns::capability::{Error, Millis, Result};
use edge_host::sources::stream::{
    BatchHandler, Broken, DeadLetters, Mapping, MemoryLetters, MemoryShard, Meter, Now, Reading, Reason,
    Shard, Source,
};
use edge_host::{Disposition, Failure, Item};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Virtual time, in milliseconds since `start`.
fn clock(start: Instant) -> Now {
    Arc::new(move || start.elapsed().as_millis() as Millis)
}

type Answer = std::result::Result<Vec<Failure>, Broken>;

/// Answers what the test told it, one answer a call; then that all is well.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    /// The records of each call, and when it came.
    calls: Mutex<Vec<(Vec<u64>, u64)>>,
    takes: Duration,
    start: Option<Instant>,
}

#[async_trait]
impl BatchHandler for Script {
    async fn handle(&self, items: Vec<Item>) -> Answer {
        let at = self.start.map_or(0, |start| start.elapsed().as_millis() as u64);
        self.calls.lock().unwrap().push((items.iter().map(|item| item.id.parse().unwrap()).collect(), at));
        sleep(self.takes).await;
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(Vec::new()))
    }
}

fn retry(id: u64) -> Failure {
    Failure { id: id.to_string(), disposition: Disposition::Retry }
}

fn reject(id: u64, why: &str) -> Failure {
    Failure { id: id.to_string(), disposition: Disposition::Reject(why.into()) }
}

fn trap() -> Answer {
    Err(Broken::Function("trapped".into()))
}

struct Run {
    calls: Vec<(Vec<u64>, u64)>,
    letters: Vec<(u64, Reason)>,
    reading: Reading,
    checkpoint: Option<String>,
}

/// Runs `records` of one key through a source until `time` has passed.
async fn run(mapping: Mapping, records: u64, answers: Vec<Answer>, time: Duration) -> Run {
    let start = Instant::now();
    let script =
        Arc::new(Script { answers: Mutex::new(answers.into()), start: Some(start), ..Script::default() });
    let (shard, letters) = (Arc::new(MemoryShard::default()), Arc::new(MemoryLetters::default()));
    for _ in 0..records {
        shard.append("A", 0, vec![0; 10]);
    }
    let meter = Arc::new(Meter::new("test", 0));
    let source = Source {
        shard: shard.clone(),
        handler: script.clone(),
        letters: letters.clone(),
        mapping,
        now: clock(start),
        meter: meter.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(source.run(stopping));
    sleep(time).await;
    stop.send_replace(true);
    task.await.unwrap();
    let letters = letters.all().into_iter().map(|(item, why)| (item.id.parse().unwrap(), why)).collect();
    let calls = script.calls.lock().unwrap().clone();
    Run { calls, letters, reading: meter.read(), checkpoint: shard.checkpoint().await.unwrap() }
}

fn ids(calls: &[(Vec<u64>, u64)]) -> Vec<Vec<u64>> {
    calls.iter().map(|(ids, _)| ids.clone()).collect()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_batch_is_full_or_its_time_is_up() {
    let mapping = Mapping { batch: 4, ..Mapping::default() };
    let ran = run(mapping, 10, Vec::new(), MINUTE).await;
    assert_eq!(ids(&ran.calls), [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
    assert_eq!((ran.reading.done, ran.checkpoint.as_deref()), (10, Some("10")));
    // A batch that is not full waits for its window.
    let mapping = Mapping { batch: 4, window: Duration::from_secs(3), ..Mapping::default() };
    let ran = run(mapping, 6, Vec::new(), MINUTE).await;
    assert_eq!(ran.calls, [(vec![1, 2, 3, 4], 0), (vec![5, 6], 3000)]);
    // By bytes: a batch has at most so many, a larger record stands alone.
    let mapping = Mapping { batch: 4, batch_bytes: 25, ..Mapping::default() };
    assert_eq!(ids(&run(mapping, 5, Vec::new(), MINUTE).await.calls), [vec![1, 2], vec![3, 4], vec![5]]);
    let mapping = Mapping { batch: 4, batch_bytes: 1, ..Mapping::default() };
    assert_eq!(ids(&run(mapping, 2, Vec::new(), MINUTE).await.calls), [vec![1], vec![2]]);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_again_is_handed_over_again_with_all_after_it() {
    let answers = vec![Ok(vec![retry(3), reject(1, "bad"), reject(4, "not yet looked at")]), Ok(Vec::new())];
    let ran = run(Mapping::default(), 4, answers, MINUTE).await;
    assert_eq!(ran.calls, [(vec![1, 2, 3, 4], 0), (vec![3, 4], 0)]);
    assert_eq!(ran.letters, [(1, Reason::Rejected("bad".into()))]);
    assert_eq!((ran.reading.done, ran.reading.repetitions), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn pauses_between_repetitions_grow_and_the_last_one_puts_aside() {
    let mapping = Mapping { asked: Some(4), ..Mapping::default() };
    let ran = run(mapping, 3, vec![Ok(vec![retry(1)]); 5], MINUTE).await;
    let times: Vec<u64> = ran.calls.iter().map(|(_, at)| *at).collect();
    assert_eq!(times, [0, 50, 150, 350, 750, 750]);
    assert_eq!(ids(&ran.calls)[4..], [vec![1, 2, 3], vec![2, 3]]);
    let [(1, reason @ Reason::Exhausted { attempts: 5, .. })] = &ran.letters[..] else {
        panic!("{:?}", ran.letters)
    };
    assert_eq!(reason.code(), "retries_exhausted");
    assert!(reason.to_string().contains("after 5 attempts"), "{reason}");
    assert_eq!(ran.reading.dead_letters, [("rejected", 0), ("retries_exhausted", 1), ("too_old", 0)]);
    assert_eq!(ran.checkpoint.as_deref(), Some("3"));
}

/// A back end is away for an hour: everything waits, in its order, and nothing is put aside or halved for it.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_back_end_is_not_lost() {
    let mapping = Mapping { asked: None, ..Mapping::default() };
    let elsewhere = || Err(Broken::Elsewhere("no answer in time".into()));
    for away in [Ok(vec![retry(1)]), elsewhere(), Ok(vec![retry(2), retry(1)])] {
        let ran = run(mapping, 3, vec![away; 360], 62 * MINUTE).await;
        assert_eq!((&ran.letters[..], ran.reading.done), (&[][..], 3));
        assert_eq!((ran.reading.repetitions, ran.reading.bisections), (360, 0));
        assert!(ran.calls.iter().all(|(ids, _)| *ids == [1, 2, 3]), "{:?}", ran.calls);
        assert_eq!(ran.checkpoint.as_deref(), Some("3"));
    }
    // Nor does the outage count against the record that the function fails at after it.
    let answers = [vec![elsewhere(); 100], vec![trap(); 11]].concat();
    let ran = run(mapping, 1, answers, 30 * MINUTE).await;
    assert_eq!((&ran.letters[..], ran.reading.done), (&[][..], 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_halved_until_the_culprit_stands_alone() {
    let mapping = Mapping { retries: Some(1), ..Mapping::default() };
    // 1..=8 fails, 1..=4 is well; 5..=8, 5..=6, 5 fail; 5 again fails for the last time.
    let answers = vec![trap(), Ok(Vec::new()), trap(), trap(), trap(), trap()];
    let ran = run(mapping, 8, answers, MINUTE).await;
    assert_eq!(
        ids(&ran.calls)[..6],
        [vec![1, 2, 3, 4, 5, 6, 7, 8], vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![5, 6], vec![5], vec![5]]
    );
    assert_eq!(ran.letters, [(5, Reason::Exhausted { attempts: 2, last: "trapped".into() })]);
    assert_eq!((ran.reading.done, ran.reading.bisections, ran.reading.repetitions), (7, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn without_bisection_a_failing_batch_is_put_aside_as_a_whole() {
    let mapping = Mapping { batch: 3, bisect: false, retries: Some(1), ..Mapping::default() };
    let ran = run(mapping, 5, vec![trap(), trap()], MINUTE).await;
    assert_eq!(ids(&ran.calls), [vec![1, 2, 3], vec![1, 2, 3], vec![4, 5]]);
    assert_eq!(ran.letters.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(ran.checkpoint.as_deref(), Some("5"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_a_record_that_was_not_given_counts_for_nothing() {
    let mapping = Mapping { retries: Some(1), ..Mapping::default() };
    let ran = run(mapping, 1, vec![Ok(vec![retry(9)]), Ok(vec![reject(9, "?")])], MINUTE).await;
    let [(1, Reason::Exhausted { last, .. })] = &ran.letters[..] else { panic!("{:?}", ran.letters) };
    assert!(last.contains("\"9\""), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_grows_too_old_is_put_aside_and_never_handed_over_again() {
    let mapping = Mapping { asked: None, max_age: Some(Duration::from_secs(5)), ..Mapping::default() };
    let ran = run(mapping, 2, vec![Ok(vec![retry(1)]); 1000], MINUTE).await;
    assert!(ran.calls.iter().all(|(_, at)| *at < 5000), "{:?}", ran.calls);
    assert_eq!(ran.letters.len(), 2);
    assert!(ran.letters.iter().all(|(_, why)| why.code() == "too_old"), "{:?}", ran.letters);
    assert_eq!((ran.reading.done, ran.checkpoint.as_deref()), (0, Some("2")));
}

#[tokio::test(start_paused = true)]
async fn lanes_run_side_by_side() {
    let start = Instant::now();
    let script = Arc::new(Script { takes: Duration::from_secs(1), ..Script::default() });
    let shard = Arc::new(MemoryShard::default());
    for n in 0..40 {
        shard.append(&format!("K{}", n % 20), 0, Vec::new());
    }
    let meter = Arc::new(Meter::new("test", 0));
    let source = Source {
        shard,
        handler: script.clone(),
        letters: Arc::new(MemoryLetters::default()),
        mapping: Mapping { batch: 1, lanes: 10, ..Mapping::default() },
        now: clock(start),
        meter: meter.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(source.run(stopping));
    while meter.read().done < 40 {
        sleep(Duration::from_millis(100)).await;
    }
    // One after the other they would have taken 40 s.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    stop.send_replace(true);
    task.await.unwrap();
    assert_eq!(meter.read().in_flight, 0);
}

/// Asks for the records of one key again until it is let go.
struct Stubborn {
    holds: AtomicBool,
}

#[async_trait]
impl BatchHandler for Stubborn {
    async fn handle(&self, items: Vec<Item>) -> Answer {
        let holds = self.holds.load(Relaxed);
        let stuck = items.iter().find(|item| holds && item.partition == "STUCK");
        Ok(stuck
            .map(|item| Failure { id: item.id.clone(), disposition: Disposition::Retry })
            .into_iter()
            .collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_lane_holds_up_no_other_until_the_work_taken_in_is_done() {
    let mapping = Mapping { batch: 2, lanes: 4, asked: None, ..Mapping::default() };
    let handler = Arc::new(Stubborn { holds: AtomicBool::new(true) });
    let shard = Arc::new(MemoryShard::default());
    shard.append("STUCK", 0, Vec::new());
    // The two keys have different lanes.
    for _ in 0..40 {
        shard.append("FREE", 0, Vec::new());
    }
    let meter = Arc::new(Meter::new("test", 0));
    let source = Source {
        shard: shard.clone(),
        handler: handler.clone(),
        letters: Arc::new(MemoryLetters::default()),
        mapping,
        now: clock(Instant::now()),
        meter: meter.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(source.run(stopping));
    sleep(MINUTE).await;
    // Two batches a lane are in work at once, and one record of them is the stuck one.
    assert_eq!((meter.read().done, shard.checkpoint().await.unwrap()), (15, None));
    handler.holds.store(false, Relaxed);
    sleep(MINUTE).await;
    assert_eq!((meter.read().done, shard.checkpoint().await.unwrap().as_deref()), (41, Some("41")));
    stop.send_replace(true);
    task.await.unwrap();
}

mod model {
    //! A consumer under random failures and crashes, held to what must be true of any.

    use super::*;
    use proptest::prelude::*;

    /// How a record behaves whenever it is handed over.
    #[derive(Clone, Copy, Debug)]
    enum Nature {
        Good,
        /// Asked for again so often, then good.
        Slow(u8),
        /// The function rejects it.
        Bad,
        /// The function traps on it.
        Poison,
        /// Asked for again for ever.
        Stuck,
    }

    #[derive(Clone, Debug)]
    struct Plan {
        natures: Vec<(u8, Nature)>,
        lanes: u32,
        batch: usize,
        window: u64,
        bisect: bool,
        /// Calls that fail whatever is in the batch; true: after they took effect.
        failing: BTreeMap<u16, bool>,
        /// How long calls take, over and over.
        delays: Vec<u16>,
        /// Times of the crashes, one after the other.
        crashes: Vec<u16>,
        /// Saves, reads and burials that fail.
        broken: BTreeSet<u32>,
    }

    fn plan() -> impl Strategy<Value = Plan> {
        let nature = prop_oneof![
            12 => Just(Nature::Good),
            2 => (1..4_u8).prop_map(Nature::Slow),
            1 => Just(Nature::Bad),
            1 => Just(Nature::Poison),
            1 => Just(Nature::Stuck),
        ];
        (
            proptest::collection::vec((0..8_u8, nature), 1..60),
            1..5_u32,
            1..12_usize,
            0..100_u64,
            proptest::bool::weighted(0.8),
            proptest::collection::btree_map(0..60_u16, any::<bool>(), 0..8),
            proptest::collection::vec(0..80_u16, 1..8),
            proptest::collection::vec(1..1500_u16, 0..4),
            proptest::collection::btree_set(0..60_u32, 0..8),
        )
            .prop_map(|(natures, lanes, batch, window, bisect, failing, delays, crashes, broken)| {
                Plan { natures, lanes, batch, window, bisect, failing, delays, crashes, broken }
            })
    }

    /// Shard, function and dead letters in one, so that each step can be checked against all that was before it.
    struct World {
        plan: Plan,
        shard: MemoryShard,
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        calls: u16,
        asks: u32,
        tries: BTreeMap<u64, u8>,
        /// Records that the function has processed, and those that were put aside, with the reason.
        processed: BTreeSet<u64>,
        buried: BTreeMap<u64, Reason>,
        /// Keys that are being handed over right now.
        busy: BTreeSet<String>,
        /// The last record of each key that this run of the consumer has done with.
        reached: BTreeMap<String, u64>,
        checkpoint: u64,
    }

    impl State {
        fn finished(&self, id: u64) -> bool {
            self.processed.contains(&id) || self.buried.contains_key(&id)
        }

        fn reach(&mut self, key: &str, id: u64) {
            let reached = self.reached.entry(key.to_owned()).or_default();
            *reached = id.max(*reached);
        }
    }

    impl World {
        fn breaks(&self) -> Result<()> {
            let mut state = self.state.lock().unwrap();
            let broken = self.plan.broken.contains(&state.asks);
            state.asks += 1;
            if broken { Err(Error::Unavailable("as told".into())) } else { Ok(()) }
        }

        fn nature(&self, id: u64) -> Nature {
            self.plan.natures[id as usize - 1].1
        }

        fn key(&self, id: u64) -> String {
            format!("K{}", self.plan.natures[id as usize - 1].0)
        }
    }

    #[async_trait]
    impl Shard for World {
        async fn checkpoint(&self) -> Result<Option<String>> {
            self.breaks()?;
            self.shard.checkpoint().await
        }

        async fn save(&self, id: &str) -> Result<()> {
            self.breaks()?;
            let at: u64 = id.parse().unwrap();
            {
                let mut state = self.state.lock().unwrap();
                assert!(at > state.checkpoint, "the checkpoint went from {} to {at}", state.checkpoint);
                for id in 1..=at {
                    assert!(state.finished(id), "the checkpoint {at} passed the unfinished record {id}");
                }
                state.checkpoint = at;
            }
            self.shard.save(id).await
        }

        async fn read(&self, after: Option<&str>, max: usize) -> Result<Vec<Item>> {
            self.breaks()?;
            self.shard.read(after, max).await
        }

        async fn wait(&self, after: Option<&str>, at_most: Duration) -> Result<()> {
            self.shard.wait(after, at_most).await
        }
    }

    #[async_trait]
    impl DeadLetters for World {
        async fn bury(&self, item: &Item, reason: &Reason) -> Result<()> {
            self.breaks()?;
            let id = item.id.parse().unwrap();
            let mut state = self.state.lock().unwrap();
            state.buried.insert(id, reason.clone());
            state.reach(&item.partition, id);
            Ok(())
        }
    }

    #[async_trait]
    impl BatchHandler for World {
        async fn handle(&self, items: Vec<Item>) -> Answer {
            let ids: Vec<u64> = items.iter().map(|item| item.id.parse().unwrap()).collect();
            let keys: BTreeSet<String> = items.iter().map(|item| item.partition.clone()).collect();
            let call = {
                let mut state = self.state.lock().unwrap();
                assert!(ids.is_sorted() && ids.len() <= self.plan.batch.max(1), "{ids:?}");
                for key in &keys {
                    assert!(state.busy.insert(key.clone()), "{key} is handed over twice at the same time");
                    // What is handed over of a key is what comes next in it, without a gap.
                    let mine: Vec<u64> = ids.iter().copied().filter(|id| self.key(*id) == *key).collect();
                    let reached = state.reached.get(key).copied().unwrap_or(state.checkpoint);
                    let next = (reached.max(state.checkpoint) + 1..=self.plan.natures.len() as u64)
                        .filter(|id| self.key(*id) == *key);
                    assert_eq!(mine, next.take(mine.len()).collect::<Vec<_>>(), "order of {key}");
                }
                state.calls += 1;
                state.calls - 1
            };
            let delay = self.plan.delays[usize::from(call) % self.plan.delays.len()];
            sleep(Duration::from_millis(u64::from(delay))).await;
            let mut state = self.state.lock().unwrap();
            for key in &keys {
                state.busy.remove(key);
            }
            let fails = self.plan.failing.get(&call).copied();
            if fails == Some(false) || ids.iter().any(|id| matches!(self.nature(*id), Nature::Poison)) {
                return Err(Broken::Function("failed before it took effect".into()));
            }
            let mut failures = Vec::new();
            let mut processed = Vec::new();
            for id in ids {
                let tries = state.tries.entry(id).or_default();
                let again = match self.nature(id) {
                    Nature::Slow(times) if *tries < times => {
                        *tries += 1;
                        true
                    }
                    Nature::Stuck => true,
                    Nature::Bad => {
                        failures.push(reject(id, "bad"));
                        continue;
                    }
                    _ => false,
                };
                if again {
                    failures.push(retry(id));
                    break;
                }
                processed.push(id);
            }
            state.processed.extend(&processed);
            if fails == Some(true) {
                return Err(Broken::Function("failed after it took effect".into()));
            }
            for id in processed {
                state.reach(&self.key(id), id);
            }
            Ok(failures)
        }
    }

    fn source(world: &Arc<World>, meter: &Arc<Meter>) -> Source {
        Source {
            shard: world.clone(),
            handler: world.clone(),
            letters: world.clone(),
            mapping: Mapping {
                batch: world.plan.batch,
                window: Duration::from_millis(world.plan.window),
                lanes: world.plan.lanes,
                bisect: world.plan.bisect,
                retries: Some(10),
                asked: Some(10),
                ..Mapping::default()
            },
            now: clock(Instant::now()),
            meter: meter.clone(),
        }
    }

    async fn check(plan: Plan) {
        let world =
            Arc::new(World { plan: plan.clone(), shard: MemoryShard::default(), state: Mutex::default() });
        for (key, _) in &plan.natures {
            world.shard.append(&format!("K{key}"), 0, Vec::new());
        }
        let (stop, stopping) = watch::channel(false);
        for after in &plan.crashes {
            let crashed = source(&world, &Arc::new(Meter::new("model", 0))).run(stopping.clone());
            // Dropped in the middle of whatever it does.
            let ended = tokio::time::timeout(Duration::from_millis(u64::from(*after)), crashed).await;
            assert!(ended.is_err(), "it ended by itself");
            // The lanes' tasks see at their next step that they are ended.
            sleep(Duration::ZERO).await;
            let mut state = world.state.lock().unwrap();
            (state.busy, state.reached) = Default::default();
        }
        let meter = Arc::new(Meter::new("model", 0));
        let task = tokio::spawn(source(&world, &meter).run(stopping));
        let last = plan.natures.len().to_string();
        let started = Instant::now();
        while world.shard.checkpoint().await.unwrap().as_deref() != Some(&last) {
            assert!(!task.is_finished(), "the source broke off");
            assert!(started.elapsed() < Duration::from_secs(24 * 3600), "the shard is blocked");
            sleep(Duration::from_millis(500)).await;
        }
        stop.send_replace(true);
        task.await.unwrap();

        let state = world.state.lock().unwrap();
        for id in 1..=plan.natures.len() as u64 {
            let buried = state.buried.get(&id).map(Reason::code);
            match world.nature(id) {
                // A batch that is not halved takes good records with it.
                Nature::Good | Nature::Slow(_) if plan.bisect => {
                    assert!(state.processed.contains(&id), "record {id} was lost");
                    assert_eq!(buried, None, "record {id}");
                }
                Nature::Good | Nature::Slow(_) => assert!(state.finished(id), "record {id} was lost"),
                Nature::Bad if plan.bisect => assert_eq!(buried, Some("rejected"), "record {id}"),
                Nature::Bad => assert!(buried.is_some(), "record {id}"),
                Nature::Poison | Nature::Stuck => {
                    assert_eq!(buried, Some("retries_exhausted"), "record {id}");
                    assert!(!state.processed.contains(&id), "record {id}");
                }
            }
        }
        assert_eq!(meter.read().in_flight, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
        #[test]
        fn nothing_is_lost_and_keys_keep_their_order(plan in plan()) {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(check(plan));
        }
    }
}
