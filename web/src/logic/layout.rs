//! How a wide page lays out its columns: in which order, which of them are shown, and how high the orders are.

/// A column of the page. The centre is the chart over the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Markets,
    Centre,
    Book,
    Order,
}

impl Column {
    pub const ALL: [Column; 4] = [Column::Markets, Column::Centre, Column::Book, Column::Order];

    pub const fn as_str(self) -> &'static str {
        match self {
            Column::Markets => "markets",
            Column::Centre => "centre",
            Column::Book => "book",
            Column::Order => "order",
        }
    }

    const fn width(self) -> &'static str {
        match self {
            Column::Markets => "232px",
            Column::Centre => "minmax(0,1fr)",
            Column::Book => "288px",
            Column::Order => "292px",
        }
    }

    const fn upper(self) -> &'static str {
        match self {
            Column::Markets => "markets",
            Column::Centre => "chart",
            Column::Book => "ladder",
            Column::Order => "aside",
        }
    }
}

pub const LOWEST: u16 = 120;
pub const HIGHEST: u16 = 600;
const USUAL_HEIGHT: u16 = 252;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// From left to right, with whether it is shown; the centre always is.
    columns: [(Column, bool); 4],
    /// Of the orders, in pixels.
    height: u16,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { columns: Column::ALL.map(|column| (column, true)), height: USUAL_HEIGHT }
    }
}

impl Layout {
    pub fn columns(&self) -> [(Column, bool); 4] {
        self.columns
    }

    pub fn height(&self) -> u16 {
        self.height
    }

    pub fn set_height(&mut self, height: u16) {
        self.height = height.clamp(LOWEST, HIGHEST);
    }

    pub fn is_shown(&self, column: Column) -> bool {
        self.columns.iter().any(|(other, shown)| *other == column && *shown)
    }

    pub fn show(&mut self, column: Column, shown: bool) {
        for (other, is_shown) in &mut self.columns {
            if *other == column {
                *is_shown = shown || column == Column::Centre;
            }
        }
    }

    /// Changes places with its neighbour; at the edge it stays.
    pub fn shift(&mut self, column: Column, right: bool) {
        let Some(at) = self.columns.iter().position(|(other, _)| *other == column) else { return };
        let to = if right { at + 1 } else { at.wrapping_sub(1) };
        if to < self.columns.len() {
            self.columns.swap(at, to);
        }
    }

    /// Two columns take each other's place.
    pub fn exchange(&mut self, one: Column, other: Column) {
        let place = |column| self.columns.iter().position(|(own, _)| *own == column);
        if let (Some(from), Some(to)) = (place(one), place(other)) {
            self.columns.swap(from, to);
        }
    }

    /// The style sheet's properties `--areas`, `--columns` and `--orders` for it.
    pub fn style(&self) -> [String; 3] {
        let shown: Vec<Column> =
            self.columns.iter().filter(|(_, shown)| *shown).map(|(column, _)| *column).collect();
        let join =
            |part: &dyn Fn(&Column) -> &'static str| shown.iter().map(part).collect::<Vec<_>>().join(" ");
        let (top, widths) = (join(&|_| "top"), join(&|column| column.width()));
        let place = |column: Column| shown.iter().position(|other| *other == column).unwrap_or(usize::MAX);
        // The orders are wide: beside the chart they reach under the book too.
        let beside = place(Column::Centre).abs_diff(place(Column::Book)) == 1;
        let upper = join(&|column| column.upper());
        let lower = join(&|column| match column {
            Column::Centre => "orders",
            Column::Book if beside => "orders",
            other => other.upper(),
        });
        let height = self.height;
        [format!(r#""{top}" "{upper}" "{lower}""#), widths, format!("{height}px")]
    }

    pub fn encode(&self) -> String {
        let columns = self
            .columns
            .map(|(column, shown)| format!("{}{}", if shown { "" } else { "-" }, column.as_str()));
        format!("{};{}", columns.join(","), self.height)
    }

    /// What cannot be read is laid out as usual.
    pub fn decode(text: &str) -> Layout {
        let read = || {
            let (columns, height) = text.split_once(';')?;
            let mut layout = Layout::default();
            let mut left = Column::ALL.to_vec();
            let mut names = columns.split(',');
            for place in &mut layout.columns {
                let name = names.next()?;
                let plain = name.strip_prefix('-').unwrap_or(name);
                let at = left.iter().position(|column| column.as_str() == plain)?;
                let column = left.remove(at);
                *place = (column, plain == name || column == Column::Centre);
            }
            layout.set_height(height.parse().ok()?);
            names.next().is_none().then_some(layout)
        };
        read().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_change_places_and_hide() {
        let mut layout = Layout::default();
        let [areas, ..] = layout.style();
        assert_eq!(areas, r#""top top top top" "markets chart ladder aside" "markets orders orders aside""#);
        layout.shift(Column::Order, false);
        layout.shift(Column::Markets, false);
        layout.show(Column::Book, false);
        layout.show(Column::Centre, false);
        layout.set_height(5);
        assert!(layout.is_shown(Column::Centre) && !layout.is_shown(Column::Book));
        assert_eq!(
            layout.style(),
            [
                r#""top top top" "markets chart aside" "markets orders aside""#,
                "232px minmax(0,1fr) 292px",
                "120px"
            ]
        );
        assert_eq!(Layout::decode(&layout.encode()), layout);
        layout.exchange(Column::Markets, Column::Order);
        layout.exchange(Column::Book, Column::Book);
        let order = layout.columns().map(|(column, _)| column);
        assert_eq!(order, [Column::Order, Column::Centre, Column::Markets, Column::Book]);
    }

    #[test]
    fn nonsense_is_laid_out_as_usual() {
        for text in
            ["", "markets;1", "markets,markets,book,order;252", "markets,centre,book,order,x;252", "a;b"]
        {
            assert_eq!(Layout::decode(text), Layout::default(), "{text}");
        }
    }
}
