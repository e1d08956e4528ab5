//! How bytes and whole numbers are written where this crate's plain data becomes JSON: in the [`remote`](crate::remote)
//! protocol and in recorded events.
//!
//! - Bytes that are UTF-8 are a string; others are `{"base64":"…"}`. Either form is read back, so that a hand-written
//!   file may have what is readable.
//! - A whole number beyond ±(2⁵³ − 1) is a string of its digits, since JavaScript would round it; either form is read.
//!
//! Fields that need this say `#[serde(with = "crate::json")]`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// The largest whole number that every JSON reader takes exactly.
const EXACT: u64 = (1 << 53) - 1;

pub fn serialize<T: Form, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

pub fn deserialize<'de, T: Form, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// What has a form of its own in JSON, and lists, pairs and options of it.
pub trait Form: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Form for Vec<u8> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Encoded {
            base64: String,
        }
        match core::str::from_utf8(self) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Encoded { base64: BASE64_STANDARD.encode(self) }.serialize(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, deny_unknown_fields, expecting = "bytes are a string or {\"base64\":\"…\"}")]
        enum Bytes {
            Text(String),
            Encoded { base64: String },
        }
        match Bytes::deserialize(deserializer)? {
            Bytes::Text(text) => Ok(text.into_bytes()),
            Bytes::Encoded { base64 } => BASE64_STANDARD.decode(base64).map_err(D::Error::custom),
        }
    }
}

/// A number, or its digits.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a whole number, or its digits as a string")]
enum Whole<T> {
    Number(T),
    Digits(String),
}

macro_rules! whole {
    ($($type:ty),+) => {$(
        impl Form for $type {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_comparisons)]
                let size = if *self < 0 { self.wrapping_neg() as u64 } else { *self as u64 };
                if size <= EXACT { self.serialize(serializer) } else { serializer.collect_str(self) }
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match Whole::deserialize(deserializer)? {
                    Whole::Number(number) => Ok(number),
                    Whole::Digits(digits) => digits.parse().map_err(D::Error::custom),
                }
            }
        }
    )+};
}

whole!(u64, i64);

/// Lets serde write and read a [`Form`] inside a list, a pair or an option.
struct As<T>(T);

impl<T: Form> Serialize for As<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, T: Form> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(As)
    }
}

impl<T: Form> Form for Option<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(As).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<As<T>>::deserialize(deserializer)?.map(|value| value.0))
    }
}

impl<T: Form> Form for Vec<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(As))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<As<T>>::deserialize(deserializer)?.into_iter().map(|value| value.0).collect())
    }
}

impl<T: Form> Form for (String, T) {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, As(&self.1)).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, value) = <(String, As<T>)>::deserialize(deserializer)?;
        Ok((name, value.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        #[serde(with = "crate::json")]
        bytes: Vec<Option<Vec<u8>>>,
        #[serde(with = "crate::json")]
        pairs: Vec<(String, Vec<u8>)>,
        #[serde(with = "crate::json")]
        signed: i64,
        #[serde(with = "crate::json")]
        unsigned: u64,
    }

    fn sample(signed: i64, unsigned: u64) -> Sample {
        let bytes = vec![Some(b"text \xe2\x82\xac".to_vec()), None, Some(vec![0xff, 0])];
        Sample { bytes, pairs: vec![("a".into(), b"1".to_vec())], signed, unsigned }
    }

    #[test]
    fn text_stays_readable_and_large_numbers_exact() {
        let written = serde_json::to_string(&sample(-3, 9_007_199_254_740_991)).unwrap();
        assert_eq!(
            written,
            r#"{"bytes":["text €",null,{"base64":"/wA="}],"pairs":[["a","1"]],"signed":-3,"unsigned":9007199254740991}"#
        );
        for (signed, unsigned) in [(i64::MIN, u64::MAX), (i64::MAX, 0), (-9_007_199_254_740_992, 1 << 53)] {
            let sample = sample(signed, unsigned);
            let written = serde_json::to_string(&sample).unwrap();
            assert!(written.contains(&format!("\"{signed}\"")), "{written}");
            assert_eq!(serde_json::from_str::<Sample>(&written).unwrap(), sample);
        }
    }

    #[test]
    fn either_form_is_read_and_others_are_refused() {
        let read = |bytes: &str, signed: &str| {
            let text = format!(r#"{{"bytes":[{bytes}],"pairs":[],"signed":{signed},"unsigned":0}}"#);
            serde_json::from_str::<Sample>(&text)
        };
        let sample = read(r#"{"base64":"dGV4dA=="}"#, "\"-7\"").unwrap();
        assert_eq!((sample.bytes, sample.signed), (vec![Some(b"text".to_vec())], -7));
        for (bytes, signed) in [
            (r#"{"base64":"!"}"#, "0"),
            (r#"{"base64":"","more":1}"#, "0"),
            ("[1]", "0"),
            (r#""""#, "1.5"),
            (r#""""#, "\"seven\""),
            (r#""""#, "9223372036854775808"),
        ] {
            assert!(read(bytes, signed).is_err(), "{bytes} {signed}");
        }
    }
}
