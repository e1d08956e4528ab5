//! Epoch milliseconds as `timestamptz`, and the months that partitions stand for.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// From the Unix epoch to PostgreSQL's, which is 2000-01-01.
const EPOCH_MS: i64 = 946_684_800_000;
const DAY_MS: u64 = 86_400_000;

/// Epoch milliseconds. What is past PostgreSQL's calendar is its infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub u64);

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let micros = i64::try_from(self.0).ok().and_then(|ms| (ms - EPOCH_MS).checked_mul(1000));
        out.extend_from_slice(&micros.unwrap_or(i64::MAX).to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Instant, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Instant(u64::try_from(micros.div_euclid(1000).saturating_add(EPOCH_MS)).unwrap_or(0)))
    }

    accepts!(TIMESTAMPTZ);
}

pub(super) fn now() -> Instant {
    Instant(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
}

impl Month {
    /// `None` from the year 10000 on.
    pub fn of(instant: Instant) -> Option<Month> {
        // Days since 0000-03-01, in years that begin with March: then the leap day is a year's last.
        let days = instant.0 / DAY_MS + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (year, month) =
            if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
        (year < 10_000).then_some(Month { year, month })
    }

    pub fn next(self) -> Month {
        if self.month == 12 {
            return Month { year: self.year + 1, month: 1 };
        }
        Month { month: self.month + 1, ..self }
    }

    /// Its first day, as PostgreSQL reads it.
    pub fn start(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        for (ms, year, month) in [
            (0, 1970, 1),
            (951_782_399_999, 2000, 2),
            (951_868_799_999, 2000, 2),
            (951_868_800_000, 2000, 3),
            (1_765_894_800_000, 2025, 12),
            (1_767_225_599_999, 2025, 12),
            (1_767_225_600_000, 2026, 1),
            (4_107_542_399_999, 2100, 2),
            (4_107_542_400_000, 2100, 3),
        ] {
            assert_eq!(Month::of(Instant(ms)), Some(Month { year, month }), "{ms}");
        }
        assert_eq!(Month::of(Instant(u64::MAX)), None);
        assert_eq!(Month { year: 2025, month: 12 }.next().start(), "2026-01-01 00:00:00+00");
    }
}
