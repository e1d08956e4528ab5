//! Which records of a shard are in work, and up to where everything is done.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Names a record in work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// The records in work, in the shard's order. Lanes finish them in any order; the front moves over what is finished.
#[derive(Default)]
pub struct Progress {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Default)]
struct State {
    /// Name of a record, and whether it is finished.
    records: VecDeque<(String, bool)>,
    /// Ticket of the first of them.
    first: u64,
    /// The last record that the front passed, until it is taken.
    passed: Option<String>,
}

impl Progress {
    /// Takes a record into work: the one after all that were taken before.
    pub fn begin(&self, id: &str) -> Ticket {
        let mut state = self.state();
        state.records.push_back((id.to_owned(), false));
        Ticket(state.first + state.records.len() as u64 - 1)
    }

    pub fn finish(&self, ticket: Ticket) {
        let mut state = self.state();
        let place = ticket.0.checked_sub(state.first).and_then(|place| usize::try_from(place).ok());
        let record = place.and_then(|place| state.records.get_mut(place));
        debug_assert!(record.as_ref().is_some_and(|(_, done)| !done), "a record is finished once");
        if let Some((_, done)) = record {
            *done = true;
        }
        let mut moved = false;
        while state.records.front().is_some_and(|(_, done)| *done) {
            state.passed = state.records.pop_front().map(|(id, _)| id);
            state.first += 1;
            moved = true;
        }
        drop(state);
        if moved {
            self.moved.notify_one();
        }
    }

    /// Returns when the front has moved since the last time.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    /// The record up to which everything is finished, if that has changed.
    pub fn take(&self) -> Option<String> {
        self.state().passed.take()
    }

    pub fn in_flight(&self) -> usize {
        self.state().records.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_waits_for_the_slowest_and_then_passes_all() {
        let progress = Progress::default();
        let tickets: Vec<Ticket> = (1..=4).map(|n| progress.begin(&n.to_string())).collect();
        progress.finish(tickets[1]);
        progress.finish(tickets[2]);
        assert_eq!((progress.take(), progress.in_flight()), (None, 4));
        progress.finish(tickets[0]);
        assert_eq!((progress.take().as_deref(), progress.in_flight()), (Some("3"), 1));
        assert_eq!(progress.take(), None);
        let fifth = progress.begin("5");
        progress.finish(fifth);
        assert_eq!(progress.take(), None);
        progress.finish(tickets[3]);
        assert_eq!((progress.take().as_deref(), progress.in_flight()), (Some("5"), 0));
    }
}
