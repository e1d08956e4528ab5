//! What is loaded is known, of its world, and answers the right events.

mod common;

use common::{Fakes, Folder, component, component_of, http_module, module};
use edge_host::{Disposition, HandlerError, Item, Limits, LoadError, Request, SocketEvent};
use std::sync::Arc;

const CACHE: &str = r#"(import "supernoba:edge/cache@0.1.0" "run" (func $run (param i32 i32 i32)))"#;

fn asset() -> Vec<u8> {
    component("asset", &http_module("", 1, "", 0))
}

/// Lets in whoever asks with 3 letters in the connection's id, and says "hi".
fn connect() -> Vec<u8> {
    let handle = r#"(func (export "supernoba:edge/socket-handler@0.1.0#handle")
        (param i32) (param $id i32) (param $event i32) (param i32 i32) (result i32)
        (i32.store8 (i32.const 1024) (i32.eq (local.get $id) (i32.const 3)))
        (i32.store8 (i32.const 1026) (i32.const 1))
        (i32.store16 (i32.const 1028) (i32.add (i32.const 400) (local.get $event)))
        (i32.store8 (i32.const 1032) (i32.const 1))
        (i32.store (i32.const 1036) (i32.const 2048))
        (i32.store (i32.const 1040) (i32.const 2))
        (i32.store16 (i32.const 2048) (i32.const 0x6968))
        (i32.const 1024))"#;
    component("connect", &module("", 1, handle))
}

/// Rejects the last item, for no reason in words.
fn history_saver() -> Vec<u8> {
    let handle = r#"(func (export "supernoba:edge/stream-handler@0.1.0#handle")
        (param i32 i32) (param $items i32) (param $count i32) (result i32)
        (local $last i32)
        (local.set $last
            (i32.add (local.get $items) (i32.mul (i32.sub (local.get $count) (i32.const 1)) (i32.const 32))))
        (i32.store (i32.const 2048) (i32.load (local.get $last)))
        (i32.store (i32.const 2052) (i32.load offset=4 (local.get $last)))
        (i32.store8 (i32.const 2056) (i32.const 1))
        (i32.store (i32.const 1024) (i32.const 2048))
        (i32.store (i32.const 1028) (i32.const 1))
        (i32.const 1024))"#;
    component("history-saver", &module("", 1, handle))
}

fn refusal(components: &[(&str, &[u8])]) -> LoadError {
    let loaded = Folder::of(components).load(Arc::<Fakes>::default().backends(), Limits::default());
    loaded.map(|host| host.handlers()).unwrap_err()
}

#[tokio::test]
async fn each_kind_of_event_reaches_its_handler() {
    let folder =
        Folder::of(&[("asset", &asset()), ("connect", &connect()), ("history-saver", &history_saver())]);
    let host = folder.load(Arc::<Fakes>::default().backends(), Limits::default()).unwrap();
    assert_eq!(host.handlers(), ["asset", "connect", "history-saver"]);

    assert_eq!(host.http("asset", Request::default()).await.unwrap().status, 200);

    let reply = host.socket("connect", "abc", SocketEvent::Closed).await.unwrap();
    assert_eq!((reply.accept, reply.status, reply.body.as_deref()), (true, Some(402), Some(&b"hi"[..])));
    let reply = host.socket("connect", "abcd", SocketEvent::Opened(Vec::new())).await.unwrap();
    assert_eq!((reply.accept, reply.status), (false, Some(400)));

    let item = |id: &str| Item { id: id.into(), partition: "p".into(), arrived: 1, body: vec![0; 3] };
    let failures = host.stream("history-saver", "fills", vec![item("1"), item("22")]).await.unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].id, "22");
    assert_eq!(failures[0].disposition, Disposition::Reject(String::new()));

    let error = host.http("connect", Request::default()).await.unwrap_err();
    assert_eq!(error, HandlerError::WrongKind { handler: "connect".into(), event: "http" });
    let error = host.stream("asset", "fills", Vec::new()).await.unwrap_err();
    assert_eq!(error, HandlerError::WrongKind { handler: "asset".into(), event: "stream" });
    let error = host.socket("orders", "abc", SocketEvent::Closed).await.unwrap_err();
    assert_eq!(error, HandlerError::NoSuchHandler("orders".into()));
}

#[tokio::test]
async fn places_that_cannot_be_reserved_are_made_call_by_call() {
    let limits = Limits { concurrent: 1_000_000, ..Limits::default() };
    let host = Folder::of(&[("asset", &asset())]).load(Arc::<Fakes>::default().backends(), limits).unwrap();
    assert_eq!(host.http("asset", Request::default()).await.unwrap().status, 200);
}

#[test]
fn an_import_beyond_the_world_is_refused() {
    let greedy = component("order-router", &http_module(CACHE, 1, "", 0));
    match refusal(&[("asset", &greedy)]) {
        LoadError::NotGranted { handler, import } => {
            assert_eq!((handler.as_str(), import.as_str()), ("asset", "supernoba:edge/cache@0.1.0"));
        }
        other => panic!("{other}"),
    }
    // The same component where it is granted.
    let folder = Folder::of(&[("order-router", &greedy)]);
    assert!(folder.load(Arc::<Fakes>::default().backends(), Limits::default()).is_ok());
}

#[test]
fn an_import_of_another_platform_is_refused() {
    let wit = "package wasi:cli@0.2.0; interface exit { exit: func(code: u32); }
        world other { import exit; export handle: func(); }";
    let text =
        r#"(module (import "wasi:cli/exit@0.2.0" "exit" (func (param i32))) (func (export "handle")))"#;
    let foreign = component_of(wit, "other", text);
    assert!(
        matches!(refusal(&[("asset", &foreign)]), LoadError::NotGranted { import, .. } if import.starts_with("wasi:"))
    );
}

#[test]
fn the_wrong_export_is_refused() {
    match refusal(&[("asset", &connect())]) {
        LoadError::WrongExport { handler, export } => {
            assert_eq!((handler.as_str(), export), ("asset", "supernoba:edge/http-handler@0.1.0"));
        }
        other => panic!("{other}"),
    }
    // The right name with another signature.
    let wit = "package supernoba:edge@0.1.0; interface http-handler { handle: func() -> u32; }
        world other { export http-handler; }";
    let text =
        r#"(module (func (export "supernoba:edge/http-handler@0.1.0#handle") (result i32) (i32.const 1)))"#;
    let other = component_of(wit, "other", text);
    assert!(matches!(refusal(&[("asset", &other)]), LoadError::WrongExport { .. }));
}

#[test]
fn what_is_no_component_is_refused() {
    assert!(matches!(refusal(&[("asset", b"\0asm?")]), LoadError::Compile { .. }));
    let core = wat::parse_str("(module)").unwrap();
    assert!(matches!(refusal(&[("asset", &core)]), LoadError::Compile { .. }));
    // More memory from the start than an instance may have.
    let large =
        component("asset", &http_module("", 1 + (Limits::default().memory_bytes >> 16) as u32, "", 0));
    assert!(matches!(refusal(&[("asset", &large)]), LoadError::Compile { .. }));
    // Work before the first event.
    let busy =
        http_module("", 1, "", 0).replace("(memory", "(func $spin (loop (br 0))) (start $spin) (memory");
    assert!(matches!(refusal(&[("asset", &component("asset", &busy))]), LoadError::Compile { .. }));
    // A capability with another signature.
    let wit = "package supernoba:edge@0.1.0;
        interface clock { now: func() -> u32; }
        world other { import clock; export handle: func(); }";
    let text = r#"(module (import "supernoba:edge/clock@0.1.0" "now" (func (result i32))) (func (export "handle")))"#;
    let other = component_of(wit, "other", text);
    assert!(matches!(refusal(&[("asset", &other)]), LoadError::Compile { .. }));
}

#[test]
fn a_folder_holds_only_known_handlers() {
    match refusal(&[("wallets", &asset())]) {
        LoadError::UnknownHandler { known, .. } => assert!(known.contains("order-router"), "{known}"),
        other => panic!("{other}"),
    }
    assert!(matches!(refusal(&[]), LoadError::Empty { .. }));
    let nowhere = edge_host::EdgeHost::load(
        "no/such/folder".as_ref(),
        Arc::<Fakes>::default().backends(),
        Limits::default(),
    );
    assert!(matches!(nowhere.map(|_| ()), Err(LoadError::Read { .. })));
}
