//! The page's words in Korean and English. A text that lacks one of the two does not compile.

mod codes;
mod texts;

pub use codes::{auth_text, code_text, reason_text};
pub use texts::Text;
pub(crate) use texts::texts;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Ko,
    En,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::Ko, Lang::En];

    /// The language's tag, for `lang` attributes and for storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lang::Ko => "ko",
            Lang::En => "en",
        }
    }

    /// The tag that the chart writes dates by.
    pub const fn locale(self) -> &'static str {
        match self {
            Lang::Ko => "ko-KR",
            Lang::En => "en-US",
        }
    }

    pub fn parse(tag: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| lang.as_str() == tag)
    }

    /// Korean for browsers that speak Korean, English for all others.
    pub fn of_browser(tag: &str) -> Lang {
        if tag.starts_with("ko") { Lang::Ko } else { Lang::En }
    }

    /// One of two texts.
    pub(crate) const fn pick(self, ko: &'static str, en: &'static str) -> &'static str {
        match self {
            Lang::Ko => ko,
            Lang::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_hangul(symbol: char) -> bool {
        ('가'..='힣').contains(&symbol)
    }

    fn in_both_languages<T: Copy + std::fmt::Debug>(all: &[T], of: fn(T, Lang) -> &'static str) {
        for &text in all {
            let (ko, en) = (of(text, Lang::Ko), of(text, Lang::En));
            assert!(!ko.is_empty() && !en.is_empty(), "{text:?}");
            assert!(!en.chars().any(is_hangul), "{text:?}: {en}");
            assert!(ko == en || ko.chars().any(is_hangul), "{text:?}: {ko}");
        }
    }

    #[test]
    fn every_text_is_in_both_languages() {
        use crate::{sandbox_page, tools};
        in_both_languages(Text::ALL, Text::of);
        in_both_languages(sandbox_page::texts::Words::ALL, sandbox_page::texts::Words::of);
        in_both_languages(tools::texts::Words::ALL, tools::texts::Words::of);
    }

    /// The words in backquotes between two marks of the API's documentation.
    fn documented(from: &str, to: &str) -> Vec<&'static str> {
        const API: &str = include_str!("../../../docs/api.md");
        let part = API.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(part, _)| part);
        let words = part.expect("the documentation has this part").split('`').skip(1).step_by(2);
        let is_code =
            |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        words.filter(is_code).collect()
    }

    #[test]
    fn every_code_of_the_server_is_translated() {
        let codes = documented("### Refusal codes", "## Auth");
        let auth = documented("form `{code, error_code, msg}`:", "Refresh tokens are used once");
        assert!(codes.len() > 35 && auth.len() > 10, "the documentation is read");
        // What the core may answer, and what order-router itself gives as a reason.
        let core =
            (0..=u8::MAX).map_while(engine_core::event::Reason::from_code).map(|reason| reason.as_str());
        let reasons: Vec<_> = core.chain(["insufficient_balance", "throttled", "unavailable"]).collect();
        assert!(reasons.len() > 40);
        for lang in Lang::ALL {
            for code in &codes {
                assert!(code_text(code, lang).is_some(), "{code}");
            }
            for code in &auth {
                assert!(auth_text(code, lang).or_else(|| code_text(code, lang)).is_some(), "{code}");
            }
            for reason in &reasons {
                assert!(reason_text(reason, lang).is_some(), "{reason}");
            }
        }
        assert_eq!(code_text("something_new", Lang::Ko), None);
    }

    #[test]
    fn korean_browsers_get_korean() {
        assert_eq!(Lang::of_browser("ko-KR"), Lang::Ko);
        assert_eq!(Lang::of_browser("en-US@posix"), Lang::En);
        assert_eq!(Lang::parse("en"), Some(Lang::En));
        assert_eq!(Lang::parse("fr"), None);
    }
}
