//! JSON as the exchange writes it. A reader of its own, because the usual one, with what it generates for every type,
//! would weigh as much as the order form and the book together; the page is measured by what it loads first.

use std::borrow::Cow;

/// Values within values, at most: nothing that the exchange writes is half as deep.
const DEEPEST: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// A whole number, exactly.
    Whole(u64),
    /// Any other number.
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a text; `None` if it is no JSON.
    pub fn parse(text: &'a str) -> Option<Json<'a>> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_blanks();
        (reader.at == text.len()).then_some(value)
    }

    /// A field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let Json::Object(fields) = self else { return None };
        let (_, value) = fields.iter().find(|(own, _)| own == name)?;
        Some(value).filter(|value| **value != Json::Null)
    }

    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    pub fn whole(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_whole()
    }

    /// A whole number that may be written as text.
    pub fn amount(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Json::Text(text) => text.parse().ok(),
            other => other.as_whole(),
        }
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Json::Whole(whole) => Some(*whole as f64),
            Json::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn list(&self, name: &str) -> Option<&[Json<'a>]> {
        self.get(name)?.as_list()
    }

    /// The values of a list, each read by `read`; one that cannot be read makes all of it unreadable.
    pub fn all<T>(&self, name: &str, read: impl Fn(&Json<'_>) -> Option<T>) -> Option<Vec<T>> {
        self.list(name)?.iter().map(read).collect()
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_whole(&self) -> Option<u64> {
        match self {
            Json::Whole(whole) => Some(*whole),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Json<'a>]> {
        match self {
            Json::List(values) => Some(values),
            _ => None,
        }
    }
}

/// A text as JSON has it, in quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for symbol in text.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Two digits are enough: what else has to be escaped is below them.
            control @ '\0'..='\u{1f}' => {
                let hex = |digit: u32| char::from_digit(digit, 16).unwrap_or('0');
                let code = control as u32;
                out.push_str("\\u00");
                out.push(hex(code >> 4));
                out.push(hex(code & 15));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank, if it is this one.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        let is_next = self.text[self.at..].starts_with(word);
        self.at += word.len();
        is_next.then_some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > DEEPEST {
            return None;
        }
        self.skip_blanks();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.takes(b'}') {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            if !self.takes(b':') {
                return None;
            }
            fields.push((name, self.value(depth + 1)?));
            if self.takes(b'}') {
                return Some(Json::Object(fields));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut values = Vec::new();
        if self.takes(b']') {
            return Some(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.takes(b']') {
                return Some(Json::List(values));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.at += 1;
        let text = self.text;
        let mut from = self.at;
        let mut escaped: Option<String> = None;
        loop {
            match self.peek()? {
                b'"' => {
                    let rest = &text[from..self.at];
                    self.at += 1;
                    return Some(match escaped {
                        None => Cow::Borrowed(rest),
                        Some(before) => Cow::Owned(before + rest),
                    });
                }
                b'\\' => {
                    let out = escaped.get_or_insert_default();
                    out.push_str(&text[from..self.at]);
                    self.at += 1;
                    let symbol = self.escape()?;
                    out.push(symbol);
                    from = self.at;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match self.unit()? {
                high @ 0xd800..=0xdbff => {
                    if !self.text[self.at..].starts_with("\\u") {
                        return None;
                    }
                    self.at += 2;
                    let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?
                }
                unit => char::from_u32(unit)?,
            },
            _ => return None,
        })
    }

    /// Four digits of base sixteen.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    }

    /// A run of digits, as a number that stops growing where it would not fit, and how many there are.
    fn digits(&mut self) -> (Option<u64>, f64, i32) {
        let (mut exact, mut near, mut count) = (Some(0u64), 0.0, 0);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let digit = digit - b'0';
            exact = exact.and_then(|sum| sum.checked_mul(10)?.checked_add(digit.into()));
            near = near * 10.0 + f64::from(digit);
            count += 1;
            self.at += 1;
        }
        (exact, near, count)
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let leads_with_zero = self.peek() == Some(b'0');
        let (exact, whole, count) = self.digits();
        if count == 0 || (leads_with_zero && count > 1) {
            return None;
        }
        let (mut value, mut scale, mut is_plain) = (whole, 0, true);
        if self.peek() == Some(b'.') {
            self.at += 1;
            let (_, part, count) = self.digits();
            if count == 0 {
                return None;
            }
            // One division at the end, which rounds once: 0.1 is 1 / 10.
            (value, scale, is_plain) = (whole * power_of_ten(count) + part, -count, false);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let down = self.peek() == Some(b'-');
            self.at += usize::from(matches!(self.peek(), Some(b'-' | b'+')));
            let (exponent, _, count) = self.digits();
            if count == 0 {
                return None;
            }
            let exponent = exponent.unwrap_or(u64::MAX).min(400) as i32;
            scale += if down { -exponent } else { exponent };
            is_plain = false;
        }
        if let (Some(exact), true, false) = (exact, is_plain, is_negative) {
            return Some(Json::Whole(exact));
        }
        let value = if scale < 0 { value / power_of_ten(-scale) } else { value * power_of_ten(scale) };
        Some(Json::Number(if is_negative { -value } else { value }))
    }
}

fn power_of_ten(exponent: i32) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_every_kind_are_read() {
        let text = r#" {"a": [1, -2.5, 0.1, 1e3, 18446744073709551615], "b": {"c": null, "d": true}, "e": "x\n\u00e9\ud83d\ude00"} "#;
        let json = Json::parse(text).unwrap();
        let numbers = [
            Json::Whole(1),
            Json::Number(-2.5),
            Json::Number(0.1),
            Json::Number(1000.0),
            Json::Whole(u64::MAX),
        ];
        assert_eq!(json.list("a").unwrap(), numbers);
        assert_eq!(json.get("b").unwrap().get("c"), None, "null is as good as missing");
        assert_eq!(json.get("b").unwrap().bool("d"), Some(true));
        assert_eq!(json.str("e"), Some("x\né😀"));
        assert_eq!(Json::parse("[]"), Some(Json::List(vec![])));
        assert_eq!(Json::parse("{}").unwrap().get("a"), None);
        let amounts = Json::parse(r#"{"a":"12","b":12,"c":"x","d":1.5}"#).unwrap();
        let read = |name| amounts.amount(name);
        assert_eq!([read("a"), read("b"), read("c"), read("d")], [Some(12), Some(12), None, None]);
        assert_eq!(amounts.number("d"), Some(1.5));
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        let deep = "[".repeat(100);
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "1e",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "tru",
            "nul",
            "1 2",
            "\"\n\"",
            "\"\\u12g4\"",
            "\"é",
            deep.as_str(),
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let message = r#"{"e":"d","s":"TÉST","t":1.5e3,"b":[[150,30]],"x":"\u00e9"}"#;
        assert!(Json::parse(message).is_some());
        for (cut, _) in message.char_indices() {
            assert_eq!(Json::parse(&message[..cut]), None, "cut at {cut}");
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1_000_000i32..1_000_000, 0..4)
                .prop_map(|(n, digits)| Value::from(f64::from(n) / 10f64.powi(digits))),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
            ]
        })
    }

    fn is_same(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
        use serde_json::Value;
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Whole(a), Value::Number(b)) => Some(*a) == b.as_u64() || Some(*a as f64) == b.as_f64(),
            (Json::Number(a), Value::Number(b)) => Some(*a) == b.as_f64(),
            (Json::Text(a), Value::String(b)) => a == b,
            (Json::List(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
            }
            (Json::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(name, a)| b.get(name.as_ref()).is_some_and(|b| is_same(a, b)))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_others_write_is_read_as_they_mean_it(value in value()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let read = Json::parse(&text);
                prop_assert!(read.as_ref().is_some_and(|read| is_same(read, &value)), "{text}: {read:?}");
            }
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in any::<String>()) {
            let _ = Json::parse(&text);
        }

        #[test]
        fn what_we_write_is_read_by_others(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
        }
    }
}
