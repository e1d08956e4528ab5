//! The servers that an exchange on many machines stands on, all on this one: what stands for AWS, and the real Valkey, PostgreSQL and
//! PostgREST. Accounts are those of an embedded exchange that does nothing else, since Supabase Auth cannot be had.

use crate::books::Fill;
use crate::servers::{self, Server};
use crate::stream_proxy::Proxy;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

const TOKEN: &str = "insiders-of-this-test";

pub struct Production {
    kinesis: Server,
    /// Between the exchange and its streams.
    pub stream_proxy: Proxy,
    aws: Server,
    pub valkey: Server,
    pub database: Server,
    #[expect(dead_code, reason = "it ends with this value")]
    api: Server,
    /// Where accounts and wallets are, as Supabase has them.
    supabase: String,
    service_key: String,
    #[expect(dead_code, reason = "it ends with this value")]
    accounts: Accounts,
}

struct Accounts(Child);

impl Drop for Accounts {
    fn drop(&mut self) {
        // One that has ended already cannot be ended again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where each part of the front's path leads.
struct Front {
    accounts: String,
    api: u16,
    http: reqwest::Client,
}

/// What Supabase's gateway does: asks for a key, and parts accounts and data.
async fn pass_on(State(front): State<Arc<Front>>, request: Request) -> Response {
    // The public keys are for everybody.
    let is_public = request.uri().path().ends_with("/jwks.json");
    if !is_public && !request.headers().contains_key("apikey") {
        return (StatusCode::UNAUTHORIZED, r#"{"message":"No API key found in request"}"#).into_response();
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let url = match path.strip_prefix("/rest/v1") {
        Some(rest) => format!("http://127.0.0.1:{}{rest}", front.api),
        None => format!("{}{path}", front.accounts),
    };
    let Ok(body) = axum::body::to_bytes(body, 16 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut request = front.http.request(parts.method, url).body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            request = request.header(name, value);
        }
    }
    match request.send().await {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            if let Some(media) = answer.headers().get("content-type") {
                response = response.header("content-type", media);
            }
            let body = answer.bytes().await.unwrap_or_default();
            response.body(Body::from(body)).expect("a response")
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

impl Production {
    /// Starts them all; `data` becomes the folder of the accounts. `None`, with the reason printed, where one is not installed.
    pub async fn start(program: &Path, data: &Path) -> Option<Production> {
        let (kinesis, aws) = (servers::kinesis()?, servers::ministack()?);
        let (valkey, database) =
            (servers::valkey(&["--notify-keyspace-events", "KA"])?, servers::postgres()?);
        let settings =
            format!("host=127.0.0.1 port={} user=postgres password=postgres dbname=postgres", database.port);
        let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.expect("the database");
        tokio::spawn(connection);
        let root = crate::repository();
        let migrations = root.join("engine-host/src/backends/supabase/migrations");
        let mut steps = vec![root.join("engine-host/tests/databases/roles.sql")];
        let listed = std::fs::read_dir(migrations).expect("the migrations");
        let mut found: Vec<_> = listed.map(|file| file.expect("a migration").path()).collect();
        found.sort();
        steps.extend(found);
        for step in steps {
            let text = std::fs::read_to_string(&step).expect("a migration");
            client.batch_execute(&text).await.unwrap_or_else(|error| panic!("{}: {error:?}", step.display()));
        }
        // The trade history has a database of its own.
        client.batch_execute("CREATE DATABASE history").await.expect("a database");
        drop(client);

        // It does not start without functions, and needs none.
        let functions = data.with_file_name("functions");
        std::fs::create_dir_all(&functions).expect("a folder");
        let asset = root.join("target/components/asset.wasm");
        std::fs::copy(asset, functions.join("asset.wasm")).expect("a component");
        let mut child = Command::new(program)
            .args(["up", "--port", "0", "--symbols", "NONE", "--components"])
            .arg(functions)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let line = crate::exchange::first_line(&mut child);
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address.to_owned());
        let accounts = format!("http://{}", address.unwrap_or_else(|| panic!("no accounts: {line:?}")));
        let child = Accounts(child);
        let http = reqwest::Client::new();
        let keys = http.get(format!("{accounts}/.well-known/jwks.json")).send().await.expect("its keys");
        let keys = keys.text().await.expect("its keys");
        let api = servers::postgrest(database.port, &keys)?;
        let service_key =
            std::fs::read_to_string(data.join("admin.token")).expect("a token").trim().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let supabase = format!("http://{}", listener.local_addr().expect("an address"));
        let front = Arc::new(Front { accounts, api: api.port, http });
        let router = Router::new().fallback(pass_on).with_state(front);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let stream_proxy = Proxy::start(&kinesis.url).await;
        let production = Production {
            kinesis,
            stream_proxy,
            aws,
            valkey,
            database,
            api,
            supabase,
            service_key,
            accounts: child,
        };
        let made = production.command(program, "init").stdout(Stdio::null()).status().expect("it runs");
        assert!(made.success(), "what is missing cannot be made");
        Some(production)
    }

    /// A process of the exchange, with the settings that lead to these servers.
    pub fn command(&self, program: &Path, role: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(role);
        for (name, value) in [
            ("AWS_REGION", servers::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_ENDPOINT_URL", self.aws.url.clone()),
            ("AWS_ENDPOINT_URL_KINESIS", self.stream_proxy.url.clone()),
            ("DEPTH_CACHE_HOST", "127.0.0.1".to_owned()),
            ("DEPTH_CACHE_PORT", self.valkey.port.to_string()),
            ("REDIS_HOST", "127.0.0.1".to_owned()),
            ("REDIS_PORT", self.valkey.port.to_string()),
            ("RDS_ENDPOINT", format!("127.0.0.1:{}", self.database.port)),
            ("DB_NAME", "history".to_owned()),
            ("DB_USER", "postgres".to_owned()),
            ("DB_PASSWORD", "postgres".to_owned()),
            ("SUPABASE_URL", self.supabase.clone()),
            ("SUPABASE_SERVICE_ROLE_KEY", self.service_key.clone()),
            ("SUPABASE_ANON_KEY", "anon".to_owned()),
            ("CAPABILITIES_TOKEN", TOKEN.to_owned()),
            ("ALLOW_TEST_MODE", "true".to_owned()),
            ("SUPERNOBA_SUPABASE__ISSUER", "supernoba/auth/v1".to_owned()),
            ("SUPERNOBA_HISTORY__TLS", "false".to_owned()),
            ("SUPERNOBA_BUCKETS__PATH_STYLE", "true".to_owned()),
            ("SUPERNOBA_STREAMS__POLL_MS", "50".to_owned()),
            ("SUPERNOBA_ENGINE__LEASE_MS", "1500".to_owned()),
            ("SUPERNOBA_ENGINE__HTTP_PORT", "0".to_owned()),
            ("GRPC_PORT", "0".to_owned()),
            ("SUPERNOBA_STREAMER__HTTP_PORT", "0".to_owned()),
            ("SUPERNOBA_GATEWAY__PORT", "0".to_owned()),
        ] {
            command.env(name, value);
        }
        command
    }

    /// Asks the server of the streams itself, past the proxy.
    pub async fn streams(&self, action: &str, body: Value) -> Value {
        let day = "20260101";
        let scope = format!("Credential=test/{day}/{}/kinesis/aws4_request", servers::REGION);
        let answer = reqwest::Client::new()
            .post(&self.kinesis.url)
            .header("x-amz-target", format!("Kinesis_20131202.{action}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-date", format!("{day}T000000Z"))
            // It wants a signature, and does not look at it.
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
            .body(body.to_string())
            .send()
            .await
            .expect("the streams answer");
        let (status, text) = (answer.status(), answer.text().await.expect("an answer"));
        assert!(status.is_success(), "{action} {body}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// An object of the bucket, as text.
    pub async fn object(&self, key: &str) -> Option<String> {
        let answer = reqwest::get(format!("{}/supernoba-backups/{key}", self.aws.url)).await.ok()?;
        if answer.status() == 200 { answer.text().await.ok() } else { None }
    }

    /// The trade history, in the order of the fills.
    pub fn fills(&self) -> Vec<Fill> {
        let settings = format!(
            "host=127.0.0.1 port={} user=postgres password=postgres dbname=history",
            self.database.port
        );
        let read = async move {
            let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.expect("the database");
            tokio::spawn(connection);
            let rows = client
                .query(
                    "SELECT fill_id, symbol, seq, (extract(epoch FROM executed_at) * 1000)::bigint, price, quantity,
                            buyer_user, buyer_order, seller_user, seller_order FROM trade_history ORDER BY symbol, seq",
                    &[],
                )
                .await
                .expect("the fills");
            let fill = |row: &tokio_postgres::Row| {
                let number =
                    |column: usize| u64::try_from(row.get::<_, i64>(column)).expect("no less than nothing");
                Fill {
                    id: row.get(0),
                    symbol: row.get(1),
                    seq: number(2),
                    time: number(3),
                    price: number(4),
                    quantity: number(5),
                    buyer: row.get(6),
                    buyer_order: row.get(7),
                    seller: row.get(8),
                    seller_order: row.get(9),
                }
            };
            rows.iter().map(fill).collect()
        };
        // Whoever asks is within a runtime already.
        let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(read));
        thread.join().expect("the fills can be read")
    }
}
