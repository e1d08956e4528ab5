//! Who is logged in, and how a session is kept between visits.

use super::json::{Json, quoted};

/// A session is refreshed this long before its token ends.
const REFRESH_AHEAD_MS: u64 = 60_000;
const LONGEST_TEST_NAME: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// A test user, told by name alone.
    Test {
        user_id: String,
    },
    Account(Tokens),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub user_id: String,
    pub email: String,
    pub access: String,
    /// Used once: the answer to its use brings the next.
    pub refresh: String,
    pub expires_at_ms: u64,
}

impl Tokens {
    /// When to fetch the next tokens: a while before the end, or at half of a life that is shorter than that.
    pub fn refresh_at_ms(&self, now_ms: u64) -> u64 {
        let left = self.expires_at_ms.saturating_sub(now_ms);
        now_ms + left.saturating_sub(REFRESH_AHEAD_MS.min(left / 2))
    }

    pub fn is_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms
    }
}

impl Session {
    pub fn user_id(&self) -> &str {
        match self {
            Session::Test { user_id } => user_id,
            Session::Account(tokens) => &tokens.user_id,
        }
    }

    /// The name to greet the user by.
    pub fn name(&self) -> &str {
        match self {
            Session::Test { user_id } => user_id,
            Session::Account(tokens) => &tokens.email,
        }
    }

    /// What names a test user in an address; empty for accounts, which carry a token instead.
    pub fn query(&self) -> String {
        match self {
            Session::Test { user_id } => format!("userId={user_id}&testMode=true"),
            Session::Account(_) => String::new(),
        }
    }

    pub fn parse(text: &str) -> Option<Session> {
        let json = Json::parse(text)?;
        let user_id = json.text("user_id")?;
        Some(match json.str("kind")? {
            "test" => Session::Test { user_id },
            "account" => Session::Account(Tokens {
                user_id,
                email: json.text("email")?,
                access: json.text("access")?,
                refresh: json.text("refresh")?,
                expires_at_ms: json.whole("expires_at_ms")?,
            }),
            _ => return None,
        })
    }

    pub fn encode(&self) -> String {
        match self {
            Session::Test { user_id } => format!(r#"{{"kind":"test","user_id":{}}}"#, quoted(user_id)),
            Session::Account(tokens) => format!(
                r#"{{"kind":"account","user_id":{},"email":{},"access":{},"refresh":{},"expires_at_ms":{}}}"#,
                quoted(&tokens.user_id),
                quoted(&tokens.email),
                quoted(&tokens.access),
                quoted(&tokens.refresh),
                tokens.expires_at_ms
            ),
        }
    }
}

/// The id of the test user of a name: small letters, digits and hyphens, with `test-` before it if it is not there.
pub fn test_user_id(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("test-").unwrap_or(&name);
    let fits = (1..=LONGEST_TEST_NAME).contains(&name.len());
    let allowed = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (fits && allowed).then(|| format!("test-{name}"))
}

impl Tokens {
    /// The answer of `/auth/v1/signup` and `/auth/v1/token`.
    pub fn read(json: &Json<'_>, now_ms: u64) -> Option<Tokens> {
        let user = json.get("user")?;
        Some(Tokens {
            user_id: user.text("id")?,
            email: user.text("email").unwrap_or_default(),
            access: json.text("access_token")?,
            refresh: json.text("refresh_token")?,
            expires_at_ms: now_ms.saturating_add(json.whole("expires_in")?.saturating_mul(1000)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(expires_at_ms: u64) -> Tokens {
        Tokens {
            user_id: "u".into(),
            email: "a@example.com".into(),
            access: "a".into(),
            refresh: "r".into(),
            expires_at_ms,
        }
    }

    #[test]
    fn sessions_survive_a_visit() {
        for session in [Session::Test { user_id: "test-a".into() }, Session::Account(tokens(5))] {
            assert_eq!(Session::parse(&session.encode()), Some(session));
        }
        assert_eq!(Session::parse("{}"), None);
    }

    #[test]
    fn tokens_are_refreshed_before_their_end() {
        assert_eq!(tokens(3_600_000).refresh_at_ms(0), 3_540_000);
        assert_eq!(tokens(20_000).refresh_at_ms(0), 10_000, "a short life is halved");
        assert_eq!(tokens(10).refresh_at_ms(50), 50, "an ended one is refreshed now");
    }

    #[test]
    fn test_names_become_ids() {
        assert_eq!(test_user_id(" Alice-1 "), Some("test-alice-1".into()));
        assert_eq!(test_user_id("test-bob"), Some("test-bob".into()));
        for name in ["", "test-", "a b", "한글", &"x".repeat(49)] {
            assert_eq!(test_user_id(name), None, "{name}");
        }
    }
}
