//! The bootstrap as Lambda runs it: a process that asks the runtime API for events and answers them, with the functions of
//! the archive and every capability behind HTTP.

mod common;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::{Lambda, Outcome, archive, event};
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Base, Error, Wallet};
use edge_fns::executor::ready;
use edge_fns::http::Request;
use edge_fns::order_router;
use edge_fns::remote::Sessions;
use edge_fns::testing::{Fault, Memory};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// An exchange where ann has cash and bob has stock.
fn exchange() -> Memory {
    let memory = Memory::exchange(&["TEST", "OTHER"]);
    let deposit = |user: &str, asset: Asset, amount| Movement::Deposit {
        id: format!("{user}/{asset:?}"),
        user: user.into(),
        asset,
        amount,
    };
    let given = vec![
        deposit("ann", Asset::Cash, 1_000_000),
        deposit("test-ann", Asset::Cash, 7),
        deposit("bob", Asset::Stock("TEST".into()), 1_000),
    ];
    ready(memory.post(given)).unwrap().unwrap();
    memory
}

/// Both sides of the fills in `kinesis-fills.json` have their balances locked.
fn with_holds(memory: Memory) -> Memory {
    let reserve = |hold: &str, user: &str, asset, amount| Movement::Reserve {
        hold: hold.into(),
        user: user.into(),
        asset,
        amount,
    };
    let holds = vec![
        reserve("ord_buy", "ann", Asset::Cash, 10_100),
        reserve("ord_sell", "bob", Asset::Stock("TEST".into()), 10),
    ];
    ready(memory.post(holds)).unwrap().unwrap();
    memory
}

fn body(answer: &Value) -> Value {
    let text = answer["body"].as_str().unwrap();
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{answer}"))
}

#[tokio::test]
async fn every_payload_of_an_order_gets_the_functions_own_answer() {
    // What the function itself answers to the request that the client made.
    let memory = exchange();
    memory.open();
    let order = event("rest-order")["body"].as_str().unwrap().to_owned();
    let request = Request {
        method: "POST".into(),
        path: "/orders".into(),
        headers: vec![
            ("authorization".into(), "Bearer user:ann".into()),
            ("content-type".into(), "application/json".into()),
        ],
        body: order.into_bytes(),
        ..Request::default()
    };
    let m = &memory;
    let ports = order_router::Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
    let expected = ready(order_router::handle(&ports, request)).unwrap();
    assert_eq!(expected.status, 202);

    for name in ["rest-order", "rest-order-base64", "http-order-stage", "http-order-base64"] {
        let Some(lambda) = Lambda::start("order-router", exchange(), &[]).await else { return };
        let answer = lambda.invoke(event(name)).await.answer();
        assert_eq!(answer["statusCode"], 202, "{name}: {answer}");
        assert_eq!(answer["body"].as_str().unwrap().as_bytes(), expected.body, "{name}");
        assert_eq!(answer["isBase64Encoded"], false);
        let content_type = match name.starts_with("rest") {
            true => &answer["multiValueHeaders"]["content-type"][0],
            false => &answer["headers"]["content-type"],
        };
        assert_eq!(content_type, "application/json", "{name}");
        let (there, here) = (lambda.server.memory.state(), memory.state());
        assert_eq!(there.documents, here.documents, "{name}");
        assert_eq!(there.streams, here.streams, "{name}");
        assert_eq!(there.money.holds, here.money.holds, "{name}");
    }
}

#[tokio::test]
async fn one_process_answers_many_events_and_remembers_nothing_of_them() {
    let Some(lambda) = Lambda::start("order-router", exchange(), &[]).await else { return };
    let first = lambda.invoke(event("rest-order")).await.answer();
    let again = lambda.invoke(event("http-order-stage")).await.answer();
    // The same client order id: the order that is there is answered, and no second one is placed.
    assert_eq!(body(&first)["order_id"], body(&again)["order_id"]);
    let binary = lambda.invoke(event("rest-binary")).await.answer();
    assert_eq!((&binary["statusCode"], &body(&binary)["error"]["code"]), (&json!(400), &json!("bad_json")));
    let mut other = event("rest-order");
    other["body"] = r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1}"#.into();
    let other = lambda.invoke(other).await.answer();
    assert_ne!(body(&other)["order_id"], body(&first)["order_id"]);
    // Two orders: their rows, and the index of the one that has a client's id; the rest reminds the sweeper.
    let state = lambda.server.memory.state();
    let kept = state.documents.keys().filter(|id| !id.partition.starts_with("pending#"));
    assert_eq!(kept.count(), 3);
}

#[tokio::test]
async fn queries_and_headers_arrive_as_the_client_sent_them() {
    let Some(lambda) = Lambda::start("chart-data", exchange(), &[]).await else { return };
    // Two values of one parameter: the first one counts, as everywhere.
    let chart = lambda.invoke(event("rest-chart-multi-value")).await.answer();
    assert_eq!((&chart["statusCode"], &body(&chart)["symbol"]), (&json!(200), &json!("TEST")), "{chart}");
    let unknown = {
        let mut unknown = event("rest-chart-multi-value");
        unknown["multiValueQueryStringParameters"]["interval"] = json!(["2m"]);
        lambda.invoke(unknown).await.answer()
    };
    assert_eq!(unknown["statusCode"], 400);

    let variables = [("BASE_PATH", "v1"), ("_HANDLER", "asset")];
    let Some(lambda) = Lambda::start("asset", exchange(), &variables).await else { return };
    let mut assets = event("http-assets-query");
    assets["rawPath"] = "/v1/assets".into();
    let answer = lambda.invoke(assets).await.answer();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().unwrap().contains(r#""available":7"#), "{answer}");
}

#[tokio::test]
async fn connections_come_talk_and_go() {
    let connection = "WsXmPLEoE0AbCd=";
    let Some(lambda) = Lambda::start("connect", exchange(), &[]).await else { return };
    assert_eq!(lambda.invoke(event("socket-connect")).await.answer(), json!({"statusCode": 200}));
    let session = lambda.server.memory.state().strings[&format!("ws:{connection}")].clone();
    assert!(String::from_utf8(session).unwrap().contains(r#""userId":"ann""#));
    assert!(lambda.server.memory.state().sets["user:ann:connections"].contains(connection.as_bytes()));
    // A client that offered a subprotocol hangs up if none is chosen.
    assert_eq!(
        lambda.invoke(event("socket-connect-protocol")).await.answer(),
        json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer"}})
    );
    let refused = lambda.invoke(event("socket-connect-expired")).await.answer();
    assert_eq!(refused["statusCode"], 401, "{refused}");
    let memory = lambda.server.memory.clone();

    let Some(lambda) = Lambda::start("subscribe", memory.as_ref().clone(), &[]).await else { return };
    let answer = lambda.invoke(event("socket-subscribe")).await.answer();
    assert_eq!(body(&answer), json!({"e": "subscribed", "main": "TEST", "sub": []}));
    assert!(lambda.server.memory.state().sets["symbol:TEST:main"].contains(connection.as_bytes()));
    let pong = lambda.invoke(event("socket-binary")).await.answer();
    assert_eq!(body(&pong)["e"], "pong");
    let refused = lambda.invoke(event("socket-default")).await.answer();
    assert_eq!(body(&refused)["code"], "bad_json");
    let memory = lambda.server.memory.clone();

    let Some(lambda) = Lambda::start("disconnect", memory.as_ref().clone(), &[]).await else { return };
    assert_eq!(lambda.invoke(event("socket-disconnect")).await.answer(), json!({"statusCode": 200}));
    let state = lambda.server.memory.state();
    assert!(!state.strings.keys().any(|key| key.contains(connection)));
    assert!(!state.sets.values().any(|set| set.contains(connection.as_bytes())));
}

#[tokio::test]
async fn replies_can_be_pushed_where_a_route_has_no_response() {
    let memory = exchange();
    memory.state().online.insert("WsXmPLEoE0AbCd=".into());
    let variables = [("SOCKET_REPLIES", "push")];
    let Some(lambda) = Lambda::start("subscribe", memory, &variables).await else { return };
    assert_eq!(lambda.invoke(event("socket-subscribe")).await.answer(), json!({"statusCode": 200}));
    let sent = lambda.server.memory.state().sent["WsXmPLEoE0AbCd="].clone();
    assert!(String::from_utf8(sent.concat()).unwrap().contains("subscribed"));
}

fn failures(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

fn sequence(event: &Value, n: usize) -> &str {
    event["Records"][n]["kinesis"]["sequenceNumber"].as_str().unwrap()
}

#[tokio::test]
async fn a_batch_is_done_with_or_named_from_its_first_undone_record() {
    let Some(lambda) = Lambda::start("fill-processor", with_holds(exchange()), &[]).await else { return };
    let fills = event("kinesis-fills");
    let memory = lambda.server.memory.clone();
    // The wallet does not answer: nothing is done.
    memory.fail(0, Fault::Before(Error::Throttled(None)));
    let answer = lambda.invoke(fills.clone()).await.answer();
    assert_eq!(failures(&answer), [sequence(&fills, 0)]);
    // It answers too late: the batch is given again, and has taken effect once.
    memory.fail(0, Fault::After);
    let answer = lambda.invoke(fills.clone()).await.answer();
    assert_eq!(failures(&answer), [sequence(&fills, 0)]);
    for _ in 0..2 {
        let answer = lambda.invoke(fills.clone()).await.answer();
        assert!(failures(&answer).is_empty(), "{answer}");
    }
    let state = memory.state();
    let account = |user: &str, asset| state.money.accounts[&(user.to_owned(), asset)];
    // Ten at 1,000, locked at 1,010 each.
    assert_eq!(account("ann", Asset::Cash), (990_000, 0));
    assert_eq!(account("ann", Asset::Stock("TEST".into())), (10, 0));
    assert_eq!(account("bob", Asset::Cash), (10_000, 0));
    assert_eq!(account("bob", Asset::Stock("TEST".into())), (990, 0));
    assert!(state.money.wrong().is_empty());
}

#[tokio::test]
async fn a_record_that_never_can_be_processed_goes_to_the_dead_letters() {
    let fills = event("kinesis-poison");
    let variables = [("DEAD_LETTER_STREAM", "dead")];
    let Some(lambda) = Lambda::start("fill-processor", with_holds(exchange()), &variables).await else {
        return;
    };
    let answer = lambda.invoke(fills.clone()).await.answer();
    assert!(failures(&answer).is_empty(), "{answer}");
    let letters = lambda.server.memory.state().streams["dead"].clone();
    let letter: Value = serde_json::from_slice(&letters[0].body).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letter["consumer"], &letter["stream"], &letter["sequence"], &letter["arrived"]),
        (
            &json!("fill-processor"),
            &json!("supernoba-fills"),
            &json!(sequence(&fills, 1)),
            &json!(1_795_600_802_123_u64)
        )
    );
    assert!(letter["reason"].as_str().unwrap().starts_with("not an event"), "{letter}");
    let data = fills["Records"][1]["kinesis"]["data"].as_str().unwrap();
    assert_eq!(letter["body"], json!({"base64": data}));
    assert!(lambda.server.memory.state().money.wrong().is_empty());

    // Where it cannot be put aside, it counts as failed, and what came before it as done.
    let Some(lambda) = Lambda::start("fill-processor", with_holds(exchange()), &[]).await else { return };
    let answer = lambda.invoke(fills.clone()).await.answer();
    assert_eq!(failures(&answer), [sequence(&fills, 1)]);
}

#[tokio::test]
async fn records_that_are_no_records_fail_the_invocation() {
    let Some(lambda) = Lambda::start("fill-processor", exchange(), &[]).await else { return };
    let mut broken = event("kinesis-fills");
    broken["Records"][1]["kinesis"]["data"] = "no base64!".into();
    for (event, expected) in [(broken, "Supernoba.BadEvent"), (event("queue"), "Supernoba.UnknownEvent")] {
        assert!(matches!(lambda.invoke(event).await, Outcome::Error(kind, _) if kind == expected));
    }
}

#[tokio::test]
async fn timers_do_their_work_and_say_when_they_could_not() {
    let memory = exchange();
    let gone = b"gone".to_vec();
    memory.state().sets.insert("realtime:connections".into(), [gone].into());
    memory.state().now = 1_795_600_800_000;
    let Some(lambda) = Lambda::start("stale-connections", memory, &[]).await else { return };
    lambda.server.memory.fail(0, Fault::Before(Error::Unavailable("down".into())));
    let failed = lambda.invoke(event("schedule-rule")).await;
    assert_eq!(
        failed,
        Outcome::Error("Supernoba.NotDone".into(), "the timer's work is not done: unavailable: down".into())
    );
    assert_eq!(lambda.invoke(event("schedule-scheduler")).await.answer(), Value::Null);
    let state = lambda.server.memory.state();
    assert!(state.sets.get("realtime:connections").is_none_or(|set| set.is_empty()), "{:?}", state.sets);
}

#[tokio::test]
async fn an_event_of_another_kind_is_refused_by_name() {
    let Some(lambda) = Lambda::start("asset", exchange(), &[]).await else { return };
    for name in ["kinesis-fills", "socket-connect", "schedule-rule"] {
        let outcome = lambda.invoke(event(name)).await;
        assert!(matches!(&outcome, Outcome::Error(kind, _) if kind == "Supernoba.WrongEvent"), "{outcome:?}");
    }
    for (event, expected) in [
        (json!({}), "Supernoba.UnknownEvent"),
        (json!(null), "Supernoba.UnknownEvent"),
        (json!({"httpMethod": "GET"}), "Supernoba.BadEvent"),
        (json!({"version": "2.0", "requestContext": {"http": {}}}), "Supernoba.BadEvent"),
        (json!({"requestContext": {"connectionId": "c"}}), "Supernoba.BadEvent"),
    ] {
        let outcome = lambda.invoke(event.clone()).await;
        assert!(matches!(&outcome, Outcome::Error(kind, _) if kind == expected), "{event}: {outcome:?}");
    }
    // And the process goes on.
    assert_eq!(lambda.invoke(event("http-assets-query")).await.answer()["statusCode"], 200);
}

#[tokio::test]
async fn a_back_end_that_hangs_ends_the_event_before_its_deadline() {
    let Some(lambda) = Lambda::start("asset", exchange(), &[]).await else { return };
    lambda
        .server
        .before(|call| call.contains("wallet.").then_some((Duration::from_secs(25), StatusCode::OK)));
    let outcome = lambda.api.invoke_within(event("http-assets-query"), Duration::from_secs(1)).await;
    let expected = r#"handler "asset" gave no answer in time"#;
    assert_eq!(outcome, Outcome::Error("Supernoba.Timeout".into(), expected.into()));
    lambda.server.before(|_| None);
    assert_eq!(lambda.invoke(event("http-assets-query")).await.answer()["statusCode"], 200);

    // Of a batch, nothing counts as done.
    let Some(lambda) = Lambda::start("fill-processor", with_holds(exchange()), &[]).await else { return };
    lambda
        .server
        .before(|call| call.contains("wallet.").then_some((Duration::from_secs(25), StatusCode::OK)));
    let fills = event("kinesis-fills");
    let answer = lambda.api.invoke_within(fills.clone(), Duration::from_secs(1)).await.answer();
    assert_eq!(failures(&answer), [sequence(&fills, 0)]);
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_an_error_of_that_call() {
    let variables = [("CAPABILITIES_PATIENCE_MS", "100")];
    let Some(lambda) = Lambda::start("asset", exchange(), &variables).await else { return };
    let hang = |call: &str| call.contains("wallet.").then_some((Duration::from_secs(25), StatusCode::OK));
    lambda.server.before(hang);
    let answer = lambda.invoke(event("http-assets-query")).await.answer();
    assert_eq!((&answer["statusCode"], &body(&answer)["error"]["code"]), (&json!(504), &json!("timeout")));
    lambda.server.before(|_| None);
    assert_eq!(lambda.invoke(event("http-assets-query")).await.answer()["statusCode"], 200);

    let Some(lambda) = Lambda::start("fill-processor", with_holds(exchange()), &variables).await else {
        return;
    };
    lambda.server.before(hang);
    let fills = event("kinesis-fills");
    assert_eq!(failures(&lambda.invoke(fills.clone()).await.answer()), [sequence(&fills, 0)]);
    lambda.server.before(|_| None);
    assert!(failures(&lambda.invoke(fills).await.answer()).is_empty());
    assert!(lambda.server.memory.state().money.wrong().is_empty());
}

#[tokio::test]
async fn what_stands_before_the_back_ends_may_fail_too() {
    let Some(lambda) = Lambda::start("asset", exchange(), &[]).await else { return };
    for (status, expected) in [(429, 429), (503, 503), (504, 504), (500, 500), (403, 500)] {
        lambda.server.before(move |call| {
            let status = StatusCode::from_u16(status).unwrap();
            call.contains("wallet.").then_some((Duration::ZERO, status))
        });
        let answer = lambda.invoke(event("http-assets-query")).await.answer();
        assert_eq!(answer["statusCode"], expected, "{status}: {answer}");
    }
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let Some(archive) = archive() else { return };
    let bootstrap = env!("CARGO_BIN_EXE_bootstrap");
    // An archive of its own, to break.
    let broken = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&archive).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, broken.path().join(path.file_name().unwrap())).unwrap();
    }
    let file = broken.path().join("asset.cwasm");
    let mut code = std::fs::read(&file).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&file, code).unwrap();

    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&Path, &str, Variables<'_>, &str); 6] = [
        (broken.path(), "asset", &[], "Supernoba.Init.changed"),
        (&archive, "nobody", &[], "Supernoba.Init.unknown_handler"),
        (&archive, "asset", &[("CACHE_BACKEND", "valkey")], "Supernoba.Init.setup"),
        (&archive, "asset", &[("CAPABILITIES_URL", "")], "Supernoba.Init.setup"),
        (&archive, "asset", &[("CAPABILITIES_PATIENCE_MS", "0")], "Supernoba.Init.setup"),
        (Path::new("/nonexistent"), "asset", &[], "Supernoba.Init.unreadable"),
    ];
    for (archive, handler, variables, expected) in cases {
        let mut lambda = Lambda::of(archive, bootstrap, handler, exchange(), variables).await;
        let told = lambda.api.init_error().await;
        assert!(matches!(&told, Outcome::Error(kind, _) if kind == expected), "{told:?}");
        assert!(!lambda.exit().await.success());
    }
}

/// The archive itself: its size, its mode, and that what is in it runs. Its start is measured and printed.
#[tokio::test]
async fn the_archive_is_small_and_starts_fast() {
    let Some(files) = archive() else { return };
    let archive = std::fs::File::open(files.join("../supernoba.zip")).unwrap();
    let size = archive.metadata().unwrap().len();
    assert!(size <= 5 << 20, "{size} bytes");
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let unpacked = tempfile::tempdir().unwrap();
    archive.extract(unpacked.path()).unwrap();
    let bootstrap = unpacked.path().join("bootstrap");
    for (handler, name) in [("order-router", "rest-order"), ("chart-data", "rest-chart-multi-value")] {
        let mut times = Vec::new();
        for _ in 0..11 {
            let mut lambda = Lambda::of(unpacked.path(), &bootstrap, handler, exchange(), &[]).await;
            times.push(lambda.api.first_poll().await - lambda.started);
            if times.len() == 1 {
                let answer = lambda.invoke(event(name)).await.answer();
                assert!(answer["statusCode"].as_u64().unwrap() < 300, "{answer}");
            }
        }
        times.sort_unstable();
        let ms = |n: usize| times[n].as_secs_f64() * 1e3;
        println!(
            "{handler}: {:.1} ms from exec to the first poll (median of {}, {:.1} to {:.1}); archive {:.2} MB",
            ms(times.len() / 2),
            times.len(),
            ms(0),
            ms(times.len() - 1),
            size as f64 / 1e6
        );
    }
}

#[test]
fn event_documents_hold_what_they_say() {
    let bodies = ["rest-order-base64", "http-order-base64"].map(|name| {
        let body = event(name)["body"].as_str().unwrap().to_owned();
        String::from_utf8(BASE64_STANDARD.decode(body).unwrap()).unwrap()
    });
    let order = event("rest-order")["body"].as_str().unwrap().to_owned();
    assert_eq!(bodies, [order.clone(), order]);
    assert!(Memory::default().now() == 0, "the tests set the clock");
}
