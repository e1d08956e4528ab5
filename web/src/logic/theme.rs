//! Dark or light, and the colours of rising and falling.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the device is.
    #[default]
    System,
    Dark,
    Light,
}

impl Theme {
    pub const ALL: [Theme; 3] = [Theme::System, Theme::Dark, Theme::Light];

    pub const fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Dark => "dark",
            Theme::Light => "light",
        }
    }

    pub fn parse(name: &str) -> Theme {
        Theme::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }

    /// What the document is told.
    pub const fn shown(self, device_is_light: bool) -> &'static str {
        match (self, device_is_light) {
            (Theme::Light, _) | (Theme::System, true) => "light",
            _ => "dark",
        }
    }
}

/// The colour of rising prices; falling ones have the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rising {
    /// Red in Korean, green in English.
    #[default]
    ByLanguage,
    Red,
    Green,
}

impl Rising {
    pub const ALL: [Rising; 3] = [Rising::ByLanguage, Rising::Red, Rising::Green];

    pub const fn as_str(self) -> &'static str {
        match self {
            Rising::ByLanguage => "auto",
            Rising::Red => "red",
            Rising::Green => "green",
        }
    }

    pub fn parse(name: &str) -> Rising {
        Rising::ALL.into_iter().find(|rising| rising.as_str() == name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_kept_and_the_device_followed_without_one() {
        for theme in Theme::ALL {
            assert_eq!(Theme::parse(theme.as_str()), theme);
        }
        for rising in Rising::ALL {
            assert_eq!(Rising::parse(rising.as_str()), rising);
        }
        assert_eq!(Rising::parse("<b>"), Rising::ByLanguage);
        assert_eq!(Theme::parse("pink"), Theme::System);
        assert_eq!((Theme::System.shown(true), Theme::System.shown(false)), ("light", "dark"));
        assert_eq!((Theme::Dark.shown(true), Theme::Light.shown(false)), ("dark", "light"));
    }
}
