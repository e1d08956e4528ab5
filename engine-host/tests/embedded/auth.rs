//! Accounts and tokens through their HTTP surface, and what is on the disk behind it.

use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use edge_fns::capability::Identity;
use edge_fns::capability::identity::Refusal;
use engine_host::auth::{self, Auth};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use reqwest::Client;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::tempdir;

const PASSWORD: &str = "correct horse battery";

/// The endpoints on a port of their own.
struct Server {
    auth: Auth,
    url: String,
    client: Client,
}

impl Server {
    async fn start(folder: &Path) -> Server {
        let auth = Auth::open(folder).unwrap();
        let router = Router::new().nest("/auth/v1", auth::routes(auth.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/auth/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { auth, url, client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response =
            self.client.post(format!("{}{path}", self.url)).body(body.to_string()).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn refused(&self, path: &str, body: Value, status: u16, code: &str) {
        let (got, answer) = self.post(path, body).await;
        assert_eq!((got, answer["error_code"].as_str()), (status, Some(code)), "{answer}");
        assert_eq!((&answer["code"], answer["msg"].is_string()), (&status.into(), true));
    }

    async fn user(&self, token: &str) -> (u16, Value) {
        let response = self.client.get(format!("{}/user", self.url)).bearer_auth(token).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn sign_up(&self, email: &str) -> Value {
        let (status, session) = self.post("/signup", json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(status, 200, "{session}");
        session
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token signed with the installation's own key, with these claims.
fn signed(folder: &Path, header: &Header, claims: Value) -> String {
    let key = EncodingKey::from_ec_pem(&std::fs::read(folder.join("jwt-key.pem")).unwrap()).unwrap();
    jsonwebtoken::encode(header, &claims, &key).unwrap()
}

#[tokio::test]
async fn from_sign_up_to_log_out() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.sign_up("Ann@Example.com").await;
    let (id, access, refresh) =
        (text(&session["user"], "id"), text(&session, "access_token"), text(&session, "refresh_token"));
    assert_eq!((&session["token_type"], &session["expires_in"]), (&"bearer".into(), &3600.into()));
    let user = &session["user"];
    assert_eq!(
        (text(user, "email"), text(user, "aud"), text(user, "role")),
        ("ann@example.com", "authenticated", "authenticated")
    );
    assert!(user["app_metadata"].is_object() && user["user_metadata"].is_object());
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "a UUID");
    let created = text(user, "created_at");
    assert!(created.len() == 20 && created.ends_with('Z') && &created[10..11] == "T", "{created}");
    assert_eq!(server.user(access).await, (200, user.clone()));

    // Any verifier accepts the token by the published key.
    let jwks: Value = server
        .client
        .get(format!("{}/.well-known/jwks.json", server.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = &jwks["keys"][0];
    assert!(key.get("d").is_none(), "the private half is not published");
    let header = jsonwebtoken::decode_header(access).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::ES256, key["kid"].as_str()));
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["authenticated"]);
    let public = DecodingKey::from_ec_components(text(key, "x"), text(key, "y")).unwrap();
    let claims = jsonwebtoken::decode::<Value>(access, &public, &validation).unwrap().claims;
    assert_eq!(
        (text(&claims, "sub"), text(&claims, "role"), text(&claims, "email")),
        (id, "authenticated", "ann@example.com")
    );
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    let verified = server.auth.verify(access).await.unwrap().unwrap();
    assert_eq!(
        (&*verified.user, &*verified.role, verified.expires),
        (id, "authenticated", claims["exp"].as_u64().unwrap() * 1000)
    );

    // A refresh token is used once, and leads to the same user.
    let (status, second) =
        server.post("/token?grant_type=refresh_token", json!({"refresh_token": refresh})).await;
    assert_eq!((status, text(&second["user"], "id")), (200, id));
    assert_ne!(text(&second, "refresh_token"), refresh);
    server
        .refused(
            "/token?grant_type=refresh_token",
            json!({"refresh_token": refresh}),
            400,
            "refresh_token_not_found",
        )
        .await;
    server
        .refused(
            "/token?grant_type=refresh_token",
            json!({"refresh_token": ""}),
            400,
            "refresh_token_not_found",
        )
        .await;
    let (status, third) = server
        .post("/token?grant_type=password", json!({"email": " ANN@example.com", "password": PASSWORD}))
        .await;
    assert_eq!((status, text(&third["user"], "id")), (200, id));

    // Logged out, no refresh token of the user is worth anything.
    let logout =
        server.client.post(format!("{}/logout", server.url)).bearer_auth(access).send().await.unwrap();
    assert_eq!(logout.status().as_u16(), 204);
    for session in [&second, &third] {
        let body = json!({"refresh_token": text(session, "refresh_token")});
        server.refused("/token?grant_type=refresh_token", body, 400, "refresh_token_not_found").await;
    }
    let health = server.client.get(format!("{}/health", server.url)).send().await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    server.sign_up("ann@example.com").await;
    let body = |email: &str, password: &str| json!({"email": email, "password": password});
    server.refused("/signup", body("ANN@example.com", PASSWORD), 422, "email_exists").await;
    for weak in ["", "1234567", &"x".repeat(129)] {
        server.refused("/signup", body("new@example.com", weak), 422, "weak_password").await;
    }
    for bad in
        ["", "@", "no address", "a@b", "a@b.c d", "a@b@c.d", "@b.c", &format!("{}@b.c", "x".repeat(300))]
    {
        server.refused("/signup", body(bad, PASSWORD), 400, "validation_failed").await;
    }
    server.refused("/signup", json!({"email": "x@y.z"}), 400, "validation_failed").await;
    server
        .refused(
            "/token?grant_type=password",
            body("ann@example.com", "wrong password"),
            400,
            "invalid_credentials",
        )
        .await;
    server
        .refused(
            "/token?grant_type=password",
            body("nobody@example.com", PASSWORD),
            400,
            "invalid_credentials",
        )
        .await;
    server
        .refused("/token?grant_type=password", body("' OR 1=1 --", PASSWORD), 400, "invalid_credentials")
        .await;
    server
        .refused("/token?grant_type=magic", body("ann@example.com", PASSWORD), 400, "validation_failed")
        .await;
    server.refused("/token", body("ann@example.com", PASSWORD), 400, "validation_failed").await;
    let (status, answer) = server.user("nonsense").await;
    assert_eq!((status, text(&answer, "error_code")), (403, "bad_jwt"));
    let bare = server.client.get(format!("{}/user", server.url)).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
}

/// Whatever a token was made of, only this key's ES256 tokens for this audience that still live are taken.
#[tokio::test]
async fn forged_expired_and_foreign_tokens() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.sign_up("ann@example.com").await;
    let (id, access) = (text(&session["user"], "id"), text(&session, "access_token"));
    let header = jsonwebtoken::decode_header(access).unwrap();
    let claims = |aud: Value, exp: u64| json!({"iss": "i", "sub": id, "aud": aud, "role": "authenticated", "iat": 1, "exp": exp});
    let later = now_s() + 3600;
    let mut foreign_kid = header.clone();
    foreign_kid.kid = Some("another".into());
    let own = |header: &Header, claims: Value| signed(folder.path(), header, claims);

    assert_eq!(
        server.user(&own(&header, claims("authenticated".into(), later))).await.0,
        200,
        "the maker of these tokens"
    );
    let mut without_sub = claims("authenticated".into(), later);
    without_sub.as_object_mut().unwrap().remove("sub");
    let mut without_exp = claims("authenticated".into(), later);
    without_exp.as_object_mut().unwrap().remove("exp");
    let parts: Vec<&str> = access.split('.').collect();
    let admin = BASE64.encode(
        claims("authenticated".into(), later)
            .to_string()
            .replace("\"role\":\"authenticated\"", "\"role\":\"service_role\""),
    );
    let other = tempdir().unwrap();
    let elsewhere = Auth::open(other.path()).unwrap();
    // The public key as the secret of a symmetric signature: the classic confusion.
    let public = server.auth.keys.jwks()["keys"][0]["x"].as_str().unwrap().as_bytes().to_vec();
    let symmetric = Header { kid: header.kid.clone(), ..Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(
        &symmetric,
        &claims("authenticated".into(), later),
        &EncodingKey::from_secret(&public),
    )
    .unwrap();
    let none = format!("{}.{}.", BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#), parts[1]);
    for (what, token, expected) in [
        ("expired", own(&header, claims("authenticated".into(), 1)), Some(Refusal::Expired)),
        ("another audience", own(&header, claims("anon".into(), later)), Some(Refusal::WrongAudience)),
        ("another role in the payload", [parts[0], &admin, parts[2]].join("."), Some(Refusal::BadSignature)),
        ("another installation", auth::service_token(&elsewhere.keys).unwrap(), Some(Refusal::BadSignature)),
        (
            "another key's name",
            own(&foreign_kid, claims("authenticated".into(), later)),
            Some(Refusal::BadSignature),
        ),
        ("a symmetric signature", confused, Some(Refusal::BadSignature)),
        ("no signature", none, None),
        ("a cut signature", access[..access.len() - 10].into(), None),
        ("no subject", own(&header, without_sub), None),
        ("no end", own(&header, without_exp), None),
        ("no token", String::new(), Some(Refusal::Malformed)),
        ("two dots", "..".into(), Some(Refusal::Malformed)),
    ] {
        let refusal = server.auth.verify(&token).await.unwrap().expect_err(what);
        assert!(expected.is_none_or(|expected| refusal == expected), "{what}: {refusal:?}");
        let status = if token.is_empty() { 401 } else { 403 };
        assert_eq!(server.user(&token).await.0, status, "{what}");
    }
    let service = auth::service_token(&server.auth.keys).unwrap();
    assert_eq!(server.auth.verify(&service).await.unwrap().unwrap().role, "service_role");
}

/// Of many clients that send the same refresh token at once, one gets a session.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_token_is_used_once_even_at_once() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.sign_up("ann@example.com").await;
    let body = json!({"refresh_token": text(&session, "refresh_token")});
    let attempts = (0..8).map(|_| server.post("/token?grant_type=refresh_token", body.clone()));
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
    // And of many sign-ups with one address, one makes the account.
    let attempts =
        (0..4).map(|_| server.post("/signup", json!({"email": "race@example.com", "password": PASSWORD})));
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 422).count(), 3, "{answers:?}");
}

/// Who reads the files gets neither a password nor a token; the key's file is its owner's alone. After a restart,
/// everything is valid as before.
#[tokio::test]
async fn what_is_on_the_disk() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.sign_up("ann@example.com").await;
    let same_password = server.sign_up("ben@example.com").await;
    let refresh = text(&session, "refresh_token");
    for name in ["auth.db", "auth.db-wal"] {
        let content = std::fs::read(folder.path().join(name)).unwrap_or_default();
        for secret in
            [PASSWORD, refresh, text(&same_password, "refresh_token"), text(&session, "access_token")]
        {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds a secret in the clear");
        }
    }
    let database = rusqlite::Connection::open(folder.path().join("auth.db")).unwrap();
    let mut statement = database.prepare("SELECT password FROM users").unwrap();
    let hashes: Vec<String> =
        statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(hashes.len(), 2);
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$v=19$m=")), "{hashes:?}");
    assert_ne!(hashes[0], hashes[1], "each with a salt of its own");
    let mode = std::fs::metadata(folder.path().join("jwt-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = Server::start(folder.path()).await;
    assert_eq!(again.auth.keys.jwks(), server.auth.keys.jwks());
    assert_eq!(again.user(text(&session, "access_token")).await.0, 200);
    let (status, _) = again.post("/token?grant_type=refresh_token", json!({"refresh_token": refresh})).await;
    assert_eq!(status, 200);
    let (status, _) = again
        .post("/token?grant_type=password", json!({"email": "ben@example.com", "password": PASSWORD}))
        .await;
    assert_eq!(status, 200);
}
