//! The endpoints under `/auth/v1`, as Supabase Auth has them.

use super::accounts::{AccountError, User};
use super::keys::ACCESS_S;
use super::{Auth, keys};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use edge_fns::capability::identity::Refusal;
use edge_fns::http::BODY_LIMIT;
use serde::Deserialize;
use serde_json::json;

const ISSUER: &str = "supernoba/auth/v1";

/// Routes to be nested under `/auth/v1`.
pub fn routes(auth: Auth) -> Router {
    Router::new()
        .route("/signup", post(sign_up))
        .route("/token", post(token))
        .route("/user", get(user))
        .route("/logout", post(log_out))
        .route("/health", get(async || Json(json!({"name": "supernoba", "description": "accounts"}))))
        .route("/.well-known/jwks.json", get(jwks))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(auth)
}

async fn method_not_allowed(method: Method) -> Refused {
    Refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("{method} is not possible here"))
}

/// The public keys; also served at the root.
pub async fn jwks(State(auth): State<Auth>) -> Json<serde_json::Value> {
    Json(auth.keys.jwks().clone())
}

/// An administrator's token for this installation.
pub fn service_token(keys: &keys::Keys) -> anyhow::Result<String> {
    keys.service_token(ISSUER)
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

#[derive(Deserialize)]
struct Grant {
    #[serde(default)]
    grant_type: String,
}

/// Supabase's form of a refusal.
struct Refused(StatusCode, &'static str, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refused(status, code, msg) = self;
        (status, Json(json!({"code": status.as_u16(), "error_code": code, "msg": msg}))).into_response()
    }
}

impl From<AccountError> for Refused {
    fn from(error: AccountError) -> Refused {
        let (status, code) = match &error {
            AccountError::BadEmail => (StatusCode::BAD_REQUEST, "validation_failed"),
            AccountError::WeakPassword => (StatusCode::UNPROCESSABLE_ENTITY, "weak_password"),
            AccountError::EmailExists => (StatusCode::UNPROCESSABLE_ENTITY, "email_exists"),
            AccountError::InvalidCredentials => (StatusCode::BAD_REQUEST, "invalid_credentials"),
            AccountError::UnknownRefreshToken => (StatusCode::BAD_REQUEST, "refresh_token_not_found"),
            AccountError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "over_request_rate_limit"),
            AccountError::Store(_) | AccountError::Internal(_) => {
                tracing::error!(%error, "accounts");
                return Refused(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "unexpected_failure",
                    "internal error".into(),
                );
            }
        };
        Refused(status, code, error.to_string())
    }
}

/// A body, or why there is none.
type Body = Result<Bytes, BytesRejection>;

async fn sign_up(State(auth): State<Auth>, body: Body) -> Result<Response, Refused> {
    let Credentials { email, password } = parse(&body)?;
    let user = blocking(&auth, move |auth| auth.accounts.sign_up(&email, &password)).await?;
    session(&auth, user).await
}

async fn token(
    State(auth): State<Auth>,
    grant: Result<Query<Grant>, QueryRejection>,
    body: Body,
) -> Result<Response, Refused> {
    let Query(grant) = grant.map_err(|error| invalid(&error.body_text()))?;
    let user = match grant.grant_type.as_str() {
        "password" => {
            let Credentials { email, password } = parse(&body)?;
            blocking(&auth, move |auth| auth.accounts.sign_in(&email, &password)).await?
        }
        "refresh_token" => {
            let Refresh { refresh_token } = parse(&body)?;
            blocking(&auth, move |auth| auth.accounts.use_refresh_token(&refresh_token)).await?
        }
        _ => return Err(invalid("grant_type is neither password nor refresh_token")),
    };
    session(&auth, user).await
}

async fn user(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, Refused> {
    let id = bearer(&auth, &headers)?;
    let user = blocking(&auth, move |auth| auth.accounts.user(&id)).await?;
    let user = user.ok_or_else(|| Refused(StatusCode::FORBIDDEN, "user_not_found", "no such user".into()))?;
    Ok(Json(user_json(&user)).into_response())
}

async fn log_out(State(auth): State<Auth>, headers: HeaderMap) -> Result<Response, Refused> {
    let id = bearer(&auth, &headers)?;
    blocking(&auth, move |auth| auth.accounts.sign_out(&id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn session(auth: &Auth, user: User) -> Result<Response, Refused> {
    let id = user.id.clone();
    let refresh_token = blocking(auth, move |auth| auth.accounts.refresh_token(&id)).await?;
    let access_token = auth.keys.access_token(ISSUER, &user.id, &user.email);
    let access_token = access_token.map_err(|error| AccountError::Internal(error.to_string()))?;
    let body = json!({
        "access_token": access_token, "token_type": "bearer", "expires_in": ACCESS_S,
        "expires_at": keys::now_s() + ACCESS_S, "refresh_token": refresh_token, "user": user_json(&user),
    });
    Ok(Json(body).into_response())
}

/// The accounts' file and the password's hash take their time: they have a thread for it.
async fn blocking<T: Send + 'static>(
    auth: &Auth,
    run: impl FnOnce(&Auth) -> Result<T, AccountError> + Send + 'static,
) -> Result<T, Refused> {
    let auth = auth.clone();
    let done = tokio::task::spawn_blocking(move || run(&auth)).await;
    Ok(done.unwrap_or_else(|error| Err(AccountError::Internal(error.to_string())))?)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Body) -> Result<T, Refused> {
    match body {
        Ok(body) => serde_json::from_slice(body).map_err(|error| invalid(&error.to_string())),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("a body has at most {BODY_LIMIT} bytes");
            Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message))
        }
        Err(_) => Err(invalid("the body broke off")),
    }
}

fn invalid(why: &str) -> Refused {
    Refused(StatusCode::BAD_REQUEST, "validation_failed", why.into())
}

fn bearer(auth: &Auth, headers: &HeaderMap) -> Result<String, Refused> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    let token = token
        .ok_or_else(|| Refused(StatusCode::UNAUTHORIZED, "no_authorization", "no bearer token".into()))?;
    let refused = |refusal: Refusal| {
        let why = match refusal {
            Refusal::Expired => "the token has expired",
            Refusal::Malformed => "the token cannot be read",
            Refusal::BadSignature => "the token's signature is wrong",
            Refusal::WrongAudience => "the token is for somebody else",
        };
        Refused(StatusCode::FORBIDDEN, "bad_jwt", why.into())
    };
    auth.keys.verify(token).map(|claims| claims.user).map_err(refused)
}

fn user_json(user: &User) -> serde_json::Value {
    json!({
        "id": user.id, "aud": "authenticated", "role": "authenticated", "email": user.email,
        "created_at": iso(user.created_at),
        "app_metadata": {"provider": "email", "providers": ["email"]}, "user_metadata": {},
    })
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
fn iso(seconds: u64) -> String {
    let minute = engine_core::candle::format_minute(seconds);
    format!(
        "{}-{}-{}T{}:{}:{:02}Z",
        &minute[..4],
        &minute[4..6],
        &minute[6..8],
        &minute[8..10],
        &minute[10..],
        seconds % 60
    )
}
