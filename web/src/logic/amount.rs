//! Amounts as people write and read them. All amounts are integers; nothing here computes with floating point except
//! where the wire itself speaks of percent.

use super::indicators::{SCALE, Scaled};
use crate::i18n::Lang;

/// The largest amount that a request may carry: what a JavaScript number holds exactly.
pub const MAX_AMOUNT: u64 = (1 << 53) - 1;

/// `1234567` as `1,234,567`.
pub fn group(amount: u64) -> String {
    let digits = amount.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A profit or loss with its sign: `+1,500`, `-20`, `0`.
pub fn signed(amount: i64) -> String {
    let sign = match amount {
        1.. => "+",
        0 => "",
        _ => "-",
    };
    format!("{sign}{}", group(amount.unsigned_abs()))
}

/// A short form for volumes: `12.3만`, `4.56억` in Korean, `12.3K`, `4.56M` in English. Cuts, never rounds up.
pub fn compact(amount: u64, lang: Lang) -> String {
    let units: &[(u64, &str)] = match lang {
        Lang::Ko => &[(1_0000_0000_0000, "조"), (1_0000_0000, "억"), (1_0000, "만")],
        Lang::En => &[(1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (10_000, "K")],
    };
    let Some((size, name)) = units.iter().find(|(size, _)| amount >= *size) else { return group(amount) };
    let size = if *name == "K" { 1_000 } else { *size };
    let hundredths = (amount % size) * 100 / size;
    let whole = amount / size;
    match whole {
        0..10 => format!("{whole}.{hundredths:02}{name}"),
        10..1000 => format!("{whole}.{}{name}", hundredths / 10),
        _ => format!("{}{name}", group(whole)),
    }
}

/// A change in percent with its sign: `+2.50%`, `-1.20%`, `0.00%`.
pub fn percent(change: f64) -> String {
    // A change that shows as zero has no sign.
    let hundredths = (change * 100.0).round() as i64;
    let sign = match hundredths {
        1.. => "+",
        0 => "",
        _ => "-",
    };
    let hundredths = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}%", group(hundredths / 100), hundredths % 100)
}

/// An indicator's value with one to four digits behind the point: `1,234.5`, `-0.25`. Rounds halves away from zero.
pub fn decimal(value: Scaled, digits: u32) -> String {
    let unit = SCALE.unsigned_abs() / 10u128.pow(digits.clamp(1, 4));
    let rounded = (value.unsigned_abs() + unit / 2) / unit;
    let per_whole = SCALE.unsigned_abs() / unit;
    let (whole, part) = (rounded / per_whole, rounded % per_whole);
    let sign = if value < 0 && rounded > 0 { "-" } else { "" };
    let width = digits.clamp(1, 4) as usize;
    format!("{sign}{}.{part:0width$}", group(u64::try_from(whole).unwrap_or(u64::MAX)))
}

/// Where a change points, for colours and arrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    Up,
    Down,
    #[default]
    Flat,
}

impl Direction {
    pub fn of_change(change: f64) -> Direction {
        match (change * 100.0).round() as i64 {
            1.. => Direction::Up,
            0 => Direction::Flat,
            _ => Direction::Down,
        }
    }

    /// The class that the style sheet colours.
    pub const fn class(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Flat => "flat",
        }
    }

    /// A sign beside the colour: direction is never told by colour alone.
    pub const fn arrow(self) -> &'static str {
        match self {
            Direction::Up => "▲",
            Direction::Down => "▼",
            Direction::Flat => "",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    Empty,
    NotANumber,
    Zero,
    TooLarge,
}

/// Reads a whole number above zero as people type it: with or without grouping, also in full-width digits.
pub fn parse_amount(text: &str) -> Result<u64, InputError> {
    let mut amount: u64 = 0;
    let mut digits = 0;
    for symbol in text.trim().chars() {
        let digit = match symbol {
            ',' | '_' | ' ' | '\u{a0}' if digits > 0 => continue,
            '0'..='9' => symbol as u64 - '0' as u64,
            '０'..='９' => symbol as u64 - '０' as u64,
            _ => return Err(InputError::NotANumber),
        };
        digits += 1;
        amount = amount
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(digit))
            .filter(|amount| *amount <= MAX_AMOUNT)
            .ok_or(InputError::TooLarge)?;
    }
    match (digits, amount) {
        (0, _) => Err(InputError::Empty),
        (_, 0) => Err(InputError::Zero),
        _ => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes() {
        for (amount, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (MAX_AMOUNT, "9,007,199,254,740,991"),
        ] {
            assert_eq!(group(amount), text);
            if amount > 0 {
                assert_eq!(parse_amount(text), Ok(amount), "what is shown can be typed");
            }
        }
    }

    #[test]
    fn volumes_are_short_in_both_languages() {
        assert_eq!(compact(9_999, Lang::Ko), "9,999");
        assert_eq!(compact(123_456, Lang::Ko), "12.3만");
        assert_eq!(compact(456_000_000, Lang::Ko), "4.56억");
        assert_eq!(compact(9_999, Lang::En), "9,999");
        assert_eq!(compact(123_456, Lang::En), "123.4K");
        assert_eq!(compact(4_567_000, Lang::En), "4.56M");
        assert_eq!(compact(u64::MAX, Lang::En), "18,446,744T");
    }

    #[test]
    fn changes_carry_their_sign() {
        assert_eq!((signed(1500), signed(0), signed(-20)), ("+1,500".into(), "0".into(), "-20".into()));
        assert_eq!(signed(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(percent(2.5), "+2.50%");
        assert_eq!(percent(-1.2), "-1.20%");
        assert_eq!(percent(-0.001), "0.00%");
        assert_eq!(percent(1234.5), "+1,234.50%");
        assert_eq!(Direction::of_change(-0.001), Direction::Flat);
        assert_eq!(Direction::of_change(-0.01), Direction::Down);
    }

    #[test]
    fn indicators_have_digits() {
        assert_eq!(decimal(12_345_678, 1), "1,234.6");
        assert_eq!(decimal(-2_500, 2), "-0.25");
        assert_eq!(decimal(-4, 2), "0.00");
        assert_eq!(decimal(99_996, 3), "10.000");
        assert_eq!(decimal(1, 4), "0.0001");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!(parse_amount(" "), Err(InputError::Empty));
        assert_eq!(parse_amount("0"), Err(InputError::Zero));
        assert_eq!(parse_amount("-1"), Err(InputError::NotANumber));
        assert_eq!(parse_amount("1.5"), Err(InputError::NotANumber));
        assert_eq!(parse_amount(",1"), Err(InputError::NotANumber));
        assert_eq!(parse_amount("9007199254740992"), Err(InputError::TooLarge));
        assert_eq!(parse_amount("99999999999999999999999"), Err(InputError::TooLarge));
        assert_eq!(parse_amount("１２０"), Ok(120));
    }
}
