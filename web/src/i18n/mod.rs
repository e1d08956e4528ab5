//! The page's words in Korean and English. A text that lacks one of the two does not compile.

mod codes;
mod texts;

pub use codes::{auth_text, code_text, reason_text};
pub use texts::Text;

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
    const fn pick(self, ko: &'static str, en: &'static str) -> &'static str {
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

    #[test]
    fn every_text_is_in_both_languages() {
        for text in Text::ALL {
            let (ko, en) = (text.of(Lang::Ko), text.of(Lang::En));
            assert!(!ko.is_empty() && !en.is_empty(), "{text:?}");
            assert!(!en.chars().any(is_hangul), "{text:?}: {en}");
            assert!(ko == en || ko.chars().any(is_hangul), "{text:?}: {ko}");
        }
    }

    #[test]
    fn every_documented_code_is_translated() {
        let codes = "bad_json missing_field bad_field unknown_field bad_side bad_type bad_tif bad_price bad_quantity \
            notional_too_large bad_symbol bad_interval bad_limit bad_cursor token_missing token_malformed token_expired \
            token_bad_signature token_wrong_audience test_mode_off bad_test_user forbidden unknown_symbol unknown_order \
            not_found method_not_allowed order_closed no_opposite_quote stale_order gone body_too_large \
            unsupported_media_type insufficient_balance throttled internal unavailable timeout";
        let auth = "email_exists weak_password validation_failed invalid_credentials refresh_token_not_found bad_jwt";
        let reasons = "user ioc fok no_opposite_quote protection zero_quantity quantity_too_large zero_price \
            price_too_large notional_too_large book_full duplicate_order unknown_order not_owner stale_order throttled \
            unavailable";
        for lang in Lang::ALL {
            for code in codes.split_whitespace() {
                assert!(code_text(code, lang).is_some(), "{code}");
            }
            for code in auth.split_whitespace() {
                assert!(auth_text(code, lang).is_some(), "{code}");
            }
            for reason in reasons.split_whitespace() {
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
