//! Orders on their way to the server. An order has one name for as long as its fate is not known, so that however often it
//! is sent, it exists once.

use super::ticket::Request;

/// Attempts at one order before the user is asked.
pub const ATTEMPTS: u32 = 4;

/// What is known of the order that was sent last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Sent, and never answered.
    open: Option<(Request, String)>,
}

impl Outbox {
    /// The name to send an order under: the one that it has if it may be there already, else `fresh`.
    pub fn name(&mut self, request: &Request, fresh: String) -> String {
        match &self.open {
            Some((open, name)) if open == request => name.clone(),
            _ => {
                self.open = Some((request.clone(), fresh.clone()));
                fresh
            }
        }
    }

    /// Whether the fate of the order of this name is not known.
    pub fn is_open(&self, name: &str) -> bool {
        self.open.as_ref().is_some_and(|(_, open)| open == name)
    }

    /// The server has answered, in whatever way, or an order of this name has been seen.
    pub fn settle(&mut self, name: &str) {
        if self.is_open(name) {
            self.open = None;
        }
    }
}

/// Whether a call that ended with this status may have done its work unseen, or would do it if asked again.
pub fn is_unanswered(status: u16) -> bool {
    status == 0 || status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::order::{Kind, Side, Tif};

    fn request(quantity: u64) -> Request {
        Request {
            symbol: "TEST".into(),
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Gtc,
            price: Some(1),
            quantity,
            stop: None,
            post_only: false,
            display: None,
        }
    }

    #[test]
    fn an_order_of_unknown_fate_keeps_its_name() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.name(&request(1), "a".into()), "a");
        assert_eq!(outbox.name(&request(1), "b".into()), "a", "the same order again");
        outbox.settle("other");
        assert!(outbox.is_open("a") && !outbox.is_open("other"));
        outbox.settle("a");
        assert_eq!(outbox.name(&request(1), "c".into()), "c", "one more of the same is another order");
        assert_eq!(outbox.name(&request(2), "d".into()), "d", "another order has another name");
    }

    #[test]
    fn only_answers_settle() {
        assert!(is_unanswered(0) && is_unanswered(503) && is_unanswered(504));
        assert!(!is_unanswered(422) && !is_unanswered(429) && !is_unanswered(202));
    }
}
