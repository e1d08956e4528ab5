//! Wallets in Supabase: the functions of the migrations behind the real PostgREST, with both kinds of tokens.

use crate::conformance::wallet;
use crate::servers::{self, Server};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Error, Wallet};
use engine_host::backends::records::Ledger;
use engine_host::backends::supabase::{MIGRATIONS, SupabaseWallet};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

const SECRET: &str = "a-secret-that-is-long-enough-for-postgrest";

/// A project: its database, its API, and what stands in front of that.
struct Project {
    url: String,
    database: Server,
    _api: Server,
}

fn token(role: &str, user: Option<&str>) -> String {
    let mut claims = json!({"role": role, "exp": 4_102_444_800u64});
    if let Some(user) = user {
        claims["sub"] = user.into();
    }
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// What Supabase's gateway does: asks for an `apikey`, and takes `/rest/v1` off the path.
async fn pass_on(State(api): State<u16>, request: Request) -> Response {
    if !request.headers().contains_key("apikey") {
        return (StatusCode::UNAUTHORIZED, r#"{"message":"No API key found in request"}"#).into_response();
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let Some(path) = path.strip_prefix("/rest/v1") else { return StatusCode::NOT_FOUND.into_response() };
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    let client = reqwest::Client::new();
    let mut request = client.request(parts.method, format!("http://127.0.0.1:{api}{path}")).body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, [("content-type", "application/json")], answer.bytes().await.unwrap()).into_response()
}

async fn project() -> Option<Project> {
    let database = servers::postgres()?;
    let settings =
        format!("host=127.0.0.1 port={} user=postgres password=postgres dbname=postgres", database.port);
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(include_str!("roles.sql")).await.unwrap();
    for (name, migration) in MIGRATIONS {
        client.batch_execute(migration).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    drop(client);
    connection.await.unwrap().unwrap();
    let api = servers::postgrest(database.port, SECRET)?;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass_on).with_state(api.port);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Some(Project { url, database, _api: api })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wallets() {
    let Some(project) = project().await else { return };
    let wallet = SupabaseWallet::new(&project.url, &token("service_role", None), None).unwrap();
    wallet::suite(&wallet).await;
    wallet::guarded(&wallet).await;
    assert_eq!(wallet.verify().await.unwrap(), [""; 0]);
    assert!(
        wallet.totals().await.unwrap().iter().all(|total| total.available + total.locked == total.deposited)
    );
    let info = wallet.server().await.unwrap();
    assert!(info.version >= 1 && info.server.starts_with("18."), "{info:?}");
}

/// Only services move money, and users see their own wallets and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what() {
    let Some(project) = project().await else { return };
    let wallet = SupabaseWallet::new(&project.url, &token("service_role", None), None).unwrap();
    let (ann, ben) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
    for user in [ann, ben] {
        let deposit = Movement::Deposit { id: user.into(), user: user.into(), asset: Asset::Cash, amount: 7 };
        wallet.post(vec![deposit]).await.unwrap().remove(0).unwrap();
    }
    for role in ["authenticated", "anon"] {
        let other = SupabaseWallet::new(&project.url, &token(role, Some(ann)), None).unwrap();
        let deposit = Movement::Deposit { id: "x".into(), user: ann.into(), asset: Asset::Cash, amount: 7 };
        assert!(matches!(other.post(vec![deposit]).await, Err(Error::Denied(_))), "{role}");
    }
    let seen = async |token: &str| {
        let request = reqwest::Client::new().get(format!("{}/rest/v1/wallets", project.url));
        let answer = request.header("apikey", "x").bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let own = json!([{"user_id": ann, "asset": "CASH", "available": 7, "locked": 0}]);
    assert_eq!(seen(&token("authenticated", Some(ann))).await, (200, own));
    assert_eq!(seen(&token("anon", None)).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_and_comes_back() {
    let Some(mut project) = project().await else { return };
    let wallet = SupabaseWallet::new(&project.url, &token("service_role", None), None).unwrap();
    let deposit =
        |id: &str| vec![Movement::Deposit { id: id.into(), user: "u".into(), asset: Asset::Cash, amount: 1 }];
    wallet.post(deposit("1")).await.unwrap().remove(0).unwrap();
    project.database.kill();
    assert!(wallet.post(deposit("2")).await.is_err());
    project.database.restart();
    let mut tries = 0;
    loop {
        tries += 1;
        match wallet.post(deposit("2")).await {
            Ok(_) => break,
            Err(error) => assert!(tries < 300, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let balances = wallet.balances("u").await.unwrap();
    assert_eq!(balances[0].available, 2, "each once");
    assert_eq!(wallet.verify().await.unwrap(), [""; 0]);
}
