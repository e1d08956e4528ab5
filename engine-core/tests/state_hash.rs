//! One line that stands for everything that a market does: 20,000 commands over all features, their events, feeds and snapshots.

#[allow(dead_code)] // Its `main` is for the program.
#[path = "../examples/state_hash.rs"]
mod program;

/// `state-hash.txt` only changes with what a market does or with its formats. A change of the line is therefore a change of semantics
/// or formats for everybody who has records or snapshots, and comes with a line in CHANGELOG.md that says which; a
/// change of formats also with a new version of the snapshot (`MARKET_VERSION`).
#[test]
fn everything_is_as_it_was() {
    let committed = include_str!("state-hash.txt").trim_end();
    assert_eq!(program::run(1, 20_000), committed, "see the comment of this test before you change the file");
}
