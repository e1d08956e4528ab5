//! The known handlers: what each of them answers and what it is granted, as `wit/worlds.wit` says it.

/// What starts a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Http,
    Socket,
    Stream,
    Timer,
}

impl Kind {
    pub const fn event(self) -> &'static str {
        match self {
            Kind::Http => "http",
            Kind::Socket => "socket",
            Kind::Stream => "stream",
            Kind::Timer => "timer",
        }
    }

    pub const fn export(self) -> &'static str {
        match self {
            Kind::Http => "supernoba:edge/http-handler@0.1.0",
            Kind::Socket => "supernoba:edge/socket-handler@0.1.0",
            Kind::Stream => "supernoba:edge/stream-handler@0.1.0",
            Kind::Timer => "supernoba:edge/timer-handler@0.1.0",
        }
    }
}

pub struct World {
    pub handler: &'static str,
    pub kind: Kind,
    /// Besides what every function has.
    pub grants: &'static [&'static str],
}

/// What every function has; `types` are names only.
const BASE: [&str; 5] = ["types", "clock", "random", "log", "config"];

pub const WORLDS: [World; 16] = [
    World {
        handler: "order-router",
        kind: Kind::Http,
        grants: &["identity", "cache", "documents", "wallet", "log-streams"],
    },
    World {
        handler: "orders",
        kind: Kind::Http,
        grants: &["identity", "cache", "documents", "wallet", "log-streams"],
    },
    World { handler: "admin", kind: Kind::Http, grants: &["identity", "cache", "wallet"] },
    World { handler: "asset", kind: Kind::Http, grants: &["identity", "wallet"] },
    World { handler: "chart-data", kind: Kind::Http, grants: &["cache", "documents"] },
    World { handler: "connect", kind: Kind::Socket, grants: &["identity", "cache"] },
    World { handler: "subscribe", kind: Kind::Socket, grants: &["cache"] },
    World { handler: "disconnect", kind: Kind::Socket, grants: &["cache"] },
    World { handler: "fill-processor", kind: Kind::Stream, grants: &["documents", "wallet"] },
    World { handler: "history-saver", kind: Kind::Stream, grants: &["sql"] },
    World { handler: "notifier", kind: Kind::Stream, grants: &["cache", "connections"] },
    World { handler: "user-notify", kind: Kind::Stream, grants: &["cache", "connections"] },
    World { handler: "stale-connections", kind: Kind::Timer, grants: &["cache", "connections"] },
    World { handler: "trades-backup", kind: Kind::Timer, grants: &["cache", "documents", "blobs"] },
    World { handler: "aggregator", kind: Kind::Timer, grants: &["cache", "documents", "blobs"] },
    World { handler: "sweeper", kind: Kind::Timer, grants: &["documents", "wallet", "log-streams"] },
];

impl World {
    pub fn of(handler: &str) -> Option<&'static World> {
        WORLDS.iter().find(|world| world.handler == handler)
    }

    /// Whether a component of this world may import what has this full name.
    pub fn grants(&self, import: &str) -> bool {
        let interface = import.strip_prefix("supernoba:edge/").and_then(|rest| rest.strip_suffix("@0.1.0"));
        interface.is_some_and(|name| BASE.contains(&name) || self.grants.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The table repeats the worlds so that a host needs no files; it must not drift from them.
    #[test]
    fn the_table_is_what_the_worlds_say() {
        let text = include_str!("../../../wit/worlds.wit");
        let mut written: BTreeMap<&str, (BTreeSet<&str>, &str)> = BTreeMap::new();
        let mut world = "";
        for line in text.lines().map(str::trim) {
            let word = |start| line.strip_prefix(start).and_then(|rest: &str| rest.split([' ', ';']).next());
            if let Some(name) = word("world ") {
                world = name;
            } else if let Some(name) = word("import ") {
                written.entry(world).or_default().0.insert(name);
            } else if let Some(name) = word("export ") {
                written.entry(world).or_default().1 = name;
            }
        }
        let base: BTreeSet<&str> = BASE.into_iter().filter(|name| *name != "types").collect();
        assert_eq!(written.remove("base").expect("a base world").0, base);
        written.remove("every-capability");
        let table: BTreeMap<&str, (BTreeSet<&str>, &str)> = WORLDS
            .iter()
            .map(|world| {
                let export =
                    world.kind.export().trim_start_matches("supernoba:edge/").trim_end_matches("@0.1.0");
                (world.handler, (world.grants.iter().copied().collect(), export))
            })
            .collect();
        assert_eq!(table, written);
    }

    #[test]
    fn every_route_leads_to_a_function_of_its_kind() {
        use edge_fns::routes::{HTTP, SOCKET};
        let kind = |handler| World::of(handler).map(|world| world.kind);
        for route in HTTP {
            assert_eq!(kind(route.handler), Some(Kind::Http), "{route:?}");
        }
        let events = [SOCKET.connect, SOCKET.disconnect, SOCKET.default];
        for handler in events.into_iter().chain(SOCKET.actions.iter().map(|(_, handler)| *handler)) {
            assert_eq!(kind(handler), Some(Kind::Socket), "{handler}");
        }
    }

    #[test]
    fn only_the_exact_interface_is_granted() {
        let world = World::of("asset").expect("known");
        assert!(world.grants("supernoba:edge/wallet@0.1.0"));
        for other in
            ["supernoba:edge/cache@0.1.0", "supernoba:edge/wallet@0.2.0", "wasi:cli/wallet@0.1.0", "wallet"]
        {
            assert!(!world.grants(other), "{other}");
        }
    }
}
