//! `docs/scale.md` holds the tables that the program prints.

use simulation::table;

#[test]
fn the_document_holds_the_tables() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scale.md");
    let document = std::fs::read_to_string(path).expect("docs/scale.md");
    let tables = table::render().expect("no symbol is too hot");
    let new = table::replaced(&document, &tables).expect("the marks");
    for (old, new) in document.lines().zip(new.lines()) {
        assert_eq!(old, new, "cargo xtask scale --write mends it");
    }
    assert_eq!(document, new, "cargo xtask scale --write mends it");
}
