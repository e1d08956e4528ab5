//! The rows of the bench, a generator each.

mod deep;
mod liquibook;
mod many;
mod mixed;
mod moves;
mod sweep;

use crate::flow::Flow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    W1,
    W2,
    W3,
    W4,
    W5,
    W6,
}

/// How large a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Full,
    /// A fifth of the commands, for a quick look.
    Quick,
}

impl Size {
    pub const fn commands(self) -> usize {
        match self {
            Size::Full => 1_000_000,
            Size::Quick => 200_000,
        }
    }
}

impl Row {
    pub const ALL: [Row; 6] = [Row::W1, Row::W2, Row::W3, Row::W4, Row::W5, Row::W6];

    pub const fn name(self) -> &'static str {
        match self {
            Row::W1 => "W1",
            Row::W2 => "W2",
            Row::W3 => "W3",
            Row::W4 => "W4",
            Row::W5 => "W5",
            Row::W6 => "W6",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Row::W1 => "Liquibook's own: adds alone, alternating sides, prices that cross",
            Row::W2 => "mixed flow of the golden shape, from an empty book",
            Row::W3 => "deep book: 1,000,000 orders on 100,000 levels, the best price jumping",
            Row::W4 => "10,000 symbols by Zipf, each the mixed flow",
            Row::W5 => "one sweep through 10,000 levels, an order each",
            Row::W6 => "exchange-core's own: about 1,000 orders on 750 prices, 82 % moves",
        }
    }

    pub fn flow(self, size: Size) -> Flow {
        match self {
            Row::W1 => liquibook::flow(size.commands()),
            Row::W2 => mixed::flow(size.commands()),
            Row::W3 => deep::flow(size),
            Row::W4 => many::flow(size),
            Row::W5 => sweep::flow(),
            Row::W6 => moves::flow(size.commands()),
        }
    }
}

impl std::str::FromStr for Row {
    type Err = String;

    fn from_str(text: &str) -> Result<Row, String> {
        let found = Row::ALL.into_iter().find(|row| row.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("there is no row {text:?}: W1 to W6"))
    }
}
