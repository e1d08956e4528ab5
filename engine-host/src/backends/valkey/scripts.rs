//! The scripts, each with the digest that the server knows it by.

use edge_fns::scripts::{DROP_OLDEST, DROP_OLDEST_LUA};
use sha1::{Digest, Sha1};
use std::fmt::Write;

/// A script as the server runs it.
#[derive(Debug)]
pub(super) struct Script {
    pub name: &'static str,
    pub text: &'static str,
    /// Its first argument is the writer's fencing token, which callers do not bring.
    pub fenced: bool,
    pub digest: String,
}

/// Callers of the capability run these by name.
const NAMED: [(&str, &str, bool); 3] = [
    (crate::engine::MARKET_DATA_SCRIPT, include_str!("scripts/market_data.lua"), true),
    ("set_newer", include_str!("scripts/set_newer.lua"), true),
    (DROP_OLDEST, DROP_OLDEST_LUA, false),
];

const RUN_ALL: (&str, &str, bool) = ("run_all", include_str!("scripts/run_all.lua"), false);

#[derive(Debug)]
pub(super) struct Scripts {
    named: Vec<Script>,
    pub run_all: Script,
}

impl Scripts {
    pub fn new() -> Scripts {
        Scripts { named: NAMED.map(script).into(), run_all: script(RUN_ALL) }
    }

    pub fn named(&self, name: &str) -> Option<&Script> {
        self.named.iter().find(|script| script.name == name)
    }

    /// The text of a digest.
    pub fn text(&self, digest: &str) -> Option<&'static str> {
        let mut all = self.named.iter().chain([&self.run_all]);
        all.find(|script| script.digest == digest).map(|script| script.text)
    }
}

fn script((name, text, fenced): (&'static str, &'static str, bool)) -> Script {
    let digest = Sha1::digest(text).iter().fold(String::with_capacity(40), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Script { name, text, fenced, digest }
}
