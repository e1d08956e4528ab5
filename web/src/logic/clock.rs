//! Times as the exchange's own clock shows them: `day_offset_s` ahead of UTC, wherever the reader is.

use crate::i18n::Lang;

const DAY_S: u64 = 86_400;

/// `HH:MM:SS` of a time in milliseconds.
pub fn time_of_day(time_ms: u64, day_offset_s: u64) -> String {
    let second = (time_ms / 1000 + day_offset_s) % DAY_S;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Day and time of a time in milliseconds, as the language has it: `12. 17. 00:20:05`, `Dec 17, 00:20:05`.
pub fn date_and_time(time_ms: u64, day_offset_s: u64, lang: Lang) -> String {
    let minute = engine_core::candle::format_minute(time_ms / 1000 + day_offset_s);
    let number = |text: &str| text.parse::<usize>().unwrap_or(1);
    let (month, day) = (number(&minute[4..6]), number(&minute[6..8]));
    let time = time_of_day(time_ms, day_offset_s);
    match lang {
        Lang::Ko => format!("{month}. {day}. {time}"),
        Lang::En => {
            let name = 3 * (month - 1);
            format!("{} {day}, {time}", &"JanFebMarAprMayJunJulAugSepOctNovDec"[name..name + 3])
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS` of a time in milliseconds, for files and clocks.
pub fn full(time_ms: u64, day_offset_s: u64) -> String {
    let minute = engine_core::candle::format_minute(time_ms / 1000 + day_offset_s);
    let date = [&minute[..4], &minute[4..6], &minute[6..8]].join("-");
    format!("{date} {}", time_of_day(time_ms, day_offset_s))
}

/// The clock's name: `UTC+9`.
pub fn zone(day_offset_s: u64) -> String {
    match (day_offset_s / 3600, day_offset_s / 60 % 60) {
        (0, 0) => "UTC".into(),
        (hours, 0) => format!("UTC+{hours}"),
        (hours, minutes) => format!("UTC+{hours}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_exchanges() {
        let at = 1_765_894_805_123;
        assert_eq!(time_of_day(at, 0), "14:20:05");
        assert_eq!(time_of_day(at, 9 * 3600), "23:20:05");
        assert_eq!(date_and_time(at + 3_600_000, 9 * 3600, Lang::Ko), "12. 17. 00:20:05");
        assert_eq!(date_and_time(at + 3_600_000, 9 * 3600, Lang::En), "Dec 17, 00:20:05");
        assert_eq!(full(at, 0), "2025-12-16 14:20:05");
        assert_eq!(zone(9 * 3600), "UTC+9");
        assert_eq!(zone(0), "UTC");
        assert_eq!(zone(19_800), "UTC+5:30");
    }
}
