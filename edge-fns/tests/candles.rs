//! Candles from the cache's list to the stores and the chart: whenever the backup and the aggregator run, however often,
//! wherever they end, at two places at once, what is kept and what a chart shows is what folding all minutes comes to.

use edge_fns::capability::Error;
use edge_fns::executor::ready;
use edge_fns::http::{Request, Response};
use edge_fns::testing::{Fault, Memory};
use edge_fns::timer::Timer;
use edge_fns::{aggregator, chart_data, trades_backup};
use engine_core::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S, aggregate, format_minute};
use engine_core::wire::{candle_fields, candle_json};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SYMBOL: &str = "TEST";
/// Ten minutes before midnight in Seoul.
const START: u64 = 1_765_897_200 - 600;

/// An exchange whose minutes close one after another.
#[derive(Clone)]
struct Market {
    memory: Memory,
    /// All minutes that have closed.
    closed: Vec<Candle>,
    open: Option<Candle>,
}

impl Market {
    fn new() -> Market {
        Market { memory: Memory::exchange(&[SYMBOL]), closed: Vec::new(), open: None }
    }

    /// A minute begins: the open one is closed.
    fn minute(&mut self, candle: Candle) {
        let mut state = self.memory.state();
        if let Some(closed) = self.open.replace(candle) {
            let list = state.lists.entry(format!("candle:closed:1m:{SYMBOL}")).or_default();
            list.push_front(candle_json(&closed).into_bytes());
            self.closed.push(closed);
        }
        let fields = candle_fields(&candle).map(|(name, value)| (name.to_owned(), value.into_bytes()));
        state.hashes.insert(format!("candle:1m:{SYMBOL}"), BTreeMap::from(fields));
        state.now = candle.time * 1000 + 30_000;
    }

    /// Nobody trades any more: the open minute is closed, and no other is open.
    fn quiet(&mut self, seconds: u64) {
        let mut state = self.memory.state();
        if let Some(closed) = self.open.take() {
            let list = state.lists.entry(format!("candle:closed:1m:{SYMBOL}")).or_default();
            list.push_front(candle_json(&closed).into_bytes());
            self.closed.push(closed);
            state.hashes.remove(&format!("candle:1m:{SYMBOL}"));
        }
        state.now += seconds * 1000;
    }

    fn timer(&self, name: &str) -> Timer {
        Timer { name: name.into(), due: self.memory.state().now }
    }

    fn back_up(&self) -> Result<(), Error> {
        let m = &self.memory;
        let ports = trades_backup::Ports { base: m, cache: m, documents: m, blobs: m };
        ready(trades_backup::handle(&ports, self.timer("trades-backup"))).unwrap()
    }

    fn aggregate(&self) -> Result<(), Error> {
        let m = &self.memory;
        let ports = aggregator::Ports { base: m, cache: m, documents: m, blobs: m };
        ready(aggregator::handle(&ports, self.timer("aggregator"))).unwrap()
    }

    fn listed(&self) -> usize {
        self.memory.state().lists.get(&format!("candle:closed:1m:{SYMBOL}")).map_or(0, |list| list.len())
    }

    /// What the candle store holds of an interval.
    fn stored(&self, interval: Interval) -> Vec<String> {
        let partition = format!("CANDLE#{SYMBOL}#{}", interval.as_str());
        let state = self.memory.state();
        let entries = state.documents.iter().filter(|(id, _)| id.partition == partition);
        entries
            .map(|(id, entry)| {
                let text = String::from_utf8(entry.body.clone()).unwrap();
                assert!(text.contains(&id.sort), "{text} is at {}", id.sort);
                text
            })
            .collect()
    }

    /// What the blob store holds of an interval, over all its objects.
    fn archived(&self, interval: Interval) -> Vec<String> {
        let prefix = format!("candles/{SYMBOL}/{}/", interval.as_str());
        let state = self.memory.state();
        let objects = state.blobs.iter().filter(|(key, _)| key.starts_with(&prefix));
        let mut lines = Vec::new();
        for (key, (body, _)) in objects {
            for line in String::from_utf8(body.clone()).unwrap().lines() {
                let epoch = line.rsplit("\"t_epoch\":\"").next().unwrap().trim_end_matches("\"}");
                let local = format_minute(epoch.parse::<u64>().unwrap() + SEOUL_DAY_OFFSET_S);
                let span = key.rsplit('/').next().unwrap().trim_end_matches(".jsonl");
                assert!(local.starts_with(span), "{line} is in {key}");
                lines.push(line.to_owned());
            }
        }
        lines
    }

    /// Everything is kept, once, and folded as folding it all at once comes to.
    fn check(&self, over: u64) {
        let all: Vec<String> = self.closed.iter().map(candle_json).collect();
        assert_eq!(self.stored(Interval::M1), all);
        assert_eq!(self.archived(Interval::M1), all);
        for interval in &Interval::ALL[1..] {
            let mut folded = aggregate(&self.closed, *interval, SEOUL_DAY_OFFSET_S);
            folded.retain(|candle| interval.next_bucket(candle.time, SEOUL_DAY_OFFSET_S) <= over);
            let folded: Vec<String> = folded.iter().map(candle_json).collect();
            assert_eq!(self.stored(*interval), folded, "{}", interval.as_str());
            assert_eq!(self.archived(*interval), folded, "{}", interval.as_str());
        }
    }

    fn chart(&self, query: &str) -> Response {
        let m = &self.memory;
        let ports = chart_data::Ports { base: m, cache: m, documents: m };
        let request = Request {
            method: "GET".into(),
            path: "/chart".into(),
            query: query.into(),
            ..Request::default()
        };
        ready(chart_data::handle(&ports, request)).unwrap()
    }

    /// The chart as candles.
    fn shown(&self, interval: Interval, limit: usize, before: Option<u64>) -> Vec<Candle> {
        let before = before.map_or(String::new(), |before| format!("&before={before}"));
        let name = interval.as_str();
        let answer = self.chart(&format!("symbol={SYMBOL}&interval={name}&limit={limit}{before}"));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer["symbol"].as_str(), answer["interval"].as_str()), (Some(SYMBOL), Some(name)));
        let number = |candle: &serde_json::Value, key: &str| candle[key].as_u64().unwrap();
        let candle = |shown: &serde_json::Value| Candle {
            time: number(shown, "t"),
            open: number(shown, "o"),
            high: number(shown, "h"),
            low: number(shown, "l"),
            close: number(shown, "c"),
            volume: number(shown, "v"),
        };
        answer["candles"].as_array().unwrap().iter().map(candle).collect()
    }

    /// What a chart must show, by folding all there ever was.
    fn expected(&self, interval: Interval, limit: usize, before: Option<u64>) -> Vec<Candle> {
        let all: Vec<Candle> = self.closed.iter().chain(&self.open).copied().collect();
        let mut folded = aggregate(&all, interval, SEOUL_DAY_OFFSET_S);
        folded.retain(|candle| candle.time < before.unwrap_or(u64::MAX));
        folded.split_off(folded.len().saturating_sub(limit))
    }
}

fn candle(n: u64, time: u64) -> Candle {
    let low = 100 + n % 13;
    Candle { time, open: low + n % 5, high: low + 7, low, close: low + n % 7, volume: 1 + n % 9 }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many minutes, so far apart.
    Minutes(u64, u64),
    Quiet(u64),
    BackUp,
    Aggregate,
    /// After so many calls everything fails, in the middle of a backup or an aggregation.
    Broken(u64, bool),
    Faulty(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..400, prop_oneof![4 => Just(1u64), 1 => 1u64..300]).prop_map(|(n, gap)| Step::Minutes(n, gap)),
        1 => (0u64..200_000).prop_map(Step::Quiet),
        3 => Just(Step::BackUp),
        3 => Just(Step::Aggregate),
        1 => (0u64..25, any::<bool>()).prop_map(|(calls, which)| Step::Broken(calls, which)),
        1 => (0u64..25, any::<bool>()).prop_map(|(call, after)| Step::Faulty(call, after)),
    ]
}

fn play(steps: &[Step]) -> Market {
    let mut market = Market::new();
    let (mut time, mut n) = (START, 0);
    for step in steps {
        match step {
            Step::Minutes(count, gap) => {
                for _ in 0..*count {
                    market.minute(candle(n, time));
                    n += 1;
                    time += gap * 60;
                }
            }
            Step::Quiet(seconds) => {
                market.quiet(*seconds);
                time = time.max(market.memory.state().now / 1000 / 60 * 60 + 60);
            }
            Step::BackUp => drop(market.back_up()),
            Step::Aggregate => drop(market.aggregate()),
            Step::Broken(calls, backup) => {
                market.memory.crash_after(*calls);
                drop(if *backup { market.back_up() } else { market.aggregate() });
                market.memory.restart();
            }
            Step::Faulty(call, after) => {
                let fault = if *after { Fault::After } else { Fault::Before(Error::Throttled(None)) };
                market.memory.fail(*call, fault);
            }
        }
    }
    market.memory.forget_faults();
    market
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever has been backed up and folded by then: the chart shows what all minutes come to, at every timeframe, however
    /// few or many are asked for, page by page into the past, without a gap or an overlap at the seam.
    #[test]
    fn a_chart_has_no_seam(
        steps in proptest::collection::vec(step(), 1..25),
        asked in proptest::collection::vec(
            (0usize..8, prop_oneof![1usize..5, 1usize..1001], any::<Option<prop::sample::Index>>(), 0u64..90_000), 12,
        ),
    ) {
        let market = play(&steps);
        let times: Vec<u64> = market.closed.iter().chain(&market.open).map(|candle| candle.time).collect();
        for (interval, limit, place, shift) in asked {
            let interval = Interval::ALL[interval];
            let place = place.filter(|_| !times.is_empty());
            let before = place.map(|place| times[place.index(times.len())] + shift);
            prop_assert_eq!(
                market.shown(interval, limit, before),
                market.expected(interval, limit, before),
                "{} of {} before {:?}", limit, interval.as_str(), before
            );
        }
        // Page by page.
        for interval in Interval::ALL {
            let (mut pages, mut before) = (Vec::new(), None);
            loop {
                let page = market.shown(interval, 200, before);
                let Some(first) = page.first() else { break };
                before = Some(first.time);
                pages.splice(0..0, page);
            }
            prop_assert_eq!(pages, market.expected(interval, usize::MAX, None), "{}", interval.as_str());
        }
    }

    /// In the end everything is kept and folded, whatever failed before.
    #[test]
    fn nothing_is_lost_or_doubled(steps in proptest::collection::vec(step(), 1..25)) {
        let mut market = play(&steps);
        market.quiet(100_000);
        market.aggregate().unwrap();
        market.back_up().unwrap();
        market.aggregate().unwrap();
        let over = market.memory.state().now / 1000 - 60;
        market.check(over);
        prop_assert!(market.listed() <= trades_backup::KEPT);
        // Once more changes nothing, and reads only.
        let before = market.memory.state().blobs.clone();
        market.back_up().unwrap();
        market.aggregate().unwrap();
        prop_assert!(before == market.memory.state().blobs);
        market.check(over);
    }
}

/// Broken off after each single call, once: the next run comes to the same.
#[test]
fn they_may_end_after_any_call() {
    let mut market = Market::new();
    for n in 0..1700 {
        market.minute(candle(n, START + n * 60));
        if n == 700 {
            market.back_up().unwrap();
            market.aggregate().unwrap();
        }
    }
    market.quiet(200_000);
    let runs: [(&str, fn(&Market) -> Result<(), Error>); 2] =
        [("backup", Market::back_up), ("aggregator", Market::aggregate)];
    for (name, run) in runs {
        let straight = market.clone();
        let first = straight.memory.calls();
        run(&straight).unwrap();
        let calls = straight.memory.calls() - first;
        assert!(calls > 5, "{name}: {calls}");
        for call in 0..calls {
            for unanswered in [false, true] {
                let broken = market.clone();
                if unanswered {
                    broken.memory.fail(call, Fault::After);
                } else {
                    broken.memory.crash_after(call);
                }
                assert!(run(&broken).is_err(), "{name}: it says that call {call} failed");
                broken.memory.restart();
                // Nothing leaves the cache that is not in both stores.
                let kept = broken.stored(Interval::M1);
                let archived = broken.archived(Interval::M1);
                let gone = broken.closed.len() - broken.listed();
                for candle in &broken.closed[..gone] {
                    let line = candle_json(candle);
                    assert!(kept.contains(&line) && archived.contains(&line));
                }
                run(&broken).unwrap();
                for interval in Interval::ALL {
                    assert_eq!(broken.stored(interval), straight.stored(interval), "{name} after {call}");
                    assert_eq!(broken.archived(interval), straight.archived(interval), "{name} after {call}");
                }
                assert_eq!(broken.listed(), straight.listed());
            }
        }
    }
}

/// Several of them at the same time, on threads of their own.
#[test]
fn they_may_run_at_several_places_at_once() {
    for round in 0..20 {
        let mut market = Market::new();
        for n in 0..1500 {
            market.minute(candle(n, START + n * 60));
        }
        market.quiet(200_000 + round);
        std::thread::scope(|threads| {
            for n in 0..4 {
                let market = &market;
                threads.spawn(move || {
                    for _ in 0..2 {
                        // That others are writing the same is no error that stays.
                        drop(if n % 2 == 0 { market.back_up() } else { market.aggregate() });
                    }
                });
            }
        });
        market.back_up().unwrap();
        market.aggregate().unwrap();
        market.check(u64::MAX);
        assert_eq!(market.listed(), trades_backup::KEPT);
    }
}

/// A minute that comes late, twice, or a part of itself first: what has seen more stands.
#[test]
fn late_and_partial_minutes() {
    let mut market = Market::new();
    for n in [0, 1, 2, 4, 5, 6, 7, 8, 9, 10] {
        market.minute(candle(n, START + n * 60));
    }
    market.quiet(200_000);
    market.back_up().unwrap();
    market.aggregate().unwrap();
    // Minute 3 turns up, and minute 5 with more fills than the first time; minute 6 with fewer.
    let more = Candle { volume: 1000, high: 500, ..candle(5, START + 300) };
    let fewer = Candle { volume: 1, high: 107, ..candle(6, START + 360) };
    for late in [candle(3, START + 180), more, fewer, more] {
        let mut state = market.memory.state();
        let list = state.lists.entry(format!("candle:closed:1m:{SYMBOL}")).or_default();
        list.push_front(candle_json(&late).into_bytes());
    }
    market.back_up().unwrap();
    market.aggregate().unwrap();
    market.closed.insert(3, candle(3, START + 180));
    market.closed[5] = more;
    market.check(u64::MAX);
}

#[test]
fn one_bad_list_keeps_no_other_from_being_kept() {
    let mut market = Market::new();
    for n in 0..5 {
        market.minute(candle(n, START + n * 60));
    }
    market.quiet(200_000);
    for bad in ["AAA", "ZZZ"] {
        let value = b"{\"o\":\"one\"}".to_vec();
        market.memory.state().lists.insert(format!("candle:closed:1m:{bad}"), [value].into());
    }
    assert!(matches!(market.back_up(), Err(Error::Internal(_))));
    assert!(matches!(market.aggregate(), Err(Error::Internal(_))));
    market.check(u64::MAX);
    assert_eq!(market.memory.state().lists["candle:closed:1m:AAA"].len(), 1, "nothing is thrown away");
}

#[test]
fn a_day_is_the_exchanges_day_and_an_open_span_is_not_written() {
    let mut market = Market::new();
    // Nine minutes before midnight in Seoul, and four after it, the last one open.
    for n in 1..14 {
        market.minute(candle(n, START + n * 60));
    }
    market.aggregate().unwrap();
    let days = market.stored(Interval::D1);
    assert_eq!(days.len(), 1, "the new day is not over: {days:?}");
    assert!(days[0].contains("202512151500"), "{days:?}");
    let last = market.stored(Interval::M3).pop().unwrap();
    assert!(last.contains("202512161500"), "the span of the open minute is not over: {last}");
    market.memory.state().config.insert("DAY_OFFSET_S".into(), "0".into());
    market.quiet(100_000);
    market.aggregate().unwrap();
    assert!(market.stored(Interval::D1).iter().any(|day| day.contains("202512160000")), "by UTC");
}

#[test]
fn an_empty_market_and_senseless_questions() {
    let market = Market::new();
    for interval in Interval::ALL {
        assert_eq!(market.shown(interval, 10, None), []);
        assert_eq!(market.shown(interval, 10, Some(0)), []);
    }
    for (query, status, code) in [
        ("symbol=TEST&interval=2m", 400, "bad_interval"),
        ("symbol=TEST&interval=1M", 400, "bad_interval"),
        ("symbol=TEST&interval=", 400, "bad_interval"),
        ("symbol=TEST&limit=0", 400, "bad_limit"),
        ("symbol=TEST&limit=1001", 400, "bad_limit"),
        ("symbol=TEST&limit=-1", 400, "bad_limit"),
        ("symbol=TEST&limit=many", 400, "bad_limit"),
        ("symbol=TEST&before=now", 400, "bad_field"),
        ("symbol=test", 400, "bad_symbol"),
        ("interval=1m", 400, "missing_field"),
        ("symbol=NONE", 404, "unknown_symbol"),
    ] {
        let answer = market.chart(query);
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, status, "{query}: {body}");
        assert!(body.contains(code), "{query}: {body}");
    }
    assert_eq!(market.chart("symbol=TEST&before=18446744073709551615").status, 200);
}
