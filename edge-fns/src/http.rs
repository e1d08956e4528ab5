//! REST requests, answers and refusals.

use crate::capability::Error;
use serde::{Deserialize, Serialize};

/// The largest request body.
pub const BODY_LIMIT: usize = 64 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Without the `?`, still percent-encoded.
    #[serde(default)]
    pub query: String,
    /// Names in lower case.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(with = "crate::json")]
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The decoded value of a query parameter; the first one where it is given twice.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key) == name).then(|| percent_decode(value))
        })
    }

    /// The parts of the path, decoded: `/orders/ord_1` is `["orders", "ord_1"]`.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect()
    }

    /// Refuses a body that is too large or says that it is not JSON.
    pub fn json_body(&self) -> Result<&[u8], Refusal> {
        if self.body.len() > BODY_LIMIT {
            return Err(Refusal::new(
                413,
                "body_too_large",
                format!("a body has at most {BODY_LIMIT} bytes"),
            ));
        }
        let media =
            self.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
        if media.is_some_and(|media| !media.eq_ignore_ascii_case("application/json")) {
            return Err(Refusal::new(415, "unsupported_media_type", "the body must be application/json"));
        }
        Ok(&self.body)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    #[serde(with = "crate::json")]
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(status: u16, body: &impl Serialize) -> Response {
        match serde_json::to_vec(body) {
            Ok(body) => Response::raw(status, body),
            Err(error) => Refusal::new(500, "internal", error.to_string()).into(),
        }
    }

    /// A body that is JSON already.
    pub fn raw(status: u16, body: Vec<u8>) -> Response {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![header("content-type", "application/json"), header("cache-control", "no-store")];
        Response { status, headers, body }
    }
}

/// A request that is not carried out, with its stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// For `retry-after`, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), retry_after_ms: None }
    }

    pub fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, code, message)
    }

    pub fn not_found() -> Refusal {
        Refusal::new(404, "not_found", "there is nothing at this path")
    }

    pub fn method_not_allowed(method: &str) -> Refusal {
        Refusal::new(405, "method_not_allowed", format!("{method} is not possible here"))
    }
}

/// A call to a back end that could not be completed, as the client is told.
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Throttled(retry_after_ms) => Refusal {
                retry_after_ms,
                ..Refusal::new(429, "throttled", "too many requests; try again a little later")
            },
            Error::Timeout => {
                Refusal::new(504, "timeout", "a back end did not answer in time; the effect is unknown")
            }
            Error::Unavailable(_) => {
                Refusal::new(503, "unavailable", "a back end is not available; nothing was done")
            }
            // What went wrong inside is for the log, not for the client.
            Error::Invalid(_) | Error::Denied(_) | Error::Internal(_) => {
                Refusal::new(500, "internal", "something went wrong here; it was logged")
            }
        }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Detail<'a>,
        }
        #[derive(Serialize)]
        struct Detail<'a> {
            code: &'a str,
            message: &'a str,
        }
        let Refusal { status, code, message, retry_after_ms } = refusal;
        let mut response = Response::json(status, &Body { error: Detail { code, message: &message } });
        if let Some(ms) = retry_after_ms {
            response.headers.push(("retry-after".into(), ms.div_ceil(1000).to_string()));
        }
        response
    }
}

impl From<Result<Response, Refusal>> for Response {
    fn from(result: Result<Response, Refusal>) -> Response {
        result.unwrap_or_else(Response::from)
    }
}

/// `%41` is `A`, `+` is a space; what is no escape stays as it is.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None if first == b'+' => bytes.push(b' '),
            None => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_one_counts() {
        let request =
            Request { query: "a=1%2B1&b=x+y&a=2&c&%64=%e2%82%ac&e=%zz%2".into(), ..Request::default() };
        let get = |name| request.parameter(name);
        assert_eq!(get("a").as_deref(), Some("1+1"));
        assert_eq!(get("b").as_deref(), Some("x y"));
        assert_eq!(get("c").as_deref(), Some(""));
        assert_eq!(get("d").as_deref(), Some("€"));
        assert_eq!(get("e").as_deref(), Some("%zz%2"));
        assert_eq!(get("f"), None);
    }

    #[test]
    fn a_body_must_be_small_and_json() {
        let with = |media: &str, len| Request {
            headers: vec![("content-type".into(), media.into())],
            body: vec![b' '; len],
            ..Request::default()
        };
        assert!(with("application/json; charset=utf-8", BODY_LIMIT).json_body().is_ok());
        assert_eq!(with("application/json", BODY_LIMIT + 1).json_body().unwrap_err().code, "body_too_large");
        assert_eq!(with("text/plain", 2).json_body().unwrap_err().code, "unsupported_media_type");
        assert!(Request::default().json_body().is_ok());
    }

    #[test]
    fn a_refusal_is_json_with_a_code() {
        let response = Response::from(Refusal::from(Error::Throttled(Some(1500))));
        assert_eq!(response.status, 429);
        assert!(response.headers.contains(&("retry-after".into(), "2".into())));
        assert!(String::from_utf8(response.body).unwrap().starts_with(r#"{"error":{"code":"throttled","#));
    }
}
