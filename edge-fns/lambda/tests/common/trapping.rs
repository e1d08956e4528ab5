//! A stream function that traps, or never ends, at some records.

use std::path::Path;
use std::process::Command;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Traps at a record that begins with `!`, never ends at one that begins with `~`, and has done with all others.
const MODULE: &str = r#"(module
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.set $free (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (func (export "supernoba:edge/stream-handler@0.1.0#handle")
        (param $name i32) (param $name_len i32) (param $item i32) (param $items i32) (result i32)
        (local $first i32)
        (block $done
            (loop $next
                (br_if $done (i32.eqz (local.get $items)))
                (local.set $first (i32.load8_u (i32.load offset=24 (local.get $item))))
                (if (i32.eq (local.get $first) (i32.const 33)) (then unreachable))
                (if (i32.eq (local.get $first) (i32.const 126)) (then (loop $ever (br $ever))))
                (local.set $item (i32.add (local.get $item) (i32.const 32)))
                (local.set $items (i32.sub (local.get $items) (i32.const 1)))
                (br $next)))
        (i32.const 1024)))"#;

/// An archive with that function in the place of history-saver; `None` where there is no compiler built.
pub fn archive() -> Option<tempfile::TempDir> {
    // Beside this program: PROFILE/deps/THIS.
    let built = std::env::current_exe().unwrap().ancestors().nth(3)?.join("release/edge-precompile");
    if !built.exists() {
        let missing = format!("{} is not built; `cargo xtask lambda` builds it", built.display());
        assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{missing}");
        println!("skipped: {missing}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("history-saver")).unwrap();
    let mut module = wat::parse_str(MODULE).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let component = ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap();
    std::fs::write(folder.path().join("history-saver.wasm"), component).unwrap();
    let compiled = Command::new(built)
        .args([folder.path().as_os_str(), "x86_64-unknown-linux-gnu".as_ref(), folder.path().as_os_str()])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(folder)
}
