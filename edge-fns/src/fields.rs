//! Strict JSON objects: no unknown field, no field twice, no number but an integer that JavaScript holds exactly.

use crate::http::Refusal;
use core::fmt;
use engine_core::wire::is_symbol;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The largest integer a request may hold: what a JavaScript number holds exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Null,
    Boolean(bool),
    Integer(u64),
    Text(String),
    List(Vec<Field>),
    /// A fraction, a negative or too large number, an object: nothing that any request holds.
    Other,
}

/// The fields of one object, taken out one by one; what is left at the end is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(Vec<(String, Field)>);

impl Fields {
    pub fn parse(body: &[u8]) -> Result<Fields, Refusal> {
        let fields: Fields =
            serde_json::from_slice(body).map_err(|error| Refusal::bad("bad_json", error.to_string()))?;
        for (n, (name, _)) in fields.0.iter().enumerate() {
            if fields.0[..n].iter().any(|(earlier, _)| earlier == name) {
                return Err(Refusal::bad("bad_json", format!("field {name:?} is given twice")));
            }
        }
        Ok(fields)
    }

    /// Takes a field out; `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Field> {
        let at = self.0.iter().position(|(have, _)| have == name)?;
        Some(self.0.swap_remove(at).1).filter(|field| *field != Field::Null)
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::bad("bad_field", format!("{name:?} must be a string"))),
        }
    }

    pub fn required_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub fn integer(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Field::Integer(value)) if value <= MAX_INTEGER => Ok(Some(value)),
            Some(_) => {
                let message = format!("{name:?} must be an integer from 0 to {MAX_INTEGER}");
                Err(Refusal::bad("bad_field", message))
            }
        }
    }

    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Field::Boolean(value)) => Ok(Some(value)),
            Some(_) => Err(Refusal::bad("bad_field", format!("{name:?} must be true or false"))),
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let refusal = || Refusal::bad("bad_field", format!("{name:?} must be a list of strings"));
        match self.take(name) {
            None => Ok(None),
            Some(Field::List(list)) => list
                .into_iter()
                .map(|field| if let Field::Text(text) = field { Ok(text) } else { Err(refusal()) })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(refusal()),
        }
    }

    /// Refuses what nobody has taken.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.0.into_iter().map(|(name, _)| name).min() {
            None => Ok(()),
            Some(name) => Err(Refusal::bad("unknown_field", format!("field {name:?} is not known here"))),
        }
    }
}

/// The refusal of a request without a field that it must have.
pub fn missing(name: &str) -> Refusal {
    Refusal::bad("missing_field", format!("field {name:?} is missing"))
}

/// Refuses what cannot name a symbol.
pub fn check_symbol(text: &str) -> Result<(), Refusal> {
    if is_symbol(text) {
        return Ok(());
    }
    Err(Refusal::bad("bad_symbol", "a symbol is 1 to 16 of A-Z 0-9 . _ - and starts with A-Z or 0-9"))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Field, E> {
                Ok(Field::Boolean(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Field, E> {
                Ok(Field::Integer(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Field, E> {
                Ok(u64::try_from(value).map_or(Field::Other, Field::Integer))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
                Ok(Field::Other)
            }
            fn visit_str<E>(self, value: &str) -> Result<Field, E> {
                Ok(Field::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Field, E> {
                Ok(Field::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
                let mut list = Vec::new();
                while let Some(field) = seq.next_element()? {
                    list.push(field);
                }
                Ok(Field::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str, check: impl Fn(&mut Fields) -> Result<(), Refusal>) -> &'static str {
        let result = Fields::parse(body.as_bytes()).and_then(|mut fields| {
            check(&mut fields)?;
            fields.finish()
        });
        result.map_or_else(|refusal| refusal.code, |()| "")
    }

    #[test]
    fn only_integers_in_range_are_numbers() {
        let integer = |fields: &mut Fields| fields.integer("n").map(|_| ());
        for good in ["0", "9007199254740991", "null"] {
            assert_eq!(code(&format!(r#"{{"n":{good}}}"#), integer), "", "{good}");
        }
        for bad in [
            "1.0",
            "1e3",
            "-1",
            "-0",
            "9007199254740992",
            "18446744073709551616",
            "1e999",
            "\"1\"",
            "true",
            "[1]",
            "{}",
        ] {
            let code = code(&format!(r#"{{"n":{bad}}}"#), integer);
            assert!(code == "bad_field" || (code == "bad_json" && bad == "1e999"), "{bad}: {code}");
        }
        for broken in ["01", "+1", "NaN", "0x1", "1_000", ""] {
            assert_eq!(code(&format!(r#"{{"n":{broken}}}"#), integer), "bad_json", "{broken}");
        }
    }

    #[test]
    fn objects_are_strict() {
        let nothing = |_: &mut Fields| Ok(());
        assert_eq!(code("{}", nothing), "");
        assert_eq!(code(r#"{"a":1}"#, nothing), "unknown_field");
        assert_eq!(code(r#"{"a":1,"a":1}"#, nothing), "bad_json");
        for bad in ["", "[]", "null", "1", "{", "{}x", "\u{feff}{}", r#"{"a":"\ud800"}"#] {
            assert_eq!(code(bad, nothing), "bad_json", "{bad}");
        }
        assert_eq!(code(&format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500)), nothing), "bad_json");
        assert_eq!(code(r#"{"l":["a",1]}"#, |fields| fields.texts("l").map(|_| ())), "bad_field");
    }
}
