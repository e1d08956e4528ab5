//! How the page's module is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family.contains("wasm")) {
        // The module is cut into the page and its parts on demand along the linker's notes.
        println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    }
}
