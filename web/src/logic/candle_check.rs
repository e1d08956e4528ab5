//! What trades add up to, beside the candle that the exchange tells of: the console's test of candles.

use super::message::Message;
use engine_core::candle::{Candle, Interval};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// What the open minute had before the first trade.
    before: Option<Candle>,
    /// The minutes that trades have made since.
    made: BTreeMap<u64, Candle>,
    /// The newest that was told of each minute.
    told: BTreeMap<u64, Candle>,
    seen: BTreeSet<u64>,
    /// Quantity traded since the test began.
    traded: u64,
    /// The symbol's event number at which the test began.
    from: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub expected: Candle,
    pub live: Option<Candle>,
}

impl Watch {
    /// Trades after this event number count; those up to it are in `minute`.
    pub fn begin(&mut self, sequence: u64, minute: Option<Candle>) {
        self.before = minute;
        self.from = Some(sequence);
    }

    pub fn hear(&mut self, symbol: &str, message: Message) {
        match message {
            Message::Candle(of, minute) if of == symbol => drop(self.told.insert(minute.time, minute)),
            // The newest are told again after a subscription: a trade counts once, and those of before the test do not.
            Message::Trade(of, trade)
                if of == symbol && self.seen.insert(trade.sequence) && self.counts(trade.sequence) =>
            {
                self.traded = self.traded.saturating_add(trade.quantity);
                let time = Interval::M1.bucket(trade.time / 1000, 0);
                let before = self.before.filter(|before| before.time == time);
                match self.made.get_mut(&time) {
                    Some(minute) => minute.add(trade.price, trade.quantity),
                    None => {
                        let minute = match before {
                            Some(mut minute) => {
                                minute.add(trade.price, trade.quantity);
                                minute
                            }
                            None => Candle::first(time, trade.price, trade.quantity),
                        };
                        self.made.insert(time, minute);
                    }
                }
            }
            _ => {}
        }
    }

    fn counts(&self, sequence: u64) -> bool {
        self.from.is_some_and(|from| sequence > from)
    }

    pub fn traded(&self) -> u64 {
        self.traded
    }

    /// The newest minute; `None` while nothing has traded.
    pub fn check(&self) -> Option<Check> {
        let (time, expected) = self.made.last_key_value()?;
        Some(Check { expected: *expected, live: self.told.get(time).copied() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tape::Trade;
    use super::*;

    #[test]
    fn trades_are_added_to_what_the_minute_had() {
        let trade = |sequence, time, price| {
            Message::Trade("TEST".into(), Trade { sequence, time, price, quantity: 5, bought: true })
        };
        let mut watch = Watch::default();
        watch.hear("TEST", trade(1, 60_000, 500));
        watch.begin(1, Some(Candle { time: 60, open: 500, high: 500, low: 500, close: 500, volume: 5 }));
        assert_eq!(watch.check(), None);
        watch.hear("TEST", trade(1, 60_000, 500));
        watch.hear("OTHER", trade(2, 60_000, 500));
        watch.hear("TEST", trade(3, 61_000, 520));
        watch.hear("TEST", trade(4, 62_000, 490));
        let expected = Candle { time: 60, open: 500, high: 520, low: 490, close: 490, volume: 15 };
        assert_eq!((watch.check(), watch.traded()), (Some(Check { expected, live: None }), 10));
        watch.hear("TEST", Message::Candle("TEST".into(), expected));
        assert_eq!(watch.check(), Some(Check { expected, live: Some(expected) }));
        watch.hear("TEST", trade(5, 121_000, 480));
        assert_eq!(watch.check().unwrap().expected, Candle::first(120, 480, 5), "the next minute");
    }
}
