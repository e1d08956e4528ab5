//! What happens next.

use crate::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events by their time; of one time, by the order in which they were put there. So a run has one course.
#[derive(Debug)]
pub struct Events<E> {
    waiting: BinaryHeap<Reverse<(Time, u64, Slot<E>)>>,
    put: u64,
    now: Time,
}

/// Never compared: time and number differ before it comes to that.
#[derive(Debug)]
struct Slot<E>(E);

impl<E> PartialEq for Slot<E> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<E> Eq for Slot<E> {}
impl<E> PartialOrd for Slot<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Slot<E> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Events { waiting: BinaryHeap::new(), put: 0, now: 0 }
    }
}

impl<E> Events<E> {
    /// Lets this happen then; what should have happened already happens now.
    pub fn at(&mut self, time: Time, event: E) {
        self.waiting.push(Reverse((time.max(self.now), self.put, Slot(event))));
        self.put += 1;
    }

    pub fn after(&mut self, wait: Time, event: E) {
        self.at(self.now.saturating_add(wait), event);
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<E> Iterator for Events<E> {
    type Item = (Time, E);

    /// The next event; the clock goes there.
    fn next(&mut self) -> Option<(Time, E)> {
        let Reverse((time, _, Slot(event))) = self.waiting.pop()?;
        debug_assert!(time >= self.now, "time never goes back");
        self.now = time;
        Some((time, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_put() {
        let mut events = Events::default();
        for (time, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            events.at(time, name);
        }
        assert_eq!(events.by_ref().collect::<Vec<_>>(), [(1, "a"), (2, "b"), (5, "c"), (5, "d")]);
        assert!(events.is_empty());
        assert_eq!(events.now(), 5);
    }

    #[test]
    fn what_is_late_happens_now() {
        let mut events = Events::default();
        events.at(10, 1);
        assert_eq!(events.next(), Some((10, 1)));
        events.at(3, 2);
        events.after(Time::MAX, 3);
        assert_eq!(events.next(), Some((10, 2)));
        assert_eq!(events.next(), Some((Time::MAX, 3)));
    }
}
