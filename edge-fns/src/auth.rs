//! Who is asking: a bearer token, or a test user where the deployment allows them.

use crate::capability::identity::Refusal as TokenRefusal;
use crate::capability::{Base, Identity};
use crate::http::{Refusal, Request};

/// The role of administrators' tokens.
const ADMINISTRATOR: &str = "service_role";
/// The longest user id that the engine takes.
const MAX_USER: usize = engine_core::wire::MAX_NAME;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user: String,
    pub is_administrator: bool,
}

/// What a request shows of who is asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    pub token: Option<String>,
    pub test_mode: bool,
    pub test_user: Option<String>,
}

impl Credentials {
    /// The `Authorization` header, or `?userId=…&testMode=true`; the header wins.
    pub fn of_request(request: &Request) -> Result<Credentials, Refusal> {
        let token = match request.header("authorization") {
            None => None,
            Some(value) => Some(bearer(value)?.to_owned()),
        };
        let test_mode = request.parameter("testMode").as_deref() == Some("true");
        Ok(Credentials { token, test_mode, test_user: request.parameter("userId") })
    }

    fn is_empty(&self) -> bool {
        self.token.is_none() && !self.test_mode
    }
}

pub(crate) fn bearer(header: &str) -> Result<&str, Refusal> {
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(token.trim())
        }
        _ => Err(Refusal::new(401, "token_malformed", "the Authorization header must be: Bearer TOKEN")),
    }
}

/// The caller of a request that must have one.
pub async fn caller(base: &dyn Base, identity: &dyn Identity, request: &Request) -> Result<Caller, Refusal> {
    identify(base, identity, Credentials::of_request(request)?)
        .await?
        .ok_or_else(|| Refusal::new(401, "token_missing", "send a token: Authorization: Bearer TOKEN"))
}

/// Refuses everyone but administrators.
pub async fn administrator(
    base: &dyn Base,
    identity: &dyn Identity,
    request: &Request,
) -> Result<Caller, Refusal> {
    let caller = caller(base, identity, request).await?;
    if !caller.is_administrator {
        return Err(Refusal::new(403, "forbidden", "this needs an administrator's token"));
    }
    Ok(caller)
}

/// `None`: anonymous.
pub async fn identify(
    base: &dyn Base,
    identity: &dyn Identity,
    credentials: Credentials,
) -> Result<Option<Caller>, Refusal> {
    if credentials.is_empty() {
        return Ok(None);
    }
    let Some(token) = credentials.token else {
        return test_user(base, credentials.test_user).await.map(Some);
    };
    let claims = identity.verify(&token).await?.map_err(|refusal| match refusal {
        TokenRefusal::Malformed => Refusal::new(401, "token_malformed", "this is not a token"),
        TokenRefusal::Expired => Refusal::new(401, "token_expired", "the token has expired; refresh it"),
        TokenRefusal::BadSignature => {
            Refusal::new(401, "token_bad_signature", "the token was not issued here")
        }
        TokenRefusal::WrongAudience => {
            Refusal::new(401, "token_wrong_audience", "the token is for somewhere else")
        }
    })?;
    // A token can never speak for a test user, nor for a name that no account can have.
    if claims.user.is_empty() || claims.user.len() > MAX_USER || claims.user.starts_with("test-") {
        return Err(Refusal::new(401, "token_malformed", "the token names no account"));
    }
    Ok(Some(Caller { user: claims.user, is_administrator: claims.role == ADMINISTRATOR }))
}

async fn test_user(base: &dyn Base, user: Option<String>) -> Result<Caller, Refusal> {
    if base.config("ALLOW_TEST_MODE").await?.as_deref() != Some("true") {
        return Err(Refusal::new(401, "test_mode_off", "test users are not allowed on this exchange"));
    }
    match user {
        Some(user) if is_test_user(&user) => Ok(Caller { user, is_administrator: false }),
        _ => {
            Err(Refusal::new(401, "bad_test_user", "a test user's id is test- and 1 to 48 of a-z, 0-9 and -"))
        }
    }
}

/// Test users' ids can never be those of accounts, which are UUIDs.
pub fn is_test_user(user: &str) -> bool {
    user.strip_prefix("test-").is_some_and(|name| {
        (1..=48).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}
