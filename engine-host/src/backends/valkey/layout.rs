//! Where a key of the contract lies.
//!
//! On one server, where the contract says. In a cluster a script or a transaction reaches the keys of one slot only, and a
//! slot is chosen by what stands in braces: the keys of a symbol's market data carry the symbol there (`depth:{TEST}`), so
//! that one script writes them all and symbols spread over the nodes; everything else (connections, subscriptions, lists of
//! symbols) carries one common tag, because the functions change several of those together.

use std::borrow::Cow;

/// The keys that end with a symbol's name.
const OF_SYMBOLS: [&str; 10] = [
    "candle:closed:seq:",
    "candle:closed:1m:",
    "candle:1m:",
    "depth:",
    "ticker:",
    "ohlc:",
    "trades:",
    "seq:",
    "snapshot:",
    "prev:",
];
const COMMON: &str = "{exchange}";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Plain,
    Tagged,
}

impl Layout {
    /// The key as the server has it. Works for patterns too.
    pub fn place<'a>(self, key: &'a str) -> Cow<'a, str> {
        if self == Layout::Plain {
            return key.into();
        }
        match of_symbol(key) {
            Some((prefix, symbol)) => format!("{prefix}{{{symbol}}}").into(),
            None => format!("{COMMON}{key}").into(),
        }
    }

    /// The contract's key of one that the server has.
    pub fn name(self, placed: &str) -> String {
        if self == Layout::Plain {
            return placed.into();
        }
        if let Some(key) = placed.strip_prefix(COMMON) {
            return key.into();
        }
        match of_symbol(placed)
            .and_then(|(prefix, rest)| Some((prefix, rest.strip_prefix('{')?.strip_suffix('}')?)))
        {
            Some((prefix, symbol)) => format!("{prefix}{symbol}"),
            None => placed.into(),
        }
    }

    /// Whether keys of this pattern may lie on any node.
    pub fn is_spread(self, pattern: &str) -> bool {
        self == Layout::Tagged && of_symbol(pattern).is_some()
    }
}

fn of_symbol(key: &str) -> Option<(&'static str, &str)> {
    OF_SYMBOLS.iter().find_map(|prefix| Some((*prefix, key.strip_prefix(prefix)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_find_back_to_their_names() {
        for (key, placed) in [
            ("depth:TEST", "depth:{TEST}"),
            ("candle:closed:1m:A.B", "candle:closed:1m:{A.B}"),
            ("candle:closed:seq:T", "candle:closed:seq:{T}"),
            ("candle:closed:1m:*", "candle:closed:1m:{*}"),
            ("symbol:TEST:main", "{exchange}symbol:TEST:main"),
            ("ws:abc=", "{exchange}ws:abc="),
        ] {
            assert_eq!(Layout::Tagged.place(key), placed);
            assert_eq!(Layout::Tagged.name(placed), key);
            assert_eq!(Layout::Plain.place(key), key);
            assert_eq!(Layout::Plain.name(key), key);
        }
    }
}
