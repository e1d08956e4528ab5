//! Components compiled beforehand: the same files every time, which run as the components do, and only if they are what
//! their manifest says.
#![cfg(feature = "compiler")]

mod common;

use common::{Fakes, Folder, component, http_module};
use edge_host::precompiled::{self, MANIFEST, Manifest};
use edge_host::{EdgeHost, Limits, LoadError, Request};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// Any machine of this kind, whichever processor it has.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// A folder with a compiled function, and the component that it was compiled from.
fn compiled() -> (Folder, Vec<u8>) {
    let component = component("asset", &http_module("", 1, "", 2));
    let folder = Folder::of(&[("asset", &component)]);
    precompiled::compile(folder.path(), &target(), folder.path()).unwrap();
    (folder, component)
}

fn load(dir: &Path, handler: &str) -> Result<EdgeHost, LoadError> {
    EdgeHost::load_precompiled(dir, &[handler], Arc::new(Fakes::default()).backends(), Limits::default())
}

fn code(dir: &Path, handler: &str) -> &'static str {
    load(dir, handler).err().map_or("loaded", |error| error.code())
}

/// Changes what the manifest says.
fn rewrite(dir: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = dir.join(MANIFEST);
    let mut manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[tokio::test]
async fn what_was_compiled_answers_as_the_component_does() {
    let (folder, _) = compiled();
    let host = load(folder.path(), "asset").unwrap();
    assert_eq!(host.handlers(), ["asset"]);
    let response = host.http("asset", Request::default()).await.unwrap();
    let compiling = folder.load(Arc::new(Fakes::default()).backends(), Limits::default()).unwrap();
    assert_eq!(response, compiling.http("asset", Request::default()).await.unwrap());
    assert_eq!(response.status, 200);
}

#[test]
fn the_same_component_gives_the_same_files() {
    let (one, _) = compiled();
    let (other, _) = compiled();
    for name in ["asset.cwasm", MANIFEST] {
        assert!(
            std::fs::read(one.path().join(name)).unwrap() == std::fs::read(other.path().join(name)).unwrap()
        );
    }
}

#[test]
fn only_what_the_manifest_names_is_loaded() {
    let (folder, _) = compiled();
    let dir = folder.path();
    assert_eq!(code(dir, "asset"), "loaded");
    assert_eq!(code(dir, "admin"), "not_listed");
    assert_eq!(code(dir, "nobody"), "unknown_handler");
    assert_eq!(code(&dir.join("none"), "asset"), "unreadable");

    let file = dir.join("asset.cwasm");
    let good = std::fs::read(&file).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&file, bad).unwrap();
        assert_eq!(code(dir, "asset"), "changed", "byte {at}");
    }
    std::fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert_eq!(code(dir, "asset"), "changed");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code(dir, "asset"), "unreadable");
    std::fs::write(dir.join(MANIFEST), "{}").unwrap();
    assert_eq!(code(dir, "asset"), "bad_manifest");
}

#[test]
fn what_was_compiled_otherwise_is_refused() {
    let (folder, component) = compiled();
    let dir = folder.path();
    rewrite(dir, |manifest| manifest.wasmtime = "1".into());
    let error = load(dir, "asset").err().unwrap();
    assert!(matches!(&error, LoadError::OtherWasmtime { compiled, .. } if compiled == "1"), "{error}");

    let (folder, _) = compiled();
    rewrite(folder.path(), |manifest| manifest.target = "riscv64gc-unknown-linux-gnu".into());
    assert_eq!(code(folder.path(), "asset"), "other_target");

    // By an engine that is set otherwise, under a manifest that is right about everything else.
    let (folder, _) = compiled();
    let engine = wasmtime::Engine::default();
    let other = engine.precompile_component(&component).unwrap();
    let hash = Sha256::digest(&other).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.path().join("asset.cwasm"), other).unwrap();
    rewrite(folder.path(), |manifest| {
        manifest.functions.insert("asset".into(), hash);
    });
    assert_eq!(code(folder.path(), "asset"), "incompatible");

    assert!(precompiled::compile(folder.path(), "no-such-machine", folder.path()).is_err());
}
