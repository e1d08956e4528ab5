//! `openapi.json` is a valid OpenAPI 3.1 document, and it is true: every refusal that can be provoked from outside is
//! provoked, every answer is as its schema says, and nothing that `docs/api.md` promises is missing.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use system_tests::{Answer, Client, Document, Exchange, repository};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Codes that need a fault inside or a race; `edge-fns` and the gateway test them with back ends that fail.
const INSIDE: [&str; 5] = ["throttled", "internal", "unavailable", "timeout", "unexpected_failure"];
/// Refusals that only a race or a fault brings about: a row that goes while it is written, an order that broke off
/// before its lock and finds the balance gone, two replacements at once, a query that no client can send.
const HIDDEN: [(&str, &str, &str); 4] = [
    ("post", "/orders", "unknown_order"),
    ("delete", "/orders/{id}", "insufficient_balance"),
    ("patch", "/orders/{id}", "stale_order"),
    ("get", "/ws", "bad_field"),
];

/// Method, path and the operation itself.
fn operations(document: &Document) -> Vec<(&str, &str, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document.root["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("a path item").iter();
        operations.extend(
            methods
                .filter(|(m, _)| METHODS.contains(&m.as_str()))
                .map(|(m, operation)| (m.as_str(), path.as_str(), operation)),
        );
    }
    operations
}

/// Every value in the document, with the name it has in its parent.
fn walk<'a>(name: &'a str, value: &'a Value, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(name, value);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(name, value, visit)),
        Value::Array(items) => items.iter().for_each(|value| walk("", value, visit)),
        _ => {}
    }
}

fn names<'a>(text: &'a str, open: &str, close: &str) -> BTreeSet<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
}

#[test]
fn the_document_is_valid() {
    let document = Document::read();
    let root = &document.root;
    assert!(root["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    for field in ["title", "version"] {
        assert!(root["info"][field].is_string(), "info.{field}");
    }
    let known = [
        "openapi",
        "info",
        "jsonSchemaDialect",
        "servers",
        "paths",
        "webhooks",
        "components",
        "security",
        "tags",
        "externalDocs",
    ];
    for field in root.as_object().expect("an object").keys() {
        assert!(known.contains(&field.as_str()), "{field} is no field of a document");
    }
    let schemes = root["components"]["securitySchemes"].as_object().expect("security schemes");
    let tags: BTreeSet<&str> =
        root["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();

    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(path.starts_with('/'), "{what}");
        let known = [
            "operationId",
            "tags",
            "summary",
            "description",
            "security",
            "parameters",
            "requestBody",
            "responses",
        ];
        for field in operation.as_object().expect("an operation").keys() {
            assert!(known.contains(&field.as_str()) || field.starts_with("x-"), "{what}: {field}");
        }
        assert!(
            ids.insert(operation["operationId"].as_str().expect("an operationId")),
            "{what}: the id is taken"
        );
        assert!(operation["summary"].is_string(), "{what}: summary");
        for tag in operation["tags"].as_array().expect("tags") {
            assert!(tags.contains(tag.as_str().expect("text")), "{what}: {tag}");
        }
        for requirement in operation["security"].as_array().expect("security") {
            assert!(
                requirement.as_object().expect("an object").keys().all(|name| schemes.contains_key(name)),
                "{what}"
            );
        }
        let common = root["paths"][path]["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<&Value> =
            common.chain(operation["parameters"].as_array().into_iter().flatten()).collect();
        let mut of_path = BTreeSet::new();
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a name");
            match parameter["in"].as_str() {
                Some("path") => {
                    assert_eq!(parameter["required"], true, "{what}: {name}");
                    of_path.insert(name);
                }
                Some("query" | "header") => {}
                place => panic!("{what}: {name} is in {place:?}"),
            }
            document.compile(&parameter["schema"]);
        }
        assert_eq!(of_path, names(path, "{", "}"), "{what}: parameters of the path");
        for (media, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            document.compile(&content["schema"]);
            assert!(media.contains('/'), "{what}: {media}");
        }
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{what} never works");
        for (status, response) in responses {
            assert!(
                status.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)),
                "{what}: {status}"
            );
            let response = document.resolve(response);
            assert!(response["description"].is_string(), "{what}: {status}");
            let is_refusal = status.starts_with(['4', '5']);
            assert_eq!(is_refusal, !document.codes(response).is_empty(), "{what}: codes of {status}");
        }
    }

    for (name, schema) in root["components"]["schemas"].as_object().expect("schemas") {
        assert!(schema.is_object(), "{name}");
        document.compile(schema);
    }
    let mut media = Vec::new();
    walk("", root, &mut |name, value| {
        if value["$ref"].is_string() {
            document.resolve(value);
        }
        if name.contains('/') && value.get("schema").is_some() {
            media.push(value);
        }
    });
    for content in media.iter().filter(|content| !content["example"].is_null()) {
        document.check_value(&content["schema"], &content["example"]).expect("an example is one");
    }
}

#[test]
fn nothing_of_the_description_is_missing() {
    let document = Document::read();
    let text = std::fs::read_to_string(repository().join("docs/api.md")).expect("docs/api.md");
    let section = |title: &str| {
        let section = text.split(&format!("{title}\n")).nth(1).unwrap_or_else(|| panic!("no {title}"));
        section.split("\n#").next().expect("a section")
    };
    let code = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let of = |schema: &str, pointer: &str| {
        let codes = document.schema(schema).pointer(pointer).and_then(Value::as_array).expect("codes");
        codes.iter().filter_map(Value::as_str).collect::<BTreeSet<_>>()
    };
    let described: BTreeSet<&str> =
        section("### Refusal codes").split('`').skip(1).step_by(2).filter(code).collect();
    assert_eq!(described, of("ErrorCode", "/enum"));
    // After the last code of the accounts' form, their text goes on in prose.
    let errors =
        section("## Auth (the Supabase Auth surface)").split("Errors here").nth(1).expect("the errors");
    let described: BTreeSet<&str> = errors.split('`').skip(1).step_by(2).filter(code).collect();
    assert_eq!(described, of("AuthRefusal", "/properties/error_code/enum"));

    // Every code belongs to an operation, or to the answers that all paths share.
    let responses = document.root["components"]["responses"].as_object().expect("responses").values();
    let mut used: BTreeSet<String> = responses.flat_map(|response| document.codes(response)).collect();
    for (_, _, operation) in operations(&document) {
        let responses = operation["responses"].as_object().expect("responses").values();
        used.extend(responses.flat_map(|response| document.codes(response)));
    }
    let all = of("ErrorCode", "/enum").into_iter().chain(of("AuthRefusal", "/properties/error_code/enum"));
    assert_eq!(used, all.map(String::from).collect());

    // Every call of the tables and of the accounts' text.
    let calls = text.split('`').skip(1).step_by(2).filter_map(|call| {
        let (method, path) = call.split_once(' ')?;
        let path = path.split([' ', '?', '{']).next().filter(|path| path.starts_with('/'))?;
        METHODS.contains(&method.to_lowercase().as_str()).then(|| (method.to_lowercase(), path, call))
    });
    let mut count = 0;
    for (method, path, call) in calls {
        count += 1;
        let known = operations(&document).into_iter().any(|(m, p, _)| {
            m == method && p.split('{').next() == Some(path) && (p.contains('{') == call.contains("/{"))
        });
        assert!(known, "{call} is not in the document");
    }
    assert!(count > 25, "only {count} calls were found in docs/api.md");
}

/// Sends requests, judges the answers by the document and notes what was seen.
struct Prober {
    document: Document,
    /// Method, path, status, code (empty for a success).
    seen: BTreeSet<(String, String, u16, String)>,
}

impl Prober {
    fn note(&mut self, method: &str, path: &str, answer: &Answer) {
        if let Err(error) = self.document.check(method, path, answer) {
            panic!("{method} {path}: {} {}: {error}", answer.status, answer.text);
        }
        self.seen.insert((method.to_lowercase(), path.into(), answer.status, answer.code().into()));
    }

    /// A request to a path of the document, with what stands for its parameters and after it.
    async fn send(&mut self, user: &Client, call: &str, rest: &str, body: &str) -> Answer {
        let (method, path) = call.split_once(' ').expect("method and path");
        let place = path.split('{').next().expect("a path");
        let media = (!body.is_empty()).then_some("application/json");
        let answer = user.send(method, &format!("{place}{rest}"), media, body.into()).await;
        self.note(method, path, &answer);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described() {
    let Some(exchange) = Exchange::start(&["--symbols", "TEST"]).await else { return };
    let document = Document::read();
    let served = exchange.anonymous().get("/openapi.json").await;
    assert!(served.json == document.root, "the program was built with another document: build it again");
    let mut prober = Prober { document: Document::read(), seen: BTreeSet::new() };
    let (nobody, ann, administrator) =
        (exchange.anonymous(), exchange.test_user("ann"), exchange.administrator());

    orders(&mut prober, &ann).await;
    market_and_administration(&mut prober, &exchange, &ann, &administrator).await;
    let session = accounts(&mut prober, &nobody).await;
    sockets(&mut prober, &exchange, &nobody, &administrator).await;
    everywhere(&mut prober, &document, &exchange, &session).await;
    without_test_mode(&mut prober, &document).await;

    let mut missing = Vec::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let status: u16 = status.parse().expect("a status");
            let mut codes: Vec<String> = document.codes(response).into_iter().collect();
            if codes.is_empty() {
                codes.push(String::new());
            }
            for code in codes {
                let hidden = INSIDE.contains(&code.as_str()) || HIDDEN.contains(&(method, path, &code));
                if !hidden && !prober.seen.contains(&(method.into(), path.into(), status, code.clone())) {
                    missing.push(format!("{method} {path} {status} {code}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "described, but never seen:\n{}", missing.join("\n"));
}

async fn orders(prober: &mut Prober, ann: &Client) {
    let place = "POST /orders";
    let good = r#"{"symbol":"TEST","side":"BUY","price":100,"quantity":10,"client_order_id":"one"}"#;
    let order = prober.send(ann, place, "", good).await.order_id().to_string();
    prober.send(ann, place, "", good).await;
    for body in [
        "nonsense",
        "{}",
        r#"{"symbol":1}"#,
        r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"x":1}"#,
        r#"{"symbol":"?"}"#,
        r#"{"symbol":"TEST","side":"?"}"#,
        r#"{"symbol":"TEST","side":"BUY","type":"?"}"#,
        r#"{"symbol":"TEST","side":"BUY","tif":"?"}"#,
        r#"{"symbol":"TEST","side":"BUY","price":0}"#,
        r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":0}"#,
        r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"stop":0}"#,
        r#"{"symbol":"TEST","side":"BUY","price":1,"quantity":1,"display":2}"#,
        r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":1,"post_only":true}"#,
        r#"{"symbol":"TEST","side":"BUY","price":9007199254740991,"quantity":9007199254740991}"#,
        r#"{"symbol":"NONE","side":"BUY","price":1,"quantity":1}"#,
        r#"{"symbol":"TEST","side":"BUY","type":"MARKET","quantity":1}"#,
        r#"{"symbol":"TEST","side":"BUY","price":1000000000,"quantity":1}"#,
    ] {
        prober.send(ann, place, "", body).await;
    }
    prober.send(ann, "GET /orders/{id}", &order, "").await;
    prober.send(ann, "GET /orders/{id}", "ord_1", "").await;
    ann.order_once(&order, |order| order["status"] == "ACCEPTED").await;

    let replace = "PATCH /orders/{id}";
    prober.send(ann, replace, "ord_1", "{}").await;
    for body in [
        "nonsense",
        "{}",
        r#"{"price":"1"}"#,
        r#"{"x":1}"#,
        r#"{"price":0}"#,
        r#"{"quantity":0}"#,
        r#"{"price":9007199254740991,"quantity":9007199254740991}"#,
        r#"{"price":1000000000}"#,
        r#"{"price":101}"#,
    ] {
        prober.send(ann, replace, &order, body).await;
    }
    let trade = r#"{"symbol":"TEST","side":"SELL","price":101,"quantity":3}"#;
    prober.send(ann, place, "", trade).await;
    ann.order_once(&order, |order| order["filled"] == 3).await;
    // The rows listed below are of every sort: traded, cancelled, rejected, with a protection price.
    prober.send(ann, place, "", r#"{"symbol":"TEST","side":"SELL","type":"MARKET","qty":1}"#).await;
    prober.send(ann, "DELETE /orders/{id}", "ord_1", "").await;
    prober.send(ann, "DELETE /orders/{id}", &order, "").await;
    ann.order_once(&order, |order| order["status"] == "CANCELLED").await;
    prober.send(ann, "DELETE /orders/{id}", &order, "").await;
    prober.send(ann, replace, &order, r#"{"price":1}"#).await;
    for query in [
        "",
        "?limit=2",
        "?status=open&symbol=TEST&side=SELL",
        "?limit=0",
        "?cursor=x",
        "?status=x",
        "?symbol=x",
        "?side=x",
    ] {
        prober.send(ann, "GET /orders", query, "").await;
    }
    for query in ["", "?symbol=TEST&limit=1", "?limit=0", "?cursor=x", "?symbol=x"] {
        prober.send(ann, "GET /fills", query, "").await;
    }
    for query in ["?symbol=TEST&side=SELL", "", "?symbol=x", "?side=x", "?cursor=x"] {
        prober.send(ann, "DELETE /orders", query, "").await;
    }
    let listed = ann.orders("all").await;
    assert_eq!(listed.len(), 4, "{listed:?}");
}

async fn market_and_administration(
    prober: &mut Prober,
    exchange: &Exchange,
    ann: &Client,
    administrator: &Client,
) {
    for query in [
        "?symbol=TEST",
        "?symbol=TEST&interval=1d&limit=1",
        "",
        "?symbol=x",
        "?symbol=NONE",
        "?symbol=TEST&interval=x",
        "?symbol=TEST&limit=0",
        "?symbol=TEST&before=x",
    ] {
        prober.send(ann, "GET /chart", query, "").await;
    }
    for query in ["?symbol=TEST", "", "?symbol=x", "?symbol=NONE"] {
        prober.send(ann, "GET /depth", query, "").await;
    }
    for call in
        ["GET /healthz", "GET /metrics", "GET /openapi.json", "GET /config.json", "GET /admin", "GET /assets"]
    {
        prober.send(ann, call, "", "").await;
    }
    for body in [
        r#"{"symbol":"NEW"}"#,
        r#"{"symbol":"NEW"}"#,
        "nonsense",
        "{}",
        r#"{"symbol":1}"#,
        r#"{"symbol":"NEW","x":1}"#,
        r#"{"symbol":"x"}"#,
    ] {
        prober.send(administrator, "POST /admin", "", body).await;
    }
    for symbol in ["TEST", "NONE"] {
        prober.send(ann, "GET /admin/{symbol}", symbol, "").await;
    }
    for symbol in ["NEW", "NEW"] {
        prober.send(administrator, "DELETE /admin/{symbol}", symbol, "").await;
    }
    let deposit = r#"{"id":"1","user_id":"test-ann","asset":"CASH","amount":5}"#;
    for body in [
        deposit,
        deposit,
        "nonsense",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":"1","user_id":"u","asset":"CASH","amount":5,"x":1}"#,
        r#"{"id":"1","user_id":"u","asset":"x","amount":5}"#,
    ] {
        prober.send(administrator, "POST /admin/deposits", "", body).await;
    }
    exchange.settle(&["TEST"]).await;
    prober.send(administrator, "GET /admin/totals", "", "").await;
    prober.send(administrator, "GET /admin/verify", "", "").await;
    for query in ["?user=ann", "?limit=1", "?limit=0", "?cursor=x"] {
        prober.send(administrator, "GET /admin/accounts", query, "").await;
    }
    for query in ["", "?limit=x"] {
        prober.send(administrator, "GET /admin/dead-letters", query, "").await;
    }
}

/// Answers an access token that is still good.
async fn accounts(prober: &mut Prober, nobody: &Client) -> String {
    let credentials = r#"{"email":"ann@example.com","password":"correct horse"}"#;
    let session = prober.send(nobody, "POST /auth/v1/signup", "", credentials).await.json;
    for body in [credentials, "nonsense", r#"{"email":"b@example.com","password":"short"}"#] {
        prober.send(nobody, "POST /auth/v1/signup", "", body).await;
    }
    let token = "POST /auth/v1/token";
    prober.send(nobody, token, "?grant_type=password", credentials).await;
    let refresh = json!({"refresh_token": session["refresh_token"]}).to_string();
    for (query, body) in [
        ("", credentials),
        ("?grant_type=refresh_token", &*refresh),
        ("?grant_type=refresh_token", &*refresh),
    ] {
        prober.send(nobody, token, query, body).await;
    }
    for _ in 0..11 {
        let wrong = r#"{"email":"ann@example.com","password":"wrong"}"#;
        prober.send(nobody, token, "?grant_type=password", wrong).await;
    }
    let access = session["access_token"].as_str().expect("a token").to_string();
    let (ann, forged) = (nobody.with_token(&access), nobody.with_token("nonsense"));
    for call in ["GET /auth/v1/user", "POST /auth/v1/logout"] {
        for user in [nobody, &forged, &ann] {
            prober.send(user, call, "", "").await;
        }
    }
    for call in ["GET /auth/v1/health", "GET /auth/v1/.well-known/jwks.json", "GET /.well-known/jwks.json"] {
        prober.send(nobody, call, "", "").await;
    }
    access
}

async fn sockets(prober: &mut Prober, exchange: &Exchange, nobody: &Client, administrator: &Client) {
    let call = "/@connections/{id}";
    let mut socket = nobody.socket().await;
    // A handshake that succeeds has no body to judge.
    prober.seen.insert(("get".into(), "/ws".into(), 101, String::new()));
    prober.note("GET", "/ws", &exchange.anonymous().get("/ws").await);
    prober.document.check_value(prober.document.schema("ConnectionId"), &json!(socket.id)).expect("an id");
    let id = socket.id.replace('=', "%3D");
    prober.send(administrator, &format!("POST {call}"), &id, r#"{"e":"hello"}"#).await;
    socket.hear("the message", |m| m["e"] == "hello").await;
    prober.send(administrator, &format!("GET {call}"), &id, "").await;
    prober.send(administrator, &format!("DELETE {call}"), &id, "").await;
    for method in ["POST", "GET", "DELETE"] {
        prober.send(administrator, &format!("{method} {call}"), &id, "").await;
    }
    let long = administrator.send_large("POST", "/@connections/x", &[b' '; (128 << 10) + 1]).await;
    prober.note("POST", call, &long);
}

/// What is refused alike on many paths: wrong tokens, other people's doors, large bodies, other media.
async fn everywhere(prober: &mut Prober, document: &Document, exchange: &Exchange, session: &str) {
    let (nobody, administrator) = (exchange.anonymous(), exchange.administrator());
    let order = json!({"symbol": "TEST", "side": "BUY", "price": 1, "quantity": 1});
    let order = administrator.place(order).await;
    let mut forged = session.to_string();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let claim = |name: &str, value: Value| nobody.with_token(&exchange.token(name, value));
    let callers = [
        ("token_missing", nobody.clone()),
        ("token_malformed", nobody.with_token("nonsense")),
        ("token_bad_signature", nobody.with_token(&forged)),
        ("token_expired", claim("exp", json!(1000))),
        ("token_wrong_audience", claim("aud", json!("anon"))),
        ("bad_test_user", nobody.as_test_user("")),
        ("forbidden", nobody.with_token(session)),
        ("user_not_found", claim("role", json!("authenticated"))),
    ];
    let large = [b' '; (64 << 10) + 1];
    for (method, path, operation) in operations(document) {
        let place = path
            .replace("{symbol}", "NONE")
            .replace("{id}", if path.starts_with("/orders") { &order } else { "x" });
        let codes = |status: &str| document.codes(&operation["responses"][status]);
        for (code, caller) in
            callers.iter().filter(|(code, _)| codes("401").contains(*code) || codes("403").contains(*code))
        {
            let answer = match path {
                "/ws" => caller.handshake(path, &[]).await.err().expect("refused"),
                _ => caller.send(&method.to_uppercase(), &place, None, Vec::new()).await,
            };
            assert_eq!(answer.code(), *code, "{method} {path}: {}", answer.text);
            prober.note(method, path, &answer);
        }
        if !path.starts_with("/@connections") && codes("413").contains("body_too_large") {
            let place =
                if path == "/auth/v1/token" { format!("{place}?grant_type=password") } else { place.clone() };
            let answer = administrator.send_large(&method.to_uppercase(), &place, &large).await;
            prober.note(method, path, &answer);
        }
        if !codes("415").is_empty() {
            let answer =
                administrator.send(&method.to_uppercase(), &place, Some("text/plain"), b"{}".to_vec()).await;
            prober.note(method, path, &answer);
        }
    }
}

/// The one code that needs another exchange.
async fn without_test_mode(prober: &mut Prober, document: &Document) {
    let exchange = Exchange::start(&["--no-test-mode"]).await.expect("it has started before");
    let ann = exchange.test_user("ann");
    for (method, path, operation) in operations(document) {
        if !document.codes(&operation["responses"]["401"]).contains("test_mode_off") {
            continue;
        }
        let answer = match path {
            "/ws" => ann.handshake(path, &[]).await.err().expect("refused"),
            _ => ann.send(&method.to_uppercase(), &path.replace(['{', '}'], ""), None, Vec::new()).await,
        };
        assert_eq!(answer.refusal(), (401, "test_mode_off"), "{method} {path}");
        prober.note(method, path, &answer);
    }
}
