//! The chart's candles: the server's history, and minutes that go on live, folded by the exchange's own aggregation.
//!
//! Minutes are keyed by their time and replaced, never added up, so a minute may be told any number of times. Spans
//! that the known minutes cover from their start are folded here; older ones are the server's.

use engine_core::candle::{Candle, Interval, Seconds, aggregate};

/// What a change asks of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// The newest candles, oldest first: each replaces the last one shown or follows it.
    Tail(Vec<Candle>),
    All,
}

/// Candles that are kept at most: beyond, a chart is no longer fluent.
const MOST_SHOWN: usize = 20_000;

#[derive(Clone, Debug)]
pub struct Candles {
    interval: Interval,
    day_offset_s: u64,
    /// All known minutes, ascending.
    minutes: Vec<Candle>,
    /// Every minute from here on that has traded is known.
    minutes_from: Seconds,
    /// The server's candles of the interval, ascending.
    history: Vec<Candle>,
    /// The server has none before the first of `history`.
    history_complete: bool,
    shown: Vec<Candle>,
}

impl Candles {
    pub fn new(interval: Interval, day_offset_s: u64) -> Candles {
        Candles {
            interval,
            day_offset_s,
            minutes: Vec::new(),
            minutes_from: Seconds::MAX,
            history: Vec::new(),
            history_complete: false,
            shown: Vec::new(),
        }
    }

    pub fn interval(&self) -> Interval {
        self.interval
    }

    pub fn shown(&self) -> &[Candle] {
        &self.shown
    }

    /// The minutes as the server has them. `complete`: there are none before the first. Live minutes that are ahead of
    /// the answer stay, and so do older ones that join it.
    pub fn load_minutes(&mut self, minutes: Vec<Candle>, complete: bool) {
        let before = core::mem::replace(&mut self.minutes, minutes);
        let from = match self.minutes.first() {
            Some(first) if !complete => first.time,
            _ => 0,
        };
        let joins = self.minutes_from < from && before.last().is_some_and(|last| last.time >= from);
        if joins {
            let older = before.partition_point(|minute| minute.time < from);
            self.minutes.splice(0..0, before[..older].iter().copied());
        } else {
            self.minutes_from = from;
        }
        let newest = self.minutes.last().map_or(0, |minute| minute.time);
        for minute in before.iter().filter(|minute| minute.time >= newest) {
            self.keep(*minute);
        }
        self.fold();
    }

    /// The server's history at an interval; `complete`: there is none before it. Older candles of the same interval stay
    /// where they join it.
    pub fn load_history(&mut self, interval: Interval, history: Vec<Candle>, complete: bool) {
        let first = history.first().map_or(Seconds::MAX, |first| first.time);
        let before = core::mem::replace(&mut self.history, history);
        let joins = interval == self.interval && before.last().is_some_and(|last| last.time >= first);
        let older = before.partition_point(|candle| candle.time < first);
        if joins && older > 0 {
            self.history.splice(0..0, before[..older].iter().copied());
        } else {
            self.history_complete = complete;
        }
        self.interval = interval;
        self.fold();
    }

    /// Candles from before the first one shown. `complete`: there are none before them. Answers whether they are of
    /// the interval that is shown; else they are late, and nothing is done.
    pub fn load_older(&mut self, interval: Interval, mut older: Vec<Candle>, complete: bool) -> bool {
        if interval != self.interval {
            return false;
        }
        let first = self.shown.first().map_or(Seconds::MAX, |first| first.time);
        older.retain(|candle| candle.time < first);
        // An answer that goes back no further would be asked for without end.
        let complete = complete || older.is_empty();
        if interval == Interval::M1 {
            self.minutes_from = match older.first() {
                Some(oldest) if !complete => oldest.time,
                _ => 0,
            };
            self.minutes.splice(0..0, older);
        } else {
            self.history_complete = complete;
            self.history.splice(0..0, older);
        }
        self.fold();
        true
    }

    /// The time before which more can be asked of the server; `None` if that would bring nothing.
    pub fn older_than(&self) -> Option<Seconds> {
        let complete = match self.interval {
            Interval::M1 => self.minutes_from == 0,
            _ => self.history_complete || self.history.is_empty(),
        };
        let first = self.shown.first()?;
        (!complete && self.shown.len() < MOST_SHOWN).then_some(first.time)
    }

    /// A minute as it stands now.
    pub fn push(&mut self, minute: Candle) -> Change {
        if !self.keep(minute) {
            return Change::Nothing;
        }
        if self.minutes_from == Seconds::MAX {
            // History is still on its way: until then only what happens from now on is known.
            self.minutes_from = minute.time;
        }
        self.refold_from(self.interval.bucket(minute.time, self.day_offset_s))
    }

    /// The day that is running, from its minutes; `None` if nothing has traded today.
    pub fn today(&self) -> Option<Candle> {
        let last = self.minutes.last()?;
        let start = Interval::D1.bucket(last.time, self.day_offset_s);
        let from = self.minutes.partition_point(|minute| minute.time < start);
        aggregate(&self.minutes[from..], Interval::D1, self.day_offset_s).pop()
    }

    /// Keeps a minute unless what is known of it is newer: a minute's volume only grows. Answers whether it was news.
    fn keep(&mut self, minute: Candle) -> bool {
        match self.minutes.binary_search_by_key(&minute.time, |known| known.time) {
            Ok(place) if minute.volume < self.minutes[place].volume || minute == self.minutes[place] => false,
            Ok(place) => {
                self.minutes[place] = minute;
                true
            }
            Err(place) => {
                self.minutes.insert(place, minute);
                true
            }
        }
    }

    /// Folds the span at `bucket` and all later ones again.
    fn refold_from(&mut self, bucket: Seconds) -> Change {
        if bucket < self.cover() {
            // The span began before the known minutes: what the server said of it stays.
            self.fold();
            return Change::All;
        }
        let kept = self.shown.partition_point(|candle| candle.time < bucket);
        // A chart only goes on at its end.
        let at_end = kept + 1 >= self.shown.len();
        let from = self.minutes.partition_point(|minute| minute.time < bucket);
        let tail = aggregate(&self.minutes[from..], self.interval, self.day_offset_s);
        self.shown.truncate(kept);
        self.shown.extend_from_slice(&tail);
        if at_end { Change::Tail(tail) } else { Change::All }
    }

    /// The first span that the minutes cover from its start.
    fn cover(&self) -> Seconds {
        let bucket = self.interval.bucket(self.minutes_from, self.day_offset_s);
        if bucket < self.minutes_from { bucket.saturating_add(self.interval.seconds()) } else { bucket }
    }

    fn fold(&mut self) {
        let cover = self.cover();
        let from = self.minutes.partition_point(|minute| minute.time < cover);
        self.shown.clear();
        if self.history.is_empty() {
            // Until the server's history comes, the uncovered minutes are better than a hole.
            self.shown.extend(aggregate(&self.minutes[..from], self.interval, self.day_offset_s));
        }
        self.shown.extend(self.history.iter().filter(|candle| candle.time < cover));
        self.shown.extend(aggregate(&self.minutes[from..], self.interval, self.day_offset_s));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Seconds = 1_765_894_800 - 1_765_894_800 % 3600;

    fn minute(number: u64, close: u64, volume: u64) -> Candle {
        Candle {
            time: START + number * 60,
            open: 100,
            high: close.max(100),
            low: close.min(100),
            close,
            volume,
        }
    }

    #[test]
    fn a_live_minute_changes_only_the_end() {
        let mut candles = Candles::new(Interval::M5, 0);
        candles.load_minutes((0..7).map(|n| minute(n, 101, 1)).collect(), true);
        assert_eq!(candles.shown().len(), 2);
        let Change::Tail(tail) = candles.push(minute(7, 105, 4)) else { panic!() };
        assert_eq!(tail, candles.shown()[1..]);
        assert_eq!((tail[0].volume, tail[0].close, tail[0].high), (6, 105, 105));
        let Change::Tail(tail) = candles.push(minute(10, 90, 1)) else { panic!() };
        assert_eq!((tail.len(), candles.shown().len()), (1, 3));
    }

    #[test]
    fn a_minute_told_again_counts_once() {
        let mut candles = Candles::new(Interval::M3, 0);
        candles.load_minutes(vec![minute(0, 101, 5)], true);
        assert_eq!(candles.push(minute(0, 101, 5)), Change::Nothing);
        assert_eq!(candles.push(minute(0, 99, 4)), Change::Nothing, "an older state of the minute");
        assert_eq!(candles.push(minute(0, 99, 7)), Change::Tail(candles.shown().to_vec()));
        assert_eq!(candles.shown()[0].volume, 7);
    }

    #[test]
    fn a_late_close_redraws() {
        let mut candles = Candles::new(Interval::M1, 0);
        candles.load_minutes(vec![minute(0, 101, 1), minute(1, 102, 1)], true);
        let Change::Tail(tail) = candles.push(minute(2, 103, 1)) else { panic!() };
        assert_eq!(tail.len(), 1);
        assert_eq!(candles.push(minute(1, 110, 9)), Change::All);
        assert_eq!(candles.shown()[1].close, 110);
    }

    #[test]
    fn spans_the_minutes_do_not_cover_are_the_servers() {
        let mut candles = Candles::new(Interval::H1, 0);
        // Known from the half hour on, so the first whole hour is the next.
        candles.load_minutes((30..90).map(|n| minute(n, 101, 1)).collect(), false);
        let server = |hour: u64, volume| Candle { volume, ..minute(hour * 60, 200, 1) };
        let history = vec![Candle { time: START - 3600, ..minute(0, 150, 50) }, server(0, 777), server(1, 5)];
        candles.load_history(Interval::H1, history, true);
        let volumes: Vec<_> = candles.shown().iter().map(|candle| candle.volume).collect();
        assert_eq!(volumes, [50, 777, 30], "the last is folded from minutes");
    }

    #[test]
    fn folding_live_is_folding_at_once() {
        for interval in Interval::ALL {
            let all: Vec<_> =
                (0..600).filter(|n| n % 7 != 3).map(|n| minute(n, 90 + n % 23, 1 + n)).collect();
            let mut candles = Candles::new(interval, 9 * 3600);
            candles.load_minutes(all[..300].to_vec(), true);
            for minute in &all[300..] {
                assert!(matches!(candles.push(*minute), Change::Tail(_)));
            }
            assert_eq!(candles.shown(), aggregate(&all, interval, 9 * 3600));
        }
    }

    #[test]
    fn older_pages_join_at_the_front() {
        let mut candles = Candles::new(Interval::M1, 0);
        let page = |from: u64, to: u64| (from..to).map(|n| minute(n, 101, 1)).collect::<Vec<_>>();
        candles.load_minutes(page(50, 60), false);
        assert_eq!(candles.older_than(), Some(START + 50 * 60));
        // The page overlaps, as one does when candles have come meanwhile.
        assert!(candles.load_older(Interval::M1, page(30, 52), false));
        assert_eq!(candles.shown(), page(30, 60));
        assert!(!candles.load_older(Interval::M5, page(0, 5), false), "of another interval");
        assert!(candles.load_older(Interval::M1, page(20, 30), true));
        assert_eq!((candles.shown().len(), candles.older_than()), (40, None));
        // What a reconnect brings leaves the older ones.
        candles.load_minutes(page(52, 70), false);
        assert_eq!(candles.shown(), page(20, 70));
        candles.load_minutes(page(90, 95), false);
        assert_eq!(
            candles.shown(),
            page(90, 95),
            "there is a hole between: only what is known to be whole stays"
        );
    }

    #[test]
    fn older_spans_are_the_servers() {
        let mut candles = Candles::new(Interval::H1, 0);
        let hour = |n: u64| Candle { time: START + n * 3600, ..minute(0, 101, 60) };
        candles.load_minutes((600..660).map(|n| minute(n, 101, 1)).collect(), false);
        assert_eq!(candles.older_than(), None, "the first page is still on its way");
        candles.load_history(Interval::H1, (5..11).map(hour).collect(), false);
        assert_eq!(candles.older_than(), Some(START + 5 * 3600));
        assert!(candles.load_older(Interval::H1, (2..5).map(hour).collect(), false));
        assert_eq!(candles.shown(), (2..11).map(hour).collect::<Vec<_>>());
        candles.load_history(Interval::H1, (6..11).map(hour).collect(), false);
        assert_eq!(candles.shown().len(), 9, "what a reconnect brings leaves the older ones");
        assert!(candles.load_older(Interval::H1, Vec::new(), false));
        assert_eq!(candles.older_than(), None, "an empty page is the end");
    }

    #[test]
    fn live_minutes_ahead_of_an_answer_stay() {
        let mut candles = Candles::new(Interval::M1, 0);
        candles.push(minute(5, 120, 9));
        candles.load_minutes(vec![minute(4, 101, 1), minute(5, 110, 3)], true);
        assert_eq!(candles.shown().last(), Some(&minute(5, 120, 9)));
        assert_eq!(candles.today().map(|day| day.volume), Some(10));
    }
}
