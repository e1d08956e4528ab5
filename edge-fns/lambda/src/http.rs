//! Requests that API Gateway hands over: of REST APIs (payload 1.0) and of HTTP APIs (payload 2.0), and the answers in
//! the form that each of them takes.
//!
//! What differs between the two, and is put right here, so that a handler meets the request that the client made:
//!
//! - the stage is part of the path in 2.0 but not in 1.0;
//! - query parameters are decoded in 1.0, and come as they were in 2.0;
//! - a header given twice is a list in 1.0, and one value with commas in 2.0; cookies are apart in 2.0;
//! - bodies come in base64 if the API counts their type as binary.

use crate::Failure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use edge_host::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Which form the answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    V1,
    V2,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    http_method: String,
    path: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2 {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: V2Context,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct V2Context {
    stage: String,
    http: V2Http,
}

#[derive(Debug, Deserialize)]
struct V2Http {
    method: String,
}

/// The request, whichever payload it came in.
pub fn request(event: Value, payload: Payload, base_path: &str) -> Result<Request, Failure> {
    let bad = |error: serde_json::Error| Failure::BadEvent(error.to_string());
    let mut request = match payload {
        Payload::V1 => v1(V1::deserialize(event).map_err(bad)?)?,
        Payload::V2 => v2(V2::deserialize(event).map_err(bad)?)?,
    };
    request.path = without_prefix(&request.path, base_path);
    Ok(request)
}

fn v1(event: V1) -> Result<Request, Failure> {
    let V1 { headers, multi_value_headers, query_string_parameters, .. } = event;
    let query = pairs(event.multi_value_query_string_parameters, query_string_parameters)
        .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
        .collect::<Vec<_>>()
        .join("&");
    let headers =
        pairs(multi_value_headers, headers).map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let body = body(event.body, event.is_base64_encoded)?;
    Ok(Request { method: event.http_method, path: event.path, query, headers, body })
}

fn v2(event: V2) -> Result<Request, Failure> {
    let mut headers: Vec<(String, String)> =
        event.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    if !event.cookies.is_empty() {
        headers.push(("cookie".into(), event.cookies.join("; ")));
    }
    let context = event.request_context;
    // The default stage has no place in the path.
    let path = match context.stage.as_str() {
        "$default" => event.raw_path,
        stage => without_prefix(&event.raw_path, stage),
    };
    let body = body(event.body, event.is_base64_encoded)?;
    Ok(Request { method: context.http.method, path, query: event.raw_query_string, headers, body })
}

/// Every name with each of its values: of the lists if there are any, and otherwise of the single values.
pub(crate) fn pairs(
    lists: Option<BTreeMap<String, Vec<String>>>,
    single: Option<BTreeMap<String, String>>,
) -> impl Iterator<Item = (String, String)> {
    let lists = lists.unwrap_or_else(|| {
        single.unwrap_or_default().into_iter().map(|(name, value)| (name, vec![value])).collect()
    });
    lists.into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
}

pub(crate) fn body(body: Option<String>, is_base64: bool) -> Result<Vec<u8>, Failure> {
    match body {
        None => Ok(Vec::new()),
        Some(body) if is_base64 => BASE64_STANDARD
            .decode(body)
            .map_err(|error| Failure::BadEvent(format!("the body is not base64: {error}"))),
        Some(body) => Ok(body.into_bytes()),
    }
}

/// `/prod/orders` without `prod` is `/orders`; `/production` stays.
fn without_prefix(path: &str, prefix: &str) -> String {
    let prefix = prefix.trim_matches('/');
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix));
    match rest {
        Some("") if !prefix.is_empty() => "/".into(),
        Some(rest) if !prefix.is_empty() && rest.starts_with('/') => rest.into(),
        _ => path.into(),
    }
}

/// As a query has it: what is not plain becomes `%XX`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The answer in the payload's form.
pub fn answer(response: Response, payload: Payload) -> Value {
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in response.headers {
        lists.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let mut answer = Map::new();
    answer.insert("statusCode".into(), response.status.into());
    match payload {
        Payload::V1 => {
            answer.insert("multiValueHeaders".into(), json!(lists));
        }
        Payload::V2 => {
            if let Some(cookies) = lists.remove("set-cookie") {
                answer.insert("cookies".into(), json!(cookies));
            }
            let joined: BTreeMap<String, String> =
                lists.into_iter().map(|(name, values)| (name, values.join(", "))).collect();
            answer.insert("headers".into(), json!(joined));
        }
    }
    let (body, is_base64) = match String::from_utf8(response.body) {
        Ok(text) => (text, false),
        Err(bytes) => (BASE64_STANDARD.encode(bytes.as_bytes()), true),
    };
    answer.insert("body".into(), body.into());
    answer.insert("isBase64Encoded".into(), is_base64.into());
    Value::Object(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_a_part_of_the_path_ends() {
        for (path, prefix, expected) in [
            ("/prod/orders", "prod", "/orders"),
            ("/prod/orders", "/prod/", "/orders"),
            ("/prod", "prod", "/"),
            ("/prod/", "prod", "/"),
            ("/production", "prod", "/production"),
            ("/orders/prod", "prod", "/orders/prod"),
            ("/orders", "", "/orders"),
            ("//x", "", "//x"),
            ("", "prod", ""),
        ] {
            assert_eq!(without_prefix(path, prefix), expected, "{path} {prefix}");
        }
    }

    #[test]
    fn repeated_headers_keep_all_values_in_either_form() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let response = || Response {
            status: 200,
            headers: vec![
                header("Set-Cookie", "a=1"),
                header("set-cookie", "b=2"),
                header("Vary", "origin"),
                header("vary", "accept"),
            ],
            body: vec![0xff, 0],
        };
        assert_eq!(
            answer(response(), Payload::V1),
            json!({
                "statusCode": 200,
                "multiValueHeaders": {"set-cookie": ["a=1", "b=2"], "vary": ["origin", "accept"]},
                "body": "/wA=",
                "isBase64Encoded": true,
            })
        );
        assert_eq!(
            answer(response(), Payload::V2),
            json!({
                "statusCode": 200,
                "cookies": ["a=1", "b=2"],
                "headers": {"vary": "origin, accept"},
                "body": "/wA=",
                "isBase64Encoded": true,
            })
        );
    }
}
