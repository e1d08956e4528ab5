//! Open orders on their way to another price: held by pointer or keys, or sent and not yet answered.

use super::amount::MAX_AMOUNT;
use super::map::Map;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub price: u64,
    /// The exchange has been asked; the user's hand is off it.
    pub sent: bool,
}

/// By the order's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves(Map<String, Move>);

impl Moves {
    pub fn get(&self, id: &str) -> Option<Move> {
        self.0.get(id).copied()
    }

    pub fn is_held(&self, id: &str) -> bool {
        self.get(id).is_some_and(|held| !held.sent)
    }

    /// The user holds an order at a price. One that is on its way is not to be had until it is answered.
    pub fn hold(&mut self, id: &str, price: u64) -> bool {
        if self.get(id).is_some_and(|held| held.sent) {
            return false;
        }
        self.0.insert(id.to_owned(), Move { price, sent: false });
        true
    }

    /// The user lets go without wishing for anything.
    pub fn release(&mut self, id: &str) {
        if self.is_held(id) {
            self.0.remove(id);
        }
    }

    pub fn send(&mut self, id: &str, price: u64) {
        self.0.insert(id.to_owned(), Move { price, sent: true });
    }

    /// Orders that the exchange has been asked about and has not answered.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().filter(|(_, held)| held.sent).map(|(id, _)| id.clone()).collect()
    }

    /// The exchange has answered.
    pub fn end(&mut self, id: &str) {
        if self.get(id).is_some_and(|held| held.sent) {
            self.0.remove(id);
        }
    }
}

/// The price that an order can have nearest to a place on the scale: a whole tick, from one on.
pub fn snapped(price: f64) -> Option<u64> {
    price.is_finite().then(|| (price.round().max(1.0) as u64).min(MAX_AMOUNT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_can_be_let_go_and_what_is_sent_only_answered() {
        let mut moves = Moves::default();
        assert!(moves.hold("a", 100) && moves.hold("a", 101));
        moves.end("a");
        assert_eq!(
            moves.get("a"),
            Some(Move { price: 101, sent: false }),
            "an old answer takes nothing away"
        );
        moves.release("a");
        assert_eq!(moves.get("a"), None);

        moves.hold("a", 105);
        moves.send("a", 105);
        assert!(!moves.hold("a", 110), "it is on its way");
        moves.release("a");
        assert_eq!(moves.get("a"), Some(Move { price: 105, sent: true }));
        moves.end("a");
        assert_eq!(moves.get("a"), None);
    }

    #[test]
    fn prices_are_whole_ticks() {
        assert_eq!(snapped(100.4), Some(100));
        assert_eq!(snapped(100.5), Some(101));
        assert_eq!(snapped(-3.0), Some(1));
        assert_eq!(snapped(1e300), Some(MAX_AMOUNT));
        assert_eq!(snapped(f64::NAN), None);
    }
}
