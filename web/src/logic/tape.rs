//! The newest trades, newest first.

/// As many as the page shows.
pub const TAPE_LENGTH: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The symbol's event number: the trade's name.
    pub sequence: u64,
    pub time: u64,
    pub price: u64,
    pub quantity: u64,
    /// The taker bought.
    pub bought: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Tape(Vec<Trade>);

impl Tape {
    /// Puts a trade at its place; one that is there or older than all shown is ignored. Answers whether it was taken.
    pub fn push(&mut self, trade: Trade) -> bool {
        let place = self.0.partition_point(|other| other.sequence > trade.sequence);
        let known = self.0.get(place).is_some_and(|other| other.sequence == trade.sequence);
        if known || place >= TAPE_LENGTH {
            return false;
        }
        self.0.insert(place, trade);
        self.0.truncate(TAPE_LENGTH);
        true
    }

    pub fn trades(&self) -> &[Trade] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_are_shown_once_and_in_order() {
        let trade = |sequence| Trade { sequence, time: 0, price: 1, quantity: 1, bought: true };
        let mut tape = Tape::default();
        assert!(tape.push(trade(3)) && tape.push(trade(5)) && tape.push(trade(4)));
        assert!(!tape.push(trade(4)));
        assert_eq!(tape.trades().iter().map(|t| t.sequence).collect::<Vec<_>>(), [5, 4, 3]);
        for sequence in 10..100 {
            tape.push(trade(sequence));
        }
        assert_eq!(tape.trades().len(), TAPE_LENGTH);
        assert!(!tape.push(trade(6)), "older than all shown");
        assert_eq!(tape.trades()[0].sequence, 99);
    }
}
