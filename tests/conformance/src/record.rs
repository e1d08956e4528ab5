//! Writes the calls that the functions make into the cases, and the cases so that people can read them.

use crate::case::{File, HANDLERS};
use crate::hosts;
use crate::run::run;
use anyhow::{Context, Result};
use edge_fns::remote::Call;
use serde_json::{Value, json};
use std::path::Path;

const WIDTH: usize = 120;
/// The longest call that is written down whole.
const READABLE: usize = 16 << 10;
/// What comes first in an object, in this order; the rest follows by name.
const FIRST: [&str; 22] = [
    "name", "why", "given", "now", "event", "faults", "answer", "calls", "steps", "after", "call", "nth",
    "at", "with", "order_id", "user_id", "method", "path", "id", "status", "code", "symbol",
];

pub async fn record(folder: &Path) -> Result<()> {
    let mut native = hosts::native();
    for handler in HANDLERS {
        let File { cases, mut written } = File::read(folder, handler)?;
        for (case, value) in cases.iter().zip(&mut written) {
            let outcome = run(native.as_mut(), case, None);
            let outcome = outcome.await.with_context(|| format!("{handler}: {}", case.name))?;
            for (n, done) in outcome.steps.into_iter().enumerate() {
                value["steps"][n]["calls"] = done.calls.into_iter().map(written_call).collect();
            }
        }
        let cases: Vec<String> = written.iter().map(|case| format!("  {}", pretty(case, 2))).collect();
        std::fs::write(folder.join(format!("{handler}.json")), format!("[\n{}\n]\n", cases.join(",\n")))?;
    }
    Ok(())
}

/// Of a call that nobody would read, that it was made: hosts are compared with all of it.
fn written_call(call: Value) -> Value {
    if call.to_string().len() <= READABLE { call } else { json!({"call": call["call"], "..": true}) }
}

/// On one line where it has room there, and otherwise one element a line.
fn pretty(value: &Value, indent: usize) -> String {
    let line = compact(value);
    let steps = value.get("steps").is_some() || value.get("calls").is_some();
    if !steps && (indent + line.len() <= WIDTH || value.get("call").is_some()) {
        return line;
    }
    let inner = " ".repeat(indent + 2);
    let outer = " ".repeat(indent);
    match value {
        Value::Array(values) => {
            let lines: Vec<String> =
                values.iter().map(|value| format!("{inner}{}", pretty(value, indent + 2))).collect();
            format!("[\n{}\n{outer}]", lines.join(",\n"))
        }
        Value::Object(_) => {
            let lines: Vec<String> = fields(value)
                .into_iter()
                .map(|(name, value)| format!("{inner}{}: {}", Value::from(name), pretty(value, indent + 2)))
                .collect();
            format!("{{\n{}\n{outer}}}", lines.join(",\n"))
        }
        _ => line,
    }
}

fn compact(value: &Value) -> String {
    match value {
        // In the order that the protocol has its fields in.
        Value::Object(object) if object.contains_key("call") && object.contains_key("with") => {
            match serde_json::from_value::<Call>(value.clone()) {
                Ok(call) => serde_json::to_string(&call).unwrap_or_else(|_| value.to_string()),
                Err(_) => value.to_string(),
            }
        }
        Value::Array(values) => format!("[{}]", values.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => {
            let all: Vec<String> = fields(value)
                .into_iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name), compact(value)))
                .collect();
            format!("{{{}}}", all.join(", "))
        }
        _ => value.to_string(),
    }
}

fn fields(value: &Value) -> Vec<(&str, &Value)> {
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut fields: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    fields.sort_by_key(|(name, _)| rank(name));
    fields
}
