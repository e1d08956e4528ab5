//! Which indicators the user has chosen, with which numbers; remembered as one line of text.

use super::MAX_PERIOD;

/// The indicators there are, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ma,
    Ema,
    Bollinger,
    Vwap,
    Rsi,
    Macd,
}

/// What a number of an indicator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    Period,
    Fast,
    Slow,
    Signal,
    /// Tenths of a standard deviation.
    WidthTenths,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Ma, Kind::Ema, Kind::Bollinger, Kind::Vwap, Kind::Rsi, Kind::Macd];

    /// Its name in storage and in the page's marks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Ma => "ma",
            Kind::Ema => "ema",
            Kind::Bollinger => "bollinger",
            Kind::Vwap => "vwap",
            Kind::Rsi => "rsi",
            Kind::Macd => "macd",
        }
    }

    /// Its usual short name, the same in every language.
    pub const fn short(self) -> &'static str {
        match self {
            Kind::Ma => "MA",
            Kind::Ema => "EMA",
            Kind::Bollinger => "BB",
            Kind::Vwap => "VWAP",
            Kind::Rsi => "RSI",
            Kind::Macd => "MACD",
        }
    }

    pub const fn parameters(self) -> &'static [Parameter] {
        match self {
            Kind::Ma => &[Parameter::Period, Parameter::Period, Parameter::Period],
            Kind::Ema => &[Parameter::Period, Parameter::Period],
            Kind::Bollinger => &[Parameter::Period, Parameter::WidthTenths],
            Kind::Vwap => &[],
            Kind::Rsi => &[Parameter::Period],
            Kind::Macd => &[Parameter::Fast, Parameter::Slow, Parameter::Signal],
        }
    }

    const fn usual(self) -> [u32; 3] {
        match self {
            Kind::Ma => [5, 20, 60],
            Kind::Ema => [12, 26, 0],
            Kind::Bollinger => [20, 20, 0],
            Kind::Vwap => [0, 0, 0],
            Kind::Rsi => [14, 0, 0],
            Kind::Macd => [12, 26, 9],
        }
    }

    /// Whether it has a pane of its own, below the candles: it is not a price.
    pub const fn has_pane(self) -> bool {
        matches!(self, Kind::Rsi | Kind::Macd)
    }
}

/// One indicator as the user has set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub kind: Kind,
    pub on: bool,
    /// As many as the kind has; the rest is 0.
    pub numbers: [u32; 3],
}

/// All indicators as the user has set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings([Setting; 6]);

impl Default for Settings {
    fn default() -> Settings {
        Settings(Kind::ALL.map(|kind| Setting { kind, on: kind == Kind::Ma, numbers: kind.usual() }))
    }
}

impl Settings {
    pub fn all(&self) -> &[Setting] {
        &self.0
    }

    pub fn of(&self, kind: Kind) -> Setting {
        // One of each kind is there, in their order.
        self.0[kind as usize]
    }

    pub fn turn(&mut self, kind: Kind, on: bool) {
        self.0[kind as usize].on = on;
    }

    /// Sets a number, if it is one that the indicator can have.
    pub fn set(&mut self, kind: Kind, place: usize, number: u32) -> bool {
        let fits = kind.parameters().get(place).is_some() && (1..=MAX_PERIOD).contains(&number);
        if fits {
            self.0[kind as usize].numbers[place] = number;
        }
        fits
    }

    /// The usual numbers again; what is on stays on.
    pub fn reset(&mut self) {
        for setting in &mut self.0 {
            setting.numbers = setting.kind.usual();
        }
    }

    /// `ma+5,20,60;ema-12,26;…`
    pub fn encode(&self) -> String {
        let one = |setting: &Setting| {
            let count = setting.kind.parameters().len();
            let numbers: Vec<_> = setting.numbers[..count].iter().map(u32::to_string).collect();
            let on = if setting.on { '+' } else { '-' };
            format!("{}{on}{}", setting.kind.as_str(), numbers.join(","))
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(";")
    }

    /// Reads what [`Settings::encode`] wrote. What is not understood keeps its usual setting.
    pub fn decode(text: &str) -> Settings {
        let mut settings = Settings::default();
        for part in text.split(';') {
            let Some(at) = part.find(['+', '-']) else { continue };
            let (name, rest) = part.split_at(at);
            let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == name) else { continue };
            settings.turn(kind, rest.starts_with('+'));
            for (place, number) in rest[1..].split(',').enumerate() {
                if let Ok(number) = number.parse() {
                    settings.set(kind, place, number);
                }
            }
        }
        settings
    }
}
