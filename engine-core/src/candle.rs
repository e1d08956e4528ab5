//! Candles: open, high, low, close and volume of the fills of one span of time.
//!
//! A candle belongs to the half-open span `[time, time + interval)` and is named by its open time. A span without a
//! fill has no candle. Everything coarser than a minute is folded from minutes by [`aggregate`], one function for the
//! server, the page and the tests; minutes are keyed by their time and replaced, never added up twice.

use crate::types::{Price, Quantity};
use alloc::string::String;
use alloc::vec::Vec;

/// Seconds since the Unix epoch.
pub type Seconds = u64;

/// Korea's day begins at 15:00 UTC of the day before.
pub const SEOUL_DAY_OFFSET_S: u64 = 9 * 3600;

/// The fills of one span of time in six numbers. Prices in the symbol's price unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Open time of the span.
    pub time: Seconds,
    /// Price of the first fill.
    pub open: Price,
    /// Highest price of a fill.
    pub high: Price,
    /// Lowest price of a fill.
    pub low: Price,
    /// Price of the last fill so far.
    pub close: Price,
    /// Sum of the fills' quantities; saturates at `u64::MAX`.
    pub volume: Quantity,
}

impl Candle {
    /// The candle of a span in which one fill has happened so far.
    pub fn first(time: Seconds, price: Price, quantity: Quantity) -> Candle {
        Candle { time, open: price, high: price, low: price, close: price, volume: quantity }
    }

    /// One more fill in the same span.
    pub fn add(&mut self, price: Price, quantity: Quantity) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
        self.volume = self.volume.saturating_add(quantity);
    }

    /// A later, finer candle of the same span.
    fn absorb(&mut self, later: &Candle) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
    }
}

/// How long the span of a candle is. [`Interval::as_str`] has the names that charts ask by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// One minute: the only one that a market makes itself.
    M1,
    /// Three minutes.
    M3,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// Half an hour.
    M30,
    /// One hour.
    H1,
    /// Four hours, from the day's start in the exchange's time zone.
    H4,
    /// The exchange's day, from midnight of its time zone.
    D1,
}

impl Interval {
    /// Shortest first.
    pub const ALL: [Interval; 8] = [
        Interval::M1,
        Interval::M3,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::H4,
        Interval::D1,
    ];

    /// By the name that [`Interval::as_str`] gives; none for any other text.
    pub fn parse(name: &str) -> Option<Interval> {
        Interval::ALL.into_iter().find(|interval| interval.as_str() == name)
    }

    /// Its name on the wire: `1m`, `3m`, `5m`, `15m`, `30m`, `1h`, `4h`, `1d`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Interval::M1 => "1m",
            Interval::M3 => "3m",
            Interval::M5 => "5m",
            Interval::M15 => "15m",
            Interval::M30 => "30m",
            Interval::H1 => "1h",
            Interval::H4 => "4h",
            Interval::D1 => "1d",
        }
    }

    /// Its length. A day always has 86,400: there are no time zones with summer time here.
    pub const fn seconds(self) -> u64 {
        match self {
            Interval::M1 => 60,
            Interval::M3 => 180,
            Interval::M5 => 300,
            Interval::M15 => 900,
            Interval::M30 => 1800,
            Interval::H1 => 3600,
            Interval::H4 => 4 * 3600,
            Interval::D1 => 86_400,
        }
    }

    /// Open time of the span that holds `time`. Spans are laid from the day's start in the exchange's time zone,
    /// which is `day_offset_s` ahead of UTC; up to an hour this makes no difference in zones of whole hours.
    pub const fn bucket(self, time: Seconds, day_offset_s: u64) -> Seconds {
        let local = time.saturating_add(day_offset_s);
        (local - local % self.seconds()).saturating_sub(day_offset_s)
    }

    /// Open time of the span after the one that holds `time`.
    pub const fn next_bucket(self, time: Seconds, day_offset_s: u64) -> Seconds {
        let local = time.saturating_add(day_offset_s);
        (local - local % self.seconds()).saturating_add(self.seconds()).saturating_sub(day_offset_s)
    }
}

/// Folds minutes (ascending by time) into candles of `interval`.
pub fn aggregate(minutes: &[Candle], interval: Interval, day_offset_s: u64) -> Vec<Candle> {
    let mut folded: Vec<Candle> = Vec::new();
    for minute in minutes {
        let time = interval.bucket(minute.time, day_offset_s);
        match folded.last_mut() {
            Some(last) if last.time == time => last.absorb(minute),
            _ => folded.push(Candle { time, ..*minute }),
        }
    }
    folded
}

/// `YYYYMMDDHHmm` in UTC, the wire's name of a minute. Years past 9999 show their last four digits.
pub fn format_minute(time: Seconds) -> String {
    let (year, month, day) = civil_from_days(time / 86_400);
    let minute_of_day = time % 86_400 / 60;
    let mut out = String::with_capacity(12);
    for (value, width) in
        [(year % 10_000, 4), (month, 2), (day, 2), (minute_of_day / 60, 2), (minute_of_day % 60, 2)]
    {
        let mut unit = 10u64.pow(width - 1);
        while unit > 0 {
            out.push(char::from(b'0' + (value / unit % 10) as u8));
            unit /= 10;
        }
    }
    out
}

/// The inverse of [`format_minute`]; `None` for anything that is not a real minute from 1970 on.
pub fn parse_minute(text: &str) -> Option<Seconds> {
    if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number =
        |from: usize, to: usize| text[from..to].bytes().fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
    let (year, month, day, hour, minute) =
        (number(0, 4), number(4, 6), number(6, 8), number(8, 10), number(10, 12));
    if year < 1970 || !(1..=12).contains(&month) || day < 1 || hour > 23 || minute > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    // A day that the month does not have comes back as another date.
    (civil_from_days(days) == (year, month, day)).then_some(days * 86_400 + hour * 3600 + minute * 60)
}

/// Year, month, day of a day number since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of its year.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, day)
}

const fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - (month <= 2) as u64;
    let era = year / 400;
    let year_of_era = year % 400;
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_contracts_minute_is_the_utc_instant() {
        assert_eq!(parse_minute("202512161420"), Some(1_765_894_800));
        assert_eq!(format_minute(1_765_894_800), "202512161420");
    }

    #[test]
    fn impossible_minutes_are_refused() {
        for text in [
            "",
            "20251216142",
            "202513011200",
            "202502291200",
            "202512162400",
            "196912312359",
            "20251216142x",
        ] {
            assert_eq!(parse_minute(text), None, "{text}");
        }
        assert!(parse_minute("202402290000").is_some());
    }

    #[test]
    fn a_korean_day_starts_at_fifteen_utc() {
        let at = parse_minute("202512161500").unwrap();
        assert_eq!(Interval::D1.bucket(at, SEOUL_DAY_OFFSET_S), at);
        assert_eq!(Interval::D1.bucket(at - 1, SEOUL_DAY_OFFSET_S), at - 86_400);
        assert_eq!(Interval::D1.bucket(at, 0), at - 15 * 3600);
    }

    fn minutes() -> impl Strategy<Value = Vec<Candle>> {
        let minute = (1u64..40, 1u64..100, 0u64..50, 0u64..50, 0u64..50, 1u64..1000);
        proptest::collection::vec(minute, 0..80).prop_map(|steps| {
            let mut time = 1_765_894_800;
            steps
                .into_iter()
                .map(|(gap, low, a, b, spread, volume)| {
                    time += gap * 60;
                    let high = low + spread.max(a).max(b);
                    Candle { time, open: low + a, high, low, close: low + b, volume }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_span_ends_where_the_next_begins(time in 0u64..250_000_000_000, index in 0usize..8, hours in 0u64..24) {
            let (interval, offset) = (Interval::ALL[index], hours * 3600);
            let next = interval.next_bucket(time, offset);
            prop_assert!(next > time && next - time <= interval.seconds());
            prop_assert_eq!(interval.bucket(next, offset), next);
            prop_assert_eq!(interval.bucket(next - 1, offset), interval.bucket(time, offset));
        }

        #[test]
        fn minutes_round_trip(time in 0u64..250_000_000_000) {
            let minute = time - time % 60;
            prop_assert_eq!(parse_minute(&format_minute(time)), Some(minute));
        }

        #[test]
        fn folding_keeps_volume_extremes_and_order(minutes in minutes(), index in 0usize..8) {
            let interval = Interval::ALL[index];
            let folded = aggregate(&minutes, interval, SEOUL_DAY_OFFSET_S);
            prop_assert_eq!(folded.iter().map(|c| c.volume).sum::<u64>(), minutes.iter().map(|c| c.volume).sum::<u64>());
            prop_assert!(folded.windows(2).all(|pair| pair[0].time < pair[1].time));
            for candle in &folded {
                prop_assert!(candle.low <= candle.open.min(candle.close));
                prop_assert!(candle.high >= candle.open.max(candle.close));
                let parts: Vec<_> = minutes
                    .iter()
                    .filter(|m| m.time >= candle.time && m.time < candle.time + interval.seconds())
                    .collect();
                prop_assert_eq!(candle.open, parts[0].open);
                prop_assert_eq!(candle.close, parts[parts.len() - 1].close);
                prop_assert_eq!(candle.high, parts.iter().map(|m| m.high).max().unwrap());
                prop_assert_eq!(candle.low, parts.iter().map(|m| m.low).min().unwrap());
            }
        }

        #[test]
        fn folding_in_two_steps_is_folding_at_once(minutes in minutes()) {
            let fives = aggregate(&minutes, Interval::M5, SEOUL_DAY_OFFSET_S);
            for coarse in [Interval::M15, Interval::M30, Interval::H1, Interval::H4, Interval::D1] {
                prop_assert_eq!(
                    aggregate(&fives, coarse, SEOUL_DAY_OFFSET_S),
                    aggregate(&minutes, coarse, SEOUL_DAY_OFFSET_S)
                );
            }
        }
    }
}
