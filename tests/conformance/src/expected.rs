//! Whether what came is what a case says.
//!
//! Values are equal as JSON, but that in what is expected
//! - `"*"` is anything that is there, and a string that begins with `~` is in the text;
//! - an object with `"..": true` may lack fields of what came;
//! - `{"length": N}` is a list of so many.

use edge_fns::capability::Error;
use edge_host::{Disposition, Failure, Item, Response, SocketReply};
use serde_json::{Map, Value, json};

/// How a host answered an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Http(Response),
    Socket(SocketReply),
    Stream(Vec<Failure>),
    /// Of a batch, what the host made of the function's answer: what was put aside up to the first record that is to come
    /// again, and that one.
    Settled {
        rejected: Vec<(String, String)>,
        again: Option<String>,
    },
    Timer(Result<(), Error>),
    /// The error in words.
    TimerSaid(Result<(), String>),
    /// That there was one.
    TimerDone(bool),
}

/// The headers that a function sets; hosts add others.
const HEADERS: [&str; 3] = ["content-type", "cache-control", "retry-after"];

impl Answer {
    /// This answer, as a host would give it that gives `like`.
    pub fn in_the_form_of(self, like: &Answer, items: &[Item]) -> Answer {
        match (self, like) {
            (Answer::Stream(failures), Answer::Settled { .. }) => settled(&failures, items),
            (Answer::Timer(done), Answer::TimerSaid(_)) => {
                Answer::TimerSaid(done.map_err(|error| error.to_string()))
            }
            (Answer::Timer(done), Answer::TimerDone(_)) => Answer::TimerDone(done.is_ok()),
            (own, _) => own,
        }
    }

    pub fn json(&self) -> Value {
        match self {
            Answer::Http(response) => {
                let mut answer = Map::new();
                answer.insert("status".into(), response.status.into());
                for name in HEADERS {
                    let values = response.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
                    let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
                    if !values.is_empty() {
                        answer.insert(name.into(), values.join(", ").into());
                    }
                }
                answer.insert("body".into(), crate::state::readable(&response.body));
                answer.into()
            }
            Answer::Socket(reply) => {
                let mut answer = Map::new();
                answer.insert("accept".into(), reply.accept.into());
                if let Some(status) = reply.status {
                    answer.insert("status".into(), status.into());
                }
                if let Some(body) = &reply.body {
                    answer.insert("body".into(), crate::state::readable(body));
                }
                answer.into()
            }
            Answer::Stream(failures) => {
                let is_retry = |failure: &&Failure| failure.disposition == Disposition::Retry;
                let mut retry: Vec<&str> =
                    failures.iter().filter(is_retry).map(|failure| failure.id.as_str()).collect();
                retry.sort_unstable();
                let reject: Map<String, Value> = (failures.iter())
                    .filter_map(|failure| match &failure.disposition {
                        Disposition::Reject(reason) => Some((failure.id.clone(), reason.clone().into())),
                        Disposition::Retry => None,
                    })
                    .collect();
                json!({"retry": retry, "reject": reject})
            }
            Answer::Settled { rejected, again } => json!({"rejected": rejected, "again": again}),
            Answer::Timer(done) => json!({"done": done.is_ok(), "error": done.as_ref().err()}),
            Answer::TimerSaid(done) => json!({"done": done.is_ok(), "error": done.as_ref().err()}),
            Answer::TimerDone(done) => json!({"done": done}),
        }
    }

    /// What a case's `answer` stands for, where it is of this kind.
    pub fn expected(&self, written: &Value) -> Value {
        let mut expected = written.clone();
        match self {
            Answer::Http(_) => {
                let fields = expected.as_object_mut();
                let Some(fields) = fields else { return expected };
                if let Some(code) = fields.remove("code") {
                    fields.insert("body".into(), json!({"error": {"code": code, "message": "*"}}));
                }
                fields.insert("content-type".into(), "application/json".into());
                fields.insert("cache-control".into(), "no-store".into());
                expected
            }
            Answer::Socket(_) => {
                let Some(fields) = expected.as_object_mut() else { return expected };
                fields.entry("accept").or_insert(true.into());
                if let Some(code) = fields.remove("code") {
                    // A handshake is refused over HTTP, a message is answered.
                    let body = match fields.get("status") {
                        Some(_) => json!({"error": {"code": code, "message": "*"}}),
                        None => json!({"e": "error", "code": code, "message": "*"}),
                    };
                    fields.insert("body".into(), body);
                }
                expected
            }
            Answer::Stream(_) => json!({
                "retry": written.get("retry").cloned().unwrap_or_else(|| json!([])),
                "reject": written.get("reject").cloned().unwrap_or_else(|| json!({})),
            }),
            Answer::Timer(_) => {
                json!({"done": written.get("error").is_none(), "error": written.get("error")})
            }
            _ => expected,
        }
    }
}

/// What a host with streams that give a batch again from one record on makes of failures.
pub fn settled(failures: &[Failure], items: &[Item]) -> Answer {
    let mut rejected = Vec::new();
    for item in items {
        match failures.iter().find(|failure| failure.id == item.id).map(|failure| &failure.disposition) {
            None => {}
            Some(Disposition::Reject(reason)) => rejected.push((item.id.clone(), reason.clone())),
            Some(Disposition::Retry) => return Answer::Settled { rejected, again: Some(item.id.clone()) },
        }
    }
    Answer::Settled { rejected, again: None }
}

/// Where what came is not what was expected, a line each.
pub fn differences(at: &str, expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(at, expected, actual, &mut found);
    found
}

/// What is expected of a state: of each part, only the keys that are named; null is what is not there.
pub fn state_differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (part, keys) in expected.as_object().into_iter().flatten() {
        let Some(keys) = keys.as_object() else {
            compare(&format!("after.{part}"), keys, &actual[part.as_str()], &mut found);
            continue;
        };
        for (key, value) in keys {
            let actual = actual[part.as_str()].get(key).unwrap_or(&Value::Null);
            compare(&format!("after.{part}[{key:?}]"), value, actual, &mut found);
        }
    }
    found
}

fn compare(at: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::String(any), actual) if any == "*" && !actual.is_null() => {}
        (Value::String(part), Value::String(text))
            if part.strip_prefix('~').is_some_and(|p| text.contains(p)) => {}
        (Value::Object(fields), Value::Array(have)) if fields.len() == 1 && fields.contains_key("length") => {
            compare(&format!("{at}.length"), &fields["length"], &have.len().into(), found);
        }
        (Value::Object(fields), Value::Object(have)) => {
            let open = fields.get("..") == Some(&Value::Bool(true));
            for (name, value) in fields.iter().filter(|(name, _)| *name != "..") {
                compare(&format!("{at}.{name}"), value, have.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in have.iter().filter(|(name, _)| !open && !fields.contains_key(*name)) {
                found.push(format!("{at}.{name}: nothing was expected, {value} came"));
            }
        }
        (Value::Array(values), Value::Array(have)) => {
            for (n, value) in values.iter().enumerate() {
                compare(&format!("{at}[{n}]"), value, have.get(n).unwrap_or(&Value::Null), found);
            }
            for (n, value) in have.iter().enumerate().skip(values.len()) {
                found.push(format!("{at}[{n}]: nothing was expected, {value} came"));
            }
        }
        (expected, actual) if expected == actual => {}
        (expected, actual) => found.push(format!("{at}: expected {expected}\n      but came {actual}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_exact_unless_it_says_otherwise() {
        let same = |expected: Value, actual: Value| differences("", &expected, &actual).is_empty();
        assert!(same(json!({"a": [1, "x"]}), json!({"a": [1, "x"]})));
        assert!(!same(json!({"a": [1]}), json!({"a": [1, 2]})));
        assert!(!same(json!({"a": [1, 2]}), json!({"a": [1]})));
        assert!(!same(json!({"a": 1}), json!({"a": 1, "b": 2})));
        assert!(same(json!({"a": 1, "..": true}), json!({"a": 1, "b": 2})));
        assert!(!same(json!({"a": 1, "..": true}), json!({"b": 2})));
        assert!(same(json!({"a": "*"}), json!({"a": false})));
        assert!(!same(json!({"a": "*"}), json!({})));
        assert!(same(json!("~an event"), json!("not an event: x")));
        assert!(!same(json!("~other"), json!("not an event: x")));
        assert!(!same(json!("1"), json!(1)));
        assert!(same(json!({"length": 2}), json!([1, 2])));
        assert!(!same(json!({"length": 2}), json!([1])));
    }

    #[test]
    fn of_a_state_only_what_is_named_counts() {
        let state = json!({"sets": {"a": ["1"], "b": []}, "online": ["c"]});
        assert!(state_differences(&json!({"sets": {"a": ["1"], "c": null}}), &state).is_empty());
        assert_eq!(state_differences(&json!({"sets": {"b": null}}), &state).len(), 1);
        assert_eq!(state_differences(&json!({"online": []}), &state).len(), 1);
    }

    #[test]
    fn a_batch_comes_again_from_its_first_undone_record() {
        let item = |id: &str| Item { id: id.into(), partition: String::new(), arrived: 0, body: Vec::new() };
        let failure = |id: &str, disposition| Failure { id: id.into(), disposition };
        let items = [item("1"), item("2"), item("3"), item("4")];
        let failures = [
            failure("4", Disposition::Reject("late".into())),
            failure("1", Disposition::Reject("bad".into())),
            failure("3", Disposition::Retry),
        ];
        let rejected = vec![("1".to_owned(), "bad".to_owned())];
        assert_eq!(settled(&failures, &items), Answer::Settled { rejected, again: Some("3".into()) });
    }
}
