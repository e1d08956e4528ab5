//! The repository keeps its shape: crates depend only towards the core, and no file ties it to one machine.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use system_tests::repository;

/// What each crate may use of ours. A crate that is new here has to be placed.
const ALLOWED: [(&str, &[&str]); 19] = [
    ("engine-core", &[]),
    ("edge-fns", &["engine-core"]),
    ("edge-component", &["edge-fns"]),
    ("edge-host", &["edge-fns"]),
    ("edge-lambda", &["edge-fns", "edge-host", "engine-core"]),
    ("edge-spin", &["edge-fns"]),
    ("edge-worker", &["edge-fns"]),
    ("streamer", &["edge-fns", "engine-core"]),
    // The sandbox in its tests: what it exports is played there.
    ("engine-host", &["edge-fns", "edge-host", "engine-core", "sandbox", "streamer"]),
    ("lightweight-charts", &[]),
    ("sandbox", &["engine-core"]),
    ("sandbox-worker", &["sandbox"]),
    ("web", &["engine-core", "lightweight-charts", "sandbox"]),
    // What happened is compared with what the core makes of the same stream.
    ("system-tests", &["engine-core"]),
    ("spin-sample", &[]),
    ("panics", &["edge-component"]),
    ("conformance", &["edge-fns", "edge-host", "engine-core"]),
    ("simulation", &[]),
    ("xtask", &["edge-fns", "simulation"]),
];

#[test]
fn crates_depend_only_towards_the_core() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    for package in metadata["packages"].as_array().expect("a list") {
        let name = package["name"].as_str().expect("a name");
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("where does {name} belong?"));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let used = dependency["name"].as_str().expect("a name");
            // A crate may use itself with other features in its tests.
            let ours = dependency["path"].is_string() && used != name;
            assert!(!ours || allowed.contains(used), "{name} must not depend on {used}");
        }
    }
}

#[test]
fn no_file_names_a_machine() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
    let listed = match listed {
        Ok(listed) if listed.status.success() => listed.stdout,
        Ok(listed) => return println!("skipped: {}", String::from_utf8_lossy(&listed.stderr).trim()),
        Err(error) => return println!("skipped: git does not run ({error})"),
    };
    // Spelt so that this file does not find itself.
    let homes = [["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), ["/ho", "me/"].concat()];
    let mut found = Vec::new();
    for name in String::from_utf8(listed).expect("names").split_terminator('\0') {
        let path: PathBuf = repository().join(name);
        // A file that is listed and has just been removed, and one that is no text, names nothing.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let lock = path.file_name().is_some_and(|name| name == "package-lock.json");
        for (n, line) in text.lines().enumerate() {
            let registry = lock && line.contains("\"resolved\"") && line.contains("://");
            if registry || homes.iter().any(|home| line.contains(home.as_str())) {
                found.push(format!("{name}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
