//! A log of what went over the line: the newest first, and no more of it than a browser shows at ease.

use std::collections::VecDeque;

pub const MOST_LINES: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Sent,
    Received,
    /// The connection itself.
    Line,
}

impl Way {
    pub const fn sign(self) -> &'static str {
        match self {
            Way::Sent => "→",
            Way::Received => "←",
            Way::Line => "•",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: u64,
    pub time: u64,
    pub way: Way,
    pub text: String,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Line>,
    count: u64,
    bytes: u64,
}

impl Log {
    pub fn push(&mut self, time: u64, way: Way, text: String) {
        self.count += 1;
        self.bytes += text.len() as u64;
        self.lines.push_front(Line { number: self.count, time, way, text });
        self.lines.truncate(MOST_LINES);
    }

    /// Lines that contain a text, newest first.
    pub fn with(&self, wanted: &str) -> Vec<Line> {
        self.lines.iter().filter(|line| line.text.contains(wanted)).cloned().collect()
    }

    /// Of all that was logged, kept or not.
    pub fn count(&self) -> (u64, u64) {
        (self.count, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_all_are_counted() {
        let mut log = Log::default();
        for number in 0..MOST_LINES + 10 {
            log.push(number as u64, Way::Received, format!("line {number}"));
        }
        assert_eq!(log.count().0, 510);
        assert_eq!(log.with("").len(), MOST_LINES);
        assert_eq!(log.with("line 509")[0].number, 510);
        assert!(log.with("line 9").iter().all(|line| line.text.starts_with("line 9")));
        assert_eq!(log.with("line 3").last().map(|line| line.number), Some(31));
    }
}
