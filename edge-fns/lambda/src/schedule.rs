//! Schedules of EventBridge: rules with a schedule, and EventBridge Scheduler's default input.

use crate::Failure;
use edge_fns::capability::Millis;
use edge_host::Timer;
use engine_core::candle::parse_minute;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Event {
    /// When it was due.
    time: String,
    /// The rule or schedule, by its ARN.
    #[serde(default)]
    resources: Vec<String>,
}

/// The timer is named after the rule: the last part of its ARN.
pub fn timer(event: Value) -> Result<Timer, Failure> {
    let Event { time, resources } =
        Event::deserialize(event).map_err(|error| Failure::BadEvent(error.to_string()))?;
    let due = instant(&time).ok_or_else(|| Failure::BadEvent(format!("{time:?} is no time")))?;
    let name = resources.first().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    Ok(Timer { name: name.to_owned(), due })
}

/// `2026-11-25T10:20:30Z`, with or without a fraction of a second.
fn instant(text: &str) -> Option<Millis> {
    let text = text.strip_suffix('Z')?;
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let bytes = text.as_bytes();
    let shape = bytes.len() == 19
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !shape || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let minute: String = text[..16].chars().filter(char::is_ascii_digit).collect();
    let seconds: u64 = text[17..].parse().ok()?;
    let millis: u64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    // A leap second is the first of the next minute.
    (seconds <= 60).then_some(())?;
    Some((parse_minute(&minute)? + seconds) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2025-12-16T14:20:07Z", Some(1_765_894_807_000)),
            ("2025-12-16T14:20:07.5Z", Some(1_765_894_807_500)),
            ("2025-12-16T14:20:07.123456Z", Some(1_765_894_807_123)),
            ("2025-12-16T14:20:07", None),
            ("2025-12-16T14:20:07+09:00", None),
            ("2025-12-16 14:20:07Z", None),
            ("2025-13-16T14:20:07Z", None),
            ("2025-12-16T14:20:61Z", None),
            ("2025-12-16T14:20:07.Ä1Z", None),
            ("Ä25-12-16T14:20:07Z", None),
            ("", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }
}
