//! `openapi.json` as a judge of answers.

use crate::{Answer, repository};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

pub struct Document {
    pub root: Value,
    /// Compiled schemas by the text they were made of.
    compiled: Mutex<HashMap<String, &'static Validator>>,
}

impl Document {
    /// The document that the exchange serves.
    pub fn read() -> Document {
        let file = repository().join("engine-host/src/gateway/openapi.json");
        let text = std::fs::read_to_string(file).expect("the document is there");
        Document::new(serde_json::from_str(&text).expect("the document is JSON"))
    }

    pub fn new(root: Value) -> Document {
        Document { root, compiled: Mutex::default() }
    }

    /// What a `$ref` leads to; anything else is itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            None => value,
            Some(reference) => {
                let found = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
                self.resolve(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
        }
    }

    /// The description of an operation's answer of this status.
    pub fn response(&self, method: &str, path: &str, status: u16) -> Option<&Value> {
        let operation = &self.root["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        let response = &operation["responses"][status.to_string()];
        response.is_object().then(|| self.resolve(response))
    }

    /// Fails for an answer that the document does not describe: status, media type, form and codes.
    pub fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let response = self.response(method, path, answer.status);
        let response =
            response.ok_or_else(|| format!("{} {} is not described", answer.status, answer.text))?;
        self.check_response(response, answer)
    }

    /// The same for one of the responses that every operation shares.
    pub fn check_shared(&self, name: &str, answer: &Answer) -> Result<(), String> {
        self.check_response(&self.root["components"]["responses"][name], answer)
    }

    fn check_response(&self, response: &Value, answer: &Answer) -> Result<(), String> {
        let Some(content) = response["content"].as_object() else {
            return if answer.text.is_empty() { Ok(()) } else { Err(format!("a body: {}", answer.text)) };
        };
        let media = answer.media.split(';').next().unwrap_or_default();
        let described = content.get(media).ok_or_else(|| format!("{media:?} is not described"))?;
        match media {
            "application/json" => self.check_value(&described["schema"], &answer.json),
            _ => Ok(()),
        }
    }

    /// Whether a value is as a schema of this document says.
    pub fn check_value(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.compile(schema);
        match validator.validate(value) {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{error} at {:?} of {value}", error.instance_path().to_string())),
        }
    }

    /// A schema by its name.
    pub fn schema(&self, name: &str) -> &Value {
        let schema = &self.root["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        schema
    }

    /// Fails for what is no schema.
    pub fn compile(&self, schema: &Value) -> &'static Validator {
        let mut compiled = self.compiled.lock().expect("no test panicked here");
        compiled.entry(schema.to_string()).or_insert_with(|| {
            let whole =
                json!({"allOf": [schema], "components": {"schemas": self.root["components"]["schemas"]}});
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&whole);
            // Few and small, and needed to the end.
            Box::leak(Box::new(validator.unwrap_or_else(|error| panic!("{schema} is no schema: {error}"))))
        })
    }

    /// The codes that an operation may refuse with, for one status.
    pub fn codes(&self, response: &Value) -> BTreeSet<String> {
        let schema = &self.resolve(response)["content"]["application/json"]["schema"]["allOf"][1];
        let code = &schema["properties"]["error"]["properties"]["code"];
        let codes = code["enum"].as_array().or(schema["properties"]["error_code"]["enum"].as_array());
        codes.into_iter().flatten().filter_map(|code| code.as_str().map(String::from)).collect()
    }
}
